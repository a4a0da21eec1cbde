#include "support.h"

#include "spec/params.h"

static void test_defaults_are_what_the_table_says(void **state)
{
    (void)state;
    ag_arena arena;
    ag_arena_init_growing(&arena);
    ag_run run;
    ag_run_defaults(&run);
    size_t count = 0;
    const ag_param *params = ag_params(&count);
    for (size_t i = 0; i < count; i++) {
        ag_run other = run;
        assert_ok(ag_param_set(&other, &params[i], params[i].default_text, &arena));
        assert_string_equal(ag_param_get(&run, &params[i], &arena),
                            ag_param_get(&other, &params[i], &arena));
        assert_ptr_equal(ag_param_find(params[i].key), &params[i]);
    }
    assert_int_equal(run.model.n_embd, 128);
    assert_true(run.optimizer.lr == 1e-3);
    assert_true(run.optimizer.betas[1] == 0.99);
    assert_true(run.limits.stall_limit_s == 600);
    ag_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults_are_what_the_table_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
