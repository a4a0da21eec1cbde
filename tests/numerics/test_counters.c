/* Counters of a quantiser, against a count in double precision by search in the table of values. */
#include "support.h"

#include <math.h>

#include "base/philox.h"
#include "numerics/counters.h"
#include "table_search.h"

enum { N = 4096, RANDOM = 1024 };
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static value_table s_table;
static float s_x[N];
static float s_q[N];

static const ag_rounding_site s_site = {.key = 77, .place = 3, .use = 1, .step = 9};

static ag_scheme scheme_of(const char *name)
{
    ag_format format;
    assert_ok(ag_format_parse(&format, name));
    value_table_fill(&s_table, format.mantissa, format.bias, (size_t)format.max_code + 1);
    return ag_scheme_plain(&format);
}

/* Everything that a tensor can hold: no numbers, both zeros, subnormals, ties between neighbours of
 * the grid, and what lies at and beyond its end. */
static size_t make_input(float scale)
{
    static const uint32_t special[] = {0x7fc00000, 0xffc00001, 0x7f800000, 0xff800000, 0x80000000,
                                       0,          1,          0x80000001, 0x7f7fffff, 0x00800000};
    size_t count = 0;
    uint64_t generator = 5;
    for (size_t i = 0; i < COUNT(special); i++)
        s_x[count++] = float_of(special[i]);
    for (size_t code = 0; code < s_table.count && count < N - RANDOM; code += 1 + code / 64) {
        double tie = (s_table.value[code] + s_table.value[code + 1]) / 2.0 / (double)scale;
        s_x[count++] = (float)tie;
        s_x[count++] = -(float)(s_table.value[code] / (double)scale);
    }
    double last = s_table.value[s_table.count - 1];
    double end = (last + s_table.value[s_table.count]) / 2.0;
    const float edges[] = {(float)last, nextafterf((float)end, 0.0f), (float)end,
                           nextafterf((float)end, INFINITY), (float)(3.0 * end)};
    for (size_t i = 0; i < COUNT(edges); i++)
        s_x[count++] = -edges[i] / scale;
    while (count < N) {
        double u = (double)(ag_splitmix64(&generator) >> 40) * 0x1p-24 - 0.5;
        s_x[count++] = (float)(u * u * u * 12.0 * last / (double)scale);
    }
    return count;
}

typedef struct expected {
    int64_t zeros, underflow, saturated, infs, nans;
    double signal, noise, amax;
} expected;

/* The definitions, one element at a time, by the table. */
static expected count_slowly(size_t count, float scale)
{
    expected e = {0};
    for (size_t i = 0; i < count; i++) {
        double x = (double)s_x[i];
        e.nans += isnan(x);
        e.infs += isinf(x) != 0;
        if (fabs(x) > e.amax)
            e.amax = fabs(x);
        if (!isfinite(x))
            continue;
        double y = (double)(s_x[i] * scale);
        size_t code = value_table_nearest(&s_table, fabs(y));
        e.saturated += code == s_table.count;
        if (code == s_table.count)
            code--;
        double xq = copysign(s_table.value[code], y) * (double)(1.0f / scale);
        e.zeros += x == 0.0;
        e.underflow += x != 0.0 && code == 0;
        e.signal += x * x;
        e.noise += ((double)(float)xq - x) * ((double)(float)xq - x);
    }
    return e;
}

static void assert_near(double got, double want, double relative)
{
    if (!(fabs(got - want) <= relative * fabs(want)))
        fail_msg("got %.17g, expected %.17g", got, want);
}

static void check(const char *name, float scale)
{
    ag_scheme scheme = scheme_of(name);
    ag_counters counters;
    size_t count = make_input(scale);
    for (size_t i = 0; i < count; i++)
        s_q[i] = ag_round_nearest(&scheme.format, s_x[i] * scale, AG_OVERFLOW_SATURATE);
    ag_counters_reset(&counters);
    for (size_t at = 0; at < count; at += 1000) { /* in parts: the sums go on */
        size_t left = count - at;
        ag_counted part = {s_x + at, s_q + at, 1.0f / scale, left < 1000 ? left : 1000, scale, at};
        ag_counters_add(&counters, &part, &scheme, NULL);
    }
    ag_counters_add_scale(&counters, scale);

    expected e = count_slowly(count, scale);
    assert_int_equal(counters.n, count);
    assert_int_equal(counters.zeros_in, e.zeros);
    assert_int_equal(counters.underflow, e.underflow);
    assert_int_equal(counters.saturated, e.saturated);
    assert_int_equal(counters.inf_in, e.infs);
    assert_int_equal(counters.nan_in, e.nans);
    assert_true((double)counters.amax == e.amax);
    assert_true(e.zeros >= 3 && e.underflow > 0 && e.saturated > 2 && e.infs == 2 && e.nans == 2);
    assert_near(counters.signal, e.signal, 1e-15 * N);
    assert_near(counters.noise, e.noise, 1e-15 * N);
    assert_near(ag_counters_sqnr_db(&counters), 10.0 * log10(e.signal / e.noise), 1e-12);
    assert_near(ag_counters_log2_mean(&counters), log2((double)scale), 1e-14);
}

static void test_counters(void **state)
{
    (void)state;
    static const char *const names[] = {"e4m3", "e5m2", "e3m4", "e2m1", "e7m0", "int8", "int4"};
    static const float scales[] = {1.0f, 0.3f, 1024.0f, 7.77e-5f};
    for (size_t i = 0; i < COUNT(names); i++)
        for (size_t j = 0; j < COUNT(scales); j++)
            check(names[i], scales[j]);
}

/* Where overflow shows, as Inf, it is the saturated elements that do. */
static void test_saturation_under_stochastic_rounding(void **state)
{
    (void)state;
    ag_scheme scheme = scheme_of("e5m2");
    scheme.rounding = AG_ROUND_STOCHASTIC;
    scheme.overflow = AG_OVERFLOW_SPECIAL;
    int64_t overflowed = 0;
    for (size_t i = 0; i < N; i++) {
        s_x[i] = (57344.0f + 8192.0f * ((float)i + 0.5f) / N) * (i % 2 == 0 ? 0.5f : -0.5f);
        uint32_t random = ag_rounding_random(&s_site, 100 + i);
        s_q[i] = ag_round_stochastic(&scheme.format, s_x[i] * 2.0f, random, scheme.overflow);
        overflowed += isinf(s_q[i]) != 0;
    }
    ag_counters counters;
    ag_counters_reset(&counters);
    ag_counted all = {s_x, s_q, 0.5f, N, 2.0f, 100};
    ag_counters_add(&counters, &all, &scheme, &s_site);
    assert_int_equal(counters.saturated, overflowed);
    assert_true(overflowed > N / 2 - 150 && overflowed < N / 2 + 150); /* 8 sd of N/6 variance */
    assert_true(isinf(counters.noise));
    assert_true(ag_counters_sqnr_db(&counters) == -INFINITY);
}

static void test_edges(void **state)
{
    (void)state;
    ag_counters counters;
    ag_counters_reset(&counters);
    assert_true(isnan(ag_counters_sqnr_db(&counters)));
    assert_true(isnan(ag_counters_log2_mean(&counters)));
    const float scales[] = {0.0f, NAN, 0.125f, 4.0f, 0.5f};
    for (size_t i = 0; i < COUNT(scales); i++)
        ag_counters_add_scale(&counters, scales[i]);
    assert_int_equal(counters.groups, 5);
    assert_int_equal(counters.zero_scales, 1);
    assert_int_equal(counters.nan_scales, 1);
    assert_true(counters.log2_min == -3.0 && counters.log2_max == 2.0);
    assert_near(ag_counters_log2_mean(&counters), -2.0 / 3.0, 1e-15);
    for (int e = -149; e < 128; e++)
        assert_true(ag_log2(ldexp(1.0, e)) == (double)e);
    assert_near(ag_log2(10.0), 3.321928094887362, 1e-15);

    ag_scheme scheme = scheme_of("e4m3");
    const float exact[] = {1.0f, -2.0f};
    ag_counted all = {exact, exact, 1.0f, 2, 1.0f, 0};
    ag_counters_reset(&counters);
    ag_counters_add(&counters, &all, &scheme, NULL);
    assert_true(ag_counters_sqnr_db(&counters) == INFINITY);
}

/* The distance from a value to the next larger one, for every value of the format. */
static void test_spacing(void **state)
{
    (void)state;
    static const char *const names[] = {"e4m3", "e5m2", "e3m4", "e7m0", "int8", "e2m1", "e4m3fnuz"};
    for (size_t i = 0; i < COUNT(names); i++) {
        ag_scheme scheme = scheme_of(names[i]);
        for (size_t code = 0; code + 1 < s_table.count; code++) {
            double low = s_table.value[code];
            double high = s_table.value[code + 1];
            assert_true(ag_grid_spacing(&scheme.format, -(float)low) == high - low);
            assert_true(ag_grid_spacing(&scheme.format, nextafterf((float)high, 0)) == high - low);
        }
        double end = ag_grid_spacing(&scheme.format, scheme.format.max);
        assert_true(ag_grid_spacing(&scheme.format, INFINITY) == end);
        assert_true(isnan(ag_grid_spacing(&scheme.format, NAN)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counters),
        cmocka_unit_test(test_saturation_under_stochastic_rounding),
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_spacing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
