/* What single kernels compute, against formulas in double: products, float functions, AdamW,
 * dropout, layer normalisation and cross-entropy at their edges. */
#include "kernels_support.h"

#include "float_maths.h"

/* --- the float functions, on every 997th float of their range */

static void test_float_exp(void **state)
{
    (void)state;
    double worst = 0;
    for (uint32_t bits = 1; bits < bits_of(88.37f); bits += 997) {
        float x = float_of(bits);
        double exact = exp((double)x);
        worst = fmax(worst, fabs((double)float_exp(x) / exact - 1));
        if (x < 87.33f)
            worst = fmax(worst, fabs((double)float_exp(-x) * exact - 1));
    }
    if (!(worst <= 1.2e-7))
        fail_msg("exp: relative error %g", worst);
    assert_true(float_exp(0) == 1 && float_exp(-88) == 0 && float_exp(-INFINITY) == 0);
    assert_true(isfinite(float_exp(INFINITY)));
    assert_true(isnan(float_exp(NAN)));
}

static void test_float_normal_tail(void **state)
{
    (void)state;
    double worst = 0;
    for (uint32_t bits = bits_of(1e-9f); bits < bits_of(13.2f); bits += 997) {
        double z = (double)float_of(bits);
        double exact = erfc(z / sqrt(2)) / 2 * exp(z * z / 2);
        worst = fmax(worst, fabs((double)float_normal_tail((float)z) / exact - 1));
    }
    if (!(worst <= 4.5e-7))
        fail_msg("normal tail: relative error %g", worst);
}

/* The absolute error of gelu and its slope: four roundings of numbers no larger than max(1, |x|),
 * and the functions' errors above. */
static void test_gelu_is_accurate(void **state)
{
    (void)state;
    const double bound = 4 * (double)FLT_EPSILON + 4.5e-7;
    for (int i = -14000; i <= 14000; i++) {
        float x = (float)i / 1000;
        float one = 1;
        float value;
        float slope;
        fast->gelu_forward(&value, &x, 1, false);
        fast->gelu_backward(&slope, &one, &x, 1, false);
        double phi = erfc(-(double)x / sqrt(2)) / 2;
        double density = exp(-(double)x * (double)x / 2) / sqrt(2 * acos(-1));
        assert_true(fabs((double)value - (double)x * phi) <= bound * fmax(1, fabs((double)x)));
        assert_true(fabs((double)slope - (phi + (double)x * density)) <= bound);
    }
}

/* --- optimizer */

static void test_adamw(void **state)
{
    (void)state;
    enum { COUNT = 37, STEPS = 10 };
    float *w = normal(1, COUNT, 1);
    float *m = floats(COUNT);
    float *v = floats(COUNT);
    double W[COUNT];
    double M[COUNT] = {0};
    double S[COUNT] = {0};
    for (size_t i = 0; i < COUNT; i++)
        W[i] = (double)w[i];
    const double lr = 0.01;
    for (int t = 1; t <= STEPS; t++) {
        float *grad = normal((uint64_t)t + 5, COUNT, 2);
        ag_adamw_step step = {.lr = 0.01f,
                              .beta1 = 0.9f,
                              .beta2 = 0.99f,
                              .fresh1 = 0.1f,
                              .fresh2 = 0.01f,
                              .eps = 1e-8f,
                              .decay = 0.001f,
                              .correction1 = (float)(1 - pow(0.9, t)),
                              .correction2 = (float)(1 - pow(0.99, t)),
                              .grad_scale = 0.5f};
        fast->adamw(w, m, v, grad, COUNT, &step);
        for (size_t i = 0; i < COUNT; i++) {
            double g = 0.5 * (double)grad[i];
            M[i] = 0.9 * M[i] + 0.1 * g;
            S[i] = 0.99 * S[i] + 0.01 * g * g;
            W[i] *= 1 - lr * 0.1;
            W[i] -= lr * (M[i] / (1 - pow(0.9, t))) / (sqrt(S[i] / (1 - pow(0.99, t))) + 1e-8);
        }
        free(grad);
    }
    /* a step moves a weight by lr at most a few times; its ten or so roundings err by 1e-5 of it,
     * where moments cancel to a tenth; w itself by half an ulp of a number below 4 */
    const double bound = STEPS * (4 * lr * 1e-5 + 2 * (double)FLT_EPSILON);
    for (size_t i = 0; i < COUNT; i++)
        assert_true(fabs((double)w[i] - W[i]) <= bound);
    free(w);
    free(m);
    free(v);
}

static void test_sum_squares(void **state)
{
    (void)state;
    enum { COUNT = 10007 };
    float *x = normal(1, COUNT, 1);
    double sum = 0;
    for (size_t i = 0; i < COUNT; i++)
        sum += (double)x[i] * (double)x[i];
    assert_true(fabs(fast->sum_squares(x, COUNT) - sum) <= COUNT * DBL_EPSILON * sum);
    assert_true(fast->sum_squares(x, 0) == 0);
    free(x);
}

/* --- dropout */

static void test_dropout(void **state)
{
    (void)state;
    enum { COUNT = 100000 };
    const float p = 0.2f;
    float *x = floats(COUNT);
    float *y = floats(COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        x[i] = 2;
        y[i] = 5;
    }
    fast->dropout(x, COUNT, p, 42, 3, 1, 0);
    fast->dropout(y, COUNT / 2, p, 42, 3, 1, 0); /* in two parts: the same mask */
    fast->dropout(y + COUNT / 2, COUNT / 2, p, 42, 3, 1, COUNT / 2);
    size_t dropped = 0;
    for (size_t i = 0; i < COUNT; i++) {
        dropped += x[i] == 0;
        assert_int_equal(x[i] == 0, y[i] == 0);
        assert_true(x[i] == 0 || x[i] == 2.5f);
    }
    /* five standard deviations of the binomial distribution */
    assert_true(fabs((double)dropped - COUNT * 0.2) <= 5 * sqrt(COUNT * 0.2 * 0.8));
    free(x);
    free(y);
}

/* The gradient through attention with dropout passes where, and only where, the forward did:
 * d out / d v is the dropped probability itself. */
static void test_attention_dropout_agrees(void **state)
{
    (void)state;
    enum { T = 12 };
    const ag_attention_shape shape = {.B = 1,
                                      .T = T,
                                      .H = 1,
                                      .K = 1,
                                      .D = 1,
                                      .scale = 1,
                                      .dropout = 0.5f,
                                      .key = 8,
                                      .place = 1,
                                      .step = 2,
                                      .first = 3};
    float qkv[3 * T] = {0}; /* q = k = 0: row t's probabilities are 1 / (t + 1) */
    float out[T];
    float probs[T * T];
    float dqkv[3 * T];
    float *scratch = floats(ag_attention_scratch(&shape));
    for (size_t s = 0; s < T; s++) {
        for (size_t i = 0; i < T; i++)
            qkv[3 * i + 2] = i == s ? 1 : 0;
        fast->attention_forward(out, probs, scratch, qkv, &shape);
        for (size_t t = 0; t < T; t++) {
            float dout[T] = {0};
            dout[t] = 1;
            fast->attention_backward(dqkv, scratch, dout, qkv, probs, &shape);
            assert_int_equal(bits_of(dqkv[3 * s + 2]), bits_of(out[t]));
            uint64_t index = (shape.first * T + t) * T + s;
            float kept = 1 / (float)(t + 1);
            plain->dropout(&kept, 1, 0.5f, 8, 1, 2, index);
            assert_true(fabsf(out[t] - (s <= t ? kept : 0)) <= 4 * FLT_EPSILON);
        }
    }
    free(scratch);
}

/* --- edges of layer normalisation and cross-entropy */

static void test_constant_rows(void **state)
{
    (void)state;
    enum { N = 3, C = 33 };
    static const float values[N] = {0, 0.5f, -3};
    float x[N * C];
    float out[N * C];
    float mean[N];
    float rstd[N];
    float weight[C];
    float bias[C];
    for (size_t c = 0; c < C; c++) {
        weight[c] = 2;
        bias[c] = (float)c;
        for (size_t n = 0; n < N; n++)
            x[n * C + c] = values[n];
    }
    fast->norm_forward(out, mean, rstd, x, &(ag_norm_form){weight, bias, 1e-5f, true}, N, C);
    for (size_t n = 0; n < N; n++) {
        assert_true(mean[n] == values[n]);
        assert_true(fabs((double)rstd[n] - 1 / sqrt(1e-5)) <= 4 * FLT_EPSILON / sqrt(1e-5));
        for (size_t c = 0; c < C; c++)
            assert_true(out[n * C + c] == (float)c);
    }
}

static void test_cross_entropy_of_large_logits(void **state)
{
    (void)state;
    enum { N = 3, V = 4, COUNT = N * V };
    float logits[COUNT] = {1e30f, 0, 0, 0, -1e30f, -1e30f, 0, -1e30f, 200, 100, 0, -100};
    static const int32_t targets[N] = {0, 2, 1};
    float losses[N];
    fast->cross_entropy(logits, losses, targets, N, V, 1);
    assert_true(losses[0] == 0 && losses[1] == 0 && losses[2] == 100);
    static const float expected[COUNT] = {0, 0, 0, 0, 0, 0, 0, 0, 1, -1, 0, 0};
    for (size_t i = 0; i < COUNT; i++)
        assert_true(logits[i] == expected[i]);
}

static void test_lapack_is_named(void **state)
{
    (void)state;
    assert_int_equal(ag_kernels_init(), AG_OK);
    assert_memory_equal(ag_kernels_lapack(), LAPACK, strlen(LAPACK));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_float_exp),
        cmocka_unit_test(test_float_normal_tail),
        cmocka_unit_test(test_gelu_is_accurate),
        cmocka_unit_test(test_adamw),
        cmocka_unit_test(test_sum_squares),
        cmocka_unit_test(test_dropout),
        cmocka_unit_test(test_attention_dropout_agrees),
        cmocka_unit_test(test_constant_rows),
        cmocka_unit_test(test_cross_entropy_of_large_logits),
        cmocka_unit_test(test_lapack_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
