/* Rounding to the values of a format (its grid) without a branch; what depends on the format alone
 * is worked out before. Loops over these functions are vectorised. The definition is
 * numerics/quantize.c; tests/kernels/test_kernels_exhaustive.c compares the two on every float32.
 *
 * Formats in the middle of float32's range that saturate have the shortest way ("plain"): a
 * magnitude is first bounded by the largest value, and its octave, at least that of the smallest
 * normal number, gives the step. For all others both the normal and the subnormal result are
 * computed and one is selected. */
#ifndef AG_KERNELS_QUANTIZE_GRID_H
#define AG_KERNELS_QUANTIZE_GRID_H

#include <math.h>

#include "base/bits.h"
#include "kernels_internal.h"
#include "numerics/code_table.h"
#include "numerics/quantize.h"

#define INLINE static inline __attribute__((always_inline))

/* The values of a format in terms of float32, all of them derived from bias, exponent and mantissa.
 */
typedef struct grid {
    uint32_t cut;               /* mantissa bits that a normal number loses, 23 - M */
    uint32_t smallest_code;     /* subtracted from the bits, leaves the code: (127 - bias) << 23 */
    uint32_t normal_from;       /* bits of the smallest normal number; all are subnormal if E = 0 */
    uint32_t subnormal_end;     /* bits from which on E = 0 overflows whatever the mantissa */
    uint32_t max;               /* bits of the largest finite value */
    uint32_t overflow;          /* bits of what lies beyond */
    int32_t subnormal_shift;    /* value = mantissa * 2^-t steps, t = this - exponent field */
    float step;                 /* the smallest subnormal number, */
    float per_step;             /* and its inverse */
    float rounder;              /* 2^23 steps: |x| + rounder - rounder is a whole number of steps */
    float shift;                /* of an operand below 2 in magnitude */
    uint32_t octave;            /* bits of the octave of the smallest normal number */
    bool is_plain;              /* whether the shortest way is right: saturates, steps of its own */
    int32_t finer;              /* of `fine`: from an octave's bits to 2^23 of its finer steps */
    bool has_integers;          /* all values are whole numbers of `step` (E = 0) */
    const ag_code_table *table; /* its values, where they are listed: all but `shift` is 0 then */
    float limit;                /* of a magnitude before it goes to one of them */
} grid;

static inline grid grid_of(const ag_format *format, ag_overflow overflow)
{
    if (format->table != NULL)
        return (grid){.shift = ag_operand_shift(format), .table = format->table, .limit = INFINITY};
    uint32_t beyond = ag_overflow_bits(format, overflow);
    uint32_t octave = (uint32_t)(128 - format->bias) << 23;
    return (grid){
        .cut = (uint32_t)(23 - format->mantissa),
        .smallest_code = (uint32_t)(127 - format->bias) << 23,
        .normal_from = format->exponent > 0 ? octave : UINT32_MAX,
        .subnormal_end = (uint32_t)(129 - format->bias) << 23,
        .max = format->max_bits,
        .overflow = beyond,
        .subnormal_shift = 151 - format->bias - format->mantissa,
        .step = ldexpf(1, 1 - format->bias - format->mantissa),
        .per_step = ldexpf(1, format->bias + format->mantissa - 1),
        .rounder = ldexpf(1, 24 - format->bias - format->mantissa),
        .shift = ag_operand_shift(format),
        .octave = octave,
        .is_plain = beyond == format->max_bits && format->mantissa >= 1 && format->bias < 64 &&
                    format->emax < 64,
        .has_integers = format->exponent == 0,
    };
}

/* Whether the float32 constants above exist for the format: `rounder` and `per_step`, of which one
 * is the largest, must be finite, and a random word's upper bits must cover the `cut` bits that a
 * normal number loses. */
static inline bool grid_exists(const ag_format *format)
{
    return format->table != NULL ||
           (format->mantissa <= 15 && 24 - format->bias - format->mantissa <= 127 &&
            format->bias + format->mantissa - 1 <= 127);
}

/* From the bits of a rounded magnitude, perhaps past the last value, to the result: overflow, NaN
 * and the sign. NaN has none, as in the definition. */
INLINE float finish(uint32_t rounded, uint32_t bits, const grid *g)
{
    uint32_t magnitude = bits & AG_MAGNITUDE_BITS;
    uint32_t value = rounded > g->max ? g->overflow : rounded;
    value = magnitude > AG_INFINITE_BITS ? AG_NAN_BITS : value;
    value |= value > AG_INFINITE_BITS ? 0 : bits & AG_SIGN_BIT;
    return ag_bits_float(value);
}

/* Adding 2^23 steps leaves a float32 no bit below one step, so the addition itself rounds to
 * nearest even, and taking the 2^23 steps off again is exact. */
INLINE uint32_t nearest_subnormal(uint32_t magnitude, const grid *g)
{
    float whole = ag_bits_float(magnitude) + g->rounder;
    return ag_float_bits(whole - g->rounder);
}

/* The same on bits: half a step less one, and one more where the code is odd, carry into the part
 * that is kept. `odd` is the code's last bit, not the mantissa's: with M = 0 it is one of the
 * exponent. */
INLINE uint32_t nearest_normal(uint32_t magnitude, const grid *g)
{
    uint32_t odd = (magnitude - g->smallest_code) >> g->cut & 1;
    uint32_t half = (1u << g->cut >> 1) - 1;
    return (magnitude + half + odd) & ~((1u << g->cut) - 1);
}

INLINE float nearest(float y, const grid *g)
{
    uint32_t bits = ag_float_bits(y);
    uint32_t magnitude = bits & AG_MAGNITUDE_BITS;
    uint32_t normal = nearest_normal(magnitude, g);
    uint32_t subnormal = nearest_subnormal(magnitude, g);
    return finish(magnitude >= g->normal_from ? normal : subnormal, bits, g);
}

/* The mantissa in steps as a fixed-point number with 32 bits behind the point: the random word
 * carries into the whole steps. */
INLINE uint32_t stochastic_subnormal(uint32_t magnitude, uint32_t random, const grid *g)
{
    uint32_t field = magnitude >> 23;
    uint32_t mantissa = magnitude & AG_MANTISSA_BITS;
    mantissa |= field > 0 ? 0x800000u : 0;
    int32_t t = g->subnormal_shift - (int32_t)(field > 0 ? field : 1);
    t = t < 1 ? 1 : t; /* a normal number, whose result here is not used */
    t = t > 63 ? 63 : t;
    uint64_t steps = (uint64_t)mantissa << 32 >> t;
    float value = (float)(int32_t)((steps + random) >> 32) * g->step;
    return magnitude >= g->subnormal_end ? AG_INFINITE_BITS : ag_float_bits(value);
}

INLINE float stochastic(float y, uint32_t random, const grid *g)
{
    uint32_t bits = ag_float_bits(y);
    uint32_t magnitude = bits & AG_MAGNITUDE_BITS;
    uint32_t subnormal = stochastic_subnormal(magnitude, random, g);
    uint32_t normal = (magnitude + (random >> (32 - g->cut))) & ~((1u << g->cut) - 1);
    return finish(magnitude >= g->normal_from ? normal : subnormal, bits, g);
}

/* --- the shortest way */

INLINE uint32_t bounded(uint32_t bits, const grid *g)
{
    uint32_t magnitude = bits & AG_MAGNITUDE_BITS;
    return magnitude < g->max ? magnitude : g->max;
}

/* The octave of a magnitude, of which 2^-M is the step. */
INLINE uint32_t octave_of(uint32_t magnitude, const grid *g)
{
    uint32_t octave = magnitude & AG_INFINITE_BITS;
    return octave > g->octave ? octave : g->octave;
}

/* The value with the sign of the bits, or NaN where these are. */
INLINE float with_sign(float value, uint32_t bits)
{
    uint32_t is_signed = ag_float_bits(value) | (bits & AG_SIGN_BIT);
    return ag_bits_float((bits & AG_MAGNITUDE_BITS) > AG_INFINITE_BITS ? AG_NAN_BITS : is_signed);
}

/* As nearest_subnormal, but with 2^23 steps of the value's own octave: cut << 23 raises the
 * octave's exponent by 23 - M. */
INLINE float plain_nearest(float y, const grid *g)
{
    uint32_t magnitude = bounded(ag_float_bits(y), g);
    float rounder = ag_bits_float(octave_of(magnitude, g) + (g->cut << 23));
    return with_sign(ag_bits_float(magnitude) + rounder - rounder, ag_float_bits(y));
}

/* As plain_nearest, where every value is a whole number of the same step (E = 0). */
INLINE float plain_integer(float y, const grid *g)
{
    float magnitude = ag_bits_float(bounded(ag_float_bits(y), g));
    return with_sign(magnitude + g->rounder - g->rounder, ag_float_bits(y));
}

/* The same as a code + 128, or more than a byte of NaN, which both comparisons let through. The sum
 * with an even number of steps, 2^22 + 128 above `rounder`, rounds to nearest even whatever the
 * sign, and its last bits count the steps; all bits above them are always the same. */
INLINE uint32_t integer_byte(float y, const grid *g)
{
    const float max = ag_bits_float(g->max);
    const float middle = 1.5f * g->rounder + 128 * g->step;
    float within = y > max ? max : y;
    within = within < -max ? -max : within;
    return ag_float_bits(within + middle) ^ ag_float_bits(middle) ^ 128;
}

/* A magnitude rounded to nearest even in steps of the grid's times 2^-bits, as plain_nearest
 * does it; where float32's own steps are as coarse it stays. */
INLINE float fine(float y, const grid *g)
{
    uint32_t magnitude = bounded(ag_float_bits(y), g);
    float rounder = ag_bits_float(octave_of(magnitude, g) + (uint32_t)g->finer);
    float size = ag_bits_float(magnitude);
    return with_sign(size < rounder ? size + rounder - rounder : size, ag_float_bits(y));
}

/* In steps the magnitude is exact, so is its part behind the point; that with 32 bits and the
 * random word carry into the whole steps. */
INLINE float plain_stochastic(float y, uint32_t random, const grid *g)
{
    uint32_t magnitude = bounded(ag_float_bits(y), g);
    uint32_t step = octave_of(magnitude, g) - ((23 - g->cut) << 23);
    float steps = ag_bits_float(magnitude) * ag_bits_float((254u << 23) - step);
    float whole = floorf(steps);
    uint32_t part = (uint32_t)((steps - whole) * 0x1p32f);
    whole += part + random < part ? 1.0f : 0.0f;
    return with_sign(whole * ag_bits_float(step), ag_float_bits(y));
}

#endif
