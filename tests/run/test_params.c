#include "support.h"

#include "run/params.h"
#include "run/sites.h"

static int set_up(void **state)
{
    static ag_arena arena;
    ag_arena_init_growing(&arena);
    *state = &arena;
    return 0;
}

static int tear_down(void **state)
{
    ag_arena_deinit(*state);
    return 0;
}

static const ag_param *known(const char *key)
{
    const ag_param *param = ag_param_find(key);
    if (param == NULL)
        fail_msg("there is no parameter %s", key);
    return param;
}

static void test_the_table_is_sound(void **state)
{
    ag_arena *arena = *state;
    ag_run run;
    ag_run_defaults(&run);
    size_t count = 0;
    const ag_param *params = ag_params(&count);
    assert_true(count > 40);
    for (size_t i = 0; i < count; i++) {
        const ag_param *param = &params[i];
        bool has_words = param->type == AG_PARAM_WORD || param->type == AG_PARAM_WORDS;
        ag_run other = run;
        assert_ok(ag_param_set(&other, param, param->default_text, arena));
        assert_string_equal(ag_param_get(&run, param, arena), ag_param_get(&other, param, arena));
        assert_ptr_equal(ag_param_find(param->key), param);
        assert_true((param->words != NULL) == has_words || param->type == AG_PARAM_INT);
        assert_true(param->help[0] != '\0');
        assert_true(param->min <= param->max);
        for (size_t j = 0; j < i; j++)
            assert_true(params[j].offset != param->offset);
    }
    assert_null(ag_param_find("optimizer"));
    assert_null(ag_param_find(""));
    assert_string_equal(ag_param_nearest("optimiser.lr"), "optimizer.lr");
}

/* The example of a small GPT on characters that the documentation uses. */
static void test_defaults(void **state)
{
    (void)state;
    ag_run run;
    ag_run_defaults(&run);
    assert_int_equal(run.model.n_layer, 4);
    assert_int_equal(run.model.n_embd, 128);
    assert_int_equal(run.model.init_seed, -1);
    assert_true(run.model.tie_weights);
    assert_false(run.model.bias);
    assert_string_equal(run.model.init_file, "");
    assert_true(run.optimizer.lr == 1e-3);
    assert_true(run.optimizer.betas[0] == 0.9 && run.optimizer.betas[1] == 0.99);
    assert_int_equal(run.optimizer.schedule, AG_SCHEDULE_COSINE);
    assert_int_equal(run.eval.every, 200);
    assert_true(run.limits.stall_limit_s == 600);
    assert_true(run.limits.time_limit_s == 0);
    assert_null(ag_param_find("run.blas_core"));
    assert_int_equal(run.output.weights, AG_WEIGHTS_FINAL);
}

/* What is written, and how it reads afterwards. */
static void test_values_round_trip(void **state)
{
    static const struct {
        const char *key;
        const char *text;
        const char *shown;
    } cases[] = {
        {"model.bias",          "true",             "true"            },
        {"model.bias",          "false",            "false"           },
        {"train.steps",         "0",                "0"               },
        {"train.steps",         "010",              "10"              },
        {"train.steps",         "+5",               "5"               },
        {"train.steps",         "1e6",              "1000000"         },
        {"train.steps",         "2147483647",       "2147483647"      },
        {"data.seed",           "9007199254740992", "9007199254740992"},
        {"model.init_seed",     "-1",               "-1"              },
        {"optimizer.lr",        "6e-4",             "0.0006"          },
        {"optimizer.lr",        ".5",               "0.5"             },
        {"optimizer.lr",        "1",                "1"               },
        {"optimizer.lr",        " 1E-3 ",           "0.001"           },
        {"optimizer.eps",       "1e-8",             "1e-8"            },
        {"optimizer.betas",     "[0.9, 0.95]",      "[0.9, 0.95]"     },
        {"optimizer.betas",     "0.9,0.999",        "[0.9, 0.999]"    },
        {"optimizer.betas",     "[ 0 0.5 ]",        "[0, 0.5]"        },
        {"model.gelu",          "tanh",             "tanh"            },
        {"output.weights",      "initial+final",    "initial+final"   },
        {"observe.diagnostics", "[]",               "[]"              },
        {"observe.diagnostics", "none",             "[]"              },
        {"observe.diagnostics", "[grad, quant]",    "[quant, grad]"   },
        {"observe.diagnostics", "",                 "[]"              },
        {"output.states",       "[]",               "[]"              },
        {"output.states",       "[1000, 50%, 10]",  "[50%, 10, 1000]" },
        {"output.states",       "7 7 12.5%",        "[12.5%, 7]"      },
        {"data.text",           "a b/\xc3\xa9.txt", "a b/\xc3\xa9.txt"},
        {"data.text",           "",                 ""                },
        {"run.threads",         "auto",             "auto"            },
        {"run.threads",         "8",                "8"               },
        {"run.time_limit",      "90",               "90s"             },
        {"run.time_limit",      "90s",              "90s"             },
        {"run.time_limit",      "120",              "2m"              },
        {"run.time_limit",      "10m",              "10m"             },
        {"run.time_limit",      "1.5h",             "90m"             },
        {"run.time_limit",      "24h",              "1d"              },
        {"run.time_limit",      "0.5",              "0.5"             },
        {"run.time_limit",      "none",             "none"            },
        {"run.memory_limit",    "512M",             "512M"            },
        {"run.memory_limit",    "2G",               "2G"              },
        {"run.memory_limit",    "1.5K",             "1536"            },
        {"run.memory_limit",    "1024M",            "1G"              },
        {"run.memory_limit",    "1T",               "1T"              },
        {"run.memory_limit",    "none",             "none"            },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ag_run run;
        ag_run_defaults(&run);
        const ag_param *param = known(cases[i].key);
        assert_ok(ag_param_set(&run, param, cases[i].text, *state));
        const char *shown = ag_param_get(&run, param, *state);
        assert_string_equal(shown, cases[i].shown);
        ag_run again;
        ag_run_defaults(&again);
        assert_ok(ag_param_set(&again, param, shown, *state));
        assert_string_equal(ag_param_get(&again, param, *state), shown);
    }
}

/* A refused value leaves the run as it was, and the message names key, value and what would do. */
static void test_bad_values(void **state)
{
    static const struct {
        const char *key;
        const char *text;
        const char *message;
    } cases[] = {
        {"model.bias",          "no",                                        "expected true or false"                },
        {"model.bias",          "1",                                         "expected true or false"                },
        {"train.steps",         "2.5",                                       "expected whole number, 0 to 2147483647"},
        {"train.steps",         "2147483648",                                "expected whole number"                 },
        {"train.steps",         "-1",                                        "expected whole number"                 },
        {"train.steps",         "",                                          "expected whole number"                 },
        {"train.steps",         "ten",                                       "'ten' is not valid"                    },
        {"train.steps",         "0x10",                                      "expected whole number"                 },
        {"train.steps",         "1 2",                                       "expected whole number"                 },
        {"train.steps",         "99999999999999999999",                      "expected whole number"                 },
        {"data.seed",           "9007199254740993",                          "0 to 9007199254740992"                 },
        {"data.seed",           "none",                                      "expected whole number"                 },
        {"optimizer.lr",        "nan",                                       "expected number, 0 to 100"             },
        {"optimizer.lr",        "inf",                                       "expected number"                       },
        {"optimizer.lr",        "-inf",                                      "expected number"                       },
        {"optimizer.lr",        "1e999",                                     "expected number"                       },
        {"optimizer.lr",        "0x1p-3",                                    "expected number"                       },
        {"optimizer.lr",        "1e-3x",                                     "expected number"                       },
        {"optimizer.lr",        "1,5",                                       "expected number"                       },
        {"optimizer.lr",        "-1e-9",                                     "expected number, 0 to 100"             },
        {"optimizer.lr",        ".",                                         "expected number"                       },
        {"optimizer.lr",        "--1",                                       "expected number"                       },
        {"optimizer.betas",     "0.9",                                       "[number, number]"                      },
        {"optimizer.betas",     "[0.9, 0.99, 0.999]",                        "[number, number]"                      },
        {"optimizer.betas",     "[0.9, 1]",                                  "0 to 0.9999999"                        },
        {"optimizer.betas",     "[a, b]",                                    "[number, number]"                      },
        {"optimizer.betas",     "",                                          "[number, number]"                      },
        {"model.gelu",          "tan",                                       "did you mean 'tanh'?"                  },
        {"model.gelu",          "relu6000",                                  "expected one of exact, tanh"           },
        {"model.gelu",          "",                                          "expected one of exact, tanh"           },
        {"optimizer.type",      "sgdm",                                      "did you mean 'sgd'?"                   },
        {"optimizer.momentum",  "1",                                         "expected number, 0 to 0.9999999"       },
        {"optimizer.rung_clip", "0",                                         "expected whole number, 1 to 65535"     },
        {"optimizer.headroom",  "-1",                                        "expected whole number, 0 to 64"        },
        {"observe.diagnostics", "[weather]",                                 "expected list of quant, flips, grad"   },
        {"output.states",       "[1.5]",                                     "list of at most 16 whole numbers"      },
        {"output.states",       "[101%]",                                    "or shares of train.steps such as 50%"  },
        {"output.states",       "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17", "at most 16"                            },
        {"data.text",           "\xff",                                      "not valid UTF-8"                       },
        {"run.time_limit",      "10x",                                       "expected duration such as"             },
        {"run.time_limit",      "10ms",                                      "expected duration such as"             },
        {"run.time_limit",      "-5m",                                       "expected duration such as"             },
        {"run.time_limit",      "m",                                         "expected duration such as"             },
        {"run.memory_limit",    "2GB",                                       "expected size such as 512M"            },
        {"run.memory_limit",    "0.3",                                       "expected size such as 512M"            },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ag_run run;
        ag_run_defaults(&run);
        const ag_param *param = known(cases[i].key);
        const char *before = ag_param_get(&run, param, *state);
        assert_fails(AG_ERR_INPUT, cases[i].message,
                     ag_param_set(&run, param, cases[i].text, *state));
        assert_non_null(strstr(ag_error_message(), cases[i].key));
        assert_string_equal(ag_param_get(&run, param, *state), before);
    }
}

/* Each bound is valid, and just beyond it is not. */
static void test_every_range_has_its_ends(void **state)
{
    size_t count = 0;
    const ag_param *params = ag_params(&count);
    for (size_t i = 0; i < count; i++) {
        const ag_param *param = &params[i];
        if (param->type != AG_PARAM_INT && param->type != AG_PARAM_STEPS &&
            param->type != AG_PARAM_REAL)
            continue;
        ag_run run;
        ag_run_defaults(&run);
        char text[64];
        snprintf(text, sizeof text, "%.17g", param->min);
        assert_ok(ag_param_set(&run, param, text, *state));
        snprintf(text, sizeof text, "%.17g", param->max);
        assert_ok(ag_param_set(&run, param, text, *state));
        snprintf(text, sizeof text, "%.17g", param->min - 1);
        assert_int_equal(ag_param_set(&run, param, text, *state), AG_ERR_INPUT);
        snprintf(text, sizeof text, "%.17g", param->max * 1.01 + 1);
        assert_int_equal(ag_param_set(&run, param, text, *state), AG_ERR_INPUT);
    }
}

static void test_checks_of_several_parameters(void **state)
{
    (void)state;
    ag_run good;
    ag_run_defaults(&good);
    good.data.text = "input.txt";
    assert_ok(ag_run_check(&good));

    ag_run run = good;
    run.model.n_head = 3;
    assert_fails(AG_ERR_INPUT, "128 channels do not divide among 3 heads", ag_run_check(&run));
    run = good;
    run.data.text = "";
    assert_fails(AG_ERR_INPUT, "none of text, bin, bin_train and synthetic is set",
                 ag_run_check(&run));
    run = good;
    run.data.bin = "folder";
    assert_fails(AG_ERR_INPUT, "more than one of text, bin, bin_train and synthetic",
                 ag_run_check(&run));
    run = good;
    run.data.vocab = 10;
    assert_fails(AG_ERR_INPUT, "data.vocab", ag_run_check(&run));
    run = good;
    run.data.text = "";
    run.data.synthetic = AG_SYNTHETIC_MARKOV;
    assert_fails(AG_ERR_INPUT, "needs 2 symbols", ag_run_check(&run));
    run.data.vocab = 64;
    assert_ok(ag_run_check(&run));
    run = good;
    run.model.init_run = "0123456789ab";
    assert_fails(AG_ERR_INPUT, "model.init.file", ag_run_check(&run));
    run = good;
    run.model.param = AG_PARAMETRISATION_MUP;
    assert_ok(ag_run_check(&run));
    run.optimizer.type = AG_OPTIMIZER_LION;
    assert_ok(ag_run_check(&run));
    run.optimizer.type = AG_OPTIMIZER_SGD;
    assert_fails(AG_ERR_INPUT,
                 "model.param: mup scales the learning rates of Adam and Lion, not of "
                 "optimizer.type sgd",
                 ag_run_check(&run));
    run.model.param = AG_PARAMETRISATION_MUS;
    assert_ok(ag_run_check(&run));
    run = good;
    run.stop.loss_ratio = 0.5;
    assert_fails(AG_ERR_INPUT, "stop.loss_ratio", ag_run_check(&run));
    run = good;
    run.observe.diagnostics = 1 << AG_OBSERVE_NOISE;
    assert_fails(AG_ERR_INPUT, "train.grad_accum is 1", ag_run_check(&run));
    run.train.grad_accum = 2;
    assert_ok(ag_run_check(&run));
    run.stop.loss_ratio = 0;
    assert_ok(ag_run_check(&run));
    run.optimizer.lr = 0;
    assert_ok(ag_run_check(&run));
    run.optimizer.independent_decay = true;
    assert_fails(AG_ERR_INPUT, "optimizer.independent_decay: decays by each step's share",
                 ag_run_check(&run));
    run.optimizer.weight_decay = 0;
    assert_ok(ag_run_check(&run));
}

/* Weights that move along a grid need one scale; those of BF16 layers, and other operands, do not.
 */
static void test_a_grid_has_one_scale(void **state)
{
    ag_arena *arena = *state;
    ag_layer_precision layers[5] = {0};
    ag_scheme rows = {.quantised = true, .granularity = AG_GRANULARITY_ROW};
    ag_run run;
    ag_run_defaults(&run);
    run.model.n_layer = 1;
    run.facts.vocab_size = 65;
    run.layers = layers;
    assert_ok(ag_param_set(&run, ag_param_find("data.text"), "a.txt", arena));
    assert_ok(ag_param_set(&run, ag_param_find("optimizer.type"), "grid", arena));
    layers[2].scheme[AG_ROLE_INPUT][0] = rows;
    layers[4].scheme[AG_ROLE_WEIGHT][0] = rows; /* the embedding's */
    assert_ok(ag_run_check(&run));
    layers[2].scheme[AG_ROLE_WEIGHT][0] = rows;
    assert_fails(AG_ERR_INPUT,
                 "optimizer.type: grid needs weights with one scale per tensor, but those of "
                 "transformer.h.0.mlp.c_fc have granularity 'row'",
                 ag_run_check(&run));
    assert_ok(ag_param_set(&run, ag_param_find("optimizer.type"), "manifold_adamw", arena));
    assert_ok(ag_run_check(&run));
}

/* What stores weights in a format, and which optimizer does not go with it. */
static void test_stored_weights_go_with_some_optimizers(void **state)
{
    ag_arena *arena = *state;
    static const struct {
        const char *type;
        const char *rule;
        const char *message;
    } cases[] = {
        {"adamw",          "drop",  NULL                                                       },
        {"adamw",          "kahan", NULL                                                       },
        {"adamw",          "eco",   NULL                                                       },
        {"sgd",            "eco",   NULL                                                       },
        {"lion",           "kahan", NULL                                                       },
        {"muon",           "kahan", NULL                                                       },
        {"manifold_adamw", "drop",  NULL                                                       },
        {"grid",           "drop",  "optimizer.type: grid keeps weights on the values of their"},
        {"lion",           "eco",   "optimizer.store_error: eco gives back"                    },
        {"muon",           "eco",   "and optimizer.type is muon; use kahan or drop"            },
        {"manifold_adamw", "eco",   "optimizer.store_error: eco"                               },
        {"manifold_adamw", "kahan", "optimizer.store_error: kahan adds up the steps of weights"},
    };
    ag_layer_precision layers[5] = {0};
    ag_layer_precision sites[21 + 4 + 3] = {0};
    ag_run run;
    ag_run_defaults(&run);
    run.model.n_layer = 1;
    run.layers = layers;
    assert_int_equal(ag_site_count(&run.model), sizeof sites / sizeof sites[0]);
    assert_ok(ag_param_set(&run, ag_param_find("data.text"), "a.txt", arena));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_ok(ag_param_set(&run, ag_param_find("optimizer.type"), cases[i].type, arena));
        assert_ok(ag_param_set(&run, ag_param_find("optimizer.store_error"), cases[i].rule, arena));
        run.sites = NULL;
        assert_ok(ag_run_check(&run));
        run.sites = sites;
        assert_ok(ag_run_check(&run));
        sites[27].scheme[AG_ROLE_WEIGHT][0] = ag_scheme_bf16(); /* of wte, the last */
        assert_true(ag_run_stores_weights(&run));
        if (cases[i].message == NULL)
            assert_ok(ag_run_check(&run));
        else
            assert_fails(AG_ERR_INPUT, cases[i].message, ag_run_check(&run));
        sites[27].scheme[AG_ROLE_WEIGHT][0] = (ag_scheme){0};
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_table_is_sound),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_values_round_trip),
        cmocka_unit_test(test_bad_values),
        cmocka_unit_test(test_every_range_has_its_ends),
        cmocka_unit_test(test_checks_of_several_parameters),
        cmocka_unit_test(test_a_grid_has_one_scale),
        cmocka_unit_test(test_stored_weights_go_with_some_optimizers),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
