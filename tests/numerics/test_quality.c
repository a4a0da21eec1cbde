/* What the quantiser loses, against a search in the table of values, and formats that must agree.
 */
#include "support.h"

#include <math.h>
#include <stdlib.h>

#include "base/philox.h"
#include "numerics/quantize.h"
#include "table_search.h"

enum { N = 1 << 20 };
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static float s_normal[N];
static float s_laplace[N];
static float s_student[N];   /* 3 degrees of freedom */
static float s_lognormal[N]; /* a random sign times exp(3 z) */
static float s_quantised[N];
static value_table s_table;

static double uniform(uint64_t *generator)
{
    uint64_t word = ag_splitmix64(generator);
    return (ag_uniform53((uint32_t)(word >> 32), (uint32_t)word) * 0x1p53 + 0.5) * 0x1p-53;
}

static double normal(uint64_t *generator)
{
    double radius = sqrt(-2.0 * log(uniform(generator)));
    return radius * cos(6.283185307179586 * uniform(generator));
}

static double student3(uint64_t *generator)
{
    double squares = 0.0;
    double z = normal(generator);
    for (int i = 0; i < 3; i++) {
        double other = normal(generator);
        squares += other * other;
    }
    return z / sqrt(squares / 3.0);
}

static int make_samples(void **state)
{
    (void)state;
    uint64_t generator = 42;
    for (size_t i = 0; i < N; i++) {
        s_normal[i] = (float)normal(&generator);
        double u = uniform(&generator) - 0.5;
        s_laplace[i] = (float)(copysign(1.0, u) * -log(1.0 - 2.0 * fabs(u)));
        s_student[i] = (float)student3(&generator);
        double magnitude = exp(3.0 * normal(&generator));
        s_lognormal[i] = (float)copysign(magnitude, uniform(&generator) - 0.5);
    }
    return 0;
}

static ag_scheme plain(const char *name)
{
    ag_format format;
    assert_ok(ag_format_parse(&format, name));
    return ag_scheme_plain(&format);
}

static void quantize(float *out, const float *x, const ag_scheme *scheme)
{
    float scale = ag_scale_from_amax(&scheme->format, ag_amax(x, N), 0, false, 1.0f);
    ag_fake_quantize(out, x, N, scheme, scale, NULL, 0);
}

static double sqnr_db(const float *x, const float *quantised)
{
    double signal = 0.0;
    double noise = 0.0;
    for (size_t i = 0; i < N; i++) {
        double error = (double)x[i] - (double)quantised[i];
        signal += (double)x[i] * (double)x[i];
        noise += error * error;
    }
    return 10.0 * log10(signal / noise);
}

/* The same by table search; only the scale is a float32, as it is by definition. `bound` is how far
 * the quantiser may lie from it: fl(x * S), fl(1 / S) and fl(q * fl(1 / S)) are each off by up to
 * 2^-24 and so move an error e of a value v by up to 3 * 2^-24 |v|, the noise by 6 * 2^-24 |e v|.
 */
static double sqnr_by_search_db(const float *x, double *bound)
{
    double amax = 0.0;
    for (size_t i = 0; i < N; i++)
        amax = fmax(amax, fabs((double)x[i]));
    double scale = (float)s_table.value[s_table.count - 1] / (float)amax;
    double signal = 0.0;
    double noise = 0.0;
    double moved = 0.0;
    for (size_t i = 0; i < N; i++) {
        size_t code = value_table_nearest(&s_table, fabs((double)x[i]) * scale);
        if (code == s_table.count)
            code--;
        double error = fabs((double)x[i]) - s_table.value[code] / scale;
        signal += (double)x[i] * (double)x[i];
        noise += error * error;
        moved += 6 * 0x1p-24 * fabs(error * (double)x[i]);
    }
    *bound = 10.0 / log(10.0) * moved / noise;
    return 10.0 * log10(signal / noise);
}

/* Over many samples of like size those errors cancel; a few samples carry the sums of the two
 * distributions with heavy tails, so that there the bound itself stands. */
static const double s_tolerance_db = 1e-6;

static double check_sqnr(const float *x, const ag_scheme *scheme, bool heavy_tail)
{
    double bound;
    quantize(s_quantised, x, scheme);
    double sqnr = sqnr_db(x, s_quantised);
    double difference = fabs(sqnr - sqnr_by_search_db(x, &bound));
    assert_true(difference < (heavy_tail ? bound : s_tolerance_db));
    return sqnr;
}

static void test_sqnr_of_scaled_samples(void **state)
{
    (void)state;
    /* `normal` and `laplace` for orientation: other samples of the same distributions, to 0.3 dB
     * where the result does not hang on the one largest sample */
    static const struct {
        const char *name;
        int mantissa, bias;
        size_t codes;
        double normal, laplace;
    } cases[] = {
        {"e0m7f",    7, 1,  128, 0,    0   },
        {"e2m5f",    5, 1,  128, 0,    0   },
        {"e3m4f",    4, 3,  128, 37.6, 37.5},
        {"e3m4ieee", 4, 3,  112, 0,    0   },
        {"e4m3fn",   3, 7,  127, 31.6, 31.5},
        {"e5m2ieee", 2, 15, 124, 0,    0   },
        {"e6m1f",    1, 31, 128, 0,    0   },
        {"e7m0f",    0, 63, 128, 0,    0   },
        {"e2m3f",    3, 1,  32,  0,    0   },
        {"e2m1f",    1, 1,  8,   0,    0   },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        ag_scheme scheme = plain(cases[i].name);
        value_table_fill(&s_table, cases[i].mantissa, cases[i].bias, cases[i].codes);
        double of_normal = check_sqnr(s_normal, &scheme, false);
        double of_laplace = check_sqnr(s_laplace, &scheme, false);
        check_sqnr(s_student, &scheme, true);
        check_sqnr(s_lognormal, &scheme, true);
        if (cases[i].normal > 0) {
            assert_true(fabs(of_normal - cases[i].normal) < 0.3);
            assert_true(fabs(of_laplace - cases[i].laplace) < 0.3);
        }
    }
}

/* With unit steps, E0M7, E1M6 and symmetric INT8 are the same 255 values. */
static void test_formats_that_are_one(void **state)
{
    (void)state;
    static float other[N];
    static const char *const same[][3] = {
        {"e0m7f", "e1m6f", "int8"},
        {"e0m3f", "e1m2f", "int4"},
    };
    for (size_t i = 0; i < COUNT(same); i++) {
        ag_scheme scheme = plain(same[i][0]);
        quantize(s_quantised, s_laplace, &scheme);
        for (size_t k = 1; k < 3; k++) {
            scheme = plain(same[i][k]);
            quantize(other, s_laplace, &scheme);
            assert_memory_equal(other, s_quantised, sizeof other);
        }
    }
}

/* Sample i takes word i of the stream, wherever the piece that holds it begins. */
static void test_pieces_round_like_the_whole(void **state)
{
    (void)state;
    static float pieces[N];
    ag_rounding_site site = {.key = 99, .place = 130, .use = 129, .step = 4000000000u};
    ag_scheme scheme = plain("e3m4");
    scheme.rounding = AG_ROUND_STOCHASTIC;
    ag_fake_quantize(s_quantised, s_normal, N, &scheme, 7.5f, &site, 0);
    memcpy(pieces, s_normal, sizeof pieces);
    for (size_t at = 0; at < N;) {
        size_t count = at + 4099 < N ? 4099 : N - at;
        ag_fake_quantize(pieces + at, pieces + at, count, &scheme, 7.5f, &site, at);
        at += count;
    }
    assert_memory_equal(pieces, s_quantised, sizeof pieces);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sqnr_of_scaled_samples),
        cmocka_unit_test(test_formats_that_are_one),
        cmocka_unit_test(test_pieces_round_like_the_whole),
    };
    return cmocka_run_group_tests(tests, make_samples, NULL);
}
