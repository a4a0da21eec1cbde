/* Inputs for the tests of the kernels. */
#ifndef AG_TESTS_KERNELS_SUPPORT_H
#define AG_TESTS_KERNELS_SUPPORT_H

#include "support.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "base/philox.h"
#include "kernels/kernels.h"

/* The two tables, and a place to compare their results. */
static const ag_kernels *const plain = &ag_kernels_plain;
static const ag_kernels *const fast = &ag_kernels_fast;

/* Rows, columns; the last are cut into pieces. */
static const size_t odd_shapes[][2] = {
    {1,   1  },
    {2,   3  },
    {5,   16 },
    {3,   17 },
    {7,   65 },
    {13,  128},
    {2,   131},
    {300, 131}
};
enum { ODD_SHAPES = sizeof odd_shapes / sizeof odd_shapes[0] };

/* ag_quantize_matrix of numerics/groups.h in the steps that training takes, with these kernels. */
static inline void quantize_matrix(const ag_kernels *k, float *out, const float *x,
                                   const ag_matrix *matrix, const ag_scheme *scheme,
                                   ag_scales *scales, const ag_rounding_site *where)
{
    size_t count = matrix->rows * matrix->cols;
    if (scheme->hadamard > 0) {
        ag_turn turn = ag_turn_of(scheme, where);
        k->hadamard(out, x, matrix->rows, matrix->cols, matrix->sum, &turn);
        x = out;
    }
    ag_groups groups = ag_matrix_scale(k, scales, x, matrix, scheme, where);
    k->quantize_groups(out, x, &groups, scales, scheme, where, matrix->first);
    for (size_t i = 0; i < count; i++)
        out[i] *=
            ag_scales_factor(scales, ag_groups_at(&groups, i / matrix->cols, i % matrix->cols));
}

static float *floats(size_t count)
{
    float *x = calloc(count + 1, sizeof *x);
    assert_non_null(x);
    return x;
}

static inline float uniform(uint64_t *generator, float low, float high)
{
    return low + (high - low) * ((float)(ag_splitmix64(generator) >> 40) * 0x1p-24f);
}

/* `count` new floats, roughly normal with deviation `sd`. */
static inline float *normal(uint64_t seed, size_t count, float sd)
{
    float *x = floats(count);
    for (size_t i = 0; i < count; i++) {
        float sum = 0;
        for (int k = 0; k < 12; k++)
            sum += uniform(&seed, -0.5f, 0.5f);
        x[i] = sum * sd;
    }
    return x;
}

/* `count` new floats of all bit patterns: NaN, Inf and subnormals among them. */
static inline float *any_bits(uint64_t seed, size_t count)
{
    static const uint32_t special[] = {0x7fc00000, 0xffc00001, 0x7f800000, 0xff800000, 0x80000000,
                                       0,          1,          0x807fffff, 0x7f7fffff, 0x00800000};
    float *x = floats(count);
    for (size_t i = 0; i < count; i++) {
        uint64_t random = ag_splitmix64(&seed);
        uint32_t bits = (uint32_t)(random >> 32);
        x[i] = float_of(random % 16 == 0 ? special[bits % 10] : bits);
    }
    return x;
}

static inline int32_t *whole(uint64_t seed, size_t count, size_t below)
{
    int32_t *x = calloc(count + 1, sizeof *x);
    assert_non_null(x);
    for (size_t i = 0; i < count; i++)
        x[i] = (int32_t)(ag_splitmix64(&seed) % below);
    return x;
}

static inline float *copy(const float *x, size_t count)
{
    float *y = floats(count);
    memcpy(y, x, count * sizeof *x);
    return y;
}

/* Fails at the first element whose bits differ; one NaN is as good as another. */
static inline void assert_same_bits(const char *what, const float *a, const float *b, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (bits_of(a[i]) != bits_of(b[i]) && !(isnan(a[i]) && isnan(b[i])))
            fail_msg("%s: element %zu of %zu is %a (%08x), expected %a (%08x)", what, i, count,
                     (double)a[i], bits_of(a[i]), (double)b[i], bits_of(b[i]));
}

#endif
