/* What runs are called where people read. */
#ifndef AG_APP_RUN_NAMES_H
#define AG_APP_RUN_NAMES_H

#include "config/experiment.h"

/* The values that tell the runs apart, one text per run; NULL when memory runs out. */
const char **ag_run_names(const ag_grid *grid, ag_arena *arena);

#endif
