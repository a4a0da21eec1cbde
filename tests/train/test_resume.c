/* Runs that are interrupted and go on: they end with the bits of an undisturbed run. */
#include "interrupted.h"
#include "same_record.h"

static void finish(scenario *set_up)
{
    watch w = {.stop_at = NEVER};
    assert_true(attempt(set_up, &w, 0.0));
    assert_int_equal(w.warnings, 0);
    assert_same_record(&run_a.record, &run_b.record);
    tiny_end(&run_b);
}

/* At every moment at which a run can be stopped: after each step, in and after each evaluation. */
static void test_interrupted_anywhere(void **state)
{
    (void)state;
    for (int i = 0; i < SCENARIOS; i++) {
        int stops = 0;
        undisturbed(scenarios[i]);
        for (;; stops++) {
            watch w = {.stop_at = stops + 1};
            clear_files();
            if (attempt(scenarios[i], &w, 0.0))
                break;
            finish(scenarios[i]);
        }
        assert_true(stops >= run_a.record.steps + run_a.record.evals);
        assert_same_record(&run_a.record, &run_b.record);
        tiny_end(&run_b);
        tiny_end(&run_a);
    }
}

static void test_scenarios_are_what_they_say(void **state)
{
    (void)state;
    int updates_after_skips = 0;
    undisturbed(scenario_skipping);
    for (int64_t i = 1; i < run_a.record.steps; i++)
        updates_after_skips += run_a.record.skipped[i - 1] && !run_a.record.skipped[i];
    assert_true(updates_after_skips >= 2);
    tiny_end(&run_a);
    undisturbed(scenario_observed);
    assert_int_equal(run_a.record.samples.count, 4); /* steps 0, 2, 4 and 6 of 7 */
    tiny_end(&run_a);
    undisturbed(scenario_observed_skipping);
    assert_int_equal(run_a.record.samples.count, 3); /* steps 0, 4 and 6 */
    assert_non_null(strstr(run_a.record.nonfinite, "quantised weight of"));
    tiny_end(&run_a);
    undisturbed(scenario_diverging);
    assert_int_equal(run_a.record.outcome, AG_OUTCOME_DIVERGED);
    assert_true(run_a.record.steps > 1 && run_a.record.steps < run_a.run.train.steps);
    tiny_end(&run_a);
}

/* Again and again, at moments drawn by lot; with and without checkpoints by the clock. */
static void test_interrupted_often(void **state)
{
    (void)state;
    for (uint32_t round = 0; round < 24; round++) {
        scenario *set_up = scenarios[round % SCENARIOS];
        bool done = false;
        clear_files();
        undisturbed(set_up);
        for (uint32_t i = 0; !done; i++) {
            watch w = {.stop_at = 2 + (int)(ag_philox(round, i, 0, 0, 0).word[0] % 12)};
            assert_true(i < 100);
            done = attempt(set_up, &w, round % 2 == 0 ? 0.0 : 1e-9);
            assert_int_equal(w.warnings, 0);
        }
        assert_same_record(&run_a.record, &run_b.record);
        tiny_end(&run_b);
        tiny_end(&run_a);
    }
}

/* Moments, scales and amax histories too: a checkpoint by way of another is that of a straight
 * run. Both are of the last step. */
static void test_the_state_is_the_same(void **state)
{
    (void)state;
    static float kept[3][FILE_BYTES / sizeof(float)];
    watch w = {.stop_at = NEVER};
    ag_train_hooks hooks = watch_hooks(&w, 0.0);
    for (int by_way = 0; by_way < 2; by_way++) {
        clear_files();
        scenario_make(&run_b, scenario_everything);
        tiny_start(&run_b);
        run_b.trainer.hooks = &hooks;
        for (int step = 0; step < 5; step++)
            ag_trainer_step(&run_b.trainer);
        if (by_way == 1) {
            run_b.record.evals = 2;
            run_b.record.eval_step[1] = 3;
            ag_trainer_save(&run_b.trainer);
            tiny_end(&run_b);
            scenario_make(&run_b, scenario_everything);
            tiny_start(&run_b);
            run_b.trainer.hooks = &hooks;
            assert_ok(ag_trainer_resume(&run_b.trainer, NULL));
            assert_int_equal(run_b.trainer.state.step, 5);
        }
        for (int step = 5; step < 7; step++)
            ag_trainer_step(&run_b.trainer);
        const ag_train_state *s = &run_b.trainer.state;
        const void *arrays[] = {s->m, s->v, s->amaxes};
        size_t total = s->tensors.total * sizeof(float);
        size_t bytes[] = {total, total, s->n_amaxes * sizeof(float)};
        assert_int_equal(s->updates, 7);
        for (int i = 0; i < 3; i++) {
            assert_true(bytes[i] > 0 && bytes[i] <= sizeof kept[i]);
            if (by_way == 0)
                memcpy(kept[i], arrays[i], bytes[i]);
            else
                assert_memory_equal(kept[i], arrays[i], bytes[i]);
        }
        tiny_end(&run_b);
    }
}

static void test_what_is_said(void **state)
{
    (void)state;
    watch first = {.stop_at = 7}; /* two reports an evaluation's half, so after step 3 */
    watch second = {.stop_at = NEVER};
    clear_files();
    assert_false(attempt(scenario_stochastic, &first, 0.0));
    assert_string_equal(first.said, "");
    assert_true(attempt(scenario_stochastic, &second, 0.0));
    char expected[64];
    snprintf(expected, sizeof expected, "resumed at step %lld", (long long)second.first_step);
    assert_string_equal(second.said, expected);
    assert_true(second.first_step > 0);
    tiny_end(&run_b);
}

static void test_saving_takes_no_memory(void **state)
{
    (void)state;
    watch w = {.stop_at = NEVER};
    ag_train_hooks hooks = watch_hooks(&w, 1e-9);
    clear_files();
    scenario_make(&run_b, scenario_everything);
    tiny_start(&run_b);
    run_b.trainer.hooks = &hooks;
    size_t used = run_b.arena.used;
    for (int i = 0; i < 3; i++) {
        ag_trainer_step(&run_b.trainer);
        assert_ok(ag_trainer_report(&run_b.trainer));
        assert_int_equal(run_b.trainer.saved_step, i + 1);
    }
    assert_int_equal(run_b.arena.used, used);
    tiny_end(&run_b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scenarios_are_what_they_say),
        cmocka_unit_test(test_interrupted_anywhere),
        cmocka_unit_test(test_interrupted_often),
        cmocka_unit_test(test_the_state_is_the_same),
        cmocka_unit_test(test_what_is_said),
        cmocka_unit_test(test_saving_takes_no_memory),
    };
    return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
