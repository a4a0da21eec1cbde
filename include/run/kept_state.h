/* The state of a run between two steps: all that the steps after it depend on beside what the run
 * is. A run keeps it where output.states asks for it, and others begin with it. */
#ifndef AG_RUN_KEPT_STATE_H
#define AG_RUN_KEPT_STATE_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "run/run.h"
#include "run/tensors.h"

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

enum { AG_KEPT_CURVES = 16 }; /* no fewer than the series of a record */

/* A state that a run begins with. */
typedef struct ag_start {
    ag_kept_state state;
    ag_run run;   /* that kept it, with the precision of the step before throughout */
    bool *parted; /* of each layer and site, by role: both uses have a history, each its own */
    const void *curves[AG_KEPT_CURVES]; /* the record's series over steps, up to its own */
} ag_start;

/* Fills in how many scales and amaxes a state of the run, which has one phase, holds. */
void ag_kept_sizes(ag_kept_state *sizes, const ag_run *run);

/* Fills in `parted`, in the arena, once all else is there, and makes it start->run's own state. */
ag_status ag_kept_complete(ag_start *start, ag_arena *arena);

bool ag_kept_has_parted(const ag_start *start, bool is_site, size_t index, ag_role role);

/* Of all that the steps after it depend on: steps and updates, weights, moments, what storing lost,
 * and the scales and histories of the operands that keep them, each with its scheme. */
ag_status ag_kept_digest(char hex[AG_DIGEST_LENGTH + 1], const ag_start *start,
                         const ag_tensor_table *tensors);

#endif
