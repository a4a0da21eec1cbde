/* The results as others see them while they are written. No lock is taken and nothing is waited
 * for. That works because everything is renamed into place: each file that is opened is whole, of
 * now or of a moment ago. */
#include "results/overview.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/files.h"
#include "base/text.h"
#include "fields.h"
#include "gather.h"
#include "h5.h"
#include "record/checkpoint.h"
#include "results/results.h"
#include "run/grid.h"
#include "run/run.h"
#include "spool/former.h"
#include "spool/ids.h"
#include "spool/live.h"
#include "spool/notes.h"
#include "spool/owner.h"
#include "spool/places.h"
#include "state.h"

static ag_status no_memory(const ag_overview *watch)
{
    return ag_fail(AG_ERR_SYSTEM, "out of memory for the runs of %s", watch->path);
}

/* --- the runs of the grid */

static ag_status make_runs(ag_overview *watch, size_t count)
{
    watch->runs = ag_arena_alloc(&watch->arena, (count + 1) * sizeof *watch->runs);
    watch->n_runs = watch->runs != NULL ? count : 0;
    return watch->runs != NULL ? AG_OK : no_memory(watch);
}

/* As the owner noted them; false where it noted none. One small file of lines, which holds all that
 * `status` needs of the grid. */
static ag_status take_plan(bool *found, ag_overview *watch, const ag_places *places)
{
    ag_planned plan;
    AG_TRY(ag_plan_read(found, &plan, places, &watch->arena));
    if (!*found)
        return AG_OK;
    watch->experiment = plan.experiment;
    AG_TRY(make_runs(watch, plan.n_runs));
    for (size_t i = 0; i < plan.n_runs; i++) {
        const ag_planned_run *run = &plan.runs[i];
        watch->runs[i] = (ag_overview_run){.elsewhere = run->elsewhere, .name = run->name};
        memcpy(watch->runs[i].id, run->id, sizeof watch->runs[i].id);
    }
    return AG_OK;
}

/* Where it noted none: slower, and without names. */
static ag_status plan_from_grid(ag_overview *watch, const ag_grid *grid)
{
    watch->experiment = grid->name;
    AG_TRY(make_runs(watch, grid->n_runs));
    for (size_t i = 0; i < grid->n_runs; i++) {
        watch->runs[i] = (ag_overview_run){.name = ""};
        memcpy(watch->runs[i].id, grid->runs[i].id, sizeof watch->runs[i].id);
    }
    return AG_OK;
}

/* --- runs that the grid no longer names */

/* By the plan, which names what the grid names: to read the grid of thousands of runs would make
 * `altgrad status` slow. */
static ag_status find_orphans(ag_ids *orphans, const ag_overview *watch, const ag_ids *complete,
                              ag_arena *arena)
{
    ag_ids named = {watch->n_runs, ag_arena_alloc(arena, (watch->n_runs + 1) * sizeof *named.id)};
    if (named.id == NULL)
        return no_memory(watch);
    for (size_t i = 0; i < watch->n_runs; i++)
        memcpy(named.id[i], watch->runs[i].id, sizeof *named.id);
    ag_ids_sort(&named);
    return ag_ids_without(orphans, complete, &named, arena);
}

static ag_status take_orphans(ag_overview *watch, const ag_ids *complete, const char *labels)
{
    ag_grid former;
    ag_ids found;
    ag_arena *arena = &watch->arena;
    AG_TRY(find_orphans(&found, watch, complete, arena));
    const char **ids = ag_arena_alloc(arena, (found.count + 1) * sizeof *ids);
    ag_overview_orphan *orphans = ag_arena_alloc(arena, (found.count + 1) * sizeof *orphans);
    if (ids == NULL || orphans == NULL)
        return no_memory(watch);
    for (size_t i = 0; i < found.count; i++)
        ids[i] = found.id[i];
    AG_TRY(ag_former_read(&former, &(ag_grid){0}, labels, ids, found.count, arena));
    watch->n_orphans = found.count;
    for (size_t i = 0; i < found.count; i++) {
        memcpy(orphans[i].id, ids[i], sizeof orphans[i].id);
        orphans[i].name = ag_former_name(&former.labels[i], former.n_axes, arena);
        if (orphans[i].name == NULL)
            return no_memory(watch);
    }
    watch->orphans = orphans;
    return AG_OK;
}

static ag_status take_spooled_orphans(ag_overview *watch, const ag_ids *complete,
                                      const ag_places *places)
{
    const char *labels = "{}";
    if (ag_former_text(&labels, places, &watch->arena) != AG_OK)
        ag_error_clear(); /* names are worth no failure */
    return take_orphans(watch, complete, labels != NULL ? labels : "{}");
}

/* --- packed: the index says all */

/* Of rows that begin with their id. */
static int by_id(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* Sorted by id, since the runs of the plan are looked up one by one. A file of version 1 tells what
 * its verdicts were, and they are judged anew. */
static void take_index(ag_overview *watch, ag_table *index, bool has_final)
{
    ag_run_summary *rows = index->rows;
    if (rows == NULL || watch->runs == NULL)
        return;
    qsort(index->rows, index->n_rows, sizeof *rows, by_id);
    for (size_t i = 0; i < watch->n_runs; i++) {
        ag_overview_run *run = &watch->runs[i];
        ag_run_summary *row = bsearch(run->id, rows, index->n_rows, sizeof *rows, by_id);
        run->status = AG_RUN_PENDING;
        if (row == NULL)
            continue;
        if (!has_final)
            row->final_val_loss = row->val_loss;
        ag_run_summary_judge(row);
        run->reason = row->reason;
        run->status = ag_run_status_of(row->status);
    }
}

/* The index says how each run ended; the list of groups says which runs are there besides. */
static ag_status read_packed(ag_overview *watch, const ag_places *places, bool planned)
{
    ag_h5 h5;
    ag_ids complete;
    ag_table index = {ag_n_summary_columns, ag_summary_columns, sizeof(ag_run_summary), 0, NULL};
    ag_h5_open(&h5, places->results, AG_RESULTS_FORMAT, NULL);
    bool has_final = ag_h5_has_column(&h5, h5.id, "index", "final_val_loss");
    ag_h5_read_table(&h5, h5.id, "index", &index, &watch->arena);
    const char *labels = ag_packed_labels(&h5, &watch->arena);
    AG_TRY(ag_h5_close(&h5));
    if (!planned) {
        ag_grid grid;
        AG_TRY(ag_packed_grid(&grid, places, &watch->arena));
        AG_TRY(plan_from_grid(watch, &grid));
    }
    take_index(watch, &index, has_final);
    AG_TRY(ag_packed_ids(&complete, NULL, places, &watch->arena));
    return take_orphans(watch, &complete, labels);
}

/* --- spooled: names of files say what is complete, events how it ended */

/* The runs of the events that tell this status, and after the run's id begin with `member`.
 * Searched as text: thousands of lines parsed as JSON would take longer than all else. Events are
 * written by one process and one function, so that their layout is known. */
static ag_status ids_of_events(ag_ids *ids, ag_overview *watch, ag_run_status status,
                               const char *member)
{
    char mark[64];
    size_t most = 1;
    snprintf(mark, sizeof mark, "\"event\": \"%s\", \"run\": \"", ag_run_status_words[status]);
    for (const char *at = watch->events.data; (at = strstr(at, mark)) != NULL; at++)
        most++;
    *ids = (ag_ids){.id = ag_arena_alloc(&watch->arena, most * sizeof *ids->id)};
    if (ids->id == NULL)
        return no_memory(watch);
    for (const char *at = watch->events.data; (at = strstr(at, mark)) != NULL; at++) {
        const char *id = at + strlen(mark);
        if (strnlen(id, AG_ID_LENGTH) < AG_ID_LENGTH ||
            strncmp(id + AG_ID_LENGTH, member, strlen(member)) != 0)
            continue;
        snprintf(ids->id[ids->count++], AG_ID_LENGTH + 1, "%.*s", AG_ID_LENGTH, id);
    }
    ag_ids_sort(ids);
    return AG_OK;
}

/* Events of the first version, which called a run done whatever its result, do not tell; nor do
 * those of a file that was copied without them. A run file that is damaged counts as done here, and
 * is found by `check` and by the next `run`. */
static ag_run_status look_into(ag_overview *watch, const char *id, const ag_places *places)
{
    ag_entry entry = {0};
    return ag_entry_read_whole(&entry, id, places, &watch->arena)
               ? ag_run_status_of(entry.summary.status)
               : AG_RUN_DONE;
}

/* A run file is complete by being there. Whether it diverged the events tell, so that no HDF5 is
 * opened while the experiment runs, once for each of thousands of files. */
static ag_status take_files(ag_overview *watch, const ag_places *places)
{
    ag_ids files;
    ag_ids failed;
    ag_ids diverged;
    ag_ids done;
    AG_TRY(ag_list_ids(&files, places->runs, ".h5", &watch->arena));
    AG_TRY(ag_list_ids(&failed, places->failed, ".json", &watch->arena));
    AG_TRY(ids_of_events(&diverged, watch, AG_RUN_DIVERGED, "\""));
    AG_TRY(ids_of_events(&done, watch, AG_RUN_DONE, "\", \"final_val_loss\": "));
    for (size_t i = 0; i < watch->n_runs; i++) {
        ag_overview_run *run = &watch->runs[i];
        if (!ag_ids_have(&files, run->id))
            run->status = ag_ids_have(&failed, run->id) ? AG_RUN_FAILED : AG_RUN_PENDING;
        else if (ag_ids_have(&diverged, run->id))
            run->status = AG_RUN_DIVERGED;
        else
            run->status =
                ag_ids_have(&done, run->id) ? AG_RUN_DONE : look_into(watch, run->id, places);
    }
    return take_spooled_orphans(watch, &files, places);
}

static ag_status read_spooled(ag_overview *watch, const ag_places *places, bool planned)
{
    if (!planned) {
        ag_grid grid;
        AG_TRY(ag_notes_read_grid(&grid, NULL, places->grid, &watch->arena));
        AG_TRY(plan_from_grid(watch, &grid));
    }
    return take_files(watch, places);
}

/* --- runs that have begun */

/* Only those from which a trainer could go on: what is damaged or of another version counts as
 * nothing. */
static ag_status find_begun(const ag_begun **begun, size_t *count, const ag_places *places,
                            ag_arena *arena)
{
    ag_ids ids = {0};
    char path[AG_PATH_SIZE];
    *count = 0;
    if (ag_is_folder(places->checkpoints))
        AG_TRY(ag_list_ids(&ids, places->checkpoints, "", arena));
    ag_begun *list = ag_arena_alloc(arena, (ids.count + 1) * sizeof *list);
    if (list == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory for the checkpoints of %s", places->results);
    for (size_t i = 0; i < ids.count; i++) {
        AG_TRY(ag_path_join(path, places->checkpoints, ids.id[i]));
        ag_begun *next = &list[*count];
        memcpy(next->id, ids.id[i], sizeof next->id);
        next->step = ag_checkpoint_step(path, next->id);
        *count += next->step > 0;
    }
    *begun = list;
    return AG_OK;
}

ag_status ag_begun_find(const ag_begun **begun, size_t *count, const char *path, ag_arena *arena)
{
    ag_places places;
    AG_TRY(ag_places_of(&places, path));
    return find_begun(begun, count, &places, arena);
}

/* How many steps the runs with a checkpoint have: the grid says it. The grid is read only where
 * there is such a run: it takes longer than all else. */
static ag_status take_steps(ag_overview *watch, const ag_places *places)
{
    ag_grid grid;
    if (!ag_is_file(places->grid))
        return AG_OK;
    AG_TRY(ag_notes_read_grid(&grid, NULL, places->grid, &watch->arena));
    for (size_t i = 0; i < grid.n_runs && i < watch->n_runs; i++) {
        if (strcmp(watch->runs[i].id, grid.runs[i].id) == 0)
            watch->runs[i].steps = grid.runs[i].train.steps;
    }
    return AG_OK;
}

/* A failed run may have a checkpoint too: `altgrad run` tries it again from there. */
static ag_status take_begun(ag_overview *watch, const ag_places *places)
{
    const ag_begun *begun = NULL;
    size_t count = 0;
    size_t found = 0;
    AG_TRY(find_begun(&begun, &count, places, &watch->arena));
    for (size_t i = 0; begun != NULL && i < watch->n_runs; i++) {
        ag_overview_run *run = &watch->runs[i];
        const ag_begun *newest = run->status == AG_RUN_PENDING || run->status == AG_RUN_FAILED
                                     ? bsearch(run->id, begun, count, sizeof *begun, by_id)
                                     : NULL;
        run->step = newest != NULL ? newest->step : 0;
        found += newest != NULL;
    }
    if (found > 0 && take_steps(watch, places) != AG_OK)
        ag_error_clear(); /* `check` tells */
    return AG_OK;
}

/* --- all of it */

/* May be called twice, when results are packed while they are read. */
static ag_status read_runs(ag_overview *watch, const ag_places *places)
{
    bool planned = false;
    ag_state state = AG_STATE_SPOOLED;
    watch->n_runs = 0;
    if (!ag_is_folder(places->runs))
        AG_TRY(ag_state_of(&state, places));
    if (state == AG_STATE_NONE)
        return ag_fail(AG_ERR_INPUT, "%s: there is no such results file", watch->path);
    watch->packed = state == AG_STATE_PACKED;
    AG_TRY(take_plan(&planned, watch, places));
    return watch->packed ? read_packed(watch, places, planned)
                         : read_spooled(watch, places, planned);
}

/* Without locks: nothing that is read here is ever half written, and the one change that moves
 * everything, packing, is noticed and the look repeated. */
static ag_status read_all(ag_overview *watch, const ag_places *places)
{
    if (ag_is_file(places->events)) /* first: a later event is of a file that was not seen either */
        AG_TRY(ag_read_whole(&watch->events, places->events));
    ag_owner_look(&watch->owner, places);
    if (watch->owner.life == AG_LIFE_HERE || watch->owner.life == AG_LIFE_ELSEWHERE)
        watch->live = ag_live_read(places, watch->owner.token, &watch->arena);
    AG_TRY(read_runs(watch, places));
    bool changed = !watch->packed && !ag_is_folder(places->runs); /* packed while we looked */
    if (changed)
        AG_TRY(read_runs(watch, places));
    return take_begun(watch, places);
}

/* The paths are 80 KiB, too much for some stacks. */
ag_status ag_overview_open(ag_overview *watch, const char *path)
{
    ag_places *places = malloc(sizeof *places);
    if (places == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    *watch = (ag_overview){.path = path, .experiment = ""};
    ag_arena_init_growing(&watch->arena);
    ag_text_init(&watch->events);
    ag_status status = ag_places_of(places, path);
    if (status == AG_OK)
        status = read_all(watch, places);
    if (status != AG_OK)
        ag_overview_close(watch);
    free(places);
    return status;
}

void ag_overview_close(ag_overview *watch)
{
    ag_text_deinit(&watch->events);
    ag_arena_deinit(&watch->arena);
}

const char *ag_overview_reason(ag_overview *watch, const ag_overview_run *run)
{
    ag_places places;
    ag_failure failure;
    if (run->reason != NULL)
        return run->reason;
    if (ag_places_of(&places, watch->path) != AG_OK ||
        !ag_failure_read(&failure, run->id, places.failed, &watch->arena))
        return "";
    return failure.reason;
}

/* Only failures keep their logs. */
bool ag_overview_log(char *path, size_t size, const ag_overview *watch, const char *id)
{
    ag_places places;
    if (ag_places_of(&places, watch->path) != AG_OK)
        return false;
    snprintf(path, size, "%s/%s.log", places.logs, id);
    return access(path, R_OK) == 0;
}
