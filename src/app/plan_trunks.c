/* What sharing saves: the steps of the runs that are to be trained, as `run` would arrange them if
 * it began now without snapshots. */
#include <inttypes.h>
#include <stdlib.h>

#include "plan.h"
#include "run/trunk.h"

static bool is_to_train(const ag_held_run *held)
{
    return held->state == AG_HELD_NOT || held->state == AG_HELD_FAILED;
}

/* The tree, and which run of the grid each leaf is. */
typedef struct tree {
    ag_trunk_leaf *leaves;
    ag_trunk_branch *branches;
    size_t *runs;
    size_t count;
} tree;

static void add_leaves(tree *t, const ag_holdings *holdings, const ag_grid *grid,
                       const bool *selected)
{
    for (size_t r = 0; r < grid->n_runs; r++) {
        const ag_held_run *held = &holdings->runs[r];
        if (!selected[r] || !is_to_train(held))
            continue;
        t->runs[t->count] = r;
        t->leaves[t->count++] =
            (ag_trunk_leaf){.run = &grid->runs[r], .begun = held->step, .own = held->step > 0};
    }
}

ag_status ag_holdings_find_trunks(ag_holdings *holdings, const ag_grid *grid, const bool *selected)
{
    ag_arena *arena = &holdings->arena;
    const size_t most = grid->n_runs + 1;
    tree t = {.leaves = ag_arena_alloc(arena, most * sizeof *t.leaves),
              .branches = ag_arena_alloc(arena, most * sizeof *t.branches),
              .runs = ag_arena_alloc(arena, most * sizeof *t.runs)};
    if (t.leaves == NULL || t.branches == NULL || t.runs == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    if (grid->n_runs == 0 || !grid->runs[0].limits.share_trunks)
        return AG_OK;
    add_leaves(&t, holdings, grid, selected);
    AG_TRY(ag_trunk_branches(t.branches, t.leaves, t.count));
    for (size_t i = 0; i < t.count; i++)
        holdings->runs[t.runs[i]].trunk = t.branches[i].step;
    return AG_OK;
}

typedef struct savings {
    size_t runs;   /* that begin with another's steps */
    int64_t saved; /* so many */
    int64_t steps; /* of all that are to be trained, without sharing */
} savings;

static savings sum_up(const ag_holdings *holdings, const ag_grid *grid, const bool *selected)
{
    savings sum = {0};
    for (size_t r = 0; r < grid->n_runs; r++) {
        const ag_held_run *held = &holdings->runs[r];
        if (!selected[r] || !is_to_train(held))
            continue;
        sum.runs += held->trunk > 0;
        const ag_run *run = &grid->runs[r];
        int64_t first = held->step > run->train.start_step ? held->step : run->train.start_step;
        sum.saved += held->trunk > 0 ? held->trunk - run->train.start_step : 0;
        sum.steps += run->train.steps - first;
    }
    return sum;
}

void ag_plan_trunks(ag_text *text, const ag_holdings *holdings, const ag_grid *grid,
                    const bool *selected)
{
    savings sum = sum_up(holdings, grid, selected);
    if (sum.runs > 0)
        ag_text_printf(text,
                       "  %zu begin%s with the first steps of another: %" PRId64 " of %" PRId64
                       " steps need not be trained (run.share_trunks)\n",
                       sum.runs, sum.runs == 1 ? "s" : "", sum.saved, sum.steps);
}

void ag_plan_trunks_json(ag_text *text, const ag_holdings *holdings, const ag_grid *grid,
                         const bool *selected)
{
    savings sum = sum_up(holdings, grid, selected);
    ag_text_printf(text,
                   ",\"trunks\":{\"runs\":%zu,\"steps_saved\":%" PRId64 ",\"steps\":%" PRId64 "}",
                   sum.runs, sum.saved, sum.steps);
}
