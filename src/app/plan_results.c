/* What the results already hold of a plan. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/commands.h"
#include "plan.h"
#include "store/results.h"

typedef struct holdings {
    size_t kept;
    size_t less;   /* of them, those that recorded less than is asked for now */
    size_t failed; /* pending again */
    size_t orphaned;
} holdings;

typedef struct planned {
    const ag_run *run;
    bool selected;
} planned;

static int by_id(const void *a, const void *b)
{
    return strcmp(((const planned *)a)->run->id, ((const planned *)b)->run->id);
}

/* Whether `asked` wants weights or evaluations that a run trained as `held` did not leave. */
static bool asks_for_more(const ag_run *asked, const ag_run *held)
{
    if (asked->output.weights > held->output.weights)
        return true;
    int64_t every = asked->eval.every;
    return every != 0 && (held->eval.every == 0 || every % held->eval.every != 0);
}

/* Row `row` of the results, against the plan (sorted by id). */
static void count_row(holdings *count, const ag_results *results, size_t row, const planned *plan,
                      size_t n_plan)
{
    const ag_result_row *held = &results->rows[row];
    bool complete = held->status == AG_RUN_DONE || held->status == AG_RUN_DIVERGED;
    ag_run wanted;
    memcpy(wanted.id, held->id, sizeof wanted.id);
    const planned key = {.run = &wanted};
    const planned *found = bsearch(&key, plan, n_plan, sizeof *plan, by_id);
    if (found == NULL) {
        count->orphaned += complete;
        return;
    }
    if (!found->selected)
        return;
    count->failed += held->status == AG_RUN_FAILED;
    count->kept += complete;
    if (complete && row < results->grid.n_runs)
        count->less += asks_for_more(found->run, &results->grid.runs[row]);
}

static void add_holdings(ag_text *text, const char *out, const holdings *count, size_t n_selected)
{
    ag_text_printf(text, "  in %s: %zu kept", out, count->kept);
    if (count->less > 0)
        ag_text_printf(text, " (%zu recorded less than now asked: 'run --again' retrains)",
                       count->less);
    ag_text_printf(text, ", %zu to train", n_selected - count->kept);
    if (count->failed > 0)
        ag_text_printf(text, " (%zu failed before)", count->failed);
    if (count->orphaned > 0)
        ag_text_printf(text, ", %zu orphaned (complete, but not in this grid; they stay)",
                       count->orphaned);
    ag_text_add(text, "\n");
}

ag_status ag_plan_results(ag_text *text, const char *out, const ag_grid *grid, const bool *selected)
{
    if (access(out, F_OK) != 0) {
        ag_text_printf(text, "  in %s: nothing yet\n", out);
        return AG_OK;
    }
    ag_results results;
    AG_TRY(ag_results_open(&results, out));
    holdings count = {0};
    size_t n_selected = 0;
    planned *plan = ag_arena_alloc(&results.arena, (grid->n_runs + 1) * sizeof *plan);
    if (plan != NULL) {
        for (size_t i = 0; i < grid->n_runs; i++) {
            plan[i] = (planned){&grid->runs[i], selected[i]};
            n_selected += selected[i];
        }
        qsort(plan, grid->n_runs, sizeof *plan, by_id);
        for (size_t row = 0; row < results.n_rows; row++)
            count_row(&count, &results, row, plan, grid->n_runs);
        add_holdings(text, out, &count, n_selected);
    }
    ag_results_close(&results);
    return plan != NULL ? AG_OK : ag_fail(AG_ERR_SYSTEM, "out of memory");
}
