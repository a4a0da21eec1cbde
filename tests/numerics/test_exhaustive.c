/* All 2^32 float32 inputs of the formats named on the command line, against a search in the table
 * of values. */
#include "support.h"

#include <math.h>
#include <stdlib.h>

#include "numerics/quantize.h"
#include "table_search.h"

static value_table s_table;

static double expected_magnitude(double magnitude)
{
    size_t code = isinf(magnitude) ? s_table.count : value_table_nearest(&s_table, magnitude);
    return s_table.value[code < s_table.count ? code : s_table.count - 1];
}

static int check_format(const char *name)
{
    ag_format format;
    if (ag_format_parse(&format, name) != AG_OK) {
        fprintf(stderr, "%s\n", ag_error_message());
        return 1;
    }
    value_table_fill(&s_table, format.mantissa, format.bias, (size_t)format.max_code + 1);
    uint32_t bits = 0;
    do {
        float x = float_of(bits);
        float got = ag_round_nearest(&format, x, AG_OVERFLOW_SATURATE);
        double expected = isnan(x) ? 0.0 : copysign(expected_magnitude(fabs((double)x)), x);
        uint32_t expected_bits = isnan(x) ? 0x7fc00000 : bits_of((float)expected);
        if (bits_of(got) != expected_bits) {
            fprintf(stderr, "%s: %a gives %a, expected %a\n", name, (double)x, (double)got,
                    expected);
            return 1;
        }
    } while (++bits != 0);
    return 0;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (check_format(argv[i]) != 0)
            return 1;
    }
    return argc > 1 ? 0 : 2;
}
