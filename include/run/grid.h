/* The grid of an experiment: the runs to train and the labels under which each is known. config
 * makes it from the experiment file; the store writes it into the results; plan and run read it. */
#ifndef AG_RUN_GRID_H
#define AG_RUN_GRID_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "base/text.h"
#include "run/run.h"

typedef enum ag_axis_type { AG_AXIS_TEXT, AG_AXIS_INT, AG_AXIS_REAL } ag_axis_type;

typedef struct ag_axis {
    const char *name; /* "format", "layers", "optimizer.lr", "size", "seed", in this order */
    ag_axis_type type;
} ag_axis;

typedef struct ag_axis_value {
    const char *text; /* always set: the value as a user would write it */
    int64_t integer;  /* AG_AXIS_INT */
    double real;      /* AG_AXIS_REAL */
} ag_axis_value;

/* One combination of the grid. */
typedef struct ag_label {
    size_t run;                  /* index into ag_grid.runs */
    const ag_axis_value *values; /* [n_axes] */
} ag_label;

typedef struct ag_compare {
    const ag_axis_value *baseline; /* [n_axes]; text NULL where the axis is not named */
    const char *metric;            /* "final_val_loss" */
    double margin;
    ag_family family;
} ag_compare;

typedef struct ag_grid {
    const char *name; /* of the experiment */
    const char *yaml; /* its text */
    size_t n_axes;
    const ag_axis *axes;
    size_t n_runs;
    ag_run *runs; /* unique ids */
    size_t n_labels;
    const ag_label *labels; /* labels of a run are not adjacent; the first is the run's own name */
    ag_compare compare;
    int64_t numerics; /* the version that the ids are of: from 1 to AG_NUMERICS_VERSION */
} ag_grid;

/* The grid as one JSON text and back: the store keeps it beside the runs, so that packing and the
 * summary need no experiment file. Strings go to the arena. */
void ag_grid_to_json(ag_text *text, const ag_grid *grid);
ag_status ag_grid_from_json(ag_grid *grid, const char *text, size_t size, ag_arena *arena);

#endif
