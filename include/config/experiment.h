/* The experiment file: YAML in, checked grid out. */
#ifndef AG_CONFIG_EXPERIMENT_H
#define AG_CONFIG_EXPERIMENT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "base/text.h"
#include "run/grid.h"

typedef struct ag_experiment ag_experiment;

/* Initial weights. */
typedef struct ag_init_weights {
    char run[AG_ID_LENGTH + 1]; /* whose they are; "" unless it was named by its labels */
    char digest[AG_DIGEST_LENGTH + 1];
} ag_init_weights;

/* Finds the initial weights that run->model.init_* name: reading results files is the caller's,
 * config knows none. Labels (init_where) name a seed, too. */
typedef ag_status (*ag_init_find)(ag_init_weights *found, const ag_run *run, void *context);

/* A state to begin with. */
typedef struct ag_start_found {
    char run[AG_ID_LENGTH + 1]; /* that kept it, */
    int64_t step;               /* after this step */
    char digest[AG_DIGEST_LENGTH + 1];
    int64_t optimizer; /* ag_optimizer_type: whose moments it has */
    bool has_lost;     /* and whether kahan's sums are there */
} ag_start_found;

/* Finds the state that run->train.start_* name, for the tensors of run->model. */
typedef ag_status (*ag_start_find)(ag_start_found *found, const ag_run *run, void *context);

typedef struct ag_experiment_options {
    const char *const *sets; /* "key=value", borrowed during the call */
    size_t n_sets;
    ag_init_find find_init;   /* NULL: model.init is refused */
    ag_start_find find_start; /* NULL: train.start is refused */
    void *context;            /* of both */
} ag_experiment_options;

/* Reads, checks and expands the experiment file at `path`, with options->sets laid over it; NULL
 * options are all zero. Every mistake found in one pass, at most 20, is appended to `diagnostics`
 * in the form file:line:col: error: ... with the source line and a caret; warnings likewise.
 * AG_ERR_INPUT when there was an error, with a count as its message. */
ag_status ag_experiment_load(ag_experiment **out, const char *path,
                             const ag_experiment_options *options, ag_text *diagnostics);

/* Reads the code tables of the experiment file at `path`, which have their names in numerics from
 * then on. Nothing else is read of it, so that neither its data nor its weights need be here.
 * Diagnostics as above; AG_ERR_INPUT also where it defines no tables. */
ag_status ag_experiment_tables(const char *path, ag_text *diagnostics);

/* NULL is fine. */
void ag_experiment_destroy(ag_experiment *experiment);

/* The expanded grid: unique runs, resolved and identified, and all their labels. Borrowed. */
const ag_grid *ag_experiment_grid(const ag_experiment *experiment);

/* Number of warnings that ag_experiment_load appended. */
size_t ag_experiment_warnings(const ag_experiment *experiment);

/* How the grid came about. */
typedef struct ag_experiment_counts {
    size_t multiplied; /* product of all axes */
    size_t excluded;
    size_t included; /* added by include */
    size_t folded;   /* labels beyond the first of their run */
    size_t seeds;    /* of these, those that differ in a seed which has no part in the run */
} ag_experiment_counts;

ag_experiment_counts ag_experiment_counted(const ag_experiment *experiment);

/* The points of an axis of the grid, in order; returns how many, `values` in the arena. */
size_t ag_experiment_axis_points(const ag_experiment *experiment, size_t axis,
                                 const ag_axis_value **values, ag_arena *arena);

#endif
