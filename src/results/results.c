/* Reads what summary, plan and status need: the grid and one row per run, from wherever it lies.
 * The truth is in the run files, or in the one packed file; the index of a published file is only a
 * faster copy of what they say, and counts where it can be checked against them.
 *
 * Four sources are brought into one order: the index, run files that came after it, notes of
 * failures, and the grid, which says what is pending and what is an orphan. */
#include "results/results.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/files.h"
#include "fields.h"
#include "gather.h"
#include "h5.h"
#include "record/record.h"
#include "results/check.h"
#include "results/merge.h"
#include "run/grid.h"
#include "run/run.h"
#include "spool/former.h"
#include "spool/ids.h"
#include "spool/notes.h"
#include "spool/places.h"
#include "spool/seal.h"
#include "state.h"

/* Rows that were found, before they are brought into the grid's order. */
typedef struct reader {
    ag_results *results;
    ag_places places;
    ag_state state;
    ag_ids files; /* the runs that are complete */
    size_t n_found;
    ag_result_row *found; /* sorted by id */
    const char *labels;   /* of orphans, as labels.json has them; NULL: none are known */
} reader;

static ag_status no_memory(const reader *r)
{
    return ag_fail(AG_ERR_SYSTEM, "out of memory for the runs of %s", r->places.results);
}

static int by_id(const void *a, const void *b)
{
    return strcmp(((const ag_result_row *)a)->id, ((const ag_result_row *)b)->id);
}

/* The columns that commands use, in a struct that needs no HDF5 to be read. Its texts are the
 * caller's. */
static ag_result_row row_of(const ag_run_summary *summary, const ag_timing *timing)
{
    ag_result_row row = {.status = ag_run_status_of(summary->status),
                         .reason = "",
                         .name = "",
                         .orphan = summary->orphan != 0,
                         .steps = summary->steps,
                         .loss = summary->loss,
                         .val_loss = summary->val_loss,
                         .val_loss_hp = summary->val_loss_hp,
                         .final_val_loss = summary->final_val_loss,
                         .final_val_loss_hp = summary->final_val_loss_hp,
                         .entropy_rate = summary->entropy_rate,
                         .recorded = "",
                         .train_s = timing->train_s};
    memcpy(row.id, summary->id, sizeof row.id);
    memcpy(row.digest, summary->weights_digest, sizeof row.digest);
    return row;
}

static ag_status add_found(reader *r, const ag_run_summary *summary, const ag_timing *timing)
{
    ag_result_row row = row_of(summary, timing);
    row.reason = ag_arena_strdup(&r->results->arena, summary->reason);
    row.recorded = ag_arena_strdup(&r->results->arena, summary->recorded);
    if (row.reason == NULL || row.recorded == NULL)
        return no_memory(r);
    r->found[r->n_found++] = row;
    return AG_OK;
}

/* Room for the rows of the index, for runs that it lacks, and for failed runs. The sum of the three
 * is more than there can be, so that nothing needs to grow. */
static ag_status make_room(reader *r, size_t indexed)
{
    size_t most = indexed + r->files.count + r->results->grid.n_runs;
    r->found = ag_arena_alloc(&r->results->arena, (most + 1) * sizeof *r->found);
    return r->found != NULL ? AG_OK : no_memory(r);
}

/* Without `has_final` the index is of version 1, and each completed run is read from where it lies.
 * While spooled, the run files and the notes of failures say what is there; the index is read only
 * because it is faster than many files. A published index is of a moment, and may be as old as the
 * last publishing. */
static bool still_counts(const reader *r, const ag_run_summary *summary, bool has_final)
{
    ag_run_status status = ag_run_status_of(summary->status);
    bool failed = status == AG_RUN_FAILED;
    if (status == AG_RUN_PENDING || (!has_final && !failed))
        return false;
    return r->state == AG_STATE_PACKED || (!failed && ag_ids_have(&r->files, summary->id));
}

/* /index and /timing have the same rows in the same order. One read of two tables instead of one
 * open per run. */
static ag_status read_index(reader *r)
{
    ag_arena *arena = &r->results->arena;
    ag_table index = {ag_n_summary_columns, ag_summary_columns, sizeof(ag_run_summary), 0, NULL};
    ag_table timing = {ag_n_timing_columns, ag_timing_columns, sizeof(ag_timing), 0, NULL};
    ag_h5 h5;
    ag_h5_open(&h5, r->places.results, AG_RESULTS_FORMAT, NULL);
    bool has_final = ag_h5_has_column(&h5, h5.id, "index", "final_val_loss");
    ag_h5_read_table(&h5, h5.id, "index", &index, arena);
    ag_h5_read_table(&h5, h5.id, "timing", &timing, arena);
    AG_TRY(ag_h5_close(&h5));
    if (index.n_rows != timing.n_rows)
        return ag_fail(AG_ERR_FILE, "%s: damaged: /index and /timing differ in length",
                       r->places.results);
    AG_TRY(make_room(r, index.n_rows));
    for (size_t i = 0; i < index.n_rows; i++) {
        const ag_run_summary *summary = (const ag_run_summary *)index.rows + i;
        if (still_counts(r, summary, has_final))
            AG_TRY(add_found(r, summary, (const ag_timing *)timing.rows + i));
    }
    if (r->n_found > 0)
        qsort(r->found, r->n_found, sizeof *r->found, by_id);
    return AG_OK;
}

/* Among the rows that are sorted: those that were added after are not looked for. */
static const ag_result_row *find(const ag_result_row *rows, size_t count, const char *id)
{
    ag_result_row key = {0};
    snprintf(key.id, sizeof key.id, "%s", id);
    return count > 0 ? bsearch(&key, rows, count, sizeof key, by_id) : NULL;
}

/* Run files that came after the index was written. There are few, since publishing follows within
 * seconds to minutes. */
static ag_status add_newer_files(reader *r)
{
    size_t indexed = r->n_found;
    for (size_t i = 0; i < r->files.count; i++) {
        ag_entry entry = {0};
        if (find(r->found, indexed, r->files.id[i]) != NULL)
            continue;
        AG_TRY(ag_entry_read(&entry, r->files.id[i], &r->places, &r->results->arena));
        AG_TRY(add_found(r, &entry.summary, &entry.timing));
    }
    return AG_OK;
}

static ag_result_row row_without_result(const ag_run *run, ag_run_status status, const char *reason)
{
    ag_entry entry = {0};
    ag_entry_without_result(&entry, run, status, reason);
    ag_result_row row = row_of(&entry.summary, &entry.timing);
    row.reason = reason;
    return row;
}

/* Notes alone say that a run failed; one that was completed since has a file, and counts as
 * complete. */
static ag_status add_failures(reader *r)
{
    const ag_grid *grid = &r->results->grid;
    ag_ids notes;
    AG_TRY(ag_list_ids(&notes, r->places.failed, ".json", &r->results->arena));
    for (size_t i = 0; i < grid->n_runs; i++) {
        ag_failure failure;
        if (!ag_ids_have(&notes, grid->runs[i].id) || ag_ids_have(&r->files, grid->runs[i].id) ||
            !ag_failure_read(&failure, grid->runs[i].id, r->places.failed, &r->results->arena))
            continue;
        r->found[r->n_found++] = row_without_result(&grid->runs[i], AG_RUN_FAILED, failure.reason);
    }
    return AG_OK;
}

static ag_status read_labels(reader *r)
{
    if (!ag_is_file(r->places.labels))
        return AG_OK;
    return ag_former_text(&r->labels, &r->places, &r->results->arena);
}

/* From what was certain to what is newer. */
static ag_status read_spooled(reader *r)
{
    ag_arena *arena = &r->results->arena;
    AG_TRY(ag_notes_read_grid(&r->results->grid, NULL, r->places.grid, arena));
    AG_TRY(ag_list_ids(&r->files, r->places.runs, ".h5", arena));
    bool indexed = ag_is_file(r->places.results) && ag_seal_check(r->places.results) == AG_OK;
    ag_error_clear(); /* a damaged index is only a copy, which the next publishing replaces */
    AG_TRY(indexed ? read_index(r) : make_room(r, 0));
    AG_TRY(add_newer_files(r));
    AG_TRY(read_labels(r));
    return add_failures(r);
}

/* The index of a packed file has the runs of the grid; orphans are read from where they lie. */
static ag_status add_others(reader *r)
{
    size_t indexed = r->n_found;
    ag_h5 h5;
    ag_status status = AG_OK;
    ag_h5_open(&h5, r->places.results, AG_RESULTS_FORMAT, NULL);
    for (size_t i = 0; i < r->files.count && h5.status == AG_OK && status == AG_OK; i++) {
        ag_entry entry = {0};
        if (find(r->found, indexed, r->files.id[i]) != NULL)
            continue;
        ag_entry_read_from(&entry, r->files.id[i], &h5, &r->results->arena);
        if (h5.status == AG_OK)
            status = add_found(r, &entry.summary, &entry.timing);
    }
    r->labels = ag_packed_labels(&h5, &r->results->arena);
    ag_status closed = ag_h5_close(&h5);
    return status != AG_OK ? status : closed;
}

static ag_status read_packed(reader *r)
{
    ag_arena *arena = &r->results->arena;
    AG_TRY(ag_packed_ids(&r->files, NULL, &r->places, arena));
    AG_TRY(ag_packed_grid(&r->results->grid, &r->places, arena));
    AG_TRY(read_index(r));
    return add_others(r);
}

/* Orphans keep the name under which the user knew them. */
static ag_status name_orphans(reader *r, ag_result_row *rows, size_t count)
{
    ag_arena *arena = &r->results->arena;
    ag_grid *former = &r->results->former;
    const char **ids = ag_arena_alloc(arena, (count + 1) * sizeof *ids);
    if (ids == NULL)
        return no_memory(r);
    for (size_t i = 0; i < count; i++)
        ids[i] = rows[i].id;
    r->results->labels = r->labels;
    AG_TRY(ag_former_read(former, &r->results->grid, r->labels, ids, count, arena));
    for (size_t i = 0; i < count; i++) {
        rows[i].name = ag_former_name(&former->labels[i], former->n_axes, arena);
        if (rows[i].name == NULL)
            return no_memory(r);
    }
    return AG_OK;
}

/* The grid's runs in its order, each found or pending; then the found that it does not name. So
 * callers need no search: row i is run i. */
static ag_status arrange(reader *r)
{
    const ag_grid *grid = &r->results->grid;
    ag_ids orphans;
    if (r->n_found > 0)
        qsort(r->found, r->n_found, sizeof *r->found, by_id);
    ag_result_row *rows =
        ag_arena_alloc(&r->results->arena, (grid->n_runs + r->files.count) * sizeof *rows);
    if (rows == NULL)
        return no_memory(r);
    size_t count = 0;
    for (size_t i = 0; i < grid->n_runs; i++) {
        const ag_run *run = &grid->runs[i];
        const ag_result_row *row = find(r->found, r->n_found, run->id);
        rows[count] = row != NULL ? *row : row_without_result(run, AG_RUN_PENDING, "");
        rows[count++].orphan = false;
    }
    AG_TRY(ag_ids_orphans(&orphans, &r->files, grid, &r->results->arena));
    for (size_t i = 0; i < orphans.count; i++) {
        const ag_result_row *row = find(r->found, r->n_found, orphans.id[i]);
        if (row == NULL) /* in a damaged file, one that is not good */
            continue;
        rows[count] = *row;
        rows[count++].orphan = true;
    }
    r->results->rows = rows;
    r->results->n_rows = count;
    return r->labels != NULL ? name_orphans(r, rows + grid->n_runs, count - grid->n_runs) : AG_OK;
}

/* --- out of a damaged packed file */

/* By the findings of a check that has just been made of the same file. */
static bool is_named(const ag_check *check, const char *id)
{
    for (size_t i = 0; i < check->n_findings; i++) {
        if (strcmp(check->findings[i].run, id) == 0)
            return true;
    }
    return false;
}

/* The index may lie, but what a good run says of itself has been verified. */
static ag_status read_good_runs(reader *r, const ag_check *check)
{
    ag_h5 h5;
    ag_status status = AG_OK;
    ag_h5_open(&h5, r->places.results, AG_RESULTS_FORMAT, NULL);
    for (size_t i = 0; i < r->files.count && h5.status == AG_OK && status == AG_OK; i++) {
        ag_entry entry = {0};
        if (is_named(check, r->files.id[i]))
            continue;
        ag_entry_read_from(&entry, r->files.id[i], &h5, &r->results->arena);
        if (h5.status == AG_OK)
            status = add_found(r, &entry.summary, &entry.timing);
    }
    ag_status closed = ag_h5_close(&h5);
    return status != AG_OK ? status : closed;
}

/* The grid of the file, or the one that lies beside it. One of them must be good: without a grid
 * nobody knows what the runs were. */
static ag_status read_any_grid(reader *r)
{
    ag_arena *arena = &r->results->arena;
    if (ag_packed_grid(&r->results->grid, &r->places, arena) == AG_OK)
        return AG_OK;
    ag_error_clear();
    return ag_notes_read_grid(&r->results->grid, NULL, r->places.grid, arena);
}

/* Without the index: no checksum but the seal covers it, and the seal is what was broken. */
static ag_status salvage(reader *r, const char *path, const ag_check *check)
{
    AG_TRY(ag_places_of(&r->places, path));
    r->state = AG_STATE_PACKED;
    r->results->packed = true;
    AG_TRY(read_any_grid(r));
    AG_TRY(ag_packed_ids(&r->files, NULL, &r->places, &r->results->arena));
    AG_TRY(make_room(r, 0));
    AG_TRY(read_good_runs(r, check));
    return arrange(r);
}

/* What it returns is read like any other results: commands need not know that the file was damaged.
 */
ag_status ag_results_salvage(ag_results *results, const char *path, const ag_check *check)
{
    *results = (ag_results){0};
    ag_arena_init_growing(&results->arena);
    reader r = {.results = results};
    ag_status status = salvage(&r, path, check);
    if (status != AG_OK)
        ag_results_close(results);
    return status;
}

/* --- the results at a path */

/* The state is asked once: it says which of the two is the truth, the run files or the one packed
 * file. */
static ag_status read_all(reader *r, const char *path)
{
    AG_TRY(ag_places_of(&r->places, path));
    AG_TRY(ag_state_of(&r->state, &r->places));
    if (r->state == AG_STATE_NONE)
        return ag_fail(AG_ERR_INPUT, "%s: there is no such results file", path);
    r->results->packed = r->state == AG_STATE_PACKED;
    AG_TRY(r->results->packed ? read_packed(r) : read_spooled(r));
    return arrange(r);
}

ag_status ag_results_open(ag_results *results, const char *path)
{
    *results = (ag_results){0};
    ag_arena_init_growing(&results->arena);
    reader r = {.results = results};
    ag_status status = read_all(&r, path);
    if (status != AG_OK)
        ag_results_close(results);
    return status;
}

void ag_results_close(ag_results *results)
{
    ag_arena_deinit(&results->arena);
    *results = (ag_results){0};
}

const ag_result_row *ag_results_row(const ag_results *results, const char *id)
{
    for (size_t i = 0; i < results->n_rows; i++) {
        if (strcmp(results->rows[i].id, id) == 0)
            return &results->rows[i];
    }
    return NULL;
}

ag_status ag_results_completed(ag_ids *ids, const char *path, ag_arena *arena)
{
    ag_places places;
    ag_state state = AG_STATE_NONE;
    *ids = (ag_ids){0};
    AG_TRY(ag_places_of(&places, path));
    AG_TRY(ag_state_of(&state, &places));
    if (state == AG_STATE_SPOOLED)
        AG_TRY(ag_list_ids(ids, places.runs, ".h5", arena));
    if (state == AG_STATE_PACKED)
        AG_TRY(ag_packed_ids(ids, NULL, &places, arena));
    return AG_OK;
}

/* Of the folder's own grid where there is one: it is what the owner wrote last. */
ag_status ag_results_inventory(ag_inventory *held, const char *path, ag_arena *arena)
{
    ag_places places;
    ag_ids checkpoints;
    *held = (ag_inventory){0};
    AG_TRY(ag_places_of(&places, path));
    AG_TRY(ag_is_file(places.grid) ? ag_notes_read_grid(&held->grid, NULL, places.grid, arena)
                                   : ag_packed_grid(&held->grid, &places, arena));
    AG_TRY(ag_list_ids(&checkpoints, places.checkpoints, "", arena));
    held->n_checkpoints = checkpoints.count;
    return ag_results_completed(&held->complete, path, arena);
}
