/* Quantised operands, one value at a time, by the definition in numerics/quantize.c. */
#include "kernels_internal.h"

#include "float_maths.h"

float ag_round_pairs_plain(float *out, const float *x, size_t rows, size_t cols, ag_pairs *pairs)
{
    float amax = ag_round_bf16_plain(out, x, rows * cols);
    pairs->range = ag_pairs_of_rows(pairs, out, cols, 0, rows);
    return amax;
}

void ag_quantize_plain(float *out, const float *x, size_t count, const ag_format *format,
                       float scale, ag_overflow overflow)
{
    float shift = ag_operand_shift(format);
    for (size_t i = 0; i < count; i++)
        out[i] = ag_round_nearest(format, x[i] * scale, overflow) * shift;
}

void ag_quantize_stochastic_plain(float *out, const float *x, size_t count, const ag_format *format,
                                  float scale, ag_overflow overflow, const ag_rounding_site *where,
                                  uint64_t first)
{
    float shift = ag_operand_shift(format);
    for (size_t i = 0; i < count; i++) {
        float q = ag_round_random(format, x[i] * scale, where, first + i, overflow);
        out[i] = q * shift;
    }
}

void ag_quantize_groups_plain(float *out, const float *x, const ag_groups *groups,
                              const ag_scales *scales, const ag_scheme *scheme,
                              const ag_rounding_site *where, uint64_t first)
{
    for (size_t i = 0; i < groups->rows * groups->cols; i++) {
        size_t group = ag_groups_at(groups, i / groups->cols, i % groups->cols);
        float y = x[i] * scales->scale[group];
        float q = ag_round_element(scheme, y, where, first + i);
        out[i] = q * scales->after[group];
    }
}
