/* Kernels of causal self-attention, whole, and its softmax alone. Shapes and what is said of
 * arrays: kernels.h. */
#ifndef AG_KERNELS_ATTENTION_KERNELS_H
#define AG_KERNELS_ATTENTION_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Sizes of causal self-attention: H query heads of D channels, of which H / K each share one of K
 * heads of keys and values. W = (H + 2 K) D is the width of q, k, v side by side. */
typedef struct ag_attention_shape {
    size_t B, T, H, K, D;
    float scale;    /* of the scores, 1 / sqrt(D) mostly */
    float cap;      /* scores become cap tanh(scores / cap) before mask and softmax; 0 = none */
    bool bf16;      /* q, k, v and dout are BF16 values */
    float dropout;  /* of the probabilities; 0 = none */
    uint64_t key;   /* ag_stream_key(seed, AG_STREAM_DROPOUT) */
    uint32_t place; /* of the dropout mask */
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

#endif
