/* Singular values, against what numpy gives and against what they add up to. */
#include "kernels_support.h"

enum { MOST = 200 };

static double s_values[2][MOST];
static double *s_scratch;

static int make_scratch(void **state)
{
    (void)state;
    s_scratch = calloc(ag_singular_scratch(MOST, 3 * MOST), sizeof *s_scratch);
    return s_scratch == NULL;
}

static int free_scratch(void **state)
{
    (void)state;
    free(s_scratch);
    return 0;
}

/* Both are backward stable: an error of some eps times the largest value. How many grows with the
 * side, and differs from one release of LAPACK to the next. */
static void assert_values(const double *got, const double *expected, size_t count, const char *who)
{
    double bound = (100.0 + 4.0 * (double)count) * DBL_EPSILON * expected[0];
    for (size_t i = 0; i < count; i++) {
        if (!(fabs(got[i] - expected[i]) <= bound))
            fail_msg("%s: value %zu is %.17g, expected %.17g", who, i, got[i], expected[i]);
    }
}

static void check(const float *a, size_t M, size_t N, const double *expected)
{
    const ag_kernels *const tables[] = {plain, fast};
    for (int i = 0; i < 2; i++) {
        assert_true(tables[i]->singular_values(s_values[i], s_scratch, a, M, N));
        assert_values(s_values[i], expected, M < N ? M : N, tables[i]->name);
    }
}

/* numpy.linalg.svd(float64(float32(1) / float32(i + j + 1)), compute_uv=False), numpy 1.24.2 */
static void test_hilbert(void **state)
{
    (void)state;
    static const double tall[] = {1.4804850103388583, 0.15789788920840817, 0.0054287641475878837};
    static const double wide[] = {1.5724856477243148, 0.21164936162635001, 0.011697816021956043,
                                  0.00030212362436532735};
    float a[5 * 3];
    float b[4 * 7];
    for (size_t i = 0; i < 15; i++)
        a[i] = 1.0f / (float)(i / 3 + i % 3 + 1);
    for (size_t i = 0; i < 28; i++)
        b[i] = 1.0f / (float)(i / 7 + i % 7 + 1);
    check(a, 5, 3, tall);
    check(b, 4, 7, wide);
}

/* A Householder reflection of rows and of columns leaves the values of a diagonal matrix. */
static void test_known_by_construction(void **state)
{
    (void)state;
    static const double expected[] = {8.0, 4.0, 1.0, 0.0};
    static const float diagonal[] = {1.0f, 8.0f, 0.0f, 4.0f};
    float a[4 * 6] = {0};
    for (size_t i = 0; i < 4;
         i++) /* I - vv^T / 2 with v = (1, 1, 1, 1), signs, a shifted diagonal */
        for (size_t j = 0; j < 4; j++)
            a[i * 6 + j + 2] = ((i == j ? 1.0f : 0.0f) - 0.5f) * diagonal[j] * (j == 1 ? -1 : 1);
    check(a, 4, 6, expected);
    const float zero[12] = {0};
    static const double nothing[3];
    check(zero, 4, 3, nothing);
    const float one[] = {-3.0f};
    check(one, 1, 1, (const double[]){3.0});
}

/* Sum of squares = ||A||_F^2, and both versions agree, at every shape of side. */
static void test_random(void **state)
{
    (void)state;
    static const size_t sizes[][2] = {
        {1,   7  },
        {7,   1  },
        {13,  13 },
        {64,  200},
        {200, 65 },
        {197, 600}
    };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_t M = sizes[i][0];
        size_t N = sizes[i][1];
        size_t count = M < N ? M : N;
        float *a = normal(i + 1, M * N, 0.02f);
        double squares = 0.0;
        double sum = 0.0;
        for (size_t j = 0; j < M * N; j++)
            squares += (double)a[j] * (double)a[j];
        assert_true(plain->singular_values(s_values[0], s_scratch, a, M, N));
        check(a, M, N, s_values[0]);
        for (size_t j = 0; j < count; j++)
            sum += s_values[1][j] * s_values[1][j];
        assert_true(fabs(sum - squares) <= (double)(M * N) * DBL_EPSILON * squares);
        a[M * N / 2] = NAN;
        assert_false(plain->singular_values(s_values[0], s_scratch, a, M, N));
        assert_false(fast->singular_values(s_values[0], s_scratch, a, M, N));
        free(a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hilbert),
        cmocka_unit_test(test_known_by_construction),
        cmocka_unit_test(test_random),
    };
    if (ag_kernels_init() != AG_OK)
        return 3;
    return cmocka_run_group_tests(tests, make_scratch, free_scratch);
}
