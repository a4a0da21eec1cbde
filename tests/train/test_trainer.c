/* Whole runs: how they begin, learn and end, and what they take. */
#include "scenarios.h"

static tiny s_a; /* large */
static tiny s_b;

/* Initial weights: sample mean and deviation of n normal numbers lie within 5 standard errors,
 * sigma / sqrt(n) and sigma / sqrt(2 n), of theirs. */
static void test_initial_weights_are_normal(void **state)
{
    (void)state;
    tiny_make(&s_a);
    s_a.run.model.n_embd = 64;
    tiny_start(&s_a);
    static const struct {
        ag_tensor_id id;
        double std;
    } cases[] = {
        {AG_T_C_FC_W,     0.02},
        {AG_T_MLP_PROJ_W, 0.01}, /* 0.02 / sqrt(2 * 2 blocks) */
    };
    for (size_t i = 0; i < 2; i++) {
        const float *w = tiny_weight(&s_a, cases[i].id, 1);
        double n = 4 * 64 * 64;
        double sum = 0.0;
        double squares = 0.0;
        for (size_t j = 0; j < (size_t)n; j++) {
            sum += (double)w[j];
            squares += (double)w[j] * (double)w[j];
        }
        assert_true(fabs(sum / n) < 5.0 * cases[i].std / sqrt(n));
        assert_true(fabs(sqrt(squares / n) - cases[i].std) < 5.0 * cases[i].std / sqrt(2.0 * n));
    }
    for (size_t c = 0; c < 64; c++) {
        assert_true(tiny_weight(&s_a, AG_T_LN_2_W, 1)[c] == 1.0f);
        assert_true(tiny_weight(&s_a, AG_T_C_FC_B, 1)[c] == 0.0f);
    }
    tiny_end(&s_a);
}

/* Two micro-batches of 3 are one batch of 6 in other pieces. Sums of 48 float32 terms in another
 * order: within 48 * 2^-24 of the gradient's size; the losses are sums in double. */
static void test_accumulated_gradients(void **state)
{
    (void)state;
    tiny *tests[] = {&s_a, &s_b};
    for (int i = 0; i < 2; i++) {
        tiny_make(tests[i]);
        tests[i]->run.compute = AG_COMPUTE_FP32;
        tests[i]->run.model.dropout = 0.1; /* masks belong to the sequence, not to its batch */
        tests[i]->run.train.batch_size = i == 0 ? 6 : 3;
        tests[i]->run.train.grad_accum = i == 0 ? 1 : 2;
        tiny_start(tests[i]);
        ag_trainer_step(&tests[i]->trainer);
    }
    assert_true(fabs(s_a.record.loss[0] - s_b.record.loss[0]) < 1e-6);
    size_t total = s_a.trainer.state.tensors.total;
    float size = ag_amax(s_a.trainer.model.grads, total);
    for (size_t i = 0; i < total; i++) {
        float difference = s_a.trainer.model.grads[i] - s_b.trainer.model.grads[i];
        assert_true(fabsf(difference) <= 48.0f * 0x1p-24f * size);
    }
    tiny_end(&s_a);
    tiny_end(&s_b);
}

static void test_one_amax_a_step(void **state)
{
    (void)state;
    scenario_make(&s_a, scenario_everything);
    s_a.run.eval.every = 1;
    tiny_start(&s_a);
    for (int step = 1; step <= 5; step++) {
        assert_ok(ag_evaluate_periodic(&s_a.trainer));
        ag_trainer_step(&s_a.trainer);
        const ag_linear *linear = &s_a.trainer.model.blocks[1].linears[AG_LINEAR_C_FC];
        for (int role = 0; role < AG_ROLES; role++)
            assert_int_equal(linear->operands[role][0].scale->pushed, step);
    }
    tiny_end(&s_a);
}

static void test_nothing_is_allocated_in_the_loop(void **state)
{
    (void)state;
    scenario_make(&s_a, scenario_everything);
    s_a.run.output.weights = AG_WEIGHTS_INITIAL_FINAL;
    tiny_start(&s_a);
    size_t used = s_a.arena.used;
    assert_int_equal(used, ag_train_bytes(&s_a.run, ag_val_windows(&s_a.corpus, &s_a.run)));
    for (int i = 0; i < 3; i++) {
        assert_ok(ag_evaluate_periodic(&s_a.trainer));
        ag_trainer_step(&s_a.trainer);
    }
    assert_ok(ag_evaluate_final(&s_a.trainer));
    assert_int_equal(s_a.arena.used, used);
    tiny_end(&s_a);
}

/* Float32 sums in another order: a step changes a weight by lr = 1e-2 at most, and rounding errors
 * change that by parts of 1e-4 where a gradient is tiny; the loss of six such steps by < 1e-4. */
static void test_reference_and_fast_kernels_agree(void **state)
{
    (void)state;
    tiny_make(&s_a);
    tiny_make(&s_b);
    s_a.run.compute = s_b.run.compute = AG_COMPUTE_FP32;
    tiny_train(&s_a, &ag_kernels_plain);
    tiny_train(&s_b, &ag_kernels_fast);
    for (int i = 0; i < 6; i++)
        assert_true(fabs(s_a.record.loss[i] - s_b.record.loss[i]) < 1e-4);
    assert_true(fabs(s_a.record.val_loss[0] - s_b.record.val_loss[0]) < 1e-4);
    tiny_end(&s_a);
    tiny_end(&s_b);
}

static void test_it_learns(void **state)
{
    (void)state;
    tiny_make(&s_a);
    s_a.run.train.steps = 150;
    s_a.run.eval.every = 75;
    tiny_quantise_all(&s_a, tiny_scheme("e4m3"));
    tiny_train(&s_a, &ag_kernels_fast);
    const ag_record *record = &s_a.record;
    assert_int_equal(record->evals, 3);
    assert_int_equal(record->eval_step[0], 0);
    assert_int_equal(record->eval_step[1], 75);
    assert_int_equal(record->eval_step[2], 150);
    assert_true(fabs(record->val_loss[0] - log(TINY_VOCAB)) < 0.05); /* it knows nothing yet */
    assert_true(record->val_loss[2] < 0.7 * log(TINY_VOCAB));
    assert_true(record->val_loss[2] != record->val_loss_hp[2]);
    double sum = 0.0;
    for (int64_t i = 0; i < record->windows; i++)
        sum += record->final_windows[i];
    assert_true(record->final_val_loss == sum / (double)record->windows);
    tiny_end(&s_a);
}

/* Window i of `count` fixed ones is window i * all / count of the validation part. Without
 * quantisers a window's loss does not depend on which others are evaluated with it. */
static void test_curve_ends_on_the_fixed_windows(void **state)
{
    (void)state;
    tiny_make(&s_a);
    s_a.run.eval.every = 0;
    s_a.run.eval.windows = 3;
    tiny_train(&s_a, &ag_kernels_fast);
    const ag_record *record = &s_a.record;
    double sum = 0.0;
    assert_true(record->windows > 3);
    for (int64_t i = 0; i < 3; i++)
        sum += record->final_windows[i * record->windows / 3];
    assert_int_equal(record->evals, 1);
    assert_true(fabs(record->val_loss[0] - sum / 3) < 1e-6);
    assert_true(fabs(record->val_loss[0] - record->final_val_loss) > 1e-4);
    tiny_end(&s_a);
}

static void test_result_that_is_no_number_is_divergence(void **state)
{
    (void)state;
    char reason[AG_REASON_SIZE] = "";
    assert_null(ag_divergence(1e30, 2.0, 12, reason));
    assert_null(ag_divergence(2.0, NAN, 0, reason));
    assert_string_equal(ag_divergence(NAN, 2.0, 12, reason),
                        "the validation loss after step 12 is not finite");
    assert_string_equal(ag_divergence(-INFINITY, NAN, 0, reason),
                        "the validation loss of the initial weights is not finite");
    assert_string_equal(ag_divergence(2.0, INFINITY, 12, reason),
                        "the loss of step 11, the last, is not finite");
    tiny_make(&s_a);
    s_a.run.optimizer.lr = 1e38; /* the one update ruins the weights, after its loss was good */
    s_a.run.optimizer.warmup = 0;
    s_a.run.train.steps = 1;
    tiny_train(&s_a, &ag_kernels_fast);
    assert_true(isfinite(s_a.record.loss[0]) && !isfinite(s_a.record.final_val_loss));
    assert_int_equal(s_a.record.outcome, AG_OUTCOME_DIVERGED);
    assert_string_equal(s_a.record.reason, "the validation loss after step 1 is not finite");
    tiny_end(&s_a);
}

static void test_no_steps_evaluate_what_is_there(void **state)
{
    (void)state;
    tiny_make(&s_a);
    tiny_make(&s_b);
    s_a.run.train.steps = s_b.run.train.steps = 0;
    s_b.run.eval.every = 10;
    tiny_quantise(&s_b, AG_ROLE_WEIGHT, tiny_scheme("e2m1"));
    tiny_train(&s_a, &ag_kernels_fast);
    tiny_train(&s_b, &ag_kernels_fast);
    assert_int_equal(s_b.record.evals, 1);
    assert_int_equal(s_b.record.steps, 0);
    assert_string_equal(s_b.record.digest, s_b.record.digest_initial);
    assert_true(s_a.record.val_loss[0] == s_b.record.val_loss_hp[0]);
    assert_true(s_a.record.val_loss[0] != s_b.record.val_loss[0]);
    tiny_end(&s_a);
    tiny_end(&s_b);
}

/* --- runs that do not go well */

static void start_broken(tiny *t, ag_on_nonfinite policy)
{
    static float init[8192];
    tiny_make(&s_b);
    tiny_start(&s_b);
    const ag_tensor_table *tensors = &s_b.trainer.state.tensors;
    assert_true(tensors->total <= 8192);
    memcpy(init, s_b.trainer.state.weights, tensors->total * sizeof(float));
    init[ag_tensor_find(tensors, AG_T_C_FC_W, 1)->offset + 5] = NAN;
    tiny_end(&s_b);
    tiny_make(t);
    t->run.stop.on_nonfinite = policy;
    t->run.output.weights = AG_WEIGHTS_INITIAL_FINAL;
    size_t bytes = ag_train_bytes(&t->run, ag_val_windows(&t->corpus, &t->run));
    assert_ok(ag_arena_init(&t->arena, bytes));
    assert_ok(ag_train(&t->record, &t->run, &t->corpus, init, &ag_kernels_fast, NULL, &t->arena));
}

static void test_nonfinite_stops(void **state)
{
    (void)state;
    start_broken(&s_a, AG_ON_NONFINITE_STOP);
    assert_int_equal(s_a.record.outcome, AG_OUTCOME_DIVERGED);
    assert_string_equal(s_a.record.reason,
                        "the loss of step 0 is not finite; the first is NaN in the weight of "
                        "transformer.h.1.mlp.c_fc, step 0");
    assert_int_equal(s_a.record.steps, 1);
    assert_true(s_a.record.skipped[0]);
    assert_int_equal(s_a.record.evals, 1);
    assert_string_equal(s_a.record.digest, s_a.record.digest_initial);
    assert_non_null(s_a.record.weights_initial);
    tiny_end(&s_a);
}

static void test_nonfinite_skips(void **state)
{
    (void)state;
    start_broken(&s_a, AG_ON_NONFINITE_SKIP);
    assert_int_equal(s_a.record.outcome, AG_OUTCOME_DIVERGED);
    assert_string_equal(s_a.record.reason, "the loss of step 5, the last, is not finite");
    assert_int_equal(s_a.record.steps, 6);
    for (int i = 0; i < 6; i++)
        assert_true(s_a.record.skipped[i] && !s_a.record.clipped[i]);
    assert_string_equal(s_a.record.digest, s_a.record.digest_initial);
    tiny_end(&s_a);
}

static void test_loss_ratio_stops(void **state)
{
    (void)state;
    tiny_make(&s_a);
    s_a.run.train.steps = 100;
    s_a.run.optimizer.lr = 5.0;
    s_a.run.optimizer.grad_clip = 0.0;
    s_a.run.stop.loss_ratio = 1.5;
    tiny_train(&s_a, &ag_kernels_fast);
    const ag_record *record = &s_a.record;
    assert_int_equal(record->outcome, AG_OUTCOME_DIVERGED);
    assert_non_null(strstr(record->reason, "is above 1.5 times that of step 0"));
    assert_true(record->steps < 100);
    assert_true(record->loss[record->steps - 1] > 1.5 * record->loss[0]);
    assert_int_equal(record->eval_step[0], record->steps);
    tiny_end(&s_a);
}

static void test_float32_quantises_nothing(void **state)
{
    (void)state;
    tiny_make(&s_a);
    s_a.run.compute = AG_COMPUTE_FP32;
    tiny_quantise(&s_a, AG_ROLE_WEIGHT, tiny_scheme("e4m3"));
    assert_ok(ag_arena_init(&s_a.arena, 1 << 24));
    assert_fails(
        AG_ERR_INPUT, "nothing is quantised",
        ag_train(&s_a.record, &s_a.run, &s_a.corpus, NULL, &ag_kernels_plain, NULL, &s_a.arena));
    tiny_end(&s_a);
}

typedef struct watch {
    int calls;
    int64_t steps;
    int64_t stop_after;
} watch;

static void count_progress(void *context, const ag_train_progress *now)
{
    watch *w = context;
    w->calls++;
    w->steps = now->step;
}

static bool stop_after(void *context)
{
    const watch *w = context;
    return w->steps >= w->stop_after;
}

static void test_hooks(void **state)
{
    (void)state;
    watch w = {.stop_after = 4};
    ag_train_hooks hooks = {.context = &w, .progress = count_progress, .should_stop = stop_after};
    tiny_make(&s_a);
    assert_ok(ag_arena_init(&s_a.arena, 1 << 24));
    assert_fails(
        AG_ERR_SYSTEM, "stopped after 4 of 6 steps",
        ag_train(&s_a.record, &s_a.run, &s_a.corpus, NULL, &ag_kernels_fast, &hooks, &s_a.arena));
    assert_int_equal(w.calls, 4);
    tiny_end(&s_a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_initial_weights_are_normal),
        cmocka_unit_test(test_accumulated_gradients),
        cmocka_unit_test(test_one_amax_a_step),
        cmocka_unit_test(test_nothing_is_allocated_in_the_loop),
        cmocka_unit_test(test_reference_and_fast_kernels_agree),
        cmocka_unit_test(test_it_learns),
        cmocka_unit_test(test_curve_ends_on_the_fixed_windows),
        cmocka_unit_test(test_result_that_is_no_number_is_divergence),
        cmocka_unit_test(test_no_steps_evaluate_what_is_there),
        cmocka_unit_test(test_nonfinite_stops),
        cmocka_unit_test(test_nonfinite_skips),
        cmocka_unit_test(test_loss_ratio_stops),
        cmocka_unit_test(test_float32_quantises_nothing),
        cmocka_unit_test(test_hooks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
