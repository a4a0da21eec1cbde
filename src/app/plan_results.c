/* What the results already hold of a plan: which runs are kept, which begin at a checkpoint, which
 * failed before, and which complete runs the experiment no longer names. The same judgement decides
 * what `run` trains, so that a plan never promises otherwise. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/commands.h"
#include "plan.h"
#include "results/overview.h"
#include "results/results.h"
#include "run/run_json.h"

/* --- each run */

/* A run and where the answer about it goes, to be sorted by id. */
typedef struct planned {
    const ag_run *run;
    ag_held_run *held;
} planned;

static int by_id(const void *a, const void *b)
{
    return strcmp(((const planned *)a)->run->id, ((const planned *)b)->run->id);
}

/* NULL when memory runs out. */
static planned *sort_runs(const ag_grid *grid, ag_holdings *holdings)
{
    planned *plan = ag_arena_alloc(&holdings->arena, grid->n_runs * sizeof *plan);
    for (size_t i = 0; plan != NULL && i < grid->n_runs; i++)
        plan[i] = (planned){&grid->runs[i], &holdings->runs[i]};
    if (plan != NULL)
        qsort(plan, grid->n_runs, sizeof *plan, by_id);
    return plan;
}

/* The key needs a run for its id alone. */
static const planned *find_planned(const char id[AG_ID_LENGTH + 1], const planned *plan,
                                   size_t n_plan)
{
    ag_run wanted;
    memcpy(wanted.id, id, sizeof wanted.id);
    const planned key = {.run = &wanted};
    return bsearch(&key, plan, n_plan, sizeof *plan, by_id);
}

/* Enough for a mean; computing the cost of thousands of runs would make the plan slow. */
enum { TIMED_MOST = 64 };

/* A sample of what the runs took, for the estimate of those to come. Evaluation is in both figures,
 * so that it cancels. */
static void take_time(ag_holdings *holdings, const ag_result_row *row, const ag_run *run)
{
    if (row->status != AG_RUN_DONE || !(row->train_s > 0) || holdings->n_timed == TIMED_MOST)
        return;
    holdings->n_timed++;
    holdings->timed_s += row->train_s;
    const ag_plan_cost cost = ag_plan_run_cost(run);
    holdings->timed_flops += cost.flops;
    holdings->timed_guess_s += ag_plan_guess_s(&cost);
}

/* A failure leaves nothing to keep. */
static ag_held_run look_at(const ag_result_row *row, const ag_run *asked)
{
    if (row->status == AG_RUN_FAILED)
        return (ag_held_run){.state = AG_HELD_FAILED};
    const char *lacks = ag_run_lacks(row->recorded, asked);
    return (ag_held_run){.state = lacks != NULL ? AG_HELD_LESS : AG_HELD_ALL,
                         .diverged = row->status == AG_RUN_DIVERGED,
                         .lacks = lacks};
}

/* Rows of the results against the plan, which is sorted by id. What is pending there says nothing
 * about this plan. */
static ag_status compare(ag_holdings *holdings, const ag_results *results, const planned *plan,
                         size_t n_plan)
{
    holdings->orphans =
        ag_arena_alloc(&holdings->arena, (results->n_rows + 1) * sizeof *holdings->orphans);
    if (holdings->orphans == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    for (size_t i = 0; i < results->n_rows; i++) {
        const ag_result_row *row = &results->rows[i];
        if (row->status == AG_RUN_PENDING)
            continue;
        const planned *found = find_planned(row->id, plan, n_plan);
        if (found != NULL) {
            *found->held = look_at(row, found->run);
            take_time(holdings, row, found->run);
        } else if (row->status != AG_RUN_FAILED)
            memcpy(holdings->orphans[holdings->n_orphans++], row->id, sizeof row->id);
    }
    return AG_OK;
}

/* Runs that wait with part of their work behind them. Also beside results that do not exist yet: a
 * first run that was stopped has left checkpoints alone. */
static ag_status take_begun(ag_holdings *holdings, const char *out, const planned *plan,
                            size_t n_plan)
{
    const ag_begun *begun;
    size_t count;
    AG_TRY(ag_begun_find(&begun, &count, out, &holdings->arena));
    for (size_t i = 0; i < count; i++) {
        const planned *found = find_planned(begun[i].id, plan, n_plan);
        if (found != NULL && found->held->state <= AG_HELD_FAILED)
            found->held->step = begun[i].step;
    }
    return AG_OK;
}

/* Results of another program, or damaged, are an error here: the plan would be wrong without them.
 */
ag_status ag_holdings_read(ag_holdings *holdings, const char *out, const ag_grid *grid)
{
    *holdings = (ag_holdings){.exists = access(out, F_OK) == 0};
    ag_arena_init_growing(&holdings->arena);
    holdings->runs = ag_arena_alloc(&holdings->arena, grid->n_runs * sizeof *holdings->runs);
    const planned *plan = holdings->runs != NULL ? sort_runs(grid, holdings) : NULL;
    if (plan == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    if (!holdings->exists)
        return take_begun(holdings, out, plan, grid->n_runs);
    ag_results results;
    AG_TRY(ag_results_open(&results, out));
    holdings->numerics = results.grid.numerics;
    ag_status status = compare(holdings, &results, plan, grid->n_runs);
    ag_results_close(&results);
    return status == AG_OK ? take_begun(holdings, out, plan, grid->n_runs) : status;
}

void ag_holdings_close(ag_holdings *holdings)
{
    ag_arena_deinit(&holdings->arena);
}

/* --- as text */

typedef struct counts {
    size_t selected;
    size_t of[AG_HELD_STATES];
    size_t diverged; /* of those that are kept */
    size_t example;  /* a run that recorded less */
    size_t begun;    /* have a checkpoint, at steps from `least` to `most` */
    int64_t least;
    int64_t most;
} counts;

/* Their range says how much of the work is done without listing them. */
static void count_begun(counts *count, int64_t step)
{
    if (step == 0)
        return;
    count->least = count->begun == 0 || step < count->least ? step : count->least;
    count->most = step > count->most ? step : count->most;
    count->begun++;
}

/* "9 to train, 2 of them from step 500" */
static void add_to_train(ag_text *text, const counts *count, size_t kept)
{
    ag_text_printf(text, "%zu to train", count->selected - kept);
    if (count->begun == 0)
        return;
    ag_text_printf(text, ", %zu of them from step %lld", count->begun, (long long)count->least);
    if (count->most > count->least)
        ag_text_printf(text, " to %lld", (long long)count->most);
}

/* Of the selected runs only, as everything in the report. */
static counts count_runs(const ag_holdings *holdings, const ag_grid *grid, const bool *selected)
{
    counts count = {0};
    for (size_t i = 0; i < grid->n_runs; i++) {
        if (!selected[i])
            continue;
        count.selected++;
        count.of[holdings->runs[i].state]++;
        count.diverged += holdings->runs[i].diverged;
        count_begun(&count, holdings->runs[i].step);
        if (holdings->runs[i].state == AG_HELD_LESS)
            count.example = i;
    }
    return count;
}

/* An example is as good as the list: the selector may be copied from it. */
void ag_holdings_warn(ag_text *text, const ag_holdings *holdings, const ag_grid *grid,
                      const bool *selected)
{
    counts count = count_runs(holdings, grid, selected);
    size_t less = count.of[AG_HELD_LESS];
    if (less > 0)
        ag_text_printf(text,
                       "%zu of the kept runs recorded less than %s now asks for; 'run --again SEL' "
                       "trains anew, such as --again %s",
                       less, holdings->runs[count.example].lacks, grid->runs[count.example].id);
}

/* Numbers that add up to the selected runs; orphans apart. */
void ag_holdings_text(ag_text *text, const char *out, const ag_holdings *holdings,
                      const ag_grid *grid, const bool *selected)
{
    counts count = count_runs(holdings, grid, selected);
    size_t kept = count.of[AG_HELD_ALL] + count.of[AG_HELD_LESS];
    if (!holdings->exists && count.begun == 0) {
        ag_text_printf(text, "  in %s: nothing yet\n", out);
        return;
    }
    ag_text_printf(text, "  in %s: %zu kept", out, kept);
    if (count.diverged > 0)
        ag_text_printf(text, " (%zu done, %zu diverged)", kept - count.diverged, count.diverged);
    ag_text_add(text, ", ");
    add_to_train(text, &count, kept);
    if (count.of[AG_HELD_FAILED] > 0)
        ag_text_printf(text, " (%zu failed before)", count.of[AG_HELD_FAILED]);
    if (holdings->n_orphans > 0 && holdings->numerics < grid->numerics)
        ag_text_printf(text,
                       ", %zu orphaned (complete, but made by numerics %" PRId64
                       ", and this altgrad computes numerics %" PRId64 "; they stay)",
                       holdings->n_orphans, holdings->numerics, grid->numerics);
    else if (holdings->n_orphans > 0)
        ag_text_printf(text, ", %zu orphaned (complete, but not in this grid; they stay)",
                       holdings->n_orphans);
    ag_text_add(text, "\n");
    if (count.of[AG_HELD_LESS] > 0)
        ag_text_add(text, "  ");
    ag_holdings_warn(text, holdings, grid, selected);
    if (count.of[AG_HELD_LESS] > 0)
        ag_text_add(text, "\n");
}

/* --- as JSON */

/* Whole ids, which are what --only takes. */
static void add_ids(ag_text *text, const char *name, const ag_holdings *holdings,
                    const ag_grid *grid, const bool *selected, ag_held_state state)
{
    const char *comma = "";
    ag_text_printf(text, ",\"%s\":[", name);
    for (size_t i = 0; i < grid->n_runs; i++) {
        if (!selected[i] || holdings->runs[i].state != state)
            continue;
        ag_text_printf(text, "%s\"%s\"", comma, grid->runs[i].id);
        comma = ",";
    }
    ag_text_add(text, "]");
}

/* The step of each checkpoint that a selected run goes on from. */
static void add_begun(ag_text *text, const ag_holdings *holdings, const ag_grid *grid,
                      const bool *selected)
{
    const char *comma = "";
    ag_text_add(text, ",\"checkpoints\":{");
    for (size_t i = 0; i < grid->n_runs; i++) {
        if (!selected[i] || holdings->runs[i].step == 0)
            continue;
        ag_text_printf(text, "%s\"%s\":%lld", comma, grid->runs[i].id,
                       (long long)holdings->runs[i].step);
        comma = ",";
    }
    ag_text_add(text, "}");
}

void ag_holdings_json(ag_text *text, const char *out, const ag_holdings *holdings,
                      const ag_grid *grid, const bool *selected)
{
    ag_text_add(text, "{\"file\":");
    ag_json_string(text, out);
    add_ids(text, "kept", holdings, grid, selected, AG_HELD_ALL);
    add_ids(text, "recorded_less", holdings, grid, selected, AG_HELD_LESS);
    add_ids(text, "failed", holdings, grid, selected, AG_HELD_FAILED);
    add_ids(text, "new", holdings, grid, selected, AG_HELD_NOT);
    add_begun(text, holdings, grid, selected);
    ag_text_add(text, ",\"orphaned\":[");
    for (size_t i = 0; i < holdings->n_orphans; i++)
        ag_text_printf(text, "%s\"%s\"", i > 0 ? "," : "", holdings->orphans[i]);
    ag_text_add(text, "]}");
}
