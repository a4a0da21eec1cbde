/* Causal self-attention as its formulas read (attention_fast.c has them), one head after the other,
 * with every sum as the product engine defines it. This version also serves where an operand is not
 * finite, so it never multiplies a zero that stands for "masked". */
#include "attention_internal.h"

/* A vector of which element i is at[i * step]. */
typedef struct strided {
    const float *at;
    size_t step;
} strided;

/* The sum over begin <= i < end of a[i] b[i], in the order that products/products.h gives an
 * element of a product whose sum runs over all i and is zero elsewhere: chains of fused multiply-
 * adds, one per segment of AG_SEGMENT counted from i = 0, whose sums are added in order. */
static float chain(strided a, strided b, size_t begin, size_t end)
{
    float c = 0;
    for (size_t i = begin; i < end;) {
        const bool is_first = i == begin;
        const size_t segment_end = i - i % AG_SEGMENT + AG_SEGMENT;
        float s = 0;
        for (; i < end && i < segment_end; i++)
            s = fmaf(a.at[i * a.step], b.at[i * b.step], s);
        c = is_first ? s : c + s;
    }
    return c;
}

/* Dropout of the t + 1 probabilities of row t. Its counters are those of the [T, T] of this head.
 */
static void drop_row(float *row, const attention_head *head, size_t t,
                     const ag_attention_shape *shape)
{
    if (shape->dropout > 0)
        ag_dropout_plain(row, t + 1, shape->dropout, shape->key, shape->place, shape->step,
                         head->index + t * head->T);
}

/* One head: its row of scores, their softmax, dropout, and the weighted sum of v. */
static void head_forward(float *out, float *probs, float *dropped, const float *qkv,
                         const attention_head *head, const ag_attention_shape *shape)
{
    const size_t T = head->T;
    const size_t D = head->D;
    const float *q = qkv + head->q;
    const float *k = qkv + head->k;
    const float *v = qkv + head->v;
    for (size_t t = 0; t < T; t++) {
        float *p = probs + t * T;
        for (size_t s = 0; s <= t; s++)
            p[s] = chain((strided){q + t * head->wide, 1}, (strided){k + s * head->wide, 1}, 0, D);
        if (head->cap > 0)
            row_cap(p, t + 1, head->scale, head->cap);
        row_causal_softmax(p, t, T, head->rest);
        memcpy(dropped, p, (t + 1) * sizeof *p);
        drop_row(dropped, head, t, shape);
        for (size_t d = 0; d < D; d++)
            out[t * head->narrow + d] =
                chain((strided){dropped, 1}, (strided){v + d, head->wide}, 0, t + 1);
    }
}

void ag_attention_forward_plain(float *restrict out, float *restrict probs, float *restrict scratch,
                                const float *restrict qkv, const ag_attention_shape *shape)
{
    for (size_t b = 0; b < shape->B; b++) {
        for (size_t h = 0; h < shape->H; h++) {
            attention_head head = attention_head_at(shape, b, h);
            head_forward(out + head.out, probs + head.probs, scratch, qkv, &head, shape);
        }
    }
}

/* Through the cap, whose slope takes the row's products q k once more. */
static void cap_backward(float *dp, float *row, const float *qkv, const attention_head *head,
                         size_t t)
{
    const float *q = qkv + head->q + t * head->wide;
    for (size_t s = 0; s <= t; s++)
        row[s] = chain((strided){q, 1}, (strided){qkv + head->k + s * head->wide, 1}, 0, head->D);
    row_cap_backward(dp, row, t + 1, head->scale, head->cap);
}

/* dscores [T, T] below and on the diagonal, from dout . v^T; dropped [T, T] the probabilities as
 * they were multiplied with v */
static void scores_backward(float *dscores, float *dropped, const float *dout, const float *qkv,
                            const float *probs, const attention_head *head,
                            const ag_attention_shape *shape)
{
    const size_t T = head->T;
    const float *v = qkv + head->v;
    for (size_t t = 0; t < T; t++) {
        float *dp = dscores + t * T;
        for (size_t s = 0; s <= t; s++)
            dp[s] = chain((strided){dout + t * head->narrow, 1}, (strided){v + s * head->wide, 1},
                          0, head->D);
        drop_row(dp, head, t, shape);
        row_softmax_backward(dp, probs + t * T, t + 1, head->rest);
        if (head->cap > 0)
            cap_backward(dp, dropped + t * T, qkv, head, t);
        memcpy(dropped + t * T, probs + t * T, (t + 1) * sizeof *probs);
        drop_row(dropped + t * T, head, t, shape);
    }
}

static void put(float *place, float value, bool adds)
{
    *place = adds ? *place + value : value;
}

/* dq = dscores k, dk = dscores^T q, dv = dropped^T dout */
static void operands_backward(float *dqkv, const float *dscores, const float *dropped,
                              const float *dout, const float *qkv, const attention_head *head)
{
    const size_t T = head->T;
    const size_t wide = head->wide;
    for (size_t t = 0; t < T; t++) {
        for (size_t d = 0; d < head->D; d++) {
            size_t at = t * wide + d;
            dqkv[head->q + at] =
                chain((strided){dscores + t * T, 1}, (strided){qkv + head->k + d, wide}, 0, t + 1);
            put(&dqkv[head->k + at],
                chain((strided){dscores + t, T}, (strided){qkv + head->q + d, wide}, t, T),
                head->adds);
            put(&dqkv[head->v + at],
                chain((strided){dropped + t, T}, (strided){dout + d, head->narrow}, t, T),
                head->adds);
        }
    }
}

void ag_attention_backward_plain(float *restrict dqkv, float *restrict scratch,
                                 const float *restrict dout, const float *restrict qkv,
                                 const float *restrict probs, const ag_attention_shape *shape)
{
    float *dscores = scratch;
    float *dropped = scratch + shape->T * shape->T;
    for (size_t b = 0; b < shape->B; b++) {
        for (size_t h = 0; h < shape->H; h++) {
            attention_head head = attention_head_at(shape, b, h);
            scores_backward(dscores, dropped, dout + head.out, qkv, probs + head.probs, &head,
                            shape);
            operands_backward(dqkv, dscores, dropped, dout + head.out, qkv, &head);
        }
    }
}

void ag_cap_scores_plain(float *scores, size_t M, size_t T, float scale, float cap)
{
    for (size_t i = 0; i < M * T; i++)
        row_cap(scores + i * T, i % T + 1, scale, cap);
}

void ag_cap_scores_backward_plain(float *restrict ds, const float *restrict scores, size_t M,
                                  size_t T, float scale, float cap)
{
    for (size_t i = 0; i < M * T; i++)
        row_cap_backward(ds + i * T, scores + i * T, i % T + 1, scale, cap);
}

void ag_causal_softmax_plain(float *scores, size_t M, size_t T, float scale)
{
    causal_softmax(scores, M, T, scale);
}

void ag_causal_softmax_backward_plain(float *restrict dp, const float *restrict probs, size_t M,
                                      size_t T, float scale)
{
    causal_softmax_backward(dp, probs, M, T, scale);
}
