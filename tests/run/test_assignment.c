/* Assignments: what is written is read again; what is changed or damaged is refused. */
#include <stdlib.h>

#include "base/philox.h"
#include "numerics/code_table.h"
#include "run/run_support.h"

static void assert_round_trip(run_fixture *f, ag_run *run)
{
    ag_run back;
    ag_text again;
    assert_ok(ag_run_identify(run));
    ag_text_deinit(&f->text);
    ag_text_init(&again);
    ag_run_assignment(&f->text, run);
    assert_null(strchr(f->text.data, '\n'));
    assert_ok(ag_run_from_assignment(&back, f->text.data, f->text.length, &f->arena));
    ag_run_assignment(&again, &back);
    assert_string_equal(again.data, f->text.data);
    ag_text_deinit(&again);
}

static void test_assignments_round_trip(void **state)
{
    run_fixture *f = *state;
    ag_run run = f->run;
    assert_round_trip(f, &run);
    run.model.n_layer = 13;
    run.optimizer.schedule = AG_SCHEDULE_CONSTANT;
    run.train.data_order = AG_ORDER_SEQUENTIAL;
    memcpy(run.init_digest, run.facts.digest, sizeof run.init_digest);
    run.model.init_file = "other \"results\".h5";
    run.model.init_run = "0123456789ab";
    run.compute = AG_COMPUTE_FP32;
    run.seed = INT64_C(1) << 53;
    run.limits.memory_limit = INT64_C(3) << 30;
    run.limits.time_limit_s = 0.5;
    run.optimizer.lr = 0.1 + 0.2;
    assert_round_trip(f, &run);
    run = f->run;
    run.output.states = (ag_step_list){
        2, {7, 9}
    };
    memcpy(run.start_digest, run.facts.digest, sizeof run.start_digest);
    run.train.start_file = "other.h5";
    run.train.start_run = "0123456789ab";
    run.train.start_step = 3;
    assert_round_trip(f, &run);
    assert_non_null(strstr(f->text.data, "\"states\":[7,9]"));
    assert_non_null(strstr(f->text.data, "\"train\":{\"start.file\":\"other.h5\""));
    run = f->run;
    run.optimizer.type = AG_OPTIMIZER_GRID;
    assert_round_trip(f, &run);
    run.optimizer.momentum = 0.5;
    run.optimizer.headroom = 0;
    assert_round_trip(f, &run);
}

/* A code table goes with the run that has it, by its numbers. */
static void test_code_tables_come_back(void **state)
{
    run_fixture *f = *state;
    ag_run run = f->run;
    ag_run back;
    const ag_code_table *table;
    ag_table_text levels = {
        .n_codes = 3, .value = {-1, 0, 0x1p70f},
             .top = 4
    };
    assert_ok(ag_element_table(&table, &levels));
    ag_run_assignment(&f->text, &run);
    assert_null(strstr(f->text.data, "\"tables\""));
    char id[AG_ID_LENGTH + 1];
    memcpy(id, run.id, sizeof id);
    const ag_format format = ag_element_format(table);
    f->layers[0].scheme[AG_ROLE_WEIGHT][0] = ag_scheme_plain(&format);
    f->layers[0].scheme[AG_ROLE_WEIGHT][1] = ag_scheme_plain(&format);
    assert_round_trip(f, &run);
    assert_string_not_equal(run.id, id);
    char *values = strstr(f->text.data, "\"values\":\"bf800000 00000000 62800000\"");
    assert_non_null(values);
    assert_ok(ag_run_from_assignment(&back, f->text.data, f->text.length, &f->arena));
    assert_ptr_equal(back.layers[0].scheme[AG_ROLE_WEIGHT][0].format.table, table);
    values[12] = '9';
    assert_fails(AG_ERR_INPUT, "these values are the table table-",
                 ag_run_from_assignment(&back, f->text.data, f->text.length, &f->arena));
    values[11] = 'g';
    assert_fails(AG_ERR_INPUT, "float32 numbers of 8 hexadecimal digits",
                 ag_run_from_assignment(&back, f->text.data, f->text.length, &f->arena));
}

static void test_schemes_come_back(void **state)
{
    run_fixture *f = *state;
    ag_run back;
    ag_run_assignment(&f->text, &f->run);
    assert_ok(ag_run_from_assignment(&back, f->text.data, f->text.length, &f->arena));
    for (size_t layer = 0; layer < ag_layer_count(&f->run.model); layer++) {
        for (size_t role = 0; role < AG_ROLES; role++) {
            for (size_t use = 0; use < AG_USES; use++)
                assert_true(ag_scheme_equal(&back.layers[layer].scheme[role][use],
                                            &f->layers[layer].scheme[role][use]));
        }
    }
    assert_string_equal(back.data.text, "input.txt");
    assert_int_equal(back.model.init_seed, 42);
    assert_true(back.limits.stall_limit_s == 600);
}

/* Every recipe's schemes come back; what they have beyond one scale per tensor stands in the text
 * only where it is. */
static void test_recipes_come_back(void **state)
{
    run_fixture *f = *state;
    size_t count;
    const ag_recipe *recipes = ag_recipe_list(&count);
    ag_layer_precision layers[MAX_LAYERS];
    ag_run run = f->run;
    run.layers = layers;
    for (size_t i = 0; i < count; i++) {
        ag_run back;
        for (size_t layer = 0; layer < ag_layer_count(&run.model); layer++)
            assert_ok(ag_recipe_parse(&layers[layer], recipes[i].name));
        assert_ok(ag_run_identify(&run));
        f->text.length = 0;
        ag_run_assignment(&f->text, &run);
        assert_ok(ag_run_from_assignment(&back, f->text.data, f->text.length, &f->arena));
        for (int j = 0; j < AG_ROLES * AG_USES; j++)
            assert_true(ag_scheme_equal(&back.layers[0].scheme[j / AG_USES][j % AG_USES],
                                        &layers[0].scheme[j / AG_USES][j % AG_USES]));
        bool is_mx = strncmp(recipes[i].name, "mx", 2) == 0;
        bool is_nv = strcmp(recipes[i].name, "nvfp4") == 0;
        assert_int_equal(strstr(f->text.data, "\"e8m0\":") != NULL, is_mx);
        assert_int_equal(strstr(f->text.data, "\"hadamard\":true") != NULL, is_nv);
        assert_null(strstr(f->text.data, "\"hadamard\":false"));
    }
}

/* Those by whose up branch channels are scaled are the c_proj of swiglus alone. */
static void test_channels_come_back(void **state)
{
    run_fixture *f = *state;
    ag_layer_precision layers[MAX_LAYERS] = {0};
    ag_run run = f->run;
    ag_run back;
    run.model.n_layer = 3;
    size_t at = ag_layer_index(&run.model, AG_LINEAR_MLP_C_PROJ, 1);
    set_role(&layers[at], AG_ROLE_INPUT, scheme_of("e4m3"));
    layers[at].scheme[AG_ROLE_INPUT][0].channel = AG_CHANNEL_UP;
    layers[at].scheme[AG_ROLE_INPUT][1].channel = AG_CHANNEL_UP;
    run.layers = layers;
    run.model.mlp = AG_MLP_SWIGLU;
    run.model.gate_up = AG_GATE_UP_FUSED; /* the same layers as gelu has */
    assert_round_trip(f, &run);
    assert_non_null(strstr(f->text.data, "\"channel\":\"up\""));
    for (int i = 0; i < 2; i++) {
        run.model.mlp = i == 0 ? AG_MLP_GELU : AG_MLP_SWIGLU;
        if (i == 1) {
            layers[at + 1] = layers[at];
            layers[at] = (ag_layer_precision){0};
        }
        assert_ok(ag_run_identify(&run));
        f->text.length = 0;
        ag_run_assignment(&f->text, &run);
        assert_fails(AG_ERR_INPUT, i == 0 ? "set model.mlp: swiglu" : "transformer.h.2.attn.c_attn",
                     ag_run_from_assignment(&back, f->text.data, f->text.length, &f->arena));
    }
}

/* A JSON tool in between may reorder keys, indent, and print 17 digits. */
static void test_layout_does_not_matter(void **state)
{
    run_fixture *f = *state;
    ag_run back;
    ag_run_assignment(&f->text, &f->run);
    json_t *plain = json_loads(f->text.data, 0, NULL);
    char *other = json_dumps(plain, JSON_INDENT(3) | JSON_REAL_PRECISION(17));
    assert_ok(ag_run_from_assignment(&back, other, strlen(other), &f->arena));
    assert_string_equal(back.id, f->run.id);
    free(other);
    json_decref(plain);
}

static void test_changed_assignments_are_refused(void **state)
{
    static const text_change cases[] = {
        {"\"seed\":42",             "\"seed\":43",                  "is not the id of this run"                           },
        {"\"lr\":0.0006",           "\"lr\":0.0007",                "is not the id of this run"                           },
        {"\"id\":\"",               "\"id\":\"x",                   "assignment.id: expected 12 lower-case hex digits"    },
        {"\"id\":",                 "\"ID\":",                      "assignment: unknown key 'ID'; did you mean 'id'?"    },
        {"\"lr\":",                 "\"lrs\":",                     "run.optimizer: unknown key 'lrs'; did you mean 'lr'?"},
        {"\"lr\":0.0006,",          "",                             "run.optimizer: key 'lr' is missing"                  },
        {"\"lr\":0.0006",           "\"lr\":\"0.0006\"",            "optimizer.lr: this JSON value has the wrong type"    },
        {"\"lr\":0.0006",           "\"lr\":-1",                    "optimizer.lr: '-1' is not valid"                     },
        {"\"lr\":0.0006",           "\"lr\":null",                  "optimizer.lr: is null, but has an effect"            },
        {"\"lr\":0.0006",           "\"lr\":0.0006,\"lr\":1",       "duplicate"                                           },
        {"\"decay_fraction\":null", "\"decay_fraction\":0.2",       "has no effect in this run"                           },
        {"\"steps\":2000",          "\"steps\":2000.5",             "train.steps: '2000.5' is not valid"                  },
        {"\"bias\":false",          "\"bias\":0",                   "model.bias: this JSON value has the wrong type"      },
        {"\"betas\":[0.9,0.99]",    "\"betas\":[0.9]",              "optimizer.betas"                                     },
        {"\"gelu\":\"exact\"",      "\"gelu\":\"relu\"",            "model.gelu"                                          },
        {"\"numerics\":2",          "\"numerics\":1",
         "made by numerics 1; this altgrad computes numerics 2"                                                           },
        {"\"compute\":\"bf16\"",    "\"compute\":\"fp64\"",         "run.compute: 'fp64' is not known"                    },
        {"\"seed\":42",             "\"seed\":-1",                  "run.seed: expected a whole number"                   },
        {"\"seed\":42",             "\"seed\":9007199254740993",    "run.seed: expected a whole number"                   },
        {"\"vocab_size\":65",       "\"vocab_size\":0",             "run.data.vocab_size"                                 },
        {"\"digest\":\"0123",       "\"digest\":\"G123",            "run.data.digest: expected 64"                        },
        {"\"init\":null",           "\"init\":7",                   "run.init: expected a string"                         },
        {"\"n_layer\":1",           "\"n_layer\":2",                "run.layers: expected the 9 layers"                   },
        {"\"lm_head\"",             "\"lm_heat\"",                  "run.layers: key 'lm_head' is missing"                },
        {"\"input.wgrad\"",         "\"input.dgrad\"",
         "run.layers.transformer.h.0.attn.c_attn: unknown key"                                                            },
        {"\"format\":\"e5m2ieee\"", "\"format\":\"e9m9\"",          "e9m9"                                                },
        {"\"amax\":\"delayed\"",    "\"amax\":\"late\"",            "attn.c_attn.input.amax: 'late'"                      },
        {"\"pow2\":false",          "\"pow2\":0",                   "pow2: expected true or false"                        },
        {"\"history\":16",          "\"history\":1e99",             "history: expected a whole number"                    },
        {"\"ste\":\"identity\"",    "\"ste\":\"identity\",\"x\":1", "unknown key 'x'"                                     },
        {"\"every\":200",           "\"every\":-5",                 "eval.every: '-5' is not valid"                       },
        {"\"output\":{",            "\"ouput\":{",                  "local: unknown key 'ouput'; did you mean 'output'?"  },
        {"\"text\":\"input.txt\"",  "\"text\":\"\"",                "exactly one"                                         },
        {"{\"id\"",                 "[{\"id\"",                     "is not valid JSON: line 1"                           },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_fails(AG_ERR_INPUT, cases[i].message,
                     read_changed(*state, cases[i].old, cases[i].new));
    /* what the id does not cover may change */
    assert_ok(read_changed(*state, "\"every\":200", "\"every\":100"));
    assert_ok(read_changed(*state, "input.txt", "elsewhere/input.txt"));
}

static void test_what_is_no_object_is_refused(void **state)
{
    run_fixture *f = *state;
    static const char *const texts[] = {"",
                                        " ",
                                        "null",
                                        "[]",
                                        "3",
                                        "\"id\"",
                                        "{}",
                                        "{\"id\":{}}",
                                        "{\"id\":\"0123456789ab\",\"local\":[],\"run\":{}}",
                                        "{\"id\":\"0123456789ab\",\"local\":{},\"run\":[]}"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        ag_run back;
        assert_fails(AG_ERR_INPUT, "",
                     ag_run_from_assignment(&back, texts[i], strlen(texts[i]), &f->arena));
        assert_true(ag_error_message()[0] != '\0');
    }
}

/* Reads a damaged text; the copy of exact size lets the address sanitizer see a step too far. */
static void read_damaged(run_fixture *f, const char *bytes, size_t size)
{
    ag_run back;
    char *copy = malloc(size > 0 ? size : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, size);
    ag_error_clear();
    ag_status status = ag_run_from_assignment(&back, copy, size, &f->arena);
    if (status == AG_OK)
        assert_string_equal(back.id, f->run.id);
    else
        assert_true(ag_error_message()[0] != '\0');
    free(copy);
}

static void test_truncated_assignments(void **state)
{
    run_fixture *f = *state;
    ag_run_assignment(&f->text, &f->run);
    for (size_t size = 0; size < f->text.length; size++) {
        ag_run back;
        ag_error_clear();
        assert_int_equal(ag_run_from_assignment(&back, f->text.data, size, &f->arena),
                         AG_ERR_INPUT);
        read_damaged(f, f->text.data, size);
    }
}

/* One to four bytes replaced by others that JSON likes; a piece left out; a piece doubled. */
static void test_mutated_assignments(void **state)
{
    run_fixture *f = *state;
    static const char likely[] = "0123456789-+.eE\"\\{}[],:truefalsn \n\x01\xff\x80";
    ag_run_assignment(&f->text, &f->run);
    size_t length = f->text.length;
    char *bytes = malloc(2 * length);
    assert_non_null(bytes);
    for (uint32_t i = 0; i < 6000; i++) {
        ag_philox_block r = ag_philox(1, i, 0, 0, 0);
        size_t at = r.word[0] % length;
        size_t piece = 1 + r.word[1] % (length - at < 40 ? length - at : 40);
        size_t size = length;
        memcpy(bytes, f->text.data, length);
        if (i % 3 == 0) {
            for (uint32_t k = 0; k <= r.word[2] % 4; k++) {
                ag_philox_block s = ag_philox(2, i, k, 0, 0);
                bytes[s.word[0] % length] = likely[s.word[1] % (sizeof likely - 1)];
            }
        } else if (i % 3 == 1) {
            memmove(bytes + at, bytes + at + piece, length - at - piece);
            size -= piece;
        } else {
            memmove(bytes + at + piece, bytes + at, length - at);
            size += piece;
        }
        read_damaged(f, bytes, size);
    }
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_run, tear_down_run)
        TEST(test_assignments_round_trip),
        TEST(test_code_tables_come_back),
        TEST(test_schemes_come_back),
        TEST(test_channels_come_back),
        TEST(test_recipes_come_back),
        TEST(test_layout_does_not_matter),
        TEST(test_changed_assignments_are_refused),
        TEST(test_what_is_no_object_is_refused),
        TEST(test_truncated_assignments),
        TEST(test_mutated_assignments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
