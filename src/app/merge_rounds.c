/* Nothing complete is left out, so that one look at the joined results finds all that is asked for.
 */
#include "merge_rounds.h"

#include "rounds.h"

static bool is_complete(const char *id, const ag_results *parts, size_t n_parts)
{
    for (size_t part = 0; part < n_parts; part++) {
        const ag_result_row *row = ag_results_row(&parts[part], id);
        if (row != NULL && ag_run_status_is_complete(row->status))
            return true;
    }
    return false;
}

ag_status ag_merge_rounds_begin(ag_grid *held, bool **asked, const ag_grid *whole,
                                const ag_results *parts, size_t n_parts, ag_arena *arena)
{
    *asked = ag_arena_alloc(arena, (whole->n_labels + 1) * sizeof **asked);
    if (*asked == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory for the rounds");
    for (size_t i = 0; i < whole->n_labels; i++) {
        const ag_label *label = &whole->labels[i];
        (*asked)[i] = ag_label_seed(whole, label) < whole->seeds.from ||
                      is_complete(whole->runs[label->run].id, parts, n_parts);
    }
    return ag_grid_pick(held, whole, *asked, arena);
}

/* Each cell has seed 0, which is held. */
static bool is_asked(const ag_summary *summary, const ag_rounds *rounds, const ag_label *label)
{
    const ag_grid *grid = &summary->results->grid;
    for (size_t cell = 0; cell < summary->n_cells; cell++) {
        if (ag_summary_agree(summary, summary->cells[cell].label, label, grid->n_axes))
            return ag_label_seed(grid, label) < (int64_t)rounds->asked[cell];
    }
    return false;
}

static ag_status ask(bool *asked, const ag_grid *whole, const ag_results *results)
{
    ag_summary summary;
    ag_rounds rounds;
    AG_TRY(ag_summary_make(&summary, results, NULL));
    ag_status status = ag_rounds_find(&rounds, &summary);
    for (size_t i = 0; status == AG_OK && i < whole->n_labels; i++)
        asked[i] = asked[i] || is_asked(&summary, &rounds, &whole->labels[i]);
    ag_summary_deinit(&summary);
    return status;
}

ag_status ag_merge_rounds_go_on(ag_grid *held, bool *asked, const ag_grid *whole, const char *path,
                                ag_arena *arena)
{
    ag_results results;
    AG_TRY(ag_results_open(&results, path));
    ag_status status = ask(asked, whole, &results);
    ag_results_close(&results);
    return status == AG_OK ? ag_grid_pick(held, whole, asked, arena) : status;
}
