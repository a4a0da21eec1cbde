/* Groups of elements that share a scale, and the scales: the definition, one value at a time.
 * kernels/groups_fast.c and scales_fast.c are held against it. Sources: OCP MX 1.0 for E8M0 with
 * the floor rule; NVIDIA's rule of rounding up (RCEIL) as in Transformer Engine and torchao;
 * Transformer Engine's reference for NVFP4 and for the signs of the Hadamard transform. */
#include "numerics/groups.h"

#include <math.h>
#include <string.h>

#include "base/sizes.h"
#include "numerics_internal.h"

/* --- which elements share a scale */

/* Rows of a group as the product sees them, and their length; without a limit where the group has
 * all. */
static void group_size(size_t *lines, size_t *length, const ag_scheme *scheme)
{
    *lines = SIZE_MAX;
    *length = SIZE_MAX;
    if (scheme->granularity == AG_GRANULARITY_ROW)
        *lines = 1;
    else if (scheme->granularity == AG_GRANULARITY_COL)
        *length = 1;
    else if (scheme->granularity != AG_GRANULARITY_TENSOR) {
        *lines = (size_t)scheme->block_rows;
        *length = (size_t)scheme->block_cols;
    }
}

/* `lines` and `length` are the product's; along which axis they lie depends on which axis it sums
 * over. */
ag_groups ag_groups_of(const ag_scheme *scheme, const ag_matrix *matrix)
{
    size_t lines;
    size_t length;
    group_size(&lines, &length, scheme);
    bool along_rows = matrix->sum == AG_SUM_COLS;
    ag_groups g = {.rows = matrix->rows, .cols = matrix->cols};
    g.height = ag_smaller(along_rows ? lines : length, g.rows > 0 ? g.rows : 1);
    g.width = ag_smaller(along_rows ? length : lines, g.cols > 0 ? g.cols : 1);
    g.down = ag_pieces(g.rows, g.height);
    g.across = ag_pieces(g.cols, g.width);
    return g;
}

/* --- amaxes */

bool ag_scheme_keeps_nan(const ag_scheme *scheme)
{
    return scheme->granularity == AG_GRANULARITY_MX;
}

void ag_groups_amax(float *amax, const float *x, const ag_groups *groups, bool keep_nan)
{
    memset(amax, 0, ag_groups_count(groups) * sizeof *amax);
    for (size_t row = 0; row < groups->rows; row++) {
        for (size_t col = 0; col < groups->cols; col++) {
            float *largest = &amax[ag_groups_at(groups, row, col)];
            uint32_t magnitude = ag_float_bits(x[row * groups->cols + col]) & AG_MAGNITUDE_BITS;
            if (magnitude > AG_INFINITE_BITS)
                magnitude = keep_nan ? AG_NAN_BITS : 0;
            if (magnitude > ag_float_bits(*largest)) /* ordered as the values, NaN above Inf */
                *largest = ag_bits_float(magnitude);
        }
    }
}

/* --- scales */

/* 2^e, also where it is subnormal. */
static float power_of_two(int e)
{
    return ldexpf(1.0f, e);
}

/* The exponent of an E8M0 scale: that of amax less that of the format's largest value, one more
 * where RCEIL finds amax above it. float32's subnormal amaxes, as 0, take the least exponent, -127.
 */
static int e8m0_exponent(const ag_scheme *scheme, uint32_t amax)
{
    const uint32_t mantissa = (1u << FLOAT_MANTISSA) - 1;
    uint32_t max = scheme->format.max_bits;
    if (amax >> FLOAT_MANTISSA == 0)
        return -FLOAT_BIAS;
    int e = (int)(amax >> FLOAT_MANTISSA) - (int)(max >> FLOAT_MANTISSA);
    if (scheme->e8m0 == AG_E8M0_RCEIL && (amax & mantissa) > (max & mantissa))
        e++;
    return e < -FLOAT_BIAS ? -FLOAT_BIAS : e > FLOAT_BIAS ? FLOAT_BIAS : e;
}

static void set_e8m0(ag_scales *scales, size_t count, const ag_scheme *scheme)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t amax = ag_float_bits(scales->scale[i]);
        bool is_finite = amax < AG_INFINITE_BITS;
        int e = is_finite ? e8m0_exponent(scheme, amax) : 0;
        scales->scale[i] = is_finite ? power_of_two(-e) : ag_bits_float(AG_NAN_BITS);
        scales->after[i] = is_finite ? power_of_two(e) : ag_bits_float(AG_NAN_BITS);
    }
}

/* NVFP4, as Transformer Engine's reference has it: block scales D in E4M3, relative to the tensor's
 * Sg, which takes the tensor's amax to 6 * 448 = 2688, the largest product of E2M1 and E4M3 values.
 * The order of multiplications and inverses is theirs, and so are the bits. */
static void set_nvfp4(ag_scales *scales, size_t count)
{
    static const float largest_float = 0x1.fffffep127f;
    ag_format e4m3;
    ag_format_parse(&e4m3, "e4m3fn");
    float amax = ag_amax(scales->scale, count);
    bool is_usable = amax > 0.0f && amax <= largest_float;
    float tensor = is_usable ? fminf(2688.0f / amax, largest_float) : 1.0f;
    float inverse = 1.0f / tensor;
    float sixth = tensor * (1.0f / 6.0f);
    for (size_t i = 0; i < count; i++) {
        float block = ag_round_nearest(&e4m3, scales->scale[i] * sixth, AG_OVERFLOW_SATURATE);
        scales->scale[i] = fminf(1.0f / (block * inverse), largest_float);
        scales->after[i] = block;
    }
    scales->factor = inverse;
}

/* Scales that are float32: any granularity but MX and NVFP4. */
static void set_float(ag_scales *scales, size_t count, const ag_scheme *scheme)
{
    for (size_t i = 0; i < count; i++) {
        float amax = scales->scale[i];
        scales->scale[i] =
            scheme->amax == AG_AMAX_NONE
                ? 1.0f
                : ag_scale_from_amax(&scheme->format, amax, scheme->margin, scheme->pow2, 1.0f);
        scales->after[i] = 1.0f / scales->scale[i];
    }
}

void ag_scales_set(ag_scales *scales, const ag_scheme *scheme, size_t count)
{
    scales->factor = 1.0f;
    if (scheme->granularity == AG_GRANULARITY_MX)
        set_e8m0(scales, count, scheme);
    else if (scheme->granularity == AG_GRANULARITY_NV)
        set_nvfp4(scales, count);
    else
        set_float(scales, count, scheme);
}

/* --- the Hadamard transform */

/* Random signs make it unlikely that a pattern in the data becomes one large value. They are
 * Transformer Engine's: both operands of a product need the same. */
const float ag_hadamard_signs[AG_HADAMARD] = {1,  1,  1,  -1, 1,  -1, -1, -1,
                                              -1, -1, -1, 1,  -1, 1,  -1, -1};

static void transform(float run[AG_HADAMARD])
{
    for (int i = 0; i < AG_HADAMARD; i++)
        run[i] *= ag_hadamard_signs[i];
    for (int distance = 1; distance < AG_HADAMARD; distance *= 2) {
        for (int i = 0; i < AG_HADAMARD; i++) {
            if ((i & distance) != 0)
                continue;
            float sum = run[i] + run[i + distance];
            float difference = run[i] - run[i + distance];
            run[i] = sum;
            run[i + distance] = difference;
        }
    }
    for (int i = 0; i < AG_HADAMARD; i++)
        run[i] *= 0.25f; /* 1 / sqrt(16), exact */
}

void ag_hadamard(float *out, const float *x, size_t rows, size_t cols)
{
    size_t whole = rows - rows % AG_HADAMARD;
    for (size_t row = 0; row < whole; row += AG_HADAMARD) {
        for (size_t col = 0; col < cols; col++) {
            float run[AG_HADAMARD];
            for (size_t i = 0; i < AG_HADAMARD; i++)
                run[i] = x[(row + i) * cols + col];
            transform(run);
            for (size_t i = 0; i < AG_HADAMARD; i++)
                out[(row + i) * cols + col] = run[i];
        }
    }
    memmove(out + whole * cols, x + whole * cols, (rows - whole) * cols * sizeof *out);
}

/* --- the whole */

void ag_quantize_matrix(float *out, const float *x, const ag_matrix *matrix,
                        const ag_scheme *scheme, ag_scales *scales, const ag_rounding_site *where)
{
    ag_groups groups = ag_groups_of(scheme, matrix);
    if (scheme->hadamard) {
        ag_hadamard(out, x, matrix->rows, matrix->cols);
        x = out;
    }
    ag_groups_amax(scales->scale, x, &groups, ag_scheme_keeps_nan(scheme));
    ag_scales_set(scales, scheme, ag_groups_count(&groups));
    for (size_t row = 0; row < matrix->rows; row++) {
        for (size_t col = 0; col < matrix->cols; col++) {
            size_t i = row * matrix->cols + col;
            size_t group = ag_groups_at(&groups, row, col);
            float q =
                ag_round_element(scheme, x[i] * scales->scale[group], where, matrix->first + i);
            out[i] = q * scales->after[group] * scales->factor;
        }
    }
}
