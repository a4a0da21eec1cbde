/* What the plain and the fast attention share: where a head lies, and the softmax of one row. Sums
 * of products are those of products/products.h; sums over a row of probabilities have 16 partial
 * sums (float_maths.h). Softmax takes the largest score off before exp, the usual way to keep it
 * from overflow; the causal mask never stands as -Inf in memory, since a row just ends at its
 * diagonal. */
#ifndef AG_KERNELS_ATTENTION_INTERNAL_H
#define AG_KERNELS_ATTENTION_INTERNAL_H

#include <string.h>

#include "float_maths.h"
#include "kernels_internal.h"

/* One query head of one sequence. Rows of q, k, v and their gradients are `wide` apart, of out
 * `narrow`. */
typedef struct attention_head {
    size_t T, D;
    size_t wide, narrow;
    size_t q, k, v; /* offsets of their first rows in qkv */
    size_t out;     /* offset of the first row of out */
    size_t probs;   /* offset of the first row of probs */
    uint64_t index; /* of the first probability, in the dropout mask */
    float scale;    /* of the scores, */
    float cap;      /* and, where it is above 0, their cap; */
    float rest;     /* what is left of the scale to the softmax */
    bool adds;      /* an earlier head of its group has left its part in dk and dv */
} attention_head;

static inline attention_head attention_head_at(const ag_attention_shape *shape, size_t b, size_t h)
{
    size_t T = shape->T;
    size_t D = shape->D;
    size_t group = shape->H / shape->K;
    size_t wide = ag_attention_width(shape);
    size_t start = b * T * wide;
    return (attention_head){
        .T = T,
        .D = D,
        .wide = wide,
        .narrow = shape->H * D,
        .q = start + h * D,
        .k = start + (shape->H + h / group) * D,
        .v = start + (shape->H + shape->K + h / group) * D,
        .out = b * T * shape->H * D + h * D,
        .probs = (b * shape->H + h) * T * T,
        .index = ((shape->first + b) * shape->H + h) * T * T,
        .scale = shape->scale,
        .cap = shape->cap,
        .rest = ag_softmax_scale(shape),
        .adds = h % group != 0,
    };
}

/* row [count] of scores becomes probabilities */
static inline void row_softmax(float *row, size_t count)
{
    float share = 1 / row_exp(row, row_max(row, count), count);
    for (size_t i = 0; i < count; i++)
        row[i] *= share;
}

/* row [T] of scores: its first t + 1 become probabilities of scores times `scale`, the others 0 */
static inline void row_causal_softmax(float *row, size_t t, size_t T, float scale)
{
    for (size_t s = 0; s <= t; s++)
        row[s] *= scale;
    row_softmax(row, t + 1);
    memset(row + t + 1, 0, (T - t - 1) * sizeof *row);
}

/* dp [count], the gradient of probabilities p, becomes that of the scores before `scale`. The
 * Jacobian of softmax is diag(p) - p p^T, so ds = p (dp - sum p dp). */
static inline void row_softmax_backward(float *dp, const float *p, size_t count, float scale)
{
    float part[LANES] = {0};
    size_t whole = count - count % LANES;
    for (size_t i = 0; i < whole; i += LANES)
        for (size_t j = 0; j < LANES; j++)
            part[j] += p[i + j] * dp[i + j];
    for (size_t j = 0; j < count - whole; j++)
        part[j] += p[whole + j] * dp[whole + j];
    float mean = lanes_sum(part);
    for (size_t i = 0; i < count; i++)
        dp[i] = p[i] * (dp[i] - mean) * scale;
}

/* row [count] of products q k becomes scores, scaled and capped */
static inline void row_cap(float *row, size_t count, float scale, float cap)
{
    for (size_t i = 0; i < count; i++)
        row[i] = cap * float_tanh(scale * row[i] / cap);
}

/* ds [count], the gradient of capped scores, becomes that of the products in `row` */
static inline void row_cap_backward(float *restrict ds, const float *restrict row, size_t count,
                                    float scale, float cap)
{
    for (size_t i = 0; i < count; i++) {
        float part = float_tanh(scale * row[i] / cap);
        ds[i] = ds[i] * (1 - part * part) * scale;
    }
}

/* Both for rows [begin, end) of [T, T], up to the diagonal; ds keeps its zeros beyond. */
void ag_cap_rows(float *scores, size_t T, size_t begin, size_t end, float scale, float cap);
void ag_cap_rows_backward(float *restrict ds, const float *restrict scores, size_t T, size_t begin,
                          size_t end, float scale, float cap);

/* Rows [begin, end) of scores [T, T]: row t's first t + 1 become probabilities of scores times
 * `scale`; `zeros` columns behind them, as far as there are, become 0. */
void ag_softmax_rows(float *scores, size_t T, size_t begin, size_t end, size_t zeros, float scale);
/* The same rows of dp, the gradient of probabilities, become that of the scores. */
void ag_softmax_rows_backward(float *restrict dp, const float *restrict probs, size_t T,
                              size_t begin, size_t end, size_t zeros, float scale);

static inline void causal_softmax(float *scores, size_t M, size_t T, float scale)
{
    for (size_t i = 0; i < M * T; i++)
        row_causal_softmax(scores + i * T, i % T, T, scale);
}

static inline void causal_softmax_backward(float *dp, const float *probs, size_t M, size_t T,
                                           float scale)
{
    for (size_t i = 0; i < M * T; i++) {
        size_t t = i % T;
        row_softmax_backward(dp + i * T, probs + i * T, t + 1, scale);
        memset(dp + i * T + t + 1, 0, (T - t - 1) * sizeof *dp);
    }
}

#endif
