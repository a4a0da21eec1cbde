/* --only and --again: which runs of a grid are meant. */
#ifndef AG_CONFIG_SELECT_H
#define AG_CONFIG_SELECT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "run/grid.h"

/* Sets selected[run] for every run of the grid that all `selectors` hold for: "axis=value[,value]"
 * (on any label of the run) or the beginning of a run id. No selectors select everything.
 * AG_ERR_INPUT when one names no axis or no value of the grid (suggests the nearest). */
ag_status ag_select_runs(bool *selected, const ag_grid *grid, const char *const *selectors,
                         size_t n_selectors);

#endif
