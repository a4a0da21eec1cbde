/* All 2^32 float32 inputs of the formats named on the command line, against the table
 * of values. */
#include "support.h"

#include <math.h>
#include <stdlib.h>

#include "numerics/quantize.h"
#include "table_search.h"

static const uint32_t SIGN_BIT = 0x80000000;
static const uint32_t INFINITY_BITS = 0x7f800000;
static const uint32_t QUIET_NAN = 0x7fc00000;

static value_table s_table;

static bool is_wrong(const ag_format *format, uint32_t bits, uint32_t expected)
{
    float got = ag_round_nearest(format, float_of(bits), AG_OVERFLOW_SATURATE);
    if (bits_of(got) == expected)
        return false;
    fprintf(stderr, "%s: %a gives %a, expected %a\n", format->name, (double)float_of(bits),
            (double)got, (double)float_of(expected));
    return true;
}

/* In rising order of |x| the nearest code only rises: a step up where |x| passes the middle of two
 * neighbours (exact in double), or stands on it and the lower code is odd. */
static int check_numbers(const ag_format *format)
{
    size_t code = 0;
    for (uint32_t bits = 0; bits <= INFINITY_BITS; bits++) {
        double magnitude = (double)float_of(bits);
        double middle = (s_table.value[code] + s_table.value[code + 1]) / 2;
        if (code + 1 < s_table.count &&
            (magnitude > middle || (magnitude == middle && code % 2 == 1)))
            code++;
        uint32_t expected = bits_of((float)s_table.value[code]);
        if (is_wrong(format, bits, expected) ||
            is_wrong(format, bits | SIGN_BIT, expected | SIGN_BIT))
            return 1;
    }
    return 0;
}

static int check_nans(const ag_format *format)
{
    for (uint32_t bits = INFINITY_BITS + 1; bits < SIGN_BIT; bits++) {
        if (is_wrong(format, bits, QUIET_NAN) || is_wrong(format, bits | SIGN_BIT, QUIET_NAN))
            return 1;
    }
    return 0;
}

static int check_format(const char *name)
{
    ag_format format;
    if (ag_format_parse(&format, name) != AG_OK) {
        fprintf(stderr, "%s\n", ag_error_message());
        return 1;
    }
    value_table_fill(&s_table, format.mantissa, format.bias, (size_t)format.max_code + 1);
    return check_numbers(&format) != 0 || check_nans(&format) != 0;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (check_format(argv[i]) != 0)
            return 1;
    }
    return argc > 1 ? 0 : 2;
}
