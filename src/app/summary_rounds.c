/* Verdicts where seeds come in rounds: one looks after each, and the error rate is spent over the
 * looks (stats/interim.c). A look counts once all its runs are there, and whatever came later is
 * not in it. analysis/altgrad_analysis/interim.py says the same in Python. */
#include <math.h>

#include "summary.h"

enum { MOST_PAIRS = 1000 };

ag_interim ag_summary_looks(const ag_grid *grid)
{
    return ag_interim_plan((size_t)grid->seeds.from, (size_t)grid->seeds.at_most);
}

bool ag_summary_is_first(const ag_summary *summary, const ag_label *label, size_t seeds)
{
    return seeds == SIZE_MAX || label->values[summary->seed_axis].integer < (int64_t)seeds;
}

static bool is_pending(const ag_summary *summary, const ag_label *label)
{
    return label == NULL || summary->results->rows[label->run].status == AG_RUN_PENDING;
}

/* Whether the cell has the first so many seeds, and its partners do. */
static bool is_complete(const ag_summary *summary, const ag_summary_cell *cell, size_t seeds)
{
    size_t there = 0;
    for (size_t i = 0; i < cell->n_labels; i++)
        there += ag_summary_is_first(summary, cell->labels[i], seeds) &&
                 !is_pending(summary, cell->labels[i]) &&
                 !is_pending(summary, cell->partners_of[i]);
    return there == seeds;
}

/* Pairs are in the order of their seeds. */
static size_t pairs_of(const ag_summary_cell *cell, size_t seeds)
{
    size_t pairs = 0;
    while (pairs < cell->n_pairs && cell->pair_seeds[pairs] < (int64_t)seeds)
        pairs++;
    return pairs;
}

ag_decision ag_summary_decide(const ag_summary *summary, const ag_summary_cell *cell)
{
    const ag_grid *grid = &summary->results->grid;
    ag_decision best = {AG_TENDS_SAME, 1};
    if (grid->seeds.at_most == 0)
        return ag_decide(&cell->difference, grid->compare.margin);
    ag_interim looks = ag_summary_looks(grid);
    for (size_t i = 0; i < looks.n && is_complete(summary, cell, looks.seeds[i]); i++) {
        ag_estimate seen = ag_estimate_difference(cell->paired, cell->partners,
                                                  pairs_of(cell, looks.seeds[i]), ag_summary_level);
        ag_decision now = ag_decide(&seen, grid->compare.margin);
        now.p = ag_interim_p(&looks, i, now.p);
        if (now.p < best.p)
            best = now;
    }
    return best;
}

/* Only looks decide, so only their numbers of pairs can be what is needed. */
size_t ag_summary_needed(const ag_summary *summary, const ag_summary_cell *cell, double rate)
{
    const ag_grid *grid = &summary->results->grid;
    if (grid->seeds.at_most == 0)
        return ag_needed_pairs(&cell->difference, grid->compare.margin, rate, MOST_PAIRS);
    ag_interim looks = ag_summary_looks(grid);
    ag_estimate planned = cell->difference;
    for (size_t i = 0; i < looks.n; i++) {
        planned.n = looks.seeds[i];
        if (planned.n > cell->n_pairs &&
            ag_interim_p(&looks, i, ag_decide(&planned, grid->compare.margin).p) <= rate)
            return planned.n;
    }
    return 0;
}
