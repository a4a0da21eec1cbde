/* The optimizers' updates: fast as reference, and both as slow direct computations in double, which
 * find a weight's neighbours on the grid by search in the table of the format's values. */
#include "kernels_support.h"

#include "numerics/table_search.h"

static const char *const s_formats[] = {
    "e0m7f", "e1m6f",    "e2m5f",    "e3m4f", "e4m3f",    "e5m2f",       "e6m1f", "e7m0f",
    "e4m3",  "e5m2",     "e3m4ieee", "e2m1",  "e4m3fnuz", "e4m3b11fnuz", "int4",  "int8",
    "fp16",  "e8m3ieee", "bf16",     "e3m0",  "e2m12f",   "e3m2b40f",    "int2",  "e4m3b100f",
};
enum { FORMATS = sizeof s_formats / sizeof s_formats[0], COUNT = 999 };

static value_table s_table; /* large; of the format at hand */

static ag_format format_of(const char *name)
{
    ag_format format;
    assert_ok(ag_format_parse(&format, name));
    value_table_fill(&s_table, format.mantissa, format.bias, format.max_code + 1);
    return format;
}

/* Weights whose values times `scale` spread over all the format's codes, between them and past the
 * largest. */
static float *weights(uint64_t seed, size_t count, const ag_format *format, float scale)
{
    float *w = floats(count);
    for (size_t i = 0; i < count; i++) {
        size_t code = ag_splitmix64(&seed) % (format->max_code + 1);
        double low = s_table.value[code];
        double part = (double)uniform(&seed, 0, i % 7 == 0 ? 2 : 1);
        if (i % 5 < 3) /* a value of the format, or a tie */
            part = i % 5 == 0 ? 0.5 : 0;
        double y = low + part * (s_table.value[code + 1] - low);
        w[i] = (float)((i % 2 == 0 ? y : -y) / (double)scale);
    }
    return w;
}

/* The largest code whose value is at most y. */
static size_t code_below(double y)
{
    size_t code = 0;
    while (code + 1 < s_table.count && s_table.value[code + 1] <= y)
        code++;
    return code;
}

static double spacing_above(size_t code)
{
    return s_table.value[code + 1] - s_table.value[code];
}

/* --- sgd, as torch.optim.SGD has it: buf = momentum * buf + g, the first buf being g itself */

static void test_sgd(void **state)
{
    (void)state;
    enum { STEPS = 10 };
    float *w = normal(1, COUNT, 1);
    float *v = floats(COUNT);
    double W[COUNT];
    double buf[COUNT];
    for (size_t i = 0; i < COUNT; i++)
        W[i] = (double)w[i];
    for (uint64_t t = 0; t < STEPS; t++) {
        float *grad = normal(t + 5, COUNT, 2);
        ag_sgd_step step = {.lr = 0.05f, .momentum = 0.9f, .decay = 0.002f, .grad_scale = 0.5f};
        fast->sgd(w, v, grad, COUNT, &step);
        for (size_t i = 0; i < COUNT; i++) {
            double g = 0.5 * (double)grad[i];
            buf[i] = t == 0 ? g : 0.9 * buf[i] + g;
            W[i] *= 1 - 0.002;
            W[i] -= 0.05 * buf[i];
        }
        free(grad);
    }
    /* |v| < 64 with |g| < 6.4; each step's w errs by two roundings of a number below 32, and by
     * lr times the error of v, which is that of at most ten roundings of v and of 0.9 itself */
    const double bound = STEPS * (2 * 32 + 0.05 * 20 * 64) * (double)FLT_EPSILON;
    for (size_t i = 0; i < COUNT; i++)
        assert_true(fabs((double)w[i] - W[i]) <= bound);
    free(w);
    free(v);
}

/* --- manifold_adamw */

/* log2 of the spacing at y, and M */
static int binade(const ag_format *format, double y)
{
    return ilogb(spacing_above(code_below(y))) + format->mantissa;
}

static ag_spacing spacing_of(const ag_format *format, float scale, float amax)
{
    return (ag_spacing){.scale = scale,
                        .lowest = binade(format, 0),
                        .highest = binade(format, INFINITY),
                        .unit = ldexpf(1, -binade(format, (double)(amax * scale)))};
}

/* With beta1 = 0.5 and beta2 = 0 the first moments are half the gradient the optimizer saw, which
 * is exact: the factor is a power of two. */
static void check_spacing(const ag_kernels *k, const ag_format *format, float scale)
{
    float *w = weights(7, COUNT, format, scale);
    float *m = floats(COUNT);
    float *v = floats(COUNT);
    float *grad = normal(8, COUNT, 1);
    double largest = 0;
    for (size_t i = 0; i < COUNT; i++)
        largest = fmax(largest, fabs((double)(w[i] * scale)));
    double coarsest = spacing_above(code_below(largest));
    double *expected = calloc(COUNT, sizeof *expected);
    assert_non_null(expected);
    for (size_t i = 0; i < COUNT; i++) {
        double S = spacing_above(code_below(fabs((double)(w[i] * scale))));
        double factor = S / coarsest;
        assert_true(factor > 0 && factor <= 1);
        expected[i] = (double)(float)(0.5 * (double)grad[i] * factor);
    }
    ag_adamw_step step = {
        .lr = 0, .beta1 = 0.5f, .fresh1 = 0.5f, .fresh2 = 1, .eps = 1, .grad_scale = 1};
    step.correction1 = step.correction2 = 1;
    ag_spacing spacing = spacing_of(format, scale, k->amax(w, COUNT));
    k->manifold_adamw(w, m, v, grad, COUNT, &step, &spacing);
    for (size_t i = 0; i < COUNT; i++) {
        /* below 2^-126 the factor, the product with |g| < 8 and its half round, each by half an ulp
         */
        double error = fabs((double)m[i] - expected[i]);
        if (!(error <= (fabs(expected[i]) < 0x1p-125 ? 8 * 0x1p-149 : 0)))
            fail_msg("%s: w %a, g %a: m is %a, expected %a", format->name, (double)w[i],
                     (double)grad[i], (double)m[i], expected[i]);
    }
    free(w);
    free(m);
    free(v);
    free(grad);
    free(expected);
}

static void test_manifold_factor(void **state)
{
    (void)state;
    static const float scales[] = {1, 0x1p-6f, 5.3f};
    for (size_t i = 0; i < FORMATS; i++) {
        ag_format format = format_of(s_formats[i]);
        for (size_t j = 0; j < (format.exponent == 8 ? 1 : 3); j++) {
            check_spacing(plain, &format, scales[j]);
            check_spacing(fast, &format, scales[j]);
        }
    }
}

/* On a grid whose values all lie equally far apart the factor is 1. */
static void test_manifold_is_adamw_on_integers(void **state)
{
    (void)state;
    ag_format format = format_of("int8");
    float *a[3] = {weights(1, COUNT, &format, 3), floats(COUNT), floats(COUNT)};
    float *b[3] = {copy(a[0], COUNT), floats(COUNT), floats(COUNT)};
    ag_spacing spacing = spacing_of(&format, 3, plain->amax(a[0], COUNT));
    ag_adamw_step step = {.lr = 0.01f, .beta1 = 0.9f, .beta2 = 0.99f, .eps = 1e-8f};
    step.fresh1 = 0.1f;
    step.fresh2 = 0.01f;
    step.grad_scale = 0.3f;
    step.decay = 1e-3f;
    for (uint64_t t = 1; t < 4; t++) {
        float *grad = normal(t, COUNT, 1);
        step.correction1 = 1 - powf(0.9f, (float)t);
        step.correction2 = 1 - powf(0.99f, (float)t);
        fast->adamw(a[0], a[1], a[2], grad, COUNT, &step);
        fast->manifold_adamw(b[0], b[1], b[2], grad, COUNT, &step, &spacing);
        free(grad);
    }
    for (int i = 0; i < 3; i++) {
        assert_same_bits("manifold_adamw", b[i], a[i], COUNT);
        free(a[i]);
        free(b[i]);
    }
}

/* --- grid */

/* Where the definition puts a weight of nearest code `code`; all of it exact in double. */
static double slow_move(size_t code, bool negative, double velocity, uint32_t random,
                        const ag_grid_step *step)
{
    double to_zero = s_table.value[code] / spacing_above(code);
    double u = (double)step->rungs_per_velocity * velocity +
               (double)step->decay * (negative ? -to_zero : to_zero);
    double size = fmin(fabs(u), (double)step->rung_clip);
    double rungs = floor(size);
    rungs += floor((size - rungs) * 0x1p32) + (double)random >= 0x1p32 ? 1 : 0;
    double rung = (negative ? -(double)code : (double)code) - (u < 0 ? -rungs : rungs);
    double last = (double)s_table.count - 1;
    double value = s_table.value[(size_t)fmin(fabs(rung), last)] / (double)step->scale;
    return rung < 0 ? -value : value;
}

/* Numbers with few bits, so that float32 computes u without rounding. */
static float *few_bits(uint64_t seed, size_t count, float step)
{
    float *x = floats(count);
    for (size_t i = 0; i < count; i++)
        x[i] = step * (float)((int)(ag_splitmix64(&seed) % 129) - 64);
    return x;
}

static void check_grid(const ag_kernels *k, const ag_format *format, const ag_grid_step *step)
{
    ag_rounding_site where = {.key = 0x0123456789abcdef, .place = 66, .use = 2, .step = 9};
    float *w = weights(3, COUNT, format, step->scale);
    float *v = few_bits(4, COUNT, 0x1p-6f);
    float *grad = few_bits(5, COUNT, 0x1p-5f);
    float *before = copy(w, COUNT);
    double *expected = calloc(COUNT, sizeof *expected);
    assert_non_null(expected);
    for (size_t i = 0; i < COUNT; i++) {
        size_t code = value_table_nearest(&s_table, fabs((double)w[i]) * (double)step->scale);
        code = code < s_table.count ? code : s_table.count - 1;
        double velocity = (double)step->momentum * (double)v[i];
        velocity += (double)grad[i] * (double)step->grad_scale;
        expected[i] =
            slow_move(code, signbit(w[i]) != 0, velocity, ag_rounding_random(&where, i), step);
    }
    k->grid(w, v, grad, COUNT, step, &where);
    size_t moved = 0;
    for (size_t i = 0; i < COUNT; i++) {
        moved += w[i] != before[i];
        if ((double)w[i] != expected[i])
            fail_msg("%s: w %a, g %a goes to %a, expected %a", format->name, (double)before[i],
                     (double)grad[i], (double)w[i], expected[i]);
    }
    assert_true(moved > 0);
    free(w);
    free(v);
    free(grad);
    free(before);
    free(expected);
}

static void test_grid(void **state)
{
    (void)state;
    static const float clips[] = {1, 3, 1000};
    for (size_t i = 0; i < FORMATS; i++) {
        ag_format format = format_of(s_formats[i]);
        for (size_t j = 0; j < 3; j++) {
            ag_grid_step step = {.format = &format,
                                 .scale = format.exponent == 8 ? 1 : ldexpf(1, 3 - 4 * (int)j),
                                 .momentum = 0.5f,
                                 .grad_scale = 0.25f,
                                 .rungs_per_velocity = ldexpf(1, 3 * (int)j - 1),
                                 .decay = j == 0 ? 0 : 0x1p-8f,
                                 .rung_clip = clips[j]};
            check_grid(plain, &format, &step);
            check_grid(fast, &format, &step);
        }
    }
}

/* A step of a quarter of a rung moves a weight by one rung in a quarter of all cases: within five
 * standard deviations of the binomial distribution. */
static void test_grid_moves_by_the_mean(void **state)
{
    (void)state;
    enum { MANY = 100000 };
    const double each = MANY * 0.5; /* weights pushed down, and up */
    ag_format format = format_of("e4m3");
    ag_rounding_site where = {.key = 7, .use = 2};
    ag_grid_step step = {
        .format = &format, .scale = 2, .grad_scale = 1, .rungs_per_velocity = 0.5f, .rung_clip = 4};
    float *w = floats(MANY);
    float *v = floats(MANY);
    float *grad = floats(MANY);
    for (size_t i = 0; i < MANY; i++) {
        w[i] = 4.5f; /* 9 on the grid, where the spacing is 1 */
        grad[i] = i % 2 == 0 ? 0.5f : -0.5f;
    }
    fast->grid(w, v, grad, MANY, &step, &where);
    double down = 0;
    double up = 0;
    for (size_t i = 0; i < MANY; i++) {
        assert_true(w[i] == 4.5f || w[i] == (i % 2 == 0 ? 4.0f : 5.0f));
        down += w[i] == 4.0f;
        up += w[i] == 5.0f;
    }
    double deviation = sqrt(each * 0.25 * 0.75);
    assert_true(fabs(down - each * 0.25) <= 5 * deviation);
    assert_true(fabs(up - each * 0.25) <= 5 * deviation);
    free(w);
    free(v);
    free(grad);
}

/* --- lion */

/* A gradient of nothing moves nothing; else each weight moves by lr, whatever the size. */
static void test_lion_takes_the_sign(void **state)
{
    (void)state;
    static const ag_lion_step step = {.lr = 0.5f,
                                      .beta1 = 0.5f,
                                      .fresh1 = 0.5f,
                                      .beta2 = 0.75f,
                                      .fresh2 = 0.25f,
                                      .decay = 0.25f,
                                      .grad_scale = 2};
    /* the last two: momentum and gradient cancel, and the gradient alone decides */
    static const float grad[] = {1e-20f, -3, 0, -0.0f, 1, 4};
    static const float m[] = {0, 0, 0, 0, -2, -2};
    static const float w[] = {0.25f, 1.25f, 0.75f, 0.75f, 0.75f, 0.25f};
    static const float kept[] = {0.5f * 1e-20f, -1.5f, 0, 0, -1, 0.5f};
    const ag_kernels *both[] = {plain, fast};
    for (size_t i = 0; i < 2; i++) {
        float weights[6] = {1, 1, 1, 1, 1, 1};
        float momentum[6];
        memcpy(momentum, m, sizeof m);
        both[i]->lion(weights, momentum, grad, 6, &step);
        for (size_t j = 0; j < 6; j++) {
            assert_true(weights[j] == w[j]);
            assert_true(momentum[j] == kept[j]);
        }
    }
}

/* --- fast as reference */

/* Of plain and fast kernels: w, m and v, equal before. */
static void check_momenta(float *a[3], float *b[3], const float *grad, size_t count)
{
    ag_lion_step lion = {.lr = 0.01f, .beta1 = 0.9f, .beta2 = 0.99f, .decay = 1e-3f};
    lion.fresh1 = 0.1f;
    lion.fresh2 = 0.01f;
    lion.grad_scale = 0.7f;
    ag_momentum_step momentum = {0.95f, 0.05f, .nesterov = true, .grad_scale = 0.7f};
    plain->momentum(a[0], a[1], grad, count, &momentum);
    fast->momentum(b[0], b[1], grad, count, &momentum);
    assert_same_bits("what is made orthogonal", b[0], a[0], count);
    assert_same_bits("muon's momentum", b[1], a[1], count);
    plain->descend(a[0], grad, count, 0.03f, 1e-3f);
    fast->descend(b[0], grad, count, 0.03f, 1e-3f);
    assert_same_bits("descend", b[0], a[0], count);
    plain->lion(a[0], a[1], grad, count, &lion);
    fast->lion(b[0], b[1], grad, count, &lion);
    assert_same_bits("lion", b[0], a[0], count);
    assert_same_bits("lion's momentum", b[1], a[1], count);
}

static void check_stores(float *a[3], float *b[3], const float *grad, size_t count)
{
    ag_eco_step eco = {.factor = -3.5f, .correction2 = 0.0199f, .eps = 1e-8f};
    plain->kahan_step(a[0], a[1], grad, count, 1e-3f);
    fast->kahan_step(b[0], b[1], grad, count, 1e-3f);
    assert_same_bits("kahan's step", b[0], a[0], count);
    plain->kahan_keep(a[1], a[0], grad, count);
    fast->kahan_keep(b[1], b[0], grad, count);
    assert_same_bits("what kahan keeps", b[1], a[1], count);
    for (int with_v = 0; with_v < 2; with_v++) {
        plain->eco(a[1], with_v ? a[2] : NULL, grad, a[0], count, &eco);
        fast->eco(b[1], with_v ? b[2] : NULL, grad, b[0], count, &eco);
        assert_same_bits("eco", b[1], a[1], count);
    }
}

static void check_match(const ag_format *format, const float *w, const float *grad, size_t count)
{
    ag_rounding_site where = {.key = 99, .place = 3, .use = 2, .step = 5};
    ag_sgd_step sgd = {.lr = 0.03f, .momentum = 0.9f, .decay = 1e-3f, .grad_scale = 0.7f};
    ag_adamw_step adamw = {.lr = 1e-3f, .beta1 = 0.9f, .beta2 = 0.99f, .eps = 1e-8f};
    adamw.fresh1 = 0.1f;
    adamw.fresh2 = 0.01f;
    adamw.correction1 = 0.19f;
    adamw.correction2 = 0.0199f;
    adamw.grad_scale = 0.7f;
    ag_spacing spacing = spacing_of(format, 0.7f, plain->amax(w, count));
    ag_grid_step grid = {.format = format,
                         .scale = 4,
                         .momentum = 0.9f,
                         .grad_scale = 0.7f,
                         .rungs_per_velocity = 1.3f,
                         .decay = 0.01f,
                         .rung_clip = 10};
    float *a[3] = {copy(w, count), normal(1, count, 1), floats(count)};
    float *b[3] = {copy(w, count), copy(a[1], count), floats(count)};
    plain->sgd(a[0], a[1], grad, count, &sgd);
    fast->sgd(b[0], b[1], grad, count, &sgd);
    assert_same_bits("sgd", b[0], a[0], count);
    assert_same_bits("sgd's velocity", b[1], a[1], count);
    plain->manifold_adamw(a[0], a[1], a[2], grad, count, &adamw, &spacing);
    fast->manifold_adamw(b[0], b[1], b[2], grad, count, &adamw, &spacing);
    for (int i = 0; i < 3; i++)
        assert_same_bits("manifold_adamw", b[i], a[i], count);
    check_momenta(a, b, grad, count);
    check_stores(a, b, grad, count);
    memcpy(a[0], w, count * sizeof *w);
    memcpy(b[0], w, count * sizeof *w);
    plain->grid(a[0], a[1], grad, count, &grid, &where);
    fast->grid(b[0], b[1], grad, count, &grid, &where);
    assert_same_bits("grid", b[0], a[0], count);
    assert_same_bits("grid's velocity", b[1], a[1], count);
    for (int i = 0; i < 3; i++) {
        free(a[i]);
        free(b[i]);
    }
}

static void test_fast_is_reference(void **state)
{
    (void)state;
    static const size_t counts[] = {0, 1, 3, 63, 64, 65, 999, 40001}; /* the last: three pieces */
    for (size_t i = 0; i < FORMATS; i++) {
        ag_format format = format_of(s_formats[i]);
        for (size_t j = 0; j < sizeof counts / sizeof counts[0]; j++) {
            float *w[2] = {weights(j, counts[j], &format, 1), any_bits(j, counts[j])};
            float *grad[2] = {normal(j + 9, counts[j], 1), any_bits(j + 9, counts[j])};
            for (int k = 0; k < 4; k++)
                check_match(&format, w[k / 2], grad[k % 2], counts[j]);
            for (int k = 0; k < 2; k++) {
                free(w[k]);
                free(grad[k]);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sgd),
        cmocka_unit_test(test_manifold_factor),
        cmocka_unit_test(test_manifold_is_adamw_on_integers),
        cmocka_unit_test(test_grid),
        cmocka_unit_test(test_grid_moves_by_the_mean),
        cmocka_unit_test(test_lion_takes_the_sign),
        cmocka_unit_test(test_fast_is_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
