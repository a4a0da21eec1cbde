/* Rounding, codes and scales, bit for bit against what other implementations give (oracle.h). */
#include "support.h"

#include <math.h>
#include <stdlib.h>

#include "base/philox.h"
#include "numerics/quantize.h"
#include "oracle.h"

enum { N_BF16 = 65536, N_RANDOM = 200000, MAX_LIST = 4096 };
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const ag_rounding_site s_site = {
    .key = 0x0123456789abcdefu, .place = 5, .use = 1, .step = 7};

static const uint64_t s_hash_start = 0xcbf29ce484222325u;

static uint64_t hash_bytes(uint64_t hash, uint32_t word, int bytes)
{
    for (int i = 0; i < bytes; i++)
        hash = (hash ^ (word >> (8 * i) & 0xff)) * 0x100000001b3u;
    return hash;
}

static uint64_t hash_words(const uint32_t *words, size_t count)
{
    uint64_t hash = s_hash_start;
    for (size_t i = 0; i < count; i++)
        hash = hash_bytes(hash, words[i], 4);
    return hash;
}

static uint32_t s_all_bf16[N_BF16];
static uint32_t s_random[N_RANDOM];

static int make_inputs(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < N_BF16; i++)
        s_all_bf16[i] = i << 16;
    uint64_t generator = 1;
    for (size_t i = 0; i < N_RANDOM; i++)
        s_random[i] = (uint32_t)(ag_splitmix64(&generator) >> 32);
    return 0;
}

static ag_format parsed(const char *name)
{
    ag_format format;
    assert_ok(ag_format_parse(&format, name));
    return format;
}

static void assert_hash(uint64_t got, uint64_t expected, const char *name, const char *what)
{
    if (got != expected)
        fail_msg("%s, %s: hash %016llx, expected %016llx", name, what, (unsigned long long)got,
                 (unsigned long long)expected);
}

static void test_decode_tables(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(s_decodes); i++) {
        ag_format format = parsed(s_decodes[i].name);
        uint64_t hash = s_hash_start;
        for (uint32_t code = 0; code < 1u << format.bits; code++)
            hash = hash_bytes(hash, bits_of(ag_format_decode(&format, code)), 4);
        assert_hash(hash, s_decodes[i].hash, s_decodes[i].name, "values");
    }
}

static void assert_codes_come_back(const ag_format *format)
{
    for (uint32_t code = 0; code < 1u << format->bits; code++) {
        float value = ag_format_decode(format, code);
        uint32_t again;
        if (isnan(value))
            continue;
        assert_ok(ag_format_encode(&again, format, value));
        assert_int_equal(again, code);
    }
}

static void test_every_code_comes_back(void **state)
{
    (void)state;
    size_t count;
    const char *const *names = ag_format_known_names(&count);
    for (size_t i = 0; i < count; i++) {
        ag_format format = parsed(names[i]);
        if (format.bits <= 16)
            assert_codes_come_back(&format);
    }
}

static void test_values_without_a_code(void **state)
{
    (void)state;
    uint32_t code;
    ag_format e2m1 = parsed("e2m1f");
    ag_format e4m3 = parsed("e4m3fn");
    assert_fails(AG_ERR_INPUT, "no code for NaN", ag_format_encode(&code, &e2m1, NAN));
    assert_fails(AG_ERR_INPUT, "no code for Inf", ag_format_encode(&code, &e4m3, -INFINITY));
    assert_fails(AG_ERR_INPUT, "no code for 449", ag_format_encode(&code, &e4m3, 449.0f));
    assert_fails(AG_ERR_INPUT, "no code for 0.001", ag_format_encode(&code, &e4m3, 0.001f));
}

typedef enum mode { NEAREST, NEAREST_SPECIAL, TOWARD_ZERO, STOCHASTIC } mode;

static uint32_t rounded(const ag_format *format, uint32_t bits, mode how, uint64_t element)
{
    float x = float_of(bits);
    switch (how) {
    case NEAREST:
        return bits_of(ag_round_nearest(format, x, AG_OVERFLOW_SATURATE));
    case NEAREST_SPECIAL:
        return bits_of(ag_round_nearest(format, x, AG_OVERFLOW_SPECIAL));
    case TOWARD_ZERO:
        return bits_of(ag_round_toward_zero(format, x, AG_OVERFLOW_SATURATE));
    default:
        return bits_of(ag_round_stochastic(format, x, ag_rounding_random(&s_site, element),
                                           AG_OVERFLOW_SATURATE));
    }
}

static uint64_t hash_rounded(const ag_format *format, const uint32_t *inputs, size_t count,
                             mode how)
{
    uint64_t hash = s_hash_start;
    for (size_t i = 0; i < count; i++)
        hash = hash_bytes(hash, rounded(format, inputs[i], how, i), 4);
    return hash;
}

static void test_rounding_of_25_formats(void **state)
{
    (void)state;
    static const char *const modes[] = {"nearest", "nearest, special", "toward zero", "stochastic"};
    for (size_t i = 0; i < COUNT(s_rounded); i++) {
        const char *name = s_rounded[i].name;
        ag_format format = parsed(name);
        for (int how = 0; how < 4; how++) {
            assert_hash(hash_rounded(&format, s_all_bf16, N_BF16, (mode)how),
                        s_rounded[i].all_bf16[how], name, modes[how]);
            assert_hash(hash_rounded(&format, s_random, N_RANDOM, (mode)how),
                        s_rounded[i].random[how], name, modes[how]);
        }
    }
}

static int by_bits(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

typedef struct list {
    uint32_t word[MAX_LIST];
    size_t count;
} list;

static void add(list *inputs, uint32_t word)
{
    assert_true(inputs->count < MAX_LIST);
    inputs->word[inputs->count++] = word;
}

static void add_with_neighbours(list *inputs, double value)
{
    uint32_t word = bits_of((float)value);
    add(inputs, word - 1);
    add(inputs, word);
    add(inputs, word + 1);
}

/* Every positive value, every midpoint, and small fractions of the smallest value. */
static void add_grid(list *inputs, const ag_format *format, int halvings)
{
    add(inputs, 0);
    add(inputs, 1);
    double below = 0.0;
    for (uint32_t code = 1; code <= format->max_code; code++) {
        double value = ag_format_decode(format, code);
        add_with_neighbours(inputs, value);
        add_with_neighbours(inputs, (below + value) / 2);
        below = value;
    }
    for (int i = 2; i <= halvings; i++)
        add_with_neighbours(inputs, ldexp(ag_format_decode(format, 1), -i));
}

static void sort_unique(list *inputs)
{
    qsort(inputs->word, inputs->count, sizeof inputs->word[0], by_bits);
    size_t kept = 0;
    for (size_t i = 0; i < inputs->count; i++) {
        if (i == 0 || inputs->word[i] != inputs->word[kept - 1])
            inputs->word[kept++] = inputs->word[i];
    }
    inputs->count = kept;
}

/* The step from the largest value to where the next would be, had the grid one more code. */
static double step_above(const ag_format *format)
{
    if (format->mantissa == 0)
        return format->max;
    int exponent = format->exponent == 0 ? format->emin : format->emax;
    return ldexp(1.0, exponent - format->mantissa);
}

static void test_listed_points_of_splits(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(s_listed); i++) {
        const char *name = s_listed[i].name;
        ag_format format = parsed(name);
        list inputs = {.count = 0};
        for (uint32_t code = 0; code <= format.max_code; code++)
            add(&inputs, bits_of(ag_format_decode(&format, code)));
        assert_hash(hash_words(inputs.word, inputs.count), s_listed[i].values, name, "values");

        inputs.count = 0;
        add_grid(&inputs, &format, 3);
        double max = format.max;
        double step = step_above(&format);
        const double beyond[] = {max + step / 2, max + step, 2 * max, 4 * max};
        for (size_t k = 0; k < COUNT(beyond); k++)
            add_with_neighbours(&inputs, beyond[k]);
        add(&inputs, 0x7f800000);
        add(&inputs, 0x7fc00000);
        sort_unique(&inputs);
        assert_int_equal(inputs.count, s_listed[i].count);
        assert_hash(hash_words(inputs.word, inputs.count), s_listed[i].listed, name, "inputs");
        static const mode modes[] = {NEAREST, TOWARD_ZERO, STOCHASTIC};
        for (size_t k = 0; k < COUNT(modes); k++)
            assert_hash(hash_rounded(&format, inputs.word, inputs.count, modes[k]),
                        s_listed[i].rounded[k], name, "rounded");
    }
}

/* As ml_dtypes casts: NaN keeps its sign, and is -0 or 0 in formats without NaN; Inf saturates
 * only where there is no code for it and none for NaN. */
static uint32_t cast_code(const ag_format *format, uint32_t bits, int how)
{
    float x = float_of(bits);
    bool saturates = how == 1 && isfinite(x);
    float y = how == 2 ? ag_round_toward_zero(format, x, AG_OVERFLOW_SPECIAL)
                       : ag_round_nearest(format, x,
                                          saturates ? AG_OVERFLOW_SATURATE : AG_OVERFLOW_SPECIAL);
    uint32_t code;
    if (isnan(y) && !format->has_nan)
        return bits >> 31 != 0 ? 0 : 1u << (format->bits - 1);
    assert_ok(ag_format_encode(&code, format, isnan(y) ? copysignf(NAN, x) : y));
    return code;
}

static uint64_t hash_casts(const ag_format *format, const uint32_t *inputs, size_t count, int how)
{
    uint64_t hash = s_hash_start;
    for (size_t i = 0; i < count; i++)
        hash = hash_bytes(hash, cast_code(format, inputs[i], how), 1);
    return hash;
}

static void cast_list(list *inputs, const ag_format *format)
{
    add_grid(inputs, format, 4);
    double step = step_above(format);
    const int half_steps[] = {1, 2, 3, 4, 6};
    for (size_t k = 0; k < COUNT(half_steps); k++)
        add_with_neighbours(inputs, format->max + half_steps[k] * step / 2);
    add_with_neighbours(inputs, 2.0 * format->max);
    add_with_neighbours(inputs, 4.0 * format->max);
    static const uint32_t edges[] = {0x00800000, 0x7f7fffff, 0x7f800000, 0x7f800001, 0x7fc00000};
    for (size_t k = 0; k < COUNT(edges); k++)
        add(inputs, edges[k]);
    size_t positive = inputs->count;
    for (size_t k = 0; k < positive; k++)
        add(inputs, inputs->word[k] | 0x80000000u);
    add(inputs, 0x007fffff);
    sort_unique(inputs);
}

static void test_casts_of_ml_dtypes(void **state)
{
    (void)state;
    static const char *const modes[] = {"nearest", "saturating", "toward zero"};
    for (size_t i = 0; i < COUNT(s_casts); i++) {
        const char *name = s_casts[i].name;
        ag_format format = parsed(name);
        list inputs = {.count = 0};
        cast_list(&inputs, &format);
        assert_int_equal(inputs.count, s_casts[i].count);
        assert_hash(hash_words(inputs.word, inputs.count), s_casts[i].listed, name, "inputs");
        for (int how = 0; how < 3; how++) {
            assert_hash(hash_casts(&format, inputs.word, inputs.count, how), s_casts[i].list[how],
                        name, modes[how]);
            assert_hash(hash_casts(&format, s_all_bf16, N_BF16, how), s_casts[i].all_bf16[how],
                        name, modes[how]);
            assert_hash(hash_casts(&format, s_random, N_RANDOM, how), s_casts[i].random[how], name,
                        modes[how]);
        }
    }
}

static void test_scales(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(s_scales); i++) {
        ag_format format = parsed(s_scales[i].name);
        float amax = float_of(s_scales[i].amax);
        float scale = ag_scale_from_amax(&format, amax, 0, false, 1.0f);
        float pow2 = ag_scale_from_amax(&format, amax, 0, true, 1.0f);
        assert_int_equal(bits_of(scale), s_scales[i].scale);
        assert_int_equal(bits_of(pow2), s_scales[i].pow2);
        assert_int_equal(bits_of(1.0f / scale), s_scales[i].inverse);
    }
    ag_format format = parsed("e4m3fn");
    assert_true(ag_scale_from_amax(&format, 1.0f, 3, false, 1.0f) == 56.0f);
    assert_true(ag_scale_from_amax(&format, NAN, 0, false, 8.0f) == 8.0f);
}

static void test_amax_ignores_nan_and_counts_inf(void **state)
{
    (void)state;
    const float x[] = {1.0f, -3.5f, NAN, 0.0f};
    const float with_inf[] = {1.0f, -INFINITY};
    const float nan[] = {-NAN};
    assert_true(ag_amax(x, 4) == 3.5f);
    assert_true(isinf(ag_amax(with_inf, 2)));
    assert_int_equal(bits_of(ag_amax(nan, 1)), 0);
    assert_int_equal(bits_of(ag_amax(x, 0)), 0);
}

static void test_bf16_is_the_format(void **state)
{
    (void)state;
    ag_format format = parsed("bf16");
    for (size_t i = 0; i < N_RANDOM; i++)
        assert_int_equal(bits_of(ag_round_bf16(float_of(s_random[i]))),
                         rounded(&format, s_random[i], NEAREST_SPECIAL, 0));
}

/* fp32 has every float32 value: only NaN's payload goes, and Inf where it saturates. */
static void test_fp32_changes_no_number(void **state)
{
    (void)state;
    ag_format format = parsed("fp32");
    for (size_t i = 0; i < N_RANDOM; i++) {
        uint32_t x = s_random[i];
        uint32_t expected = (x & 0x7fffffff) > 0x7f800000 ? 0x7fc00000 : x;
        assert_int_equal(rounded(&format, x, NEAREST_SPECIAL, i), expected);
        assert_int_equal(rounded(&format, x, STOCHASTIC, i), expected);
    }
    assert_int_equal(rounded(&format, 0xff800000, NEAREST, 0), 0xff7fffff);
}

/* The mean of many roundings is the value: within 5 standard deviations of a fair coin's. */
static void test_stochastic_rounding_is_unbiased(void **state)
{
    (void)state;
    ag_format format = parsed("e4m3fn");
    enum { ROUNDS = 100000 };
    const float x = 1.03f; /* 0.24 of the way from 1 to 1.125 */
    int up = 0;
    for (uint64_t i = 0; i < ROUNDS; i++) {
        float y =
            ag_round_stochastic(&format, x, ag_rounding_random(&s_site, i), AG_OVERFLOW_SATURATE);
        assert_true(y == 1.0f || y == 1.125f);
        up += y == 1.125f;
    }
    double p = ((double)x - 1.0) / 0.125;
    assert_true(fabs(up - ROUNDS * p) < 5 * sqrt(ROUNDS * p * (1 - p)));
}

/* A step of e4m3fn is 2^-9, so 2^-41 is one part in 2^32 of it, the least that can carry. */
static void test_the_smallest_chance(void **state)
{
    (void)state;
    ag_format format = parsed("e4m3fn");
    const ag_overflow overflow = AG_OVERFLOW_SATURATE;
    assert_true(ag_round_stochastic(&format, 0x1p-40f, UINT32_MAX - 1, overflow) == 0x1p-9f);
    assert_true(ag_round_stochastic(&format, 0x1p-41f, UINT32_MAX, overflow) == 0x1p-9f);
    assert_true(ag_round_stochastic(&format, 0x1p-41f, UINT32_MAX - 1, overflow) == 0.0f);
    assert_true(ag_round_stochastic(&format, 0x1.fp-42f, UINT32_MAX, overflow) == 0.0f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decode_tables),
        cmocka_unit_test(test_every_code_comes_back),
        cmocka_unit_test(test_values_without_a_code),
        cmocka_unit_test(test_rounding_of_25_formats),
        cmocka_unit_test(test_listed_points_of_splits),
        cmocka_unit_test(test_casts_of_ml_dtypes),
        cmocka_unit_test(test_scales),
        cmocka_unit_test(test_amax_ignores_nan_and_counts_inf),
        cmocka_unit_test(test_bf16_is_the_format),
        cmocka_unit_test(test_fp32_changes_no_number),
        cmocka_unit_test(test_stochastic_rounding_is_unbiased),
        cmocka_unit_test(test_the_smallest_chance),
    };
    return cmocka_run_group_tests(tests, make_inputs, NULL);
}
