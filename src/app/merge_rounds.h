/* The grid that joined results hold where seeds come in rounds: a seed that no round asks for is no
 * run of theirs, as `altgrad run` would have it. */
#ifndef AG_APP_MERGE_ROUNDS_H
#define AG_APP_MERGE_ROUNDS_H

#include "results/results.h"
#include "run/grid.h"

/* `asked` [labels of `whole`], of the arena: what the joined results hold. `held` is the grid of
 * it, and shares memory with `whole` and the arena. At first the seeds of the first round, and
 * those that are complete in one of parts [n_parts]. */
ag_status ag_merge_rounds_begin(ag_grid *held, bool **asked, const ag_grid *whole,
                                const ag_results *parts, size_t n_parts, ag_arena *arena);

/* Adds what the rounds ask for by the results at `path`, which hold `held`. */
ag_status ag_merge_rounds_go_on(ag_grid *held, bool *asked, const ag_grid *whole, const char *path,
                                ag_arena *arena);

#endif
