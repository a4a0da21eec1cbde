/* The scales of groups as loops without a branch, one for each kind of scale; ag_scales_set in
 * numerics/groups.c is the definition, with the sources of the rules. There are as many scales as
 * blocks, one for every 16 or 32 elements, so that a call of ldexp per scale would show. */
#include "quantize_grid.h"

static const uint32_t MANTISSA = 0x7fffffu;

/* The bits of 2^e for -127 <= e <= 127; 2^-127, the least E8M0 scale, is subnormal in float32. */
INLINE uint32_t power_bits(int32_t e)
{
    return e > -127 ? (uint32_t)(e + 127) << 23 : 0x00400000u;
}

/* E8M0: e is the exponent of amax less that of the format's largest value, one more where RCEIL
 * finds amax above that value. With the floor rule no mantissa is beyond UINT32_MAX. `scale` and
 * `after` are exact inverses. */
AG_CLONES static void set_e8m0(float *scale, float *after, size_t count, uint32_t max, bool rceil)
{
    const uint32_t beyond = rceil ? max & MANTISSA : UINT32_MAX; /* mantissas that take one more */
    const int32_t max_field = (int32_t)(max >> 23);
    for (size_t i = 0; i < count; i++) {
        uint32_t amax = ag_float_bits(scale[i]);
        int32_t field = (int32_t)(amax >> 23);
        int32_t e = field - max_field + ((amax & MANTISSA) > beyond ? 1 : 0);
        e = field == 0 || e < -127 ? -127 : e;
        e = e > 127 ? 127 : e;
        scale[i] = ag_bits_float(amax < AG_INFINITE_BITS ? power_bits(-e) : AG_NAN_BITS);
        after[i] = ag_bits_float(amax < AG_INFINITE_BITS ? power_bits(e) : AG_NAN_BITS);
    }
}

/* NVFP4: the block's scale is amax / 6 in units of the tensor's, rounded to E4M3. The divisions
 * stand as Transformer Engine has them, as multiplications by inverses, which round differently. */
AG_CLONES static void set_nvfp4(float *scale, float *after, size_t count, float tensor,
                                const grid *shared)
{
    const grid g = *shared;
    const float inverse = 1.0f / tensor;
    const float sixth = tensor * (1.0f / 6.0f);
    for (size_t i = 0; i < count; i++) {
        float block = nearest(scale[i] * sixth, &g);
        float enc = 1.0f / (block * inverse);
        scale[i] = enc > 0x1.fffffep127f ? 0x1.fffffep127f : enc;
        after[i] = block;
    }
}

/* float32 scales: max / amax * 2^-margin, cut to its exponent by `mask` for a power of two, held in
 * [2^-126, 2^126] so that its inverse is normal, too; 1 where amax is 0, Inf or NaN. */
AG_CLONES static void set_float(float *scale, float *after, size_t count, float max, float margin,
                                uint32_t mask)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t amax = ag_float_bits(scale[i]);
        float s = ag_bits_float(ag_float_bits(max / scale[i] * margin) & mask);
        s = s < 0x1p-126f ? 0x1p-126f : s;
        s = s > 0x1p126f ? 0x1p126f : s;
        s = amax == 0 || amax >= AG_INFINITE_BITS ? 1.0f : s;
        scale[i] = s;
        after[i] = 1.0f / s;
    }
}

static void set_nvfp4_of(ag_scales *scales, size_t count)
{
    ag_format e4m3;
    ag_format_parse(&e4m3, "e4m3fn");
    const grid g = grid_of(&e4m3, AG_OVERFLOW_SATURATE);
    float amax = ag_amax_fast(scales->scale, count);
    float tensor = fminf(2688.0f / amax, 0x1.fffffep127f);
    if (amax == 0.0f || isinf(amax))
        tensor = 1.0f;
    set_nvfp4(scales->scale, scales->after, count, tensor, &g);
    scales->factor = 1.0f / tensor;
}

void ag_scales_set_fast(ag_scales *scales, const ag_scheme *scheme, size_t count)
{
    scales->factor = 1.0f;
    if (scheme->granularity == AG_GRANULARITY_MX)
        set_e8m0(scales->scale, scales->after, count, scheme->format.max_bits,
                 scheme->e8m0 == AG_E8M0_RCEIL);
    else if (scheme->granularity == AG_GRANULARITY_NV)
        set_nvfp4_of(scales, count);
    else if (scheme->amax == AG_AMAX_NONE)
        ag_scales_set(scales, scheme, count);
    else /* 2^-margin is a normal number, the product with it the one rounding of ldexp */
        set_float(scales->scale, scales->after, count, scheme->format.max,
                  ldexpf(1.0f, -scheme->margin), scheme->pow2 ? AG_INFINITE_BITS : UINT32_MAX);
}
