/* What an observer sees, against direct computations; and that it changes nothing. */
#include "tiny.h"

#include "numerics/recipe.h"
#include "observer.h"
#include "same_record.h"

static tiny s_a;
static tiny s_b;

/* --- nothing is changed */

static void delayed(tiny *t)
{
    ag_scheme scheme = tiny_scheme("e4m3");
    scheme.amax = AG_AMAX_DELAYED;
    scheme.history = 3;
    tiny_quantise_all(t, scheme);
    t->run.train.grad_accum = 2;
}

static void windowed(tiny *t)
{
    ag_scheme scheme = tiny_scheme("e3m2");
    scheme.amax = AG_AMAX_WINDOWED;
    scheme.history = 2;
    tiny_quantise_all(t, scheme);
    t->run.train.grad_accum = 3;
    t->run.model.dropout = 0.2;
}

static void stochastic(tiny *t)
{
    ag_scheme scheme = tiny_scheme("e2m1");
    scheme.rounding = AG_ROUND_STOCHASTIC;
    tiny_quantise_all(t, scheme);
    for (int i = 0; i < TINY_LAYERS; i++) /* and two copies of a role */
        t->layers[i].scheme[AG_ROLE_GRAD_OUTPUT][1] = tiny_scheme("e5m2");
}

static void clipping(tiny *t)
{
    ag_scheme scheme = tiny_scheme("e4m3");
    scheme.amax = AG_AMAX_NONE;
    scheme.ste = AG_STE_CLIP;
    tiny_quantise(t, AG_ROLE_WEIGHT, scheme);
    tiny_quantise(t, AG_ROLE_INPUT, scheme);
}

static void nothing(tiny *t)
{
    t->run.compute = AG_COMPUTE_FP32;
}

static void skipping(tiny *t)
{
    delayed(t);
    for (int i = 0; i < TINY_LAYERS; i++)
        t->layers[i].scheme[AG_ROLE_WEIGHT][0].overflow =
            t->layers[i].scheme[AG_ROLE_WEIGHT][1].overflow = AG_OVERFLOW_SPECIAL;
    t->run.stop.on_nonfinite = AG_ON_NONFINITE_SKIP;
}

static void of_recipe(tiny *t, const char *name)
{
    ag_layer_precision precision;
    assert_ok(ag_recipe_parse(&precision, name));
    for (int i = 0; i < TINY_LAYERS; i++)
        t->layers[i] = precision;
}

static void rows(tiny *t)
{
    of_recipe(t, "row");
}

static void mx(tiny *t)
{
    of_recipe(t, "mxfp4");
}

static void nv(tiny *t)
{
    of_recipe(t, "nvfp4");
    t->run.train.grad_accum = 2;
}

/* All of them: attention's operands as one copy and as two, with scales of tensors and of groups.
 */
static void sites(tiny *t)
{
    ag_scheme scheme = tiny_scheme("e4m3");
    ag_scheme groups;
    assert_ok(ag_scheme_parse(&groups, "e2m1/b1x3/amax/stochastic"));
    windowed(t);
    scheme.amax = AG_AMAX_DELAYED;
    scheme.history = 2;
    for (int kind = 0; kind < AG_SITE_KINDS; kind++)
        tiny_quantise_sites(t, (ag_site_kind)kind, kind % 2 == 0 ? scheme : groups);
    scheme.ste = AG_STE_CLIP;
    tiny_quantise_sites(t, AG_SITE_RESIDUAL, scheme);
}

static void assert_same_training(const ag_record *a, const ag_record *b)
{
    assert_int_equal(a->steps, b->steps);
    assert_int_equal(a->evals, b->evals);
    assert_int_equal(a->windows, b->windows);
    assert_same_series(a, b);
    assert_string_equal(a->digest, b->digest);
}

static void test_no_bit_changes(void **state)
{
    (void)state;
    static void (*const set_ups[])(tiny *) = {delayed,  windowed, stochastic, clipping, nothing,
                                              skipping, rows,     mx,         nv,       sites};
    for (size_t i = 0; i < sizeof set_ups / sizeof set_ups[0]; i++) {
        for (int every = 1; every < 4; every++) {
            tiny_make(&s_a);
            set_ups[i](&s_a);
            s_a.run.eval.every = 2;
            tiny_make(&s_b);
            set_ups[i](&s_b);
            s_b.run.eval.every = 2;
            s_b.run.observe =
                (ag_observe_spec){.quant_every = every, .diagnostics = ALL_DIAGNOSTICS};
            tiny_train(&s_a, &ag_kernels_fast);
            tiny_train(&s_b, &ag_kernels_fast);
            assert_same_training(&s_a.record, &s_b.record);
            assert_int_equal(s_a.record.samples.count, 0);
            assert_int_equal(s_b.record.samples.count, ag_samples_before(&s_b.run, 6));
            tiny_end(&s_a);
            tiny_end(&s_b);
        }
    }
}

/* Everything is laid out before the first step. */
static void test_steps_allocate_nothing(void **state)
{
    (void)state;
    tiny_make(&s_a);
    delayed(&s_a);
    s_a.run.observe = (ag_observe_spec){.quant_every = 2, .diagnostics = ALL_DIAGNOSTICS};
    tiny_start(&s_a);
    size_t used = s_a.arena.used;
    for (int i = 0; i < 6; i++)
        ag_trainer_step(&s_a.trainer);
    assert_int_equal(s_a.arena.used, used);
    assert_int_equal(s_a.record.samples.count, 4); /* steps 0, 2, 4 and the last, 5 */
    tiny_end(&s_a);
}

/* --- counters of an operand, under each granularity */

enum { ROWS = 37, COLS = 50, COUNT = ROWS * COLS };

typedef struct bench {
    ag_scheme scheme;
    ag_scale scale;
    ag_operand operand;
    ag_watch watch;
    ag_observer observer;
    ag_pass pass;
    float x[COUNT];
    float out[COUNT];
    float copy[COUNT];
    float factors[COUNT];
    float of_operand[2][COUNT];
    float of_observer[2][COUNT];
    float expected[COUNT];
    float of_expected[2][COUNT];
    ag_scales scales;
    ag_scales expected_scales;
} bench;

static void make_bench(bench *b, const char *name, ag_sum sum)
{
    memset(b, 0, sizeof *b);
    assert_ok(ag_scheme_parse(&b->scheme, name));
    b->scales = (ag_scales){.scale = b->of_operand[0], .after = b->of_operand[1]};
    b->expected_scales = (ag_scales){.scale = b->of_expected[0], .after = b->of_expected[1]};
    b->observer = (ag_observer){
        .sampling = true,
        .copy = b->copy,
        .scales = {.scale = b->of_observer[0], .after = b->of_observer[1]}
    };
    b->watch.counted = b->watch.measured = true;
    ag_counters_reset(&b->watch.counters);
    b->pass = (ag_pass){.mode = AG_MODE_TRAIN, .B = 1, .rounding_key = 9, .step = 4};
    b->pass.observer = &b->observer;
    b->operand = (ag_operand){.k = &ag_kernels_fast,
                              .scheme = &b->scheme,
                              .bf16 = true,
                              .sum = sum,
                              .place = 11,
                              .scale = &b->scale,
                              .scales = &b->scales,
                              .factors = b->factors,
                              .watch = &b->watch};
}

/* Magnitudes over many binades, with zeros of both signs and subnormals; a third of the rows small,
 * so that their blocks differ. */
static void fill(float *x)
{
    for (size_t i = 0; i < COUNT; i++) {
        float size = ldexpf(1.0f, (int)(i * 7 % 23) - 11 - (i / COLS % 3 == 0 ? 9 : 0));
        x[i] = size * tiny_noise(3, i);
    }
    x[5] = x[700] = 0.0f;
    x[6] = x[1700] = -0.0f;
    x[8] = 1e-40f;
    x[9] = -1e-45f;
}

/* By the definition of the whole matrix's values in numerics/groups.h. */
static ag_counters count_slowly(bench *b, const float *x)
{
    ag_counters c = {0};
    ag_rounding_site where = {.key = b->pass.rounding_key,
                              .place = b->operand.place,
                              .use = b->operand.use,
                              .step = b->pass.step,
                              .bits = b->scheme.sr_bits,
                              .variant = b->scheme.sr_variant};
    ag_matrix matrix = {ROWS, COLS, b->operand.sum, 77};
    ag_groups groups = ag_groups_of(&b->scheme, &matrix);
    ag_quantize_matrix(b->expected, b->x, &matrix, &b->scheme, &b->expected_scales, &where);
    for (size_t i = 0; i < COUNT; i++) {
        size_t group = ag_groups_at(&groups, i / COLS, i % COLS);
        double top = (double)b->scheme.format.max;
        double y = fabs((double)x[i] * (double)b->of_expected[0][group]);
        double error = (double)x[i] - (double)b->expected[i];
        c.zeros_in += x[i] == 0.0f;
        c.underflow += x[i] != 0.0f && b->expected[i] == 0.0f;
        c.saturated += b->of_expected[1][group] != 0.0f &&
                       y > top + ag_grid_spacing(&b->scheme.format, (float)top) / 2.0;
        c.amax = fmaxf(c.amax, fabsf(x[i]));
        c.signal += (double)x[i] * (double)x[i];
        c.noise += error * error;
    }
    c.groups = (int64_t)ag_groups_count(&groups);
    c.log2_min = INFINITY;
    c.log2_max = -INFINITY;
    for (size_t g = 0; g < ag_groups_count(&groups); g++) {
        c.zero_scales += b->of_expected[1][g] == 0.0f; /* NVFP4: the block's scale underflows */
        if (b->of_expected[1][g] == 0.0f)
            continue;
        c.log2_min = fmin(c.log2_min, log2((double)b->of_expected[0][g]));
        c.log2_max = fmax(c.log2_max, log2((double)b->of_expected[0][g]));
        c.log2_sum += log2((double)b->of_expected[0][g]);
    }
    return c;
}

/* Sums of COUNT terms in another order, and of values rounded once or twice in float32. */
static void assert_near(const char *name, double got, double want)
{
    if (!(fabs(got - want) <= 1e-12 * fabs(want)))
        fail_msg("%s: %.17g, expected %.17g", name, got, want);
}

static void check_counters(const char *name, ag_sum sum, bool in_place)
{
    static bench b;
    make_bench(&b, name, sum);
    fill(b.x);
    const float *source_x = b.x;
    static float transformed[COUNT];
    if (b.scheme.hadamard > 0) {
        ag_turn turn = ag_turn_of(&b.scheme, NULL);
        ag_hadamard(transformed, b.x, ROWS, COLS, sum, &turn);
        source_x = transformed;
    }
    ag_counters want = count_slowly(&b, source_x);
    memcpy(b.out, b.x, sizeof b.out);
    ag_source source = {.x = in_place ? b.out : b.x, .rows = ROWS, .cols = COLS, .first = 77};
    source.amax = ag_amax(b.x, COUNT);
    ag_operand_make(&b.operand, b.out, &source, &b.pass);

    const ag_counters *got = &b.watch.counters;
    assert_int_equal(got->n, COUNT);
    assert_int_equal(got->zeros_in, want.zeros_in);
    assert_int_equal(got->underflow, want.underflow);
    if (b.scheme.rounding == AG_ROUND_NEAREST)
        if (got->saturated != want.saturated)
            fail_msg("%s: %lld saturated, expected %lld", name, (long long)got->saturated,
                     (long long)want.saturated);
    assert_int_equal(got->groups, want.groups);
    assert_int_equal(got->zero_scales, want.zero_scales);
    assert_true(got->amax == want.amax);
    assert_near(name, got->signal, want.signal);
    assert_near(name, got->noise, want.noise);
    assert_near(name, got->log2_min, want.log2_min);
    assert_near(name, got->log2_max, want.log2_max);
    assert_near(name, got->log2_sum, want.log2_sum);
    assert_true(want.noise > 0.0 && want.zeros_in >= (b.scheme.hadamard > 0 ? 0 : 4));
}

static void test_counters_of_operands(void **state)
{
    (void)state;
    static const char *const schemes[] = {
        "e4m3",
        "e5m2/tensor/none",
        "e4m3/row",
        "e4m3/row/amax+pow2",
        "e5m2/col",
        "e4m3/1x128",
        "e4m3/16x16",
        "e4m3/mx",
        "e2m1/mx/e8m0floor",
        "e2m1/nv",
        "e2m1/nv16x16",
        "int4/1x16/e4m3+t",
        "e4m3/2x8/e8m0even",
        "e4m3/1x64/absmax",
        "int8/row",
        "e2m1/nv/amax/stochastic",
        "e2m1/nv/amax/stochastic/hadamard",
        "e4m3/mx/e8m0rceil/stochastic",
    };
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        for (int in_place = 0; in_place < 2; in_place++) {
            check_counters(schemes[i], AG_SUM_COLS, in_place);
            check_counters(schemes[i], AG_SUM_ROWS, in_place);
        }
    }
}

/* --- counters of a step */

/* Weights once a step, whoever made them and however often they serve; the others in every
 * micro-batch, and nothing of an evaluation. */
static void test_counters_of_a_step(void **state)
{
    (void)state;
    static float before[32 * 8];
    static float quantised[32 * 8];
    tiny_make(&s_a);
    delayed(&s_a);
    tiny_quantise(&s_a, AG_ROLE_WEIGHT, tiny_scheme("e4m3"));
    tiny_quantise_sites(&s_a, AG_SITE_OPT_M, tiny_scheme("e5m2"));
    tiny_quantise_sites(&s_a, AG_SITE_QK, tiny_scheme("e5m2"));
    s_a.run.train.grad_accum = 3;
    s_a.run.observe = (ag_observe_spec){.quant_every = 1, .diagnostics = ALL_DIAGNOSTICS};
    tiny_start(&s_a);
    ag_trainer_step(&s_a.trainer);
    assert_ok(ag_evaluate_periodic(&s_a.trainer));
    const float *w = tiny_weight(&s_a, AG_T_C_FC_W, 1);
    memcpy(before, w, sizeof before);
    ag_trainer_step(&s_a.trainer);

    ag_scheme scheme = tiny_scheme("e4m3");
    float scale = 448.0f / ag_amax(before, 256);
    ag_fake_quantize(quantised, before, 256, &scheme, scale, NULL, 0);
    double signal = 0.0, noise = 0.0;
    for (size_t i = 0; i < 256; i++) {
        double error = (double)before[i] - (double)quantised[i];
        signal += (double)before[i] * (double)before[i];
        noise += error * error;
    }
    const double tokens = 3.0 * 3 * 8; /* micro-batches of 3 sequences of 8 */
    assert_near("n", tiny_sampled(&s_a, "quant/transformer.h.1.mlp.c_fc/weight", "n"), 256);
    assert_near("sqnr", tiny_sampled(&s_a, "quant/transformer.h.1.mlp.c_fc/weight", "sqnr"),
                10.0 * log10(signal / noise));
    assert_near("n", tiny_sampled(&s_a, "quant/transformer.h.1.mlp.c_fc/input", "n"), tokens * 8);
    assert_near("n", tiny_sampled(&s_a, "quant/transformer.h.1.mlp.c_fc/grad_output", "n"),
                tokens * 32);
    assert_near("n", tiny_sampled(&s_a, "quant/transformer.h.1.mlp.c_fc.opt.m/m", "n"), 256);
    assert_near("n", tiny_sampled(&s_a, "quant/transformer.h.0.attn.qk/q", "n"), tokens * 8);
    assert_near("n", tiny_sampled(&s_a, "quant/transformer.h.0.attn.qk/ds", "n"), tokens * 8 * 2);
    /* a scale a micro-batch, which all sequences and heads share */
    assert_near("groups", tiny_sampled(&s_a, "quant/transformer.h.0.attn.qk/q", "groups"), 3);
    assert_near("groups", tiny_sampled(&s_a, "quant/transformer.h.0.attn.qk/ds", "groups"), 3);
    assert_near("groups", tiny_sampled(&s_a, "quant/transformer.h.1.mlp.c_fc/input", "groups"), 3);
    tiny_end(&s_a);
}

/* --- kurtosis, in parts and at once */

static double kurtosis_slowly(const float *x, size_t count)
{
    long double mean = 0, second = 0, fourth = 0;
    for (size_t i = 0; i < count; i++)
        mean += (long double)x[i] / (long double)count;
    for (size_t i = 0; i < count; i++) {
        long double d = ((long double)x[i] - mean) * ((long double)x[i] - mean);
        second += d / (long double)count;
        fourth += d * d / (long double)count;
    }
    return (double)(fourth / (second * second));
}

static void test_kurtosis(void **state)
{
    (void)state;
    static bench b;
    static const size_t rows[] = {ROWS, 5, 1};
    for (size_t i = 0; i < 3; i++) {
        make_bench(&b, "e4m3", AG_SUM_COLS);
        for (size_t j = 0; j < COUNT; j++) /* far from 0, so that sums of powers would cancel */
            b.x[j] = 50.0f + tiny_noise(4, j) * (j % 17 == 0 ? 4.0f : 0.5f);
        for (size_t at = 0; at < ROWS; at += rows[i]) {
            size_t some = ROWS - at < rows[i] ? ROWS - at : rows[i];
            ag_source part = {.x = b.x + at * COLS, .rows = some, .cols = COLS, .amax = 60.0f};
            ag_operand_make(&b.operand, b.out, &part, &b.pass);
        }
        const ag_moments *m = &b.watch.moments;
        assert_true(m->n == COUNT);
        assert_near("kurtosis", m->n * m->m4 / (m->m2 * m->m2), kurtosis_slowly(b.x, COUNT));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_bit_changes),
        cmocka_unit_test(test_steps_allocate_nothing),
        cmocka_unit_test(test_counters_of_operands),
        cmocka_unit_test(test_counters_of_a_step),
        cmocka_unit_test(test_kurtosis),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
