/* What is the same, bit for bit, between whole runs, and what may differ. */
#include "same_record.h"
#include "scenarios.h"

#include "numerics/recipe.h"

static tiny s_a; /* large */
static tiny s_b;

static ag_scheme stochastic(const char *name)
{
    ag_scheme scheme = tiny_scheme(name);
    scheme.rounding = AG_ROUND_STOCHASTIC;
    return scheme;
}

/* A BF16 format without a scale quantises weights from the master and everything else from BF16
 * values, which it leaves as they are: the definition of null, by way of the quantiser. */
static void test_null_is_bf16_bit_for_bit(void **state)
{
    (void)state;
    tiny_make(&s_a);
    tiny_make(&s_b);
    tiny_quantise_all(&s_b, tiny_scheme("bf16"));
    tiny_train(&s_a, &ag_kernels_fast);
    tiny_train(&s_b, &ag_kernels_fast);
    assert_same_record(&s_a.record, &s_b.record);
    assert_memory_equal(s_b.record.val_loss, s_b.record.val_loss_hp, sizeof(double));
    tiny_end(&s_b);

    tiny_make(&s_b);
    s_b.run.compute = AG_COMPUTE_FP32;
    tiny_train(&s_b, &ag_kernels_fast);
    assert_true(s_a.record.loss[0] != s_b.record.loss[0]);
    assert_true(fabs(s_a.record.loss[0] - s_b.record.loss[0]) < 1e-3);
    tiny_end(&s_a);
    tiny_end(&s_b);
}

/* A recipe without anything left to quantise is the reference too. */
static void test_a_recipe_of_nulls_is_bf16(void **state)
{
    (void)state;
    tiny_make(&s_a);
    tiny_make(&s_b);
    for (int i = 0; i < TINY_LAYERS; i++) {
        ag_layer_precision *layer = &s_b.layers[i];
        assert_ok(ag_recipe_parse(layer, "nvfp4"));
        for (int j = 0; j < AG_ROLES * AG_USES; j++)
            layer->scheme[j / AG_USES][j % AG_USES].quantised = false;
        for (int j = 0; j < AG_ROLES * AG_USES; j++)
            ag_scheme_normalise(&layer->scheme[j / AG_USES][j % AG_USES]);
    }
    tiny_train(&s_a, &ag_kernels_fast);
    tiny_train(&s_b, &ag_kernels_fast);
    assert_same_record(&s_a.record, &s_b.record);
    tiny_end(&s_a);
    tiny_end(&s_b);
}

/* E0M7, E1M6 and INT8 have the same values but for a power of two: under scales that follow from an
 * amax they are one quantiser, in a whole run. */
static void test_formats_that_are_one(void **state)
{
    (void)state;
    static const char *const scalings[] = {"/tensor",
                                           "/tensor/delayed",
                                           "/row",
                                           "/1x4/amax",
                                           "/8x8/amax+pow2",
                                           "/mx/e8m0floor",
                                           "/tensor/amax/stochastic",
                                           "/mx/e8m0rceil/stochastic"};
    static const char *const same[][3] = {
        {"e0m7", "e1m6", "int8"},
        {"e0m3", "e1m2", "int4"},
    };
    char name[64];
    for (size_t i = 0; i < sizeof scalings / sizeof scalings[0]; i++) {
        for (size_t j = 0; j < 2; j++) {
            for (size_t k = 0; k < 3; k++) {
                tiny *t = k == 0 ? &s_a : &s_b;
                ag_scheme scheme;
                snprintf(name, sizeof name, "%s%s", same[j][k], scalings[i]);
                assert_ok(ag_scheme_parse(&scheme, name));
                tiny_make(t);
                tiny_quantise_all(t, scheme);
                tiny_train(t, &ag_kernels_fast);
                if (k > 0) {
                    assert_same_record(&s_a.record, &s_b.record);
                    tiny_end(&s_b);
                }
            }
            tiny_end(&s_a);
        }
    }
}

/* Every recipe trains, twice alike, from the initial weights of the BF16 run. */
static void test_recipes(void **state)
{
    (void)state;
    size_t count;
    const ag_recipe *recipes = ag_recipe_list(&count);
    for (size_t i = 0; i < count; i++) {
        tiny *const twice[] = {&s_a, &s_b};
        for (int j = 0; j < 2; j++) {
            tiny_make(twice[j]);
            twice[j]->run.train.grad_accum = 2;
            for (int layer = 0; layer < TINY_LAYERS; layer++)
                assert_ok(ag_recipe_parse(&twice[j]->layers[layer], recipes[i].name));
            tiny_train(twice[j], &ag_kernels_fast);
            assert_int_equal(twice[j]->record.outcome, AG_OUTCOME_DONE);
        }
        assert_same_record(&s_a.record, &s_b.record);
        assert_true(s_a.record.val_loss[0] != s_a.record.val_loss_hp[0]);
        tiny_end(&s_b);
        tiny_make(&s_b);
        tiny_train(&s_b, &ag_kernels_fast);
        assert_string_equal(s_a.record.digest_initial, s_b.record.digest_initial);
        tiny_end(&s_a);
        tiny_end(&s_b);
    }
}

static void test_twice_the_same(void **state)
{
    (void)state;
    scenario_make(&s_a, scenario_everything);
    scenario_make(&s_b, scenario_everything);
    tiny_train(&s_a, &ag_kernels_fast);
    tiny_train(&s_b, &ag_kernels_fast);
    assert_same_record(&s_a.record, &s_b.record);
    tiny_end(&s_a);
    tiny_end(&s_b);
}

/* Evaluating more often reads the state and leaves no trace in the training. */
static void test_evaluation_leaves_no_trace(void **state)
{
    (void)state;
    scenario_make(&s_a, scenario_everything);
    scenario_make(&s_b, scenario_everything);
    s_b.run.eval.every = 1;
    s_b.run.eval.windows = 7;
    tiny_train(&s_a, &ag_kernels_fast);
    tiny_train(&s_b, &ag_kernels_fast);
    assert_int_equal(s_a.record.evals, 4);
    assert_int_equal(s_b.record.evals, 8);
    assert_string_equal(s_a.record.digest, s_b.record.digest);
    assert_memory_equal(s_a.record.loss, s_b.record.loss, 7 * sizeof(double));
    assert_true(s_a.record.final_val_loss == s_b.record.final_val_loss);
    tiny_end(&s_a);
    tiny_end(&s_b);
}

static void test_formats_share_initial_weights_and_batches(void **state)
{
    (void)state;
    static const char *const names[] = {"e4m3", "e5m2", "int4"};
    tiny_make(&s_a);
    tiny_start(&s_a);
    ag_trainer_step(&s_a.trainer);
    for (size_t i = 0; i < 3; i++) {
        tiny_make(&s_b);
        tiny_quantise_all(&s_b, tiny_scheme(names[i]));
        tiny_start(&s_b);
        assert_string_equal(s_a.record.digest_initial, s_b.record.digest_initial);
        ag_trainer_step(&s_b.trainer);
        assert_memory_equal(s_a.trainer.tokens.inputs, s_b.trainer.tokens.inputs,
                            24 * sizeof(int32_t));
        assert_true(s_a.record.loss[0] != s_b.record.loss[0]);
        tiny_end(&s_b);
    }
    tiny_end(&s_a);
}

static void test_another_seed_differs(void **state)
{
    (void)state;
    tiny_make(&s_a);
    tiny_make(&s_b);
    s_b.run.seed = 43;
    tiny_start(&s_a);
    tiny_start(&s_b);
    assert_string_not_equal(s_a.record.digest_initial, s_b.record.digest_initial);
    ag_trainer_step(&s_a.trainer);
    ag_trainer_step(&s_b.trainer);
    assert_memory_not_equal(s_a.trainer.tokens.inputs, s_b.trainer.tokens.inputs,
                            24 * sizeof(int32_t));
    tiny_end(&s_b);

    tiny_make(&s_b); /* the two seeds that default to the run's */
    s_b.run.seed = 43;
    s_b.run.model.init_seed = 42;
    s_b.run.train.data_seed = 42;
    tiny_start(&s_b);
    assert_string_equal(s_a.record.digest_initial, s_b.record.digest_initial);
    ag_trainer_step(&s_b.trainer);
    assert_memory_equal(s_a.trainer.tokens.inputs, s_b.trainer.tokens.inputs, 24 * sizeof(int32_t));
    tiny_end(&s_a);
    tiny_end(&s_b);
}

/* With stochastic gradients alone the first forward pass, its dropout masks, weights and batch are
 * what they are without: the same loss to the last bit, other gradients. */
static void test_stochastic_rounding_changes_nothing_else(void **state)
{
    (void)state;
    tiny *tests[] = {&s_a, &s_b};
    for (int i = 0; i < 2; i++) {
        tiny_make(tests[i]);
        tests[i]->run.model.dropout = 0.25;
        tiny_quantise(tests[i], AG_ROLE_INPUT, tiny_scheme("e4m3"));
        tiny_quantise(tests[i], AG_ROLE_GRAD_OUTPUT,
                      i == 0 ? tiny_scheme("e3m2") : stochastic("e3m2"));
        tiny_start(tests[i]);
        ag_trainer_step(&tests[i]->trainer);
    }
    assert_string_equal(s_a.record.digest_initial, s_b.record.digest_initial);
    assert_memory_equal(s_a.record.loss, s_b.record.loss, sizeof(double));
    assert_true(s_a.record.grad_norm[0] != s_b.record.grad_norm[0]);
    tiny_end(&s_a);
    tiny_end(&s_b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_null_is_bf16_bit_for_bit),
        cmocka_unit_test(test_a_recipe_of_nulls_is_bf16),
        cmocka_unit_test(test_formats_that_are_one),
        cmocka_unit_test(test_recipes),
        cmocka_unit_test(test_twice_the_same),
        cmocka_unit_test(test_evaluation_leaves_no_trace),
        cmocka_unit_test(test_formats_share_initial_weights_and_batches),
        cmocka_unit_test(test_another_seed_differs),
        cmocka_unit_test(test_stochastic_rounding_changes_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
