/* Kernels that update the weights of one tensor from its gradient, one for each optimizer. */
#ifndef AG_KERNELS_UPDATES_H
#define AG_KERNELS_UPDATES_H

#include <stddef.h>

#include "numerics/quantize.h"
#include "products/products.h"

/* Every constant of an update is computed in double from the settings and rounded to float32 once,
 * as PyTorch's Python side does: 1 - beta, lr * weight decay, both bias corrections, the factor of
 * clipping, and lr itself, which the schedule gives in double. 1 - beta of a float32 beta would be
 * off by up to 2^-25 / (1 - beta) of itself, in every step alike. */
typedef struct ag_adamw_step {
    float lr;
    float beta1, beta2;   /* what the moments keep, */
    float fresh1, fresh2; /* and 1 - beta, what they take of the gradient and its square */
    float eps;
    float decay;       /* lr * weight decay; 0 for tensors that are not decayed */
    float correction1; /* 1 - beta1^t */
    float correction2; /* 1 - beta2^t */
    float grad_scale;  /* of clipping */
} ag_adamw_step;
/* g = grad * grad_scale; m = beta1 * m + fresh1 * g; v = beta2 * v + fresh2 * g * g;
 * w = w - decay * w - lr * mhat / (sqrt(vhat) + eps)
 * (Loshchilov and Hutter, arXiv 1711.05101, as torch.optim.AdamW orders it) */
typedef void ag_adamw_fn(float *restrict w, float *restrict m, float *restrict v,
                         const float *restrict grad, size_t count, const ag_adamw_step *step);

/* Where weights lie on a grid. With e = floor(log2 |w * scale|) held between lowest and highest,
 * the distance from w to the next value is 2^e * unit, in the unit that the caller likes. */
typedef struct ag_spacing {
    float scale;
    int lowest; /* emin: subnormal numbers lie as close as the first normal ones; all do if E = 0 */
    int highest; /* emax */
    float unit;
} ag_spacing;
/* The same with g = grad * grad_scale * spacing(w). */
typedef void ag_manifold_adamw_fn(float *restrict w, float *restrict m, float *restrict v,
                                  const float *restrict grad, size_t count,
                                  const ag_adamw_step *step, const ag_spacing *spacing);

typedef struct ag_sgd_step {
    float lr;
    float momentum;
    float decay; /* lr * weight decay; 0 for tensors that are not decayed */
    float grad_scale;
} ag_sgd_step;
/* v = momentum * v + grad * grad_scale; w = w - decay * w - lr * v: torch.optim.SGD (dampening 0,
 * no Nesterov), but with decoupled decay (SGDW of arXiv 1711.05101) where torch adds wd * w to grad
 */
typedef void ag_sgd_fn(float *restrict w, float *restrict v, const float *restrict grad,
                       size_t count, const ag_sgd_step *step);

typedef struct ag_lion_step {
    float lr;
    float beta1, fresh1; /* of the momentum whose sign is taken, */
    float beta2, fresh2; /* and of the one that is kept; 1 - beta as in ag_adamw_step */
    float decay;         /* lr * weight decay; 0 for tensors that are not decayed */
    float grad_scale;
} ag_lion_step;
/* g = grad * grad_scale; c = beta1 * m + fresh1 * g; w = w - decay * w - lr * sign(c), sign(0) = 0;
 * m = beta2 * m + fresh2 * g (Chen et al., arXiv 2302.06675) */
typedef void ag_lion_fn(float *restrict w, float *restrict m, const float *restrict grad,
                        size_t count, const ag_lion_step *step);

typedef struct ag_momentum_step {
    float momentum;
    float fresh; /* 1 - momentum, as in ag_adamw_step */
    bool nesterov;
    float grad_scale;
} ag_momentum_step;
/* g = grad * grad_scale; m = momentum * m + fresh * g; u = m, or fresh * g + momentum * m with
 * nesterov: what Muon makes orthogonal */
typedef void ag_momentum_fn(float *restrict u, float *restrict m, const float *restrict grad,
                            size_t count, const ag_momentum_step *step);

/* Of weights stored in a format that keeps what storing loses (Kahan): w holds minus the step from
 * `before`, c what was lost.
 *
 *   y = c + (-(decay * before) + w);   w = before + y, still to be stored;   c = y
 */
typedef void ag_kahan_step_fn(float *restrict w, float *restrict c, const float *restrict before,
                              size_t count, float decay);

/* Once w is stored: c = BF16(c - (w - before)) */
typedef void ag_kahan_keep_fn(float *restrict c, const float *restrict w,
                              const float *restrict before, size_t count);

typedef struct ag_eco_step {
    float factor;      /* k */
    float correction2; /* of Adam: 1 - beta2^t, */
    float eps;
} ag_eco_step;
/* m += k * (sqrt(v / correction2) + eps) * (wanted - w), w being `wanted` as it was stored; without
 * the root where v is NULL (arXiv 2601.22101, algorithm 3) */
typedef void ag_eco_fn(float *restrict m, const float *restrict v, const float *restrict wanted,
                       const float *restrict w, size_t count, const ag_eco_step *step);

/* w = w - decay * w - rate * u */
typedef void ag_descend_fn(float *restrict w, const float *restrict u, size_t count, float rate,
                           float decay);

/* A product of the optimizer's own: products/products.h. */
typedef void ag_update_product_fn(const ag_product *product);

typedef struct ag_grid_step {
    const ag_format *format;
    float scale; /* a power of two: weights are the format's values divided by it */
    float momentum;
    float grad_scale;
    float rungs_per_velocity; /* lr / the spacing at the largest weight */
    float decay;              /* lr * weight decay */
    float rung_clip;          /* most rungs per step, below 2^16 */
} ag_grid_step;
/* A rung is one step from a value of the format to the next. With w on its nearest rung,
 *
 *   v = momentum * v + grad * grad_scale;   u = rungs_per_velocity * v + decay * w / spacing(w)
 *   w = the value that lies u rungs below, |u| held to rung_clip and rounded stochastically
 *
 * and no further than the largest value. Element i takes word i of `where`. */
typedef void ag_grid_fn(float *restrict w, float *restrict v, const float *restrict grad,
                        size_t count, const ag_grid_step *step, const ag_rounding_site *where);

#endif
