/* States that a run keeps, and runs that begin with one. */
#include "interrupted.h"
#include "next_phase.h"
#include "same_record.h"

/* The trainer itself, looked at after each step, says what a state is. */
static void test_a_state_is_the_trainer_after_its_step(void **state)
{
    (void)state;
    for (int i = 0; i < SCENARIOS; i++) {
        static tiny t;
        undisturbed(scenarios[i]);
        scenario_make(&t, scenarios[i]);
        tiny_start(&t);
        for (size_t k = 0; k < run_a.record.n_states; k++) {
            const ag_train_state *now = &t.trainer.state;
            while (now->step < t.run.output.states.at[k]) {
                assert_ok(ag_trainer_follow(&t.trainer));
                ag_trainer_step(&t.trainer);
            }
            const ag_kept_state expected = {.step = now->step,
                                            .updates = now->updates,
                                            .weights = now->weights,
                                            .m = now->m,
                                            .v = now->n_v > 0 ? now->v : NULL,
                                            .lost = now->n_lost > 0 ? now->lost : NULL,
                                            .n_scales = now->n_scales,
                                            .scales = now->scales,
                                            .n_amaxes = now->n_amaxes,
                                            .amaxes = now->amaxes};
            assert_same_state(&expected, &run_a.record.states[k], now->tensors.total);
        }
        bool is_whole = run_a.record.outcome == AG_OUTCOME_DONE;
        assert_int_equal(run_a.record.n_states, is_whole || run_a.record.steps >= 5 ? 2 : 1);
        tiny_end(&t);
        tiny_end(&run_a);
    }
}

/* A checkpoint that was written while other states were asked for is of no use for those of steps
 * that are over. */
static void test_other_states_begin_anew(void **state)
{
    (void)state;
    watch w = {.stop_at = NEVER};
    watch stopped = {.stop_at = 4};
    undisturbed(scenarios[1]);
    clear_files();
    assert_false(attempt(scenarios[1], &stopped, 0.0));
    scenario_make(&run_b, scenarios[1]);
    run_b.run.output.states = (ag_step_list){
        2, {1, 5}
    };
    size_t bytes = ag_train_bytes(&run_b.run, ag_val_windows(&run_b.corpus, &run_b.run));
    assert_ok(ag_arena_init(&run_b.arena, bytes));
    ag_train_hooks hooks = watch_hooks(&w, 0.0);
    assert_ok(ag_train(&run_b.record, &run_b.run, &run_b.corpus, NULL, &ag_kernels_fast, &hooks,
                       &run_b.arena));
    assert_non_null(strstr(w.said, "output.states asked for other states then"));
    assert_int_equal(run_b.record.states[0].step, 1);
    assert_string_equal(run_a.record.digest, run_b.record.digest);
    tiny_end(&run_b);
    tiny_end(&run_a);
    clear_files();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_state_is_the_trainer_after_its_step),
        cmocka_unit_test(test_other_states_begin_anew),
    };
    return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
