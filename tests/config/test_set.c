/* --set of the keys that span the grid: the grid is the one of a file that says the same. */
#include "config/config_support.h"

#include <stdlib.h>
#include <unistd.h>

static ag_status load(ag_experiment **out, const char *yaml, const char *const *sets, size_t n_sets,
                      ag_text *messages)
{
    char path[] = "/tmp/altgrad_set_XXXXXX";
    int file = mkstemp(path);
    assert_true(file >= 0);
    assert_int_equal(write(file, yaml, strlen(yaml)), strlen(yaml));
    close(file);
    ag_text_init(messages);
    ag_status status = ag_experiment_load(
        out, path, &(ag_experiment_options){.sets = sets, .n_sets = n_sets}, messages);
    unlink(path);
    return status;
}

/* The same axes, labels and ids. */
static void expect_same_grid(const ag_grid *a, const ag_grid *b)
{
    assert_int_equal(a->n_axes, b->n_axes);
    assert_int_equal(a->n_labels, b->n_labels);
    for (size_t i = 0; i < a->n_labels; i++) {
        for (size_t x = 0; x < a->n_axes; x++) {
            assert_string_equal(a->axes[x].name, b->axes[x].name);
            assert_string_equal(a->labels[i].values[x].text, b->labels[i].values[x].text);
        }
        assert_string_equal(a->runs[a->labels[i].run].id, b->runs[b->labels[i].run].id);
    }
    for (size_t x = 0; x < a->n_axes; x++) {
        const char *text = a->compare.baseline[x].text;
        const char *other = b->compare.baseline[x].text;
        assert_true((text == NULL) == (other == NULL));
        if (text != NULL)
            assert_string_equal(text, other);
    }
}

static void expect_as_written(const char *yaml, const char *set, const char *written)
{
    ag_text messages;
    ag_experiment *experiment = NULL;
    if (load(&experiment, yaml, &set, 1, &messages) != AG_OK)
        fail_msg("--set %s: %s\n%s", set, ag_error_message(), messages.data);
    ag_experiment *other = load_good(written);
    expect_same_grid(ag_experiment_grid(experiment), ag_experiment_grid(other));
    ag_experiment_destroy(experiment);
    ag_experiment_destroy(other);
    ag_text_deinit(&messages);
}

static void test_as_if_the_file_said_so(void **state)
{
    (void)state;
    expect_as_written(HEAD, "seeds=5", HEAD "seeds: 5\n");
    expect_as_written(HEAD "seeds: 2\n", "seeds=[1,2, 7]", HEAD "seeds: [1, 2, 7]\n");
    expect_as_written(HEAD "seeds: 2\n", "seeds={from: 3, count: 2}", HEAD "seeds: [3, 4]\n");
    expect_as_written(HEAD "formats: [E5M2]\n", "formats=[BF16, {name: x, all: E4M3}]",
                      HEAD "formats: [BF16, {name: x, all: E4M3}]\n");
    expect_as_written(HEAD, "axes={optimizer.lr: [1e-3, 2e-3]}",
                      HEAD "axes: {optimizer.lr: [1e-3, 2e-3]}\n");
    expect_as_written(HEAD "axes: {model.n_layer: [1, 2]}\n", "axes.optimizer.lr=[1e-3, 2e-3]",
                      HEAD "axes: {model.n_layer: [1, 2], optimizer.lr: [1e-3, 2e-3]}\n");
    expect_as_written(HEAD "axes: {model.n_layer: [1, 2]}\n", "axes.model.n_layer=[3]",
                      HEAD "axes: {model.n_layer: [3]}\n");
    expect_as_written(HEAD, "axes.size={s: {model.n_layer: 1}}",
                      HEAD "axes: {size: {s: {model.n_layer: 1}}}\n");
    expect_as_written(HEAD "formats: [E5M2]\n", "layer_configs.a={format: $format}",
                      HEAD "formats: [E5M2]\nlayer_configs: {a: {format: $format}}\n");
    expect_as_written(HEAD "seeds: 3\n", "exclude=[{seed: 1}]",
                      HEAD "seeds: 3\nexclude: [{seed: 1}]\n");
    expect_as_written(HEAD "seeds: 3\n", "include=[{seed: 9}]",
                      HEAD "seeds: 3\ninclude: [{seed: 9}]\n");
    expect_as_written(HEAD "formats: [BF16, E5M2, E4M3]\n", "compare.baseline={format: E5M2}",
                      HEAD "formats: [BF16, E5M2, E4M3]\ncompare: {baseline: {format: E5M2}}\n");
    expect_as_written(HEAD "formats: [BF16, E5M2]\ncompare: {margin: 0.5}\n",
                      "compare.baseline.format=E5M2",
                      HEAD "formats: [BF16, E5M2]\ncompare: {baseline: {format: E5M2}}\n");
}

static void test_the_last_one_counts(void **state)
{
    (void)state;
    const char *sets[] = {"seeds=4", "name=mine", "train.steps=200", "seeds=2"};
    ag_text messages;
    ag_experiment *experiment = NULL;
    assert_ok(load(&experiment, HEAD "seeds: 3\n", sets, 4, &messages));
    const ag_grid *grid = ag_experiment_grid(experiment);
    assert_int_equal(grid->n_runs, 2);
    assert_string_equal(grid->name, "mine");
    assert_int_equal(grid->runs[1].train.steps, 200);
    ag_experiment_destroy(experiment);
    ag_text_deinit(&messages);
}

static void expect_message(const char *yaml, const char *set, const char *part)
{
    ag_text messages;
    ag_experiment *experiment = NULL;
    assert_int_equal(load(&experiment, yaml, &set, 1, &messages), AG_ERR_INPUT);
    if (strstr(messages.data, part) == NULL)
        fail_msg("--set %s: wanted '%s' in\n%s", set, part, messages.data);
    ag_text_deinit(&messages);
}

static void test_messages_have_the_place(void **state)
{
    (void)state;
    expect_message(HEAD, "seeds=[1, x]",
                   "--set:1:11: error: seed: 'x' is not a whole number\n"
                   "seeds=[1, x]\n"
                   "          ^\n");
    expect_message(HEAD, "formats=[BF16", "--set:1:");
    expect_message(HEAD, "formats=[BF17]", "--set:1:10: error: there is no format 'BF17'");
    expect_message(HEAD, "seeds=", "--set:1:1: error: seeds is empty");
    expect_message(HEAD, "axes.optimizer.lrr=[1]", "did you mean 'optimizer.lr'?");
    expect_message(HEAD "axes: 3\n", "axes.optimizer.lr=[1]", ":3:7: error: axes");
    expect_message(HEAD, "axes.a\x1b[1m={b: {}}", "the key holds control characters");
    expect_message(HEAD, "name=\xff", "byte 5 (0xff) is not UTF-8");
    expect_message(HEAD, "name=\"\\e\"", "the control character U+001B");
    expect_message(HEAD, "model={n_layer: 2}",
                   "--set takes one key of a section at a time, as in --set model.n_layer=...");
    expect_message(HEAD "axes: {optimizer.lr: [1, 2]}\n", "axes.optimizer.lr=[]",
                   "--set:1:19: error: axis 'optimizer.lr' needs a list of values");
}

/* On the command line a relative path starts where one stands, as everywhere in --set. */
static void test_paths_start_where_one_stands(void **state)
{
    (void)state;
    const char *set = "axes.data.text=[config/data/small.txt]";
    const char *yaml = "altgrad: 1\nmodel: {block_size: 4}\n";
    ag_text messages;
    ag_experiment *experiment = NULL;
    if (load(&experiment, yaml, &set, 1, &messages) != AG_OK)
        fail_msg("%s", messages.data);
    ag_experiment_destroy(experiment);
    ag_text_deinit(&messages);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_if_the_file_said_so),
        cmocka_unit_test(test_the_last_one_counts),
        cmocka_unit_test(test_messages_have_the_place),
        cmocka_unit_test(test_paths_start_where_one_stands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
