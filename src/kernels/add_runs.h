/* Sums of runs of neighbours, each from left to right, many of them side by side. */
#ifndef AG_KERNELS_ADD_RUNS_H
#define AG_KERNELS_ADD_RUNS_H

#include "quantize_row.h"

enum { RUNS_AT_ONCE = 8 };

INLINE void add_some(float *sum, const float *term, size_t width, size_t runs)
{
    float own[RUNS_AT_ONCE];
    for (size_t k = 0; k < runs; k++)
        own[k] = sum[k];
    for (size_t j = 0; j < width; j++) {
        for (size_t k = 0; k < runs; k++)
            own[k] += term[k * width + j];
    }
    for (size_t k = 0; k < runs; k++)
        sum[k] = own[k];
}

/* sum [count]: each run of `width` terms from left to right, the last run cut at n. */
INLINE void add_runs(float *sum, const float *term, size_t n, size_t width)
{
    size_t whole = n / width;
    size_t b = 0;
    for (; b + RUNS_AT_ONCE <= whole; b += RUNS_AT_ONCE)
        add_some(sum + b, term + b * width, width, RUNS_AT_ONCE);
    for (; b < whole; b++)
        add_some(sum + b, term + b * width, width, 1);
    for (size_t i = whole * width; i < n; i++)
        sum[whole] += term[i];
}

#endif
