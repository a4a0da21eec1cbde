/* Each format at its best point of an axis, such as its learning rate. Chosen on the seeds that it
 * is judged on, the least of several noisy means would be too low, and the lower the more points
 * there are. So the first third of the seeds chooses, and the others are what is compared; the
 * baseline chooses its own point in the same way, unless compare.baseline names one. (To choose for
 * each seed on all others would waste none, but makes seeds depend on each other: verdicts were
 * false twice as often as they may be, tests/stats/calibrate.py.) */
#include <math.h>
#include <string.h>

#include "summary.h"

/* With fewer there are none to choose on. */
enum { LEAST_SEEDS = 3 };

/* Cells that differ in the seed and in the axis alone. */
typedef struct group {
    const ag_summary *summary;
    size_t axis;
    size_t n_members;
    const ag_summary_cell **members; /* [n_members] */
    size_t n_seeds;
    const char **seeds; /* [n_seeds] that any member has, in the grid's order */
    bool optimistic;
    size_t n_choosers;           /* the first of the seeds */
    const ag_summary_cell *best; /* the member that they chose */
} group;

static const char *seed_of(const ag_summary *s, const ag_label *label)
{
    return ag_summary_axis_text(s, label, s->seed_axis);
}

/* The cell's label of this seed, or NULL. */
static const ag_label *of_seed(const ag_summary *s, const ag_summary_cell *cell, const char *seed)
{
    for (size_t i = 0; i < cell->n_labels; i++) {
        if (strcmp(seed_of(s, cell->labels[i]), seed) == 0)
            return cell->labels[i];
    }
    return NULL;
}

/* How good a point is on the seeds that choose: the runs without a value count first, since a point
 * at which they diverge is not the best, whatever the others reach. */
typedef struct score {
    size_t missing;
    double mean; /* NaN where no run has a value */
} score;

static score score_of(const group *g, const ag_summary_cell *cell)
{
    score result = {0, NAN};
    double sum = 0;
    size_t n = 0;
    for (size_t i = 0; i < g->n_choosers; i++) {
        const ag_label *label = of_seed(g->summary, cell, g->seeds[i]);
        double value = label != NULL ? ag_summary_value(g->summary, label) : NAN;
        if (isfinite(value)) {
            sum += value;
            n++;
        } else {
            result.missing++;
        }
    }
    if (n > 0)
        result.mean = sum / (double)n;
    return result;
}

/* The first of equal ones. */
static bool is_better(score a, score b)
{
    if (isnan(a.mean) || isnan(b.mean))
        return isnan(b.mean) && !isnan(a.mean);
    return a.missing != b.missing ? a.missing < b.missing : a.mean < b.mean;
}

static bool is_listed(const group *g, const char *seed)
{
    for (size_t i = 0; i < g->n_seeds; i++) {
        if (strcmp(g->seeds[i], seed) == 0)
            return true;
    }
    return false;
}

/* Seeds that have no part in the runs are no replicates, and nothing can be chosen on them. */
static void list_seeds(group *g)
{
    size_t replicates = 0;
    for (size_t i = 0; i < g->n_members; i++) {
        const ag_summary_cell *member = g->members[i];
        replicates = member->n_runs > replicates ? member->n_runs : replicates;
        for (size_t j = 0; j < member->n_labels; j++) {
            const char *seed = seed_of(g->summary, member->labels[j]);
            if (!is_listed(g, seed))
                g->seeds[g->n_seeds++] = seed;
        }
    }
    g->optimistic = replicates < LEAST_SEEDS;
    g->n_choosers = g->optimistic ? g->n_seeds : (g->n_seeds + 2) / 3;
}

static void choose(group *g)
{
    g->best = g->members[0];
    for (size_t i = 1; i < g->n_members; i++) {
        if (is_better(score_of(g, g->members[i]), score_of(g, g->best)))
            g->best = g->members[i];
    }
}

/* The chosen label of a seed that is judged, or NULL. */
static const ag_label *judged(const group *g, const char *seed)
{
    for (size_t i = 0; i < g->n_choosers && !g->optimistic; i++) {
        if (strcmp(g->seeds[i], seed) == 0)
            return NULL;
    }
    return of_seed(g->summary, g->best, seed);
}

/* --- all groups */

static ag_status give_room(ag_arena *arena, group *g)
{
    size_t n_labels = 0;
    for (size_t i = 0; i < g->n_members; i++)
        n_labels += g->members[i]->n_labels;
    g->seeds = ag_arena_alloc(arena, n_labels * sizeof(const char *));
    return g->seeds != NULL ? AG_OK : ag_fail(AG_ERR_SYSTEM, "out of memory for the summary");
}

/* Members lie in one array [n_cells], those of a group side by side. */
static ag_status find_groups(size_t *n_groups, group *groups, ag_summary *s, size_t axis)
{
    const ag_summary_cell **members =
        ag_arena_alloc(&s->arena, s->n_cells * sizeof(const ag_summary_cell *));
    if (members == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory for the summary");
    *n_groups = 0;
    for (size_t i = 0; i < s->n_cells; i++) {
        const ag_label *label = s->cells[i].label;
        size_t known = 0;
        while (known < *n_groups &&
               !ag_summary_agree(s, groups[known].members[0]->label, label, axis))
            known++;
        if (known < *n_groups)
            continue;
        group *g = &groups[(*n_groups)++];
        *g = (group){.summary = s, .axis = axis, .members = members};
        for (size_t j = i; j < s->n_cells; j++) {
            if (ag_summary_agree(s, s->cells[j].label, label, axis))
                g->members[g->n_members++] = &s->cells[j];
        }
        members += g->n_members;
        AG_TRY(give_room(&s->arena, g));
        list_seeds(g);
        choose(g);
    }
    return AG_OK;
}

/* Whether the group is what `label` is compared with: on the baseline where that names an axis. */
static bool is_baseline_of(const group *g, const ag_label *label)
{
    const ag_grid *grid = &g->summary->results->grid;
    for (size_t i = 0; i < grid->n_axes; i++) {
        const ag_axis_value *baseline = &grid->compare.baseline[i];
        const char *wanted = baseline->text != NULL ? baseline->text : label->values[i].text;
        if (i != g->axis && i != g->summary->seed_axis &&
            strcmp(g->members[0]->label->values[i].text, wanted) != 0)
            return false;
    }
    return true;
}

/* What the baseline chose for this seed, or its own point of the axis. */
static const ag_label *partner_of(const group *groups, size_t n_groups, const ag_label *label)
{
    const ag_summary *s = groups[0].summary;
    const ag_compare *compare = &s->results->grid.compare;
    if (!s->has_baseline)
        return NULL;
    if (compare->baseline[groups[0].axis].text != NULL ||
        (s->seed_axis < s->results->grid.n_axes && compare->baseline[s->seed_axis].text != NULL))
        return ag_grid_partner(&s->results->grid, label, compare->baseline);
    for (size_t i = 0; i < n_groups; i++) {
        if (is_baseline_of(&groups[i], label))
            return judged(&groups[i], seed_of(s, label));
    }
    return NULL;
}

static ag_status fill_cell(ag_summary_cell *cell, ag_summary *s, const group *groups,
                           size_t n_groups, const group *own)
{
    *cell = (ag_summary_cell){.label = own->best->label, .n_labels = own->n_seeds, .floor = NAN};
    cell->verdict = AG_VERDICT_NONE;
    cell->choosers = own->optimistic ? 0 : own->n_choosers;
    AG_TRY(ag_summary_give_room(s, cell));
    for (size_t i = 0; i < own->n_seeds; i++) {
        const ag_label *label = judged(own, own->seeds[i]);
        if (label != NULL)
            ag_summary_add(s, cell, label, partner_of(groups, n_groups, label));
    }
    return AG_OK;
}

ag_status ag_summary_take_best(ag_summary *summary, size_t axis)
{
    size_t n_groups = 0;
    size_t n = summary->n_cells;
    if (summary->results->grid.seeds.at_most > 0)
        return ag_fail(AG_ERR_INPUT,
                       "--best lets a third of the seeds choose and judges the others, but here "
                       "'seeds: {until: decided}' gave each point seeds by what the first ones "
                       "said; it needs a number of seeds that is the same for all points");
    group *groups = ag_arena_alloc(&summary->arena, n * sizeof *groups);
    ag_summary_cell *cells = ag_arena_alloc(&summary->arena, n * sizeof *cells);
    if (groups == NULL || cells == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory for the summary");
    AG_TRY(find_groups(&n_groups, groups, summary, axis));
    for (size_t i = 0; i < n_groups; i++) {
        AG_TRY(fill_cell(&cells[i], summary, groups, n_groups, &groups[i]));
        summary->optimistic |= groups[i].optimistic;
    }
    summary->best_axis = axis;
    summary->cells = cells;
    summary->n_cells = n_groups;
    return ag_summary_judge(summary);
}
