/* Gathers the runs of a results file into cells and compares each with its baseline. A cell is
 * everything that differs in the seed alone; the comparison is paired by all other axes, so that
 * what seeds do to both sides cancels.
 *
 * What is counted is results, not labels: labels that stand for one run, and seeds that came to the
 * same bits, are one measurement, however often they are named. */
#include "summary.h"
#include "base/printable.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Intervals of 95 %, as the analysis draws them. */
static const double s_level = 0.95;

const char *const ag_verdict_words[AG_VERDICTS] = {"baseline", "",     "same",    "worse",
                                                   "better",   "open", "diverged"};

/* A metric is a member of ag_result_row by its own name: a new one is a row here and a word of
 * compare.metric. */
typedef struct metric_row {
    const char *name;
    size_t offset;
} metric_row;

static const metric_row s_metrics[] = {
    {"final_val_loss",    offsetof(ag_result_row, final_val_loss)   },
    {"final_val_loss_hp", offsetof(ag_result_row, final_val_loss_hp)},
    {"val_loss",          offsetof(ag_result_row, val_loss)         },
    {"val_loss_hp",       offsetof(ag_result_row, val_loss_hp)      },
    {"loss",              offsetof(ag_result_row, loss)             },
};

enum { N_METRICS = sizeof s_metrics / sizeof s_metrics[0] };

static const metric_row *find_metric(const char *name)
{
    for (size_t i = 0; i < N_METRICS; i++) {
        if (strcmp(s_metrics[i].name, name) == 0)
            return &s_metrics[i];
    }
    return NULL;
}

/* n_axes where there is none. */
static size_t find_axis(const ag_grid *grid, const char *name)
{
    size_t axis = 0;
    while (axis < grid->n_axes && strcmp(grid->axes[axis].name, name) != 0)
        axis++;
    return axis;
}

/* Values of one axis mostly share their text, so the pointers are compared first. */
static bool same_value(const ag_axis_value *a, const ag_axis_value *b)
{
    return a->text == b->text || strcmp(a->text, b->text) == 0;
}

/* Whether two labels agree on every axis but the seed. */
static bool same_cell(const ag_summary *summary, const ag_label *a, const ag_label *b)
{
    for (size_t i = 0; i < summary->results->grid.n_axes; i++) {
        if (i != summary->seed_axis && !same_value(&a->values[i], &b->values[i]))
            return false;
    }
    return true;
}

/* compare.baseline names at least one axis. */
static bool has_baseline(const ag_grid *grid)
{
    for (size_t i = 0; i < grid->n_axes; i++) {
        if (grid->compare.baseline[i].text != NULL)
            return true;
    }
    return false;
}

/* The label that is on the baseline and agrees with `label` on every axis it does not name. */
static const ag_label *partner_of(const ag_grid *grid, const ag_label *label)
{
    const ag_axis_value *baseline = grid->compare.baseline;
    for (size_t i = 0; i < grid->n_labels; i++) {
        const ag_label *other = &grid->labels[i];
        size_t axis = 0;
        while (axis < grid->n_axes &&
               same_value(&other->values[axis],
                          baseline[axis].text != NULL ? &baseline[axis] : &label->values[axis]))
            axis++;
        if (axis == grid->n_axes)
            return other;
    }
    return NULL;
}

/* Rows are in the grid's order (ag_results). */
static const ag_result_row *row_of(const ag_summary *summary, const ag_label *label)
{
    return &summary->results->rows[label->run];
}

/* NaN unless the run is done. */
static double value_of(const ag_summary *summary, const ag_label *label)
{
    const ag_result_row *row = row_of(summary, label);
    double value = NAN;
    if (row->status == AG_RUN_DONE)
        memcpy(&value, (const char *)row + find_metric(summary->metric)->offset, sizeof value);
    return value;
}

/* The floor is the corpus's, and so the same for all runs of a cell. */
static void count_row(ag_summary_cell *cell, const ag_result_row *row)
{
    cell->n_runs++;
    cell->done += row->status == AG_RUN_DONE;
    cell->diverged += row->status == AG_RUN_DIVERGED;
    cell->failed += row->status == AG_RUN_FAILED;
    cell->pending += row->status == AG_RUN_PENDING;
    if (isnan(cell->floor))
        cell->floor = row->entropy_rate;
}

/* Whether two results are one: of one run, or of runs of different seeds that came to the same
 * weights and the same loss, bit for bit, because the seed has no part in them. */
static bool same_result(const ag_summary *summary, const ag_label *a, const ag_label *b)
{
    const char *digest_a = row_of(summary, a)->digest;
    const char *digest_b = row_of(summary, b)->digest;
    return a->run == b->run || (digest_a[0] != '\0' && strcmp(digest_a, digest_b) == 0 &&
                                value_of(summary, a) == value_of(summary, b));
}

/* Whether a label counted before in this cell says the same as this one. */
static bool is_counted(const ag_summary *summary, const ag_summary_cell *cell,
                       const ag_label *label)
{
    for (size_t i = 0; i < cell->n_labels; i++) {
        if (same_result(summary, cell->labels[i], label))
            return true;
    }
    return false;
}

/* By results and not by labels: several labels may stand for one run. */
static bool is_paired(const ag_summary *summary, const ag_summary_cell *cell, const ag_label *label,
                      const ag_label *partner)
{
    for (size_t i = 0; i < cell->n_labels; i++) {
        const ag_label *other = cell->partners_of[i];
        if (other != NULL && same_result(summary, cell->labels[i], label) &&
            same_result(summary, other, partner))
            return true;
    }
    return false;
}

/* Of equal pairs the first counts. */
static void add_pair(const ag_summary *summary, ag_summary_cell *cell, const ag_label *label,
                     const ag_label *partner)
{
    if (partner == NULL || is_paired(summary, cell, label, partner))
        return;
    cell->n_compared++;
    if (partner != label)
        cell->partner_diverged += row_of(summary, partner)->status == AG_RUN_DIVERGED;
    double value = value_of(summary, label);
    double other = value_of(summary, partner);
    if (!isfinite(value) || !isfinite(other))
        return;
    cell->paired[cell->n_pairs] = value;
    cell->partners[cell->n_pairs++] = other;
}

/* A run that several labels of the cell name counts once, as does a pair of runs. */
static void add_label(const ag_summary *summary, ag_summary_cell *cell, const ag_label *label)
{
    if (cell->values == NULL || cell->labels == NULL || cell->partners_of == NULL)
        return; /* give_room gave all of them */
    double value = value_of(summary, label);
    const ag_label *partner =
        summary->has_baseline ? partner_of(&summary->results->grid, label) : NULL;
    if (partner == label)
        cell->verdict = AG_VERDICT_BASELINE;
    if (!is_counted(summary, cell, label)) {
        count_row(cell, row_of(summary, label));
        if (isfinite(value))
            cell->values[cell->n_values++] = value;
    }
    add_pair(summary, cell, label, partner);
    cell->partners_of[cell->n_labels] = partner;
    cell->labels[cell->n_labels++] = label;
}

/* From the end, as labels of a cell mostly follow each other. */
static ag_summary_cell *find_cell(ag_summary *summary, const ag_label *label)
{
    for (size_t i = summary->n_cells; i-- > 0;) {
        if (same_cell(summary, summary->cells[i].label, label))
            return &summary->cells[i];
    }
    ag_summary_cell *cell = &summary->cells[summary->n_cells++];
    *cell = (ag_summary_cell){.label = label, .floor = NAN, .verdict = AG_VERDICT_NONE};
    return cell;
}

/* After a first pass has counted: cells then have exactly what they need. */
static ag_status give_room(ag_summary *summary, ag_summary_cell *cell)
{
    double *room = ag_arena_alloc(&summary->arena, 3 * cell->n_labels * sizeof *room);
    const ag_label **labels =
        ag_arena_alloc(&summary->arena, 2 * cell->n_labels * sizeof(const ag_label *));
    if (room == NULL || labels == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory for the summary");
    cell->values = room;
    cell->paired = room + cell->n_labels;
    cell->partners = room + 2 * cell->n_labels;
    cell->labels = labels;
    cell->partners_of = labels + cell->n_labels;
    cell->n_labels = 0;
    return AG_OK;
}

/* A seed that diverged has the worst of losses, and no number: what is left is no fair sample. Nor
 * is it where a run is done whose value is not finite. */
static ag_verdict judge(const ag_summary_cell *cell, double margin)
{
    const ag_estimate *difference = &cell->difference;
    if (cell->diverged > 0)
        return AG_VERDICT_DIVERGED;
    if (difference->n < 2 || cell->n_values < cell->done)
        return AG_VERDICT_NONE;
    double low = difference->mean - difference->half;
    double high = difference->mean + difference->half;
    if (low > margin)
        return AG_VERDICT_WORSE;
    if (high < -margin)
        return AG_VERDICT_BETTER;
    return low >= -margin && high <= margin ? AG_VERDICT_SAME : AG_VERDICT_OPEN;
}

/* The difference is paired: both runs of a pair have the same seed, and so the same initial weights
 * and batches, which takes most of the noise away. */
static void finish_cell(const ag_summary *summary, ag_summary_cell *cell)
{
    cell->mean = ag_estimate_mean(cell->values, cell->n_values, s_level);
    cell->difference = ag_estimate_difference(cell->paired, cell->partners, cell->n_pairs, s_level);
    if (summary->has_baseline && cell->verdict != AG_VERDICT_BASELINE)
        cell->verdict = judge(cell, summary->results->grid.compare.margin);
}

/* Two passes over the labels: how many a cell has is known after the first. */
static ag_status fill(ag_summary *summary)
{
    const ag_grid *grid = &summary->results->grid;
    summary->cells = ag_arena_alloc(&summary->arena, grid->n_labels * sizeof *summary->cells);
    if (summary->cells == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory for the summary");
    for (size_t i = 0; i < grid->n_labels; i++)
        find_cell(summary, &grid->labels[i])->n_labels++;
    for (size_t i = 0; i < summary->n_cells; i++)
        AG_TRY(give_room(summary, &summary->cells[i]));
    for (size_t i = 0; i < grid->n_labels; i++)
        add_label(summary, find_cell(summary, &grid->labels[i]), &grid->labels[i]);
    for (size_t i = 0; i < summary->n_cells; i++)
        finish_cell(summary, &summary->cells[i]);
    return AG_OK;
}

ag_status ag_summary_make(ag_summary *summary, const ag_results *results, const char *metric)
{
    const ag_grid *grid = &results->grid;
    *summary = (ag_summary){.results = results,
                            .metric = metric != NULL ? metric : grid->compare.metric,
                            .has_baseline = has_baseline(grid),
                            .format_axis = find_axis(grid, "format"),
                            .layers_axis = find_axis(grid, "layers"),
                            .seed_axis = find_axis(grid, "seed")};
    if (find_metric(summary->metric) == NULL)
        return ag_fail(AG_ERR_INPUT,
                       "there is no metric '%s'; the summary knows final_val_loss, "
                       "final_val_loss_hp, val_loss, val_loss_hp and loss",
                       summary->metric);
    ag_arena_init_growing(&summary->arena);
    ag_status status = fill(summary);
    if (status != AG_OK)
        ag_summary_deinit(summary);
    return status;
}

void ag_summary_deinit(ag_summary *summary)
{
    ag_arena_deinit(&summary->arena);
}

/* Printed when all of it is made. */
ag_status ag_summary_show(const char *path, const char *metric, bool as_json)
{
    ag_results results;
    ag_summary summary;
    ag_text text;
    AG_TRY(ag_results_open(&results, path));
    ag_text_init(&text);
    ag_status status = ag_summary_make(&summary, &results, metric);
    if (status == AG_OK) {
        (as_json ? ag_summary_json : ag_summary_table)(&text, &summary);
        ag_summary_deinit(&summary);
        if (!ag_text_print(&text))
            status = ag_fail(AG_ERR_SYSTEM, "cannot write the summary to standard output");
    }
    ag_text_deinit(&text);
    ag_results_close(&results);
    return status;
}
