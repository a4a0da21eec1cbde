/* Which runs share their first steps: whatever decides a step, or what is recorded of it, changes
 * P from that step on and not before. */
#include "run/trunk.h"

#include "run/run_support.h"

enum { STEPS = 20 };

static void set(run_fixture *f, const char *key, const char *value)
{
    const ag_param *param = ag_param_find(key);
    assert_non_null(param);
    assert_ok(ag_param_set(&f->run, param, value, &f->arena));
}

static const char *name_of(const ag_run *run, int64_t step)
{
    static char names[2][AG_TRUNK_NAME];
    static int next;
    char *name = names[next++ % 2];
    assert_ok(ag_trunk_name(name, run, step));
    assert_int_equal(ag_trunk_step(name), step);
    return name;
}

static bool same_at(const ag_run *a, const ag_run *b, int64_t step)
{
    return strcmp(name_of(a, step), name_of(b, step)) == 0;
}

/* Equal up to `step`, and at none after it. */
static void expect_shared(const ag_run *a, const ag_run *b, int64_t step)
{
    assert_int_equal(ag_trunk_shared(a, b), step);
    assert_int_equal(ag_trunk_shared(b, a), step);
    for (int64_t s = 0; s < STEPS - 1; s++)
        assert_true(same_at(a, b, s) == (s <= step));
}

static int set_up(void **state)
{
    int failed = set_up_run(state);
    run_fixture *f = *state;
    f->run.train.steps = STEPS;
    set(f, "optimizer.schedule", "wsd");
    set(f, "optimizer.decay_fraction", "0.25"); /* falls after step 15 */
    set(f, "optimizer.warmup", "4");
    set(f, "optimizer.min_lr_ratio", "0");
    return failed;
}

/* --- settings */

static void all_that_decides_a_step_counts(void **state)
{
    static const char *const changes[][2] = {
        {"model.dropout",          "0.25"          },
        {"model.norm_eps",         "1e-6"          },
        {"model.init_std",         "0.03"          },
        {"model.z_loss",           "1e-4"          },
        {"train.batch_size",       "24"            },
        {"train.grad_accum",       "3"             },
        {"train.data_order",       "sequential"    },
        {"train.data_seed",        "8"             },
        {"optimizer.type",         "lion"          },
        {"optimizer.betas",        "[0.9, 0.97]"   },
        {"optimizer.eps",          "1e-7"          },
        {"optimizer.weight_decay", "0.2"           },
        {"optimizer.grad_clip",    "0.5"           },
        {"eval.every",             "7"             },
        {"eval.windows",           "32"            },
        {"eval.batch",             "4"             },
        {"observe.quant_every",    "5"             },
        {"observe.diagnostics",    "[quant, flips]"},
        {"stop.loss_ratio",        "7"             },
        {"ranks.count",            "4"             },
    };
    run_fixture *f = *state;
    const ag_run before = f->run;
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        f->run = before;
        set(f, changes[i][0], changes[i][1]);
        if (same_at(&before, &f->run, 1) || same_at(&before, &f->run, STEPS - 1))
            fail_msg("%s", changes[i][0]);
    }
    f->run = before;
    f->run.seed++;
    assert_false(same_at(&before, &f->run, 1));
    f->run = before;
    f->run.facts.digest[5] = 'f';
    assert_false(same_at(&before, &f->run, 1));
}

static void what_decides_no_step_does_not(void **state)
{
    static const char *const changes[][2] = {
        {"run.threads",          "3"    },
        {"run.retries",          "7"    },
        {"run.checkpoint_every", "1s"   },
        {"run.share_trunks",     "false"},
        {"output.file",          "x.h5" },
        {"output.weights",       "none" },
        {"compare.margin",       "0.5"  },
    };
    run_fixture *f = *state;
    const ag_run before = f->run;
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++)
        set(f, changes[i][0], changes[i][1]);
    for (int64_t s = 0; s < STEPS; s++)
        assert_true(same_at(&before, &f->run, s));
}

/* --- schedules: where the rates part was worked out by hand */

static void rates_count_from_the_first_that_differs(void **state)
{
    run_fixture *f = *state;
    const ag_run before = f->run;
    set(f, "optimizer.lr", "7e-4");
    expect_shared(&before, &f->run, 0);
    f->run = before;
    set(f, "optimizer.warmup", "5");
    expect_shared(&before, &f->run, 0);
    f->run = before;
    set(f, "optimizer.min_lr_ratio", "0.5");
    expect_shared(&before, &f->run, 16);
    f->run = before;
    set(f, "optimizer.decay_fraction", "0.5");
    expect_shared(&before, &f->run, 11);
    f->run = before;
    set(f, "optimizer.schedule", "constant");
    expect_shared(&before, &f->run, 16);
    f->run = before;
    f->run.train.steps = 12; /* falls after step 9 */
    assert_int_equal(ag_trunk_shared(&before, &f->run), 10);
    assert_true(same_at(&before, &f->run, 10));
    assert_false(same_at(&before, &f->run, 11));
}

/* The last step is sampled, so that it is another where it is the last. */
static void a_last_step_is_never_shared(void **state)
{
    run_fixture *f = *state;
    set(f, "optimizer.schedule", "constant");
    const ag_run before = f->run;
    expect_shared(&before, &f->run, STEPS - 1);
    f->run.train.steps = 12;
    assert_int_equal(ag_trunk_shared(&before, &f->run), 11);
    f->run.train.steps = 0;
    assert_int_equal(ag_trunk_shared(&before, &f->run), 0);
}

/* A snapshot holds the states that were kept so far. */
static void states_that_are_kept_count_from_their_step(void **state)
{
    run_fixture *f = *state;
    const ag_run before = f->run;
    set(f, "output.states", "[7, 9]");
    expect_shared(&before, &f->run, 6);
    const ag_run two = f->run;
    set(f, "output.states", "[7, 12]");
    expect_shared(&two, &f->run, 8);
    set(f, "output.states", "[7]");
    expect_shared(&two, &f->run, 8);
}

/* --- precision */

static ag_layer_precision s_other[MAX_LAYERS];

static void phases_count_from_where_they_begin(void **state)
{
    run_fixture *f = *state;
    const ag_run before = f->run;
    const ag_phase late[] = {
        {6,  s_other,   NULL},
        {12, f->layers, NULL},
    };
    memset(s_other, 0, sizeof s_other);
    f->run.phases = late;
    f->run.n_phases = 1;
    expect_shared(&before, &f->run, 6);
    const ag_run one = f->run;
    f->run.n_phases = 2;
    expect_shared(&before, &f->run, 6);
    expect_shared(&one, &f->run, 12);
}

/* --- the tree */

static ag_run s_runs[5];
static ag_phase s_phases[5];

/* Run i has ids in this order: c, a, e, b, d. All begin alike; a goes on so, b leaves at 6, c and d
 * at 12, and e with c. */
static void plant(run_fixture *f)
{
    static const char order[] = "caebd";
    static const int64_t from[] = {12, 0, 12, 6, 12};
    memset(s_other, 0, sizeof s_other);
    for (size_t i = 0; i < 5; i++) {
        s_runs[i] = f->run;
        memset(s_runs[i].id, order[i], AG_ID_LENGTH);
        s_phases[i] = (ag_phase){from[i], s_other, NULL};
        s_runs[i].phases = &s_phases[i];
        s_runs[i].n_phases = from[i] > 0;
    }
    s_runs[2].optimizer.min_lr_ratio = 0.5; /* e: not as c after step 15 */
}

static void expect_branches(const ag_trunk_leaf *leaves, const ag_trunk_branch *expected)
{
    ag_trunk_branch branches[5];
    assert_ok(ag_trunk_branches(branches, leaves, 5));
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(branches[i].step, expected[i].step);
        if (expected[i].step > 0)
            assert_int_equal(branches[i].of, expected[i].of);
    }
}

static void the_smallest_id_leads(void **state)
{
    run_fixture *f = *state;
    ag_trunk_leaf leaves[5];
    plant(f);
    for (size_t i = 0; i < 5; i++)
        leaves[i] = (ag_trunk_leaf){.run = &s_runs[i]};
    /* c and b from a; d, which ends as c does, and e from c */
    expect_branches(leaves, (ag_trunk_branch[]){
                                {1, 12},
                                {0, 0 },
                                {0, 16},
                                {1, 6 },
                                {0, 19}
    });
    s_runs[4].train.data_seed++; /* d has nothing in common with any */
    expect_branches(leaves, (ag_trunk_branch[]){
                                {1, 12},
                                {0, 0 },
                                {0, 16},
                                {1, 6 },
                                {0, 0 }
    });
}

/* Who is past a step leaves nothing there, and who has a checkpoint waits for nobody. */
static void what_has_begun_counts(void **state)
{
    run_fixture *f = *state;
    ag_trunk_leaf leaves[5];
    plant(f);
    for (size_t i = 0; i < 5; i++)
        leaves[i] = (ag_trunk_leaf){.run = &s_runs[i]};
    leaves[1] = (ag_trunk_leaf){.run = &s_runs[1], .begun = 6, .own = true};
    expect_branches(leaves, (ag_trunk_branch[]){
                                {1, 12},
                                {0, 0 },
                                {0, 16},
                                {0, 0 },
                                {0, 19}
    });
    leaves[1].begun = 12; /* a is past them all; then b leads c to 6, where c is the first at 12 */
    expect_branches(leaves, (ag_trunk_branch[]){
                                {3, 6 },
                                {0, 0 },
                                {0, 16},
                                {0, 0 },
                                {0, 19}
    });
    leaves[0] = (ag_trunk_leaf){.run = &s_runs[0], .begun = 12}; /* a snapshot is there for c */
    leaves[1].begun = 1;
    expect_branches(leaves, (ag_trunk_branch[]){
                                {0, 0 },
                                {0, 0 },
                                {0, 16},
                                {1, 6 },
                                {0, 19}
    });
    leaves[4] = (ag_trunk_leaf){.run = &s_runs[4], .begun = 3, .own = true};
    expect_branches(leaves, (ag_trunk_branch[]){
                                {0, 0 },
                                {0, 0 },
                                {0, 16},
                                {1, 6 },
                                {0, 0 }
    });
}

/* --- names */

static void names_say_their_step(void **state)
{
    const run_fixture *f = *state;
    char path[AG_TRUNK_NAME + 16];
    snprintf(path, sizeof path, "a/b-3/%s", name_of(&f->run, 17));
    assert_int_equal(ag_trunk_step(path), 17);
    static const char *const others[] = {"", "12", "x-12", "a/", "run-12.h5"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_int_equal(ag_trunk_step(others[i]), 0);
    snprintf(path, sizeof path, "%s.part", name_of(&f->run, 17));
    assert_int_equal(ag_trunk_step(path), 0);
    snprintf(path, sizeof path, "f%s", name_of(&f->run, 17));
    assert_int_equal(ag_trunk_step(path), 0);
    assert_int_equal(ag_trunk_step(name_of(&f->run, 1) + 1), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down_run)
    const struct CMUnitTest tests[] = {
        TEST(all_that_decides_a_step_counts),
        TEST(what_decides_no_step_does_not),
        TEST(rates_count_from_the_first_that_differs),
        TEST(a_last_step_is_never_shared),
        TEST(states_that_are_kept_count_from_their_step),
        TEST(phases_count_from_where_they_begin),
        TEST(the_smallest_id_leads),
        TEST(what_has_begun_counts),
        TEST(names_say_their_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
