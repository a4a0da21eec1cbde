/* The optimizers over all tensors of the model, and the learning rate. */
#ifndef AG_TRAIN_OPTIMIZER_H
#define AG_TRAIN_OPTIMIZER_H

#include <stddef.h>
#include <stdint.h>

#include "run/schedule.h"
#include "train_state.h"

/* The global 2-norm of the gradient. */
double ag_grad_norm(const float *grads, size_t count, const ag_kernels *k);

/* What the gradient is multiplied by so that its norm is at most `limit` (0: no limit). */
double ag_clip_factor(double norm, double limit);

typedef struct ag_update {
    const float *grads;
    double lr;
    double adamw_lr; /* of muon's AdamW */
    double grad_scale;
    uint64_t rounding_key;
    const ag_pass *pass; /* of this step, where weights are stored in a format; else NULL */
} ag_update;

/* Before the first step, once there are weights: they become what their stores hold of them,
 * rounded to nearest, and the scales of grids that do not change are set. Not those of tensors of
 * which goes_on [tensors.count] says that they go on as they are; NULL: none does. */
void ag_optimizer_begin(ag_train_state *state, const ag_optimizer_spec *spec, const bool *goes_on,
                        const ag_kernels *k);

/* One step, of the number state->step; counts it in state->updates. */
void ag_optimizer_step(ag_train_state *state, const ag_optimizer_spec *spec,
                       const ag_update *update, const ag_kernels *k);

#endif
