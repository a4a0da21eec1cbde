/* The quantising kernels against numerics' plain quantiser, bit for bit: every format, values of
 * all bit patterns, and each format's own values, midpoints and their neighbours. */
#include "kernels_support.h"

#include "numerics/format.h"

/* Around the grid: values, ties, one ulp either side, both signs, at a format's scale. */
static float *near_grid(uint64_t seed, size_t count, const ag_format *format)
{
    float *x = floats(count);
    for (size_t i = 0; i < count; i++) {
        uint32_t code = (uint32_t)(ag_splitmix64(&seed) % (format->max_code + 1));
        float low =
            ag_round_nearest(format, (float)code * format->min_subnormal, AG_OVERFLOW_SATURATE);
        if (i % 3 != 0 && format->exponent > 0 && code > 0) { /* spread over the octaves */
            low = float_of(format->max_bits - (uint32_t)(ag_splitmix64(&seed) %
                                                         (format->max_bits - bits_of(low) + 1)));
            low = ag_round_nearest(format, low, AG_OVERFLOW_SATURATE);
        }
        float high =
            ag_round_nearest(format, nextafterf(low * 1.0000001f, INFINITY), AG_OVERFLOW_SATURATE);
        static const float parts[] = {0, 0.5f, 0.25f, 1};
        uint32_t bits = bits_of(low + (high - low) * parts[i % 4]);
        bits += (uint32_t)(i / 4 % 3);
        bits -= bits > 0 ? 1 : 0;
        x[i] = float_of(bits | (uint32_t)(i / 12 % 2) << 31);
    }
    return x;
}

static void check_values(const float *x, size_t count, const ag_format *format, float scale,
                         ag_overflow overflow)
{
    const ag_rounding_site where = {.key = 0x0123456789abcdef, .place = 5, .use = 1, .step = 7};
    const float shift = format->exponent == 8 ? 1 : ldexpf(1, -format->emax);
    const uint64_t first = 3;
    float *out = floats(count);
    for (int stochastic = 0; stochastic < 2; stochastic++) {
        if (stochastic)
            fast->quantize_stochastic(out, x, count, format, scale, overflow, &where, first);
        else
            fast->quantize(out, x, count, format, scale, overflow);
        for (size_t i = 0; i < count; i++) {
            uint32_t random = ag_rounding_random(&where, first + i);
            float q = stochastic ? ag_round_stochastic(format, x[i] * scale, random, overflow)
                                 : ag_round_nearest(format, x[i] * scale, overflow);
            if (bits_of(out[i]) != bits_of(q * shift))
                fail_msg("%s%s: %a * %a gives %a, expected %a", format->name,
                         stochastic ? " stochastic" : "", (double)x[i], (double)scale,
                         (double)out[i], (double)(q * shift));
        }
    }
    free(out);
}

static void check_format(const char *name)
{
    enum { COUNT = 2003 };
    ag_format format;
    assert_ok(ag_format_parse(&format, name));
    float *wild = any_bits(1, COUNT);
    float *values = normal(2, COUNT, format.max / 3);
    float *near = near_grid(3, COUNT, &format);
    for (int overflow = 0; overflow < AG_OVERFLOWS; overflow++) {
        check_values(wild, COUNT, &format, 1, (ag_overflow)overflow);
        check_values(wild, COUNT, &format, 0.37f, (ag_overflow)overflow);
        check_values(values, COUNT, &format, 1.1f, (ag_overflow)overflow);
        check_values(near, COUNT, &format, 1, (ag_overflow)overflow);
    }
    free(wild);
    free(values);
    free(near);
}

static void test_all_small_formats(void **state)
{
    (void)state;
    char name[24];
    for (int E = 0; E <= 7; E++) {
        for (int M = 0; E + M <= 7; M++) {
            for (ag_kind kind = 0; kind < AG_KINDS; kind++) {
                bool exists = kind == AG_KIND_F ? E + M >= 1 : E >= 2 && M >= 1 && E + M > 5;
                if (!exists)
                    continue;
                snprintf(name, sizeof name, "e%dm%d%s", E, M, ag_kind_name(kind));
                check_format(name);
            }
        }
    }
}

static void test_other_formats(void **state)
{
    (void)state;
    static const char *const names[] = {"fp16",        "bf16",     "int8",      "int4",   "int2",
                                        "e4m3b11fnuz", "e8m3ieee", "e3m2b40f",  "e2m12f", "e5m10f",
                                        "e0m15f",      "int16",    "e4m3b100f", "fp32"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        check_format(names[i]);
}

static void test_reference_is_the_plain_quantiser(void **state)
{
    (void)state;
    enum { COUNT = 40001 }; /* three pieces */
    ag_format format;
    assert_ok(ag_format_parse(&format, "e4m3fn"));
    const ag_rounding_site where = {.key = 11, .place = 2, .step = 9};
    float *x = any_bits(4, COUNT);
    float *a = floats(COUNT);
    float *b = floats(COUNT);
    plain->quantize(a, x, COUNT, &format, 0.5f, AG_OVERFLOW_SPECIAL);
    fast->quantize(b, x, COUNT, &format, 0.5f, AG_OVERFLOW_SPECIAL);
    assert_memory_equal(a, b, COUNT * sizeof *a);
    plain->quantize_stochastic(a, x, COUNT, &format, 0.5f, AG_OVERFLOW_SATURATE, &where, 1000001);
    memcpy(b, x, COUNT * sizeof *b);
    fast->quantize_stochastic(b, b, COUNT, &format, 0.5f, AG_OVERFLOW_SATURATE, &where, 1000001);
    assert_memory_equal(a, b, COUNT * sizeof *a);
    free(x);
    free(a);
    free(b);
}

/* The random words of any number of elements that begin anywhere: also where the counter's low word
 * runs over, within a few elements. */
static void test_random_words(void **state)
{
    (void)state;
    enum { COUNT = 700 };
    static const uint64_t firsts[] = {0,
                                      1,
                                      31,
                                      126,
                                      ((uint64_t)1 << 34) - 450,
                                      ((uint64_t)1 << 34) - 3,
                                      (uint64_t)0xabcdef << 34};
    static const size_t counts[] = {1, 4, 31, 33, 127, 129, 256, 257, COUNT};
    const ag_rounding_site where = {.key = 0xfedcba9876543210, .place = 77, .use = 129, .step = 3};
    ag_format format;
    assert_ok(ag_format_parse(&format, "e0m7"));
    float *x = normal(5, COUNT, format.max / 9);
    float *a = floats(COUNT);
    float *b = floats(COUNT);
    for (size_t i = 0; i < sizeof firsts / sizeof firsts[0]; i++) {
        for (size_t j = 0; j < sizeof counts / sizeof counts[0]; j++) {
            plain->quantize_stochastic(a, x, counts[j], &format, 1, AG_OVERFLOW_SATURATE, &where,
                                       firsts[i]);
            fast->quantize_stochastic(b, x, counts[j], &format, 1, AG_OVERFLOW_SATURATE, &where,
                                      firsts[i]);
            assert_same_bits("random words", b, a, counts[j]);
        }
    }
    free(x);
    free(a);
    free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_small_formats),
        cmocka_unit_test(test_other_formats),
        cmocka_unit_test(test_reference_is_the_plain_quantiser),
        cmocka_unit_test(test_random_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
