/* What the files of numerics share: a format's values in terms of float32's bits. */
#ifndef AG_NUMERICS_INTERNAL_H
#define AG_NUMERICS_INTERNAL_H

#include "base/bits.h"
#include "numerics/format.h"
#include "numerics/scheme.h"

enum {
    FLOAT_MANTISSA = 23,
    FLOAT_BIAS = 127,
    LARGEST_EXPONENT = 127,
};

/* The float32 bits of the finite magnitude with code `code`. */
uint32_t ag_format_magnitude(const ag_format *format, uint32_t code);

int ag_format_default_bias(int exponent, ag_kind kind);

/* Checks the limits of exponent, mantissa, bias and kind, and fills in all the rest. `name`
 * is what the user wrote, for the message. */
ag_status ag_format_complete(ag_format *format, const char *name);

/* The parts of ag_scheme_normalise, ag_scheme_check and ag_scheme_describe that are about blocks
 * and scales. */
void ag_scheme_normalise_blocks(ag_scheme *scheme);
ag_status ag_scheme_check_blocks(const ag_scheme *scheme);
ag_status ag_scheme_check_scales(const ag_scheme *scheme);
void ag_scheme_describe_scale(char *text, size_t size, const ag_scheme *scheme);

/* The same of static scales. */
void ag_static_normalise(ag_scheme *scheme);
ag_status ag_static_check(const ag_scheme *scheme);

/* An exponent as E8M0 holds it. */
static inline int ag_e8m0_within(int e)
{
    return e < -FLOAT_BIAS ? -FLOAT_BIAS : e > FLOAT_BIAS ? FLOAT_BIAS : e;
}

/* ag_scale_from_amax of a quotient that is multiplied by `times` first; 1 without an amax. */
float ag_scale_of(const ag_format *format, float amax, float times, int margin, bool pow2);

#endif
