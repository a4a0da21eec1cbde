/* Accumulators as text: names, the canonical text, and what a run's id covers of them. */
#include "run/run_support.h"

static const char s_fp22[] = "terms=32,fraction=13,floor=-133,into=e8m13,round=zero";

static ag_accumulator parsed(const char *text)
{
    ag_accumulator accumulator;
    assert_ok(ag_accumulator_parse(&accumulator, text));
    return accumulator;
}

static void assert_text(const char *text, const char *canonical, const char *described)
{
    char written[AG_ACCUMULATOR_TEXT];
    ag_accumulator accumulator = parsed(text);
    ag_accumulator_write(written, &accumulator);
    assert_string_equal(written, canonical);
    ag_accumulator again = parsed(written);
    assert_true(ag_accumulator_equal(&accumulator, &again));
    ag_accumulator_describe(written, &accumulator);
    assert_string_equal(written, described);
}

static void test_names_and_their_text(void **state)
{
    (void)state;
    assert_text("h100-fp8", s_fp22, "h100-fp8");
    assert_text("FP22", s_fp22, "h100-fp8");
    assert_text("deepseek",
                "terms=32,fraction=13,floor=-133,into=e8m13,round=zero,promote=128,outer=fp32",
                "deepseek");
    assert_text("v100", "terms=4,fraction=23,into=fp32,round=zero", "v100");
    assert_text("a100-half", "terms=8,fraction=24,floor=-20,into=fp16,round=nearest", "a100-half");
    assert_text("b200-nvfp4", "model=nvfp4,terms=64,fraction=35,into=fp32,round=zero",
                "b200-nvfp4");
    assert_text("mi300-fp8", "model=mi300-fp8,terms=16,fraction=24,into=fp32,round=nearest",
                "mi300-fp8");
    assert_text("bf16", "terms=1,into=bf16,round=nearest", "bf16");
    assert_text("E5M2", "terms=1,into=e5m2ieee,round=nearest", "e5m2ieee");
    assert_text("e8m12", "terms=1,into=e8m12,round=nearest", "e8m12");
    assert_text("terms=1,into=fp32,round=zero", "terms=1,into=fp32,round=nearest", "fp32");
    size_t count;
    const ag_accumulator_model *models = ag_accumulator_list(&count);
    for (size_t i = 0; i < count; i++) {
        char written[AG_ACCUMULATOR_TEXT];
        ag_accumulator accumulator = parsed(models[i].name);
        assert_ok(ag_accumulator_check(&accumulator));
        ag_accumulator_write(written, &accumulator);
        ag_accumulator again = parsed(written);
        assert_true(ag_accumulator_equal(&accumulator, &again));
    }
}

static void test_registers(void **state)
{
    (void)state;
    ag_register number;
    assert_ok(ag_register_parse(&number, "e8m13"));
    assert_int_equal(number.mantissa, 13);
    assert_int_equal(number.emin, -126);
    assert_true(number.max == 0x1.fff8p+127f);
    assert_ok(ag_register_parse(&number, "fp16"));
    assert_int_equal(number.emin, -14);
    assert_true(number.max == 65504);
    ag_error_clear();
    assert_int_equal(ag_register_parse(&number, "e9m13"), AG_ERR_INPUT);
    ag_error_clear();
    assert_int_equal(ag_register_parse(&number, "e8m30"), AG_ERR_INPUT);
}

static void set_all(run_fixture *f, const ag_accumulator *accumulator)
{
    for (size_t i = 0; i < MAX_LAYERS; i++)
        for (int product = 0; product < AG_LINEAR_PRODUCTS; product++)
            f->layers[i].accumulate[product] = *accumulator;
}

static void identify(char id[AG_ID_LENGTH + 1], run_fixture *f)
{
    assert_ok(ag_run_identify(&f->run));
    memcpy(id, f->run.id, AG_ID_LENGTH + 1);
}

/* The canonical text, and so the id, of a run without them is what it was. */
static void test_the_id_covers_them_and_nothing_else_changes(void **state)
{
    run_fixture *f = *state;
    char plain[AG_ID_LENGTH + 1];
    char first[AG_ID_LENGTH + 1];
    char second[AG_ID_LENGTH + 1];
    ag_accumulator fp22 = parsed("fp22");
    ag_accumulator same = parsed(s_fp22);
    identify(plain, f);
    assert_string_equal(plain, GOLDEN_RUN_ID);
    set_all(f, &fp22);
    identify(first, f);
    assert_string_not_equal(plain, first);
    set_all(f, &same);
    identify(second, f);
    assert_string_equal(first, second);
    f->layers[0].accumulate[AG_WGRAD] = parsed("fp32");
    identify(second, f);
    assert_string_not_equal(first, second);
}

static void test_a_run_with_them_is_read_back(void **state)
{
    run_fixture *f = *state;
    ag_run again;
    ag_accumulator chain = parsed("bf16");
    f->layers[0].accumulate[AG_FPROP] = parsed("deepseek");
    f->layers[0].accumulate[AG_WGRAD] = chain;
    assert_ok(ag_run_identify(&f->run));
    ag_run_canonical(&f->text, &f->run);
    json_decref(load_sorted(f->text.data));
    const char *expected = "\"transformer.h.0.attn.c_attn\":{\"accumulate\":{\"fprop\":\"terms=32,"
                           "fraction=13,floor=-133,into=e8m13,round=zero,promote=128,outer=fp32\","
                           "\"wgrad\":\"terms=1,into=bf16,round=nearest\"},\"grad_output\":";
    assert_non_null(strstr(f->text.data, expected));
    ag_text_deinit(&f->text);
    ag_run_assignment(&f->text, &f->run);
    assert_ok(ag_run_from_assignment(&again, f->text.data, f->text.length, &f->arena));
    assert_true(ag_layer_precision_equal(&again.layers[0], &f->layers[0]));
    assert_true(ag_layer_precision_equal(&again.layers[1], &f->layers[1]));
    static const text_change changes[] = {
        {"into=bf16,round=nearest",         "into=bf16,round=up", "has no 'round=up'"                                },
        {"terms=1,into=bf16",               "terms=2,into=bf16",  "need 'fraction'"                                  },
        {"terms=1,into=bf16,round=nearest", "bf16",               "is written"                                       },
        {"promote=128",                     "promote=100",        "promote is 100: expected a multiple of terms (32)"},
        {"\"wgrad\":\"terms",               "\"ygrad\":\"terms",  "ygrad"                                            },
    };
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        ag_error_clear();
        assert_int_equal(read_changed(f, changes[i].old, changes[i].new), AG_ERR_INPUT);
        if (strstr(ag_error_message(), changes[i].message) == NULL)
            fail_msg("%s", ag_error_message());
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_and_their_text),
        cmocka_unit_test(test_registers),
        cmocka_unit_test_setup_teardown(test_the_id_covers_them_and_nothing_else_changes,
                                        set_up_run, tear_down_run),
        cmocka_unit_test_setup_teardown(test_a_run_with_them_is_read_back, set_up_run,
                                        tear_down_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
