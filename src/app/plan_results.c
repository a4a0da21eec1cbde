/* What the results already hold of a plan. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/commands.h"
#include "plan.h"
#include "spec/run_json.h"
#include "store/results.h"

typedef struct holdings {
    size_t kept;
    size_t less;       /* of them, those that recorded less than is asked for now */
    const char *lacks; /* a setting of the last of these */
    size_t failed;     /* pending again */
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
    const char *lacks = complete ? ag_run_lacks(held->recorded, found->run) : NULL;
    count->less += lacks != NULL;
    count->lacks = lacks != NULL ? lacks : count->lacks;
}

static void add_holdings(ag_text *text, const char *out, const holdings *count, size_t n_selected)
{
    ag_text_printf(text, "  in %s: %zu kept", out, count->kept);
    if (count->less > 0)
        ag_text_printf(text,
                       " (%zu recorded less than %s asks for now: 'run --again SEL' retrains)",
                       count->less, count->lacks);
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
