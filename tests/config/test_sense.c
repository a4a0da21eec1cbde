/* Settings that are valid and cannot be meant so, and a warm-up as a share of the run. */
#include "config/config_support.h"

#include <stdlib.h>

/* The messages of `yaml`, which loads. */
static void load_messages(ag_text *messages, const char *yaml)
{
    ag_experiment *experiment = NULL;
    assert_ok(load_bytes(&experiment, yaml, strlen(yaml), messages));
    ag_experiment_destroy(experiment);
}

static void expect_silence(const char *yaml)
{
    ag_text messages;
    load_messages(&messages, yaml);
    assert_string_equal(messages.data, "");
    ag_text_deinit(&messages);
}

static void expect_same_id(const char *a, const char *b)
{
    ag_experiment *first = load_good(a);
    ag_experiment *second = load_good(b);
    assert_string_equal(ag_experiment_grid(first)->runs[0].id,
                        ag_experiment_grid(second)->runs[0].id);
    ag_experiment_destroy(first);
    ag_experiment_destroy(second);
}

/* 5 % of 2000 is 100; of 30 it is 1.5, and the nearest above is 2; 12.5 % of 44 is 5.5. */
static void test_a_share_is_the_steps_it_comes_to(void **state)
{
    (void)state;
    expect_same_id(HEAD, HEAD "optimizer: {warmup: 5%}\n");
    expect_same_id(HEAD "optimizer: {warmup: 5 %}\n", HEAD "optimizer: {warmup: 100}\n");
    expect_same_id(HEAD "optimizer: {warmup: 0%}\n", HEAD "optimizer: {warmup: 0}\n");
    expect_same_id(HEAD "train: {steps: 30}\noptimizer: {warmup: 5%}\n",
                   HEAD "train: {steps: 30}\noptimizer: {warmup: 2}\n");
    expect_same_id(HEAD "train: {steps: 44}\noptimizer: {warmup: 12.5%}\n",
                   HEAD "train: {steps: 44}\noptimizer: {warmup: 6}\n");
    expect_same_id(HEAD "train: {steps: 2147483647}\noptimizer: {warmup: 100%}\n",
                   HEAD "train: {steps: 2147483647}\noptimizer: {warmup: 2147483647}\n");
    static const char *const bad[] = {"101%", "-5%", "5%%", "%", "0.05", "five%"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char yaml[256];
        snprintf(yaml, sizeof yaml, HEAD "optimizer: {warmup: '%s'}\n", bad[i]);
        expect_error(yaml, "expected whole number, 0 to 2147483647, or a share of train.steps");
    }
}

/* A share of each run's own steps, also where either stands on an axis. */
static void test_a_share_on_axes(void **state)
{
    (void)state;
    ag_experiment *experiment =
        load_good(HEAD "optimizer: {warmup: 10%}\naxes: {train.steps: [50, 200]}\n");
    const ag_grid *grid = ag_experiment_grid(experiment);
    assert_int_equal(grid->runs[0].optimizer.warmup, 5);
    assert_int_equal(grid->runs[1].optimizer.warmup, 20);
    ag_experiment_destroy(experiment);

    experiment = load_good(HEAD "axes: {optimizer.warmup: [7, 8, 10%]}\n"
                                "exclude: [{optimizer.warmup: [8, 10.0%]}]\n"
                                "include: [{optimizer.warmup: 20%}]\n");
    grid = ag_experiment_grid(experiment);
    assert_int_equal(grid->n_labels, 2);
    assert_int_equal(grid->axes[2].type, AG_AXIS_TEXT); /* a share is no number */
    assert_string_equal(grid->labels[0].values[2].text, "7");
    assert_string_equal(grid->labels[1].values[2].text, "20%");
    assert_int_equal(grid->runs[0].optimizer.warmup, 7);
    assert_int_equal(grid->runs[1].optimizer.warmup, 400);
    ag_experiment_destroy(experiment);
}

static void test_a_warmup_without_end(void **state)
{
    (void)state;
    expect_warning(HEAD "train: {steps: 50}\n",
                   ":3:16: warning: a warm-up of 100 steps (optimizer.warmup, the default) in a "
                   "run of 50 (train.steps) never reaches optimizer.lr; make it shorter");
    expect_warning(HEAD "train: {steps: 20}\noptimizer: {warmup: 400}\n",
                   ":4:21: warning: a warm-up of 400 steps (optimizer.warmup) in a run of 20 ");
    expect_warning(HEAD "optimizer: {warmup: 100%}\n", "a warm-up of 2000 steps");
    expect_warning(HEAD "axes: {train.steps: [50, 80, 100, 200]}\nformats: [BF16, E4M3]\n",
                   "so it is in 6 of 8 combinations: train.steps=50, train.steps=80, "
                   "train.steps=100; make it shorter");
    expect_warning(HEAD "axes: {size: {s: {train.steps: 10, optimizer.warmup: 1}, "
                        "l: {train.steps: 300, optimizer.warmup: 300}}}\n",
                   "in 1 of 2 combinations: size=l;");
    expect_silence(HEAD "train: {steps: 101}\n");
    expect_silence(HEAD "train: {steps: 0}\n");
    expect_silence(HEAD "train: {steps: 5}\noptimizer: {warmup: 0}\n");
}

/* However many runs it concerns. */
static void test_one_warning_a_grid(void **state)
{
    (void)state;
    ag_text messages;
    load_messages(&messages,
                  HEAD "axes: {train.steps: [50, 80], optimizer.lr: [1, 2]}\nseeds: 3\n");
    const char *first = strstr(messages.data, "warning");
    assert_non_null(first);
    assert_null(strstr(first + 1, "warning"));
    ag_text_deinit(&messages);
}

static void test_keys_that_no_run_reads(void **state)
{
    (void)state;
    expect_warning(HEAD "optimizer: {type: sgd, betas: [0.9, 0.95]}\n",
                   ":3:31: warning: optimizer.betas has no effect in any run: only optimizer.type "
                   "adamw, manifold_adamw, lion and muon read it");
    expect_warning(HEAD "optimizer: {type: lion, eps: 1e-6, betas: [0.9, 0.95]}\n",
                   ":3:30: warning: optimizer.eps has no effect in any run: only optimizer.type "
                   "adamw, manifold_adamw and muon read it");
    expect_warning(HEAD "optimizer: {adamw_lr: 1e-3, muon_ns: bf16}\n",
                   ":3:23: warning: optimizer.adamw_lr has no effect in any run: only "
                   "optimizer.type muon reads it");
    expect_warning(HEAD "optimizer: {type: muon, momentum: 0.9}\n",
                   "optimizer.momentum has no effect");
    expect_warning(HEAD "optimizer: {momentum: 0.5}\n", "optimizer.momentum has no effect");
    expect_warning(HEAD "optimizer: {decay_fraction: 0.1}\n", "only optimizer.schedule wsd");
    expect_warning(HEAD "optimizer: {schedule: constant, min_lr_ratio: 0.5}\n",
                   "optimizer.min_lr_ratio has no effect");
    expect_warning(HEAD "optimizer: {type: sgd}\naxes: {optimizer.eps: [1e-8, 1e-6]}\n",
                   "optimizer.eps has no effect");
    expect_warning(HEAD "train: {data_order: sequential, data_seed: 4}\n",
                   "train.data_seed has no effect");
    expect_warning(HEAD "optimizer: {independent_decay: true, weight_decay: 0}\n",
                   "optimizer.independent_decay has no effect in any run: optimizer.weight_decay "
                   "is 0");
    expect_warning(HEAD "optimizer: {store_error: kahan}\n",
                   "optimizer.store_error has no effect in any run: no site opt.w has a format");
    expect_silence(HEAD "optimizer: {momentum: 0.5}\naxes: {optimizer.type: [adamw, sgd]}\n");
    expect_silence(HEAD "optimizer: {schedule: wsd, decay_fraction: 0.1}\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_share_is_the_steps_it_comes_to),
        cmocka_unit_test(test_a_share_on_axes),
        cmocka_unit_test(test_a_warmup_without_end),
        cmocka_unit_test(test_one_warning_a_grid),
        cmocka_unit_test(test_keys_that_no_run_reads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
