/* --only and --again: which runs are meant. */
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
    assert_int_equal(count_selected(grid, (const char *[]){"layers=uniform"}, 1), RUNS);
    assert_int_equal(count_selected(grid, (const char *[]){grid->runs[5].id}, 1), 1);
    ag_experiment_destroy(experiment);
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
        {"formt=E5M2",   "no axis 'formt'; did you mean 'format'?"          },
        {"format=E5M3",  "no point 'E5M3'; did you mean 'E5M2'?"            },
        {"seed=4",       "axis 'seed' of the grid has no point '4'"         },
        {"format=",      "no point ''"                                      },
        {"format=BF16,", "no point ''"                                      },
        {"=",            "no axis ''"                                       },
        {"zz",           "no run's id begins with 'zz'"                     },
        {"",             "a selector is axis=value[,value] or the beginning"},
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
        cmocka_unit_test(test_any_label_of_a_run),
        cmocka_unit_test(test_selectors_that_mean_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
