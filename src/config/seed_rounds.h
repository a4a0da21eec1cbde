/* seeds: {from: 3, until: decided, at_most: 20}: seeds that are added in rounds. */
#ifndef AG_CONFIG_SEED_ROUNDS_H
#define AG_CONFIG_SEED_ROUNDS_H

#include "config_internal.h"

/* Whether a mapping that `seeds` is means this rather than {from: 10, count: 6}. */
bool ag_config_rounds_are_meant(const ag_node *map);

/* Fills the axis and experiment->grid.seeds. */
void ag_config_rounds_read(ag_axis_points *axis, ag_experiment *experiment, const ag_node *map);

/* What contradicts it elsewhere in the file; once all else is read. */
void ag_config_rounds_check(ag_experiment *experiment);

#endif
