/* --only and --again: which runs of a grid are meant. */
#ifndef AG_CONFIG_SELECT_H
#define AG_CONFIG_SELECT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "run/grid.h"

/* Sets selected[label] [n_labels] for every label of the grid that all `selectors` hold for:
 * "axis=value[,value]" or the beginning of a run id. No selectors select everything. AG_ERR_INPUT
 * when one names no axis or no value of the grid (suggests the nearest). */
ag_status ag_select_labels(bool *selected, const ag_grid *grid, const char *const *selectors,
                           size_t n_selectors);

/* The same for runs [n_runs]: a run is selected if any of its labels is. */
ag_status ag_select_runs(bool *selected, const ag_grid *grid, const char *const *selectors,
                         size_t n_selectors);

#endif
