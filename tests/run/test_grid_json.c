#include <stdlib.h>

#include "base/philox.h"
#include "run/run_support.h"

enum { N_RUNS = 6, N_LABELS = 8, N_AXES = 4, N_LAYERS = 9 };

/* A grid of two formats, three seeds and a learning rate, with one run under two labels. */
typedef struct fixture {
    ag_arena arena;
    ag_text text;
    ag_layer_precision plain[N_LAYERS];
    ag_layer_precision quantised[N_LAYERS];
    ag_layer_precision sites[2 * GPT2_SITES + AG_SITES_PER_LINEAR + GPT2_LAST];
    ag_run runs[N_RUNS];
    ag_axis_value values[N_LABELS][N_AXES];
    ag_label labels[N_LABELS];
    ag_axis_value baseline[N_AXES];
    ag_grid grid;
    ag_axis_value points[2 * N_AXES];
    ag_claim claim;
} fixture;

static const ag_axis s_axes[N_AXES] = {
    {"format",       AG_AXIS_TEXT},
    {"layers",       AG_AXIS_TEXT},
    {"seed",         AG_AXIS_INT },
    {"optimizer.lr", AG_AXIS_REAL},
};

static void make_runs(fixture *f)
{
    ag_layer_precision inputs = {.scheme[AG_ROLE_INPUT][0] = scheme_of("e4m3")};
    for (size_t i = 0; i < N_LAYERS; i++)
        f->quantised[i].scheme[AG_ROLE_WEIGHT][0] = scheme_of("e4m3");
    ag_run gpt2;
    ag_run_defaults(&gpt2);
    gpt2.model.n_layer = 2;
    assert_int_equal(ag_site_count(&gpt2.model), sizeof f->sites / sizeof f->sites[0]);
    f->sites[ag_site_index(&gpt2.model, AG_SITE_RESIDUAL, 0)] =
        ag_site_precision(AG_SITE_RESIDUAL, &inputs);
    for (size_t i = 0; i < N_RUNS; i++) {
        ag_run *run = &f->runs[i];
        ag_run_defaults(run);
        run->model.n_layer = 2;
        run->data.text = "corpus \"a\".txt";
        run->seed = (int64_t)i % 3;
        run->facts = (ag_data_facts){.vocab_size = 65, .train_tokens = 1000, .val_tokens = 100};
        memset(run->facts.digest, 'a', AG_DIGEST_LENGTH);
        run->layers = i < 3 ? f->plain : f->quantised;
        if (i == 3)
            run->sites = f->sites;
        if (i == 4)
            run->model.n_layer = 1; /* with layers that lie where those of two blocks do */
        if (i == 5) {
            run->optimizer.lr = 6e-4;
            run->model.bias = true;
            run->optimizer.betas[1] = 0.95;
            run->compute = AG_COMPUTE_FP32;
            run->facts.val_tokens = 99;
            run->compare.margin = 0.5;
            memset(run->init_digest, 'b', AG_DIGEST_LENGTH);
        }
        assert_ok(ag_run_identify(run));
    }
}

static void make_labels(fixture *f)
{
    static const char *const seeds[] = {"0", "1", "2"};
    for (size_t i = 0; i < N_LABELS; i++) {
        size_t run = i % N_RUNS;
        ag_axis_value *values = f->values[i];
        values[0].text = run < 3 ? "BF16" : "E4M3";
        values[1].text = i < N_RUNS ? "uniform" : "attn_bf16";
        values[2] = (ag_axis_value){.text = seeds[run % 3], .integer = (int64_t)run % 3};
        values[3] = run == 5 ? (ag_axis_value){.text = "6e-4", .real = 6e-4}
                             : (ag_axis_value){.text = "1e-3", .real = 1e-3};
        f->labels[i] = (ag_label){run, values};
    }
    f->baseline[0].text = "BF16";
    f->points[0] = (ag_axis_value){.text = "E4M3"};
    f->points[N_AXES + 3] = (ag_axis_value){.text = "6e-4", .real = 6e-4};
    f->claim = (ag_claim){"low \"lr\"", "", "here", AG_CLAIM_ORDER, 0.5, 2, f->points};
}

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    ag_arena_init_growing(&f->arena);
    ag_text_init(&f->text);
    make_runs(f);
    make_labels(f);
    f->grid = (ag_grid){
        .name = "a \"grid\"",
        .yaml = "altgrad: 1\nname: a \"grid\"\t# with a tab\n",
        .n_axes = N_AXES,
        .axes = s_axes,
        .n_runs = N_RUNS,
        .runs = f->runs,
        .n_labels = N_LABELS,
        .labels = f->labels,
        .compare = {.baseline = f->baseline,
                    .metric = "val_loss",
                    .margin = 0.01,
                    .family = AG_FAMILY_NONE},
        .n_claims = 1,
        .claims = &f->claim,
        .numerics = AG_NUMERICS_VERSION,
    };
    ag_grid_to_json(&f->text, &f->grid);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    ag_arena_deinit(&f->arena);
    ag_text_deinit(&f->text);
    free(f);
    return 0;
}

static void assert_same_run(ag_run *got, const ag_run *expected)
{
    ag_text a;
    ag_text b;
    char id[AG_ID_LENGTH + 1];
    assert_string_equal(got->id, expected->id);
    memcpy(id, got->id, sizeof id);
    assert_ok(ag_run_identify(got));
    assert_string_equal(got->id, id);
    ag_text_init(&a);
    ag_text_init(&b);
    ag_run_assignment(&a, got);
    ag_run_assignment(&b, expected);
    assert_string_equal(a.data, b.data);
    assert_int_equal(got->model.init_seed, expected->model.init_seed);
    assert_true(got->compare.margin == expected->compare.margin);
    ag_text_deinit(&a);
    ag_text_deinit(&b);
}

static void test_a_grid_comes_back(void **state)
{
    fixture *f = *state;
    ag_grid grid;
    assert_ok(ag_grid_from_json(&grid, f->text.data, f->text.length, &f->arena));
    assert_string_equal(grid.name, f->grid.name);
    assert_string_equal(grid.yaml, f->grid.yaml);
    assert_int_equal(grid.n_runs, N_RUNS);
    for (size_t i = 0; i < N_RUNS; i++)
        assert_same_run(&grid.runs[i], &f->runs[i]);
    assert_ptr_equal(grid.runs[0].layers, grid.runs[1].layers);
    assert_non_null(grid.runs[3].sites);
    assert_null(grid.runs[5].sites);
    assert_int_equal(grid.n_axes, N_AXES);
    assert_int_equal(grid.n_labels, N_LABELS);
    for (size_t i = 0; i < N_LABELS; i++) {
        assert_int_equal(grid.labels[i].run, f->labels[i].run);
        for (size_t axis = 0; axis < N_AXES; axis++) {
            const ag_axis_value *got = &grid.labels[i].values[axis];
            assert_string_equal(got->text, f->values[i][axis].text);
            assert_int_equal(got->integer, f->values[i][axis].integer);
            assert_true(got->real == f->values[i][axis].real);
        }
    }
    for (size_t axis = 0; axis < N_AXES; axis++) {
        assert_string_equal(grid.axes[axis].name, s_axes[axis].name);
        assert_int_equal(grid.axes[axis].type, s_axes[axis].type);
    }
    assert_string_equal(grid.compare.baseline[0].text, "BF16");
    assert_null(grid.compare.baseline[1].text);
    assert_string_equal(grid.compare.metric, "val_loss");
    assert_true(grid.compare.margin == 0.01);
    assert_int_equal(grid.compare.family, AG_FAMILY_NONE);
    assert_int_equal(grid.n_claims, 1);
    const ag_claim *claim = grid.claims;
    assert_string_equal(claim->name, "low \"lr\"");
    assert_string_equal(claim->source, "here");
    assert_int_equal(claim->kind, AG_CLAIM_ORDER);
    assert_true(claim->bound == 0.5);
    assert_int_equal(claim->n_points, 2);
    assert_string_equal(claim->points[0].text, "E4M3");
    assert_null(claim->points[1].text);
    assert_true(claim->points[N_AXES + 3].real == 6e-4);
}

static void test_writing_again_gives_the_same_text(void **state)
{
    fixture *f = *state;
    ag_grid grid;
    ag_text again;
    ag_text_init(&again);
    assert_ok(ag_grid_from_json(&grid, f->text.data, f->text.length, &f->arena));
    ag_grid_to_json(&again, &grid);
    assert_string_equal(again.data, f->text.data);
    ag_text_deinit(&again);
}

static ag_status read_changed_grid(fixture *f, const char *old, const char *new)
{
    ag_grid grid;
    const char *changed = replaced(&f->text, old, new, &f->arena);
    return ag_grid_from_json(&grid, changed, strlen(changed), &f->arena);
}

/* Only where seeds come in rounds is there anything about it: readers of before read the others. */
static void test_seeds_in_rounds(void **state)
{
    fixture *f = *state;
    ag_grid grid;
    assert_null(strstr(f->text.data, "at_most"));
    f->grid.n_axes = 3; /* then the last is the seed */
    f->grid.n_claims = 0;
    f->grid.seeds = (ag_seed_rounds){3, 20};
    ag_text_deinit(&f->text);
    ag_grid_to_json(&f->text, &f->grid);
    assert_non_null(strstr(f->text.data, "\"seeds\":{\"from\":3,\"at_most\":20}"));
    assert_ok(ag_grid_from_json(&grid, f->text.data, f->text.length, &f->arena));
    assert_true(grid.seeds.from == 3 && grid.seeds.at_most == 20);
    assert_fails(AG_ERR_INPUT, "grid.seeds.from: expected a whole number, 2 to 20",
                 read_changed_grid(f, "\"from\":3", "\"from\":21"));
    assert_fails(AG_ERR_INPUT, "grid.seeds: unknown key 'until'",
                 read_changed_grid(f, "\"from\":3", "\"until\":3"));
    assert_fails(AG_ERR_INPUT, "grid.seeds: the last axis is not 'seed'",
                 read_changed_grid(f, "\"name\":\"seed\"", "\"name\":\"seat\""));
}

/* The second run has two labels, of which one is asked for; the runs between are not. */
static void test_a_part_of_a_grid(void **state)
{
    fixture *f = *state;
    ag_grid part;
    bool asked[N_LABELS] = {false};
    asked[3] = asked[4] = asked[N_RUNS + 1] = true;
    assert_ok(ag_grid_pick(&part, &f->grid, asked, &f->arena));
    assert_int_equal(part.n_runs, 3);
    assert_int_equal(part.n_labels, 3);
    static const size_t runs[] = {1, 3, 4};
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(part.runs[i].id, f->runs[runs[i]].id);
    assert_int_equal(part.labels[0].run, 1);
    assert_int_equal(part.labels[1].run, 2);
    assert_int_equal(part.labels[2].run, 0);
    assert_ptr_equal(part.labels[2].values, f->labels[N_RUNS + 1].values);
}

static void test_an_empty_grid(void **state)
{
    fixture *f = *state;
    ag_grid empty = {.name = "", .yaml = "", .compare = {.metric = "val_loss"}, .numerics = 1};
    ag_grid grid;
    ag_text_deinit(&f->text);
    ag_grid_to_json(&f->text, &empty);
    assert_ok(ag_grid_from_json(&grid, f->text.data, f->text.length, &f->arena));
    assert_int_equal(grid.n_runs, 0);
    assert_int_equal(grid.n_labels, 0);
}

static void test_damaged_grids_are_refused(void **state)
{
    static const text_change cases[] = {
        {"\"altgrad_grid\":3",              "\"altgrad_grid\":4",            "grid: version 4, this program reads 1 to 3"          },
        {"\"numerics\":2,",                 "",                              "grid: key 'numerics' is missing"                     },
        {"\"numerics\":2",                  "\"numerics\":3",                "grid.numerics: expected a whole number, 1 to 2"      },
        {"\"labels\"",                      "\"label\"",                     "grid: unknown key 'label'"                           },
        {"\"labels\":[[0",                  "\"labels\":[[6",                "expected an index below 6"                           },
        {"\"labels\":[[0,0",                "\"labels\":[[0,2",              "expected an index below 2"                           },
        {"\"labels\":[[0,0",                "\"labels\":[[0",                "expected a run and 4 values each"                    },
        {"\"layers\":1",                    "\"layers\":9",                  "grid.runs[3].layers: expected a whole number, 0 to 3"},
        {"\"set\":{}",                      "\"set\":{\"model.n_layer\":3}", "belongs to a model of 2 blocks"                      },
        {"\"set\":{}",                      "\"set\":{\"model.x\":3}",       "grid.runs[1].set: unknown key 'model.x'"             },
        {"\"set\":{}",                      "\"set\":[]",                    "grid.runs[1].set: expected an object"                },
        {"\"compute\":\"bf16\",",           "",                              "grid.runs[0]: key 'compute' is missing"              },
        {"\"type\":\"int\"",                "\"type\":\"bool\"",             "grid.axes[2].type: 'bool'"                           },
        {"\"baseline\":[0,",                "\"baseline\":[",                "expected 4 values"                                   },
        {"\"family\":\"none\"",             "\"family\":\"some\"",           "grid.compare.family: 'some'"                         },
        {"\"kind\":\"order\"",              "\"kind\":\"rhyme\"",            "grid.claims[].kind: 'rhyme'"                         },
        {"\"points\":[[1,",                 "\"points\":[[7,",
         "grid.claims[].points[][]: expected an index below 2"                                                                     },
        {"\"points\":[[1,null,null,null],", "\"points\":[",                  "too few for a claim of its kind"                     },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_fails(AG_ERR_INPUT, cases[i].message,
                     read_changed_grid(*state, cases[i].old, cases[i].new));
}

/* Version 1 knew one validation loss after the last step, that of the whole validation part. */
static void test_version_1_compares_the_final_loss(void **state)
{
    fixture *f = *state;
    ag_grid grid;
    const char *old =
        replaced(&f->text, "\"altgrad_grid\":3,\"numerics\":2,", "\"altgrad_grid\":1,", &f->arena);
    assert_non_null(strstr(old, "\"metric\":\"val_loss\""));
    assert_ok(ag_grid_from_json(&grid, f->text.data, f->text.length, &f->arena));
    assert_string_equal(grid.compare.metric, "val_loss");
    assert_ok(ag_grid_from_json(&grid, old, strlen(old), &f->arena));
    assert_string_equal(grid.compare.metric, "final_val_loss");
}

/* Until then there was one version of the numerics. Its files may hold run.blas_core. */
static void test_version_2_is_of_numerics_1(void **state)
{
    fixture *f = *state;
    ag_grid grid;
    const char *old =
        replaced(&f->text, "\"altgrad_grid\":3,\"numerics\":2,", "\"altgrad_grid\":2,", &f->arena);
    assert_ok(ag_grid_from_json(&grid, f->text.data, f->text.length, &f->arena));
    assert_int_equal(grid.numerics, 2);
    assert_ok(ag_grid_from_json(&grid, old, strlen(old), &f->arena));
    assert_int_equal(grid.numerics, 1);
    assert_int_equal(grid.runs[1].limits.retries, 1);
    old = replaced(&f->text, "\"set\":{}",
                   "\"set\":{\"run.blas_core\":\"Haswell\",\"run.retries\":7}", &f->arena);
    assert_ok(ag_grid_from_json(&grid, old, strlen(old), &f->arena));
    assert_int_equal(grid.runs[1].limits.retries, 7);
}

static void test_truncated_and_mutated_grids(void **state)
{
    fixture *f = *state;
    ag_grid grid;
    for (size_t size = 0; size + 1 < f->text.length; size += 7)
        assert_int_equal(ag_grid_from_json(&grid, f->text.data, size, &f->arena), AG_ERR_INPUT);
    for (uint32_t i = 0; i < 3000; i++) {
        ag_philox_block r = ag_philox(3, i, 0, 0, 0);
        char *byte = &f->text.data[r.word[0] % f->text.length];
        char kept = *byte;
        *byte = "0123456789-\"{}[],:e\x01\xff"[r.word[1] % 21];
        ag_error_clear();
        if (ag_grid_from_json(&grid, f->text.data, f->text.length, &f->arena) != AG_OK)
            assert_true(ag_error_message()[0] != '\0');
        *byte = kept;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(test_a_grid_comes_back),
        TEST(test_writing_again_gives_the_same_text),
        TEST(test_seeds_in_rounds),
        TEST(test_a_part_of_a_grid),
        TEST(test_an_empty_grid),
        TEST(test_version_1_compares_the_final_loss),
        TEST(test_version_2_is_of_numerics_1),
        TEST(test_damaged_grids_are_refused),
        TEST(test_truncated_and_mutated_grids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
