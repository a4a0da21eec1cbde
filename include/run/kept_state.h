/* The state of a run between two steps: all that the steps after it depend on beside what the run
 * is. A run keeps it where output.states asks for it, and others begin with it. */
#ifndef AG_RUN_KEPT_STATE_H
#define AG_RUN_KEPT_STATE_H

#include <stddef.h>
#include <stdint.h>

#include "run/run.h"

/* What of an operand's scale outlives a step. */
typedef struct ag_scale {
    int64_t pushed; /* amaxes pushed so far */
    float value;    /* S in force under delayed scaling */
} ag_scale;

/* Scales and histories are in the order of the layers and then of the sites, if any is on; in each
 * by role (of a site, tensor) and use. They are those of the phase of the step before: where one
 * quantised copy serves both uses, the second use has none. */
typedef struct ag_kept_state {
    int64_t step;    /* steps trained */
    int64_t updates; /* of them, those that changed the weights */
    float *weights;  /* [tensors.total], in the layout of the table, like the next */
    float *m;
    float *v;    /* Adam's; NULL: none */
    float *lost; /* kahan's c; NULL: none */
    size_t n_scales;
    ag_scale *scales;
    size_t n_amaxes;
    float *amaxes;
} ag_kept_state;

#endif
