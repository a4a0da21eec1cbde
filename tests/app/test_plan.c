/* What a plan says of costs, against numbers that were worked out by hand. */
#include <string.h>

#include "plan.h"
#include "run/params.h"
#include "support.h"

enum { LAYERS = 5 };

static ag_layer_precision s_layers[LAYERS];

/* C = 16, T = 8, V = 4, one block. Of a token's forward pass: c_attn 2 * 16 * 48 = 1536,
 * attn.c_proj 512, c_fc and mlp.c_proj 2048 each, lm_head 128, together 6272; attention 4 * 16 * 8
 * = 512. */
static ag_run small_run(void)
{
    ag_run run;
    memset(s_layers, 0, sizeof s_layers);
    ag_run_defaults(&run);
    run.model.n_layer = 1;
    run.model.n_head = 1;
    run.model.n_embd = 16;
    run.model.block_size = 8;
    run.train.steps = 10;
    run.train.batch_size = 2;
    run.eval = (ag_eval_spec){.every = 5, .windows = 3, .batch = 1};
    run.facts.vocab_size = 4;
    run.facts.train_tokens = 100;
    run.facts.val_tokens = 33; /* 4 windows */
    run.layers = s_layers;
    return run;
}

enum {
    FORWARD = 6272 + 512,
    TOKENS = 10 * 2 * 8,
    EVAL_TOKENS = (2 * 3 + 4) * 8, /* twice on 3 windows, once on all, with quantisers */
};

static void operations_are_counted(void **state)
{
    const ag_run run = small_run();
    const ag_plan_cost cost = ag_plan_run_cost(&run);
    (void)state;
    assert_true(cost.tokens == TOKENS);
    assert_true(cost.flops == 3.0 * FORWARD * TOKENS + 2.0 * FORWARD * EVAL_TOKENS);
    assert_true(cost.accumulated == 0);
}

static void products_with_accumulators_are_counted_apart(void **state)
{
    const ag_run run = small_run();
    (void)state;
    s_layers[0].accumulate[AG_WGRAD].kind = AG_ACCUMULATE_CHAIN;
    assert_true(ag_plan_run_cost(&run).accumulated == 1536.0 * TOKENS);
    s_layers[4].accumulate[AG_FPROP].kind = AG_ACCUMULATE_CHAIN;
    assert_true(ag_plan_run_cost(&run).accumulated ==
                1536.0 * TOKENS + 128.0 * (TOKENS + EVAL_TOKENS));
}

/* A second of each kind. */
static void a_guess_adds_up_both_speeds(void **state)
{
    ag_plan_cost cost = {.flops = 100e9};
    (void)state;
    assert_true(ag_plan_guess_s(&cost) == 1);
    cost = (ag_plan_cost){.flops = 106e9, .accumulated = 6e9};
    assert_true(ag_plan_guess_s(&cost) == 2);
}

/* 20 s were taken where 10 were guessed: what is left takes twice as long as guessed, on the
 * longest run where ranks are many. */
static void runs_that_were_timed_scale_the_guess(void **state)
{
    ag_run run = small_run();
    ag_run runs[2];
    const bool selected[] = {true, true};
    const ag_grid grid = {.n_runs = 2, .runs = runs};
    ag_held_run of[2] = {{.state = AG_HELD_NOT}};
    ag_holdings held = {
        .runs = of, .n_timed = 3, .timed_s = 20, .timed_flops = 1e12, .timed_guess_s = 10};
    ag_text text;
    (void)state;
    run.train.steps = 2000000000; /* 3 * 6784 * 16 * 2e9 = 6.5e14 operations, 6513 s */
    run.train.batch_size = 2;
    run.eval.every = 0;
    runs[0] = runs[1] = run;
    ag_text_init(&text);
    assert_int_equal(ag_plan_models(&text, &grid, selected, 1, &held), AG_OK);
    assert_non_null(strstr(text.data, "core time  7.2 h (by 3 of the runs"));
    assert_non_null(strstr(text.data, "50 GFLOP/s per core"));
    assert_non_null(strstr(text.data, "wall time  7.2 h with 1 rank"));
    ag_text_deinit(&text);
    ag_text_init(&text);
    held.n_timed = 0;
    assert_int_equal(ag_plan_models(&text, &grid, selected, 8, &held), AG_OK);
    assert_non_null(strstr(text.data, "core time  3.6 h (a rough guess at 100 GFLOP/s"));
    assert_non_null(strstr(text.data, "wall time  109 min with 8 ranks"));
    ag_text_deinit(&text);
    ag_text_init(&text);
    of[1].trunk = run.train.steps / 2; /* three quarters of the work are left */
    assert_int_equal(ag_plan_models(&text, &grid, selected, 1, &held), AG_OK);
    assert_non_null(strstr(text.data, "core time  2.7 h (a rough guess"));
    ag_text_deinit(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operations_are_counted),
        cmocka_unit_test(products_with_accumulators_are_counted_apart),
        cmocka_unit_test(a_guess_adds_up_both_speeds),
        cmocka_unit_test(runs_that_were_timed_scale_the_guess),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
