/* Descriptors of formats: limits, derived values, and the codes. A code is the sign bit followed by
 * a magnitude, and magnitudes of codes grow with the values that they stand for, so that rounding
 * and encoding can work on integers. Sources: OCP OFP8 1.0 and OCP MX 1.0 for the formats, IEEE 754
 * for the kind of that name, ml_dtypes for fn and fnuz. */
#include "numerics/format.h"

#include <math.h>
#include <stdio.h>

#include "numerics_internal.h"

typedef enum nan_code { NO_NAN, NAN_ABOVE, NAN_FOR_ZERO } nan_code;

/* Above the codes of finite magnitudes there is first Inf, then NaN; a kind has both, one or
 * neither, or NaN where others have -0. */
static const struct {
    const char *name;
    bool gives_exponent; /* the whole top exponent, not just the codes that are needed */
    bool has_inf;
    nan_code nan;
} s_kinds[AG_KINDS] = {
    [AG_KIND_IEEE] = {"ieee", true,  true,  NAN_ABOVE   },
    [AG_KIND_FN] = {"fn",   false, false, NAN_ABOVE   },
    [AG_KIND_F] = {"f",    false, false, NO_NAN      },
    [AG_KIND_FNUZ] = {"fnuz", false, false, NAN_FOR_ZERO},
    [AG_KIND_P] = {"p",    false, true,  NAN_FOR_ZERO},
};

const char *ag_kind_name(ag_kind kind)
{
    return s_kinds[kind].name;
}

const char *ag_format_kind_name(const ag_format *format)
{
    return format->table != NULL ? "table" : ag_kind_name(format->kind);
}

/* IEEE 754's rule, 2^(E - 1) - 1; formats with NaN for -0 have one more (ml_dtypes, Graphcore and
 * AMD, P3109). */
int ag_format_default_bias(int exponent, ag_kind kind)
{
    int bias = exponent < 2 ? 1 - exponent : (1 << (exponent - 1)) - 1;
    return bias + (s_kinds[kind].nan == NAN_FOR_ZERO);
}

/* The largest finite magnitude. */
static uint32_t largest_code(const ag_format *f)
{
    uint32_t all_ones = (1u << (f->exponent + f->mantissa)) - 1;
    if (s_kinds[f->kind].gives_exponent)
        return all_ones - (1u << f->mantissa);
    return all_ones - s_kinds[f->kind].has_inf - (s_kinds[f->kind].nan == NAN_ABOVE);
}

/* What can be emulated in float32: 8 exponent bits, and 16 bits altogether, so that a rounded value
 * is exact in float32 and codes fit tables. */
static ag_status check_widths(const ag_format *f, const char *name)
{
    if (f->exponent > 8)
        return ag_fail(AG_ERR_INPUT,
                       "format '%s' has %d exponent bits: at most 8 can be emulated in float32",
                       name, f->exponent);
    if (f->bits < 2 || f->bits > 16)
        return ag_fail(AG_ERR_INPUT, "format '%s' has %d bits, sign included: 2 to 16 are possible",
                       name, f->bits);
    if (f->kind == AG_KIND_IEEE && (f->exponent < 2 || f->mantissa < 1))
        return ag_fail(AG_ERR_INPUT,
                       "format '%s': kind ieee, which gives its top exponent to Inf and NaN, needs "
                       "at least 2 exponent bits and 1 mantissa bit",
                       name);
    if (largest_code(f) == 0)
        return ag_fail(AG_ERR_INPUT, "format '%s' has no value but 0 and NaN", name);
    return AG_OK;
}

/* Every value must be a float32: neither the smallest exponent nor the largest value may lie beyond
 * it. */
static ag_status check_range(const ag_format *f, const char *name)
{
    if (f->bias > FLOAT_BIAS)
        return ag_fail(AG_ERR_INPUT, "format '%s' has bias %d: at most 127 is possible", name,
                       f->bias);
    if (f->emax > LARGEST_EXPONENT)
        return ag_fail(AG_ERR_INPUT,
                       "format '%s' reaches 2^%d, which float32 does not: choose a larger bias%s",
                       name, f->emax,
                       f->exponent == 8 ? ", fewer exponent bits or kind ieee (bf16 is e8m7ieee)"
                                        : " or fewer exponent bits");
    return AG_OK;
}

/* One name for each meaning: fp16, bf16 and intN where they are meant, else the split with its
 * kind, and the bias where it is not the default. */
static void set_name(ag_format *f)
{
    int default_bias = ag_format_default_bias(f->exponent, f->kind);
    bool ieee = f->kind == AG_KIND_IEEE && f->bias == default_bias;
    if (ieee && f->exponent == 5 && f->mantissa == 10)
        snprintf(f->name, sizeof f->name, "fp16");
    else if (ieee && f->exponent == 8 && f->mantissa == 7)
        snprintf(f->name, sizeof f->name, "bf16");
    else if (f->exponent == 0 && f->kind == AG_KIND_F && f->bias == 2 - f->bits)
        snprintf(f->name, sizeof f->name, "int%d", f->bits);
    else if (f->bias == default_bias)
        snprintf(f->name, sizeof f->name, "e%dm%d%s", f->exponent, f->mantissa,
                 ag_kind_name(f->kind));
    else
        snprintf(f->name, sizeof f->name, "e%dm%db%d%s", f->exponent, f->mantissa, f->bias,
                 ag_kind_name(f->kind));
}

/* What follows from bits, bias and kind by whole numbers; derive_values() needs it. */
static void derive(ag_format *f)
{
    f->max_code = largest_code(f);
    f->emin = 1 - f->bias;
    f->emax = (f->exponent == 0 ? 0 : (int)(f->max_code >> f->mantissa)) - f->bias;
    f->has_inf = s_kinds[f->kind].has_inf;
    f->has_nan = s_kinds[f->kind].nan != NO_NAN;
    f->has_negative_zero = s_kinds[f->kind].nan != NAN_FOR_ZERO;
}

/* Decoded from codes, so that there is one way from a code to a value. */
static void derive_values(ag_format *f)
{
    f->max_bits = ag_format_magnitude(f, f->max_code);
    f->max = ag_bits_float(f->max_bits);
    if (f->exponent > 0)
        f->min_normal = ag_bits_float(ag_format_magnitude(f, 1u << f->mantissa));
    if (f->mantissa > 0)
        f->min_subnormal = ag_bits_float(ag_format_magnitude(f, 1));
}

/* fp32 is no format of operands, but a name that must be understood: the limits are not for it. */
ag_status ag_format_complete(ag_format *format, const char *name)
{
    format->bits = 1 + format->exponent + format->mantissa;
    bool is_fp32 = format->exponent == 8 && format->mantissa == 23 && format->kind == AG_KIND_IEEE;
    if (!is_fp32)
        AG_TRY(check_widths(format, name));
    derive(format);
    if (!is_fp32)
        AG_TRY(check_range(format, name));
    derive_values(format);
    if (is_fp32)
        snprintf(format->name, sizeof format->name, "fp32");
    else
        set_name(format);
    return AG_OK;
}

/* The float32 of a code. A normal number's bits are the code, shifted to float32's mantissa and
 * moved to its bias; subnormal ones are a number of smallest steps. */
uint32_t ag_format_magnitude(const ag_format *format, uint32_t code)
{
    int shift = FLOAT_MANTISSA - format->mantissa;
    /* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): widths were checked */
    if (code >> format->mantissa != 0)
        return (code << shift) + ((uint32_t)(FLOAT_BIAS - format->bias) << FLOAT_MANTISSA);
    return ag_float_bits(ldexpf((float)code, format->emin - format->mantissa));
}

float ag_format_decode(const ag_format *format, uint32_t code)
{
    uint32_t sign = code >> (format->bits - 1) & 1;
    uint32_t magnitude = code & ((1u << (format->bits - 1)) - 1);
    bool is_nan = magnitude > format->max_code + format->has_inf ||
                  (!format->has_negative_zero && sign != 0 && magnitude == 0);
    if (is_nan)
        return ag_bits_float(AG_NAN_BITS);
    uint32_t bits =
        magnitude > format->max_code ? AG_INFINITE_BITS : ag_format_magnitude(format, magnitude);
    return ag_bits_float(sign << 31 | bits);
}

bool ag_format_has_codes(const ag_format *format)
{
    return format->table == NULL && format->min_subnormal > 0.0f &&
           format->max <= INT8_MAX * format->min_subnormal;
}

int ag_format_most_code(const ag_format *format)
{
    return (int)(format->max / format->min_subnormal);
}

/* The largest code whose value is not above the magnitude with these float32 bits: a bisection,
 * since codes are ordered as their values. Slow, and used for encoding alone. */
static uint32_t code_at_or_below(const ag_format *format, uint32_t magnitude)
{
    uint32_t low = 0;
    uint32_t high = format->max_code;
    while (low < high) {
        uint32_t middle = high - (high - low) / 2;
        if (ag_format_magnitude(format, middle) <= magnitude)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

static ag_status no_code(const ag_format *format, const char *what)
{
    return ag_fail(AG_ERR_INPUT, "format %s has no code for %s", format->name, what);
}

/* NaN as ml_dtypes encodes it: quiet (in ieee the top mantissa bit is set), with the sign where the
 * format has room for one. */
static ag_status encode_nan(uint32_t *code, const ag_format *format, uint32_t sign)
{
    if (!format->has_nan)
        return no_code(format, "NaN");
    if (!format->has_negative_zero)
        *code = 1u << (format->bits - 1);
    else if (s_kinds[format->kind].gives_exponent)
        *code = sign | (format->max_code + 1) | 1u << (format->mantissa - 1);
    else
        *code = sign | (format->max_code + format->has_inf + 1);
    return AG_OK;
}

/* The nearest code at or below must be the value itself. */
ag_status ag_format_encode(uint32_t *code, const ag_format *format, float value)
{
    uint32_t bits = ag_float_bits(value);
    uint32_t magnitude = bits & AG_MAGNITUDE_BITS;
    uint32_t sign = bits >> 31 << (format->bits - 1);
    if (magnitude > AG_INFINITE_BITS)
        return encode_nan(code, format, sign);
    if (magnitude == AG_INFINITE_BITS && !format->has_inf)
        return no_code(format, "Inf");
    if (magnitude == 0 && !format->has_negative_zero)
        sign = 0;
    uint32_t nearest = code_at_or_below(format, magnitude);
    if (magnitude == AG_INFINITE_BITS)
        nearest = format->max_code + 1;
    else if (ag_format_magnitude(format, nearest) != magnitude) {
        char text[32];
        snprintf(text, sizeof text, "%.9g", (double)value);
        return no_code(format, text);
    }
    *code = sign | nearest;
    return AG_OK;
}
