/* Causal softmax in whole vectors: a row is taken to the end of its last vector. What lies there
 * beyond the diagonal counts for nothing, and becomes 0. */
#include "attention_internal.h"

/* Integers in the order of the floats; NaN at either end. */
static inline int32_t order_of(float x)
{
    int32_t bits = (int32_t)ag_float_bits(x);
    return bits ^ (int32_t)((uint32_t)(bits >> 31) >> 1);
}

static inline float float_at(int32_t order)
{
    return ag_bits_float((uint32_t)order ^ (uint32_t)(order >> 31) >> 1);
}

/* The lanes from `kept` on become `value`. */
static inline void pad_lanes(float *lanes, size_t kept, float value)
{
    static const uint32_t keep[2 * LANES] = {~0u, ~0u, ~0u, ~0u, ~0u, ~0u, ~0u, ~0u,
                                             ~0u, ~0u, ~0u, ~0u, ~0u, ~0u, ~0u, ~0u};
    const uint32_t *mask = keep + LANES - kept;
    for (size_t j = 0; j < LANES; j++) {
        uint32_t bits = ag_float_bits(lanes[j]) & mask[j];
        lanes[j] = ag_bits_float(bits | (ag_float_bits(value) & ~mask[j]));
    }
}

/* row [whole], `kept` of its last 16 scores, becomes probabilities of scores times `scale`.
 * Where there is a NaN, all are NaN, whatever the maximum. */
static inline void softmax_row(float *row, size_t whole, size_t kept, float scale)
{
    float *last = row + whole - LANES;
    int32_t order = INT32_MIN;
    pad_lanes(last, kept, -INFINITY);
    for (size_t i = 0; i < whole; i++)
        order = order_of(row[i]) > order ? order_of(row[i]) : order;
    const float max = float_at(order) * scale; /* rounding keeps the order */
    for (size_t i = 0; i < whole; i++)
        row[i] = float_exp_below(row[i] * scale - max);
    const float share = 1 / row_sum(row, whole);
    for (size_t i = 0; i < whole; i++)
        row[i] *= share;
    pad_lanes(last, kept, 0);
}

/* dp [whole], `kept` of its last lanes the gradient of probabilities p, becomes that of the scores
 * times `scale`. */
static inline void softmax_row_backward(float *restrict dp, const float *restrict p, size_t whole,
                                        size_t kept, float scale)
{
    float *last = dp + whole - LANES;
    float part[LANES] = {0};
    pad_lanes(last, kept, 0);
    for (size_t i = 0; i < whole; i += LANES)
        for (size_t j = 0; j < LANES; j++)
            part[j] += p[i + j] * dp[i + j];
    const float mean = lanes_sum(part);
    for (size_t i = 0; i < whole; i++)
        dp[i] = p[i] * (dp[i] - mean) * scale;
    pad_lanes(last, kept, 0);
}

AG_CLONES void ag_softmax_rows(float *scores, size_t T, size_t begin, size_t end, float scale)
{
    for (size_t t = begin; t < end; t++) {
        float *row = scores + t * T;
        const size_t whole = t / LANES * LANES + LANES;
        if (whole > T)
            row_causal_softmax(row, t, T, scale);
        else
            softmax_row(row, whole, t % LANES + 1, scale);
    }
}

AG_CLONES void ag_softmax_rows_backward(float *restrict dp, const float *restrict probs, size_t T,
                                        size_t begin, size_t end, float scale)
{
    for (size_t t = begin; t < end; t++) {
        float *row = dp + t * T;
        const float *p = probs + t * T;
        const size_t whole = t / LANES * LANES + LANES;
        if (whole > T)
            row_softmax_backward(row, p, t + 1, scale);
        else
            softmax_row_backward(row, p, whole, t % LANES + 1, scale);
    }
}

static void zero_beyond(float *x, size_t T)
{
    for (size_t t = 0; t < T; t++)
        memset(x + t * T + t + 1, 0, (T - t - 1) * sizeof *x);
}

void ag_causal_softmax_fast(float *scores, size_t M, size_t T, float scale)
{
    for (size_t m = 0; m < M; m++, scores += T * T) {
        ag_softmax_rows(scores, T, 0, T, scale);
        zero_beyond(scores, T);
    }
}

void ag_causal_softmax_backward_fast(float *restrict dp, const float *restrict probs, size_t M,
                                     size_t T, float scale)
{
    for (size_t m = 0; m < M; m++, dp += T * T, probs += T * T) {
        ag_softmax_rows_backward(dp, probs, T, 0, T, scale);
        zero_beyond(dp, T);
    }
}
