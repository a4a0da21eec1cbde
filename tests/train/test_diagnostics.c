/* Diagnostics of whole steps, each against a direct computation in double precision. */
#include "tiny.h"

#include "base/log.h"
#include "numerics/recipe.h"
#include "observer.h"

static tiny s_a; /* observed */
static tiny s_b; /* what it is compared with */

enum { LAYER = 4 + AG_LINEAR_C_FC }; /* block 1's c_fc, [32, 8] */
enum { OUT = 32, IN = 8, WEIGHTS = OUT * IN };

static const char s_layer[] = "transformer.h.1.mlp.c_fc";

static void make(tiny *t, int64_t diagnostics)
{
    tiny_make(t);
    t->run.observe = (ag_observe_spec){.quant_every = 1, .diagnostics = diagnostics};
}

/* The newest sample of a metric of `folder`/LAYER. */
static double sampled(const tiny *t, const char *folder, const char *metric)
{
    char path[AG_SAMPLED_PATH];
    snprintf(path, sizeof path, "%s/%s", folder, s_layer);
    return tiny_sampled(t, path, metric);
}

/* Sums of at most 1000 terms in double, in another order. */
static void assert_near(const char *name, double got, double want)
{
    if (!(fabs(got - want) <= 1e-12 * fabs(want)))
        fail_msg("%s: %.17g, expected %.17g", name, got, want);
}

/* --- the grid of a format, by the list of its values */

static double s_values[256];
static size_t s_n_values;

static int rising(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static void list_values(const ag_format *format)
{
    s_n_values = 0;
    for (uint32_t code = 0; code <= format->max_code; code++)
        s_values[s_n_values++] = (double)ag_format_decode(format, code);
    qsort(s_values, s_n_values, sizeof s_values[0], rising);
}

/* The value at or below a magnitude. */
static size_t below(double y)
{
    size_t i = 0;
    while (i + 2 < s_n_values && s_values[i + 1] <= y)
        i++;
    return i;
}

static double amax_of(const float *x, size_t count)
{
    double largest = 0.0;
    for (size_t i = 0; i < count; i++)
        largest = fmax(largest, fabs((double)x[i]));
    return largest;
}

/* S of one tensor, rounded as 3.4 of the numerics says: a division in float32. */
static float scale_of(const ag_format *format, const float *x, size_t count)
{
    return format->max / (float)amax_of(x, count);
}

static size_t code_of(float x, float scale)
{
    double y = fabs((double)(x * scale));
    size_t i = below(y);
    double down = y - s_values[i];
    double up = s_values[i + 1] - y;
    return down < up || (down == up && i % 2 == 0) ? i : i + 1;
}

static void test_flips(void **state)
{
    (void)state;
    static float before[WEIGHTS];
    make(&s_a, 1 << AG_OBSERVE_FLIPS);
    ag_scheme scheme = tiny_scheme("e3m2");
    tiny_quantise(&s_a, AG_ROLE_WEIGHT, scheme);
    list_values(&scheme.format);
    tiny_start(&s_a);
    double all_flips = 0.0, all_stalls = 0.0;
    for (int step = 0; step < 6; step++) {
        const float *w = tiny_weight(&s_a, AG_T_C_FC_W, 1);
        memcpy(before, w, sizeof before);
        float old_scale = scale_of(&scheme.format, before, WEIGHTS);
        ag_trainer_step(&s_a.trainer);
        float scale = scale_of(&scheme.format, w, WEIGHTS);
        double flips = 0.0, updates = 0.0, stalls = 0.0, moved = 0.0;
        for (size_t i = 0; i < WEIGHTS; i++) {
            bool flipped = code_of(w[i], scale) != code_of(before[i], old_scale) ||
                           signbit(w[i]) != signbit(before[i]);
            flips += flipped;
            updates += w[i] != before[i];
            stalls += w[i] != before[i] && !flipped;
            moved += fabs((double)w[i] - (double)before[i]) / WEIGHTS;
        }
        assert_near("flips", sampled(&s_a, "diagnostics/flips", "flips"), flips);
        assert_near("updates", sampled(&s_a, "diagnostics/flips", "updates"), updates);
        assert_near("stalls", sampled(&s_a, "diagnostics/flips", "stalls"), stalls);
        assert_near("flip_ratio", sampled(&s_a, "diagnostics/flips", "flip_ratio"),
                    flips / WEIGHTS);
        assert_near("stall_ratio", sampled(&s_a, "diagnostics/flips", "stall_ratio"),
                    stalls / updates);
        assert_near("mean_update", sampled(&s_a, "diagnostics/flips", "mean_update"), moved);
        all_flips += flips;
        all_stalls += stalls;
    }
    assert_true(all_flips > 0.0 && all_stalls > 0.0);
    tiny_end(&s_a);
}

/* Where scales are powers of two and weights hardly move, a flip is a change of the values that the
 * product reads, whatever block they are in. */
static void test_flips_of_blocks(void **state)
{
    (void)state;
    static float before[WEIGHTS];
    ag_layer_precision precision;
    assert_ok(ag_recipe_parse(&precision, "mxfp8"));
    make(&s_a, 1 << AG_OBSERVE_FLIPS);
    for (int i = 0; i < TINY_LAYERS; i++)
        s_a.layers[i] = precision;
    s_a.run.optimizer.lr = 1e-4;
    tiny_start(&s_a);
    ag_trainer_step(&s_a.trainer);
    const ag_operand *operand =
        &s_a.trainer.model.blocks[1].linears[AG_LINEAR_C_FC].operands[AG_ROLE_WEIGHT][0];
    memcpy(before, operand->values, sizeof before);
    ag_trainer_step(&s_a.trainer);
    double flips = 0.0;
    for (size_t i = 0; i < WEIGHTS; i++)
        flips += operand->values[i] != before[i];
    assert_true(flips > 0.0 && flips < WEIGHTS);
    assert_near("flips", sampled(&s_a, "diagnostics/flips", "flips"), flips);
    tiny_end(&s_a);
}

/* --- the gradient */

/* The shadow is the gradient of a run in float32 that quantises nothing; the run's own that of the
 * same run with nobody looking. */
static void test_gradient(void **state)
{
    (void)state;
    static float own[WEIGHTS];
    for (int micro = 1; micro < 3; micro++) {
        make(&s_a, 1 << AG_OBSERVE_GRAD);
        s_a.run.train.grad_accum = micro;
        s_a.run.model.dropout = 0.1;
        tiny_quantise_all(&s_a, tiny_scheme("e4m3"));
        make(&s_b, 0);
        s_b.run.train.grad_accum = micro;
        s_b.run.model.dropout = 0.1;
        tiny_quantise_all(&s_b, tiny_scheme("e4m3"));
        tiny_start(&s_b);
        ag_trainer_gradients(&s_b.trainer, AG_MODE_TRAIN);
        memcpy(own, tiny_grad(&s_b, AG_T_C_FC_W, 1), sizeof own);
        tiny_end(&s_b);
        make(&s_b, 0);
        s_b.run.train.grad_accum = micro;
        s_b.run.model.dropout = 0.1;
        s_b.run.compute = AG_COMPUTE_FP32;
        tiny_start(&s_b);
        ag_trainer_gradients(&s_b.trainer, AG_MODE_TRAIN);
        const float *shadow = tiny_grad(&s_b, AG_T_C_FC_W, 1);
        double gg = 0.0, ss = 0.0, gs = 0.0, noise = 0.0;
        for (size_t i = 0; i < WEIGHTS; i++) {
            double error = (double)own[i] - (double)shadow[i];
            gg += (double)own[i] * (double)own[i];
            ss += (double)shadow[i] * (double)shadow[i];
            gs += (double)own[i] * (double)shadow[i];
            noise += error * error;
        }
        tiny_start(&s_a);
        ag_trainer_step(&s_a.trainer);
        assert_near("norm", sampled(&s_a, "diagnostics/grad", "norm"), sqrt(gg));
        assert_near("shadow_norm", sampled(&s_a, "diagnostics/grad", "shadow_norm"), sqrt(ss));
        assert_near("cosine", sampled(&s_a, "diagnostics/grad", "cosine"), gs / sqrt(gg * ss));
        assert_near("snr", sampled(&s_a, "diagnostics/grad", "snr"), 10.0 * log10(ss / noise));
        assert_true(gs / sqrt(gg * ss) > 0.9 && gs / sqrt(gg * ss) < 0.99999);
        tiny_end(&s_a);
        tiny_end(&s_b);
    }
}

/* Clipped gradients, two copies of a tensor and groups: the shadow knows none of them. */
static void test_shadow_ignores_formats(void **state)
{
    (void)state;
    static const char *const recipes[] = {"e4m3", "row", "mxfp4", "nvfp4"};
    double norm = 0.0;
    for (size_t i = 0; i < sizeof recipes / sizeof recipes[0]; i++) {
        ag_layer_precision precision;
        assert_ok(ag_recipe_parse(&precision, recipes[i]));
        make(&s_a, 1 << AG_OBSERVE_GRAD);
        for (int layer = 0; layer < TINY_LAYERS; layer++)
            s_a.layers[layer] = precision;
        if (i == 0)
            for (int use = 0; use < AG_USES; use++) {
                s_a.layers[LAYER].scheme[AG_ROLE_WEIGHT][use].ste = AG_STE_CLIP;
                s_a.layers[LAYER].scheme[AG_ROLE_WEIGHT][use].amax = AG_AMAX_NONE;
            }
        tiny_start(&s_a);
        ag_trainer_step(&s_a.trainer);
        double shadow = sampled(&s_a, "diagnostics/grad", "shadow_norm");
        assert_true(i == 0 || shadow == norm);
        assert_true(shadow != sampled(&s_a, "diagnostics/grad", "norm"));
        norm = shadow;
        tiny_end(&s_a);
    }
}

/* lm_head's dY is what its backward pass leaves in the logits. */
static void test_dead_gradients(void **state)
{
    (void)state;
    double zeros[2] = {0.0, 0.0};
    size_t count = 0;
    for (int quantised = 0; quantised < 2; quantised++) {
        make(&s_b, 1 << AG_OBSERVE_GRAD);
        if (quantised)
            tiny_quantise(&s_b, AG_ROLE_GRAD_OUTPUT, tiny_scheme("int2"));
        tiny_start(&s_b);
        ag_trainer_gradients(&s_b.trainer, AG_MODE_TRAIN);
        count = 3 * s_b.trainer.model.T * s_b.trainer.model.V;
        for (size_t i = 0; i < count; i++)
            zeros[quantised] += s_b.trainer.model.logits[i] == 0.0f;
        if (quantised)
            ag_trainer_step(&s_b.trainer);
        else
            tiny_end(&s_b);
    }
    const ag_samples *samples = &s_b.record.samples;
    const ag_sampled *last = &samples->groups[samples->n_groups - 1];
    assert_string_equal(last->path, "diagnostics/grad/lm_head");
    assert_string_equal(last->metrics[5].name, "dead_after");
    assert_near("dead_before", samples->values[last->column + 4], zeros[0] / (double)count);
    assert_near("dead_after", samples->values[last->column + 5], zeros[1] / (double)count);
    assert_true(zeros[1] > zeros[0] && zeros[1] < (double)count);
    tiny_end(&s_b);
}

/* --- the grid */

static void check_grid(const char *name, const ag_format *format, float scale, const float *w,
                       const float *last)
{
    double least = INFINITY, most = -INFINITY, sum = 0.0, distance = 0.0, aligned = 0.0;
    double moved = 0.0, farthest = 0.0;
    list_values(format);
    for (size_t i = 0; i < WEIGHTS; i++) {
        double y = fabs((double)(w[i] * scale));
        size_t at = below(y);
        double ulp = s_values[at + 1] - s_values[at];
        if (y >= s_values[s_n_values - 1]) /* at the end: as below it, the last step */
            at = s_n_values - 2;
        double off = fmin(fabs(y - s_values[at]), fabs(s_values[at + 1] - y)) / (ulp / 2.0);
        double step = fabs((double)w[i] - (double)last[i]) * (double)scale / ulp;
        least = fmin(least, log2(ulp / (double)scale));
        most = fmax(most, log2(ulp / (double)scale));
        sum += log2(ulp / (double)scale);
        distance += off;
        aligned += off <= 0.1;
        moved += step;
        farthest = fmax(farthest, step);
    }
    assert_near(name, sampled(&s_a, "diagnostics/grid", "log2_ulp_min"), least);
    assert_near(name, sampled(&s_a, "diagnostics/grid", "log2_ulp_max"), most);
    assert_near(name, sampled(&s_a, "diagnostics/grid", "log2_ulp_mean"), sum / WEIGHTS);
    assert_near(name, sampled(&s_a, "diagnostics/grid", "distance"), distance / WEIGHTS);
    assert_near(name, sampled(&s_a, "diagnostics/grid", "aligned"), aligned / WEIGHTS);
    assert_near(name, sampled(&s_a, "diagnostics/grid", "moved_mean"), moved / WEIGHTS);
    assert_near(name, sampled(&s_a, "diagnostics/grid", "moved_max"), farthest);
}

static void test_grid(void **state)
{
    (void)state;
    static float last[WEIGHTS];
    static const char *const names[] = {"e4m3", "e3m2", "int8"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        ag_scheme scheme = tiny_scheme(names[i]);
        make(&s_a, 1 << AG_OBSERVE_GRID);
        tiny_quantise(&s_a, AG_ROLE_WEIGHT, scheme);
        tiny_start(&s_a);
        memcpy(last, tiny_weight(&s_a, AG_T_C_FC_W, 1), sizeof last);
        ag_trainer_step(&s_a.trainer);
        assert_true(isnan(sampled(&s_a, "diagnostics/grid", "moved_mean")));
        static float now[WEIGHTS];
        memcpy(now, tiny_weight(&s_a, AG_T_C_FC_W, 1), sizeof now);
        ag_trainer_step(&s_a.trainer);
        check_grid(names[i], &scheme.format, scale_of(&scheme.format, now, WEIGHTS), now, last);
        tiny_end(&s_a);
    }
}

/* A block of NVFP4 so small that its scale becomes 0 holds the value 0 alone; the spacing is that
 * of the other one. Weights there are 6 on their grid, a spacing of 2, and 1.5, one of 0.5. */
static void test_grid_of_vanished_blocks(void **state)
{
    (void)state;
    ag_scheme scheme;
    assert_ok(ag_scheme_parse(&scheme, "e2m1/nv16x16"));
    make(&s_a, 1 << AG_OBSERVE_GRID);
    tiny_quantise(&s_a, AG_ROLE_WEIGHT, scheme);
    tiny_start(&s_a);
    float *w = tiny_weight(&s_a, AG_T_C_FC_W, 1);
    for (size_t i = 0; i < WEIGHTS; i++)
        w[i] = i >= WEIGHTS / 2 ? 1e-9f : i % 2 == 0 ? 6.0f : 1.5f;
    ag_trainer_step(&s_a.trainer);
    assert_near("min", sampled(&s_a, "diagnostics/grid", "log2_ulp_min"), -1);
    assert_near("mean", sampled(&s_a, "diagnostics/grid", "log2_ulp_mean"), 0);
    assert_near("max", sampled(&s_a, "diagnostics/grid", "log2_ulp_max"), 1);
    assert_true(sampled(&s_a, "diagnostics/grid", "distance") < 1e-6);
    tiny_end(&s_a);
}

/* What the others do is not told for all of them. */
static void test_grid_of_weights_that_are_not_finite(void **state)
{
    (void)state;
    static const char *const names[] = {"log2_ulp_min", "log2_ulp_mean", "log2_ulp_max", "distance",
                                        "aligned",      "moved_mean",    "moved_max"};
    static const float values[] = {NAN, INFINITY, -INFINITY};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        make(&s_a, 1 << AG_OBSERVE_GRID);
        tiny_quantise(&s_a, AG_ROLE_WEIGHT, tiny_scheme("e4m3"));
        tiny_start(&s_a);
        s_a.run.stop.on_nonfinite = AG_ON_NONFINITE_SKIP;
        ag_trainer_step(&s_a.trainer);
        tiny_weight(&s_a, AG_T_C_FC_W, 1)[WEIGHTS / 2] = values[i];
        ag_trainer_step(&s_a.trainer);
        for (size_t name = 0; name < sizeof names / sizeof names[0]; name++)
            assert_true(isnan(sampled(&s_a, "diagnostics/grid", names[name])));
        tiny_end(&s_a);
    }
}

/* --- rank */

static int s_warnings;
static char s_said[200];

static void hear(void *context, ag_log_level level, const char *line)
{
    (void)context;
    s_warnings += level == AG_LOG_WARNING;
    snprintf(s_said, sizeof s_said, "%s", line);
}

/* w = diag(values): those are its singular values. */
static void set_diagonal(tiny *t, const double *values)
{
    float *w = tiny_weight(t, AG_T_C_FC_W, 1);
    memset(w, 0, WEIGHTS * sizeof *w);
    for (size_t i = 0; i < IN; i++)
        w[i * IN + i] = (float)values[i];
}

static void test_rank(void **state)
{
    (void)state;
    static const double even[IN] = {2, 2, 2, 2, 2, 2, 2, 2};
    static const double falling[IN] = {4, 2, 1, 1, 0.5, 0.5, 0, 0};
    static const double one[IN] = {0, 0, 5, 0, 0, 0, 0, 0};
    const ag_train_hooks hooks = {.say = hear};
    make(&s_a, 1 << AG_OBSERVE_RANK);
    tiny_start(&s_a);
    s_a.trainer.hooks = &hooks;
    s_warnings = 0;
    set_diagonal(&s_a, even);
    ag_trainer_step(&s_a.trainer);
    assert_near("even", sampled(&s_a, "diagnostics/rank", "stable_rank"), IN);
    assert_near("even", sampled(&s_a, "diagnostics/rank", "effective_rank"), IN);

    set_diagonal(&s_a, falling);
    ag_trainer_step(&s_a.trainer);
    double entropy = 0.0;
    for (size_t i = 0; i < 6; i++)
        entropy -= falling[i] / 9.0 * log(falling[i] / 9.0);
    assert_near("falling", sampled(&s_a, "diagnostics/rank", "stable_rank"), 22.5 / 16.0);
    assert_near("falling", sampled(&s_a, "diagnostics/rank", "effective_rank"), exp(entropy));
    assert_true(exp(entropy) > 4.0 && sampled(&s_a, "diagnostics/rank", "collapsed") == 0.0);
    assert_int_equal(s_warnings, 0);

    for (int i = 0; i < 2; i++) { /* one warning, however long it lasts */
        set_diagonal(&s_a, one);
        ag_trainer_step(&s_a.trainer);
        assert_near("one", sampled(&s_a, "diagnostics/rank", "effective_rank"), 1.0);
        assert_true(sampled(&s_a, "diagnostics/rank", "collapsed") == 1.0);
        assert_int_equal(s_warnings, 1);
    }
    assert_string_equal(s_said, "step 2: the effective rank of transformer.h.1.mlp.c_fc has "
                                "collapsed: 1.0, from 8.0 in step 0");
    tiny_end(&s_a);
}

static void expect_collapsed(double rank)
{
    double stable = sampled(&s_a, "diagnostics/rank", "stable_rank");
    double effective = sampled(&s_a, "diagnostics/rank", "effective_rank");
    assert_true(isnan(rank) ? isnan(stable) && isnan(effective)
                            : stable == rank && effective == rank);
    assert_true(sampled(&s_a, "diagnostics/rank", "collapsed") == 1.0);
}

/* A layer whose weights are all 0, and one whose weights are no numbers: from the first sample on,
 * and with one warning where a sample before was better. */
static void test_rank_of_dead_layers(void **state)
{
    (void)state;
    static const double even[IN] = {2, 2, 2, 2, 2, 2, 2, 2};
    static const double ends[][IN] = {
        {0  },
        {NAN, 1},
        {INFINITY  }
    };
    static const double ranks[] = {0.0, NAN, NAN};
    const ag_train_hooks hooks = {.say = hear};
    for (size_t i = 0; i < sizeof ranks / sizeof ranks[0]; i++) {
        for (int healthy = 0; healthy < 2; healthy++) {
            make(&s_a, 1 << AG_OBSERVE_RANK);
            tiny_start(&s_a);
            s_a.trainer.hooks = &hooks;
            s_a.run.stop.on_nonfinite = AG_ON_NONFINITE_SKIP;
            s_warnings = 0;
            set_diagonal(&s_a, even);
            if (healthy)
                ag_trainer_step(&s_a.trainer);
            for (int step = 0; step < 2; step++) {
                set_diagonal(&s_a, ends[i]);
                ag_trainer_step(&s_a.trainer);
                expect_collapsed(ranks[i]);
            }
            assert_int_equal(s_warnings, healthy);
            tiny_end(&s_a);
        }
    }
}

/* --- NaN and Inf */

/* Where saturation swallows an Inf, the loss does not tell. */
static void test_nonfinite_is_found(void **state)
{
    (void)state;
    for (int looked = 0; looked < 2; looked++) {
        make(&s_a, looked << AG_OBSERVE_NONFINITE);
        tiny_quantise(&s_a, AG_ROLE_WEIGHT, tiny_scheme("e4m3"));
        tiny_start(&s_a);
        ag_trainer_step(&s_a.trainer);
        tiny_weight(&s_a, AG_T_ATTN_PROJ_W, 1)[3] = -INFINITY;
        ag_trainer_step(&s_a.trainer);
        assert_true(isfinite(s_a.record.loss[1]));
        assert_string_equal(s_a.record.nonfinite,
                            looked ? "Inf in the weight of transformer.h.1.attn.c_proj, step 1"
                                   : "");
        tiny_end(&s_a);
    }
}

/* A format without saturation makes what it cannot hold. */
static void test_nonfinite_of_a_quantiser(void **state)
{
    (void)state;
    ag_scheme scheme = tiny_scheme("e5m2");
    scheme.amax = AG_AMAX_NONE;
    scheme.overflow = AG_OVERFLOW_SPECIAL;
    make(&s_a, 0);
    for (int use = 0; use < AG_USES; use++)
        s_a.layers[LAYER].scheme[AG_ROLE_INPUT][use] = scheme;
    tiny_start(&s_a);
    tiny_weight(&s_a, AG_T_LN_2_W, 1)[2] = 1e6f;
    ag_trainer_step(&s_a.trainer);
    assert_string_equal(s_a.record.nonfinite,
                        "Inf in the quantised input of transformer.h.1.mlp.c_fc, step 0");
    assert_int_equal(s_a.record.outcome, AG_OUTCOME_DIVERGED);
    assert_non_null(strstr(s_a.record.reason, s_a.record.nonfinite));
    tiny_end(&s_a);
}

/* Weights that no product reads as values are made as such once more, to be looked at. */
static void test_nonfinite_among_codes(void **state)
{
    (void)state;
    static const char *const names[] = {"int8/1x8", "int8/row"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        ag_scheme scheme;
        assert_ok(ag_scheme_parse(&scheme, names[i]));
        make(&s_a, 0);
        tiny_quantise_all(&s_a, scheme);
        tiny_start(&s_a);
        tiny_weight(&s_a, AG_T_ATTN_PROJ_W, 1)[3] = NAN;
        ag_trainer_step(&s_a.trainer);
        assert_string_equal(s_a.record.nonfinite,
                            "NaN in the weight of transformer.h.1.attn.c_proj, step 0");
        tiny_end(&s_a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flips),
        cmocka_unit_test(test_flips_of_blocks),
        cmocka_unit_test(test_gradient),
        cmocka_unit_test(test_shadow_ignores_formats),
        cmocka_unit_test(test_dead_gradients),
        cmocka_unit_test(test_grid),
        cmocka_unit_test(test_grid_of_vanished_blocks),
        cmocka_unit_test(test_rank),
        cmocka_unit_test(test_rank_of_dead_layers),
        cmocka_unit_test(test_grid_of_weights_that_are_not_finite),
        cmocka_unit_test(test_nonfinite_is_found),
        cmocka_unit_test(test_nonfinite_of_a_quantiser),
        cmocka_unit_test(test_nonfinite_among_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
