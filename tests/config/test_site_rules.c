/* Which rules route sites, and which leave them alone. */
#include "config/config_support.h"
#include "run/layers.h"
#include "run/sites.h"

#define TWO HEAD "model: {n_layer: 2}\nformats: [BF16, E5M2, E4M3]\n"

/* The names of the sites that are on and the format of their first tensor, one after the other. */
static void describe(char *text, size_t size, const ag_run *run)
{
    text[0] = '\0';
    for (size_t i = 0; run->sites != NULL && i < ag_site_count(&run->model); i++) {
        ag_site site = ag_site_at(&run->model, i);
        const ag_scheme *scheme = &run->sites[i].scheme[site.tensors[0].role][0];
        if (scheme->quantised)
            snprintf(text + strlen(text), size - strlen(text), "%s %s\n", site.name,
                     scheme->format.name);
    }
}

/* One layer config under format E5M2. */
static void check(const char *config, const char *wanted)
{
    char yaml[2048];
    char got[4096];
    snprintf(yaml, sizeof yaml, "%slayer_configs:\n  x: %s\n", TWO, config);
    ag_experiment *experiment = load_good(yaml);
    const ag_grid *grid = ag_experiment_grid(experiment);
    describe(got, sizeof got, &grid->runs[find_label(grid, "format", "E5M2", NULL, NULL)->run]);
    assert_string_equal(got, wanted);
    ag_experiment_destroy(experiment);
}

static void test_sites_are_off_by_default(void **state)
{
    (void)state;
    check("{format: $format}", "");
    check("{mixed_precision: {attention: $format, mlp: $format, default: $format}}", "");
    check("{layer_rules: [{pattern: lm_head, format: null}], default_format: $format}", "");
    /* patterns that match layers, and would match sites too */
    check("{layer_rules: [{pattern: '.', format: $format}]}", "");
    check("{layer_rules: [{pattern: attn, format: $format}]}", "");
    check("{layer_rules: [{pattern: 'h\\.1', format: $format}]}", "");
    check("{layer_rules: [{pattern: '^lm_head', format: $format}]}", "");
}

static void test_patterns_that_match_no_layer_route_sites(void **state)
{
    (void)state;
    check("{layer_rules: [{pattern: '\\.attn\\.(qk|pv)$', format: $format}]}",
          "transformer.h.0.attn.pv e5m2ieee\ntransformer.h.0.attn.qk e5m2ieee\n"
          "transformer.h.1.attn.pv e5m2ieee\ntransformer.h.1.attn.qk e5m2ieee\n");
    check("{layer_rules: [{pattern: '^lm_head\\.opt', format: E4M3}], default_format: $format}",
          "lm_head.opt.m e4m3fn\nlm_head.opt.v e4m3fn\n");
    check("{layer_rules: [{pattern: '1\\.attn\\..*wgrad', format: $format}]}",
          "transformer.h.1.attn.c_attn.wgrad e5m2ieee\n"
          "transformer.h.1.attn.c_proj.wgrad e5m2ieee\n");
}

static void test_first_match_wins_among_them(void **state)
{
    (void)state;
    check("{layer_rules: [{pattern: '0\\.residual$', format: null}, {pattern: attn, format: null}, "
          "{pattern: residual, format: E4M3}]}",
          "transformer.h.1.residual e4m3fn\n");
    /* what names layers takes no sites from later rules */
    check("{layer_rules: [{pattern: '\\.attn\\.', format: $format}, {pattern: 'qk$', format: "
          "E4M3}]}",
          "transformer.h.0.attn.qk e4m3fn\ntransformer.h.1.attn.qk e4m3fn\n");
}

static size_t runs_of(const char *tail)
{
    char yaml[2048];
    snprintf(yaml, sizeof yaml, "%s%s", HEAD, tail);
    ag_experiment *experiment = load_good(yaml);
    size_t runs = ag_experiment_grid(experiment)->n_runs;
    ag_experiment_destroy(experiment);
    return runs;
}

static void test_null_sites_fold(void **state)
{
    (void)state;
    /* null with and without the rule is one run, E4M3 is two */
    assert_int_equal(runs_of("formats: [null, E4M3]\n"
                             "layer_configs:\n"
                             "  plain: {layer_rules: [{pattern: mlp, format: $format}]}\n"
                             "  sites: {layer_rules: [{pattern: mlp, format: $format}, "
                             "{pattern: qk, format: $format}]}\n"),
                     3);
    /* q and k alone are routed by 'input': a format without it leaves them so */
    assert_int_equal(
        runs_of("formats: [null, {name: w, weight: E4M3}]\n"
                "layer_configs: {x: {layer_rules: [{pattern: qk, format: $format}]}}\n"),
        1);
    /* nothing is rounded in float32 */
    assert_int_equal(runs_of("formats: [FP32]\n"
                             "layer_configs: {x: {layer_rules: [{pattern: qk, format: $format}]}, "
                             "y: {format: $format}}\n"),
                     1);
    /* without a step there is no gradient and no moment */
    assert_int_equal(runs_of("formats: [BF16, E4M3]\ntrain: {steps: 0}\n"
                             "layer_configs: {x: {layer_rules: [{pattern: wgrad, format: $format}, "
                             "{pattern: 'opt\\.', format: $format}]}}\n"),
                     1);
}

/* BF16 is a format where values are float32, as the residual stream's are, and none for q and k. */
static void test_bf16_is_a_format_of_some_sites(void **state)
{
    (void)state;
    assert_int_equal(runs_of("formats: [BF16]\n"
                             "layer_configs:\n"
                             "  plain: {format: $format}\n"
                             "  stream: {layer_rules: [{pattern: residual, format: $format}]}\n"
                             "  none: {layer_rules: [{pattern: residual, format: null}]}\n"),
                     2);
    check("{layer_rules: [{pattern: '0\\.attn\\.(qk|pv)$', format: {input: BF16, grad_output: "
          "null}}]}",
          "transformer.h.0.attn.pv bf16\n");
}

/* A moment that the optimizer does not keep is no part of the run. */
static void test_moments_are_those_of_the_optimizer(void **state)
{
    (void)state;
    static const struct {
        const char *optimizer;
        const char *last;
    } cases[] = {
        {"{type: adamw}",                  "lm_head.opt.m e4m3fn\nlm_head.opt.v e4m3fn\n"},
        {"{type: adamw, betas: [0, 0.9]}", "lm_head.opt.v e4m3fn\n"                      },
        {"{type: manifold_adamw}",         "lm_head.opt.m e4m3fn\nlm_head.opt.v e4m3fn\n"},
        {"{type: sgd}",                    "lm_head.opt.m e4m3fn\n"                      },
        {"{type: sgd, momentum: 0}",       ""                                            },
        {"{type: grid}",                   "lm_head.opt.m e4m3fn\n"                      },
        {"{type: lion}",                   "lm_head.opt.m e4m3fn\n"                      },
        {"{type: lion, betas: [0, 0.9]}",  ""                                            },
        {"{type: muon}",                   "lm_head.opt.m e4m3fn\nlm_head.opt.v e4m3fn\n"},
        {"{type: muon, muon_momentum: 0}", "lm_head.opt.m e4m3fn\nlm_head.opt.v e4m3fn\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char yaml[1024];
        char got[512];
        snprintf(yaml, sizeof yaml,
                 "%sformats: [E4M3]\nmodel: {n_layer: 1}\noptimizer: %s\n"
                 "layer_configs: {x: {layer_rules: [{pattern: 'head\\.opt', format: $format}], "
                 "default_format: $format}}\n",
                 HEAD, cases[i].optimizer);
        ag_experiment *experiment = load_good(yaml);
        describe(got, sizeof got, &ag_experiment_grid(experiment)->runs[0]);
        assert_string_equal(got, cases[i].last);
        ag_experiment_destroy(experiment);
    }
}

/* Muon keeps no second moment of the matrices in blocks, and a momentum of its own. */
static void test_moments_of_muon_differ_by_layer(void **state)
{
    (void)state;
    static const char *const optimizers[] = {"{type: muon}",
                                             "{type: muon, muon_momentum: 0, betas: [0, 0.9]}"};
    static const char *const expected[] = {
        "transformer.h.0.mlp.c_fc.opt.m e4m3fn\nlm_head.opt.m e4m3fn\nlm_head.opt.v e4m3fn\n",
        "lm_head.opt.v e4m3fn\n"};
    for (size_t i = 0; i < 2; i++) {
        char yaml[1024];
        char got[512];
        snprintf(yaml, sizeof yaml,
                 "%sformats: [E4M3]\nmodel: {n_layer: 1}\noptimizer: %s\n"
                 "layer_configs: {x: {layer_rules: [{pattern: '(head|c_fc)\\.opt', format: "
                 "$format}], default_format: $format}}\n",
                 HEAD, optimizers[i]);
        ag_experiment *experiment = load_good(yaml);
        describe(got, sizeof got, &ag_experiment_grid(experiment)->runs[0]);
        assert_string_equal(got, expected[i]);
        ag_experiment_destroy(experiment);
    }
}

/* Weights are stored in a format by a rule of their own alone: one that also names other sites
 * keeps its meaning. A tied lm_head's weights are the embedding's. */
static void test_stored_weights_need_a_rule_of_their_own(void **state)
{
    (void)state;
    check("{layer_rules: [{pattern: 'wte\\.opt', format: $format}]}",
          "transformer.wte.opt.w e5m2ieee\n");
    check("{layer_rules: [{pattern: 'c_fc\\.opt\\.w$', format: $format}]}",
          "transformer.h.0.mlp.c_fc.opt.w e5m2ieee\ntransformer.h.1.mlp.c_fc.opt.w e5m2ieee\n");
    check("{layer_rules: [{pattern: '(head|wte|wpe)\\.opt\\.w', format: BF16}]}",
          "transformer.wpe.opt.w bf16\ntransformer.wte.opt.w bf16\n");
    check("{layer_rules: [{pattern: 'head\\.opt\\.', format: $format}]}",
          "lm_head.opt.m e5m2ieee\nlm_head.opt.v e5m2ieee\n");
    expect_warning(
        TWO "layer_configs: {x: {layer_rules: [{pattern: '\\.opt\\.', format: $format}]}}\n",
        "matches transformer.h.0.attn.c_attn.opt.w, but other sites too, and routes those "
        "alone: to store weights in a format give them a rule of their own");
}

static void test_idle_sites_differ_by_run(void **state)
{
    (void)state;
    ag_experiment *experiment =
        load_good(HEAD "formats: [E4M3]\naxes: {train.steps: [0, 5]}\n"
                       "layer_configs: {x: {layer_rules: [{pattern: 'opt.m', format: $format}, "
                       "{pattern: residual, format: $format}]}}\nmodel: {n_layer: 1}\n");
    const ag_grid *grid = ag_experiment_grid(experiment);
    char got[512];
    describe(got, sizeof got, &grid->runs[find_label(grid, "train.steps", "0", NULL, NULL)->run]);
    assert_string_equal(got, "transformer.h.0.residual e4m3fn\n");
    describe(got, sizeof got, &grid->runs[find_label(grid, "train.steps", "5", NULL, NULL)->run]);
    assert_non_null(strstr(got, "lm_head.opt.m e4m3fn\n"));
    ag_experiment_destroy(experiment);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sites_are_off_by_default),
        cmocka_unit_test(test_patterns_that_match_no_layer_route_sites),
        cmocka_unit_test(test_first_match_wins_among_them),
        cmocka_unit_test(test_null_sites_fold),
        cmocka_unit_test(test_moments_are_those_of_the_optimizer),
        cmocka_unit_test(test_moments_of_muon_differ_by_layer),
        cmocka_unit_test(test_stored_weights_need_a_rule_of_their_own),
        cmocka_unit_test(test_bf16_is_a_format_of_some_sites),
        cmocka_unit_test(test_idle_sites_differ_by_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
