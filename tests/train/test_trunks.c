/* Runs that begin with the first steps of another: they end with the bits of a run that trained all
 * of them itself. */
#include <unistd.h>

#include "interrupted.h"
#include "run/trunk.h"
#include "same_record.h"

enum { STEPS = 7 };

static tiny s_leader;

static const char *snapshot(int64_t step)
{
    static char path[STEPS][80];
    snprintf(path[step], sizeof path[step], "%.56s.trunk-%d", checkpoint_path, (int)step);
    return path[step];
}

/* One run from beginning to end, or until it is stopped. */
static bool train(tiny *t, scenario *set_up, ag_train_hooks hooks)
{
    scenario_make(t, set_up);
    size_t bytes = ag_train_bytes(&t->run, ag_val_windows(&t->corpus, &t->run));
    assert_ok(ag_arena_init(&t->arena, bytes));
    ag_error_clear();
    ag_status status =
        ag_train(&t->record, &t->run, &t->corpus, NULL, &ag_kernels_fast, &hooks, &t->arena);
    if (status != AG_OK)
        tiny_end(t);
    return status == AG_OK;
}

/* Trains the leader, which leaves a snapshot at every step. */
static void lead(scenario *set_up)
{
    ag_snapshot keep[STEPS - 1];
    watch w = {.stop_at = NEVER};
    for (int64_t step = 1; step < STEPS; step++)
        keep[step - 1] = (ag_snapshot){snapshot(step), step};
    clear_files();
    ag_train_hooks hooks = watch_hooks(&w, 0.0);
    hooks.keep = keep;
    hooks.n_keep = STEPS - 1;
    assert_true(train(&s_leader, set_up, hooks));
    assert_int_equal(w.warnings, 0);
}

/* The run `set_up` from the leader's snapshot of `step` on, stopped at the call `stop_at`. */
static bool follow(scenario *set_up, int64_t step, watch *w)
{
    ag_train_hooks hooks = watch_hooks(w, 0.0);
    hooks.trunk = (ag_snapshot){snapshot(step), step};
    return train(&run_b, set_up, hooks);
}

static void expect_origin(int64_t steps)
{
    assert_int_equal(run_b.record.timing.trunk_steps, steps);
    assert_string_equal(run_b.record.timing.trunk_run, steps > 0 ? s_leader.run.id : "");
}

static void remove_snapshots(void)
{
    for (int64_t step = 1; step < STEPS; step++)
        ag_checkpoint_remove(snapshot(step));
    clear_files();
}

/* From every step that a run may branch off at. One that diverged earlier leaves no snapshot. */
static void test_every_state_is_whole(void **state)
{
    (void)state;
    for (int i = 0; i < SCENARIOS; i++) {
        undisturbed(scenarios[i]);
        lead(scenarios[i]);
        assert_same_record(&run_a.record, &s_leader.record);
        for (int64_t step = 1; step < STEPS; step++) {
            watch w = {.stop_at = NEVER};
            bool there = access(snapshot(step), F_OK) == 0;
            assert_true(there ==
                        (step < run_a.record.steps || run_a.record.outcome == AG_OUTCOME_DONE));
            assert_true(follow(scenarios[i], step, &w));
            assert_same_record(&run_a.record, &run_b.record);
            expect_origin(there ? step : 0);
            assert_int_equal(w.warnings, !there);
            tiny_end(&run_b);
        }
        remove_snapshots();
        tiny_end(&s_leader);
        tiny_end(&run_a);
    }
}

/* --- runs that differ after the trunk */

static void observe(tiny *t)
{
    t->run.observe = (ag_observe_spec){.quant_every = 2, .diagnostics = ALL_DIAGNOSTICS};
}

static void in_e4m3(tiny *t)
{
    ag_scheme scheme = tiny_scheme("e4m3");
    scheme.amax = AG_AMAX_DELAYED;
    scheme.history = 3;
    tiny_quantise_all(t, scheme);
    observe(t);
}

/* Each has other groups of samples than the others, after equal steps. */
static void e4m3_to_the_end(tiny *t)
{
    in_e4m3(t);
    snprintf(t->run.id, sizeof t->run.id, "aaaaaaaaaaaa");
}

static void e4m3_then_bf16(tiny *t)
{
    tiny_phase(t, 4);
    in_e4m3(t);
}

static void e4m3_then_sites(tiny *t)
{
    in_e4m3(t);
    tiny_quantise_sites(t, AG_SITE_QK, tiny_scheme("e5m2"));
    tiny_phase(t, 4);
}

static void bf16(tiny *t)
{
    snprintf(t->run.id, sizeof t->run.id, "bbbbbbbbbbbb");
    t->run.observe = (ag_observe_spec){.quant_every = 2, .diagnostics = 1 << AG_OBSERVE_QUANT};
}

static void bf16_then_e4m3(tiny *t)
{
    in_e4m3(t);
    tiny_phase(t, 4);
    memset(t->layers, 0, sizeof t->layers);
    bf16(t);
    snprintf(t->run.id, sizeof t->run.id, "cccccccccccc");
}

static void wsd(tiny *t, int64_t steps)
{
    in_e4m3(t);
    t->run.train.steps = steps;
    t->run.optimizer.schedule = AG_SCHEDULE_WSD;
    t->run.optimizer.decay_fraction = 0.25;
}

static void wsd_long(tiny *t)
{
    wsd(t, 7);
}

static void wsd_short(tiny *t)
{
    wsd(t, 6);
    snprintf(t->run.id, sizeof t->run.id, "dddddddddddd");
}

static const struct {
    scenario *leader, *follower;
    int64_t step; /* worked out by hand: where they part */
} s_pairs[] = {
    {e4m3_to_the_end, e4m3_then_bf16,  4},
    {e4m3_then_bf16,  e4m3_to_the_end, 4},
    {e4m3_to_the_end, e4m3_then_sites, 4},
    {e4m3_then_sites, e4m3_then_bf16,  4},
    {bf16,            bf16_then_e4m3,  4},
    {bf16_then_e4m3,  bf16,            4},
    {wsd_long,        wsd_short,       5}, /* it falls over 2 steps of 6 from the end of step 4 */
    {wsd_short,       wsd_long,        5},
};

enum { PAIRS = sizeof s_pairs / sizeof s_pairs[0] };

static void test_runs_that_part(void **state)
{
    (void)state;
    for (size_t i = 0; i < PAIRS; i++) {
        watch w = {.stop_at = NEVER};
        undisturbed(s_pairs[i].follower);
        lead(s_pairs[i].leader);
        assert_int_equal(ag_trunk_shared(&s_leader.run, &run_a.run), s_pairs[i].step);
        assert_true(follow(s_pairs[i].follower, s_pairs[i].step, &w));
        assert_int_equal(w.warnings, 0);
        assert_int_equal(w.first_step, s_pairs[i].step);
        assert_same_record(&run_a.record, &run_b.record);
        expect_origin(s_pairs[i].step);
        tiny_end(&run_b);
        remove_snapshots();
        tiny_end(&s_leader);
        tiny_end(&run_a);
    }
}

/* A snapshot of steps that the run does not have is refused by its P. */
static void test_other_steps_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < PAIRS; i++) {
        watch w = {.stop_at = NEVER};
        undisturbed(s_pairs[i].follower);
        lead(s_pairs[i].leader);
        int64_t late = s_pairs[i].step + 1;
        if (late < run_a.run.train.steps && late < s_leader.run.train.steps) {
            assert_true(follow(s_pairs[i].follower, late, &w));
            assert_int_equal(w.warnings, 1);
            assert_non_null(strstr(w.said, "the run starts from step 0"));
            assert_same_record(&run_a.record, &run_b.record);
            expect_origin(0);
            tiny_end(&run_b);
        }
        remove_snapshots();
        tiny_end(&s_leader);
        tiny_end(&run_a);
    }
}

/* Stopped anywhere, a run goes on from its own checkpoint and remembers whose its first steps are.
 */
static void test_interrupted_after_the_trunk(void **state)
{
    (void)state;
    undisturbed(e4m3_then_bf16);
    lead(e4m3_to_the_end);
    for (int stops = 1;; stops++) {
        watch w = {.stop_at = stops};
        watch rest = {.stop_at = NEVER};
        clear_files();
        if (follow(e4m3_then_bf16, 4, &w))
            break;
        assert_true(follow(e4m3_then_bf16, 4, &rest));
        assert_true(rest.first_step >= 4);
        assert_int_equal(rest.warnings, 0);
        assert_same_record(&run_a.record, &run_b.record);
        expect_origin(4);
        tiny_end(&run_b);
    }
    tiny_end(&run_b);
    remove_snapshots();
    tiny_end(&s_leader);
    tiny_end(&run_a);
}

static void flip_byte(const char *path, long at)
{
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, at, SEEK_SET), 0);
    int byte = fgetc(file);
    assert_int_equal(fseek(file, at, SEEK_SET), 0);
    fputc(byte ^ 1, file);
    fclose(file);
}

/* Damaged anywhere, a snapshot costs time and nothing else. */
static void test_damaged_snapshots(void **state)
{
    (void)state;
    undisturbed(e4m3_then_bf16);
    lead(e4m3_to_the_end);
    FILE *file = fopen(snapshot(4), "rb");
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    long bytes = ftell(file);
    fclose(file);
    for (long at = 3; at < bytes; at += bytes / 40) {
        watch w = {.stop_at = NEVER};
        clear_files();
        flip_byte(snapshot(4), at);
        assert_true(follow(e4m3_then_bf16, 4, &w));
        flip_byte(snapshot(4), at);
        assert_int_equal(w.warnings, 1);
        assert_same_record(&run_a.record, &run_b.record);
        expect_origin(0);
        tiny_end(&run_b);
    }
    remove_snapshots();
    tiny_end(&s_leader);
    tiny_end(&run_a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_state_is_whole),
        cmocka_unit_test(test_runs_that_part),
        cmocka_unit_test(test_other_steps_are_refused),
        cmocka_unit_test(test_interrupted_after_the_trunk),
        cmocka_unit_test(test_damaged_snapshots),
    };
    return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
