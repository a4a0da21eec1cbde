/* Small JSON files beside the runs: facts about the job, why a run failed, the grid. JSON and not
 * HDF5, because rank 0 writes them, and because somebody who looks for the reason of a failure
 * should be able to read it in a pager. */
#include "spool/notes.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/files.h"
#include "base/text.h"
#include "run/grid.h"
#include "run/run.h"

/* Takes the object over. */
static ag_status write_json(json_t *object, const char *path)
{
    char *text = object != NULL ? json_dumps(object, JSON_INDENT(1)) : NULL;
    json_decref(object);
    if (text == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory, or text that is not UTF-8, for %s", path);
    ag_status status = ag_write_whole(path, text, strlen(text));
    free(text);
    return status;
}

/* A text as JSON can hold it. */
static json_t *text_of(const char *text)
{
    json_t *value = json_string(text != NULL ? text : "");
    return value != NULL ? value : json_string("(not UTF-8)");
}

/* Every member is always there, so that reading can insist on it and a missing one is found as
 * damage. */
ag_status ag_notes_write_facts(const ag_facts *facts, const char *path)
{
    const ag_job_facts *job = &facts->job;
    json_t *object = json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o, s:i}", "created", text_of(facts->created), "build",
        text_of(job->build), "libraries", text_of(job->libraries), "hosts", text_of(job->hosts),
        "job", text_of(job->job), "vocabulary", text_of(job->vocabulary), "ranks", job->ranks);
    return write_json(object, path);
}

/* The cure is always the same: the facts are of the job that writes, and the next one has its own.
 */
static ag_status lack_facts(const char *path, const char *why)
{
    return ag_fail(AG_ERR_FILE,
                   "%s: missing or damaged (%s); 'altgrad run' on the experiment writes it anew",
                   path, why);
}

static ag_status unpack_facts(ag_facts *facts, json_t *object, const char *path, ag_arena *arena)
{
    ag_job_facts *job = &facts->job;
    const char **texts[] = {&facts->created, &job->build, &job->libraries,
                            &job->hosts,     &job->job,   &job->vocabulary};
    json_error_t error;
    int failed =
        json_unpack_ex(object, &error, 0, "{s:s, s:s, s:s, s:s, s:s, s:s, s:i}", "created",
                       texts[0], "build", texts[1], "libraries", texts[2], "hosts", texts[3], "job",
                       texts[4], "vocabulary", texts[5], "ranks", &job->ranks);
    if (failed != 0)
        return lack_facts(path, error.text);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        *texts[i] = ag_arena_strdup(arena, *texts[i]);
        if (*texts[i] == NULL)
            return ag_fail(AG_ERR_SYSTEM, "out of memory for %s", path);
    }
    return AG_OK;
}

/* A file that is there and cannot be read is no missing one: the next `run` would overwrite it. */
ag_status ag_notes_read_facts(ag_facts *facts, const char *path, ag_arena *arena)
{
    json_error_t error;
    *facts = (ag_facts){0};
    if (access(path, R_OK) != 0 && errno != ENOENT)
        return ag_fail_errno("cannot read %s", path);
    json_t *object = json_load_file(path, 0, &error);
    if (object == NULL)
        return lack_facts(path, error.text);
    ag_status status = unpack_facts(facts, object, path, arena);
    json_decref(object);
    return status;
}

/* The id is cut to its length, as it may come from a message of another rank. */
static ag_status failure_path(char path[AG_PATH_SIZE], const char *id, const char *folder)
{
    char name[AG_ID_LENGTH + 8];
    snprintf(name, sizeof name, "%.*s.json", AG_ID_LENGTH, id);
    return ag_path_join(path, folder, name);
}

ag_status ag_failure_write(const ag_failure *failure, const char *folder)
{
    char path[AG_PATH_SIZE];
    AG_TRY(failure_path(path, failure->id, folder));
    return write_json(
        json_pack("{s:o, s:i}", "reason", text_of(failure->reason), "attempts", failure->attempts),
        path);
}

/* A run that was completed after all has not failed, whatever was noted before. */
void ag_failure_remove(const char *id, const char *folder)
{
    char path[AG_PATH_SIZE];
    if (failure_path(path, id, folder) == AG_OK)
        unlink(path);
}

/* A damaged note still says that the run failed: its file is there. Only the reason is lost. */
bool ag_failure_read(ag_failure *failure, const char *id, const char *folder, ag_arena *arena)
{
    char path[AG_PATH_SIZE];
    const char *reason = "";
    *failure = (ag_failure){.id = id, .reason = "(the note about it is damaged)"};
    if (failure_path(path, id, folder) != AG_OK || !ag_is_file(path))
        return false;
    json_t *object = json_load_file(path, 0, NULL);
    if (json_unpack(object, "{s:s, s:i}", "reason", &reason, "attempts", &failure->attempts) == 0)
        failure->reason = ag_arena_strdup(arena, reason);
    json_decref(object);
    return failure->reason != NULL;
}

/* --- the grid */

/* Two kinds of trouble with one cure. What is no JSON was cut off or overwritten; what is JSON and
 * is refused may be of a later version, and then the reason is the message. */
static ag_status parse_grid(ag_grid *grid, const ag_text *text, const char *path, ag_arena *arena)
{
    char reason[AG_MESSAGE_SIZE];
    if (ag_grid_from_json(grid, text->data, text->length, arena) == AG_OK)
        return AG_OK;
    json_t *object = json_loadb(text->data, text->length, 0, NULL);
    bool is_json = object != NULL;
    json_decref(object);
    ag_error_take(reason, sizeof reason);
    return ag_fail(AG_ERR_FILE, "%s: %.1000s; 'altgrad run' on the experiment writes it anew", path,
                   is_json ? reason : "damaged");
}

ag_status ag_notes_read_grid(ag_grid *grid, const char **text, const char *path, ag_arena *arena)
{
    ag_text whole;
    ag_text_init(&whole);
    ag_status status = ag_read_whole(&whole, path);
    if (status == AG_OK)
        status = parse_grid(grid, &whole, path, arena);
    if (status == AG_OK && text != NULL) {
        *text = ag_arena_strdup(arena, whole.data);
        if (*text == NULL)
            status = ag_fail(AG_ERR_SYSTEM, "out of memory for %s", path);
    }
    ag_text_deinit(&whole);
    return status;
}
