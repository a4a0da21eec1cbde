/* The grid that joined results hold where seeds come in rounds: a seed that no round asks for is no
 * run of theirs, as `altgrad run` would have it. */
#ifndef AG_APP_MERGE_ROUNDS_H
#define AG_APP_MERGE_ROUNDS_H

#include "results/results.h"
#include "run/grid.h"

/* Of `whole`, the seeds of the first round, and those that are complete in one of parts [n_parts].
 * `held` shares memory with the grid and the arena. */
ag_status ag_merge_rounds_begin(ag_grid *held, const ag_grid *whole, const ag_results *parts,
                                size_t n_parts, ag_arena *arena);

/* Adds to `held` what the rounds ask for by the results at `path`, which hold it. */
ag_status ag_merge_rounds_go_on(ag_grid *held, const ag_grid *whole, const char *path,
                                ag_arena *arena);

#endif
