/* The kernels of groups against numerics' plain quantiser, bit for bit: every granularity, products
 * that sum over either axis, whole and short groups, values of all bit patterns. */
#include "kernels_support.h"

#include "base/pool.h"
#include "numerics/groups.h"

static const size_t shapes[][2] = {
    {1,   1   },
    {1,   300 },
    {5,   7   },
    {33,  37  },
    {48,  256 },
    {17,  513 },
    {70,  513 }, /* several threads' pieces, of tall groups, too */
    {131, 40  },
    {3,   1310},
    {20,  48  },
};
enum { SHAPES = sizeof shapes / sizeof shapes[0] };

static ag_rounding_site where = {.key = 0x0123456789abcdef, .place = 5, .use = 1, .step = 7};

typedef struct result {
    float *out;
    ag_scales scales;
} result;

static result new_result(size_t count)
{
    return (result){
        floats(count), {.scale = floats(count), .after = floats(count), .factors = floats(count)}
    };
}

static void free_result(result *r)
{
    free(r->out);
    free(r->scales.scale);
    free(r->scales.after);
    free(r->scales.factors);
}

static void check_matrix(const char *what, const float *x, const ag_matrix *matrix,
                         const ag_scheme *scheme)
{
    static const ag_kernels *const tables[] = {&ag_kernels_plain, &ag_kernels_fast};
    size_t count = matrix->rows * matrix->cols;
    ag_groups groups = ag_groups_of(scheme, matrix);
    result defined = new_result(count);
    ag_quantize_matrix(defined.out, x, matrix, scheme, &defined.scales, &where);
    for (int i = 0; i < 2; i++) {
        result r = new_result(count);
        memcpy(r.out, x, count * sizeof *x); /* in place */
        quantize_matrix(tables[i], r.out, r.out, matrix, scheme, &r.scales, &where);
        assert_same_bits(what, r.scales.scale, defined.scales.scale, ag_groups_count(&groups));
        assert_same_bits(what, r.scales.after, defined.scales.after, ag_groups_count(&groups));
        assert_int_equal(bits_of(r.scales.factor), bits_of(defined.scales.factor));
        assert_same_bits(what, r.out, defined.out, count);
        free_result(&r);
    }
    free_result(&defined);
}

/* Values of all sizes in a matrix, with groups of zeros and of NaN; `wild`: all bit patterns. */
static float *make_values(uint64_t seed, size_t rows, size_t cols, bool wild)
{
    float *x = wild ? any_bits(seed, rows * cols) : normal(seed, rows * cols, 1);
    for (size_t i = 0; !wild && i < rows * cols; i++) {
        x[i] = ldexpf(x[i], (int)(i / cols * 7 % 13) - (int)(i % cols / 16 * 5 % 40));
        if (i % cols / 16 == 1)
            x[i] = i % 2 == 0 ? 0.0f : -0.0f;
        if (i % 1009 == 1000)
            x[i] = NAN;
    }
    return x;
}

static void check(const char *name, const ag_scheme *scheme)
{
    for (size_t i = 0; i < SHAPES; i++) {
        for (int variant = 0; variant < 4; variant++) {
            ag_matrix matrix = {shapes[i][0], shapes[i][1],
                                variant % 2 == 0 ? AG_SUM_COLS : AG_SUM_ROWS, 1000003};
            float *x = make_values(i + 1, matrix.rows, matrix.cols, variant >= 2);
            check_matrix(name, x, &matrix, scheme);
            free(x);
        }
    }
}

static void check_scheme(const char *name)
{
    ag_scheme scheme;
    assert_ok(ag_scheme_parse(&scheme, name));
    check(name, &scheme);
}

static void test_float_scales(void **state)
{
    (void)state;
    static const char *const names[] = {"e4m3fn/tensor",
                                        "e4m3fn/row",
                                        "e5m2/row/amax+pow2",
                                        "int8/row",
                                        "e3m4/col",
                                        "e4m3fn/1x128",
                                        "e4m3fn/128x128",
                                        "e4m3fn/3x5/amax",
                                        "e7m0/1x16/amax/stochastic",
                                        "e0m7/row/amax/stochastic",
                                        "e4m3fn/16x16/amax/stochastic",
                                        "fp16/tensor/none"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        check_scheme(names[i]);
}

static void test_mx(void **state)
{
    (void)state;
    static const char *const formats[] = {"e4m3fn", "e5m2",   "e3m2",   "e2m3",
                                          "e2m1",   "e0m7b0", "e0m3b0", "e6m1"};
    static const char *const rest[] = {"", "/e8m0floor", "/e8m0rceil/stochastic",
                                       "/e8m0rceil/stochastic/hadamard"};
    char name[64];
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        for (size_t j = 0; j < sizeof rest / sizeof rest[0]; j++) {
            snprintf(name, sizeof name, "%s/mx%s", formats[i], rest[j]);
            check_scheme(name);
        }
    }
}

static void test_nvfp4(void **state)
{
    (void)state;
    check_scheme("e2m1/nv");
    check_scheme("e2m1/nv/amax/stochastic");
    check_scheme("e2m1/nv/amax/nearest/hadamard");
    check_scheme("e2m1/nv16x16");
}

/* Blocks of any size, however their scales are stored. */
static void test_open_blocks(void **state)
{
    (void)state;
    static const char *const names[] = {
        "e2m1/1x16/e8m0even",    "e4m3/8x32/e8m0rceil",
        "e0m3b0/1x128/e8m0even", "e2m1/1x32/e4m3+t",
        "int4/1x16/e4m3+t",      "e4m3/1x16/ue5m3/stochastic",
        "e2m3/3x5/e5m2+t",       "int8/1x1/ue5m3+t",
        "e3m4/1x64/absmax",      "e2m1/4x8/ue5m3/stochastic",
        "nf4/1x64/absmax",       "posit8_1/1x16/e4m3+t",
        "takum8/4x8/fp32",       "dynamic8/mx/e8m0rceil/stochastic"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        check_scheme(names[i]);
}

/* Scales relative to one a row. */
static void test_scales_by_row(void **state)
{
    (void)state;
    static const char *const names[] = {"e2m1/1x16/e4m3", "int4/1x5/ue5m3", "e4m3/1x128/e5m2"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        ag_scheme scheme;
        assert_ok(ag_scheme_parse(&scheme, names[i]));
        scheme.outer = AG_OUTER_ROW;
        check(names[i], &scheme);
        scheme.select = AG_SELECT_MSE;
        scheme.n_candidates = 2;
        scheme.candidates[0] = 1.0f;
        scheme.candidates[1] = 0.8f;
        check(names[i], &scheme);
    }
}

/* Choices by error, in blocks along and across rows, small and large. */
static void test_selection(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        ag_select select;
        ag_block_error error;
        int n_candidates;
        float candidates[AG_MOST_CANDIDATES];
    } cases[] = {
        {"e2m1/nv",                        AG_SELECT_FOUR_SIX, AG_ERROR_MAE, 0, {0}             },
        {"e2m1/nv16x16/e4m3+t/stochastic", AG_SELECT_FOUR_SIX, AG_ERROR_MSE, 0, {0}             },
        {"e2m1/1x32/ue5m3+t",              AG_SELECT_FOUR_SIX, AG_ERROR_MAE, 0, {0}             },
        {"e2m1/mx",                        AG_SELECT_MSE,      AG_ERROR_MSE, 3, {1, 2, 0.5f}    },
        {"int4/1x16/fp32",                 AG_SELECT_MSE,      AG_ERROR_MAE, 3, {1, 1.5f, 0.75f}},
        {"e4m3/3x5/pow2/stochastic",       AG_SELECT_MSE,      AG_ERROR_MSE, 2, {1, 0.5f}       },
        {"e2m3/1x300/e5m2",                AG_SELECT_MSE,      AG_ERROR_MSE, 2, {1, 1.25f}      },
        {"posit8_2/1x16/e4m3/stochastic",  AG_SELECT_MSE,      AG_ERROR_MSE, 2, {1, 1.25f}      },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ag_scheme scheme;
        assert_ok(ag_scheme_parse(&scheme, cases[i].name));
        scheme.select = cases[i].select;
        scheme.error = cases[i].error;
        scheme.n_candidates = cases[i].n_candidates;
        memcpy(scheme.candidates, cases[i].candidates, sizeof scheme.candidates);
        assert_ok(ag_scheme_check(&scheme));
        check(cases[i].name, &scheme);
    }
}

/* Few random bits, and rotations along the sum. */
static void test_bits_and_rotations(void **state)
{
    (void)state;
    static const char *const names[] = {"e4m3/mx/e8m0floor/stochastic", "int4/row/amax/stochastic",
                                        "e2m1/1x8/ue5m3/stochastic/hadamard32",
                                        "e4m3/1x16/amax/stochastic/hadamard128"};
    for (int i = 0; i < 12; i++) {
        ag_scheme scheme;
        assert_ok(ag_scheme_parse(&scheme, names[i / 3]));
        scheme.sr_bits = i % 2 == 0 ? 7 : 32;
        scheme.sr_variant = (ag_sr_variant)(i % 3);
        scheme.signs = scheme.hadamard > 32 ? AG_SIGNS_STEP : AG_SIGNS_FIXED;
        where.bits = scheme.sr_bits;
        where.variant = scheme.sr_variant;
        check(names[i / 3], &scheme);
    }
    where.bits = 0;
    where.variant = AG_SR_FLOOR;
}

/* Scales of rotated values. */
static void test_turned_scales(void **state)
{
    (void)state;
    static const char *const names[] = {
        "e2m1/nv/amax/nearest/hadamard64", "e2m1/1x32/ue5m3+t/nearest/hadamard32",
        "e2m1/mx/e8m0floor/nearest/hadamard32", "posit8_0/1x32/e4m3+t/nearest/hadamard32"};
    for (int i = 0; i < 4; i++) {
        ag_scheme scheme;
        assert_ok(ag_scheme_parse(&scheme, names[i]));
        scheme.select = i == 2 ? AG_SELECT_QUEST : AG_SELECT_EDEN;
        scheme.signs = AG_SIGNS_STEP;
        assert_ok(ag_scheme_check(&scheme));
        check(names[i], &scheme);
    }
}

/* Scales of one amax each, over all exponents. */
static void test_scales_of_every_amax(void **state)
{
    (void)state;
    enum { COUNT = 1 << 14 };
    static const char *const names[] = {"e4m3fn/row", "e4m3fn/row/amax+pow2", "e7m0/row",
                                        "e4m3fn/mx",  "e2m1/mx/e8m0floor",    "e0m7b0/mx/e8m0rceil",
                                        "e2m1/nv"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        ag_scheme scheme;
        assert_ok(ag_scheme_parse(&scheme, names[i]));
        result a = new_result(COUNT);
        result b = new_result(COUNT);
        for (int margin = 0; margin < (scheme.granularity == AG_GRANULARITY_ROW ? 5 : 1);
             margin += 2) {
            scheme.margin = margin;
            for (uint32_t j = 0; j < COUNT; j++) /* nv: of tensors that are not all too large */
                a.scales.scale[j] = float_of((j << 17) % (i == 6 ? 0x60000000u : 0x7f800001u));
            memcpy(b.scales.scale, a.scales.scale, COUNT * sizeof(float));
            ag_scales_set(&a.scales, &scheme, COUNT);
            fast->scales_set(&b.scales, &scheme, COUNT);
            assert_same_bits(names[i], b.scales.scale, a.scales.scale, COUNT);
            assert_same_bits(names[i], b.scales.after, a.scales.after, COUNT);
        }
        free_result(&a);
        free_result(&b);
    }
}

/* Maxima of tall groups are found by each thread in its own rows. */
static void test_threads(void **state)
{
    assert_ok(ag_pool_start(3));
    test_float_scales(state);
    test_open_blocks(state);
    ag_pool_stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_float_scales),
        cmocka_unit_test(test_mx),
        cmocka_unit_test(test_nvfp4),
        cmocka_unit_test(test_open_blocks),
        cmocka_unit_test(test_scales_by_row),
        cmocka_unit_test(test_selection),
        cmocka_unit_test(test_bits_and_rotations),
        cmocka_unit_test(test_turned_scales),
        cmocka_unit_test(test_scales_of_every_amax),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
