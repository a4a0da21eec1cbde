/* Each format at its best point of an axis, such as its learning rate. Chosen on the seeds that it
 * is judged on, the least of several noisy means would be too low, and the lower the more points
 * there are. So the point of each seed is the one that is best over all other seeds; the baseline
 * chooses its own in the same way, unless compare.baseline names a point of the axis. */
#include <math.h>
#include <string.h>

#include "summary.h"

/* With fewer the other seeds are no sample to choose on. */
enum { LEAST_SEEDS = 3 };

/* Cells that differ in the seed and in the axis alone, and the label that each seed chose. */
typedef struct group {
    const ag_summary *summary;
    size_t axis;
    size_t n_members;
    const ag_summary_cell **members; /* [n_members] */
    size_t n_chosen;
    const ag_label **chosen;   /* [n_chosen] */
    ag_summary_choice *points; /* [n_members] */
} group;

static bool same_group(const ag_summary *s, size_t axis, const ag_label *a, const ag_label *b)
{
    for (size_t i = 0; i < s->results->grid.n_axes; i++) {
        if (i != axis && i != s->seed_axis && strcmp(a->values[i].text, b->values[i].text) != 0)
            return false;
    }
    return true;
}

static const char *seed_of(const ag_summary *s, const ag_label *label)
{
    return s->seed_axis < s->results->grid.n_axes ? label->values[s->seed_axis].text : "";
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

/* How good a point is without one seed: the runs without a value count first, since a point at
 * which they diverge is not the best, whatever the others reach. */
typedef struct score {
    size_t missing;
    double mean; /* NaN where no run has a value */
} score;

static score score_without(const ag_summary *s, const ag_summary_cell *cell, const char *left_out)
{
    score result = {0, NAN};
    double sum = 0;
    size_t n = 0;
    for (size_t i = 0; i < cell->n_labels; i++) {
        if (left_out != NULL && strcmp(seed_of(s, cell->labels[i]), left_out) == 0)
            continue;
        double value = ag_summary_value(s, cell->labels[i]);
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

/* The member that is best without `left_out` (NULL: over all seeds), among those that have `seed`
 * (NULL: any). */
static size_t choose(const group *g, const char *seed, const char *left_out)
{
    size_t best = g->n_members;
    score least = {0, NAN};
    for (size_t i = 0; i < g->n_members; i++) {
        if (seed != NULL && of_seed(g->summary, g->members[i], seed) == NULL)
            continue;
        score own = score_without(g->summary, g->members[i], left_out);
        if (best < g->n_members && !is_better(own, least))
            continue;
        best = i;
        least = own;
    }
    return best;
}

static bool is_optimistic(const group *g)
{
    for (size_t i = 0; i < g->n_members; i++) {
        if (g->members[i]->n_runs >= LEAST_SEEDS)
            return false;
    }
    return true;
}

static bool is_chosen(const group *g, const char *seed)
{
    for (size_t i = 0; i < g->n_chosen; i++) {
        if (strcmp(seed_of(g->summary, g->chosen[i]), seed) == 0)
            return true;
    }
    return false;
}

/* For every seed that any member has. */
static void choose_all(group *g)
{
    bool optimistic = is_optimistic(g);
    for (size_t i = 0; i < g->n_members; i++) {
        const ag_summary_cell *member = g->members[i];
        g->points[i].value = member->label->values[g->axis].text;
        for (size_t j = 0; j < member->n_labels; j++) {
            const char *seed = seed_of(g->summary, member->labels[j]);
            if (is_chosen(g, seed))
                continue;
            size_t point = choose(g, seed, optimistic ? NULL : seed);
            g->points[point].seeds++;
            g->chosen[g->n_chosen++] = of_seed(g->summary, g->members[point], seed);
        }
    }
}

/* The points that no seed chose are not told. */
static void keep_chosen_points(ag_summary_cell *cell, const group *g)
{
    cell->points = g->points;
    for (size_t i = 0; i < g->n_members; i++) {
        if (g->points[i].seeds > 0)
            cell->points[cell->n_points++] = g->points[i];
    }
}

/* --- all groups */

static ag_status give_room(ag_arena *arena, group *g)
{
    size_t n_labels = 0;
    for (size_t i = 0; i < g->n_members; i++)
        n_labels += g->members[i]->n_labels;
    g->chosen = ag_arena_alloc(arena, n_labels * sizeof(const ag_label *));
    g->points = ag_arena_alloc(arena, g->n_members * sizeof *g->points);
    if (g->chosen == NULL || g->points == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory for the summary");
    memset(g->points, 0, g->n_members * sizeof *g->points);
    return AG_OK;
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
        while (known < *n_groups && !same_group(s, axis, groups[known].members[0]->label, label))
            known++;
        if (known < *n_groups)
            continue;
        group *g = &groups[(*n_groups)++];
        *g = (group){.summary = s, .axis = axis, .members = members};
        for (size_t j = i; j < s->n_cells; j++) {
            if (same_group(s, axis, s->cells[j].label, label))
                g->members[g->n_members++] = &s->cells[j];
        }
        members += g->n_members;
        AG_TRY(give_room(&s->arena, g));
        choose_all(g);
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
        const group *g = &groups[i];
        for (size_t j = 0; is_baseline_of(g, label) && j < g->n_chosen; j++) {
            if (strcmp(seed_of(s, g->chosen[j]), seed_of(s, label)) == 0)
                return g->chosen[j];
        }
    }
    return NULL;
}

static ag_status fill_cell(ag_summary_cell *cell, ag_summary *s, const group *groups,
                           size_t n_groups, const group *own)
{
    *cell = (ag_summary_cell){.n_labels = own->n_chosen, .floor = NAN};
    cell->verdict = AG_VERDICT_NONE;
    AG_TRY(ag_summary_give_room(s, cell));
    for (size_t i = 0; i < own->n_chosen; i++)
        ag_summary_add(s, cell, own->chosen[i], partner_of(groups, n_groups, own->chosen[i]));
    cell->label = own->members[choose(own, NULL, NULL)]->label;
    keep_chosen_points(cell, own);
    return AG_OK;
}

ag_status ag_summary_take_best(ag_summary *summary, size_t axis)
{
    size_t n_groups = 0;
    size_t n = summary->n_cells;
    group *groups = ag_arena_alloc(&summary->arena, n * sizeof *groups);
    ag_summary_cell *cells = ag_arena_alloc(&summary->arena, n * sizeof *cells);
    if (groups == NULL || cells == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory for the summary");
    AG_TRY(find_groups(&n_groups, groups, summary, axis));
    for (size_t i = 0; i < n_groups; i++) {
        AG_TRY(fill_cell(&cells[i], summary, groups, n_groups, &groups[i]));
        summary->optimistic |= is_optimistic(&groups[i]);
    }
    summary->best_axis = axis;
    summary->cells = cells;
    summary->n_cells = n_groups;
    return ag_summary_judge(summary);
}
