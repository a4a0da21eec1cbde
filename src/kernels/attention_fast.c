/* Causal self-attention with vectors along the columns of each small product, so that every
 * element's sum keeps the order of the formula. Only what lies below the diagonal is computed. */
#include "attention_internal.h"

#define INLINE static inline __attribute__((always_inline))

enum { TWO = 2 * LANES, FOUR = 4 * LANES };
typedef float lanes __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

/* An operand of a small product: rows of a matrix, `stride` floats apart. */
typedef struct rows {
    const float *at;
    size_t stride;
} rows;

/* out [16 n] = sum over k < K of a[k] * b[k, 16 n] */
INLINE void block_product(float *out, rows a, rows b, size_t K, size_t n)
{
    lanes sum[4] = {{0}};
    for (size_t k = 0; k < K; k++) {
        const lanes *row = (const lanes *)(b.at + k * b.stride);
        for (size_t j = 0; j < n; j++)
            sum[j] += a.at[k * a.stride] * row[j];
    }
    for (size_t j = 0; j < n; j++)
        ((lanes *)out)[j] = sum[j];
}

/* out [W] = sum over k < K of a[k] * b[k, W] */
INLINE void row_product(float *restrict out, rows a, rows b, size_t K, size_t W)
{
    size_t w = 0;
    for (; w + FOUR <= W; w += FOUR)
        block_product(out + w, a, (rows){b.at + w, b.stride}, K, 4);
    for (; w + TWO <= W; w += TWO)
        block_product(out + w, a, (rows){b.at + w, b.stride}, K, 2);
    for (; w + LANES <= W; w += LANES)
        block_product(out + w, a, (rows){b.at + w, b.stride}, K, 1);
    for (; w < W; w++) {
        float sum = 0;
        for (size_t k = 0; k < K; k++)
            sum += a.at[k * a.stride] * b.at[k * b.stride + w];
        out[w] = sum;
    }
}

/* out [D, T] = the transpose of rows [T, D] */
INLINE void transpose(float *restrict out, rows in, size_t T, size_t D)
{
    for (size_t t = 0; t < T; t++)
        for (size_t d = 0; d < D; d++)
            out[d * T + t] = in.at[t * in.stride + d];
}

/* Columns to compute for row t: whole vectors, within the row. */
INLINE size_t row_width(size_t t, size_t T)
{
    size_t width = (t + LANES) / LANES * LANES;
    return width < T ? width : T;
}

INLINE void drop_row(float *row, const attention_head *head, size_t t,
                     const ag_attention_shape *shape)
{
    if (shape->dropout > 0)
        ag_dropout_fast(row, t + 1, shape->dropout, shape->key, shape->site, shape->step,
                        head->index + t * head->T);
}

INLINE void head_forward(float *out, float *probs, float *scratch, const float *qkv,
                         const attention_head *head, const ag_attention_shape *shape)
{
    const size_t T = head->T;
    const rows v = {qkv + 2 * head->narrow, head->wide};
    float *dropped = scratch;
    float *k_transposed = scratch + T;
    transpose(k_transposed, (rows){qkv + head->narrow, head->wide}, T, head->D);
    for (size_t t = 0; t < T; t++) {
        float *p = probs + t * T;
        row_product(p, (rows){qkv + t * head->wide, 1}, (rows){k_transposed, T}, head->D,
                    row_width(t, T));
        row_causal_softmax(p, t, T, head->scale);
        const float *weights = p;
        if (shape->dropout > 0) {
            memcpy(dropped, p, (t + 1) * sizeof *p);
            drop_row(dropped, head, t, shape);
            weights = dropped;
        }
        row_product(out + t * head->narrow, (rows){weights, 1}, v, t + 1, head->D);
    }
}

AG_CLONES void ag_attention_forward_fast(float *restrict out, float *restrict probs,
                                         float *restrict scratch, const float *restrict qkv,
                                         const ag_attention_shape *shape)
{
    for (size_t b = 0; b < shape->B; b++) {
        for (size_t h = 0; h < shape->H; h++) {
            attention_head head = attention_head_at(shape, b, h);
            head_forward(out + head.out, probs + head.probs, scratch, qkv + head.qkv, &head, shape);
        }
    }
}

/* The rows of dscores, and of dropped where there is dropout. */
INLINE void scores_backward(float *dscores, float *dropped, const float *dout, rows v_transposed,
                            const float *probs, const attention_head *head,
                            const ag_attention_shape *shape)
{
    const size_t T = head->T;
    for (size_t t = 0; t < T; t++) {
        float *dp = dscores + t * T;
        row_product(dp, (rows){dout + t * head->narrow, 1}, v_transposed, head->D, row_width(t, T));
        drop_row(dp, head, t, shape);
        row_softmax_backward(dp, probs + t * T, t + 1, head->scale);
        if (shape->dropout > 0) {
            memcpy(dropped + t * T, probs + t * T, (t + 1) * sizeof *probs);
            drop_row(dropped + t * T, head, t, shape);
        }
    }
}

INLINE void operands_backward(float *dqkv, const float *dscores, const float *dropped,
                              const float *dout, const float *qkv, const attention_head *head)
{
    const size_t T = head->T;
    const size_t C = head->narrow;
    const size_t wide = head->wide;
    for (size_t t = 0; t < T; t++) {
        float *dq = dqkv + t * wide;
        rows column = {dscores + t * T + t, T};
        row_product(dq, (rows){dscores + t * T, 1}, (rows){qkv + C, wide}, t + 1, head->D);
        row_product(dq + C, column, (rows){qkv + t * wide, wide}, T - t, head->D);
        column.at = dropped + t * T + t;
        row_product(dq + 2 * C, column, (rows){dout + t * C, C}, T - t, head->D);
    }
}

AG_CLONES void ag_attention_backward_fast(float *restrict dqkv, float *restrict scratch,
                                          const float *restrict dout, const float *restrict qkv,
                                          const float *restrict probs,
                                          const ag_attention_shape *shape)
{
    const size_t T = shape->T;
    float *dscores = scratch;
    float *dropped = dscores + T * T;
    float *v_transposed = dropped + T * T;
    for (size_t b = 0; b < shape->B; b++) {
        for (size_t h = 0; h < shape->H; h++) {
            attention_head head = attention_head_at(shape, b, h);
            const float *p = probs + head.probs;
            const float *g = dout + head.out;
            transpose(v_transposed, (rows){qkv + head.qkv + 2 * head.narrow, head.wide}, T, head.D);
            scores_backward(dscores, dropped, g, (rows){v_transposed, T}, p, &head, shape);
            operands_backward(dqkv + head.qkv, dscores, shape->dropout > 0 ? dropped : p, g,
                              qkv + head.qkv, &head);
        }
    }
}

AG_CLONES void ag_causal_softmax_fast(float *scores, size_t M, size_t T, float scale)
{
    causal_softmax(scores, M, T, scale);
}

AG_CLONES void ag_causal_softmax_backward_fast(float *restrict dp, const float *restrict probs,
                                               size_t M, size_t T, float scale)
{
    causal_softmax_backward(dp, probs, M, T, scale);
}
