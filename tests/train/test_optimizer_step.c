/* A step of each optimizer against its definition, computed in double. The updates of single
 * tensors are tested with the kernels. */
#include "optimizer_run.h"

#include "numerics/recipe.h"
#include "numerics/table_search.h"

static tiny s_a; /* large */
static value_table s_table;

static struct {
    float w[8192], m[8192], v[8192];
} s_before;

/* Two steps, and what the second one found. */
static void two_steps(tiny *t)
{
    ag_train_state *s = &t->trainer.state;
    tiny_start(t);
    ag_trainer_step(&t->trainer);
    assert_true(s->tensors.total <= 8192);
    memcpy(s_before.w, s->weights, s->tensors.total * sizeof(float));
    memcpy(s_before.m, s->m, s->tensors.total * sizeof(float));
    memcpy(s_before.v, s->v, s->n_v * sizeof(float));
    ag_trainer_step(&t->trainer);
}

static double grad_of(const tiny *t, size_t i)
{
    double norm =
        ag_grad_norm(t->trainer.model.grads, t->trainer.state.tensors.total, &ag_kernels_plain);
    return (double)t->trainer.model.grads[i] * fmin(1.0, 1.0 / (norm + 1e-6));
}

static void assert_close(const char *name, double actual, double expected, double size)
{
    if (!(fabs(actual - expected) <= size * 0x1p-21)) /* a handful of roundings of 2^-24 */
        fail_msg("%s: %.9g, expected %.9g", name, actual, expected);
}

/* SGD's second step in double; decay on matrices alone, and by the learning rate as it is. */
static void check_sgd(const tiny *t, const ag_tensor *tensor, double factor)
{
    double lr = 0.0625 * factor;
    const ag_train_state *s = &t->trainer.state;
    double decay = tensor->n_dims == 2 ? 0.0625 * 0.25 : 0.0;
    for (size_t i = tensor->offset; i < tensor->offset + tensor->count; i++) {
        double w = (double)s_before.w[i];
        double velocity = 0.5 * (double)s_before.m[i] + grad_of(t, i);
        double expected = w - decay * w - lr * velocity;
        assert_close(tensor->name, (double)s->weights[i], expected, fabs(w) + fabs(velocity));
    }
}

static void test_sgd(void **state)
{
    (void)state;
    optimizer_make(&s_a, AG_OPTIMIZER_SGD);
    two_steps(&s_a);
    const ag_train_state *s = &s_a.trainer.state;
    for (size_t i = 0; i < s->tensors.count; i++)
        check_sgd(&s_a, &s->tensors.rows[i], 1);
    tiny_end(&s_a);
}

static void test_learning_rates_of_a_parametrisation(void **state)
{
    (void)state;
    optimizer_make(&s_a, AG_OPTIMIZER_SGD);
    s_a.run.model.param = AG_PARAMETRISATION_MUS;
    s_a.run.model.base_width = s_a.run.model.n_embd / 4;
    two_steps(&s_a);
    const ag_train_state *s = &s_a.trainer.state;
    for (size_t i = 0; i < s->tensors.count; i++) {
        const ag_tensor *tensor = &s->tensors.rows[i];
        bool is_hidden = tensor->n_dims == 2 && strstr(tensor->name, ".h.") != NULL;
        check_sgd(&s_a, tensor, is_hidden ? 0.5 : 1);
    }
    tiny_end(&s_a);
}

/* With a decay of its own, a step takes weight_decay times its share of the peak off the weights.
 */
static void test_independent_decay(void **state)
{
    (void)state;
    optimizer_make(&s_a, AG_OPTIMIZER_SGD);
    s_a.run.optimizer.independent_decay = true;
    tiny_start(&s_a);
    ag_train_state *s = &s_a.trainer.state;
    memcpy(s_before.w, s->weights, s->tensors.total * sizeof(float));
    memset(s_a.trainer.model.grads, 0, s->tensors.total * sizeof(float));
    ag_update update = {.grads = s_a.trainer.model.grads,
                        .lr = s_a.run.optimizer.lr * 0.75, /* of the peak */
                        .grad_scale = 1.0};
    ag_optimizer_step(s, &s_a.run.optimizer, &update, &ag_kernels_fast);
    for (size_t i = 0; i < s->tensors.count; i++) {
        const ag_tensor *tensor = &s->tensors.rows[i];
        double decay = tensor->n_dims == 2 ? 0.25 * 0.75 : 0.0;
        for (size_t j = tensor->offset; j < tensor->offset + tensor->count; j++) {
            double w = (double)s_before.w[j];
            assert_close(tensor->name, (double)s->weights[j], w - decay * w, fabs(w));
        }
    }
    tiny_end(&s_a);
}

/* A layer for queries, keys and values moves as three would: each is made orthogonal alone, and has
 * the factor of its own shape. */
static void test_muon_takes_fused_layers_apart(void **state)
{
    (void)state;
    enum { COUNT = 16 * 8 };
    optimizer_make(&s_a, AG_OPTIMIZER_MUON);
    s_a.run.model.n_kv_head = 1;
    tiny_start(&s_a);
    ag_train_state *s = &s_a.trainer.state;
    float *grads = s_a.trainer.model.grads;
    const ag_tensor *tensor = ag_tensor_find(&s->tensors, AG_T_C_ATTN_W, 1);
    const size_t rows[] = {8, 4, 4};
    float expected[COUNT];
    tiny_fill(grads, s->tensors.total, 3, 1.0f);
    memcpy(expected, s->weights + tensor->offset, sizeof expected);
    memcpy(s_before.m, grads + tensor->offset, sizeof expected); /* after Nesterov, times 0.0975 */
    for (size_t i = 0, at = 0; i < 3; at += 8 * rows[i++]) {
        float rate = (float)(0.0625 * 0.2 * sqrt(8.0));
        ag_muon_orthogonalise(s_before.m + at, rows[i], 8, AG_MUON_NS_FP32, &s->muon,
                              &ag_kernels_fast);
        for (size_t j = at; j < at + 8 * rows[i]; j++)
            expected[j] -= expected[j] * (0.0625f * 0.25f) + rate * s_before.m[j];
    }
    ag_update update = {.grads = grads, .lr = 0.0625, .adamw_lr = 0.5, .grad_scale = 1.0};
    ag_optimizer_step(s, &s_a.run.optimizer, &update, &ag_kernels_fast);
    for (size_t i = 0; i < COUNT; i++)
        assert_close(tensor->name, (double)s->weights[tensor->offset + i], (double)expected[i],
                     1.0);
    tiny_end(&s_a);
}

static void fill_table(const ag_format *format)
{
    value_table_fill(&s_table, format->mantissa, format->bias, format->max_code + 1);
}

/* The distance to the next value of the format above |y|, as far as there are values. */
static double spacing(double y)
{
    size_t code = 0;
    while (code + 1 < s_table.count && s_table.value[code + 1] <= fabs(y))
        code++;
    return s_table.value[code + 1] - s_table.value[code];
}

/* Current scaling of the weights as they were: the largest lies on the largest value. */
static void check_manifold(const tiny *t, const ag_tensor *tensor, const ag_format *format)
{
    const ag_train_state *s = &t->trainer.state;
    const float *w = s_before.w + tensor->offset;
    float scale = format->max / ag_amax(w, tensor->count);
    double lr = t->run.optimizer.lr;
    size_t finer = 0;
    fill_table(format);
    double coarsest = spacing((double)format->max);
    for (size_t i = 0; i < tensor->count; i++) {
        size_t at = tensor->offset + i;
        double factor = spacing((double)(w[i] * scale)) / coarsest;
        double g = grad_of(t, at) * factor;
        double m = 0.9 * (double)s_before.m[at] + 0.1 * g;
        double v = 0.99 * (double)s_before.v[at] + 0.01 * g * g;
        double mhat = m / (1 - 0.9 * 0.9);
        double vhat = v / (1 - 0.99 * 0.99);
        double step = lr * mhat / (sqrt(vhat) + 1e-8);
        double expected = (double)w[i] * (1 - lr * 0.25) - step;
        double size = fabs((double)w[i]) + fabs(step) + 16 * lr;
        assert_close(tensor->name, (double)s->weights[at], expected, size);
        assert_close(tensor->name, (double)s->m[at], m, fabs((double)s_before.m[at]) + fabs(g));
        finer += factor < 1.0;
    }
    assert_true(finer > tensor->count / 4);
}

/* --- AdamW */

static const double s_betas[][2] = {
    {0.5,  0.75     },
    {0.9,  0.99     },
    {0.9,  0.999    },
    {0.9,  0.9999   },
    {0.99, 0.99999  },
    {0.9,  0.9999999}
};

/* A tiny model whose weights and moments are zero, with a gradient of its own. */
static void begin_adamw(tiny *t, float *grads, const double betas[2])
{
    optimizer_make(t, AG_OPTIMIZER_ADAMW);
    t->run.optimizer.betas[0] = betas[0];
    t->run.optimizer.betas[1] = betas[1];
    t->run.optimizer.weight_decay = 0.0;
    tiny_start(t);
    ag_train_state *s = &t->trainer.state;
    memset(s->weights, 0, s->tensors.total * sizeof(float));
    for (size_t i = 0; i < s->tensors.total; i++)
        grads[i] = 1.0f;
}

/* What the moments take of the first gradient is 1 - beta in double, rounded once. */
static void test_adamw_takes_one_minus_beta_in_double(void **state)
{
    (void)state;
    static float grads[8192];
    for (size_t k = 0; k < sizeof s_betas / sizeof s_betas[0]; k++) {
        begin_adamw(&s_a, grads, s_betas[k]);
        ag_update update = {.grads = grads, .lr = 1e-3, .grad_scale = 1.0};
        ag_optimizer_step(&s_a.trainer.state, &s_a.run.optimizer, &update, s_a.trainer.k);
        double kept[2] = {s_betas[k][0], s_betas[k][1]};
        if (s_a.trainer.state.m[0] != (float)(1.0 - kept[0]) ||
            s_a.trainer.state.v[0] != (float)(1.0 - kept[1]))
            fail_msg("betas %g, %g: m %.9g, v %.9g", kept[0], kept[1],
                     (double)s_a.trainer.state.m[0], (double)s_a.trainer.state.v[0]);
        tiny_end(&s_a);
    }
}

/* 300 steps restated in double, gradients between 0.5 and 1.5, so that no moment cancels. An update
 * then errs by the roundings of the moments, at most 3 a step over 300 steps, and by a dozen of its
 * own, each of 2^-24; so does the sum of updates, which itself is rounded once a step. */
static void test_adamw_300_steps(void **state)
{
    (void)state;
    enum { STEPS = 300, COUNT = 16 }; /* of the first tensor */
    static float grads[8192];
    for (size_t k = 0; k < sizeof s_betas / sizeof s_betas[0]; k++) {
        double M[COUNT] = {0};
        double V[COUNT] = {0};
        double W[COUNT] = {0};
        uint64_t seed = 11;
        begin_adamw(&s_a, grads, s_betas[k]);
        s_a.run.optimizer.weight_decay = 0.1;
        for (int t = 1; t <= STEPS; t++) {
            double correction1 = 1.0 - pow(s_betas[k][0], t);
            double correction2 = 1.0 - pow(s_betas[k][1], t);
            for (size_t i = 0; i < COUNT; i++) {
                double g = (double)(ag_splitmix64(&seed) >> 40) * 0x1p-24 + 0.5;
                grads[i] = (float)g;
                g = (double)grads[i];
                g *= 0.3; /* clipped */
                W[i] -= 1e-3 * (double)s_a.run.optimizer.weight_decay * W[i];
                M[i] = s_betas[k][0] * M[i] + (1.0 - s_betas[k][0]) * g;
                V[i] = s_betas[k][1] * V[i] + (1.0 - s_betas[k][1]) * g * g;
                W[i] -= 1e-3 * (M[i] / correction1) / (sqrt(V[i] / correction2) + 1e-8);
            }
            ag_update update = {.grads = grads, .lr = 1e-3, .grad_scale = 0.3};
            ag_optimizer_step(&s_a.trainer.state, &s_a.run.optimizer, &update, s_a.trainer.k);
        }
        for (size_t i = 0; i < COUNT; i++) {
            double error = fabs((double)s_a.trainer.state.weights[i] - W[i]) / fabs(W[i]);
            if (!(error <= (4 * STEPS + 12) * 0x1p-24))
                fail_msg("betas %g, %g: off by %.3g of the movement", s_betas[k][0], s_betas[k][1],
                         error);
        }
        tiny_end(&s_a);
    }
}

static void test_manifold_adamw(void **state)
{
    (void)state;
    optimizer_make(&s_a, AG_OPTIMIZER_MANIFOLD_ADAMW);
    s_a.run.optimizer.lr = 1e-3; /* the first step leaves the weights in several binades */
    two_steps(&s_a);
    const ag_train_state *s = &s_a.trainer.state;
    size_t checked = 0;
    for (size_t i = 0; i < s->tensors.count; i++) {
        if (s->grids[i].scheme == NULL)
            continue;
        check_manifold(&s_a, &s->tensors.rows[i], &s->grids[i].scheme->format);
        checked++;
    }
    assert_int_equal(checked, 8);
    tiny_end(&s_a);
}

/* S of a row, numerics' float32 scale. */
static double row_scale(float amax)
{
    return (double)(448.0f / amax);
}

/* The largest power of two that keeps amax at 448 or below: E8M0 rounded up, for E4M3. */
static double mx_scale(float amax)
{
    double scale = 1.0;
    while (scale * (double)amax > 448.0)
        scale /= 2.0;
    while (scale * 2.0 * (double)amax <= 448.0)
        scale *= 2.0;
    return scale;
}

typedef double scale_fn(float amax);

/* Distances from the weights of a group to the next values of E4M3; 0 where all are 0. Returns the
 * largest. */
static double distances(double *S, const float *w, size_t count, scale_fn *scale_of)
{
    float amax = ag_amax(w, count);
    double scale = amax > 0.0f ? scale_of(amax) : INFINITY;
    double coarsest = 0.0;
    for (size_t i = 0; i < count; i++) {
        S[i] = amax > 0.0f ? spacing((double)(w[i] * (float)scale)) / scale : 0.0;
        coarsest = fmax(coarsest, S[i]);
    }
    return coarsest;
}

/* The first step leaves 0.1 times what Adam saw of the gradient in m. */
static void check_groups(const char *recipe, size_t width, scale_fn *scale_of)
{
    static double S[4096];
    ag_layer_precision precision;
    ag_format format;
    assert_ok(ag_recipe_parse(&precision, recipe));
    assert_ok(ag_format_parse(&format, "e4m3"));
    optimizer_make(&s_a, AG_OPTIMIZER_MANIFOLD_ADAMW);
    s_a.run.model.n_embd = 20; /* a last block of 32 that is short */
    tiny_quantise(&s_a, AG_ROLE_WEIGHT, precision.scheme[AG_ROLE_WEIGHT][0]);
    tiny_start(&s_a);
    ag_train_state *s = &s_a.trainer.state;
    float *grads = s_a.trainer.model.grads;
    const ag_update update = {.grads = grads, .lr = 0.1, .grad_scale = 1.0};
    const ag_tensor *tensor = ag_tensor_find(&s->tensors, AG_T_MLP_PROJ_W, 1);
    float *w = s->weights + tensor->offset;
    tiny_fill(grads, s->tensors.total, 3, 1.0f);
    for (size_t i = 0; i < tensor->count; i++)
        w[i] *= i < tensor->dims[1] ? 0.0f : ldexpf(1.0f, (int)(i * 7 % 12)); /* many binades */
    fill_table(&format);
    double coarsest = 0.0;
    for (size_t row = 0; row < tensor->dims[0]; row++) {
        for (size_t col = 0; col < tensor->dims[1]; col += width) {
            size_t left = tensor->dims[1] - col;
            size_t at = row * tensor->dims[1] + col;
            size_t count = width < left ? width : left;
            coarsest = fmax(coarsest, distances(S + at, w + at, count, scale_of));
        }
    }
    ag_optimizer_step(s, &s_a.run.optimizer, &update, &ag_kernels_fast);
    size_t finer = 0;
    for (size_t i = 0; i < tensor->count; i++) {
        double factor = S[i] == 0.0 ? 1.0 : S[i] / coarsest;
        double expected = 0.1 * (double)grads[tensor->offset + i] * factor;
        assert_close(recipe, (double)s->m[tensor->offset + i], expected, fabs(expected));
        finer += factor < 1.0;
    }
    assert_true(finer > tensor->count / 2);
    tiny_end(&s_a);
}

static void test_manifold_follows_the_scales_of_groups(void **state)
{
    (void)state;
    check_groups("e4m3/row", 80, row_scale);
    check_groups("mxfp8", 32, mx_scale);
}

/* The second step by the definition, from the table of values. Float32 rounds u where double does
 * not, which decides in 2^-20 of all cases at most: none of the few hundred here. */
static void check_grid(const tiny *t, const ag_tensor *tensor, const ag_tensor_grid *grid)
{
    const ag_train_state *s = &t->trainer.state;
    const ag_format *format = &grid->scheme->format;
    double scale = (double)grid->scale->value;
    ag_rounding_site where = {
        .key = ag_stream_key(42, AG_STREAM_ROUNDING), .place = grid->place, .use = 2, .step = 1};
    fill_table(format);
    float largest = ag_amax(s_before.w + tensor->offset, tensor->count);
    double rung = spacing((double)largest * scale) / scale;
    for (size_t i = 0; i < tensor->count; i++) {
        size_t at = tensor->offset + i;
        double w = (double)s_before.w[at] * scale;
        double velocity = 0.5 * (double)s_before.m[at] + grad_of(t, at);
        double u = 0.0625 * velocity / rung + 0.0625 * 0.25 * w / spacing(w);
        double size = fmin(fabs(u), 10.0);
        double random = (double)ag_rounding_random(&where, i) * 0x1p-32;
        double rungs = floor(size) + (size - floor(size) + random >= 1.0 ? 1.0 : 0.0);
        double code = (double)value_table_nearest(&s_table, fabs(w));
        double moved = (w < 0.0 ? -code : code) - (u < 0.0 ? -rungs : rungs);
        double value = s_table.value[(size_t)fmin(fabs(moved), (double)format->max_code)];
        double expected = (moved < 0.0 ? -value : value) / scale;
        if ((double)s->weights[at] != expected)
            fail_msg("%s[%zu]: %g goes to %g, expected %g (u %g)", tensor->name, i, w / scale,
                     (double)s->weights[at], expected, u);
    }
}

static void test_grid(void **state)
{
    (void)state;
    optimizer_make(&s_a, AG_OPTIMIZER_GRID);
    two_steps(&s_a);
    const ag_train_state *s = &s_a.trainer.state;
    for (size_t i = 0; i < s->tensors.count; i++) {
        if (s->grids[i].scheme != NULL)
            check_grid(&s_a, &s->tensors.rows[i], &s->grids[i]);
    }
    tiny_end(&s_a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sgd),
        cmocka_unit_test(test_learning_rates_of_a_parametrisation),
        cmocka_unit_test(test_independent_decay),
        cmocka_unit_test(test_muon_takes_fused_layers_apart),
        cmocka_unit_test(test_adamw_takes_one_minus_beta_in_double),
        cmocka_unit_test(test_adamw_300_steps),
        cmocka_unit_test(test_manifold_adamw),
        cmocka_unit_test(test_manifold_follows_the_scales_of_groups),
        cmocka_unit_test(test_grid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
