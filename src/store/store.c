/* The results while an experiment runs: plain files, written by rank 0 alone. No HDF5 is written
 * here, so that a full disk is an error and nothing worse. */
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "spec/run_json.h"
#include "store/watch.h"
#include "store_internal.h"

struct ag_store {
    ag_places places;
    ag_owner owner;
    ag_state state;
    bool is_owner;
    ag_ids packed; /* the runs of a packed file; they are in the arena */
    char path[AG_PATH_SIZE];
    ag_arena arena;
};

/* UTC, "2026-01-31T12:00:00Z". */
static void write_time(char text[32])
{
    struct tm parts;
    time_t now = time(NULL);
    gmtime_r(&now, &parts);
    strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &parts);
}

static bool has_all(const ag_ids *ids, const ag_grid *grid)
{
    for (size_t i = 0; i < grid->n_runs; i++) {
        if (!ag_ids_have(ids, grid->runs[i].id))
            return false;
    }
    return true;
}

/* A packed file that already is what the grid asks for stays packed; any other is written back. */
static ag_status open_packed(ag_store *store, const ag_grid *grid, const ag_text *grid_text)
{
    const char *stored = "";
    AG_TRY(ag_packed_ids(&store->packed, &stored, &store->places, &store->arena));
    if (strcmp(stored, grid_text->data) == 0 && has_all(&store->packed, grid))
        return AG_OK;
    AG_TRY(ag_unpack(&store->places));
    store->state = AG_STATE_SPOOLED;
    return AG_OK;
}

static ag_status write_facts(const ag_store *store, const ag_job_facts *job)
{
    char now[32];
    ag_facts old;
    ag_arena arena;
    ag_arena_init_growing(&arena);
    write_time(now);
    ag_facts facts = {.created = now, .job = *job};
    if (ag_is_file(store->places.facts) &&
        ag_facts_read(&old, store->places.facts, &arena) == AG_OK)
        facts.created = old.created;
    ag_error_clear();
    ag_status status = ag_facts_write(&facts, store->places.facts);
    ag_arena_deinit(&arena);
    return status;
}

static ag_status make_folders(const ag_store *store)
{
    AG_TRY(ag_make_folders(store->places.failed));
    AG_TRY(ag_make_folders(store->places.logs));
    AG_TRY(ag_make_folders(store->places.checkpoints));
    if (store->state == AG_STATE_PACKED)
        return AG_OK;
    return ag_make_folders(store->places.runs);
}

static ag_status open_owned(ag_store *store, const ag_grid *grid, const ag_job_facts *facts)
{
    ag_text text;
    ag_text_init(&text);
    ag_grid_to_json(&text, grid);
    ag_status status = text.failed ? ag_fail(AG_ERR_SYSTEM, "out of memory for the grid") : AG_OK;
    if (status == AG_OK && store->state == AG_STATE_PACKED)
        status = open_packed(store, grid, &text);
    if (status == AG_OK)
        status = make_folders(store);
    if (status == AG_OK)
        status = ag_write_whole(store->places.grid, text.data, text.length);
    if (status == AG_OK)
        status = write_facts(store, facts);
    unlink(store->places.stop);
    if (status == AG_OK && store->state != AG_STATE_PACKED)
        store->state = AG_STATE_SPOOLED;
    ag_text_deinit(&text);
    return status;
}

static ag_status open_store(ag_store *store, const ag_grid *grid, const ag_job_facts *facts,
                            bool take_over)
{
    const char *job = facts->job != NULL ? facts->job : "";
    AG_TRY(ag_state_of(&store->state, &store->places));
    AG_TRY(ag_make_folders(store->places.folder));
    AG_TRY(ag_owner_take(&store->owner, &store->places, job, take_over));
    store->is_owner = true;
    AG_TRY(ag_state_of(&store->state, &store->places)); /* the last owner may have packed it */
    return open_owned(store, grid, facts);
}

ag_status ag_store_open(ag_store **out, const char *path, const ag_grid *grid,
                        const ag_job_facts *facts, bool take_over)
{
    ag_store *store = calloc(1, sizeof *store);
    if (store == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory for the results");
    ag_arena_init_growing(&store->arena);
    ag_status status = ag_places_of(&store->places, path);
    if (status == AG_OK)
        status = open_store(store, grid, facts, take_over);
    if (status == AG_OK)
        *out = store;
    else
        ag_store_close(store);
    return status;
}

void ag_store_close(ag_store *store)
{
    if (store == NULL)
        return;
    if (store->is_owner) {
        unlink(store->places.live);
        rmdir(store->places.checkpoints); /* unless one is left */
        ag_owner_leave(&store->owner, &store->places);
    }
    ag_arena_deinit(&store->arena);
    free(store);
}

ag_status ag_store_beat(ag_store *store)
{
    AG_TRY(ag_owner_check(&store->owner, &store->places));
    if (utimensat(AT_FDCWD, store->places.owner, NULL, 0) != 0)
        return ag_fail_errno("cannot touch %s", store->places.owner);
    return AG_OK;
}

bool ag_store_has(const ag_store *store, const char *id)
{
    char path[AG_PATH_SIZE];
    if (store->state == AG_STATE_PACKED)
        return ag_ids_have(&store->packed, id);
    return ag_run_path(path, store->places.runs, id) == AG_OK && ag_is_file(path);
}

static ag_status check_spooled(const ag_store *store)
{
    if (store->state != AG_STATE_SPOOLED)
        return ag_fail(AG_ERR_BUG, "%s is packed and complete: no run can be added",
                       store->places.results);
    return AG_OK;
}

ag_status ag_store_put(ag_store *store, const char *id, const void *bytes, size_t size)
{
    char path[AG_PATH_SIZE];
    AG_TRY(check_spooled(store));
    AG_TRY(ag_owner_check(&store->owner, &store->places));
    AG_TRY(ag_run_path(path, store->places.runs, id));
    AG_TRY(ag_write_whole(path, bytes, size));
    ag_failure_remove(id, store->places.failed);
    ag_store_forget_checkpoint(store, id);
    return AG_OK;
}

ag_status ag_store_fail(ag_store *store, const ag_failure *failure)
{
    AG_TRY(ag_owner_check(&store->owner, &store->places));
    return ag_failure_write(failure, store->places.failed);
}

ag_status ag_store_forget(ag_store *store, const char *id)
{
    char path[AG_PATH_SIZE];
    if (store->state == AG_STATE_PACKED) {
        AG_TRY(ag_unpack(&store->places));
        store->state = AG_STATE_SPOOLED;
    }
    AG_TRY(ag_run_path(path, store->places.runs, id));
    if (unlink(path) != 0 && errno != ENOENT)
        return ag_fail_errno("cannot remove %s", path);
    return ag_sync_folder(store->places.runs);
}

/* One write of a whole line in append mode, so that a kill leaves at most the last line cut. */
ag_status ag_store_event(ag_store *store, const char *event, const char *members)
{
    char now[32];
    ag_text line;
    ag_status status = AG_OK;
    int fd = open(store->places.events, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (fd < 0)
        return ag_fail_errno("cannot open %s", store->places.events);
    ag_text_init(&line);
    write_time(now);
    ag_text_printf(&line, "{\"time\": \"%s\", \"event\": ", now);
    ag_json_string(&line, event);
    ag_text_printf(&line, "%s%s}\n", members[0] != '\0' ? ", " : "", members);
    if (line.failed)
        status = ag_fail(AG_ERR_SYSTEM, "out of memory for an event");
    else if (write(fd, line.data, line.length) != (ssize_t)line.length)
        status = ag_fail_errno("cannot append to %s", store->places.events);
    ag_text_deinit(&line);
    close(fd);
    return status;
}

ag_status ag_store_plan(ag_store *store, const ag_grid *grid, const char *const *names,
                        const bool *mine)
{
    return ag_plan_write(&store->places, grid, names, mine);
}

ag_status ag_store_live(ag_store *store, const ag_live *live)
{
    return ag_live_write(live, &store->places, store->owner.token);
}

/* One that an earlier owner left unanswered is not meant for this one. */
bool ag_store_stop_asked(const ag_store *store)
{
    char token[sizeof store->owner.token] = "";
    FILE *file = fopen(store->places.stop, "re");
    if (file == NULL)
        return false;
    bool asked = fgets(token, sizeof token, file) != NULL;
    (void)fclose(file);
    return asked && strcmp(token, store->owner.token) == 0;
}

const char *ag_store_log_path(ag_store *store, const char *id)
{
    snprintf(store->path, sizeof store->path, "%.*s/%.*s.log", AG_PATH_SIZE - 32,
             store->places.logs, AG_ID_LENGTH, id);
    return store->path;
}

const char *ag_store_checkpoint_path(ag_store *store, const char *id)
{
    snprintf(store->path, sizeof store->path, "%.*s/%.*s", AG_PATH_SIZE - 32,
             store->places.checkpoints, AG_ID_LENGTH, id);
    return store->path;
}

/* A trainer that was killed while it wrote one has left a part beside it. */
void ag_store_forget_checkpoint(ag_store *store, const char *id)
{
    char part[AG_PATH_SIZE + sizeof AG_TEMPORARY];
    const char *path = ag_store_checkpoint_path(store, id);
    snprintf(part, sizeof part, "%s" AG_TEMPORARY, path);
    unlink(path);
    unlink(part);
}
