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

size_t ag_summary_axis(const ag_grid *grid, const char *name)
{
    size_t axis = 0;
    while (axis < grid->n_axes && strcmp(grid->axes[axis].name, name) != 0)
        axis++;
    return axis;
}

const char *ag_summary_axis_text(const ag_summary *summary, const ag_label *label, size_t axis)
{
    return axis < summary->results->grid.n_axes ? label->values[axis].text : "";
}

bool ag_summary_agree(const ag_summary *summary, const ag_label *a, const ag_label *b, size_t other)
{
    for (size_t i = 0; i < summary->results->grid.n_axes; i++) {
        if (i != summary->seed_axis && i != other &&
            !ag_label_value_is(&a->values[i], &b->values[i]))
            return false;
    }
    return true;
}

static bool same_cell(const ag_summary *summary, const ag_label *a, const ag_label *b)
{
    return ag_summary_agree(summary, a, b, summary->results->grid.n_axes);
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

/* Rows are in the grid's order (ag_results). */
static const ag_result_row *row_of(const ag_summary *summary, const ag_label *label)
{
    return &summary->results->rows[label->run];
}

double ag_summary_value(const ag_summary *summary, const ag_label *label)
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

bool ag_summary_is_one(const ag_summary *summary, const ag_label *a, const ag_label *b)
{
    const char *digest_a = row_of(summary, a)->digest;
    const char *digest_b = row_of(summary, b)->digest;
    return a->run == b->run || (digest_a[0] != '\0' && strcmp(digest_a, digest_b) == 0 &&
                                ag_summary_value(summary, a) == ag_summary_value(summary, b));
}

/* Whether a label counted before in this cell says the same as this one. */
static bool is_counted(const ag_summary *summary, const ag_summary_cell *cell,
                       const ag_label *label)
{
    for (size_t i = 0; i < cell->n_labels; i++) {
        if (ag_summary_is_one(summary, cell->labels[i], label))
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
        if (other != NULL && ag_summary_is_one(summary, cell->labels[i], label) &&
            ag_summary_is_one(summary, other, partner))
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
    double value = ag_summary_value(summary, label);
    double other = ag_summary_value(summary, partner);
    if (!isfinite(value) || !isfinite(other))
        return;
    if (summary->seed_axis < summary->results->grid.n_axes)
        cell->pair_seeds[cell->n_pairs] = label->values[summary->seed_axis].integer;
    cell->paired[cell->n_pairs] = value;
    cell->partners[cell->n_pairs++] = other;
}

/* A run that several labels of the cell name counts once, as does a pair of runs. */
void ag_summary_add(const ag_summary *summary, ag_summary_cell *cell, const ag_label *label,
                    const ag_label *partner)
{
    if (cell->values == NULL || cell->labels == NULL || cell->partners_of == NULL ||
        cell->pair_seeds == NULL)
        return; /* ag_summary_give_room gave all of them */
    double value = ag_summary_value(summary, label);
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

const char *ag_summary_missing(const char **side, const ag_summary *summary,
                               const ag_summary_cell *cell, size_t i)
{
    const ag_label *sides[] = {cell->labels[i], cell->partners_of[i]};
    *side = "";
    if (!summary->has_baseline || sides[0] == sides[1])
        return NULL;
    for (size_t j = 0; j < 2; j++) {
        const char *names[] = {"", "baseline "};
        *side = names[j];
        if (sides[j] == NULL)
            return "missing";
        ag_run_status status = row_of(summary, sides[j])->status;
        if (status != AG_RUN_DONE)
            return ag_run_status_words[status];
        if (!isfinite(ag_summary_value(summary, sides[j])))
            return "without a value";
    }
    return NULL;
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

ag_status ag_summary_give_room(ag_summary *summary, ag_summary_cell *cell)
{
    double *room = ag_arena_alloc(&summary->arena, 3 * cell->n_labels * sizeof *room);
    const ag_label **labels =
        ag_arena_alloc(&summary->arena, 2 * cell->n_labels * sizeof(const ag_label *));
    cell->pair_seeds = ag_arena_alloc(&summary->arena, cell->n_labels * sizeof *cell->pair_seeds);
    if (room == NULL || labels == NULL || cell->pair_seeds == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory for the summary");
    cell->values = room;
    cell->paired = room + cell->n_labels;
    cell->partners = room + 2 * cell->n_labels;
    cell->labels = labels;
    cell->partners_of = labels + cell->n_labels;
    cell->n_labels = 0;
    return AG_OK;
}

/* Two passes over the labels: how many a cell has is known after the first. */
static ag_status fill(ag_summary *summary)
{
    const ag_grid *grid = &summary->results->grid;
    summary->cells = ag_arena_alloc(&summary->arena, grid->n_labels * sizeof *summary->cells);
    if (summary->cells == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory for the summary");
    for (size_t i = 0; i < grid->n_labels; i++) {
        if (ag_summary_is_first(summary, &grid->labels[i], summary->most_seeds))
            find_cell(summary, &grid->labels[i])->n_labels++;
    }
    for (size_t i = 0; i < summary->n_cells; i++)
        AG_TRY(ag_summary_give_room(summary, &summary->cells[i]));
    for (size_t i = 0; i < grid->n_labels; i++) {
        const ag_label *label = &grid->labels[i];
        if (!ag_summary_is_first(summary, label, summary->most_seeds))
            continue;
        const ag_label *partner =
            summary->has_baseline ? ag_grid_partner(grid, label, grid->compare.baseline) : NULL;
        ag_summary_add(summary, find_cell(summary, label), label, partner);
    }
    return ag_summary_judge(summary);
}

ag_status ag_summary_make(ag_summary *summary, const ag_results *results, const char *metric)
{
    return ag_summary_make_first(summary, results, metric, SIZE_MAX);
}

ag_status ag_summary_make_first(ag_summary *summary, const ag_results *results, const char *metric,
                                size_t most_seeds)
{
    const ag_grid *grid = &results->grid;
    *summary = (ag_summary){.results = results,
                            .metric = metric != NULL ? metric : grid->compare.metric,
                            .has_baseline = has_baseline(grid),
                            .most_seeds = most_seeds,
                            .across_axis = grid->n_axes,
                            .best_axis = grid->n_axes,
                            .format_axis = ag_summary_axis(grid, "format"),
                            .layers_axis = ag_summary_axis(grid, "layers"),
                            .seed_axis = ag_summary_axis(grid, "seed")};
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

void ag_summary_restrict(ag_summary *summary, const bool *labels)
{
    const ag_label *first = summary->results->grid.labels;
    size_t kept = 0;
    for (size_t i = 0; i < summary->n_cells; i++) {
        const ag_summary_cell *cell = &summary->cells[i];
        bool is_meant = false;
        for (size_t j = 0; j < cell->n_labels; j++)
            is_meant |= labels[cell->labels[j] - first];
        if (is_meant)
            summary->cells[kept++] = summary->cells[i];
    }
    summary->n_cells = kept;
}
