/* Causal softmax in whole vectors. Row t has t + 1 scores, seldom a multiple of 16, and a scalar
 * rest in every row would cost as much as its vectors. So a row is taken to the end of its last
 * vector: the lanes beyond the diagonal get a value that counts for nothing (-Inf under max and
 * exp, 0 in a sum) and become 0 in the end. The partial sums are the 16 of float_maths.h, so that
 * the bits are those of the plain loop. Rows whose last vector would pass the end of the row take
 * the plain loop. */
#include "attention_internal.h"

/* The lanes from `kept` on become `value`. By masks that are read at an offset: a comparison per
 * lane would be no vector operation before AVX-512. */
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

/* row [whole], whose last vector has `kept` scores, becomes probabilities of scores times `scale`.
 * The largest is found before scaling: scale is positive, so rounding keeps the order. */
static inline void softmax_row(float *row, size_t whole, size_t kept, float scale)
{
    float *last = row + whole - LANES;
    pad_lanes(last, kept, -INFINITY);
    const float max = row_max(row, whole) * scale;
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

/* Columns from `begin` on, as far as `end`. */
static inline void zero_columns(float *row, size_t begin, size_t end)
{
    if (begin < end)
        memset(row + begin, 0, (end - begin) * sizeof *row);
}

/* As far as whole vectors reach. */
static inline size_t to_last_vector(size_t t, size_t T)
{
    return ag_smaller(t / LANES * LANES + LANES, T);
}

AG_CLONES void ag_cap_rows(float *scores, size_t T, size_t begin, size_t end, float scale,
                           float cap)
{
    for (size_t t = begin; t < end; t++)
        row_cap(scores + t * T, to_last_vector(t, T), scale, cap);
}

AG_CLONES void ag_cap_rows_backward(float *restrict ds, const float *restrict scores, size_t T,
                                    size_t begin, size_t end, float scale, float cap)
{
    for (size_t t = begin; t < end; t++) {
        size_t whole = to_last_vector(t, T);
        row_cap_backward(ds + t * T, scores + t * T, whole, scale, cap);
        zero_columns(ds + t * T, t + 1, whole);
    }
}

AG_CLONES void ag_softmax_rows(float *scores, size_t T, size_t begin, size_t end, size_t zeros,
                               float scale)
{
    for (size_t t = begin; t < end; t++) {
        float *row = scores + t * T;
        const size_t whole = t / LANES * LANES + LANES;
        if (whole > T) {
            row_causal_softmax(row, t, T, scale);
        } else {
            softmax_row(row, whole, t % LANES + 1, scale);
            zero_columns(row, whole, ag_smaller(T, t + 1 + zeros));
        }
    }
}

AG_CLONES void ag_softmax_rows_backward(float *restrict dp, const float *restrict probs, size_t T,
                                        size_t begin, size_t end, size_t zeros, float scale)
{
    for (size_t t = begin; t < end; t++) {
        float *row = dp + t * T;
        const float *p = probs + t * T;
        const size_t whole = t / LANES * LANES + LANES;
        if (whole > T) {
            row_softmax_backward(row, p, t + 1, scale);
            zero_columns(row, t + 1, T);
        } else {
            softmax_row_backward(row, p, whole, t % LANES + 1, scale);
            zero_columns(row, whole, ag_smaller(T, t + 1 + zeros));
        }
    }
}

void ag_cap_scores_fast(float *scores, size_t M, size_t T, float scale, float cap)
{
    for (size_t m = 0; m < M; m++)
        ag_cap_rows(scores + m * T * T, T, 0, T, scale, cap);
}

void ag_cap_scores_backward_fast(float *restrict ds, const float *restrict scores, size_t M,
                                 size_t T, float scale, float cap)
{
    for (size_t m = 0; m < M; m++)
        ag_cap_rows_backward(ds + m * T * T, scores + m * T * T, T, 0, T, scale, cap);
}

void ag_causal_softmax_fast(float *scores, size_t M, size_t T, float scale)
{
    for (size_t m = 0; m < M; m++)
        ag_softmax_rows(scores + m * T * T, T, 0, T, T, scale);
}

void ag_causal_softmax_backward_fast(float *restrict dp, const float *restrict probs, size_t M,
                                     size_t T, float scale)
{
    for (size_t m = 0; m < M; m++)
        ag_softmax_rows_backward(dp + m * T * T, probs + m * T * T, T, 0, T, T, scale);
}
