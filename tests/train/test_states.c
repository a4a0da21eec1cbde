/* States that a run keeps, and runs that begin with one. */
#include "interrupted.h"
#include "next_phase.h"
#include "run/phases.h"
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

/* --- runs that begin with a state */

static tiny s_source;
static ag_start s_start;
static ag_arena s_start_memory;

static void make_source(scenario *set_up)
{
    scenario_make(&s_source, set_up);
    tiny_train(&s_source, &ag_kernels_fast);
}

/* The source's k-th state, as a reader of its results would have it. */
static void make_start(size_t k)
{
    size_t n = 0;
    const ag_record *record = &s_source.record;
    const ag_kept_state *kept = &record->states[k];
    const ag_run *run = &s_source.run;
    ag_arena_init_growing(&s_start_memory);
    s_start = (ag_start){
        .state = *kept,
        .run = ag_run_in_phase(run, ag_phase_at(run, kept->step - 1)),
    };
    for (size_t i = 0; i < AG_RECORD_SERIES; i++) {
        if (ag_record_series[i].over == AG_OVER_STEPS)
            memcpy(&s_start.curves[n++], (const char *)record + ag_record_series[i].data,
                   sizeof(void *));
    }
    assert_ok(ag_kept_complete(&s_start, &s_start_memory));
}

static void end_start(void)
{
    ag_arena_deinit(&s_start_memory);
}

/* Trains run_b from that state, until it is stopped. */
static bool branch(scenario *set_up, watch *w)
{
    scenario_make(&run_b, set_up);
    run_b.run.start = &s_start;
    run_b.run.train.start_step = s_start.state.step;
    run_b.run.output.states = (ag_step_list){0};
    if (s_start.state.step < 5)
        run_b.run.output.states = (ag_step_list){1, {5}};
    ag_run_drop_phases(&run_b.run);
    size_t bytes = ag_train_bytes(&run_b.run, ag_val_windows(&run_b.corpus, &run_b.run));
    assert_ok(ag_arena_init(&run_b.arena, bytes));
    ag_train_hooks hooks = watch_hooks(w, 0.0);
    ag_error_clear();
    ag_status status = ag_train(&run_b.record, &run_b.run, &run_b.corpus, NULL, &ag_kernels_fast,
                                &hooks, &run_b.arena);
    if (status != AG_OK)
        tiny_end(&run_b);
    return status == AG_OK;
}

/* From the state's step on both are the same; before it the branch has the curves of its trunk. Of
 * evaluations and samples it has those that it made. */
static void assert_same_from(const ag_record *whole, const ag_record *part, int64_t step)
{
    int64_t first = whole->evals - part->evals;
    assert_int_equal(whole->outcome, part->outcome);
    assert_string_equal(whole->reason, part->reason);
    assert_int_equal(whole->steps, part->steps);
    assert_same(whole->loss, part->loss, whole->steps, sizeof(double));
    assert_same(whole->grad_norm, part->grad_norm, whole->steps, sizeof(double));
    assert_same(whole->lr, part->lr, whole->steps, sizeof(double));
    assert_same(whole->clipped, part->clipped, whole->steps, 1);
    assert_same(whole->skipped, part->skipped, whole->steps, 1);
    assert_true(first == 0 || whole->eval_step[first - 1] < step);
    assert_same(whole->eval_step + first, part->eval_step, part->evals, sizeof(int64_t));
    assert_same(whole->val_loss + first, part->val_loss, part->evals, sizeof(double));
    assert_same(whole->val_loss_hp + first, part->val_loss_hp, part->evals, sizeof(double));
    assert_same(whole->final_windows, part->final_windows, whole->windows, sizeof(double));
    assert_string_equal(whole->digest, part->digest);
    for (size_t i = 0; i < part->n_states; i++)
        assert_same_state(&whole->states[whole->n_states - 1], &part->states[i],
                          whole->tensors.total);
}

static void test_a_branch_equals_the_unbranched_run(void **state)
{
    (void)state;
    for (int i = 0; i < SCENARIOS; i++) {
        make_source(scenarios[i]);
        for (size_t k = 0; k < s_source.record.n_states; k++) {
            watch w = {.stop_at = NEVER};
            int64_t step = s_source.record.states[k].step;
            if (step == s_source.record.steps) /* it diverged there */
                continue;
            make_start(k);
            clear_files();
            assert_true(branch(scenarios[i], &w));
            assert_int_equal(w.warnings, 0);
            assert_int_equal(w.first_step, step);
            assert_same_from(&s_source.record, &run_b.record, step);
            tiny_end(&run_b);
            end_start();
        }
        tiny_end(&s_source);
    }
}

/* Stopped anywhere, a branch goes on from its own checkpoint. */
static void test_an_interrupted_branch(void **state)
{
    (void)state;
    static scenario *const some[] = {scenario_everything, scenario_observed, scenario_phases};
    for (size_t i = 0; i < sizeof some / sizeof some[0]; i++) {
        watch rest = {.stop_at = NEVER};
        make_source(some[i]);
        make_start(0);
        for (int stops = 1;; stops++) {
            watch w = {.stop_at = stops};
            clear_files();
            if (branch(some[i], &w))
                break;
            rest = (watch){.stop_at = NEVER};
            assert_true(branch(some[i], &rest));
            assert_int_equal(rest.warnings, 0);
            assert_same_from(&s_source.record, &run_b.record, 2);
            tiny_end(&run_b);
        }
        assert_true(rest.first_step > 2);
        tiny_end(&run_b);
        end_start();
        tiny_end(&s_source);
    }
}

/* --- another format */

static ag_scheme delayed_scheme(const char *name)
{
    ag_scheme scheme = tiny_scheme(name);
    scheme.amax = AG_AMAX_DELAYED;
    scheme.history = 6; /* longer than a phase: what was before it still counts */
    return scheme;
}

static void e4m3(tiny *t)
{
    tiny_quantise_all(t, delayed_scheme("e4m3"));
}

static void bf16(tiny *t)
{
    (void)t;
}

/* Gradients in another, weights and inputs go on. */
static void e4m3_e5m2(tiny *t)
{
    e4m3(t);
    tiny_quantise(t, AG_ROLE_GRAD_OUTPUT, delayed_scheme("e5m2"));
}

/* One use of each operand in another: the second begins without a history where both are e4m3. */
static void apart(tiny *t)
{
    e4m3(t);
    for (int i = 0; i < TINY_LAYERS * AG_ROLES; i++)
        t->layers[i / AG_ROLES].scheme[i % AG_ROLES][1] = delayed_scheme("e5m2");
    tiny_quantise_sites(t, AG_SITE_QK, delayed_scheme("e5m2"));
}

static void with_sites(tiny *t)
{
    e4m3(t);
    tiny_quantise_sites(t, AG_SITE_QK, delayed_scheme("e5m2"));
    tiny_quantise_sites(t, AG_SITE_OPT_M, delayed_scheme("e5m2"));
}

static const struct {
    scenario *before, *after;
} s_switches[] = {
    {e4m3,       bf16      },
    {bf16,       e4m3      },
    {e4m3,       e4m3_e5m2 },
    {apart,      e4m3      },
    {with_sites, e4m3_e5m2 },
    {e4m3,       with_sites},
    {with_sites, apart     },
};

static size_t s_switch;

static void switch_before(tiny *t)
{
    s_switches[s_switch].before(t);
}

static void switch_after(tiny *t)
{
    s_switches[s_switch].after(t);
}

/* The same by phases. */
static void switch_at_5(tiny *t)
{
    switch_after(t);
    tiny_phase(t, 5);
    memset(t->layers, 0, sizeof t->layers);
    memset(t->sites, 0, sizeof t->sites);
    switch_before(t);
}

static void switch_at_2(tiny *t)
{
    switch_at_5(t);
    t->phases[0].from = 2;
}

/* The copies of both uses have parted in the source, and stay apart in the branch. */
static void test_another_format_is_as_another_phase(void **state)
{
    (void)state;
    const size_t n_switches = sizeof s_switches / sizeof s_switches[0];
    for (s_switch = 0; s_switch < n_switches; s_switch++) {
        watch w = {.stop_at = NEVER};
        undisturbed(switch_at_5);
        make_source(switch_before);
        make_start(1);
        clear_files();
        assert_true(branch(switch_after, &w));
        assert_same_from(&run_a.record, &run_b.record, 5);
        assert_true(strcmp(s_source.record.digest, run_b.record.digest) != 0);
        tiny_end(&run_b);
        end_start();
        tiny_end(&s_source);
        tiny_end(&run_a);
        make_source(switch_at_2);
        make_start(1);
        clear_files();
        assert_true(branch(switch_at_2, &w));
        assert_same_from(&s_source.record, &run_b.record, 5);
        tiny_end(&run_b);
        end_start();
        tiny_end(&s_source);
    }
}

/* --- weights in another format */

static void stored_e4m3(tiny *t)
{
    ag_scheme scheme = tiny_scheme("e4m3");
    scheme.amax = AG_AMAX_CURRENT;
    tiny_quantise_sites(t, AG_SITE_OPT_W, scheme);
}

/* Whether every element of w_0 [count] has at most `bits` significant ones. */
static bool is_coarse(const float *w, size_t count, int bits)
{
    for (size_t i = 0; i < count; i++) {
        int exponent = 0;
        double fraction = ldexp(frexp((double)w[i], &exponent), bits);
        if (fraction != floor(fraction))
            return false;
    }
    return true;
}

static void stored_bf16(tiny *t)
{
    tiny_quantise_sites(t, AG_SITE_OPT_W, ag_scheme_bf16());
    t->run.output.weights = AG_WEIGHTS_INITIAL_FINAL;
}

static void unstored(tiny *t)
{
    t->run.output.weights = AG_WEIGHTS_INITIAL_FINAL;
}

/* They are rounded as before a first step; those of the same format stay (the test above). */
static void test_weights_meet_another_store(void **state)
{
    (void)state;
    watch w = {.stop_at = NEVER};
    make_source(bf16);
    make_start(0);
    clear_files();
    assert_true(branch(stored_bf16, &w));
    const ag_tensor *wte = ag_tensor_find(&run_b.record.tensors, AG_T_WTE, 0);
    assert_false(is_coarse(s_start.state.weights + wte->offset, wte->count, 8));
    assert_true(is_coarse(run_b.record.weights_initial + wte->offset, wte->count, 8));
    tiny_end(&run_b);
    end_start();
    tiny_end(&s_source);
    make_source(stored_e4m3);
    make_start(0);
    clear_files();
    assert_true(branch(unstored, &w));
    assert_memory_equal(s_start.state.weights, run_b.record.weights_initial,
                        run_b.record.tensors.total * sizeof(float));
    tiny_end(&run_b);
    end_start();
    tiny_end(&s_source);
}

/* --- the digest */

static void digest(char hex[AG_DIGEST_LENGTH + 1])
{
    assert_ok(ag_kept_digest(hex, &s_start, &s_source.record.tensors));
}

/* Each number of a state, and each scheme that has a history. */
static void test_the_digest_covers_the_state(void **state)
{
    (void)state;
    char before[AG_DIGEST_LENGTH + 1];
    char after[AG_DIGEST_LENGTH + 1];
    make_source(e4m3);
    make_start(0);
    digest(before);
    ag_kept_state *it = &s_start.state;
    float *const numbers[] = {it->weights, it->m, it->v, it->amaxes, &it->scales[0].value};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        float was = *numbers[i];
        *numbers[i] = was + 1.0f;
        digest(after);
        assert_string_not_equal(before, after);
        *numbers[i] = was;
    }
    int64_t *const wholes[] = {&it->step, &it->updates, &it->scales[0].pushed};
    for (size_t i = 0; i < sizeof wholes / sizeof wholes[0]; i++) {
        ++*wholes[i];
        digest(after);
        assert_string_not_equal(before, after);
        --*wholes[i];
    }
    digest(after);
    assert_string_equal(before, after);
    s_source.layers[3].scheme[AG_ROLE_INPUT][0].overflow = AG_OVERFLOW_SPECIAL;
    digest(after);
    assert_string_not_equal(before, after);
    end_start();
    tiny_end(&s_source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_state_is_the_trainer_after_its_step),
        cmocka_unit_test(test_other_states_begin_anew),
        cmocka_unit_test(test_a_branch_equals_the_unbranched_run),
        cmocka_unit_test(test_an_interrupted_branch),
        cmocka_unit_test(test_another_format_is_as_another_phase),
        cmocka_unit_test(test_weights_meet_another_store),
        cmocka_unit_test(test_the_digest_covers_the_state),
    };
    return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
