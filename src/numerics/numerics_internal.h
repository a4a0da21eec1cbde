/* What the files of numerics share: a format's values in terms of float32's bits. */
#ifndef AG_NUMERICS_INTERNAL_H
#define AG_NUMERICS_INTERNAL_H

#include "base/bits.h"
#include "numerics/format.h"

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

#endif
