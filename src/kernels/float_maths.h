/* Functions on floats that loops over them can be vectorised: no branch, no table, no call of libm,
 * whose variants differ from machine to machine in their last bits. Polynomials are Chebyshev
 * interpolations made in extended precision, their coefficients rounded to float; the bounds given
 * here are held by tests/kernels/test_kernel_values.c. */
#ifndef AG_KERNELS_FLOAT_MATHS_H
#define AG_KERNELS_FLOAT_MATHS_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/bits.h"

/* exp(x) within 1.2e-7 of its value for -87.33 <= x <= 88.37; 0 below. x = k ln 2 + r with |r| at
 * most ln(2) / 2; ln 2 is taken off in two parts, of which k times the first is exact. exp(r) is a
 * polynomial, and 2^k is made by putting k + 127 into the exponent bits. Below -87.33 the result
 * would be subnormal; 0 is as good for softmax and GELU. */
static inline float float_exp_below(float x)
{
    const float rounder = 0x1.8p23f; /* x + rounder - rounder is x rounded to a whole number */
    float shifted = x * 0x1.715476p0f + rounder; /* 1 / ln 2 */
    float k = shifted - rounder;
    float r = (x - k * 0x1.62e4p-1f) - k * 0x1.7f7d1cp-20f; /* ln 2 in two parts */
    float tail = 0x1.6d1178p-10f;
    tail = tail * r + 0x1.120be2p-7f;
    tail = tail * r + 0x1.555518p-5f;
    tail = tail * r + 0x1.5554dcp-3f;
    tail = tail * r + 0.5f;
    float mantissa = 1 + (r + r * r * tail);
    /* the low bits of `shifted` hold k */
    float value = mantissa * ag_bits_float((ag_float_bits(shifted) + 127) << 23);
    return x < -87.33f ? 0 : value;
}

/* The same for any x: exp(88.37) above. */
static inline float float_exp(float x)
{
    const float highest = 88.37f;
    return float_exp_below(x > highest ? highest : x);
}

/* tanh(x) = 1 - 2 / (exp(2x) + 1), near 0 its series, which keeps small x exact in proportion. */
static inline float float_tanh(float x)
{
    float square = x * x;
    float series = x * (1 + square * (-1.0f / 3 + square * (2.0f / 15 + square * (-17.0f / 315))));
    float far = 1 - 2 / (float_exp(2 * x) + 1);
    return square < 0.01f ? series : far;
}

/* (1 - Phi(z)) / exp(-z^2 / 2) for z >= 0, Phi the normal distribution function, as a polynomial
 * in t = 1 / (1 + 0.3 z), within 4.5e-7 of its value for z <= 13.2 (where the exponential is 0). */
static inline float float_normal_tail(float z)
{
    float t = 1 / (1 + 0.3f * z);
    float sum = -0x1.55bae6p-6f;
    sum = sum * t + 0x1.d1defcp-4f;
    sum = sum * t - 0x1.d9cbc2p-3f;
    sum = sum * t + 0x1.91802cp-3f;
    sum = sum * t - 0x1.5412fap-4f;
    sum = sum * t + 0x1.91dfbep-4f;
    sum = sum * t + 0x1.3e4ba2p-4f;
    sum = sum * t + 0x1.c41f1cp-4f;
    sum = sum * t + 0x1.e9b1e4p-4f;
    sum = sum * t + 0x1.ea3d84p-4f;
    return sum * t;
}

/* Elements whose exp is taken side by side where that is a chain that a loop would wait for: four
 * vectors of AVX-512. No value depends on it. */
enum { SIDE_BY_SIDE = 64 };

/* Partial sums of every sum along a row: the floats of one AVX-512 register, two of AVX2, four of
 * SSE or NEON. Part of what a result is: another number would give other bits. */
enum { LANES = 16 };

/* The sum of 16 partial sums: 8 + 8, 4 + 4, 2 + 2, 1 + 1. */
static inline float lanes_sum(const float *part)
{
    typedef float four __attribute__((vector_size(4 * sizeof(float))));
    four a, b, c, d;
    memcpy(&a, part, sizeof a);
    memcpy(&b, part + 4, sizeof b);
    memcpy(&c, part + 8, sizeof c);
    memcpy(&d, part + 12, sizeof d);
    four sum = (a + c) + (b + d);
    return (sum[0] + sum[2]) + (sum[1] + sum[3]);
}

/* The sum of x[i] in 16 interleaved partial sums. */
static inline float row_sum(const float *x, size_t count)
{
    float part[LANES] = {0};
    size_t whole = count - count % LANES;
    for (size_t i = 0; i < whole; i += LANES)
        for (size_t j = 0; j < LANES; j++)
            part[j] += x[i + j];
    for (size_t j = 0; j < count - whole; j++)
        part[j] += x[whole + j];
    return lanes_sum(part);
}

/* The largest element; where there is a NaN, any. By integers ordered as the floats are: flipping
 * all but the sign of a negative number turns sign and magnitude into two's complement. Compilers
 * know that a maximum of integers may be taken in vectors, but not that of floats. */
static inline float row_max(const float *x, size_t count)
{
    int32_t largest = INT32_MIN;
    for (size_t i = 0; i < count; i++) {
        int32_t bits = (int32_t)ag_float_bits(x[i]);
        int32_t order = bits < 0 ? bits ^ INT32_MAX : bits;
        largest = order > largest ? order : largest;
    }
    return ag_bits_float((uint32_t)(largest < 0 ? largest ^ INT32_MAX : largest));
}

/* x becomes exp(x - max); returns the sum. */
static inline float row_exp(float *x, float max, size_t count)
{
    for (size_t i = 0; i < count; i++)
        x[i] = float_exp_below(x[i] - max);
    return row_sum(x, count);
}

/* Sum of exp(x - max) in the lanes of row_exp, so that the loss has the bits that it has with its
 * gradient; but x stays. */
static inline float row_exp_sum(const float *x, float max, size_t count)
{
    float part[LANES] = {0};
    size_t whole = count - count % LANES;
    for (size_t i = 0; i < whole; i += LANES)
        for (size_t j = 0; j < LANES; j++)
            part[j] += float_exp_below(x[i + j] - max);
    for (size_t j = 0; j < count - whole; j++)
        part[j] += float_exp_below(x[whole + j] - max);
    return lanes_sum(part);
}

#endif
