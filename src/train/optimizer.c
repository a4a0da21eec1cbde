/* Gradient clipping by global norm, and AdamW over the tensor table. */
#include <math.h>

#include "base/maths.h"
#include "train_internal.h"

double ag_grad_norm(const float *grads, size_t count, const ag_kernels *k)
{
    return sqrt(k->sum_squares(grads, count));
}

/* limit / (norm + 1e-6), as torch.nn.utils.clip_grad_norm_. */
double ag_clip_factor(double norm, double limit)
{
    double factor = limit / (norm + 1e-6);
    return limit > 0.0 && factor < 1.0 ? factor : 1.0;
}

void ag_optimizer_step(ag_train_state *state, const ag_optimizer_spec *spec,
                       const ag_update *update, const ag_kernels *k)
{
    double t = (double)++state->updates;
    ag_adamw_step step = {
        .lr = (float)update->lr,
        .beta1 = (float)spec->betas[0],
        .beta2 = (float)spec->betas[1],
        .eps = (float)spec->eps,
        .correction1 = (float)(1.0 - ag_pow(spec->betas[0], t)),
        .correction2 = (float)(1.0 - ag_pow(spec->betas[1], t)),
        .grad_scale = (float)update->grad_scale,
    };
    for (size_t i = 0; i < state->tensors.count; i++) {
        const ag_tensor *tensor = &state->tensors.rows[i];
        size_t at = tensor->offset;
        step.decay = tensor->decayed ? (float)(update->lr * spec->weight_decay) : 0.0f;
        k->adamw(state->weights + at, state->m + at, state->v + at, update->grads + at,
                 tensor->count, &step);
    }
}
