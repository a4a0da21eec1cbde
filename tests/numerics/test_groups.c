/* Scales of groups, bit for bit against what other implementations give (oracle_groups.h), and
 * which elements share them. */
#include "support.h"

#include <math.h>
#include <stdlib.h>

#include "base/philox.h"
#include "numerics/groups.h"
#include "oracle_groups.h"

enum { MOST = 4096 };
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static float s_x[MOST], s_out[MOST], s_scale[MOST], s_after[MOST];

static uint64_t hash_word(uint64_t hash, uint32_t word)
{
    for (int i = 0; i < 4; i++)
        hash = (hash ^ (word >> 8 * i & 0xff)) * 0x100000001b3u;
    return hash;
}

static const uint64_t s_hash_start = 0xcbf29ce484222325u;

static ag_scheme scheme_named(const char *format, const char *rest)
{
    char name[64];
    ag_scheme scheme;
    snprintf(name, sizeof name, "%s%s", format, rest);
    assert_ok(ag_scheme_parse(&scheme, name));
    return scheme;
}

static size_t load(const char *name)
{
    for (size_t i = 0; i < COUNT(s_inputs); i++) {
        if (strcmp(s_inputs[i].name, name) != 0)
            continue;
        for (int j = 0; j < s_inputs[i].count; j++)
            s_x[j] = float_of(s_words[s_inputs[i].first + j]);
        return (size_t)s_inputs[i].count;
    }
    fail_msg("no input is called %s", name);
    return 0;
}

static ag_scales scales(void)
{
    return (ag_scales){.scale = s_scale, .after = s_after};
}

/* The code of the E8M0 scale 2^e: e + 127, 255 for NaN. */
static uint32_t e8m0_code(float after)
{
    return isnan(after) ? 255 : bits_of(after) >> 23;
}

static void check_mx(const char *format, const char *input, const char *rule,
                     const uint64_t expected[2])
{
    ag_scheme scheme = scheme_named(format, rule);
    ag_matrix matrix = {.rows = 1, .cols = load(input)};
    ag_scales s = scales();
    ag_quantize_matrix(s_out, s_x, &matrix, &scheme, &s, NULL);
    uint64_t codes = s_hash_start;
    uint64_t values = s_hash_start;
    for (size_t i = 0; i < (matrix.cols + 31) / 32; i++)
        codes = hash_word(codes, e8m0_code(s_after[i]));
    for (size_t i = 0; i < matrix.cols; i++)
        values = hash_word(values, isnan(s_out[i]) ? 0x7fc00000u : bits_of(s_out[i]));
    if (codes != expected[0] || values != expected[1])
        fail_msg("%s%s of %s: hashes %016llx %016llx, expected %016llx %016llx", format, rule,
                 input, (unsigned long long)codes, (unsigned long long)values,
                 (unsigned long long)expected[0], (unsigned long long)expected[1]);
}

static void test_mx_blocks(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(s_mx); i++) {
        check_mx(s_mx[i].format, s_mx[i].input, "/mx/e8m0floor", s_mx[i].floor);
        if (s_mx[i].rceil[0] != 0)
            check_mx(s_mx[i].format, s_mx[i].input, "/mx/e8m0rceil", s_mx[i].rceil);
    }
}

static void test_mxfp4_in_full(void **state)
{
    (void)state;
    ag_scheme scheme = scheme_named("e2m1f", "/mx");
    ag_matrix matrix = {.rows = 1, .cols = load("outlier")};
    ag_scales s = scales();
    ag_quantize_matrix(s_out, s_x, &matrix, &scheme, &s, NULL);
    for (size_t i = 0; i < COUNT(s_mxfp4_scales); i++)
        assert_int_equal(e8m0_code(s_after[i]), s_mxfp4_scales[i]);
    for (size_t i = 0; i < COUNT(s_mxfp4_values); i++)
        assert_int_equal(bits_of(s_out[i]), s_mxfp4_values[i]);
}

static void test_e8m0_of_one_amax(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(s_e8m0); i++) {
        for (int rule = 0; rule < AG_E8M0_EVEN; rule++) {
            ag_scheme scheme = scheme_named(s_e8m0[i].format, "/mx");
            scheme.e8m0 = (ag_e8m0)rule;
            ag_scales s = scales();
            for (size_t j = 0; j < COUNT(s_amaxes); j++)
                s_scale[j] = float_of(s_amaxes[j]);
            ag_scales_set(&s, &scheme, COUNT(s_amaxes));
            uint64_t codes = s_hash_start;
            for (size_t j = 0; j < COUNT(s_amaxes); j++) {
                codes = hash_word(codes, e8m0_code(s_after[j]));
                assert_true(isnan(s_scale[j]) || s_scale[j] * s_after[j] == 1.0f);
            }
            assert_true(codes == (rule == AG_E8M0_FLOOR ? s_e8m0[i].floor : s_e8m0[i].rceil));
        }
    }
}

/* --- NVFP4 */

static uint32_t e4m3_code(float value)
{
    ag_format e4m3;
    uint32_t code = 0;
    assert_ok(ag_format_parse(&e4m3, "e4m3fn"));
    assert_ok(ag_format_encode(&code, &e4m3, value));
    return code;
}

static void test_nvfp4(void **state)
{
    (void)state;
    ag_scheme scheme = scheme_named("e2m1f", "/nv");
    for (size_t i = 0; i < COUNT(s_nvfp4); i++) {
        ag_matrix matrix = {.rows = 1, .cols = load(s_nvfp4[i].input)};
        ag_scales s = scales();
        ag_quantize_matrix(s_out, s_x, &matrix, &scheme, &s, NULL);
        assert_int_equal(bits_of(ag_amax(s_x, matrix.cols)), s_nvfp4[i].amax);
        assert_int_equal(bits_of(s.factor), s_nvfp4[i].factor);
        uint64_t blocks = s_hash_start;
        uint64_t values = s_hash_start;
        for (size_t j = 0; j < matrix.cols / 16; j++)
            blocks = hash_word(blocks, e4m3_code(s_after[j]));
        for (size_t j = 0; j < matrix.cols; j++)
            values = hash_word(values, bits_of(s_out[j]));
        assert_true(blocks == s_nvfp4[i].blocks);
        assert_true(values == s_nvfp4[i].values);
    }
}

static void test_nvfp4_in_full(void **state)
{
    (void)state;
    ag_scheme scheme = scheme_named("e2m1f", "/nv");
    ag_matrix matrix = {.rows = 1, .cols = load("outlier")};
    ag_scales s = scales();
    ag_quantize_matrix(s_out, s_x, &matrix, &scheme, &s, NULL);
    for (size_t i = 0; i < COUNT(s_nvfp4_scales); i++)
        assert_int_equal(e4m3_code(s_after[i]), s_nvfp4_scales[i]);
    for (size_t i = 0; i < COUNT(s_nvfp4_values); i++)
        assert_int_equal(bits_of(s_out[i]), s_nvfp4_values[i]);
}

/* A block 2^-20 below the tensor's largest has a scale that E4M3 rounds to 0. */
static void test_nvfp4_of_nothing_and_of_much(void **state)
{
    (void)state;
    ag_scheme scheme = scheme_named("e2m1f", "/nv");
    ag_matrix matrix = {.rows = 1, .cols = 32};
    ag_scales s = scales();
    memset(s_x, 0, sizeof s_x);
    s_x[3] = -1.0f;
    s_x[17] = 0x1p-20f;
    ag_quantize_matrix(s_out, s_x, &matrix, &scheme, &s, NULL);
    assert_true(s_out[17] == 0.0f && s_after[1] == 0.0f);
    assert_true(fabsf(s_out[3] + 1.0f) <= 2 * 0x1p-23f); /* two roundings of 1 / Sg and product */

    s_x[3] = INFINITY; /* Sg = 1: Inf saturates at 6 * 448 */
    s_x[4] = NAN;
    ag_quantize_matrix(s_out, s_x, &matrix, &scheme, &s, NULL);
    assert_true(s.factor == 1.0f && s_out[3] == 2688.0f && isnan(s_out[4]));

    memset(s_x, 0, sizeof s_x);
    s_x[9] = -0.0f;
    ag_quantize_matrix(s_out, s_x, &matrix, &scheme, &s, NULL);
    for (size_t i = 0; i < 32; i++)
        assert_int_equal(bits_of(s_out[i]), bits_of(s_x[i]));
}

/* --- float32 scales, and which elements share one */

/* The groups of a matrix of 5 x 7 in each granularity: their sizes where the product sums along the
 * rows, then where it sums along the columns. */
static void test_groups(void **state)
{
    (void)state;
    static const struct {
        const char *scheme;
        size_t height, width, down, across;
        size_t turned[4];
    } cases[] = {
        {"/tensor",  5, 7, 1, 1, {5, 7, 1, 1}},
        {"/row",     1, 7, 5, 1, {5, 1, 1, 7}},
        {"/col",     5, 1, 1, 7, {1, 7, 5, 1}},
        {"/2x3",     2, 3, 3, 3, {3, 2, 2, 4}},
        {"/b1x128",  1, 7, 5, 1, {5, 1, 1, 7}},
        {"/128x128", 5, 7, 1, 1, {5, 7, 1, 1}},
        {"/mx",      1, 7, 5, 1, {5, 1, 1, 7}},
        {"/nv",      1, 7, 5, 1, {5, 1, 1, 7}},
        {"/nv16x16", 5, 7, 1, 1, {5, 7, 1, 1}},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        ag_scheme scheme = scheme_named("e2m1f", cases[i].scheme);
        ag_matrix matrix = {.rows = 5, .cols = 7, .sum = AG_SUM_COLS};
        ag_groups g = ag_groups_of(&scheme, &matrix);
        assert_int_equal(g.height, cases[i].height);
        assert_int_equal(g.width, cases[i].width);
        assert_int_equal(g.down, cases[i].down);
        assert_int_equal(g.across, cases[i].across);
        matrix.sum = AG_SUM_ROWS;
        g = ag_groups_of(&scheme, &matrix);
        assert_int_equal(g.height, cases[i].turned[0]);
        assert_int_equal(g.width, cases[i].turned[1]);
        assert_int_equal(g.down, cases[i].turned[2]);
        assert_int_equal(g.across, cases[i].turned[3]);
    }
}

/* Each group is quantised as a tensor of its own, elements keeping their global index. */
static void check_float_groups(const char *name, ag_sum sum)
{
    enum { ROWS = 9, COLS = 11, FIRST = 1001 };
    const ag_rounding_site where = {.key = 7, .place = 66, .use = 1, .step = 3};
    ag_scheme scheme = scheme_named("e4m3fn", name);
    ag_matrix matrix = {.rows = ROWS, .cols = COLS, .sum = sum, .first = FIRST};
    ag_groups g = ag_groups_of(&scheme, &matrix);
    ag_scales s = scales();
    uint64_t seed = 5;
    for (size_t i = 0; i < (size_t)ROWS * COLS; i++)
        s_x[i] = (float)(int64_t)ag_splitmix64(&seed) * 0x1p-63f;
    ag_quantize_matrix(s_out, s_x, &matrix, &scheme, &s, &where);
    for (size_t i = 0; i < (size_t)ROWS * COLS; i++) {
        size_t top = i / COLS / g.height * g.height;
        size_t left = i % COLS / g.width * g.width;
        float amax = 0.0f;
        for (size_t row = top; row < top + g.height && row < ROWS; row++)
            for (size_t col = left; col < left + g.width && col < COLS; col++)
                amax = fmaxf(amax, fabsf(s_x[row * COLS + col]));
        float scale = ag_scale_from_amax(&scheme.format, amax, 0, scheme.pow2, 1.0f);
        float expected;
        ag_fake_quantize(&expected, &s_x[i], 1, &scheme, scale, &where, FIRST + i);
        assert_true(s_out[i] == expected);
        assert_true(s_scale[ag_groups_at(&g, i / COLS, i % COLS)] == scale);
    }
}

static void test_float_scales(void **state)
{
    (void)state;
    static const char *const names[] = {
        "/tensor", "/row",      "/row/amax+pow2/stochastic", "/col/amax",
        "/2x3",    "/1x4/amax", "/4x4/amax+pow2/stochastic"};
    for (size_t i = 0; i < COUNT(names); i++) {
        check_float_groups(names[i], AG_SUM_COLS);
        check_float_groups(names[i], AG_SUM_ROWS);
    }
}

static void test_groups_that_say_nothing_have_scale_one(void **state)
{
    (void)state;
    ag_scheme scheme = scheme_named("e4m3fn", "/row");
    ag_matrix matrix = {.rows = 3, .cols = 2};
    ag_scales s = scales();
    const float x[6] = {-0.0f, 0.0f, INFINITY, 3.0f, NAN, 0.25f};
    ag_quantize_matrix(s_out, x, &matrix, &scheme, &s, NULL);
    assert_true(s_scale[0] == 1.0f && s_scale[1] == 1.0f && s_scale[2] == 1792.0f);
    assert_int_equal(bits_of(s_out[0]), 0x80000000u);
    assert_true(s_out[2] == 448.0f && s_out[3] == 3.0f && isnan(s_out[4]) && s_out[5] == 0.25f);
}

/* --- the Hadamard transform */

/* Against the matrix itself, H[i][j] = (-1)^(number of common one bits of i and j) / 4. A sum of 16
 * terms in any order is off by at most 15 * 2^-24 of the sum of magnitudes. */
static void test_hadamard_is_its_matrix(void **state)
{
    (void)state;
    static const char signs[] = "+++-+------+-+--";
    enum { ROWS = 35, COLS = 3 };
    uint64_t seed = 9;
    for (size_t i = 0; i < (size_t)ROWS * COLS; i++)
        s_x[i] = (float)(int64_t)ag_splitmix64(&seed) * 0x1p-63f;
    ag_turn turn = ag_turn_of(&(ag_scheme){.hadamard = 16}, NULL);
    ag_hadamard(s_out, s_x, ROWS, COLS, AG_SUM_ROWS, &turn);
    for (size_t row = 0; row < ROWS; row++) {
        for (size_t col = 0; col < COLS; col++) {
            double sum = 0.0;
            double magnitude = 0.0;
            for (size_t i = 0; i < 16 && row < 32; i++) {
                double x = (double)s_x[(row / 16 * 16 + i) * COLS + col];
                bool negative =
                    (__builtin_popcount((unsigned)(i & row)) % 2 != 0) != (signs[i] == '-');
                sum += negative ? -x / 4 : x / 4;
                magnitude += fabs(x) / 4;
            }
            if (row >= 32) /* a short run */
                sum = (double)s_x[row * COLS + col];
            assert_true(fabs((double)s_out[row * COLS + col] - sum) <= 15 * 0x1p-24 * magnitude);
        }
    }
    ag_hadamard(s_x, s_x, ROWS, COLS, AG_SUM_ROWS, &turn);
    assert_memory_equal(s_x, s_out, (size_t)ROWS * COLS * sizeof *s_x);
}

/* Quantising under the transform is quantising the transformed matrix. */
static void test_hadamard_comes_before_the_amax(void **state)
{
    (void)state;
    enum { ROWS = 32, COLS = 5 };
    static float transformed[ROWS * COLS], expected[ROWS * COLS];
    ag_scheme scheme = scheme_named("e2m1f", "/nv/amax/nearest/hadamard");
    ag_scheme plain = scheme_named("e2m1f", "/nv");
    ag_matrix matrix = {.rows = ROWS, .cols = COLS, .sum = AG_SUM_ROWS};
    ag_scales s = scales();
    for (size_t i = 0; i < (size_t)ROWS * COLS; i++)
        s_x[i] = i % 7 == 0 ? 100.0f : (float)i;
    ag_turn turn = ag_turn_of(&scheme, NULL);
    ag_hadamard(transformed, s_x, ROWS, COLS, AG_SUM_ROWS, &turn);
    ag_quantize_matrix(expected, transformed, &matrix, &plain, &s, NULL);
    ag_quantize_matrix(s_out, s_x, &matrix, &scheme, &s, NULL);
    assert_memory_equal(s_out, expected, sizeof expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mx_blocks),
        cmocka_unit_test(test_mxfp4_in_full),
        cmocka_unit_test(test_e8m0_of_one_amax),
        cmocka_unit_test(test_nvfp4),
        cmocka_unit_test(test_nvfp4_in_full),
        cmocka_unit_test(test_nvfp4_of_nothing_and_of_much),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_float_scales),
        cmocka_unit_test(test_groups_that_say_nothing_have_scale_one),
        cmocka_unit_test(test_hadamard_is_its_matrix),
        cmocka_unit_test(test_hadamard_comes_before_the_amax),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
