/* Formats by step: which phases a run has, worked out by hand, and which runs are one. */
#include "config/config_support.h"
#include "run/phases.h"
#include "run/run_json.h"

static const ag_run *run_of(ag_experiment *experiment, const char *format)
{
    const ag_grid *grid = ag_experiment_grid(experiment);
    return &grid->runs[find_label(grid, "format", format, NULL, NULL)->run];
}

/* The format of the weights of layer 0 in each phase, as "0:e4m3fn 10:- 20:e5m2ieee". */
static void expect_phases(ag_experiment *experiment, const char *format, const char *wanted)
{
    char text[256] = "";
    const ag_run *run = run_of(experiment, format);
    for (size_t i = 0; i < ag_phase_count(run); i++) {
        ag_run one = ag_run_in_phase(run, i);
        const ag_scheme *scheme = &one.layers[0].scheme[AG_ROLE_WEIGHT][0];
        size_t length = strlen(text);
        snprintf(text + length, sizeof text - length, "%s%d:%s", i > 0 ? " " : "",
                 (int)ag_phase_begin(run, i), scheme->quantised ? scheme->format.name : "-");
    }
    assert_string_equal(text, wanted);
}

static void test_steps(void **state)
{
    (void)state;
    ag_experiment *experiment =
        load_good(HEAD "train: {steps: 25}\nformats:\n"
                       "  - {name: from, all: E4M3, from: 10}\n"
                       "  - {name: until, all: E4M3, until: 90%}\n" /* 22.5: 23 */
                       "  - {name: within, all: E4M3, from: 4, until: 50%}\n"
                       "  - {name: last, all: E4M3, from: 24}\n"
                       "  - {name: list, phases: [{until: 10, all: null}, {until: 90%, all: E4M3}, "
                       "{all: E5M2}]}\n"
                       "  - {name: gap, phases: [{until: 10, all: E4M3}, {from: 15, all: E5M2}]}\n"
                       "  - {name: names, phases: [{until: 10, all: E4M3}, E5M2]}\n");
    expect_phases(experiment, "from", "0:- 10:e4m3fn");
    expect_phases(experiment, "until", "0:e4m3fn 23:-");
    expect_phases(experiment, "within", "0:- 4:e4m3fn 13:-");
    expect_phases(experiment, "last", "0:- 24:e4m3fn");
    expect_phases(experiment, "list", "0:- 10:e4m3fn 23:e5m2ieee");
    expect_phases(experiment, "gap", "0:e4m3fn 10:- 15:e5m2ieee");
    expect_phases(experiment, "names", "0:e4m3fn 10:e5m2ieee");
    ag_experiment_destroy(experiment);
}

/* Equal neighbours are one phase, an empty one is none: then it is the run without it. */
static void test_what_means_the_same_is_one_run(void **state)
{
    (void)state;
    ag_experiment *experiment = load_good(
        HEAD "train: {steps: 20}\nformats:\n"
             "  - {name: plain, all: E4M3}\n"
             "  - {name: whole, all: E4M3, from: 0, until: 100%}\n"
             "  - {name: longer, all: E4M3, until: 500}\n"
             "  - {name: equal, phases: [{until: 5, all: E4M3}, {all: E4M3}]}\n"
             "  - {name: empty, phases: [{until: 19, all: E4M3}, {until: 95%, all: E5M2}, "
             "{all: E4M3}]}\n"
             "  - {name: two, phases: [{until: 5, all: E5M2}, {until: 7, all: E4M3}, "
             "{until: 9, all: E4M3}, {all: null}]}\n"
             "  - {name: same, phases: [{until: 25%, all: E5M2}, {until: 9, all: E4M3}, "
             "{all: BF16}]}\n"
             "  - {name: never, all: E4M3, from: 20}\n"
             "  - BF16\n");
    const char *plain = run_of(experiment, "plain")->id;
    assert_string_equal(run_of(experiment, "whole")->id, plain);
    assert_string_equal(run_of(experiment, "longer")->id, plain);
    assert_string_equal(run_of(experiment, "equal")->id, plain);
    assert_string_equal(run_of(experiment, "empty")->id, plain);
    assert_string_equal(run_of(experiment, "never")->id, run_of(experiment, "BF16")->id);
    expect_phases(experiment, "two", "0:e5m2ieee 5:e4m3fn 9:-");
    assert_string_equal(run_of(experiment, "two")->id, run_of(experiment, "same")->id);
    assert_int_equal(ag_experiment_grid(experiment)->n_runs, 3);
    ag_experiment_destroy(experiment);
}

/* Boundaries are the union over layers and sites, whoever brings them; labels may be targets. */
static void test_rules_bring_phases(void **state)
{
    (void)state;
    ag_experiment *experiment = load_good(
        HEAD "model: {n_layer: 1}\ntrain: {steps: 20}\nformats:\n"
             "  - {name: a, all: E4M3, from: 5, until: 15}\n"
             "  - {name: b, all: E5M2, from: 10}\n"
             "layer_configs:\n  x: {layer_rules: [{pattern: 'attn.qk$', format: {all: E5M2, until: "
             "3}}, {pattern: lm_head, format: b}, {pattern: c_fc, format: null}], default_format: "
             "$format}\n");
    const ag_run *run = run_of(experiment, "a");
    assert_int_equal(run->n_phases, 4);
    assert_int_equal(run->phases[0].from, 3);
    assert_int_equal(run->phases[1].from, 5);
    assert_int_equal(run->phases[2].from, 10);
    assert_int_equal(run->phases[3].from, 15);
    assert_non_null(run->sites);
    assert_null(run->phases[0].sites);
    assert_false(run->phases[3].layers[0].scheme[0][0].quantised);
    assert_true(run->phases[3].layers[4].scheme[0][0].quantised);
    assert_false(run->phases[1].layers[2].scheme[0][0].quantised);
    ag_experiment_destroy(experiment);
}

/* Through an assignment and back; the text has the later tables behind the optimizer. */
static void test_assignment(void **state)
{
    (void)state;
    ag_experiment *experiment = load_good(HEAD "model: {n_layer: 1}\ntrain: {steps: 20}\nformats:\n"
                                               "  - {name: a, all: E4M3, from: 5, until: 15}\n");
    const ag_run *run = run_of(experiment, "a");
    ag_text text;
    ag_arena arena;
    ag_run read;
    ag_text_init(&text);
    ag_arena_init_growing(&arena);
    ag_run_assignment(&text, run);
    assert_non_null(strstr(text.data, ",\"phases\":[{\"from\":5,\"layers\":{\"lm_head\":{\"grad_"
                                      "output\":{\"amax\""));
    assert_non_null(strstr(text.data, "},{\"from\":15,\"layers\":{\"lm_head\":{\"grad_output\":"
                                      "null,\"input\":null,\"weight\":null},"));
    assert_non_null(strstr(text.data, "}}}],\"seed\":0,"));
    assert_ok(ag_run_from_assignment(&read, text.data, text.length, &arena));
    assert_int_equal(read.n_phases, 2);
    assert_string_equal(read.id, run->id);
    char *from = strstr(text.data, "\"from\":15");
    memcpy(from, "\"from\":05", 9); /* no JSON */
    assert_fails(AG_ERR_INPUT, "assignment",
                 ag_run_from_assignment(&read, text.data, text.length, &arena));
    memcpy(from, "\"from\": 5", 9); /* no later than the phase before */
    assert_fails(AG_ERR_INPUT, "phases[1].from",
                 ag_run_from_assignment(&read, text.data, text.length, &arena));
    ag_text_deinit(&text);
    ag_arena_deinit(&arena);
    ag_experiment_destroy(experiment);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_what_means_the_same_is_one_run),
        cmocka_unit_test(test_rules_bring_phases),
        cmocka_unit_test(test_assignment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
