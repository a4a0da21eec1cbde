/* Every backward kernel against central differences of a forward pass in double precision, written
 * here from the formulas alone. With step h the difference quotient of f = sum(weights * out) errs
 * by about h^2 f'''/6 + 2^-53 |f| / h, below 1e-8 of the sum's terms at h = 1e-4; what is left is
 * the float32 rounding of the kernel: each gradient is a sum of at most TERMS products of numbers
 * that went through fewer than 16 roundings, so it errs by (TERMS + 16) FLT_EPSILON times the sum
 * of the products' magnitudes, for which the largest gradient of the tensor stands, times 4. */
#include "kernels_support.h"

enum { TERMS = 40, MOST = 4096 };

/* out of a layer from its `count` parameters, all in double */
typedef void forward(double *out, const double *parameters, const void *sizes);

/* A layer with its parameters; what is differentiated is sum(weights * out). */
typedef struct problem {
    const char *what;
    forward *layer;
    const void *sizes;
    double *parameters;
    const float *weights;
    size_t outputs;
} problem;

static double weighted(const problem *p)
{
    static double out[MOST];
    p->layer(out, p->parameters, p->sizes);
    double sum = 0;
    for (size_t i = 0; i < p->outputs; i++)
        sum += out[i] * (double)p->weights[i];
    return sum;
}

/* Holds `gradient` [count] against that of parameters `from` and following. */
static void check_gradient(const problem *p, const float *gradient, size_t from, size_t count)
{
    const double h = 1e-4;
    double *expected = calloc(count, sizeof *expected);
    assert_non_null(expected);
    double largest = 0;
    for (size_t i = 0; i < count; i++) {
        double *parameter = &p->parameters[from + i];
        double middle = *parameter;
        *parameter = middle + h;
        double above = weighted(p);
        *parameter = middle - h;
        double below = weighted(p);
        *parameter = middle;
        expected[i] = (above - below) / (2 * h);
        largest = fmax(largest, fabs(expected[i]));
    }
    const double bound = 4 * (TERMS + 16) * (double)FLT_EPSILON * largest;
    for (size_t i = 0; i < count; i++)
        if (!(fabs((double)gradient[i] - expected[i]) <= bound))
            fail_msg("%s: gradient %zu is %g, expected %g +- %g", p->what, from + i,
                     (double)gradient[i], expected[i], bound);
    assert_true(largest > 0);
    free(expected);
}

static void append(double *parameters, const float *x, size_t count)
{
    for (size_t i = 0; i < count; i++)
        parameters[i] = (double)x[i];
}

/* --- GELU */

static void gelu_exact(double *out, const double *x, const void *sizes)
{
    for (size_t i = 0; i < *(const size_t *)sizes; i++)
        out[i] = x[i] * 0.5 * erfc(-x[i] / sqrt(2));
}

static void gelu_tanh(double *out, const double *x, const void *sizes)
{
    for (size_t i = 0; i < *(const size_t *)sizes; i++)
        out[i] = 0.5 * x[i] * (1 + tanh(sqrt(2 / acos(-1)) * (x[i] + 0.044715 * pow(x[i], 3))));
}

static void test_gelu(void **state)
{
    (void)state;
    const size_t count = 301;
    float *x = normal(1, count, 2);
    float *weights = normal(2, count, 1);
    float *dx = floats(count);
    double parameters[301];
    append(parameters, x, count);
    for (int tanh_form = 0; tanh_form < 2; tanh_form++) {
        plain->gelu_backward(dx, weights, x, count, tanh_form);
        check_gradient(&(problem){"gelu", tanh_form ? gelu_tanh : gelu_exact, &count, parameters,
                                  weights, count},
                       dx, 0, count);
    }
    free(x);
    free(weights);
    free(dx);
}

/* --- relu2, swiglu: gate [count], up [count] */

static void relu2(double *out, const double *x, const void *sizes)
{
    for (size_t i = 0; i < *(const size_t *)sizes; i++)
        out[i] = x[i] > 0 ? x[i] * x[i] : 0;
}

static void swiglu(double *out, const double *x, const void *sizes)
{
    const size_t count = *(const size_t *)sizes;
    for (size_t i = 0; i < count; i++)
        out[i] = x[i] / (1 + exp(-x[i])) * x[count + i];
}

static void test_mlp_functions(void **state)
{
    (void)state;
    enum { COUNT = 301 };
    const size_t count = COUNT;
    float *x = normal(1, 2 * count, 2);
    float *weights = normal(2, count, 1);
    float *dx = floats(2 * count);
    float *out = floats(count);
    double expected[COUNT];
    double parameters[2 * COUNT];
    append(parameters, x, 2 * count);
    plain->relu2_backward(dx, weights, x, count);
    check_gradient(&(problem){"relu2", relu2, &count, parameters, weights, count}, dx, 0, count);
    memcpy(dx + count, weights, count * sizeof *dx);
    const ag_gated in = {x, x + count, count};
    const ag_gated d = {dx, dx + count, count};
    plain->swiglu_forward(out, &in, 1, count);
    plain->swiglu_backward(&d, d.up, &in, 1, count);
    check_gradient(&(problem){"swiglu", swiglu, &count, parameters, weights, count}, dx, 0,
                   2 * count);
    swiglu(expected, parameters, &count);
    for (size_t i = 0; i < count; i++)
        assert_true(fabs((double)out[i] - expected[i]) <= 16 * FLT_EPSILON);
    free(x);
    free(weights);
    free(dx);
    free(out);
}

/* --- norms: x [N, C], weight [C], bias [C] */

typedef struct norm_sizes {
    size_t N, C;
    bool centred, affine;
} norm_sizes;

static void norm(double *out, const double *x, const void *sizes)
{
    const norm_sizes s = *(const norm_sizes *)sizes;
    const double *weight = x + s.N * s.C;
    const double *bias = weight + s.C;
    for (size_t n = 0; n < s.N; n++) {
        const double *row = x + n * s.C;
        double mean = 0;
        double variance = 0;
        for (size_t c = 0; c < s.C && s.centred; c++)
            mean += row[c] / (double)s.C;
        for (size_t c = 0; c < s.C; c++)
            variance += pow(row[c] - mean, 2) / (double)s.C;
        for (size_t c = 0; c < s.C; c++) {
            double y = (row[c] - mean) / sqrt(variance + 1e-5);
            out[n * s.C + c] = s.affine ? y * weight[c] + bias[c] : y;
        }
    }
}

static void check_norm(size_t N, size_t C, bool centred, bool affine)
{
    const norm_sizes sizes = {N, C, centred, affine};
    float *x = normal(1, N * C + 2 * C, 1.5f);
    float *weights = normal(2, N * C, 1);
    float *out = floats(N * C);
    float *mean = floats(N);
    float *rstd = floats(N);
    float *grads = floats(N * C + 2 * C);
    const ag_norm_form form = {affine ? x + N * C : NULL, affine ? x + N * C + C : NULL, 1e-5f,
                               centred};
    const ag_norm_grads to = {grads, affine ? grads + N * C : NULL,
                              affine ? grads + N * C + C : NULL};
    plain->norm_forward(out, mean, rstd, x, &form, N, C);
    plain->norm_backward(&to, weights, x, &form, mean, rstd, N, C);
    double *parameters = calloc(N * C + 2 * C, sizeof *parameters);
    append(parameters, x, N * C + 2 * C);
    const problem p = {"norm", norm, &sizes, parameters, weights, N * C};
    check_gradient(&p, grads, 0, N * C);
    if (affine) {
        check_gradient(&p, grads + N * C, N * C, C);
        check_gradient(&p, grads + N * C + C, N * C + C, C);
    }
    free(x);
    free(weights);
    free(out);
    free(mean);
    free(rstd);
    free(grads);
    free(parameters);
}

static void test_norms(void **state)
{
    (void)state;
    for (int form = 0; form < 4; form++) {
        check_norm(3, 7, form % 2 == 0, form < 2);
        check_norm(5, 16, form % 2 == 0, form < 2);
        check_norm(2, 37, form % 2 == 0, form < 2);
    }
}

/* --- attention: qkv [T, W] of each sequence */

static void attend(double *out, const double *qkv, const ag_attention_shape *s, size_t h, size_t t)
{
    const size_t D = s->D;
    const size_t W = ag_attention_width(s);
    const size_t shared = h / (s->H / s->K);
    const double *q = qkv + t * W + h * D;
    double weight[64];
    double total = 0;
    for (size_t i = 0; i <= t; i++) {
        const double *k = qkv + i * W + (s->H + shared) * D;
        double score = 0;
        for (size_t d = 0; d < D; d++)
            score += q[d] * k[d];
        score *= (double)s->scale;
        weight[i] = exp(s->cap > 0 ? (double)s->cap * tanh(score / (double)s->cap) : score);
        total += weight[i];
    }
    for (size_t d = 0; d < D; d++) {
        double sum = 0;
        for (size_t i = 0; i <= t; i++)
            sum += weight[i] / total * qkv[i * W + (s->H + s->K + shared) * D + d];
        out[(t * s->H + h) * D + d] = sum;
    }
}

static void attention(double *out, const double *qkv, const void *sizes)
{
    const ag_attention_shape *s = sizes;
    for (size_t b = 0; b < s->B; b++)
        for (size_t h = 0; h < s->H; h++)
            for (size_t t = 0; t < s->T; t++)
                attend(out + b * s->T * s->H * s->D, qkv + b * s->T * ag_attention_width(s), s, h,
                       t);
}

static void check_attention(const ag_attention_shape *shape)
{
    size_t N = shape->B * shape->T;
    size_t count = N * shape->H * shape->D;
    size_t wide = N * ag_attention_width(shape);
    float *qkv = normal(1, wide, 1);
    float *weights = normal(2, count, 1);
    float *out = floats(count);
    float *probs = floats(N * shape->H * shape->T);
    float *scratch = floats(ag_attention_scratch(shape));
    float *dqkv = floats(wide);
    double *parameters = calloc(wide, sizeof *parameters);
    append(parameters, qkv, wide);
    fast->attention_forward(out, probs, scratch, qkv, shape);
    fast->attention_backward(dqkv, scratch, weights, qkv, probs, shape);

    static double expected[MOST];
    attention(expected, parameters, shape);
    const double terms = (double)(shape->T + shape->H * shape->D);
    for (size_t i = 0; i < count; i++)
        assert_true(fabs((double)out[i] - expected[i]) <= 4 * terms * FLT_EPSILON);
    check_gradient(&(problem){"attention", attention, shape, parameters, weights, count}, dqkv, 0,
                   wide);
    free(qkv);
    free(weights);
    free(out);
    free(probs);
    free(scratch);
    free(dqkv);
    free(parameters);
}

static void test_attention(void **state)
{
    (void)state;
    static const ag_attention_shape shapes[] = {
        {.B = 1, .T = 1,  .H = 1, .K = 1, .D = 2,  .scale = 0.7f,  .cap = 0   },
        {.B = 2, .T = 5,  .H = 2, .K = 2, .D = 3,  .scale = 0.6f,  .cap = 0   },
        {.B = 1, .T = 19, .H = 1, .K = 1, .D = 17, .scale = 0.25f, .cap = 0   },
        {.B = 1, .T = 16, .H = 2, .K = 2, .D = 16, .scale = 0.25f, .cap = 0   },
        {.B = 2, .T = 6,  .H = 4, .K = 2, .D = 3,  .scale = 0.6f,  .cap = 0   },
        {.B = 1, .T = 9,  .H = 3, .K = 1, .D = 4,  .scale = 0.4f,  .cap = 0   },
        {.B = 2, .T = 6,  .H = 4, .K = 2, .D = 3,  .scale = 0.6f,  .cap = 1.5f},
        {.B = 1, .T = 19, .H = 2, .K = 2, .D = 8,  .scale = 0.4f,  .cap = 0.5f},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        check_attention(&shapes[i]);
}

/* --- logits' scale and cap, and z_loss: y [N, V], out the objectives */

typedef struct logits_sizes {
    size_t N, V;
    const int32_t *targets;
    ag_logits_form form;
} logits_sizes;

static void objective(double *out, const double *y, const void *sizes)
{
    const logits_sizes s = *(const logits_sizes *)sizes;
    const double cap = (double)s.form.cap;
    for (size_t n = 0; n < s.N; n++) {
        double sum = 0;
        double target = 0;
        for (size_t v = 0; v < s.V; v++) {
            double z = (double)s.form.scale * y[n * s.V + v];
            z = cap > 0 ? cap * tanh(z / cap) : z;
            sum += exp(z);
            target = v == (size_t)s.targets[n] ? z : target;
        }
        out[n] = log(sum) - target + (double)s.form.z_loss * pow(log(sum), 2);
    }
}

static void test_logits(void **state)
{
    (void)state;
    enum { N = 7, V = 31, COUNT = N * V };
    static const ag_logits_form forms[] = {
        {1.5f, 0, 0    },
        {1,    2, 0    },
        {1,    0, 0.25f},
        {0.5f, 3, 0.1f }
    };
    int32_t *targets = whole(1, N, V);
    float weights[N];
    for (size_t n = 0; n < N; n++)
        weights[n] = 0.3f;
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        const logits_sizes sizes = {N, V, targets, forms[i]};
        float *logits = normal(2, COUNT, 2);
        double parameters[COUNT];
        append(parameters, logits, COUNT);
        fast->logits_forward(logits, COUNT, &forms[i]);
        fast->logits_backward(logits, targets, N, V, 0.3f, &forms[i]);
        check_gradient(&(problem){"logits", objective, &sizes, parameters, weights, N}, logits, 0,
                       COUNT);
        free(logits);
    }
    free(targets);
}

/* --- cross-entropy: logits [N, V], out the losses */

typedef struct loss_sizes {
    size_t N, V;
    const int32_t *targets;
} loss_sizes;

static void cross_entropy(double *out, const double *logits, const void *sizes)
{
    const loss_sizes s = *(const loss_sizes *)sizes;
    for (size_t n = 0; n < s.N; n++) {
        double sum = 0;
        for (size_t v = 0; v < s.V; v++)
            sum += exp(logits[n * s.V + v]);
        out[n] = log(sum) - logits[n * s.V + (size_t)s.targets[n]];
    }
}

static void test_cross_entropy(void **state)
{
    (void)state;
    enum { N = 7, V = 31, COUNT = N * V };
    int32_t *targets = whole(1, N, V);
    const loss_sizes sizes = {N, V, targets};
    float *logits = normal(2, COUNT, 2);
    double parameters[COUNT];
    append(parameters, logits, COUNT);
    float weights[N];
    float losses[N];
    double expected[N];
    cross_entropy(expected, parameters, &sizes);
    for (size_t n = 0; n < N; n++)
        weights[n] = 0.3f;
    fast->cross_entropy(logits, losses, targets, N, V, 0.3f);
    for (size_t n = 0; n < N; n++)
        assert_true(fabs((double)losses[n] - expected[n]) <= (V + 4) * FLT_EPSILON * 2);
    check_gradient(&(problem){"cross entropy", cross_entropy, &sizes, parameters, weights, N},
                   logits, 0, COUNT);
    free(targets);
    free(logits);
}

/* --- embedding and bias: linear, so the gradient is a sum that can be written down */

static void test_embedding_and_bias(void **state)
{
    (void)state;
    enum { B = 3, T = 4, C = 5, V = 6, N = B * T, COUNT = N * C };
    static const int32_t tokens[N] = {0, 1, 2, 2, 5, 5, 5, 0, 1, 0, 2, 5};
    float *dx = normal(1, COUNT, 1);
    float dwte[V * C] = {0};
    float dwpe[T * C] = {0};
    float dbias[C] = {0};
    plain->embedding_backward(dwte, dwpe, dx, tokens, B, T, C);
    plain->bias_backward(dbias, dx, N, C);
    for (size_t c = 0; c < C; c++) {
        double token[V] = {0};
        double position[T] = {0};
        double bias = 0;
        for (size_t n = 0; n < N; n++) {
            token[tokens[n]] += (double)dx[n * C + c];
            position[n % T] += (double)dx[n * C + c];
            bias += (double)dx[n * C + c];
        }
        const double bound = 12 * 12 * (double)FLT_EPSILON; /* 12 terms below 12 in all */
        for (size_t v = 0; v < V; v++)
            assert_true(fabs((double)dwte[v * C + c] - token[v]) <= bound);
        for (size_t t = 0; t < T; t++)
            assert_true(fabs((double)dwpe[t * C + c] - position[t]) <= bound);
        assert_true(fabs((double)dbias[c] - bias) <= bound);
    }
    free(dx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gelu),
        cmocka_unit_test(test_mlp_functions),
        cmocka_unit_test(test_norms),
        cmocka_unit_test(test_logits),
        cmocka_unit_test(test_attention),
        cmocka_unit_test(test_cross_entropy),
        cmocka_unit_test(test_embedding_and_bias),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
