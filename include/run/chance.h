/* Which runs differ by their seed. */
#ifndef AG_RUN_CHANCE_H
#define AG_RUN_CHANCE_H

#include <stdbool.h>

#include "run/run.h"

/* Whether a random number that the run's own seed decides has a part in its result: initial
 * weights, the order of the data, dropout, stochastic rounding. Runs in which none has are the same
 * under every seed, and no replicates of each other. The run has its layers and, where
 * model.init.file is set, its init_digest. */
bool ag_run_draws(const ag_run *run);

#endif
