/* The verdicts of a summary: each difference beside the margin, first for itself and then with all
 * others as one family. analysis/altgrad_analysis/verdicts.py says the same in Python;
 * docs/statistics.md has the definitions. */
#include <math.h>

#include "summary.h"

const double ag_summary_level = 0.95;

/* Fewer values give a bootstrap that is too narrow. */
enum { LEAST_FOR_BOOTSTRAP = 8 };

const char *const ag_verdict_words[AG_VERDICTS] = {"baseline", "",     "same",    "worse",
                                                   "better",   "open", "diverged"};

static const ag_verdict s_verdicts[AG_TENDENCIES] = {
    [AG_TENDS_SAME] = AG_VERDICT_SAME,
    [AG_TENDS_WORSE] = AG_VERDICT_WORSE,
    [AG_TENDS_BETTER] = AG_VERDICT_BETTER,
};

/* A seed that diverged has the worst of losses, and no number: what is left is no fair sample. Nor
 * is it where a run is done whose value is not finite. */
static ag_verdict judge_alone(const ag_summary_cell *cell, double margin)
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

static ag_status add_bootstrap(ag_summary *summary, ag_summary_cell *cell)
{
    if (cell->n_pairs < LEAST_FOR_BOOTSTRAP)
        return AG_OK;
    double *differences = ag_arena_alloc(&summary->arena, cell->n_pairs * sizeof *differences);
    if (differences == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory for the summary");
    for (size_t i = 0; i < cell->n_pairs; i++)
        differences[i] = cell->paired[i] - cell->partners[i];
    cell->bca = ag_bca_mean(differences, cell->n_pairs, ag_summary_level);
    return AG_OK;
}

/* Those that are judged: with an interval, and without a run that diverged. */
static bool is_member(const ag_summary_cell *cell)
{
    return cell->alone == AG_VERDICT_SAME || cell->alone == AG_VERDICT_WORSE ||
           cell->alone == AG_VERDICT_BETTER || cell->alone == AG_VERDICT_OPEN;
}

/* At the level of all verdicts, by the cell's own p or by that of the family. */
static ag_verdict verdict_at(const ag_summary_cell *cell, double p)
{
    return p <= 1 - ag_summary_level ? s_verdicts[cell->tendency] : AG_VERDICT_OPEN;
}

/* The difference is paired: both runs of a pair have the same seed, and so the same initial weights
 * and batches, which takes most of the noise away. */
static ag_status estimate(ag_summary *summary, ag_summary_cell *cell)
{
    double margin = summary->results->grid.compare.margin;
    bool is_baseline = cell->verdict == AG_VERDICT_BASELINE;
    cell->mean = ag_estimate_mean(cell->values, cell->n_values, ag_summary_level);
    cell->difference =
        ag_estimate_difference(cell->paired, cell->partners, cell->n_pairs, ag_summary_level);
    cell->bca = (ag_interval){NAN, NAN};
    cell->alone = cell->verdict;
    if (!is_baseline && summary->has_baseline)
        cell->alone = judge_alone(cell, margin);
    cell->p = NAN;
    if (is_member(cell)) {
        ag_decision decision = ag_summary_decide(summary, cell);
        cell->tendency = decision.tendency;
        cell->p = decision.p;
        if (summary->results->grid.seeds.at_most > 0)
            cell->alone = verdict_at(cell, cell->p);
    }
    cell->verdict = cell->alone;
    cell->adjusted = cell->p;
    return is_baseline ? AG_OK : add_bootstrap(summary, cell);
}

/* Equal in every bit: the same runs under another label. */
static bool is_same_comparison(const ag_estimate *a, const ag_estimate *b)
{
    return a->n == b->n && a->mean == b->mean && a->sd == b->sd;
}

/* The first cell with this comparison: it stands for all of them. */
static size_t first_like(const ag_summary *summary, size_t cell)
{
    size_t i = 0;
    while (!is_member(&summary->cells[i]) ||
           !is_same_comparison(&summary->cells[i].difference, &summary->cells[cell].difference))
        i++;
    return i;
}

/* Each comparison once, whatever the number of its labels. Returns how many are left undecided. */
static size_t adjust(ag_summary *summary, ag_ranked *family)
{
    size_t undecided = 0;
    summary->n_comparisons = 0;
    for (size_t i = 0; i < summary->n_cells; i++) {
        if (is_member(&summary->cells[i]) && first_like(summary, i) == i)
            family[summary->n_comparisons++] = (ag_ranked){i, summary->cells[i].p, NAN};
    }
    ag_holm(family, summary->n_comparisons);
    for (size_t i = 0; i < summary->n_comparisons; i++) {
        summary->cells[family[i].place].adjusted = family[i].adjusted;
        undecided += family[i].adjusted > 1 - ag_summary_level;
    }
    return undecided;
}

/* A comparison that is open needs the level of the first step that Holm's method did not take. */
static void find_needed(const ag_summary *summary, ag_summary_cell *cell, size_t undecided)
{
    double rate = (1 - ag_summary_level) / (double)undecided;
    cell->pairs_needed =
        cell->verdict == AG_VERDICT_OPEN ? ag_summary_needed(summary, cell, rate) : 0;
}

ag_status ag_summary_judge(ag_summary *summary)
{
    const ag_compare *compare = &summary->results->grid.compare;
    for (size_t i = 0; i < summary->n_cells; i++)
        AG_TRY(estimate(summary, &summary->cells[i]));
    ag_ranked *family = ag_arena_alloc(&summary->arena, summary->n_cells * sizeof *family);
    if (family == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory for the summary");
    size_t undecided = adjust(summary, family);
    for (size_t i = 0; i < summary->n_cells; i++) {
        ag_summary_cell *cell = &summary->cells[i];
        if (!is_member(cell))
            continue;
        cell->adjusted = summary->cells[first_like(summary, i)].adjusted;
        if (compare->family == AG_FAMILY_ALL)
            cell->verdict = verdict_at(cell, cell->adjusted);
        else
            cell->adjusted = cell->p;
        find_needed(summary, cell, compare->family == AG_FAMILY_ALL ? undecided : 1);
    }
    return AG_OK;
}
