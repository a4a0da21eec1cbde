/* The results while an experiment runs: plain files, written by rank 0 alone. No HDF5 is written
 * here, so that a full disk is an error and nothing worse. What needs HDF5 is somebody else's, the
 * worker's, which is given from outside: so this module does not link it.
 *
 * Every write is checked against the owner first. What is there under its final name is complete;
 * there is no state besides the files, and a process that is killed here leaves nothing to repair.
 */
#include "spool/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/files.h"
#include "base/text.h"
#include "record/checkpoint.h"
#include "run/grid.h"
#include "run/run.h"
#include "spool/events.h"
#include "spool/former.h"
#include "spool/ids.h"
#include "spool/live.h"
#include "spool/notes.h"
#include "spool/owner.h"
#include "spool/places.h"

struct ag_store {
    ag_places places;
    ag_owner owner;
    bool is_packed; /* nothing was put into it yet, so that the packed file is the truth */
    bool is_owner;
    ag_store_worker *worker;
    ag_ids packed; /* the runs of the grid, where the file is packed; they are in the arena */
    char path[AG_PATH_SIZE];
    ag_arena arena;
};

/* `created` stays that of the first job: the results began then, whoever goes on with them. */
static ag_status write_facts(const ag_store *store, const ag_job_facts *job)
{
    char now[32];
    ag_facts old;
    ag_arena arena;
    ag_arena_init_growing(&arena);
    ag_event_time(now);
    ag_facts facts = {.created = now, .job = *job};
    if (ag_is_file(store->places.facts) &&
        ag_notes_read_facts(&old, store->places.facts, &arena) == AG_OK)
        facts.created = old.created;
    ag_error_clear();
    ag_status status = ag_notes_write_facts(&facts, store->places.facts);
    ag_arena_deinit(&arena);
    return status;
}

/* There is no runs folder beside a packed file: its presence is what says "spooled". */
static ag_status make_folders(const ag_store *store)
{
    AG_TRY(ag_make_folders(store->places.failed));
    AG_TRY(ag_make_folders(store->places.logs));
    AG_TRY(ag_make_folders(store->places.checkpoints));
    AG_TRY(ag_make_folders(store->places.trunks));
    AG_TRY(ag_make_folders(store->places.curves));
    if (store->is_packed)
        return AG_OK;
    return ag_make_folders(store->places.runs);
}

/* What the grid named until now and names no more keeps its name. */
static ag_status note_labels(const ag_places *places, const ag_grid *grid, const char *text)
{
    ag_text before;
    if (!ag_is_file(places->grid))
        return AG_OK;
    ag_text_init(&before);
    ag_status status = ag_read_whole(&before, places->grid);
    if (status == AG_OK && strcmp(before.data, text) != 0)
        status = ag_former_note(places, before.data, grid, "{}");
    ag_text_deinit(&before);
    return status;
}

/* The names of what becomes an orphan are saved before the only file that knows them is replaced.
 */
static ag_status write_grid(const ag_store *store, const ag_grid *grid)
{
    ag_text text;
    ag_text_init(&text);
    ag_grid_to_json(&text, grid);
    ag_status status = text.failed ? ag_fail(AG_ERR_SYSTEM, "out of memory for the grid") : AG_OK;
    if (status == AG_OK)
        status = note_labels(&store->places, grid, text.data);
    if (status == AG_OK)
        status = ag_write_whole(store->places.grid, text.data, text.length);
    ag_text_deinit(&text);
    return status;
}

/* The grid is written first: what there is at the path is prepared for it. */
static ag_status open_owned(ag_store *store, const ag_grid *grid, const ag_job_facts *facts)
{
    const ag_places *places = &store->places;
    AG_TRY(write_grid(store, grid));
    AG_TRY(write_facts(store, facts));
    AG_TRY(store->worker(AG_STORE_PREPARE, places->results, store->owner.token));
    unlink(places->stop);
    store->is_packed = !ag_is_folder(places->runs) && ag_is_file(places->results);
    AG_TRY(make_folders(store));
    return store->is_packed ? ag_plan_ids(&store->packed, grid, places, &store->arena) : AG_OK;
}

/* Nothing of ours is left beside a file that was refused. */
static void remove_notes(const ag_store *store)
{
    if (!ag_owner_is(&store->owner, &store->places))
        return;
    unlink(store->places.grid);
    unlink(store->places.labels);
    unlink(store->places.facts);
}

/* What was there before we were the owner is not ours to remove; whether it was is only known for
 * certain once we are. */
static ag_status open_store(ag_store *store, const ag_grid *grid, const ag_job_facts *facts,
                            bool take_over)
{
    const char *job = facts->job != NULL ? facts->job : "";
    AG_TRY(ag_make_folders(store->places.folder));
    AG_TRY(ag_owner_take(&store->owner, &store->places, job, take_over));
    store->is_owner = true;
    bool is_new = access(store->places.grid, F_OK) != 0 && access(store->places.facts, F_OK) != 0;
    ag_status status = open_owned(store, grid, facts);
    if (status != AG_OK && is_new)
        remove_notes(store);
    return status;
}

/* After a failure the store is closed like any other, which gives the ownership back. */
ag_status ag_store_open(ag_store **out, const char *path, const ag_grid *grid,
                        const ag_job_facts *facts, const ag_store_options *options)
{
    ag_store *store = calloc(1, sizeof *store);
    if (store == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory for the results");
    store->worker = options->worker;
    ag_arena_init_growing(&store->arena);
    ag_status status = ag_places_of(&store->places, path);
    if (status == AG_OK)
        status = open_store(store, grid, facts, options->take_over);
    if (status == AG_OK) {
        *out = store;
        return AG_OK;
    }
    ag_store_close(store);
    return status;
}

ag_status ag_store_labels(ag_store *store, const char *labels)
{
    return ag_former_note(&store->places, "", &(ag_grid){0}, labels);
}

const char *ag_store_token(const ag_store *store)
{
    return store->owner.token;
}

/* Nothing is removed by one who was taken over. Folders go only while they are empty: what lies in
 * them is somebody's. */
void ag_store_close(ag_store *store)
{
    if (store == NULL)
        return;
    if (store->is_owner && ag_owner_is(&store->owner, &store->places)) {
        unlink(store->places.live);
        rmdir(store->places.checkpoints); /* unless one is left, as in the next */
        rmdir(store->places.trunks);
        rmdir(store->places.curves);
        ag_remove_folder(store->places.runs_old); /* of a packer killed when all was packed */
        ag_owner_leave(&store->owner, &store->places);
        rmdir(store->places.folder); /* unless anything is in it */
    }
    ag_arena_deinit(&store->arena);
    free(store);
}

ag_status ag_store_beat(ag_store *store)
{
    return ag_owner_beat(&store->owner, &store->places);
}

/* While spooled the file system is asked each time: it is the truth, and no list in memory can
 * disagree with it. */
bool ag_store_has(const ag_store *store, const char *id)
{
    char path[AG_PATH_SIZE];
    if (store->is_packed)
        return ag_ids_have(&store->packed, id);
    return ag_places_run(path, store->places.runs, id) == AG_OK && ag_is_file(path);
}

bool ag_store_is_packed(const ag_store *store)
{
    return !ag_is_folder(store->places.runs);
}

/* Where a run of a packed file is trained again, the others become run files first. */
static ag_status make_spooled(ag_store *store)
{
    if (!store->is_packed)
        return AG_OK;
    AG_TRY(store->worker(AG_STORE_UNPACK, store->places.results, store->owner.token));
    store->is_packed = false;
    return AG_OK;
}

/* Run files have room for more; a packed file is written back as run files first. */
ag_status ag_store_extend(ag_store *store, const ag_grid *grid)
{
    AG_TRY(ag_owner_check(&store->owner, &store->places));
    AG_TRY(write_grid(store, grid));
    AG_TRY(make_spooled(store));
    return make_folders(store);
}

/* The note of an earlier failure goes after the run file is there: killed in between, the run
 * counts as complete, as it is. */
ag_status ag_store_put(ag_store *store, const char *id, const void *bytes, size_t size)
{
    char path[AG_PATH_SIZE];
    AG_TRY(ag_owner_check(&store->owner, &store->places));
    AG_TRY(make_spooled(store));
    AG_TRY(ag_places_run(path, store->places.runs, id));
    AG_TRY(ag_owner_write(path, &(ag_piece){bytes, size}, &store->owner, &store->places));
    ag_failure_remove(id, store->places.failed);
    ag_store_forget_progress(store, id);
    return AG_OK;
}

ag_status ag_store_fail(ag_store *store, const ag_failure *failure)
{
    AG_TRY(ag_owner_check(&store->owner, &store->places));
    return ag_failure_write(failure, store->places.failed);
}

ag_status ag_store_event(ag_store *store, const char *event, const char *members)
{
    return ag_event_append(&store->places, event, members);
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

const char *ag_store_trunks(const ag_store *store)
{
    return store->places.trunks;
}

int64_t ag_store_checkpoint_step(ag_store *store, const char *id)
{
    return ag_checkpoint_step(ag_store_checkpoint_path(store, id), id);
}

static const char *curve_path(ag_store *store, const char *id)
{
    snprintf(store->path, sizeof store->path, "%.*s/%.*s.jsonl", AG_PATH_SIZE - 32,
             store->places.curves, AG_ID_LENGTH, id);
    return store->path;
}

/* A curve that is too long begins anew, since it is only for those who watch. */
ag_status ag_store_curve(ag_store *store, const char *id, const char *lines)
{
    enum { MOST_BYTES = 1 << 20 }; /* of attempts that began anew, again and again */
    const char *path = curve_path(store, id);
    struct stat facts;
    bool is_long = stat(path, &facts) == 0 && facts.st_size > MOST_BYTES;
    return ag_append_lines(path, lines, is_long) ? AG_OK : ag_fail_errno("cannot write %s", path);
}

void ag_store_forget_progress(ag_store *store, const char *id)
{
    unlink(curve_path(store, id));
    ag_checkpoint_remove(ag_store_checkpoint_path(store, id));
}
