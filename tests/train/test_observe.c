/* What an observer sees, against direct computations; and that it changes nothing. */
#include "tiny.h"

#include "numerics/recipe.h"
#include "observer.h"

static tiny s_a;
static tiny s_b;

/* --- nothing is changed */

static void delayed(tiny *t)
{
    ag_scheme scheme = tiny_scheme("e4m3");
    scheme.amax = AG_AMAX_DELAYED;
    scheme.history = 3;
    tiny_quantise_all(t, scheme);
    t->run.train.grad_accum = 2;
}

static void windowed(tiny *t)
{
    ag_scheme scheme = tiny_scheme("e3m2");
    scheme.amax = AG_AMAX_WINDOWED;
    scheme.history = 2;
    tiny_quantise_all(t, scheme);
    t->run.train.grad_accum = 3;
    t->run.model.dropout = 0.2;
}

static void stochastic(tiny *t)
{
    ag_scheme scheme = tiny_scheme("e2m1");
    scheme.rounding = AG_ROUND_STOCHASTIC;
    tiny_quantise_all(t, scheme);
    for (int i = 0; i < TINY_LAYERS; i++) /* and two copies of a role */
        t->layers[i].scheme[AG_ROLE_GRAD_OUTPUT][1] = tiny_scheme("e5m2");
}

static void clipping(tiny *t)
{
    ag_scheme scheme = tiny_scheme("e4m3");
    scheme.amax = AG_AMAX_NONE;
    scheme.ste = AG_STE_CLIP;
    tiny_quantise(t, AG_ROLE_WEIGHT, scheme);
    tiny_quantise(t, AG_ROLE_INPUT, scheme);
}

static void nothing(tiny *t)
{
    t->run.compute = AG_COMPUTE_FP32;
}

static void skipping(tiny *t)
{
    delayed(t);
    for (int i = 0; i < TINY_LAYERS; i++)
        t->layers[i].scheme[AG_ROLE_WEIGHT][0].overflow =
            t->layers[i].scheme[AG_ROLE_WEIGHT][1].overflow = AG_OVERFLOW_SPECIAL;
    t->run.stop.on_nonfinite = AG_NONFINITE_SKIP;
}

static void of_recipe(tiny *t, const char *name)
{
    ag_layer_precision precision;
    assert_ok(ag_recipe_parse(&precision, name));
    for (int i = 0; i < TINY_LAYERS; i++)
        t->layers[i] = precision;
}

static void rows(tiny *t)
{
    of_recipe(t, "row");
}

static void mx(tiny *t)
{
    of_recipe(t, "mxfp4");
}

static void nv(tiny *t)
{
    of_recipe(t, "nvfp4");
    t->run.train.grad_accum = 2;
}

static void assert_same_training(const ag_record *a, const ag_record *b)
{
    size_t steps = (size_t)a->steps;
    assert_int_equal(a->steps, b->steps);
    assert_memory_equal(a->loss, b->loss, steps * sizeof *a->loss);
    assert_memory_equal(a->grad_norm, b->grad_norm, steps * sizeof *a->grad_norm);
    assert_memory_equal(a->skipped, b->skipped, steps);
    assert_memory_equal(a->val_loss, b->val_loss, (size_t)a->evals * sizeof *a->val_loss);
    assert_memory_equal(a->val_loss_hp, b->val_loss_hp, (size_t)a->evals * sizeof *a->val_loss);
    assert_string_equal(a->digest, b->digest);
}

static void test_no_bit_changes(void **state)
{
    (void)state;
    static void (*const set_ups[])(tiny *) = {delayed,  windowed, stochastic, clipping, nothing,
                                              skipping, rows,     mx,         nv};
    for (size_t i = 0; i < sizeof set_ups / sizeof set_ups[0]; i++) {
        for (int every = 1; every < 4; every++) {
            tiny_make(&s_a);
            set_ups[i](&s_a);
            s_a.run.eval.every = 2;
            tiny_make(&s_b);
            set_ups[i](&s_b);
            s_b.run.eval.every = 2;
            s_b.run.observe =
                (ag_observe_spec){.quant_every = every, .diagnostics = ALL_DIAGNOSTICS};
            tiny_train(&s_a, &ag_kernels_fast);
            tiny_train(&s_b, &ag_kernels_fast);
            assert_same_training(&s_a.record, &s_b.record);
            assert_int_equal(s_a.record.samples.count, 0);
            assert_int_equal(s_b.record.samples.count, ag_samples_before(&s_b.run, 6));
            tiny_end(&s_a);
            tiny_end(&s_b);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_bit_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
