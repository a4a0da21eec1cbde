/* Codes by their definition: each value is rounded as numerics has it, divided by the smallest step
 * of the format, which leaves a whole number, and put into its byte. */
#include <math.h>

#include "codes.h"

/* Sets the byte of element k of a row. Words begin as AG_NO_CODES, 0x80 in each byte, and code +
 * 128 differs from that by exactly the bits of the code as a signed byte: exclusive or sets it. */
static void set_code(const ag_codes *out, const ag_code_shape *s, size_t row, size_t k, int code)
{
    size_t word = ag_code_word_at(s, k);
    size_t at = s->across ? word * s->rows + row : row * s->row_words + word;
    out->words[at] ^= (uint32_t)(uint8_t)code << 8 * (k % s->block % 4);
}

static void quantize_codes(const ag_codes *out, ag_sum sum, const float *x, const ag_groups *groups,
                           const ag_scales *scales, const ag_scheme *scheme,
                           const ag_rounding_site *where, uint64_t first)
{
    const float step = scheme->format.min_subnormal;
    const ag_code_shape shape = ag_code_shape_of(scheme, groups, sum);
    ag_codes_set_units(out, &shape, groups, scales, step);
    for (size_t i = 0; i < shape.rows * shape.row_words; i++)
        out->words[i] = AG_NO_CODES;
    for (size_t i = 0; i < groups->rows * groups->cols; i++) {
        size_t row = i / groups->cols;
        size_t col = i % groups->cols;
        float y = x[i] * scales->scale[ag_groups_at(groups, row, col)];
        float q = ag_round_element(scheme, y, where, first + i);
        size_t k = shape.across ? row : col;
        row = shape.across ? col : row;
        if (isfinite(q))
            set_code(out, &shape, row, k, (int)(q / step));
        else
            out->units[ag_code_unit_at(&shape, row, k)] = NAN;
    }
    ag_codes_clear_bad(out, &shape, &scheme->format);
}

void ag_quantize_codes_plain(const ag_codes out[2], const float *x, const ag_groups *groups,
                             const ag_scales *scales, const ag_scheme *scheme,
                             const ag_rounding_site *where, uint64_t first)
{
    for (int sum = 0; sum < 2; sum++)
        if (out[sum].words != NULL)
            quantize_codes(&out[sum], (ag_sum)sum, x, groups, scales, scheme, where, first);
}
