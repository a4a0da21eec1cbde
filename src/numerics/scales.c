/* The scales of groups from their amaxes, one value at a time: the definition, against which
 * kernels/scales_fast.c is held. Sources: OCP MX 1.0 for E8M0 with the floor rule; NVIDIA's rule of
 * rounding up (RCEIL) as in Transformer Engine and torchao, whose EVEN rounds the amax to the
 * element's precision first; Transformer Engine's reference for NVFP4, whose arithmetic all 8-bit
 * float scales have; its four-over-six (arXiv 2512.02010); bitsandbytes for absmax. */
#include <math.h>

#include "numerics/groups.h"
#include "numerics_internal.h"

static const float LARGEST_FLOAT = 0x1.fffffep127f;

/* --- E8M0 */

/* The amax from which the exponent is taken. EVEN adds half of the last bit that an element keeps,
 * so that an amax which rounds up to the next power of two counts as that. */
static uint32_t e8m0_amax(const ag_scheme *scheme, uint32_t amax)
{
    int mantissa = scheme->format.mantissa - (scheme->format.exponent == 0);
    return scheme->e8m0 == AG_E8M0_EVEN ? amax + (1u << (FLOAT_MANTISSA - 1 - mantissa)) : amax;
}

/* The exponent of an E8M0 scale: that of amax less that of the format's largest value, one more
 * where RCEIL finds amax above it. float32's subnormal amaxes, as 0, take the least exponent, -127.
 */
static int e8m0_exponent(const ag_scheme *scheme, uint32_t amax, int more)
{
    const uint32_t mantissa = (1u << FLOAT_MANTISSA) - 1;
    uint32_t max = scheme->format.max_bits;
    uint32_t from = e8m0_amax(scheme, amax);
    int e = -FLOAT_BIAS;
    if (from >> FLOAT_MANTISSA != 0)
        e = (int)(from >> FLOAT_MANTISSA) - (int)(max >> FLOAT_MANTISSA);
    if (from >> FLOAT_MANTISSA != 0 && scheme->e8m0 == AG_E8M0_RCEIL &&
        (from & mantissa) > (max & mantissa))
        e++;
    return ag_e8m0_within(ag_e8m0_within(e) + more);
}

/* `times` is a power of two. ldexpf gives 2^-127 too, which is subnormal. */
static ag_block_scale e8m0_scale(const ag_scheme *scheme, float amax, float times)
{
    if (ag_float_bits(amax) >= AG_INFINITE_BITS)
        return (ag_block_scale){ag_bits_float(AG_NAN_BITS), ag_bits_float(AG_NAN_BITS)};
    int e = e8m0_exponent(scheme, ag_float_bits(amax), ilogbf(times));
    return (ag_block_scale){ldexpf(1.0f, -e), ldexpf(1.0f, e)};
}

/* --- 8-bit floats */

/* Sg takes the amax of the tensor or the row to max * top, the largest product of an element and a
 * block's scale. The order of multiplications and inverses is Transformer Engine's, and so are the
 * bits. */
static void set_outer(ag_scale_rule *rule)
{
    const ag_scheme *scheme = rule->scheme;
    bool is_usable = rule->amax > 0.0f && rule->amax <= LARGEST_FLOAT;
    float max = scheme->format.max;
    if (scheme->select == AG_SELECT_EDEN)
        max /= ag_scheme_sigma(scheme);
    rule->format = ag_scale_format_of(ag_scheme_scales(scheme));
    rule->largest = max * ag_scheme_top(scheme);
    if (ag_scheme_outer(scheme) != AG_OUTER_NONE && is_usable)
        rule->outer = fminf(rule->largest / rule->amax, LARGEST_FLOAT);
    rule->inverse = 1.0f / rule->outer;
    rule->unit = rule->outer * (1.0f / max);
}

/* Four-over-six takes the amax to 6 or, with a scale half as large again, to 4. */
static float float8_block(const ag_scale_rule *rule, float amax, int candidate)
{
    const ag_scheme *scheme = rule->scheme;
    if (scheme->select == AG_SELECT_FOUR_SIX) {
        float base = amax / 6.0f * rule->outer;
        return candidate == 0 ? base : base * 1.5f;
    }
    float block = amax * rule->unit;
    return candidate == 0 ? block : block * scheme->candidates[candidate];
}

static ag_block_scale float8_scale(const ag_scale_rule *rule, float amax, int candidate)
{
    float block = float8_block(rule, amax, candidate);
    float D = ag_round_nearest(&rule->format, block, AG_OVERFLOW_SATURATE);
    return (ag_block_scale){fminf(1.0f / (D * rule->inverse), LARGEST_FLOAT), D};
}

/* --- float32 */

static ag_block_scale float_scale(const ag_scheme *scheme, float amax, float times)
{
    if (scheme->amax == AG_AMAX_NONE) {
        float fixed = ag_static_scale(scheme, 1);
        return (ag_block_scale){fixed, 1.0f / fixed};
    }
    float scale = ag_scale_of(&scheme->format, amax, 1.0f / times, scheme->margin, scheme->pow2);
    float after = 1.0f / scale;
    if (scheme->scale == AG_SCALE_ABSMAX && amax > 0.0f && amax <= LARGEST_FLOAT)
        after = amax / scheme->format.max;
    return (ag_block_scale){scale, after};
}

float ag_channel_scale(float amax)
{
    enum { MOST = 126 };
    if (!(amax > 0.0f && amax <= LARGEST_FLOAT))
        return 1.0f;
    int e = ilogbf(amax);
    return ldexpf(1.0f, e > MOST ? -MOST : e < -MOST ? MOST : -e);
}

/* --- the rule */

ag_scale_rule ag_scale_rule_of(const ag_scheme *scheme, float amax)
{
    ag_scale_rule rule = {.scheme = scheme, .amax = amax, .outer = 1.0f, .inverse = 1.0f};
    if (ag_scheme_has_float8_scales(scheme))
        set_outer(&rule);
    return rule;
}

int ag_scheme_candidates(const ag_scheme *scheme)
{
    return scheme->select == AG_SELECT_FOUR_SIX ? 2
           : scheme->select == AG_SELECT_MSE    ? scheme->n_candidates
                                                : 1;
}

ag_block_scale ag_scale_of_block(const ag_scale_rule *rule, float amax, int candidate)
{
    const ag_scheme *scheme = rule->scheme;
    float times = candidate == 0 ? 1.0f : scheme->candidates[candidate];
    if (ag_scheme_has_float8_scales(scheme))
        return float8_scale(rule, amax, candidate);
    if (ag_scheme_scales(scheme) == AG_SCALE_E8M0)
        return e8m0_scale(scheme, amax, times);
    return float_scale(scheme, amax, times);
}

/* --- all groups */

void ag_scales_lines(ag_scales *scales, const ag_scheme *scheme, const ag_groups *groups,
                     ag_sum sum)
{
    bool by_row = ag_scheme_outer(scheme) == AG_OUTER_ROW;
    scales->rows = !by_row ? 0 : sum == AG_SUM_COLS ? groups->down : groups->across;
    scales->step = sum == AG_SUM_COLS ? groups->across : 1;
}

/* The groups of a line lie in runs of `step` neighbours, `stride` apart; without lines all groups
 * are one run. */
ag_scale_line ag_scales_line(const ag_scales *scales, size_t row, size_t count)
{
    if (scales->rows == 0)
        return (ag_scale_line){0, count, count, count};
    return (ag_scale_line){row * scales->step, scales->step, scales->rows * scales->step, count};
}

float ag_scales_amax(const ag_scales *scales, const ag_scale_line *line)
{
    float largest = 0.0f;
    for (size_t i = line->first; i < line->count; i += line->stride)
        largest = fmaxf(largest, ag_amax(scales->scale + i, line->step));
    return largest;
}

ag_scale_rule ag_scales_rule(ag_scales *scales, const ag_scheme *scheme, size_t row, size_t count)
{
    ag_scale_line line = ag_scales_line(scales, row, count);
    bool has_outer = ag_scheme_outer(scheme) != AG_OUTER_NONE;
    ag_scale_rule rule = ag_scale_rule_of(scheme, has_outer ? ag_scales_amax(scales, &line) : 0.0f);
    if (scales->rows > 0)
        scales->factors[row] = rule.inverse;
    scales->factor = scales->rows > 0 ? 1.0f : rule.inverse;
    return rule;
}

static void set_group(ag_scales *scales, const ag_scale_rule *rule, size_t group)
{
    ag_block_scale block = ag_scale_of_block(rule, scales->scale[group], 0);
    scales->scale[group] = block.scale;
    scales->after[group] = block.after;
}

void ag_scales_set(ag_scales *scales, const ag_scheme *scheme, size_t count)
{
    size_t rows = scales->rows > 0 ? scales->rows : 1;
    for (size_t row = 0; row < rows; row++) {
        ag_scale_rule rule = ag_scales_rule(scales, scheme, row, count);
        ag_scale_line line = ag_scales_line(scales, row, count);
        for (size_t i = line.first; i < count; i += line.stride) {
            for (size_t j = i; j < i + line.step; j++)
                set_group(scales, &rule, j);
        }
    }
}
