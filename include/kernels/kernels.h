/* The arithmetic of a training step as pure functions on arrays: no allocation, no output, no
 * state. Each exists twice with one signature: a plain version, one thread and one value after the
 * other, and a fast one. Both give the same bits (but for singular values); every sum has a fixed
 * order that depends on shapes alone.
 *
 * Most plain versions read as their formula. They are not the last judge, though: many are the same
 * loop as the fast version, compiled for fewer vectors, and some share their arithmetic with it.
 * That judge is arithmetic in double, from outside: tests/kernels/test_kernel_values.c.
 *
 * Shapes: B sequences, T tokens, N = B * T, C channels, OC output channels, H heads, V symbols.
 * Arrays are row-major float32, do not overlap unless said, and hold `count` elements where no
 * shape is given. `+=` marks what is accumulated into. The optimizers' kernels are in updates.h. */
#ifndef AG_KERNELS_KERNELS_H
#define AG_KERNELS_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/kernel_list.h"
#include "kernels/rounding.h"
#include "kernels/updates.h"
#include "products/accumulate.h"
#include "products/products.h"

/* --- matrix products: products/products.h */

typedef void ag_product_fn(const ag_product *product);

/* As ag_pairs_along and ag_pairs_across. */
typedef ag_range ag_pairs_along_fn(uint32_t *words, const float *x, size_t rows, size_t K);
typedef ag_range ag_pairs_across_fn(uint32_t *words, const float *x, size_t rows, size_t K);
typedef ag_range ag_pairs_range_fn(const float *x, size_t count);

/* As ag_product_accumulated of products/accumulate.h. */
typedef void ag_product_accumulated_fn(float *c, size_t c_step, size_t M, size_t N, size_t K,
                                       const ag_summands *a, const ag_summands *b,
                                       const ag_accumulator *accumulator);

/* --- for diagnostics */

/* values [min(M, N)]: the singular values of a [M, N] in falling order, computed in double; scratch
 * [ag_singular_scratch] is free for use. False where an element is not finite, or the iteration
 * does not converge. The last bits are the library's. */
typedef bool ag_singular_values_fn(double *restrict values, double *restrict scratch,
                                   const float *restrict a, size_t M, size_t N);

/* Doubles of scratch that either version needs. */
size_t ag_singular_scratch(size_t M, size_t N);

/* --- layers. Forward, then backward in the same order of arguments. */

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

/* Sizes of causal self-attention: H query heads of D channels, of which H / K each share one of K
 * heads of keys and values. W = (H + 2 K) D is the width of q, k, v side by side. */
typedef struct ag_attention_shape {
    size_t B, T, H, K, D;
    float scale;   /* of the scores, 1 / sqrt(D) mostly */
    float cap;     /* scores become cap tanh(scores / cap) before mask and softmax; 0 = none */
    bool bf16;     /* q, k, v and dout are BF16 values */
    float dropout; /* of the probabilities; 0 = none */
    uint64_t key;  /* ag_stream_key(seed, AG_STREAM_DROPOUT) */
    uint32_t site; /* of the dropout mask */
    uint32_t step;
    uint64_t first; /* global index of the first sequence, for the mask */
} ag_attention_shape;

static inline size_t ag_attention_width(const ag_attention_shape *shape)
{
    return (shape->H + 2 * shape->K) * shape->D;
}

/* What the softmax multiplies by: capped scores have their scale already. */
static inline float ag_softmax_scale(const ag_attention_shape *shape)
{
    return shape->cap > 0 ? 1.0f : shape->scale;
}

/* out [N, H D] = softmax(scale q k^T, causal) v, from qkv [N, W] (q, k, v side by side); probs [B,
 * H, T, T] keeps the probabilities before dropout (what is above the diagonal is free) and scratch
 * [ag_attention_scratch] is free for use. */
typedef void ag_attention_forward_fn(float *restrict out, float *restrict probs,
                                     float *restrict scratch, const float *restrict qkv,
                                     const ag_attention_shape *shape);
/* dqkv [N, W] = the gradient of qkv; what the query heads of a group ask of k and v is added up in
 * the order of the heads */
typedef void ag_attention_backward_fn(float *restrict dqkv, float *restrict scratch,
                                      const float *restrict dout, const float *restrict qkv,
                                      const float *restrict probs, const ag_attention_shape *shape);

/* Floats of scratch that either attention kernel needs. */
size_t ag_attention_scratch(const ag_attention_shape *shape);

/* The softmax alone, for attention whose products are taken one by one. scores [M, T, T]: the first
 * t + 1 elements of row t become softmax(scale * row), the others 0. */
typedef void ag_causal_softmax_fn(float *scores, size_t M, size_t T, float scale);
/* dp [M, T, T], the gradient of probs [M, T, T], becomes that of the scores; 0 above the diagonal
 */
typedef void ag_causal_softmax_backward_fn(float *restrict dp, const float *restrict probs,
                                           size_t M, size_t T, float scale);

/* scores [M, T, T]: the first t + 1 elements x of row t become cap tanh(scale x / cap) (Gemma 2,
 * arXiv 2408.00118) */
typedef void ag_cap_scores_fn(float *scores, size_t M, size_t T, float scale, float cap);
/* ds [M, T, T], the gradient of capped scores, becomes that of `scores` as they were before; 0
 * stays above the diagonal */
typedef void ag_cap_scores_backward_fn(float *restrict ds, const float *restrict scores, size_t M,
                                       size_t T, float scale, float cap);

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

/* x = keep ? x * fl(1 / (1 - p)) : 0, keep from Philox(key, index, site, step), index = first + i.
 * Serves the forward and, with the same arguments, the backward pass. */
typedef void ag_dropout_fn(float *x, size_t count, float p, uint64_t key, uint32_t site,
                           uint32_t step, uint64_t first);

/* y += x */
typedef void ag_add_fn(float *restrict y, const float *restrict x, size_t count);

/* y = x */
typedef void ag_duplicate_fn(float *restrict y, const float *restrict x, size_t count);

/* --- the gradient's norm */

/* Sum of squares in double: blocks of 65,536 elements, added in order, each in 64 interleaved
 * partial sums. */
typedef double ag_sum_squares_fn(const float *x, size_t count);

/* --- the tables */

/* A table of kernels: a member for each row of the list, ag_NAME_fn *NAME. */
/* NOLINTNEXTLINE(bugprone-macro-parentheses): a member is declared */
#define AG_KERNEL_MEMBER(name, plain, fast) ag_##name##_fn *name;
typedef struct ag_kernels {
    const char *name; /* "plain", "fast" */
    AG_KERNEL_LIST(AG_KERNEL_MEMBER)
} ag_kernels;
#undef AG_KERNEL_MEMBER

extern const ag_kernels ag_kernels_plain;
extern const ag_kernels ag_kernels_fast;

/* Groups and scales of a matrix under a scheme, by its current amaxes. `scales` brings the arrays.
 * `where`: as in ag_scales_select. */
ag_groups ag_matrix_scale(const ag_kernels *k, ag_scales *scales, const float *x,
                          const ag_matrix *matrix, const ag_scheme *scheme,
                          const ag_rounding_site *where);

/* What the singular values of ag_kernels_fast come from: "OpenBLAS 0.3.21", or "no LAPACK". Their
 * last bits differ from one to the other; nothing else depends on it. Borrowed. */
const char *ag_kernels_lapack(void);

/* A product of floats by OpenBLAS's sgemm on `threads` threads: a yardstick, with bits of its own.
 * False where none is built in. */
bool ag_blas_product(const ag_product *product, int threads);

/* Which of its kernel sets OpenBLAS chose here, "Haswell"; they differ in speed. NULL without one.
 * Borrowed. */
const char *ag_blas_set(void);

/* Chooses the engine of products and holds the BLAS library, if there is one, to one thread. Call
 * it once, first. */
void ag_kernels_init(void);

#endif
