/* Kernels of a model's layers but for attention: forward, then backward in the same order of
 * arguments. Shapes and what is said of arrays: kernels.h. */
#ifndef AG_KERNELS_LAYER_KERNELS_H
#define AG_KERNELS_LAYER_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* x [N, C] = wte[token] + wpe[position]; wpe may be NULL */
typedef void ag_embedding_forward_fn(float *restrict x, const int32_t *tokens,
                                     const float *restrict wte, const float *restrict wpe, size_t B,
                                     size_t T, size_t C);
/* dwte [V, C] +=, dwpe [T, C] += or NULL, rows visited in the order of the tokens */
typedef void ag_embedding_backward_fn(float *restrict dwte, float *restrict dwpe,
                                      const float *restrict dx, const int32_t *tokens, size_t B,
                                      size_t T, size_t C);

/* A norm of rows: layernorm where it is centred, rmsnorm (Zhang and Sennrich, arXiv 1910.07467)
 * where it is not, whose mean counts as 0. */
typedef struct ag_norm_form {
    const float *weight; /* [C], or NULL: ones */
    const float *bias;   /* [C], or NULL */
    float eps;
    bool centred;
} ag_norm_form;

/* out [N, C] = (x - mean) * rstd * weight + bias, rstd = 1 / sqrt(mean of (x - mean)^2 + eps);
 * mean, rstd [N] */
typedef void ag_norm_forward_fn(float *restrict out, float *restrict mean, float *restrict rstd,
                                const float *restrict x, const ag_norm_form *form, size_t N,
                                size_t C);

typedef struct ag_norm_grads {
    float *dx;      /* [N, C] += : the residual stream's gradient */
    float *dweight; /* [C] +=, or NULL */
    float *dbias;   /* [C] +=, or NULL */
} ag_norm_grads;
typedef void ag_norm_backward_fn(const ag_norm_grads *grads, const float *restrict dout,
                                 const float *restrict x, const ag_norm_form *form,
                                 const float *restrict mean, const float *restrict rstd, size_t N,
                                 size_t C);

/* What turns heads by their token's position (Su et al., arXiv 2104.09864): channel j with channel
 * j + half of each head, j < half, by the angle whose cosine and sine are those of (t, j), t = row
 * % T. Forward; or back by the same angle, which is the gradient. */
typedef struct ag_rotation {
    const float *cosines; /* [T, half] */
    const float *sines;
    size_t T, D, half; /* 0: nothing turns */
    bool back;
    bool bf16; /* results are rounded to BF16; back: what is turned, before */
} ag_rotation;

/* Heads side by side in rows that are `step` apart. */
typedef struct ag_heads {
    float *at;
    size_t step;
} ag_heads;

/* out [N, heads * D] = the turned x, which may be out itself */
typedef void ag_rotate_fn(ag_heads out, ag_heads x, size_t N, size_t heads,
                          const ag_rotation *rotation);

/* dbias [OC] += sum over N of dout [N, OC] */
typedef void ag_bias_backward_fn(float *restrict dbias, const float *restrict dout, size_t N,
                                 size_t OC);

/* GELU, exact: x * Phi(x); tanh: Hendrycks and Gimpel's approximation (arXiv 1606.08415) */
typedef void ag_gelu_forward_fn(float *restrict out, const float *restrict x, size_t count,
                                bool tanh_form);
/* dx = dout * gelu'(x); dx may be dout */
typedef void ag_gelu_backward_fn(float *dx, const float *dout, const float *restrict x,
                                 size_t count, bool tanh_form);

/* relu2: out = max(x, 0)^2 (So et al., arXiv 2109.08668) */
typedef void ag_relu2_forward_fn(float *restrict out, const float *restrict x, size_t count);
/* dx = dout * 2 max(x, 0); dx may be dout */
typedef void ag_relu2_backward_fn(float *dx, const float *dout, const float *restrict x,
                                  size_t count);

/* What swiglu reads, or the gradients of that: rows of F elements, `step` apart. */
typedef struct ag_gated {
    float *gate;
    float *up;
    size_t step;
} ag_gated;

/* out [N, F] = silu(gate) * up, silu(x) = x / (1 + exp(-x)) (Shazeer, arXiv 2002.05202) */
typedef void ag_swiglu_forward_fn(float *restrict out, const ag_gated *in, size_t N, size_t F);
/* d.gate = dout * up * silu'(gate), d.up = dout * silu(gate); d.up may be dout where step is F */
typedef void ag_swiglu_backward_fn(const ag_gated *d, const float *dout, const ag_gated *in,
                                   size_t N, size_t F);

/* x *= factor */
typedef void ag_amplify_fn(float *x, size_t count, float factor);

/* y = a y + b x */
typedef void ag_blend_fn(float *restrict y, const float *restrict x, size_t count, float a,
                         float b);

/* losses [N] = -log softmax(logits [N, V])[target]; logits become (softmax - onehot) * scale */
typedef void ag_cross_entropy_fn(float *restrict logits, float *restrict losses,
                                 const int32_t *targets, size_t N, size_t V, float scale);
/* losses alone; logits stay */
typedef void ag_cross_entropy_loss_fn(float *restrict losses, const float *restrict logits,
                                      const int32_t *targets, size_t N, size_t V);

/* What lies between the logits y of the linear layer and their loss: z = cap * tanh(scale * y /
 * cap), or scale * y where cap is 0; and z_loss * ln(sum exp z)^2 beside the loss (Chowdhery et
 * al., arXiv 2204.02311, 5). */
typedef struct ag_logits_form {
    float scale, cap, z_loss;
} ag_logits_form;

/* y [count] becomes z */
typedef void ag_logits_forward_fn(float *y, size_t count, const ag_logits_form *form);
/* z [N, V] becomes scale times the gradient of y of the losses and z_loss */
typedef void ag_logits_backward_fn(float *restrict z, const int32_t *targets, size_t N, size_t V,
                                   float scale, const ag_logits_form *form);

/* x = keep ? x * fl(1 / (1 - p)) : 0, keep from Philox(key, index, place, step), index = first +
 * i. Serves the forward and, with the same arguments, the backward pass. */
typedef void ag_dropout_fn(float *x, size_t count, float p, uint64_t key, uint32_t place,
                           uint32_t step, uint64_t first);

/* y += x */
typedef void ag_add_fn(float *restrict y, const float *restrict x, size_t count);

/* y = x */
typedef void ag_duplicate_fn(float *restrict y, const float *restrict x, size_t count);

#endif
