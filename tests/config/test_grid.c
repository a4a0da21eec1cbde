/* Grid arithmetic against counts made by hand, folding, and the typed values of axes. */
#include "config/config_support.h"

#include <stdlib.h>

static void expect_counts(const char *yaml, size_t labels, size_t runs)
{
    ag_experiment *experiment = load_good(yaml);
    const ag_grid *grid = ag_experiment_grid(experiment);
    assert_int_equal(grid->n_labels, labels);
    assert_int_equal(grid->n_runs, runs);
    ag_experiment_destroy(experiment);
}

static void test_axes_multiply(void **state)
{
    (void)state;
    expect_counts(HEAD, 1, 1);
    expect_counts(HEAD "formats: [E5M2, E4M3]\nseeds: 3\n", 6, 6);
    expect_counts(HEAD "formats: [E5M2, E4M3]\nseeds: 3\naxes: {optimizer.lr: [1e-3, 1e-4], "
                       "model.gelu: [exact, tanh]}\n",
                  24, 24);
}

/* 2 formats x 2 configs x 3 seeds; one format dropped under one config, one seed everywhere:
 * 12 - 3 - 4 + 1 that both drop = 6. */
static void test_excludes_overlap(void **state)
{
    (void)state;
    expect_counts(HEAD "formats: [E5M2, E4M3]\nseeds: 3\n"
                       "layer_configs: {a: {format: $format}, b: {format: $format, skip_patterns: "
                       "[lm_head]}}\n"
                       "exclude: [{format: E5M2, layers: a}, {seed: 2}]\n",
                  6, 6);
    expect_counts(HEAD "formats: [E5M2, E4M3, E3M4]\nseeds: 3\n"
                       "exclude: [{format: [E5M2, E3M4], seed: [0, 2]}]\n",
                  5, 5);
}

/* An include multiplies the axes that it leaves out, skips what the grid has already, and may name
 * points that no axis lists. */
static void test_includes_add(void **state)
{
    (void)state;
    expect_counts(HEAD "formats: [E5M2, E4M3]\nseeds: 3\ninclude: [{format: E3M4}]\n", 9, 9);
    expect_counts(HEAD "formats: [E5M2, E4M3]\nseeds: 3\ninclude: [{format: E5M2}]\n", 6, 6);
    expect_counts(HEAD "formats: [E5M2]\nseeds: 3\ninclude: [{seed: [2, 3, 10]}, {seed: 10}]\n", 5,
                  5);
    expect_counts(HEAD "formats: [E5M2, E4M3]\naxes: {optimizer.lr: [1e-3, 1e-4]}\n"
                       "exclude: [{format: E4M3}]\n"
                       "include: [{format: E4M3, optimizer.lr: 6e-4}]\n",
                  3, 3);
}

static void test_exclude_compares_by_type(void **state)
{
    (void)state;
    expect_counts(HEAD "axes: {optimizer.lr: [6e-4, 1e-3]}\nexclude: [{optimizer.lr: 0.0006}]\n", 1,
                  1);
    expect_counts(HEAD "axes: {model.n_layer: [1, 2]}\nexclude: [{model.n_layer: 02}]\n", 1, 1);
    expect_counts(HEAD "formats: [BF16, E5M2]\nexclude: [{format: e5m2}]\n", 1, 1);
    expect_counts(HEAD "formats: [BF16, E5M2]\nexclude: [{format: null}]\n", 1, 1);
    expect_counts(HEAD "axes: {optimizer.betas: [[0.9, 0.99], [0.9, 0.95]]}\n"
                       "exclude: [{optimizer.betas: [0.90, 0.95]}]\n",
                  1, 1);
}

static void test_seeds_take_three_forms(void **state)
{
    (void)state;
    static const struct {
        const char *yaml;
        int64_t seeds[3];
    } cases[] = {
        {HEAD "seeds: 3\n",                    {0, 1, 2}   },
        {HEAD "seeds: [1, 2, 42]\n",           {1, 2, 42}  },
        {HEAD "seeds: {from: 10, count: 3}\n", {10, 11, 12}},
    };
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        ag_experiment *experiment = load_good(cases[c].yaml);
        const ag_grid *grid = ag_experiment_grid(experiment);
        assert_int_equal(grid->n_runs, 3);
        for (size_t r = 0; r < 3; r++) {
            assert_int_equal(grid->runs[r].seed, cases[c].seeds[r]);
            assert_int_equal(grid->labels[r].values[2].integer, cases[c].seeds[r]);
        }
        ag_experiment_destroy(experiment);
    }
}

static void test_axes_stand_in_order_with_types(void **state)
{
    (void)state;
    ag_experiment *experiment =
        load_good(HEAD "seeds: 2\nformats: [E5M2]\n"
                       "axes: {optimizer.lr: [6e-4], model.n_layer: [2], data.vocab: [9], "
                       "model.bias: [true], size: {s: {model.n_embd: 64}}}\n");
    const ag_grid *grid = ag_experiment_grid(experiment);
    static const struct {
        const char *name;
        ag_axis_type type;
    } wanted[] = {
        {"format",        AG_AXIS_TEXT},
        {"layers",        AG_AXIS_TEXT},
        {"optimizer.lr",  AG_AXIS_REAL},
        {"model.n_layer", AG_AXIS_INT },
        {"data.vocab",    AG_AXIS_INT },
        {"model.bias",    AG_AXIS_TEXT},
        {"size",          AG_AXIS_TEXT},
        {"seed",          AG_AXIS_INT },
    };
    assert_int_equal(grid->n_axes, 8);
    for (size_t a = 0; a < 8; a++) {
        assert_string_equal(grid->axes[a].name, wanted[a].name);
        assert_int_equal(grid->axes[a].type, wanted[a].type);
    }
    assert_string_equal(grid->labels[0].values[2].text, "6e-4");
    assert_true(grid->labels[0].values[2].real == 6e-4);
    assert_int_equal(grid->labels[1].values[7].integer, 1); /* the seed runs fastest */
    const ag_run *run = &grid->runs[0];
    assert_true(run->optimizer.lr == 6e-4 && run->model.bias);
    assert_int_equal(run->model.n_layer, 2);
    assert_int_equal(run->model.n_embd, 64);
    assert_int_equal(run->facts.vocab_size, 9);
    ag_experiment_destroy(experiment);
}

static void test_equal_runs_fold(void **state)
{
    (void)state;
    ag_experiment *experiment = load_good(
        HEAD "formats: [BF16, E5M2, {name: nulls, weight: null, input: bf16, grad_output: none}]\n"
             "layer_configs:\n"
             "  a: {format: $format}\n"
             "  b: {format: $format, skip_patterns: [lm_head]}\n"
             "  c: {format: null}\n");
    const ag_grid *grid = ag_experiment_grid(experiment);
    /* E5M2 under a and b differ; everything else is the BF16 run */
    assert_int_equal(grid->n_labels, 9);
    assert_int_equal(grid->n_runs, 3);
    size_t bf16 = find_label(grid, "format", "BF16", NULL, NULL)->run;
    size_t carried = 0;
    for (size_t i = 0; i < grid->n_labels; i++)
        carried += grid->labels[i].run == bf16;
    assert_int_equal(carried, 7);
    assert_int_equal(find_label(grid, "format", "nulls", "layers", "b")->run, bf16);
    assert_int_equal(find_label(grid, "format", "E5M2", "layers", "c")->run, bf16);
    assert_int_equal(ag_experiment_counted(experiment).folded, 6);
    ag_experiment_destroy(experiment);
}

static void first_id(char id[AG_ID_LENGTH + 1], const char *yaml)
{
    ag_experiment *experiment = load_good(yaml);
    memcpy(id, ag_experiment_grid(experiment)->runs[0].id, AG_ID_LENGTH + 1);
    ag_experiment_destroy(experiment);
}

static void expect_same_id(const char *a, const char *b, bool same)
{
    char first[AG_ID_LENGTH + 1];
    char second[AG_ID_LENGTH + 1];
    first_id(first, a);
    first_id(second, b);
    if ((strcmp(first, second) == 0) != same)
        fail_msg("ids %s and %s of\n%sand\n%s", first, second, a, b);
}

/* Names, order, paths and what is only observed stay outside the id. */
static void test_id_holds_what_is_computed(void **state)
{
    (void)state;
    expect_same_id(HEAD "formats: [E5M2]\n", HEAD "formats: [{name: x, all: e5m2ieee}]\nname: y\n",
                   true);
    expect_same_id(HEAD, HEAD "eval: {every: 7}\nrun: {retries: 3}\noutput: {weights: none}\n",
                   true);
    expect_same_id(HEAD, HEAD "optimizer: {lr: 0.0010}\n", true);
    expect_same_id(HEAD, HEAD "optimizer: {lr: 2e-3}\n", false);
    expect_same_id(HEAD, HEAD "seeds: [1]\n", false);
    expect_same_id(HEAD, HEAD "formats: [FP32]\n", false);
    expect_same_id(HEAD "formats: [E5M2]\n", HEAD "formats: [E4M3]\n", false);
}

static void test_an_axis_overrides_the_section(void **state)
{
    (void)state;
    ag_experiment *experiment =
        load_good(HEAD "model: {n_layer: 3}\noptimizer: {lr: 5}\n"
                       "axes: {size: {small: {model.n_layer: 1}, same: {}}}\n");
    const ag_grid *grid = ag_experiment_grid(experiment);
    assert_int_equal(grid->runs[0].model.n_layer, 1);
    assert_int_equal(grid->runs[1].model.n_layer, 3);
    assert_true(grid->runs[1].optimizer.lr == 5);
    ag_experiment_destroy(experiment);
}

static void test_types_never_come_from_yaml(void **state)
{
    (void)state;
    ag_experiment *experiment =
        load_good(HEAD "name: no\ntrain: {steps: 010}\noptimizer: {lr: 6e-4}\n"
                       "layer_configs: {off: {format: $format}, 1e3: {format: null}}\n");
    const ag_grid *grid = ag_experiment_grid(experiment);
    assert_string_equal(grid->name, "no");
    assert_int_equal(grid->runs[0].train.steps, 10);
    assert_string_equal(grid->labels[0].values[1].text, "off");
    assert_string_equal(grid->labels[1].values[1].text, "1e3");
    ag_experiment_destroy(experiment);
}

static void test_compare(void **state)
{
    (void)state;
    ag_experiment *experiment =
        load_good(HEAD "formats: [E5M2, BF16]\nseeds: 5\n"
                       "compare: {baseline: {format: bf16, seed: 1}, margin: 0.02}\n");
    const ag_compare *compare = &ag_experiment_grid(experiment)->compare;
    assert_string_equal(compare->baseline[0].text, "BF16");
    assert_null(compare->baseline[1].text);
    assert_int_equal(compare->baseline[2].integer, 1);
    assert_string_equal(compare->metric, "final_val_loss");
    assert_true(compare->margin == 0.02);
    ag_experiment_destroy(experiment);
    experiment = load_good(HEAD "formats: [E5M2, BF16]\n");
    assert_string_equal(ag_experiment_grid(experiment)->compare.baseline[0].text, "BF16");
    ag_experiment_destroy(experiment);
}

static void test_set_lies_over_the_file(void **state)
{
    (void)state;
    const char *sets[] = {"train.steps=7", "optimizer.betas=[0.5, 0.6]", "output.file=/x.h5"};
    ag_text messages;
    ag_text_init(&messages);
    ag_experiment *experiment = NULL;
    assert_ok(ag_experiment_load(&experiment, "config/messages/set.base",
                                 &(ag_experiment_options){.sets = sets, .n_sets = 3}, &messages));
    const ag_run *run = &ag_experiment_grid(experiment)->runs[0];
    assert_int_equal(run->train.steps, 7);
    assert_true(run->optimizer.betas[1] == 0.6);
    assert_string_equal(run->output.file, "/x.h5");
    ag_experiment_destroy(experiment);
    ag_text_deinit(&messages);
}

/* As shells do; the path of the results stays as it was written. */
static void test_paths_are_expanded(void **state)
{
    (void)state;
    char here[4096];
    char wanted[4200];
    ag_text messages;
    ag_text_init(&messages);
    ag_experiment *experiment = NULL;
    assert_non_null(realpath("config", here));
    snprintf(wanted, sizeof wanted, "%s/data/small.txt", here);
    setenv("AG_CONFIG", here, 1);
    setenv("HOME", here, 1);
    setenv("XDG_CACHE_HOME", "/dev/null", 1); /* nothing is left in the sources */
    static const char *const texts[] = {"data.text=$AG_CONFIG/data/small.txt",
                                        "data.text=~/data/small.txt",
                                        "data.text=${AG_CONFIG}/data/small.txt"};
    for (size_t i = 0; i < 3; i++) {
        const char *sets[] = {texts[i], "output.file=$AG_CONFIG/x.h5"};
        assert_ok(ag_experiment_load(&experiment, "config/paths.yaml",
                                     &(ag_experiment_options){.sets = sets, .n_sets = 2},
                                     &messages));
        const ag_run *run = &ag_experiment_grid(experiment)->runs[0];
        assert_string_equal(run->data.text, wanted);
        assert_string_equal(run->output.file, "$AG_CONFIG/x.h5");
        ag_experiment_destroy(experiment);
    }
    unsetenv("AG_UNSET");
    const char *bad[] = {"output.file=$AG_UNSET/x.h5"};
    assert_int_equal(ag_experiment_load(&experiment, "config/paths.yaml",
                                        &(ag_experiment_options){.sets = bad, .n_sets = 1},
                                        &messages),
                     AG_ERR_INPUT);
    assert_non_null(strstr(messages.data, "--set:1:13: error: output.file '$AG_UNSET/x.h5': the "
                                          "environment variable AG_UNSET is not set"));
    ag_text_deinit(&messages);
}

/* Paths of data are the experiment file's own; those on the command line are the shell's. */
static void test_paths_become_absolute(void **state)
{
    (void)state;
    char here[4096];
    char wanted[4200];
    ag_text messages;
    ag_text_init(&messages);
    ag_experiment *experiment = NULL;
    assert_non_null(realpath("config", here));
    snprintf(wanted, sizeof wanted, "%s/data/small.txt", here);
    assert_ok(ag_experiment_load(&experiment, "config/paths.yaml", NULL, &messages));
    assert_string_equal(ag_experiment_grid(experiment)->runs[0].data.text, wanted);
    char first[AG_ID_LENGTH + 1];
    memcpy(first, ag_experiment_grid(experiment)->runs[0].id, sizeof first);
    ag_experiment_destroy(experiment);
    const char *sets[] = {"data.text=config/data/small.txt"};
    assert_ok(ag_experiment_load(&experiment, "config/paths.yaml",
                                 &(ag_experiment_options){.sets = sets, .n_sets = 1}, &messages));
    assert_string_equal(ag_experiment_grid(experiment)->runs[0].data.text, wanted);
    assert_string_equal(ag_experiment_grid(experiment)->runs[0].id, first);
    ag_experiment_destroy(experiment);
    ag_text_deinit(&messages);
}

/* 6 formats x 3 layer configs x 2 rates x 2 sizes x 6 seeds = 432; the exclude drops 2 x 2 x 6 =
 * 24, the include adds 2 x 6 = 12; BF16 is the same under three configs: 2 x 2 x 6 labels fold
 * twice. */
static void test_the_whole_language(void **state)
{
    (void)state;
    ag_text messages;
    ag_text_init(&messages);
    ag_experiment *experiment = NULL;
    assert_ok(ag_experiment_load(&experiment, "config/whole.yaml", NULL, &messages));
    ag_experiment_counts counts = ag_experiment_counted(experiment);
    assert_int_equal(counts.multiplied, 432);
    assert_int_equal(counts.excluded, 24);
    assert_int_equal(counts.included, 12);
    assert_int_equal(counts.folded, 48);
    assert_int_equal(ag_experiment_grid(experiment)->n_runs, 372);
    assert_int_equal(ag_experiment_grid(experiment)->n_labels, 420);
    assert_string_equal(messages.data, "");
    ag_experiment_destroy(experiment);
    ag_text_deinit(&messages);
}

static void test_warnings(void **state)
{
    (void)state;
    expect_warning(HEAD "formats: [BF16, E5M2]\nseeds: 2\ncompare: {margin: 0.01}\n",
                   "2 seeds may not settle a margin of 0.01");
    expect_warning(HEAD "formats: [BF16, E5M2]\nseeds: 2\nexclude: [{format: BF16, seed: 1}]\n",
                   "1 of 3 combinations have no baseline partner");
    expect_warning(HEAD "formats: [E5M2]\nlayer_configs: {a: {format: E4M3}}\n",
                   "no layer config uses format 'E5M2'");
}

static void test_grids_that_are_too_large(void **state)
{
    (void)state;
    expect_error(HEAD "seeds: 10000\naxes: {optimizer.lr: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]}\n",
                 "more than 100000 combinations");
    expect_error(HEAD "seeds: 10001\n", "expected 1 to 10000 seeds");
    expect_error(HEAD "formats: [E5M2]\nexclude: [{format: E5M2}]\n", "the grid is empty");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_axes_multiply),
        cmocka_unit_test(test_excludes_overlap),
        cmocka_unit_test(test_includes_add),
        cmocka_unit_test(test_exclude_compares_by_type),
        cmocka_unit_test(test_seeds_take_three_forms),
        cmocka_unit_test(test_axes_stand_in_order_with_types),
        cmocka_unit_test(test_equal_runs_fold),
        cmocka_unit_test(test_id_holds_what_is_computed),
        cmocka_unit_test(test_an_axis_overrides_the_section),
        cmocka_unit_test(test_types_never_come_from_yaml),
        cmocka_unit_test(test_compare),
        cmocka_unit_test(test_set_lies_over_the_file),
        cmocka_unit_test(test_paths_become_absolute),
        cmocka_unit_test(test_paths_are_expanded),
        cmocka_unit_test(test_the_whole_language),
        cmocka_unit_test(test_warnings),
        cmocka_unit_test(test_grids_that_are_too_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
