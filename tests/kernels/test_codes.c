/* Codes against the values that the plain quantiser gives, and their words against those of the
 * codes alone: blocks along and across the sum, whole and short, values of all bit patterns. */
#include "kernels_support.h"

#include "base/pool.h"
#include "numerics/groups.h"
#include "products/products.h"

static const ag_rounding_site where = {.key = 0x0123456789abcdef, .place = 5, .use = 1, .step = 7};

/* One operand, [rows, K] for its product. */
typedef struct operand {
    const ag_scheme *scheme;
    ag_matrix matrix;
    ag_groups groups;
    bool across;
    size_t rows, K, block;
    float *x, *values;
    ag_scales scales;
    int8_t *codes; /* as the matrix */
    ag_codes got;
} operand;

static size_t words_of(const operand *o)
{
    return o->rows * ag_code_words(o->K, o->block);
}

static size_t units_of(const operand *o)
{
    return o->rows * ((o->K + o->block - 1) / o->block);
}

static int code_of(const operand *o, size_t row, size_t k)
{
    size_t word = k / o->block * ((o->block + 3) / 4) + k % o->block / 4;
    size_t at = o->across ? word * o->rows + row : row * ag_code_words(o->K, o->block) + word;
    return (int)(o->got.words[at] >> 8 * (k % o->block % 4) & 0xff) - 128;
}

static float unit_of(const operand *o, size_t row, size_t k)
{
    size_t j = k / o->block;
    size_t blocks = (o->K + o->block - 1) / o->block;
    return o->got.units[o->across ? j * o->rows + row : row * blocks + j];
}

static size_t element(const operand *o, size_t row, size_t k)
{
    return o->across ? k * o->rows + row : row * o->K + k;
}

static float after_at(const operand *o, size_t i)
{
    return o->scales.after[ag_groups_at(&o->groups, i / o->groups.cols, i % o->groups.cols)];
}

/* The block that begins with k: its codes give its values, or there are none. */
static void check_block(const operand *o, size_t row, size_t k)
{
    const float step = o->scheme->format.min_subnormal;
    const size_t end = k + o->block < o->K ? k + o->block : o->K;
    bool finite = isfinite(step * after_at(o, element(o, row, k)));
    for (size_t i = k; i < end; i++)
        finite &= isfinite(o->values[element(o, row, i)]);
    assert_true(finite ? unit_of(o, row, k) == step * after_at(o, element(o, row, k))
                       : isnan(unit_of(o, row, k)));
    for (size_t i = k; i < end; i++) {
        size_t at = element(o, row, i);
        int code = code_of(o, row, i);
        if (finite)
            assert_true((float)code * step * after_at(o, at) == o->values[at]);
        else
            assert_int_equal(code, 0);
        o->codes[at] = (int8_t)code;
    }
}

static void check_words(const operand *o)
{
    uint32_t *words = test_malloc(words_of(o) * sizeof *words);
    (o->across ? ag_codes_across : ag_codes_along)(words, o->codes, o->rows, o->K, o->block);
    assert_memory_equal(o->got.words, words, words_of(o) * sizeof *words);
    test_free(words);
}

static void check_kernel(const ag_kernels *k, operand *o)
{
    memset(o->got.words, 0x5a, words_of(o) * sizeof *o->got.words);
    ag_codes out[2] = {
        {NULL, NULL},
        {NULL, NULL}
    };
    out[o->matrix.sum] = o->got;
    k->quantize_codes(out, o->x, &o->groups, &o->scales, o->scheme, &where, o->matrix.first);
    for (size_t row = 0; row < o->rows; row++)
        for (size_t first = 0; first < o->K; first += o->block)
            check_block(o, row, first);
    check_words(o);
}

/* k of a block: of one scale for all K, whole sums as far as they are exact, else segments. */
static size_t block_of(const ag_scheme *scheme, size_t K)
{
    if (scheme->granularity == AG_GRANULARITY_TENSOR || scheme->granularity == AG_GRANULARITY_ROW)
        return K <= 1024 ? K : 512;
    return (size_t)scheme->block_cols;
}

/* Codes along the sum and across it, made in one call, are those of a call each. */
static void check_both_ways(const ag_kernels *k, const operand *o)
{
    const ag_sum other_sum = o->across ? AG_SUM_COLS : AG_SUM_ROWS;
    const ag_matrix turned = {o->matrix.rows, o->matrix.cols, other_sum, o->matrix.first};
    const ag_groups groups = ag_groups_of(o->scheme, &turned);
    const operand other = {.rows = o->K, .K = o->rows, .block = block_of(o->scheme, o->rows)};
    ag_codes out[2];
    if (memcmp(&groups, &o->groups, sizeof groups) != 0)
        return;
    out[o->matrix.sum] =
        (ag_codes){test_malloc(words_of(o) * sizeof(uint32_t)), floats(units_of(o))};
    out[other_sum] =
        (ag_codes){test_malloc(words_of(&other) * sizeof(uint32_t)), floats(units_of(&other))};
    k->quantize_codes(out, o->x, &o->groups, &o->scales, o->scheme, &where, o->matrix.first);
    assert_memory_equal(out[o->matrix.sum].words, o->got.words, words_of(o) * sizeof *o->got.words);
    assert_memory_equal(out[o->matrix.sum].units, o->got.units, units_of(o) * sizeof *o->got.units);
    for (size_t i = 0; i < 2; i++) {
        test_free(out[i].words);
        free(out[i].units);
    }
}

static void check_operand(const ag_scheme *scheme, ag_matrix matrix, bool wild)
{
    const size_t count = matrix.rows * matrix.cols;
    const bool across = matrix.sum == AG_SUM_ROWS;
    operand o = {.scheme = scheme, .matrix = matrix, .across = across};
    o.groups = ag_groups_of(scheme, &matrix);
    o.rows = across ? matrix.cols : matrix.rows;
    o.K = across ? matrix.rows : matrix.cols;
    o.block = block_of(scheme, o.K);
    o.x = wild ? any_bits(count, count) : normal(count, count, 1);
    o.values = floats(count);
    o.scales = (ag_scales){.scale = floats(count), .after = floats(count), .factor = 1};
    o.codes = test_malloc(count);
    o.got = (ag_codes){test_malloc(words_of(&o) * sizeof(uint32_t)), floats(units_of(&o))};
    for (size_t i = 7; i < count; i += 977)
        o.x[i] = i % 2 == 0 ? NAN : INFINITY;
    ag_matrix_scale(&ag_kernels_plain, &o.scales, o.x, &matrix, scheme, NULL);
    ag_kernels_plain.quantize_groups(o.values, o.x, &o.groups, &o.scales, scheme, &where,
                                     matrix.first);
    check_kernel(&ag_kernels_plain, &o);
    check_both_ways(&ag_kernels_plain, &o);
    check_kernel(fast, &o);
    check_both_ways(fast, &o);
    test_free(o.got.words);
    free(o.got.units);
    test_free(o.codes);
    free(o.scales.scale);
    free(o.scales.after);
    free(o.values);
    free(o.x);
}

static void check_all(void)
{
    static const char *const names[] = {"e2m1f/nv",
                                        "e2m1f/nv/amax/stochastic",
                                        "e2m1f/nv16x16",
                                        "e2m1/mx",
                                        "e2m1ieee/mx",
                                        "e0m7b0f/mx/e8m0floor",
                                        "e0m3b0f/mx/e8m0floor/stochastic",
                                        "int8/1x32/amax",
                                        "int8/3x5/amax",
                                        "int4/1x600/amax",
                                        "int8/16x16/amax/stochastic",
                                        "e1m2b126/1x32/amax", /* 1 / step is 2^127, */
                                        "e1m2b127/1x32/amax", /* and beyond float32 */
                                        "e0m3b127/row",
                                        "int8/row",
                                        "int8/tensor",
                                        "int4/tensor/amax/stochastic",
                                        "e2m1f/tensor/amax+pow2",
                                        "e2m1f/row/amax+pow2/stochastic"};
    static const size_t shapes[][2] = {
        {1,    1   },
        {5,    7   },
        {33,   37  },
        {48,   256 },
        {17,   513 },
        {131,  40  },
        {256,  96  },
        {3,    1100},
        {1537, 6   },
        {1100, 40  }, /* several threads' pieces of a row's scale */
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        ag_scheme scheme;
        assert_ok(ag_scheme_parse(&scheme, names[i]));
        for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++)
            for (int variant = 0; variant < 4; variant++)
                check_operand(&scheme,
                              (ag_matrix){shapes[s][0], shapes[s][1],
                                          variant % 2 == 0 ? AG_SUM_COLS : AG_SUM_ROWS, 1000003},
                              variant >= 2);
    }
}

static void codes_are_the_values(void **state)
{
    (void)state;
    check_all();
}

static void threads_share_them(void **state)
{
    (void)state;
    assert_ok(ag_pool_start(3));
    check_all();
    ag_pool_stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_are_the_values),
        cmocka_unit_test(threads_share_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
