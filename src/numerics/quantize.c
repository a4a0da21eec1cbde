/* Rounding on the float32 bits: the definition that every fast rounding is held against. A
 * magnitude is scaled to steps of the format as an integer, rounded there, and the result is a
 * code: a carry runs into the exponent by itself, and into the code beyond the largest on overflow.
 * Integers only, so that there is one answer on every machine, and stochastic rounding can be said
 * exactly. */
#include "numerics/quantize.h"

#include <math.h>

#include "base/philox.h"
#include "numerics/code_table.h"
#include "numerics_internal.h"

/* How the discarded part of a magnitude decides. */
typedef enum ag_direction { TO_NEAREST, TO_RANDOM, TO_ZERO } ag_direction;

/* The number of whole steps in significand / 2^shift, to nearest, ties to even: half a step less
 * one, plus one where the kept part is odd, carries into it. 0 <= shift, and significand < 2^24 in
 * the subnormal range, any 32 bits above it (then shift <= 23). */
static uint32_t round_nearest_even(uint32_t significand, int shift)
{
    if (shift >= 25)
        return 0; /* below half a step */
    if (shift == 0)
        return significand;
    uint32_t half_less_one = (1u << (shift - 1)) - 1;
    uint32_t is_odd = significand >> shift & 1;
    return (significand + half_less_one + is_odd) >> shift;
}

/* A random word and how many of its bits count. */
typedef struct dice {
    uint32_t word;
    int bits;
    ag_sr_variant variant;
} dice;

/* Stochastic rounding: the discarded part as a fraction of 2^32, rounded down, plus the word; a
 * carry rounds up. So it rounds up with the probability of that part, to a multiple of 2^-32. */
static uint32_t round_random(uint32_t significand, int shift, uint32_t word)
{
    uint64_t fixed = shift <= 32 ? (uint64_t)significand << (32 - shift)
                                 : (shift < 56 ? significand >> (shift - 32) : 0);
    return (uint32_t)((fixed + word) >> 32);
}

/* value / 2^shift as a whole number, down or to nearest even. */
static uint64_t shifted_down(uint64_t value, int shift)
{
    return shift < 64 ? value >> shift : 0;
}

static uint64_t shifted_nearest(uint64_t value, int shift)
{
    if (shift >= 64)
        return 0;
    if (shift == 0)
        return value;
    return (value + ((1ull << (shift - 1)) - 1) + (value >> shift & 1)) >> shift;
}

/* The same with fewer bits. `rest` is the discarded part in 2^-shift of the last kept bit: at most
 * 24 bits, so that 33 more find room. */
static uint32_t round_few_bits(uint32_t significand, int shift, const dice *d)
{
    uint32_t kept = shift < 32 ? significand >> shift : 0;
    uint64_t rest = shift < 32 ? significand - (kept << shift) : significand;
    uint64_t R = d->word >> (32 - d->bits);
    bool up = false;
    if (d->variant == AG_SR_HALF)
        up = (shifted_down(rest << (d->bits + 1), shift) + 2 * R + 1) >> (d->bits + 1) != 0;
    else if (d->variant == AG_SR_NEAREST)
        up = (shifted_nearest(rest << d->bits, shift) + R) >> d->bits != 0;
    else
        up = (shifted_down(rest << d->bits, shift) + R) >> d->bits != 0;
    return kept + up;
}

static uint32_t round_significand(uint32_t significand, int shift, ag_direction direction,
                                  const dice *d)
{
    switch (direction) {
    case TO_NEAREST:
        return round_nearest_even(significand, shift);
    case TO_RANDOM:
        return d->bits == 32 && d->variant == AG_SR_FLOOR
                   ? round_random(significand, shift, d->word)
                   : round_few_bits(significand, shift, d);
    default:
        return shift < 32 ? significand >> shift : 0;
    }
}

/* The code of a magnitude in the given direction; above max_code on overflow. Normal numbers: the
 * bits less those of the format's smallest exponent are the code with more mantissa bits, of which
 * the lower ones are rounded away. Subnormal ones: the significand, its leading 1 restored, in
 * smallest steps. */
static uint32_t round_magnitude(const ag_format *format, uint32_t magnitude, ag_direction direction,
                                const dice *random)
{
    uint32_t overflow = format->max_code + 1;
    if (magnitude >= AG_INFINITE_BITS)
        return overflow;
    uint32_t smallest_normal = (uint32_t)(FLOAT_BIAS + 1 - format->bias) << FLOAT_MANTISSA;
    if (format->exponent > 0 && magnitude >= smallest_normal) {
        uint32_t rebased = magnitude - (smallest_normal - (1u << FLOAT_MANTISSA));
        return round_significand(rebased, FLOAT_MANTISSA - format->mantissa, direction, random);
    }
    if (format->exponent == 0 && magnitude >= smallest_normal + (1u << FLOAT_MANTISSA))
        return overflow;
    int exponent = (int)(magnitude >> FLOAT_MANTISSA);
    uint32_t significand = magnitude & ((1u << FLOAT_MANTISSA) - 1);
    if (exponent > 0)
        significand |= 1u << FLOAT_MANTISSA;
    else
        exponent = 1;
    int shift = FLOAT_BIAS + FLOAT_MANTISSA + 1 - exponent - format->bias - format->mantissa;
    return round_significand(significand, shift, direction, random);
}

uint32_t ag_overflow_bits(const ag_format *format, ag_overflow overflow)
{
    if (overflow == AG_OVERFLOW_SATURATE || !(format->has_inf || format->has_nan))
        return format->max_bits;
    return format->has_inf ? AG_INFINITE_BITS : AG_NAN_BITS;
}

/* From bits to a code and back: every rounding goes through here. */
static float round_to(const ag_format *format, float x, ag_overflow overflow,
                      ag_direction direction, const dice *random)
{
    uint32_t bits = ag_float_bits(x);
    uint32_t sign = bits & AG_SIGN_BIT;
    uint32_t magnitude = bits & AG_MAGNITUDE_BITS;
    if (magnitude > AG_INFINITE_BITS)
        return ag_bits_float(AG_NAN_BITS);
    uint32_t code = round_magnitude(format, magnitude, direction, random);
    magnitude = code > format->max_code ? ag_overflow_bits(format, overflow)
                                        : ag_format_magnitude(format, code);
    return ag_bits_float(magnitude == AG_NAN_BITS ? magnitude : sign | magnitude);
}

float ag_round_nearest(const ag_format *format, float x, ag_overflow overflow)
{
    if (format->table != NULL)
        return ag_table_nearest(format->table, x);
    return round_to(format, x, overflow, TO_NEAREST, NULL);
}

float ag_round_few_bits(const ag_format *format, float x, uint32_t random, int bits,
                        ag_sr_variant variant, ag_overflow overflow)
{
    const dice d = {random, bits, variant};
    if (format->table != NULL)
        return ag_table_stochastic(format->table, x, random, bits);
    return round_to(format, x, overflow, TO_RANDOM, &d);
}

float ag_round_stochastic(const ag_format *format, float x, uint32_t random, ag_overflow overflow)
{
    return ag_round_few_bits(format, x, random, 32, AG_SR_FLOOR, overflow);
}

static dice dice_of(const ag_rounding_site *where, uint64_t element)
{
    return (dice){ag_rounding_random(where, element), where->bits > 0 ? where->bits : 32,
                  where->variant};
}

float ag_round_random(const ag_format *format, float x, const ag_rounding_site *where,
                      uint64_t element, ag_overflow overflow)
{
    const dice d = dice_of(where, element);
    return ag_round_few_bits(format, x, d.word, d.bits, d.variant, overflow);
}

float ag_scheme_limit(const ag_scheme *scheme)
{
    bool is_clamped = scheme->format.table != NULL && ag_scheme_has_float8_scales(scheme);
    return is_clamped ? scheme->format.max : INFINITY;
}

/* NaN passes. */
static float clamped(const ag_scheme *scheme, float y)
{
    float limit = ag_scheme_limit(scheme);
    return y > limit ? limit : y < -limit ? -limit : y;
}

float ag_round_element(const ag_scheme *scheme, float y, const ag_rounding_site *where,
                       uint64_t element)
{
    y = clamped(scheme, y);
    if (scheme->rounding == AG_ROUND_NEAREST || where == NULL)
        return ag_round_nearest(&scheme->format, y, scheme->overflow);
    return ag_round_random(&scheme->format, y, where, element, scheme->overflow);
}

static bool overflows(const ag_format *format, float x, ag_direction direction, const dice *random)
{
    uint32_t magnitude = ag_float_bits(x) & AG_MAGNITUDE_BITS;
    if (format->table != NULL)
        return ag_table_overflows(format->table, x);
    return round_magnitude(format, magnitude, direction, random) > format->max_code;
}

bool ag_overflows_nearest(const ag_format *format, float x)
{
    return overflows(format, x, TO_NEAREST, NULL);
}

bool ag_overflows_random(const ag_format *format, float x, const ag_rounding_site *where,
                         uint64_t element)
{
    const dice d = dice_of(where, element);
    return overflows(format, x, TO_RANDOM, &d);
}

/* The step of the octave of |x|; ilogbf gives its exponent exactly. */
double ag_grid_spacing(const ag_format *format, float x)
{
    if (isnan(x))
        return NAN;
    if (format->table != NULL)
        return ag_table_spacing(format->table, x);
    float magnitude = fminf(fabsf(x), format->max);
    bool is_normal = format->exponent > 0 && magnitude >= format->min_normal;
    int exponent = is_normal ? ilogbf(magnitude) : format->emin;
    return ldexp(1.0, exponent - format->mantissa);
}

float ag_round_toward_zero(const ag_format *format, float x, ag_overflow overflow)
{
    if (format->table != NULL) /* nothing carries */
        return ag_table_stochastic(format->table, x, 0, 32);
    return round_to(format, x, overflow, TO_ZERO, NULL);
}

float ag_round_bf16(float x)
{
    return ag_bits_float(ag_bf16_bits(ag_float_bits(x)));
}

/* One Philox block serves four neighbours. The counter holds the block's number in 56 bits, the use
 * in the 8 above, then place and step: run/streams.h has the map. */
uint32_t ag_rounding_random(const ag_rounding_site *where, uint64_t element)
{
    uint64_t block = element >> 2;
    uint32_t high = ((uint32_t)(block >> 32) & 0xffffffu) | where->use << 24;
    return ag_philox(where->key, (uint32_t)block, high, where->place, where->step)
        .word[element & 3];
}

float ag_amax(const float *x, size_t count)
{
    uint32_t largest = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t magnitude = ag_float_bits(x[i]) & AG_MAGNITUDE_BITS;
        if (magnitude > largest && magnitude <= AG_INFINITE_BITS)
            largest = magnitude;
    }
    return ag_bits_float(largest);
}

/* The division rounds once; 2^-margin is exact. A power of two is had by clearing the mantissa,
 * i.e. by rounding down, so that amax never passes the largest value. The clamp keeps 1 / S normal.
 */
static float scale_of(const ag_format *format, float amax, float times, int margin, bool pow2)
{
    float scale = ldexpf(format->max / amax * times, -margin);
    if (pow2)
        scale = ag_bits_float(ag_float_bits(scale) & AG_INFINITE_BITS);
    return fminf(fmaxf(scale, 0x1p-126f), 0x1p126f);
}

static bool is_usable(float amax)
{
    uint32_t bits = ag_float_bits(amax) & AG_MAGNITUDE_BITS;
    return bits != 0 && bits < AG_INFINITE_BITS;
}

float ag_scale_from_amax(const ag_format *format, float amax, int margin, bool pow2,
                         float otherwise)
{
    return is_usable(amax) ? scale_of(format, amax, 1.0f, margin, pow2) : otherwise;
}

float ag_scale_of(const ag_format *format, float amax, float times, int margin, bool pow2)
{
    return is_usable(amax) ? scale_of(format, amax, times, margin, pow2) : 1.0f;
}

void ag_fake_quantize(float *out, const float *x, size_t count, const ag_scheme *scheme,
                      float scale, const ag_rounding_site *where, uint64_t first)
{
    float inverse = 1.0f / scale;
    for (size_t i = 0; i < count; i++)
        out[i] = ag_round_element(scheme, x[i] * scale, where, first + i) * inverse;
}
