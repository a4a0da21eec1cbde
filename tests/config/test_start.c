/* train.start: which state a run asks for, what it takes over, and where its errors are told. */
#include "config/config_support.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "run/run.h"

#define TRAIN(rest) "train: {steps: 40, start: {file: x.h5, run: abc" rest "}}\n"

static size_t s_asked;

/* Run "abc", whose states are of AdamW, after steps 10 and 20. */
static ag_status find(ag_start_found *found, const ag_run *run, void *context)
{
    (void)context;
    s_asked++;
    assert_non_null(strstr(run->train.start_file, "/x.h5"));
    if (strcmp(run->train.start_run, "abc") != 0)
        return ag_fail(AG_ERR_INPUT, "x.h5: no completed run is meant by %s", run->train.start_run);
    if (run->train.start_step != 10 && run->train.start_step != 20)
        return ag_fail(AG_ERR_INPUT, "train.start.step: there are 10, 20");
    *found = (ag_start_found){
        .run = "0123456789ab", .step = run->train.start_step, .optimizer = AG_OPTIMIZER_ADAMW};
    memset(found->digest, run->train.start_step == 10 ? 'a' : 'b', AG_DIGEST_LENGTH);
    return AG_OK;
}

static ag_status load(ag_experiment **out, ag_text *messages, const char *yaml)
{
    char path[] = "/tmp/altgrad-test-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, yaml, strlen(yaml)), (ssize_t)strlen(yaml));
    close(fd);
    s_asked = 0;
    ag_text_init(messages);
    const ag_experiment_options how = {.find_start = find};
    ag_status status = ag_experiment_load(out, path, &how, messages);
    unlink(path);
    return status;
}

static ag_experiment *load_it(const char *yaml)
{
    ag_text messages;
    ag_experiment *experiment = NULL;
    if (load(&experiment, &messages, yaml) != AG_OK)
        fail_msg("%s\n%s", ag_error_message(), messages.data);
    ag_text_deinit(&messages);
    return experiment;
}

/* Once for each step, however many formats and seeds there are. */
static void states_are_asked_for_once(void **state)
{
    (void)state;
    ag_experiment *experiment =
        load_it(HEAD TRAIN("") "axes: {train.start.step: [10, 20]}\nformats: [BF16, E4M3]\n"
                               "seeds: 3\n");
    const ag_grid *grid = ag_experiment_grid(experiment);
    assert_int_equal(s_asked, 2);
    assert_int_equal(grid->n_runs, 12);
    for (size_t i = 0; i < grid->n_runs; i++) {
        const ag_run *run = &grid->runs[i];
        assert_string_equal(run->train.start_run, "0123456789ab");
        assert_int_equal(run->start_digest[5], run->train.start_step == 10 ? 'a' : 'b');
    }
    ag_experiment_destroy(experiment);
}

/* Formats that differ only before the state are one run. */
static void what_is_before_the_state_is_no_part_of_a_run(void **state)
{
    (void)state;
    ag_experiment *experiment = load_it(HEAD TRAIN(
        ", step: 20") "formats:\n  - E4M3\n  - {name: a, phases: [{until: 20, all: E5M2}, "
                      "{all: E4M3}]}\n  - {name: b, phases: [{until: 5, all: null}, "
                      "{until: 30, all: E4M3}, {all: E5M2}]}\n");
    const ag_grid *grid = ag_experiment_grid(experiment);
    assert_int_equal(grid->n_labels, 3);
    assert_int_equal(grid->n_runs, 2);
    assert_int_equal(grid->runs[0].n_phases, 0);
    assert_int_equal(grid->runs[1].n_phases, 1);
    assert_int_equal(grid->runs[1].phases[0].from, 30);
    ag_experiment_destroy(experiment);
}

/* Line and column are those of the value that is wrong: the first line of HEAD is 1. */
static void errors_say_where(void **state)
{
    (void)state;
    static const struct {
        const char *yaml;
        const char *place;
        const char *part;
    } cases[] = {
        {HEAD "train:\n  steps: 40\n  start: {file: x.h5, run: abd}\n",
         ":5:17: ",                                                                                          "x.h5: no completed run is meant by abd"                                        },
        {HEAD "train:\n  start: {file: x.h5, run: abc, step: 15}\n",
         ":4:39: ",                                                                                          "train.start.step: there are 10, 20"                                            },
        {HEAD "train:\n  steps: 20\n  start: {file: x.h5, run: abc, step: 20}\n",                 ":5:39: ",
         "train.start.step: after step 20 nothing is left to train for a run of 20 steps"                                                                                                    },
        {HEAD "train:\n  start: {file: x.h5, run: abc, step: 10}\noptimizer: {type: lion}\n",
         ":4:28: ",                                                                                          "train.start.run: run 0123456789ab was trained by adamw, whose "
         "moments are not those of optimizer.type lion"                                                                                                                   },
        {HEAD "train:\n  start: {file: x.h5, run: abc, step: 10}\noutput: {states: [10, 90%]}\n",
         ":5:18: ",                                                                                          "output.states: 10 is no step of a run that begins with the state after step 10"},
        {HEAD "train:\n  start: {file: x.h5}\nmodel: {init: {file: y.h5}}\n",
         ":4:17: ",                                                                                          "train.start.file: a state has weights, and model.init.file names others"       },
        {HEAD "train:\n  start: {step: 7}\n",                                                     ":4:17: ",
         "train.start.step: says which state of a results file the run begins with, and no file"                                                                                             },
        {HEAD "train:\n  start: {fil: x.h5}\n",
         ":4:11: ",                                                                                          "section 'train.start' has no key 'fil'; did you mean 'file'?"                  },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ag_text messages;
        ag_experiment *experiment = NULL;
        assert_int_equal(load(&experiment, &messages, cases[i].yaml), AG_ERR_INPUT);
        if (strstr(messages.data, cases[i].place) == NULL ||
            strstr(messages.data, cases[i].part) == NULL)
            fail_msg("wanted '%s%s' and got\n%s", cases[i].place, cases[i].part, messages.data);
        ag_text_deinit(&messages);
    }
}

/* Those that derive from one another share their moments. */
static void moments_go_with_their_optimizer(void **state)
{
    (void)state;
    ag_experiment *experiment =
        load_it(HEAD TRAIN(", step: 10") "optimizer: {type: manifold_adamw}\nformats: [E4M3]\n");
    ag_experiment_destroy(experiment);
    expect_error(HEAD TRAIN(", step: 10"), "train.start.file: cannot be used here");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(states_are_asked_for_once),
        cmocka_unit_test(what_is_before_the_state_is_no_part_of_a_run),
        cmocka_unit_test(errors_say_where),
        cmocka_unit_test(moments_go_with_their_optimizer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
