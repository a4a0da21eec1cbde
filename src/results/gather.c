/* Collects what a results file is made of: the grid, the facts, and of each run file its summary.
 * Here also stands how a run file of version 1 is read as if this version had written it, so that
 * nothing else needs to know. */
#include "gather.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/files.h"
#include "fields.h"
#include "h5.h"
#include "record/record.h"
#include "run/grid.h"
#include "run/run.h"
#include "run/run_status.h"
#include "spool/former.h"
#include "spool/ids.h"
#include "spool/notes.h"
#include "spool/places.h"
#include "spool/seal.h"

/* Index of the first label of each run. From the end, so that the first label of each run is what
 * is left. */
static size_t *first_labels(const ag_grid *grid, ag_arena *arena)
{
    size_t *labels = ag_arena_alloc(arena, grid->n_runs * sizeof *labels);
    for (size_t i = grid->n_labels; labels != NULL && i-- > 0;)
        labels[grid->labels[i].run] = i;
    return labels;
}

/* Of a series, the last value but one; NaN where there is none. */
static double before_last(ag_h5 *h5, hid_t run, const char *path, ag_arena *arena)
{
    ag_array values = {.type = AG_CELL_F64};
    ag_h5_read(h5, run, path, &values, arena);
    if (h5->status != AG_OK || values.dims[0] < 2)
        return NAN;
    return ((const double *)values.data)[values.dims[0] - 2];
}

/* Run files of version 1 end their curve with the pass over the whole validation part. */
static void split_final(ag_run_summary *summary, ag_h5 *h5, hid_t run, ag_arena *arena)
{
    summary->final_val_loss = summary->val_loss;
    summary->final_val_loss_hp = summary->val_loss_hp;
    summary->val_loss = before_last(h5, run, "val/val_loss", arena);
    summary->val_loss_hp = before_last(h5, run, "val/val_loss_hp", arena);
}

/* Attributes that a file of version 1 does not have are left as they are, and filled by
 * split_final. */
static void get_summary(ag_run_summary *summary, ag_h5 *h5, hid_t run)
{
    for (size_t i = 0; i < ag_n_summary_columns; i++) {
        const ag_column *column = &ag_summary_columns[i];
        if (strncmp(column->name, "final_", 6) != 0 || ag_run_has_final(h5, run))
            ag_h5_get(h5, run, column, 1, summary);
    }
}

/* Here and not where the file is written: run files are never changed, and those of version 1 stay
 * as they are. */
void ag_run_summary_judge(ag_run_summary *summary)
{
    char reason[AG_REASON_SIZE];
    if (ag_run_status_of(summary->status) != AG_RUN_DONE ||
        ag_divergence(summary->final_val_loss, summary->loss, summary->steps, reason) == NULL)
        return;
    ag_copy_text(summary->status, sizeof summary->status, ag_run_status_words[AG_RUN_DIVERGED]);
    ag_copy_text(summary->reason, sizeof summary->reason, reason);
}

void ag_run_summary_read(ag_run_summary *summary, ag_h5 *h5, hid_t run, ag_arena *arena)
{
    get_summary(summary, h5, run);
    if (!ag_run_has_final(h5, run))
        split_final(summary, h5, run, arena);
    ag_run_summary_judge(summary);
}

bool ag_run_has_final(const ag_h5 *h5, hid_t run)
{
    return h5->status == AG_OK && H5Aexists(run, "final_val_loss") > 0;
}

/* A file of version 1 has one evaluation more than its curve: the last, which was of the whole
 * validation part. */
void ag_entry_read_from(ag_entry *entry, const char *id, ag_h5 *h5, ag_arena *arena)
{
    char name[32];
    ag_array steps = {.type = AG_CELL_I64};
    snprintf(name, sizeof name, "runs/%s", id);
    hid_t run = ag_h5_group(h5, h5->id, name);
    ag_run_summary_read(&entry->summary, h5, run, arena);
    hid_t timing = ag_h5_group(h5, run, "timing");
    ag_h5_get(h5, timing, ag_timing_columns, ag_n_timing_columns, &entry->timing);
    if (h5->status == AG_OK && H5Aexists(timing, ag_trunk_columns[0].name) > 0)
        ag_h5_get(h5, timing, ag_trunk_columns, ag_n_trunk_columns, &entry->timing);
    ag_h5_read(h5, run, "val/eval_step", &steps, arena);
    bool ends_with_final = steps.dims[0] > 0 && !ag_run_has_final(h5, run);
    entry->evals = (int64_t)steps.dims[0] - ends_with_final;
    entry->eval_step = steps.data;
    entry->has_file = true;
    ag_h5_release(timing);
    ag_h5_release(run);
}

ag_status ag_entry_read(ag_entry *entry, const char *id, const ag_places *places, ag_arena *arena)
{
    char path[AG_PATH_SIZE];
    ag_h5 h5;
    AG_TRY(ag_places_run(path, places->runs, id));
    ag_h5_open(&h5, path, AG_RUN_FORMAT, NULL);
    ag_entry_read_from(entry, id, &h5, arena);
    return ag_h5_close(&h5);
}

/* The seal is asked first, by plain file calls. */
bool ag_entry_read_whole(ag_entry *entry, const char *id, const ag_places *places, ag_arena *arena)
{
    char path[AG_PATH_SIZE];
    bool is_whole = ag_places_run(path, places->runs, id) == AG_OK &&
                    ag_seal_check(path) == AG_OK &&
                    ag_entry_read(entry, id, places, arena) == AG_OK;
    ag_error_clear();
    return is_whole;
}

void ag_entry_without_result(ag_entry *entry, const ag_run *run, ag_run_status status,
                             const char *reason)
{
    entry->summary = (ag_run_summary){.seed = run->seed,
                                      .loss = NAN,
                                      .val_loss = NAN,
                                      .val_loss_hp = NAN,
                                      .final_val_loss = NAN,
                                      .final_val_loss_hp = NAN,
                                      .entropy_rate = NAN};
    entry->timing =
        (ag_timing){.train_s = NAN, .eval_s = NAN, .total_s = NAN, .tokens_per_s = NAN, .rank = -1};
    snprintf(entry->summary.id, sizeof entry->summary.id, "%s", run->id);
    snprintf(entry->summary.status, sizeof entry->summary.status, "%s",
             ag_run_status_words[status]);
    ag_copy_text(entry->summary.reason, sizeof entry->summary.reason, reason);
}

/* The grid's runs, in its order, pending ones too. The grid's order and not that of the files: two
 * writings of the same results are the same file. */
static ag_status add_grid(ag_gathered *g, const ag_ids *files)
{
    const size_t *labels = first_labels(&g->grid, &g->arena);
    if (labels == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory for %zu runs", g->grid.n_runs);
    for (size_t i = 0; i < g->grid.n_runs; i++) {
        const ag_run *run = &g->grid.runs[i];
        ag_entry *entry = &g->entries[g->n_entries];
        ag_failure failure;
        if (ag_ids_have(files, run->id))
            AG_TRY(ag_entry_read(entry, run->id, &g->places, &g->arena));
        else if (ag_failure_read(&failure, run->id, g->places.failed, &g->arena))
            ag_entry_without_result(entry, run, AG_RUN_FAILED, failure.reason);
        else
            ag_entry_without_result(entry, run, AG_RUN_PENDING, "");
        entry->label = &g->grid.labels[labels[i]];
        g->n_entries++;
    }
    return AG_OK;
}

/* Kept, and marked. They come after the grid's runs, by id, so that their order does not depend on
 * when they were trained. */
static ag_status add_orphans(ag_gathered *g, const ag_ids *files)
{
    ag_ids orphans;
    AG_TRY(ag_ids_orphans(&orphans, files, &g->grid, &g->arena));
    for (size_t i = 0; i < orphans.count; i++) {
        ag_entry *entry = &g->entries[g->n_entries++];
        AG_TRY(ag_entry_read(entry, orphans.id[i], &g->places, &g->arena));
        entry->summary.orphan = 1;
    }
    return AG_OK;
}

/* Files of version 1 do not say what an orphan was called, but each run knows its seed. It is a
 * column by which people group. */
static void add_seed(ag_axis_value *values, const ag_grid *former, int64_t seed)
{
    for (size_t axis = 0; axis < former->n_axes; axis++) {
        bool is_unknown = values[axis].integer == INT64_MIN && values[axis].text[0] == '\0';
        if (is_unknown && strcmp(former->axes[axis].name, "seed") == 0)
            values[axis].integer = seed;
    }
}

/* After the grid's axes come those that only orphans have: /orphans has columns of its own. */
static ag_status label_orphans(ag_gathered *g)
{
    size_t first = g->grid.n_runs;
    size_t count = g->n_entries - first;
    const char **ids = ag_arena_alloc(&g->arena, (count + 1) * sizeof *ids);
    if (ids == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory for %zu runs", count);
    for (size_t i = 0; i < count; i++)
        ids[i] = g->entries[first + i].summary.id;
    AG_TRY(ag_former_text(&g->former_text, &g->places, &g->arena));
    AG_TRY(ag_former_read(&g->former, &g->grid, g->former_text, ids, count, &g->arena));
    for (size_t i = 0; i < count; i++) {
        ag_entry *entry = &g->entries[first + i];
        entry->label = &g->former.labels[i];
        add_seed((ag_axis_value *)entry->label->values, &g->former, entry->summary.seed);
    }
    return AG_OK;
}

static ag_status gather(ag_gathered *g)
{
    ag_ids files;
    AG_TRY(ag_notes_read_grid(&g->grid, &g->grid_text, g->places.grid, &g->arena));
    AG_TRY(ag_notes_read_facts(&g->facts, g->places.facts, &g->arena));
    AG_TRY(ag_list_ids(&files, g->places.runs, ".h5", &g->arena));
    size_t most = g->grid.n_runs + files.count;
    g->entries = ag_arena_alloc(&g->arena, most * sizeof *g->entries);
    if (g->entries == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory for %zu runs", most);
    AG_TRY(add_grid(g, &files));
    AG_TRY(add_orphans(g, &files));
    return label_orphans(g);
}

/* All that a results file is made of is collected before the first byte of it is written: what
 * fails, fails without leaving half a file. */
ag_status ag_gather(ag_gathered *gathered, const ag_places *places)
{
    *gathered = (ag_gathered){.places = *places};
    ag_arena_init_growing(&gathered->arena);
    return gather(gathered);
}

void ag_gathered_deinit(ag_gathered *gathered)
{
    ag_arena_deinit(&gathered->arena);
}
