/* The scales of groups as loops without a branch, one for each kind of scale; ag_scales_set in
 * numerics/scales.c is the definition, with the sources of the rules. There are as many scales as
 * blocks, one for every 16 or 32 elements, so that a call of ldexp per scale would show. */
#include "quantize_grid.h"

/* The bits of 2^e for -127 <= e <= 127; 2^-127, the least E8M0 scale, is subnormal in float32. */
INLINE uint32_t power_bits(int32_t e)
{
    return e > -127 ? (uint32_t)(e + 127) << 23 : 0x00400000u;
}

INLINE int32_t exponent_within(int32_t e)
{
    return e < -127 ? -127 : e > 127 ? 127 : e;
}

/* E8M0: e is the exponent of amax less that of the format's largest value, one more where RCEIL
 * finds amax above that value; EVEN adds `half` to amax first. With the other rules no mantissa is
 * beyond UINT32_MAX, and half is 0. `scale` and `after` are exact inverses. */
AG_CLONES static void set_e8m0(float *scale, float *after, const float *amaxes, size_t count,
                               const ag_scheme *scheme, int32_t more)
{
    const uint32_t max = scheme->format.max_bits;
    const uint32_t beyond = scheme->e8m0 == AG_E8M0_RCEIL ? max & AG_MANTISSA_BITS : UINT32_MAX;
    const int kept = scheme->format.mantissa - (scheme->format.exponent == 0);
    const uint32_t half = scheme->e8m0 == AG_E8M0_EVEN ? 1u << (22 - kept) : 0;
    const int32_t max_field = (int32_t)(max >> 23);
    for (size_t i = 0; i < count; i++) {
        uint32_t amax = ag_float_bits(amaxes[i]);
        uint32_t from = amax + half;
        int32_t field = (int32_t)(from >> 23);
        int32_t e = field - max_field + ((from & AG_MANTISSA_BITS) > beyond ? 1 : 0);
        e = exponent_within((field == 0 ? -127 : exponent_within(e)) + more);
        scale[i] = ag_bits_float(amax < AG_INFINITE_BITS ? power_bits(-e) : AG_NAN_BITS);
        after[i] = ag_bits_float(amax < AG_INFINITE_BITS ? power_bits(e) : AG_NAN_BITS);
    }
}

/* What the amax of a block is divided and multiplied by, in that order, before it is rounded. */
typedef struct float8_factors {
    float divisor, times, more;
} float8_factors;

/* 8-bit floats: the block's scale is amax / max in units of the tensor's. The divisions stand as
 * Transformer Engine has them, as multiplications by inverses, which round differently. */
AG_CLONES static void set_float8(float *scale, float *after, const float *amaxes, size_t count,
                                 float inverse, float8_factors by, const grid *shared)
{
    const grid g = *shared;
    for (size_t i = 0; i < count; i++) {
        float block = nearest(amaxes[i] / by.divisor * by.times * by.more, &g);
        float enc = 1.0f / (block * inverse);
        scale[i] = enc > 0x1.fffffep127f ? 0x1.fffffep127f : enc;
        after[i] = block;
    }
}

/* Under 4/6 amax / 6 is a division, as in Transformer Engine's reference. A division by 1 and a
 * multiplication by 1 are exact. */
static float8_factors factors_of(const ag_scale_rule *rule, int candidate)
{
    const ag_scheme *scheme = rule->scheme;
    if (scheme->select == AG_SELECT_FOUR_SIX)
        return (float8_factors){6.0f, rule->outer, candidate == 0 ? 1.0f : 1.5f};
    return (float8_factors){1.0f, rule->unit,
                            candidate == 0 ? 1.0f : scheme->candidates[candidate]};
}

/* float32 scales: max / amax * 1 / k * 2^-margin, cut to its exponent by `mask` for a power of two,
 * held in [2^-126, 2^126] so that its inverse is normal, too; 1 where amax is 0, Inf or NaN. */
AG_CLONES static void set_float(float *scale, float *after, const float *amaxes, size_t count,
                                const ag_scheme *scheme, float times)
{
    /* 2^-margin is a normal number, the product with it the one rounding of ldexp */
    const float max = scheme->format.max;
    const float margin = ldexpf(1.0f, -scheme->margin);
    const uint32_t mask = scheme->pow2 ? AG_INFINITE_BITS : UINT32_MAX;
    const bool absmax = scheme->scale == AG_SCALE_ABSMAX;
    for (size_t i = 0; i < count; i++) {
        float amax = amaxes[i];
        uint32_t bits = ag_float_bits(amax);
        bool usable = bits != 0 && bits < AG_INFINITE_BITS;
        float s = ag_bits_float(ag_float_bits(max / amax * times * margin) & mask);
        s = s < 0x1p-126f ? 0x1p-126f : s;
        s = s > 0x1p126f ? 0x1p126f : s;
        s = usable ? s : 1.0f;
        scale[i] = s;
        after[i] = absmax && usable ? amax / max : 1.0f / s;
    }
}

void ag_scales_candidate(float *scale, float *after, const float *amaxes, size_t count,
                         const ag_scale_rule *rule, int candidate)
{
    const ag_scheme *scheme = rule->scheme;
    float times = candidate == 0 ? 1.0f : scheme->candidates[candidate];
    if (ag_scheme_has_float8_scales(scheme)) {
        const grid g = grid_of(&rule->format, AG_OVERFLOW_SATURATE);
        set_float8(scale, after, amaxes, count, rule->inverse, factors_of(rule, candidate), &g);
    } else if (ag_scheme_scales(scheme) == AG_SCALE_E8M0) {
        set_e8m0(scale, after, amaxes, count, scheme, ilogbf(times));
    } else {
        set_float(scale, after, amaxes, count, scheme, 1.0f / times);
    }
}

/* Lines of single groups, a tensor's columns, are too short to pay; the plain way takes them. */
void ag_scales_set_fast(ag_scales *scales, const ag_scheme *scheme, size_t count)
{
    if (scheme->amax == AG_AMAX_NONE || (scales->rows > 0 && scales->step == 1)) {
        ag_scales_set(scales, scheme, count);
        return;
    }
    size_t rows = scales->rows > 0 ? scales->rows : 1;
    for (size_t row = 0; row < rows; row++) {
        ag_scale_rule rule = ag_scales_rule(scales, scheme, row, count);
        ag_scale_line line = ag_scales_line(scales, row, count);
        float *scale = scales->scale + line.first;
        ag_scales_candidate(scale, scales->after + line.first, scale, line.step, &rule, 0);
    }
}
