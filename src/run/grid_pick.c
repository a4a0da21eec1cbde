/* A part of a grid: of an experiment whose seeds are added in rounds, what is asked for so far. */
#include "run/grid.h"

enum { UNUSED = 0 };

/* places[r]: 1 + where run r of the grid is in the part. */
static size_t place_runs(size_t *places, const ag_grid *grid, const bool *labels)
{
    size_t n_runs = 0;
    for (size_t i = 0; i < grid->n_labels; i++) {
        if (labels[i])
            places[grid->labels[i].run] = 1;
    }
    for (size_t r = 0; r < grid->n_runs; r++) {
        if (places[r] != UNUSED)
            places[r] = ++n_runs;
    }
    return n_runs;
}

ag_status ag_grid_pick(ag_grid *part, const ag_grid *grid, const bool *labels, ag_arena *arena)
{
    *part = *grid;
    size_t *places = ag_arena_alloc(arena, (grid->n_runs + 1) * sizeof *places);
    ag_label *picked = ag_arena_alloc(arena, (grid->n_labels + 1) * sizeof *picked);
    part->runs = ag_arena_alloc(arena, (grid->n_runs + 1) * sizeof *part->runs);
    part->labels = picked;
    if (places == NULL || picked == NULL || part->runs == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory for the grid");
    for (size_t r = 0; r < grid->n_runs; r++)
        places[r] = UNUSED;
    part->n_runs = place_runs(places, grid, labels);
    part->n_labels = 0;
    for (size_t r = 0; r < grid->n_runs; r++) {
        if (places[r] != UNUSED)
            part->runs[places[r] - 1] = grid->runs[r];
    }
    for (size_t i = 0; i < grid->n_labels; i++) {
        if (labels[i])
            picked[part->n_labels++] =
                (ag_label){places[grid->labels[i].run] - 1, grid->labels[i].values};
    }
    return AG_OK;
}
