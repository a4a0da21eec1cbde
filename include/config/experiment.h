/* The experiment file: YAML in, checked grid out. */
#ifndef AG_CONFIG_EXPERIMENT_H
#define AG_CONFIG_EXPERIMENT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "base/text.h"
#include "spec/grid.h"

typedef struct ag_experiment ag_experiment;

/* Reads, checks and expands the experiment file at `path`, with `sets` ("key=value") laid over it.
 * Every mistake found in one pass, at most 20, is appended to `diagnostics` in the form
 * file:line:col: error: ... with the source line and a caret; warnings likewise. AG_ERR_INPUT when
 * there was an error, with a count as its message. */
ag_status ag_experiment_load(ag_experiment **out, const char *path, const char *const *sets,
                             size_t n_sets, ag_text *diagnostics);
void ag_experiment_destroy(ag_experiment *experiment);

/* The expanded grid: unique runs, resolved and identified, and all their labels. Borrowed. */
const ag_grid *ag_experiment_grid(const ag_experiment *experiment);

/* Number of warnings that ag_experiment_load appended. */
size_t ag_experiment_warnings(const ag_experiment *experiment);

#endif
