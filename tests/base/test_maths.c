/* base/maths against the C library's long double functions, whose own error is below 2^-11 ulp of
 * double where long double has 64 bits. */
#include "support.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "base/maths.h"
#include "base/philox.h"

typedef double function(double x);
typedef long double reference(long double x);

static double uniform(uint64_t *generator, double low, double high)
{
    return low + (high - low) * ((double)(ag_splitmix64(generator) >> 11) * 0x1p-53);
}

/* |value - exact| in ulp of `exact`, of the least normal number below that */
static double ulps(double value, long double exact)
{
    int exponent;
    frexpl(exact, &exponent);
    if (exponent < DBL_MIN_EXP)
        exponent = DBL_MIN_EXP;
    return (double)(fabsl((long double)value - exact) / ldexpl(1, exponent - DBL_MANT_DIG));
}

/* At 200,000 points of [low, high], and as many whose magnitudes spread over all of its octaves. */
static void check(const char *name, function *f, reference *exact, double range[2], double bound)
{
    uint64_t generator = 1;
    double worst = 0;
    double where = 0;
    for (int i = 0; i < 400000; i++) {
        double x = uniform(&generator, range[0], range[1]);
        if (i % 2 == 1)
            x *= pow(2, -uniform(&generator, 0, 40));
        double error = ulps(f(x), exact((long double)x));
        if (!(error <= worst)) {
            worst = error;
            where = x;
        }
    }
    if (!(worst <= bound))
        fail_msg("%s(%a): %g ulp, bound %g", name, where, worst, bound);
}

static void test_bounds(void **state)
{
    (void)state;
    if (LDBL_MANT_DIG < 64)
        skip(); /* no reference here */
    check("exp", ag_exp, expl, (double[]){-708, 709}, 1);
    check("exp", ag_exp, expl, (double[]){-745, 709.7}, 1);
    check("log", ag_ln, logl, (double[]){0, 2}, 1);
    check("log", ag_ln, logl, (double[]){0, 1e308}, 1);
    check("log", ag_ln, logl, (double[]){0, 0x1p-1022}, 1);
    check("sin", ag_sin, sinl, (double[]){-8, 8}, 1);
    check("sin", ag_sin, sinl, (double[]){-1e6, 1e6}, 1);
    check("cos", ag_cos, cosl, (double[]){-8, 8}, 1);
    check("cos", ag_cos, cosl, (double[]){-1e6, 1e6}, 1);
}

/* Where reduction cancels most: next to the multiples of pi / 2. */
static void test_multiples_of_half_pi(void **state)
{
    (void)state;
    if (LDBL_MANT_DIG < 64)
        skip();
    for (int k = 1; k < 636619; k += 7) {
        double x = (double)(k * acosl(0));
        assert_true(ulps(ag_sin(x), sinl((long double)x)) <= 1);
        assert_true(ulps(ag_cos(x), cosl((long double)x)) <= 1);
    }
}

static void test_pow_bound(void **state)
{
    (void)state;
    uint64_t generator = 2;
    for (int i = 0; i < 100000; i++) {
        double x = uniform(&generator, 0, i % 2 == 0 ? 1 : 100);
        double y = uniform(&generator, -50, 100);
        long double exact = powl((long double)x, (long double)y);
        if (exact < (long double)DBL_MIN || exact > (long double)DBL_MAX)
            continue;
        assert_true(ulps(ag_pow(x, y), exact) <= 2 + 2 * fabs(y * log(x)));
    }
    assert_true(ag_pow(0, 3) == 0 && ag_pow(7, 0) == 1 && ag_pow(1, 1e300) == 1);
}

static void test_special_values(void **state)
{
    (void)state;
    assert_true(ag_exp(0) == 1 && ag_exp(INFINITY) == INFINITY && ag_exp(-INFINITY) == 0);
    assert_true(ag_exp(710) == INFINITY && ag_exp(-746) == 0 && isnan(ag_exp(NAN)));
    assert_true(ag_ln(1) == 0 && ag_ln(0) == -INFINITY && ag_ln(INFINITY) == INFINITY);
    assert_true(isnan(ag_ln(-1)) && isnan(ag_ln(NAN)));
    assert_true(ag_sin(0) == 0 && ag_cos(0) == 1 && isnan(ag_sin(NAN)) && isnan(ag_cos(INFINITY)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_multiples_of_half_pi),
        cmocka_unit_test(test_pow_bound),
        cmocka_unit_test(test_special_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
