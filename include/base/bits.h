/* The bits of floating-point numbers: conversions, the masks of a float32, and BF16. Rounding and
 * ordering work on bits as integers, because integer arithmetic is exact and the same everywhere.
 */
#ifndef AG_BASE_BITS_H
#define AG_BASE_BITS_H

#include <stdint.h>
#include <string.h>

/* A float32 is sign, 8 bits of exponent with bias 127, 23 bits of mantissa. The bits of magnitudes
 * are ordered as the magnitudes are; those above AG_INFINITE_BITS are NaN. */
#define AG_SIGN_BIT 0x80000000u
#define AG_MAGNITUDE_BITS 0x7fffffffu
#define AG_MANTISSA_BITS 0x007fffffu
#define AG_INFINITE_BITS 0x7f800000u
#define AG_NAN_BITS 0x7fc00000u /* the one NaN that the program itself makes: quiet, positive */

static inline uint32_t ag_float_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline float ag_bits_float(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint64_t ag_double_bits(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline double ag_bits_double(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* All ones for the bits of a NaN, else 0. A mask: a condition would keep a loop from vectors. */
static inline uint32_t ag_nan_mask(uint32_t bits)
{
    return 0u - (uint32_t)((bits & AG_MAGNITUDE_BITS) > AG_INFINITE_BITS);
}

/* The bits of a float32 rounded to BF16, its upper half, to nearest even: half a step less one, and
 * one more where the kept part is odd, carry into it. A carry out of the mantissa raises the
 * exponent, as it should, up to Inf. Any NaN becomes AG_NAN_BITS. */
static inline uint32_t ag_bf16_bits(uint32_t bits)
{
    uint32_t rounded = (bits + 0x7fffu + (bits >> 16 & 1)) & 0xffff0000u;
    return (rounded & ~ag_nan_mask(bits)) | (AG_NAN_BITS & ag_nan_mask(bits));
}

#endif
