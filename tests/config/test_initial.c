/* model.init: the labels that name a run of another file, and which runs its weights make one. */
#include "config/config_support.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PTQ HEAD "train: {steps: 0}\n"
#define NO_CHANCE "no random number has a part in these runs"

/* What was asked for, a line "where;" or "run;" each; weights of other labels are others. */
static char s_asked[1024];

static ag_status find(ag_init_weights *found, const ag_run *run, void *context)
{
    (void)context;
    const char *where = run->model.init_where;
    const char *named = where[0] != '\0' ? where : run->model.init_run;
    assert_true(strlen(s_asked) + strlen(named) + 2 < sizeof s_asked);
    snprintf(s_asked + strlen(s_asked), sizeof s_asked - strlen(s_asked), "%s;", named);
    if (strstr(named, "seed=7") != NULL)
        return ag_fail(AG_ERR_INPUT, "model.init.where: there is no seed 7");
    uint64_t hash = 1469598103934665603u;
    for (const char *at = named; *at != '\0'; at++)
        hash = (hash ^ (unsigned char)*at) * 1099511628211u;
    if (where[0] == '\0') /* the run that {format: BF16, seed: 1} names */
        hash = 0xb1;
    if (strcmp(where, "format=BF16\nseed=1") == 0)
        hash = 0xb1;
    *found = (ag_init_weights){.run = ""};
    snprintf(found->run, sizeof found->run, "%012llx", (unsigned long long)hash & 0xffffffffffffu);
    memset(found->digest, '0', AG_DIGEST_LENGTH);
    memcpy(found->digest, found->run, AG_ID_LENGTH);
    return AG_OK;
}

static ag_status load_with(ag_experiment **out, ag_text *messages, const char *yaml,
                           const char *set)
{
    char path[] = "/tmp/altgrad-test-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, yaml, strlen(yaml)), (ssize_t)strlen(yaml));
    close(fd);
    s_asked[0] = '\0';
    ag_text_init(messages);
    const ag_experiment_options how = {.sets = &set, .n_sets = set != NULL, .find_init = find};
    ag_status status = ag_experiment_load(out, path, &how, messages);
    unlink(path);
    return status;
}

static ag_experiment *load(const char *yaml, const char *set)
{
    ag_text messages;
    ag_experiment *experiment = NULL;
    if (load_with(&experiment, &messages, yaml, set) != AG_OK)
        fail_msg("%s\n%s", ag_error_message(), messages.data);
    ag_text_deinit(&messages);
    return experiment;
}

static void expect_message(const char *yaml, const char *set, const char *part)
{
    ag_text messages;
    ag_experiment *experiment = NULL;
    load_with(&experiment, &messages, yaml, set);
    if (strstr(messages.data, part) == NULL)
        fail_msg("wanted the message '%s' and got\n%s", part, messages.data);
    ag_experiment_destroy(experiment);
    ag_text_deinit(&messages);
}

/* Each run asks for the source's run of its own seed, once for all formats. */
static void labels_pair_by_seed(void **state)
{
    (void)state;
    ag_experiment *experiment =
        load(PTQ "model: {init: {file: x.h5, where: {format: BF16, optimizer.lr: 3e-4}}}\n"
                 "formats: [BF16, E4M3]\nseeds: [4, 2, 9]\n",
             NULL);
    const ag_grid *grid = ag_experiment_grid(experiment);
    assert_string_equal(s_asked, "format=BF16\noptimizer.lr=3e-4\nseed=4;"
                                 "format=BF16\noptimizer.lr=3e-4\nseed=2;"
                                 "format=BF16\noptimizer.lr=3e-4\nseed=9;");
    assert_int_equal(grid->n_runs, 6);
    assert_int_equal(grid->runs[1].seed, 2);
    assert_int_equal(ag_experiment_counted(experiment).seeds, 0);
    for (size_t i = 0; i < 6; i++) { /* to a trainer it is a run named by its id */
        assert_string_equal(grid->runs[i].model.init_where, "");
        assert_int_equal(strlen(grid->runs[i].model.init_run), AG_ID_LENGTH);
        assert_memory_equal(grid->runs[i].init_digest, grid->runs[i].model.init_run, AG_ID_LENGTH);
    }
    ag_experiment_destroy(experiment);
}

/* The ids are those of version 1 for the first seed. */
static void runs_without_chance_fold(void **state)
{
    (void)state;
    static const char *const yaml =
        PTQ "model: {init: {file: x.h5, run: 0123456789ab}}\nformats: [BF16, E4M3]\n"
            "seeds: [1, 0, 2]\n";
    ag_experiment *experiment = load(yaml, NULL);
    const ag_grid *grid = ag_experiment_grid(experiment);
    assert_int_equal(grid->n_runs, 2);
    assert_int_equal(grid->n_labels, 6);
    ag_experiment_counts counts = ag_experiment_counted(experiment);
    assert_int_equal(counts.folded, 4);
    assert_int_equal(counts.seeds, 4);
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(grid->labels[i].run, i / 3);
    assert_int_equal(grid->runs[0].seed, 1);
    assert_string_equal(grid->runs[0].id, "199fab4b0a61");
    assert_string_equal(grid->runs[1].id, "898b8aaf29a9");
    /* the same source, named by its labels */
    ag_experiment *labelled =
        load(PTQ "model: {init: {file: x.h5, where: {format: BF16, seed: 1}}}\n"
                 "formats: [BF16, E4M3]\nseeds: [1, 0, 2]\n",
             NULL);
    assert_string_equal(ag_experiment_grid(labelled)->runs[0].id, grid->runs[0].id);
    assert_string_equal(ag_experiment_grid(labelled)->runs[1].id, grid->runs[1].id);
    ag_experiment *paired = load(PTQ "model: {init: {file: x.h5, where: {format: BF16}}}\n"
                                     "formats: [BF16, E4M3]\nseeds: [1, 0, 2]\n",
                                 NULL);
    assert_string_equal(ag_experiment_grid(paired)->runs[0].id, grid->runs[0].id);
    ag_experiment_destroy(paired);
    ag_experiment_destroy(labelled);
    ag_experiment_destroy(experiment);
}

/* Rounding by chance is a replicate's own, of evaluated operands where nothing is trained. */
static void runs_with_chance_do_not_fold(void **state)
{
    (void)state;
    static const struct {
        const char *more;
        size_t runs; /* of 2 seeds */
    } cases[] = {
        {"formats: [E4M3/tensor/amax/stochastic]\n",                                             2},
        {"formats: [{name: g, all: E4M3, grad_output: E5M2/tensor/amax/stochastic}]\n",          1},
        {"train: {steps: 3}\n",                                                                  2},
        {"train: {steps: 3, data_seed: 5}\n",                                                    1},
        {"train: {steps: 3, data_order: sequential}\n",                                          1},
        {"train: {steps: 3, data_seed: 5}\n"
         "formats: [{name: g, all: E4M3, grad_output: E5M2/tensor/amax/stochastic}]\n", 2},
        {"train: {steps: 3, data_seed: 5}\noptimizer: {type: grid}\nformats: [E4M3]\n",          2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char yaml[512];
        bool trains = strstr(cases[i].more, "steps") != NULL;
        snprintf(yaml, sizeof yaml, HEAD "model: {init: {file: x.h5, run: a}}\nseeds: 2\n%s%s",
                 trains ? "" : "train: {steps: 0}\n", cases[i].more);
        ag_experiment *experiment = load(yaml, NULL);
        if (ag_experiment_grid(experiment)->n_runs != cases[i].runs)
            fail_msg("%s: %zu runs", yaml, ag_experiment_grid(experiment)->n_runs);
        ag_experiment_destroy(experiment);
    }
    ag_experiment *experiment = load(HEAD "seeds: 2\ntrain: {steps: 0}\n", NULL);
    assert_int_equal(ag_experiment_grid(experiment)->n_runs, 2); /* of random weights */
    ag_experiment_destroy(experiment);
    experiment = load(HEAD "seeds: 2\ntrain: {steps: 0}\nmodel: {init_seed: 3}\n", NULL);
    assert_int_equal(ag_experiment_grid(experiment)->n_runs, 1);
    ag_experiment_destroy(experiment);
    experiment = load(HEAD "seeds: 2\ntrain: {data_seed: 1}\n"
                           "model: {dropout: 0.1, init: {file: x.h5, run: a}}\n",
                      NULL);
    assert_int_equal(ag_experiment_grid(experiment)->n_runs, 2);
    ag_experiment_destroy(experiment);
}

/* Models of several formats, each quantised: an axis whose points are mappings. */
static void labels_are_points_of_an_axis(void **state)
{
    (void)state;
    ag_experiment *experiment =
        load(PTQ "model: {init: {file: x.h5}}\n"
                 "axes: {model.init.where: [{format: BF16}, {format: E4M3, seed: 0}]}\nseeds: 2\n"
                 "exclude: [{model.init.where: {format: BF16}, seed: 1}]\n",
             NULL);
    const ag_grid *grid = ag_experiment_grid(experiment);
    assert_string_equal(grid->axes[2].name, "model.init.where");
    assert_string_equal(grid->labels[0].values[2].text, "{format: BF16}");
    assert_string_equal(grid->labels[1].values[2].text, "{format: E4M3, seed: 0}");
    assert_int_equal(grid->n_labels, 3);
    assert_int_equal(grid->n_runs, 2);
    ag_experiment_destroy(experiment);
}

static void the_command_line_has_them_too(void **state)
{
    (void)state;
    static const char *const yaml = PTQ "model: {init: {file: x.h5, where: {format: BF16}}}\n";
    ag_experiment_destroy(load(yaml, "model.init.where={format: E4M3}"));
    assert_string_equal(s_asked, "format=E4M3\nseed=0;");
    ag_experiment_destroy(load(yaml, "model.init.where.optimizer.betas=[0.9, 0.95]"));
    assert_string_equal(s_asked, "format=BF16\noptimizer.betas=[0.9, 0.95]\nseed=0;");
    ag_experiment_destroy(load(yaml, "model.init.where.seed=3"));
    assert_string_equal(s_asked, "format=BF16\nseed=3;");
    expect_message(yaml, "model.init.where=BF16",
                   "--set:1:18: error: model.init.where: expected a");
}

static void what_cannot_be_meant_is_refused(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"{file: x.h5, where: {format: BF16}, run: abc}",
         ":4:35: error: model.init.where: model.init.run names a run of the file too, 'abc'"                  },
        {"{where: {format: BF16}}",                       "model.init.where: name the results file"           },
        {"{file: x.h5, where: {}}",                       "model.init.where names no label"                   },
        {"{file: x.h5, where: [BF16]}",                   "model.init.where: expected a mapping"              },
        {"{file: x.h5, where: {format: }}",               "format is empty"                                   },
        {"{file: x.h5, where: {format: {a: b}}}",         "format: expected a single value"                   },
        {"{file: x.h5, were: {format: BF16}}",            "did you mean 'where'?"                             },
        {"{file: x.h5, where: {seed: 7}}",                ":4:35: error: model.init.where: there is no seed 7"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char yaml[256];
        snprintf(yaml, sizeof yaml, PTQ "model: {init: %s}\n", cases[i][0]);
        expect_message(yaml, NULL, cases[i][1]);
    }
}

/* More seeds would be no more replicates, but more trained models are. */
static void the_advice_on_seeds_is_about_replicates(void **state)
{
    (void)state;
    expect_message(PTQ "model: {init: {file: x.h5, run: a}}\ncompare: {margin: 0.05}\n", NULL,
                   NO_CHANCE);
    expect_message(PTQ "model: {init: {file: x.h5, run: a}}\ncompare: {margin: 0.05}\nseeds: 3\n",
                   NULL, NO_CHANCE);
    expect_message(PTQ "model: {init: {file: x.h5, where: {format: BF16}}}\n"
                       "compare: {margin: 0.05}\n",
                   NULL, "1 seed may not settle a margin of 0.05");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels_pair_by_seed),
        cmocka_unit_test(runs_without_chance_fold),
        cmocka_unit_test(runs_with_chance_do_not_fold),
        cmocka_unit_test(labels_are_points_of_an_axis),
        cmocka_unit_test(the_command_line_has_them_too),
        cmocka_unit_test(what_cannot_be_meant_is_refused),
        cmocka_unit_test(the_advice_on_seeds_is_about_replicates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
