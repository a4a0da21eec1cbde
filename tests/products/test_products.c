/* Every engine against the definition, bit for bit. */
#include "support.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "base/philox.h"
#include "base/pool.h"
#include "products/products.h"

static const char *const s_engines[] = {"scalar", "avx2", "avx512", "neon", "pairs"};
enum { ENGINES = sizeof s_engines / sizeof s_engines[0] };

/* What operands are made of. */
typedef enum filling {
    FLOATS,  /* normal float32 */
    BF16S,   /* their BF16 values */
    COARSE,  /* small integers: many equal sums, zeros of both signs */
    SPECIAL, /* some Inf, NaN, subnormal, huge */
    FILLINGS
} filling;

static float *fill(uint64_t seed, size_t count, filling kind)
{
    static const float specials[] = {INFINITY,   -INFINITY, NAN,  0x1p-149f,
                                     -0x1p-127f, FLT_MAX,   -0.0f};
    float *x = malloc((count + 1) * sizeof *x);
    assert_non_null(x);
    for (size_t i = 0; i < count; i++) {
        uint64_t random = ag_splitmix64(&seed);
        float value = ldexpf((float)(int32_t)(random >> 32), -31 - (int)(random & 7));
        if (kind == COARSE)
            value = (float)((int)(random % 7) - 3) * ((random >> 32 & 1) != 0 ? 1.0f : -1.0f);
        if (kind == SPECIAL && random % 97 == 0)
            value = specials[(random >> 8) % 7];
        x[i] = kind == FLOATS || kind == SPECIAL
                   ? value
                   : ag_bits_float(ag_float_bits(value) & 0xffff0000u);
    }
    return x;
}

static bool same(float a, float b)
{
    return ag_float_bits(a) == ag_float_bits(b) || (isnan(a) && isnan(b));
}

/* Layouts: 0 nt, 1 nn, 2 tn, 3 rows and columns inside a larger matrix. */
static ag_product_spec make_spec(const float *a, const float *b, size_t M, size_t N, size_t K,
                                 int layout)
{
    ag_product_spec spec = {.M = M, .N = N, .K = K};
    spec.a = layout == 2 ? (ag_view){a, 1, M} : (ag_view){a, K, 1};
    spec.b = layout == 0 ? (ag_view){b, K, 1} : (ag_view){b, 1, N};
    if (layout == 3) {
        spec.a = (ag_view){a, 2 * K + 1, 2};
        spec.b = (ag_view){b, 3 * K, 3};
    }
    return spec;
}

static size_t s_first; /* of the products that are checked, like the next */
static size_t s_block;

static void check(size_t M, size_t N, size_t K, int layout, filling kind)
{
    size_t room = layout == 3 ? 3 : 1;
    float *a = fill(M * 7 + K, (M * K + M) * room, kind);
    float *b = fill(N * 11 + K + 1, (N * K + N) * room, kind);
    float *expected = fill(1, M * (N + 3), COARSE);
    float *got = malloc(M * (N + 3) * sizeof *got + 1);
    ag_product_spec spec = make_spec(a, b, M, N, K, layout);
    spec.first = s_first;
    spec.block = s_block;
    memcpy(got, expected, M * (N + 3) * sizeof *got); /* what lies between rows stays */
    ag_product_ref(expected, N + 3, &spec);
    if (kind == BF16S || kind == COARSE) {
        spec.kind = AG_PRODUCT_BF16;
        assert_true(
            ag_pairs_are_exact(ag_smallest_exponent(a, M * K), ag_smallest_exponent(b, N * K)));
    }
    ag_product(got, N + 3, &spec);
    for (size_t i = 0; i < M * (N + 3); i++)
        if (!same(got[i], expected[i]))
            fail_msg("%s: %zu x %zu x %zu, layout %d, filling %d, [%zu, %zu]: %a, expected %a",
                     ag_products_engine(), M, N, K, layout, (int)kind, i / (N + 3), i % (N + 3),
                     (double)got[i], (double)expected[i]);
    free(a);
    free(b);
    free(expected);
    free(got);
}

static void check_shapes(void)
{
    static const size_t shapes[][3] = {
        {1,   1,   1   },
        {1,   1,   0   },
        {2,   3,   5   },
        {7,   5,   3   },
        {6,   64,  8   },
        {8,   16,  17  },
        {5,   63,  31  },
        {13,  65,  33  },
        {12,  48,  511 },
        {9,   33,  512 },
        {7,   17,  513 },
        {31,  97,  37  },
        {6,   70,  1025},
        {3,   130, 1100},
        {67,  66,  40  },
        {1,   200, 12  },
        {200, 1,   12  },
        {24,  192, 64  },
    };
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        for (int layout = 0; layout < 4; layout++)
            for (int kind = 0; kind < FILLINGS; kind++)
                check(shapes[i][0], shapes[i][1], shapes[i][2], layout, (filling)kind);
}

static void test_engines_are_the_definition(void **state)
{
    (void)state;
    int ran = 0;
    for (size_t i = 0; i < ENGINES; i++) {
        if (!ag_products_init(s_engines[i]))
            print_message("skipped: this CPU or build has no %s\n", s_engines[i]);
        else {
            check_shapes();
            for (s_first = 1; s_first < AG_SEGMENT; s_first += 255)
                check(13, 70, 1100, (int)s_first % 4, FLOATS);
            s_first = 0;
            for (s_block = 2; s_block <= AG_SEGMENT; s_block *= 2) {
                check(13, 70, 75, 0, COARSE);
                check(12, 33, 600, 1, COARSE);
                check(7, 16, 33, 2, BF16S);
                check(6, 1, 1, 3, FLOATS);
            }
            s_block = 0;
            check(1300, 30, 20, 0, BF16S); /* more rows than a block has */
            check(30, 40, 1024, 2, FLOATS);
            check(1024, 9, 5, 2, FLOATS); /* rows 4 KiB apart */
            check(1024, 20, 520, 2, BF16S);
            ran++;
        }
    }
    assert_true(ran >= 1);
    ag_products_init(NULL);
}

/* Against the formula, with the integers' sum in int64. */
static void test_blocks_with_scales(void **state)
{
    (void)state;
    enum { M = 7, N = 37, K = 150, BLOCK = 20, BLOCKS = 8 };
    float a[M * K];
    float b[N * K];
    float *sa = fill(5, BLOCKS * M, FLOATS);
    float *sb = fill(6, BLOCKS * N, FLOATS);
    float c[M * N];
    float sums[M * N];
    uint64_t seed = 9;
    for (size_t i = 0; i < M * K; i++)
        a[i] = (float)(ag_splitmix64(&seed) % 255) - 127;
    for (size_t i = 0; i < N * K; i++)
        b[i] = (float)(ag_splitmix64(&seed) % 255) - 127;
    ag_product_spec spec = make_spec(a, b, M, N, K, 0);
    spec.kind = AG_PRODUCT_BF16;
    spec.block = BLOCK;
    ag_product_of_blocks(c, sums, &spec, sa, sb);
    for (size_t m = 0; m < M; m++) {
        for (size_t n = 0; n < N; n++) {
            float expected = 0;
            for (size_t j = 0; j < BLOCKS; j++) {
                int64_t sum = 0;
                for (size_t k = j * BLOCK; k < K && k < (j + 1) * BLOCK; k++)
                    sum += (int64_t)a[m * K + k] * (int64_t)b[n * K + k];
                expected = fmaf((float)sum, sa[j * M + m] * sb[j * N + n], expected);
            }
            assert_true(c[m * N + n] == expected);
        }
    }
    free(sa);
    free(sb);
}

static void test_threads_change_no_bit(void **state)
{
    (void)state;
    assert_true(ag_products_init(NULL));
    for (int threads = 2; threads < 6; threads++) {
        assert_ok(ag_pool_start(threads));
        check(200, 70, 600, 0, FLOATS);
        check(50, 1500, 40, 1, BF16S);
        check(300, 300, 70, 2, COARSE);
        check(1, 1, 3, 2, COARSE);
        ag_pool_stop();
    }
}

/* The chain in double: each of its K products and additions errs by 2^-24 of what is there. */
static void test_error_bound(void **state)
{
    (void)state;
    enum { M = 9, N = 20, K = 1500 };
    float *a = fill(3, M * K, FLOATS);
    float *b = fill(4, N * K, FLOATS);
    float c[M * N];
    ag_product_spec spec = make_spec(a, b, M, N, K, 0);
    ag_product(c, N, &spec);
    for (size_t m = 0; m < M; m++)
        for (size_t n = 0; n < N; n++) {
            double sum = 0;
            double magnitude = 0;
            for (size_t k = 0; k < K; k++) {
                double product = (double)a[m * K + k] * (double)b[n * K + k];
                sum += product;
                magnitude += fabs(product);
            }
            assert_true(fabs((double)c[m * N + n] - sum) <= (512 + 3) * 0x1p-24 * magnitude);
        }
    free(a);
    free(b);
}

/* A chain that only the order of the definition gives: 2^24 + 1 rounds to 2^24, so each 1 after it
 * is lost, but 512 of them that come before it, in a segment of their own, are not. */
static void test_known_sums(void **state)
{
    (void)state;
    float a[1024];
    float one[1024];
    float c = 0;
    for (size_t k = 0; k < 1024; k++)
        a[k] = one[k] = 1;
    ag_product_spec spec = {
        .M = 1, .N = 1, .K = 1024, .a = {a,   0, 1},
                   .b = {one, 0, 1}
    };
    for (size_t i = 0; i < ENGINES; i++) {
        if (!ag_products_init(s_engines[i]))
            continue;
        spec.kind = AG_PRODUCT_BF16;
        a[0] = 0x1p24f;
        ag_product(&c, 1, &spec); /* segment 0: 2^24 and 511 lost ones; segment 1: 512 */
        assert_true(c == 0x1p24f + 512);
        a[0] = 1;
        a[512] = 0x1p24f;
        ag_product(&c, 1, &spec); /* 512, then 2^24 + 511 lost ones */
        assert_true(c == 0x1p24f + 512);
        a[512] = 1;
        a[511] = 0x1p24f;
        ag_product(&c, 1, &spec); /* 511 + 2^24 = 16777727, to even 16777728; then 512 */
        assert_true(c == 16777728.0f + 512);
        a[511] = 1;
    }
    ag_products_init(NULL);
}

static void test_smallest_exponent(void **state)
{
    (void)state;
    const float x[] = {0.0f, -0.0f, 1.0f, -0x1p-20f, 3.0f, 0x1p-149f};
    assert_int_equal(ag_smallest_exponent(x, 0), 255);
    assert_int_equal(ag_smallest_exponent(x, 2), 255);
    assert_int_equal(ag_smallest_exponent(x, 3), 127);
    assert_int_equal(ag_smallest_exponent(x, 5), 107);
    assert_int_equal(ag_smallest_exponent(x, 6), 0);
}

/* Where pairs would flush: the guard says no on the flushing side of its bound, and on the other
 * side the least sum, of two mantissas of 1 + 2^-7 that cancel but for their last bits, is kept. */
static void test_guard(void **state)
{
    (void)state;
    assert_false(ag_pairs_are_exact(0, 255));
    assert_false(ag_pairs_are_exact(100, 41));
    assert_true(ag_pairs_are_exact(100, 42));
    assert_true(ag_pairs_are_exact(255, 255));
    const float least = ldexpf(1 + 0x1p-7f, 71 - 127);
    const float a[] = {least, -least};
    const float b[] = {least, ldexpf(1, 71 - 127)};
    float c = 0;
    float expected = 0;
    ag_product_spec spec = {
        .M = 1, .N = 1, .K = 2, .a = {a, 0, 1},
                   .b = {b, 0, 1}
    };
    assert_true(ag_pairs_are_exact(ag_smallest_exponent(a, 2), ag_smallest_exponent(b, 2)));
    ag_product_ref(&expected, 1, &spec);
    spec.kind = AG_PRODUCT_BF16;
    ag_product(&c, 1, &spec);
    assert_true(c == expected && c == ldexpf(1 + 0x1p-7f, -112 - 7));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_engines_are_the_definition),
        cmocka_unit_test(test_blocks_with_scales),
        cmocka_unit_test(test_threads_change_no_bit),
        cmocka_unit_test(test_error_bound),
        cmocka_unit_test(test_known_sums),
        cmocka_unit_test(test_smallest_exponent),
        cmocka_unit_test(test_guard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
