/* --only and --again: which runs are meant. */
#include <stdlib.h>

#include "config/config_support.h"
#include "config/select.h"

#define GRID                                                                                       \
    HEAD "formats: [BF16, E5M2, E4M3]\nseeds: 4\n"                                                 \
         "axes: {optimizer.lr: [6e-4, 1e-3], optimizer.betas: [[0.9, 0.99], [0.9, 0.95]]}\n"

enum { RUNS = 3 * 2 * 2 * 4 };

static size_t count_selected(const ag_grid *grid, const char *const *selectors, size_t n)
{
    bool selected[RUNS];
    size_t count = 0;
    assert_int_equal(grid->n_runs, RUNS);
    assert_ok(ag_select_runs(selected, grid, selectors, n));
    for (size_t r = 0; r < RUNS; r++)
        count += selected[r];
    return count;
}

static void test_selectors(void **state)
{
    (void)state;
    ag_experiment *experiment = load_good(GRID);
    const ag_grid *grid = ag_experiment_grid(experiment);
    assert_int_equal(count_selected(grid, NULL, 0), RUNS);
    assert_int_equal(count_selected(grid, (const char *[]){"format=e5m2"}, 1), 16);
    assert_int_equal(count_selected(grid, (const char *[]){"format=E5M2,BF16"}, 1), 32);
    assert_int_equal(count_selected(grid, (const char *[]){"format=E5M2", "seed=1,03"}, 2), 8);
    assert_int_equal(count_selected(grid, (const char *[]){"optimizer.lr=0.0006"}, 1), 24);
    assert_int_equal(count_selected(grid, (const char *[]){"optimizer.betas=[0.9, 0.95]"}, 1), 24);
    assert_int_equal(count_selected(grid, (const char *[]){"optimizer.betas=[0.90,0.950]"}, 1), 24);
    assert_int_equal(count_selected(grid, (const char *[]){"optimizer.betas=0.9,0.95"}, 1), 24);
    assert_int_equal(
        count_selected(grid, (const char *[]){"optimizer.betas=[0.9,0.99],[0.9,.95]"}, 1), RUNS);
    assert_int_equal(count_selected(grid, (const char *[]){"layers=uniform"}, 1), RUNS);
    assert_int_equal(count_selected(grid, (const char *[]){grid->runs[5].id}, 1), 1);
    ag_experiment_destroy(experiment);
}

static size_t count_in(const char *yaml, const char *selector)
{
    enum { MOST = 64 };
    ag_experiment *experiment = load_good(yaml);
    const ag_grid *grid = ag_experiment_grid(experiment);
    bool selected[MOST];
    size_t count = 0;
    assert_true(grid->n_runs <= MOST);
    assert_ok(ag_select_runs(selected, grid, &selector, 1));
    for (size_t r = 0; r < grid->n_runs; r++)
        count += selected[r];
    ag_experiment_destroy(experiment);
    return count;
}

/* Truth values, words, and paths by what they mean. */
static void test_values_by_type(void **state)
{
    (void)state;
    const char *bias = HEAD "axes: {model.bias: [true, false]}\n";
    assert_int_equal(count_in(bias, "model.bias=true"), 1);
    assert_int_equal(count_in(bias, "model.bias=True"), 1);
    assert_int_equal(count_in(bias, "model.bias=FALSE,true"), 2);
    const char *steps = HEAD "axes: {train.steps: [1000, 2e3]}\n";
    assert_int_equal(count_in(steps, "train.steps=1e3"), 1);
    assert_int_equal(count_in(steps, "train.steps=2000"), 1);
    char yaml[8192];
    char folder[4096];
    char selector[4200];
    assert_non_null(realpath("config/data", folder));
    snprintf(yaml, sizeof yaml, "altgrad: 1\naxes: {data.text: [%s/small.txt]}\n", folder);
    snprintf(selector, sizeof selector, "data.text=%s/.//small.txt", folder);
    assert_int_equal(count_in(yaml, selector), 1);
    assert_int_equal(count_in(yaml, "data.text=config/data/small.txt"), 1);
    assert_int_equal(count_in(yaml, "data.text=./config/./data/small.txt"), 1);
}

/* Names may hold what separates a selector's parts, and be of any length. */
static void test_names_are_data(void **state)
{
    (void)state;
    const char *yaml = HEAD "formats: [BF16, {name: 'a,b', all: E4M3}, {name: a, all: E5M2}, "
                            "{name: 'x=y', all: E3M4}]\n"
                            "axes: {'rate=lr $x/%': {low: {optimizer.lr: 1e-4}, 'hi, gh': "
                            "{optimizer.lr: 1e-2}}}\n";
    assert_int_equal(count_in(yaml, "format=a,b"), 2);
    assert_int_equal(count_in(yaml, "format=a,a,b"), 4);
    assert_int_equal(count_in(yaml, "format=a,x=y,a,b"), 6);
    assert_int_equal(count_in(yaml, "rate=lr $x/%=hi, gh"), 4);
    assert_int_equal(count_in(yaml, "rate=lr $x/%=low,hi, gh"), 8);
    char name[1001] = "";
    char long_yaml[4096];
    char selector[1100];
    memset(name, 'n', 1000);
    snprintf(long_yaml, sizeof long_yaml, HEAD "formats: [BF16, {name: %s, all: E4M3}]\n", name);
    snprintf(selector, sizeof selector, "format=%s", name);
    assert_int_equal(count_in(long_yaml, selector), 1);
}

/* A run is meant when any of its labels is. */
static void test_any_label_of_a_run(void **state)
{
    (void)state;
    ag_experiment *experiment =
        load_good(HEAD "layer_configs: {a: {format: null}, b: {format: $format}}\n");
    bool selected[1] = {false};
    assert_int_equal(ag_experiment_grid(experiment)->n_runs, 1);
    assert_ok(
        ag_select_runs(selected, ag_experiment_grid(experiment), (const char *[]){"layers=b"}, 1));
    assert_true(selected[0]);
    ag_experiment_destroy(experiment);
}

static void test_selectors_that_mean_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *selector;
        const char *part;
    } cases[] = {
        {"formt=E5M2",                 "no axis 'formt'; did you mean 'format'? (its axes are format, layers, "
                       "optimizer.lr, optimizer.betas, seed)"                             },
        {"format=E5M3",                "no point 'E5M3'; did you mean 'E5M2'? (its points are BF16, E5M2, E4M3)"},
        {"seed=1,9",                   "no point '9' (its points are 0, 1, 2, 3)"                               },
        {"optimizer.betas=[0.9,0.98]", "no point '[0.9,0.98]'; did you mean '[0.9, 0.99]'?"                     },
        {"seed=4",                     "axis 'seed' of the grid has no point '4'"                               },
        {"format=",                    "no point ''"                                                            },
        {"format=BF16,",               "no point ''"                                                            },
        {"=",                          "no axis ''"                                                             },
        {"zz",                         "no run's id begins with 'zz'"                                           },
        {"",                           "a selector is axis=value[,value] or the beginning"                      },
    };
    ag_experiment *experiment = load_good(GRID);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bool selected[RUNS];
        assert_fails(
            AG_ERR_INPUT, cases[i].part,
            ag_select_runs(selected, ag_experiment_grid(experiment), &cases[i].selector, 1));
    }
    ag_experiment_destroy(experiment);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_selectors),
        cmocka_unit_test(test_values_by_type),
        cmocka_unit_test(test_names_are_data),
        cmocka_unit_test(test_any_label_of_a_run),
        cmocka_unit_test(test_selectors_that_mean_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
