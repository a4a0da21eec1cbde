/* Accumulators against results of other implementations and of real cards, bit for bit.
 *
 * accumulate.txt: from MMA-Sim c785138 and MATLAB-tensor-core b12b5a7, and of chains from exact
 * rational arithmetic. hardware.txt: of real cards (its head says whose). A line is
 *
 *   accumulator format_a format_b c scales_a scales_b codes_a codes_b result
 *
 * c, the sum before, and the result as float32 bits; scales (E4M3, of groups of 16) or "-"; codes
 * in as many digits as they take, those of tf32 as float32 bits. */
#include "support.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>

#include "accumulate_internal.h"
#include "base/philox.h"
#include "base/pool.h"
#include "numerics/quantize.h"
#include "products/accumulate.h"

enum { LINE = 8192, LONGEST = 256, GROUP = 16 };

static const char *s_folder; /* of the tables */

/* --- a dot product of a table */

typedef struct dot {
    ag_accumulator accumulator;
    ag_format formats[2];
    bool are_tf32;
    float c;
    size_t count;
    bool is_scaled;
    float codes[2][LONGEST];
    float scales[2][LONGEST / GROUP];
    uint32_t result;
} dot;

static uint32_t hex(const char *text, size_t digits)
{
    char copy[9] = "";
    memcpy(copy, text, digits);
    return (uint32_t)strtoul(copy, NULL, 16);
}

static size_t read_codes(float *out, const char *text, const ag_format *format)
{
    size_t digits = format == NULL ? 8 : (size_t)(format->bits + 3) / 4;
    size_t count = strlen(text) / digits;
    assert_true(count <= LONGEST);
    for (size_t i = 0; i < count; i++) {
        uint32_t code = hex(text + i * digits, digits);
        out[i] = format == NULL ? ag_bits_float(code) : ag_format_decode(format, code);
    }
    return count;
}

static void read_dot(dot *d, char *line)
{
    ag_format e4m3;
    char *fields[9] = {NULL};
    char *rest = line;
    for (size_t i = 0; i < 9; i++)
        fields[i] = strsep(&rest, " \n");
    assert_non_null(fields[8]);
    memset(d, 0, sizeof *d);
    assert_ok(ag_accumulator_parse(&d->accumulator, fields[0]));
    assert_ok(ag_format_parse(&e4m3, "e4m3fn"));
    d->are_tf32 = strcmp(fields[1], "tf32") == 0;
    d->c = ag_bits_float(hex(fields[3], 8));
    d->is_scaled = fields[4][0] != '-';
    d->result = hex(fields[8], 8);
    for (size_t i = 0; i < 2; i++) {
        if (!d->are_tf32)
            assert_ok(ag_format_parse(&d->formats[i], fields[1 + i]));
        if (d->is_scaled)
            read_codes(d->scales[i], fields[4 + i], &e4m3);
        d->count = read_codes(d->codes[i], fields[6 + i], d->are_tf32 ? NULL : &d->formats[i]);
    }
    for (size_t i = 0; i < 2 && d->is_scaled; i++)
        for (size_t k = 0; k < d->count; k++)
            d->codes[i][k] *= d->scales[i][k / GROUP];
}

static ag_summands codes_of(const dot *d, size_t side)
{
    ag_summands codes = {.at = d->codes[side], .row_step = d->count, .k_step = 1, .unit = 1};
    codes.format = d->are_tf32 ? NULL : &d->formats[side];
    if (d->is_scaled) {
        codes.kind = AG_SCALES_GROUP;
        codes.scales = (ag_scale_view){d->scales[side], 1, 0, GROUP, 1};
    }
    return codes;
}

/* From +0, by the product; else by its steps. */
static float multiply(const dot *d)
{
    ag_summands a = codes_of(d, 0);
    ag_summands b = codes_of(d, 1);
    float c = 0;
    ag_product_accumulated(&c, 1, 1, 1, d->count, &a, &b, &d->accumulator);
    return c;
}

static int exponent_of(const dot *d, size_t side, size_t k)
{
    float x = d->codes[side][k];
    if (d->is_scaled)
        return d->scales[side][k / GROUP] == 0 ? AG_LEFT_OUT
                                               : ag_exponent_of(d->scales[side][k / GROUP], -6);
    return ag_exponent_of(x, d->are_tf32 ? -126 : d->formats[side].emin);
}

static float add_steps(const dot *d)
{
    double a[LONGEST];
    int a_exponent[LONGEST];
    double b[LONGEST][AG_LANES] = {{0}};
    int b_exponent[LONGEST][AG_LANES] = {{0}};
    float c[AG_LANES] = {d->c};
    size_t terms = (size_t)d->accumulator.terms;
    for (size_t k = 0; k < d->count; k++) {
        a[k] = d->codes[0][k];
        b[k][0] = d->codes[1][k];
        a_exponent[k] = exponent_of(d, 0, k);
        b_exponent[k][0] = exponent_of(d, 1, k);
    }
    for (size_t k = 0; k < d->count; k += terms) {
        size_t count = d->count - k < terms ? d->count - k : terms;
        ag_step step = {a + k, a_exponent + k, b + k, b_exponent + k, count};
        ag_accumulate_step(c, &step, &d->accumulator, true);
    }
    return c[0];
}

static bool agrees(float value, uint32_t bits)
{
    return ag_float_bits(value) == bits || (isnan(value) && isnan(ag_bits_float(bits)));
}

static void check_table(const char *name, size_t least)
{
    char path[1024];
    char line[LINE];
    char copy[LINE];
    size_t count = 0;
    static dot d;
    snprintf(path, sizeof path, "%s/%s", s_folder, name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL) {
        if (line[0] == '#' || line[0] == '\n')
            continue;
        memcpy(copy, line, sizeof copy);
        read_dot(&d, copy);
        bool from_zero = ag_float_bits(d.c) == 0;
        if (d.accumulator.promote == 0 && !agrees(add_steps(&d), d.result))
            fail_msg("steps give %a: %s", (double)add_steps(&d), line);
        if (from_zero && !agrees(multiply(&d), d.result))
            fail_msg("the product gives %a: %s", (double)multiply(&d), line);
        count++;
    }
    fclose(file);
    assert_true(count >= least);
}

static void test_models(void **state)
{
    (void)state;
    check_table("accumulate.txt", 268);
}

static void test_hardware(void **state)
{
    (void)state;
    check_table("hardware.txt", 128);
}

/* One step of a chain is the rounding of numerics/quantize.h, but that overflow is Inf. */
static void test_chains_round_as_formats_do(void **state)
{
    (void)state;
    size_t count;
    const char *const *names = ag_format_known_names(&count);
    uint64_t seed = 7;
    for (size_t i = 0; i < count; i++) {
        ag_format format;
        ag_accumulator chain;
        assert_ok(ag_format_parse(&format, names[i]));
        assert_ok(ag_accumulator_parse(&chain, names[i]));
        for (size_t n = 0; n < 20000; n++) {
            uint64_t random = ag_splitmix64(&seed);
            float near = ldexpf((float)(int32_t)(random >> 32), (int)(random & 31) - 51);
            float x = n % 2 == 0 ? near : ag_bits_float((uint32_t)(random >> 32));
            if (n % 4 == 0) /* often between two values, where ties are */
                x = ag_bits_float(ag_float_bits(near) & 0xfff80000u);
            chain.toward_zero = n % 3 == 0;
            if (!isfinite(x) || x == 0)
                continue;
            double a = x;
            int exponent = 0;
            double b[1][AG_LANES] = {{1}};
            int b_exponent[1][AG_LANES] = {{0}};
            float c[AG_LANES] = {0};
            ag_step step = {&a, &exponent, b, b_exponent, 1};
            ag_accumulate_step(c, &step, &chain, false);
            float expected = (chain.toward_zero ? ag_round_toward_zero : ag_round_nearest)(
                &format, x, AG_OVERFLOW_SATURATE);
            bool beyond = chain.toward_zero ? fabs(x) >= ldexp(1, ilogbf(format.max) + 1)
                                            : ag_overflows_nearest(&format, x);
            if (beyond)
                expected = copysignf(INFINITY, x);
            if (!agrees(c[0], ag_float_bits(expected)))
                fail_msg("%s: %a gives %a, not %a", names[i], (double)x, (double)c[0],
                         (double)expected);
        }
    }
}

static const struct CMUnitTest s_tests[] = {
    cmocka_unit_test(test_models),
    cmocka_unit_test(test_hardware),
    cmocka_unit_test(test_chains_round_as_formats_do),
};

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    s_folder = argv[1];
    return cmocka_run_group_tests(s_tests, NULL, NULL);
}
