/* Runs whose precision changes with the step, against runs whose precision does not. */
#include "next_phase.h"
#include "same_record.h"
#include "scenarios.h"

enum { STEPS = 8, SWITCH = 4 };

static tiny s_one;
static tiny s_two;

static ag_scheme delayed(const char *name)
{
    ag_scheme scheme = tiny_scheme(name);
    scheme.amax = AG_AMAX_DELAYED;
    scheme.history = 3;
    return scheme;
}

static void make(tiny *t)
{
    tiny_make(t);
    t->run.train.steps = STEPS;
    t->run.eval.every = 2;
}

/* Steps, evaluations included, as ag_train does them. */
static void step_to(tiny *t, int64_t step)
{
    while (t->trainer.state.step < step) {
        if (t->trainer.state.step % 2 == 0)
            assert_ok(ag_evaluate_periodic(&t->trainer));
        ag_trainer_step(&t->trainer);
        assert_ok(ag_trainer_follow(&t->trainer));
    }
}

static void assert_same_weights(const tiny *a, const tiny *b)
{
    const ag_train_state *s = &a->trainer.state;
    assert_memory_equal(s->weights, b->trainer.state.weights, s->tensors.total * sizeof(float));
    assert_memory_equal(s->m, b->trainer.state.m, s->tensors.total * sizeof(float));
    assert_memory_equal(s->v, b->trainer.state.v, s->tensors.total * sizeof(float));
}

/* Up to the switch a run is that of its first format, evaluations included; the evaluation before
 * the first step of the second phase has that one's. */
static void test_before_the_switch(void **state)
{
    (void)state;
    make(&s_one);
    tiny_quantise_all(&s_one, delayed("e4m3"));
    tiny_start(&s_one);
    make(&s_two);
    tiny_phase(&s_two, SWITCH); /* BF16 */
    tiny_quantise_all(&s_two, delayed("e4m3"));
    tiny_start(&s_two);
    step_to(&s_one, SWITCH);
    step_to(&s_two, SWITCH);
    assert_same_weights(&s_one, &s_two);
    assert_same(s_one.record.loss, s_two.record.loss, SWITCH, sizeof(double));
    assert_same(s_one.record.val_loss, s_two.record.val_loss, 2, sizeof(double));
    assert_ok(ag_evaluate_periodic(&s_one.trainer));
    assert_ok(ag_evaluate_periodic(&s_two.trainer));
    assert_true(s_one.record.val_loss[2] != s_one.record.val_loss_hp[2]);
    assert_true(s_two.record.val_loss[2] == s_one.record.val_loss_hp[2]);
    tiny_end(&s_one);
    tiny_end(&s_two);
}

/* After the switch it is a run of the second format with the first one's weights and moments. */
static void test_after_the_switch(void **state)
{
    (void)state;
    make(&s_one);
    tiny_quantise_all(&s_one, delayed("e5m2"));
    tiny_phase(&s_one, SWITCH);
    memset(s_one.layers, 0, sizeof s_one.layers);
    tiny_start(&s_one);
    step_to(&s_one, SWITCH);
    make(&s_two);
    tiny_quantise_all(&s_two, delayed("e5m2"));
    tiny_start(&s_two);
    ag_train_state *to = &s_two.trainer.state;
    const ag_train_state *from = &s_one.trainer.state;
    size_t bytes = from->tensors.total * sizeof(float);
    memcpy(to->weights, from->weights, bytes);
    memcpy(to->m, from->m, bytes);
    memcpy(to->v, from->v, bytes);
    to->step = s_two.record.steps = SWITCH;
    to->updates = from->updates;
    step_to(&s_one, STEPS);
    step_to(&s_two, STEPS);
    assert_same_weights(&s_one, &s_two);
    assert_same(s_one.record.loss + SWITCH, s_two.record.loss + SWITCH, STEPS - SWITCH,
                sizeof(double));
    tiny_end(&s_one);
    tiny_end(&s_two);
}

static size_t slot(size_t layer, ag_role role, int use)
{
    return (layer * AG_ROLES + (size_t)role) * AG_USES + (size_t)use;
}

/* Equal schemes keep their scale and history, wherever these lie in memory; others begin anew. */
static void test_histories(void **state)
{
    (void)state;
    make(&s_one);
    ag_scheme longer = delayed("e4m3");
    longer.history = 5;
    tiny_quantise(&s_one, AG_ROLE_INPUT, longer);
    tiny_quantise(&s_one, AG_ROLE_GRAD_OUTPUT, delayed("e5m2"));
    tiny_phase(&s_one, SWITCH);
    tiny_quantise_all(&s_one, delayed("e4m3"));
    tiny_quantise(&s_one, AG_ROLE_GRAD_OUTPUT, delayed("e5m2"));
    tiny_start(&s_one);
    step_to(&s_one, SWITCH - 1);
    ag_trainer_step(&s_one.trainer);
    const ag_train_state *s = &s_one.trainer.state;
    const size_t last = 8;
    ag_scale before = s->scales[slot(last, AG_ROLE_GRAD_OUTPUT, 0)];
    float kept[3];
    memcpy(kept, s->amaxes + s->n_amaxes - 6, sizeof kept);
    assert_int_equal(before.pushed, SWITCH);
    assert_ok(ag_trainer_follow(&s_one.trainer));
    assert_memory_equal(&before, &s->scales[slot(last, AG_ROLE_GRAD_OUTPUT, 0)], sizeof before);
    assert_memory_equal(kept, s->amaxes + s->n_amaxes - 6, sizeof kept);
    assert_true(kept[0] > 0.0f);
    assert_int_equal(s->scales[slot(last, AG_ROLE_INPUT, 0)].pushed, 0);
    assert_true(s->scales[slot(last, AG_ROLE_INPUT, 0)].value == 1.0f);
    tiny_end(&s_one);
}

/* Two uses that part go on with the history of the copy that served both. */
static void test_a_copy_that_served_both(void **state)
{
    (void)state;
    make(&s_one);
    tiny_quantise_all(&s_one, delayed("e4m3"));
    for (int i = 0; i < TINY_LAYERS; i++)
        s_one.layers[i].scheme[AG_ROLE_WEIGHT][0] = delayed("e5m2");
    tiny_phase(&s_one, SWITCH);
    tiny_quantise_all(&s_one, delayed("e4m3"));
    tiny_start(&s_one);
    step_to(&s_one, SWITCH);
    const ag_scale *scales = s_one.trainer.state.scales;
    assert_int_equal(scales[slot(0, AG_ROLE_WEIGHT, 0)].pushed, 0);
    assert_int_equal(scales[slot(0, AG_ROLE_WEIGHT, 1)].pushed, SWITCH);
    tiny_end(&s_one);
}

/* Two uses that meet in one scheme, of which one had it before, have a scale each, as if they were
 * two tensors: the copy that could serve both is not made. */
static void test_uses_that_meet(void **state)
{
    (void)state;
    make(&s_one);
    tiny_quantise_all(&s_one, delayed("e4m3"));
    tiny_phase(&s_one, SWITCH);
    for (int i = 0; i < TINY_LAYERS; i++)
        s_one.layers[i].scheme[AG_ROLE_WEIGHT][1] = (ag_scheme){0};
    tiny_start(&s_one);
    step_to(&s_one, SWITCH);
    assert_int_equal(s_one.trainer.model.lm_head.copies[AG_ROLE_WEIGHT], 2);
    assert_int_equal(s_one.trainer.model.lm_head.copies[AG_ROLE_INPUT], 1);
    step_to(&s_one, SWITCH + 1);
    const ag_scale *scales = &s_one.trainer.state.scales[slot(0, AG_ROLE_WEIGHT, 0)];
    assert_int_equal(scales[0].pushed, SWITCH + 1);
    assert_int_equal(scales[1].pushed, 1);
    tiny_end(&s_one);
}

/* Sampled groups are those of all phases; outside of its phases one counts no element. */
static void test_samples(void **state)
{
    (void)state;
    make(&s_one);
    tiny_quantise(&s_one, AG_ROLE_INPUT, tiny_scheme("e5m2"));
    tiny_phase(&s_one, SWITCH);
    memset(s_one.layers, 0, sizeof s_one.layers);
    tiny_quantise(&s_one, AG_ROLE_WEIGHT, tiny_scheme("e5m2"));
    s_one.run.observe = (ag_observe_spec){.quant_every = 1, .diagnostics = ALL_DIAGNOSTICS};
    tiny_start(&s_one);
    step_to(&s_one, SWITCH);
    assert_true(tiny_sampled(&s_one, "quant/lm_head/weight", "n") == 8.0 * TINY_VOCAB);
    assert_true(tiny_sampled(&s_one, "quant/lm_head/input", "n") == 0.0);
    assert_true(isnan(tiny_sampled(&s_one, "quant/lm_head/input", "sqnr")));
    step_to(&s_one, STEPS);
    assert_true(tiny_sampled(&s_one, "quant/lm_head/weight", "n") == 0.0);
    assert_true(tiny_sampled(&s_one, "quant/lm_head/input", "n") == 3.0 * 8.0 * 8.0);
    tiny_end(&s_one);
}

/* Of the run that has a phase more, the memory is that of the largest phase and room for scales. */
static void test_memory(void **state)
{
    (void)state;
    make(&s_one);
    ag_scheme scheme;
    assert_ok(ag_scheme_parse(&scheme, "e2m1/mx"));
    tiny_quantise_all(&s_one, scheme);
    size_t large = ag_train_bytes(&s_one.run, 9);
    tiny_phase(&s_one, SWITCH);
    memset(s_one.layers, 0, sizeof s_one.layers);
    assert_in_range(ag_train_bytes(&s_one.run, 9), large, large + 4096);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_before_the_switch),
        cmocka_unit_test(test_after_the_switch),
        cmocka_unit_test(test_histories),
        cmocka_unit_test(test_a_copy_that_served_both),
        cmocka_unit_test(test_uses_that_meet),
        cmocka_unit_test(test_samples),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
