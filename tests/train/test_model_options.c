/* Whole runs of models of many options together: twice the same, the same on any number of threads,
 * with either set of kernels and after interruptions; with every diagnostic. Each pair of values of
 * two options stands in some run. */
#include "interrupted.h"
#include "same_record.h"

#include "base/pool.h"
#include "numerics/recipe.h"
#include "run/model_spec.h"

enum { MOST_VALUES = 4, ROWS = 18, PAIR_SIZE = 128 };

static const struct {
    const char *key;
    const char *values[MOST_VALUES];
} s_options[] = {
    {"model.norm",         {"layernorm", "rmsnorm", "none"} },
    {"model.norm_affine",  {"true", "false"}                },
    {"model.norm_place",   {"pre", "res_post", "sandwich"}  },
    {"model.final_norm",   {"true", "false"}                },
    {"model.position",     {"learned", "rope", "none"}      },
    {"model.mlp",          {"gelu", "relu2", "swiglu"}      },
    {"model.n_kv_head",    {"0", "1"}                       },
    {"model.head_dim",     {"0", "6"}                       },
    {"model.qkv",          {"fused", "split"}               },
    {"model.qk_norm",      {"none", "head", "full"}         },
    {"model.qk_gain",      {"true", "false"}                },
    {"scales",             {"none", "all"}                  },
    {"logits",             {"plain", "capped"}              },
    {"model.bias",         {"true", "false"}                },
    {"model.tie_weights",  {"true", "false"}                },
    {"model.dropout",      {"0", "0.2"}                     },
    {"precision",          {"bf16", "e4m3", "nvfp4", "fp32"}},
    {"model.gate_up",      {"split", "fused"}               },
    {"model.attn_softcap", {"0", "1.5"}                     },
    {"model.param",        {"standard", "mup", "mus"}       },
};
enum { OPTIONS = sizeof s_options / sizeof s_options[0] };

/* The index of each option's value. */
static const int s_rows[ROWS][OPTIONS] = {
    {2, 1, 0, 0, 2, 0, 0, 0, 0, 1, 1, 1, 0, 0, 1, 1, 3, 1, 0, 1},
    {2, 0, 1, 1, 0, 2, 1, 1, 1, 2, 0, 0, 1, 1, 0, 0, 0, 0, 1, 2},
    {0, 1, 2, 0, 1, 1, 1, 1, 0, 0, 0, 0, 0, 1, 0, 1, 1, 1, 1, 0},
    {1, 0, 2, 1, 2, 1, 0, 0, 1, 0, 1, 1, 1, 0, 1, 0, 2, 0, 0, 0},
    {0, 1, 1, 0, 1, 2, 0, 0, 0, 2, 1, 1, 1, 0, 1, 0, 0, 1, 1, 2},
    {1, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 0, 0, 1, 0, 1, 2, 1, 1, 1},
    {0, 1, 1, 1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1},
    {1, 0, 0, 1, 2, 2, 1, 1, 0, 2, 0, 1, 0, 0, 1, 1, 1, 0, 0, 2},
    {0, 0, 0, 1, 1, 0, 1, 0, 1, 2, 0, 0, 1, 1, 1, 0, 3, 0, 0, 0},
    {1, 1, 2, 0, 0, 2, 0, 1, 0, 1, 1, 1, 1, 1, 0, 1, 3, 0, 1, 0},
    {2, 0, 0, 1, 2, 1, 1, 0, 1, 0, 1, 0, 0, 1, 0, 1, 0, 1, 1, 1},
    {2, 1, 2, 0, 1, 2, 1, 1, 0, 2, 0, 1, 1, 1, 0, 0, 2, 1, 1, 1},
    {1, 1, 2, 1, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 1, 1, 0, 1, 0, 2},
    {1, 0, 1, 0, 2, 1, 1, 0, 0, 1, 1, 0, 1, 0, 1, 1, 3, 1, 0, 2},
    {2, 1, 2, 1, 0, 1, 1, 0, 1, 2, 1, 1, 1, 0, 1, 0, 1, 1, 1, 0},
    {1, 0, 1, 1, 1, 2, 1, 1, 1, 0, 0, 1, 1, 0, 0, 1, 3, 1, 0, 0},
    {0, 0, 1, 1, 2, 0, 0, 1, 1, 2, 0, 0, 0, 1, 1, 0, 2, 0, 0, 2},
    {0, 1, 0, 0, 1, 2, 1, 0, 0, 1, 0, 1, 1, 0, 1, 0, 0, 1, 0, 0},
};

static const int *s_row; /* of the runs at work */

static void set_precision(tiny *t, const char *name)
{
    ag_scheme scheme = tiny_scheme("e4m3");
    if (strcmp(name, "fp32") == 0)
        t->run.compute = AG_COMPUTE_FP32;
    if (strcmp(name, "nvfp4") == 0)
        for (int i = 0; i < TINY_LAYERS; i++)
            assert_ok(ag_recipe_parse(&t->layers[i], name));
    if (strcmp(name, "e4m3") != 0)
        return;
    scheme.amax = AG_AMAX_DELAYED;
    scheme.history = 2;
    scheme.rounding = AG_ROUND_STOCHASTIC;
    tiny_quantise_all(t, scheme);
    for (int kind = 0; kind < AG_SITE_KINDS; kind++)
        tiny_quantise_sites(t, (ag_site_kind)kind, scheme);
}

static void set_option(tiny *t, size_t option, int value)
{
    ag_model_spec *model = &t->run.model;
    const char *key = s_options[option].key;
    const char *text = s_options[option].values[value];
    if (strcmp(key, "precision") == 0) {
        set_precision(t, text);
    } else if (strcmp(key, "scales") == 0 && value == 1) {
        model->embd_scale = 2.0;
        model->skip_scale = 0.75;
        model->branch_scale = 0.5;
        model->attn_scale = 0.4;
    } else if (strcmp(key, "logits") == 0 && value == 1) {
        model->logit_scale = 1.5;
        model->logit_softcap = 4.0;
        model->z_loss = 1e-2;
    } else if (strchr(key, '.') != NULL) {
        assert_ok(ag_param_set(&t->run, ag_param_find(key), text, NULL));
    }
}

static void by_row(tiny *t)
{
    for (size_t option = 0; option < OPTIONS; option++)
        set_option(t, option, s_row[option]);
    t->run.model.base_width = 4;
    t->run.train.grad_accum = 2;
    t->run.observe = (ag_observe_spec){.quant_every = 3, .diagnostics = ALL_DIAGNOSTICS};
    assert_ok(ag_spec_check(&t->run.model));
}

/* Keeps the last pair that is missing, for the message. */
static void note(char missing[PAIR_SIZE], bool is_seen, size_t a, size_t i, size_t b, size_t j)
{
    if (!is_seen)
        snprintf(missing, PAIR_SIZE, "%s %s with %s %s", s_options[a].key, s_options[a].values[i],
                 s_options[b].key, s_options[b].values[j]);
}

static void test_every_pair_stands_in_some_row(void **state)
{
    (void)state;
    char missing[PAIR_SIZE] = "";
    for (size_t a = 0; a < OPTIONS; a++) {
        for (size_t b = a + 1; b < OPTIONS; b++) {
            bool seen[MOST_VALUES][MOST_VALUES] = {{false}};
            for (size_t row = 0; row < ROWS; row++)
                seen[s_rows[row][a]][s_rows[row][b]] = true;
            for (size_t i = 0; i < MOST_VALUES && s_options[a].values[i] != NULL; i++)
                for (size_t j = 0; j < MOST_VALUES && s_options[b].values[j] != NULL; j++)
                    note(missing, seen[i][j], a, i, b, j);
        }
    }
    assert_string_equal(missing, ""); /* in no row */
}

static void test_threads_and_kernels(void **state)
{
    (void)state;
    for (size_t row = 0; row < ROWS; row++) {
        s_row = s_rows[row];
        undisturbed(by_row);
        assert_int_equal(run_a.record.outcome, AG_OUTCOME_DONE);
        assert_true(isfinite(run_a.record.final_val_loss));
        for (int other = 0; other < 2; other++) {
            if (other == 0)
                assert_ok(ag_pool_start(3));
            scenario_make(&run_b, by_row);
            tiny_train(&run_b, other == 0 ? &ag_kernels_fast : &ag_kernels_plain);
            if (other == 0)
                ag_pool_stop();
            /* singular values have no defined last bits */
            run_b.record.samples.count = run_a.record.samples.count;
            run_b.record.samples.values = run_a.record.samples.values;
            assert_same_record(&run_a.record, &run_b.record);
            tiny_end(&run_b);
        }
        tiny_end(&run_a);
    }
}

static void test_interruptions(void **state)
{
    (void)state;
    for (size_t row = 0; row < ROWS; row++) {
        watch stopped = {.stop_at = 5 + (int)row % 6};
        watch resumed = {.stop_at = NEVER};
        s_row = s_rows[row];
        clear_files();
        undisturbed(by_row);
        assert_false(attempt(by_row, &stopped, 0.0));
        assert_true(attempt(by_row, &resumed, 0.0));
        assert_int_equal(resumed.warnings, 0);
        assert_true(resumed.first_step > 0);
        assert_same_record(&run_a.record, &run_b.record);
        tiny_end(&run_b);
        tiny_end(&run_a);
    }
}

/* One layer or several are the same function, and begin as the same. */
static void test_split_layers_begin_as_fused_ones(void **state)
{
    (void)state;
    for (int split = 0; split < 2; split++) {
        tiny *t = split ? &run_b : &run_a;
        tiny_make(t);
        t->run.compute = AG_COMPUTE_FP32;
        t->run.model.n_head = 4;
        t->run.model.n_kv_head = 2;
        t->run.model.head_dim = 5; /* an odd number of weights before those of v */
        t->run.model.n_embd = 11;
        t->run.model.qkv = split ? AG_QKV_SPLIT : AG_QKV_FUSED;
        t->run.model.mlp = AG_MLP_SWIGLU;
        t->run.model.mlp_hidden = 13;
        t->run.model.gate_up = split ? AG_GATE_UP_SPLIT : AG_GATE_UP_FUSED;
        tiny_train(t, &ag_kernels_fast);
    }
    assert_memory_equal(run_a.record.loss, run_b.record.loss, sizeof(double));
    for (int64_t i = 1; i < run_a.record.steps; i++)
        assert_true(fabs(run_a.record.loss[i] - run_b.record.loss[i]) < 1e-5);
    tiny_end(&run_a);
    tiny_end(&run_b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_pair_stands_in_some_row),
        cmocka_unit_test(test_threads_and_kernels),
        cmocka_unit_test(test_interruptions),
        cmocka_unit_test(test_split_layers_begin_as_fused_ones),
    };
    return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
