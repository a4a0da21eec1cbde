#include "support.h"

#include <jansson.h>
#include <stdlib.h>

#include "base/philox.h"
#include "numerics/recipe.h"
#include "spec/layers.h"
#include "spec/params.h"
#include "spec/run_json.h"

/* Written by hand from the definition of the run id. Its digest is what
 *     tr -d '\n' < tests/spec/golden_run.json | sha256sum
 * prints; the id is the first 12 digits. */
#define GOLDEN_PATH "spec/golden_run.json"
#define GOLDEN_ID "7915fbd5cdb4"

enum { MAX_LAYERS = 4 * 112 + 1 }; /* three digits of block number */

typedef struct fixture {
    ag_arena arena;
    ag_layer_precision layers[MAX_LAYERS];
    ag_run run;
    ag_text text;
} fixture;

static ag_scheme scheme_of(const char *format)
{
    ag_format parsed;
    assert_ok(ag_format_parse(&parsed, format));
    return ag_scheme_plain(&parsed);
}

static void set_role(ag_layer_precision *layer, ag_role role, ag_scheme scheme)
{
    layer->scheme[role][0] = scheme;
    layer->scheme[role][1] = scheme;
}

/* The run of the golden text. */
static void make_run(fixture *f)
{
    ag_run *run = &f->run;
    ag_run_defaults(run);
    memset(f->layers, 0, sizeof f->layers);
    run->model.n_layer = 1;
    run->train.data_seed = 7;
    run->optimizer.lr = 6e-4;
    run->data.text = "input.txt";
    run->seed = 42;
    run->facts = (ag_data_facts){.vocab_size = 65, .train_tokens = 1003854, .val_tokens = 111540};
    for (size_t i = 0; i < AG_DIGEST_LENGTH; i++)
        run->facts.digest[i] = "0123456789abcdef"[i % 16];
    ag_layer_precision *c_attn = &f->layers[AG_LINEAR_C_ATTN];
    ag_scheme delayed = scheme_of("e4m3");
    ag_scheme stochastic = scheme_of("e5m2");
    delayed.amax = AG_AMAX_DELAYED;
    delayed.history = 16;
    stochastic.rounding = AG_ROUND_STOCHASTIC;
    set_role(c_attn, AG_ROLE_WEIGHT, scheme_of("e4m3"));
    c_attn->scheme[AG_ROLE_INPUT][0] = delayed;
    set_role(c_attn, AG_ROLE_GRAD_OUTPUT, stochastic);
    set_role(&f->layers[AG_LINEAR_MLP_C_PROJ], AG_ROLE_WEIGHT, scheme_of("e3m4"));
    run->layers = f->layers;
    assert_ok(ag_run_identify(run));
}

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    ag_arena_init_growing(&f->arena);
    ag_text_init(&f->text);
    make_run(f);
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

static void test_canonical_text_is_the_golden_one(void **state)
{
    fixture *f = *state;
    char golden[8192];
    FILE *file = fopen(GOLDEN_PATH, "r");
    assert_non_null(file);
    assert_non_null(fgets(golden, sizeof golden, file));
    fclose(file);
    golden[strcspn(golden, "\n")] = '\0';
    ag_run_canonical(&f->text, &f->run);
    assert_string_equal(f->text.data, golden);
    assert_string_equal(f->run.id, GOLDEN_ID);
}

/* From eleven blocks on, the order of names is not that of the blocks. jansson sorts by
 * itself. */
static void test_keys_are_sorted(void **state)
{
    fixture *f = *state;
    for (int64_t n_layer = 1; 4 * n_layer < MAX_LAYERS; n_layer += 3) {
        f->run.model.n_layer = n_layer;
        ag_text_deinit(&f->text);
        ag_run_canonical(&f->text, &f->run);
        json_t *plain = json_loads(f->text.data, JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(plain);
        char *kept = json_dumps(plain, JSON_COMPACT);
        char *sorted = json_dumps(plain, JSON_COMPACT | JSON_SORT_KEYS);
        assert_string_equal(kept, sorted);
        free(kept);
        free(sorted);
        json_decref(plain);
    }
}

/* --- what the id covers */

/* Another valid value of the parameter, as text; NULL where there is only one. */
static const char *other_value(const ag_run *run, const ag_param *param, ag_arena *arena)
{
    const void *place = (const char *)run + param->offset;
    switch (param->type) {
    case AG_PARAM_BOOL:
        return *(const bool *)place ? "false" : "true";
    case AG_PARAM_INT:
        return ag_arena_printf(arena, "%lld", (long long)*(const int64_t *)place + 1);
    case AG_PARAM_REAL:
        return ag_arena_printf(arena, "%.17g", *(const double *)place * 0.75 + 0.001);
    case AG_PARAM_PAIR:
        return "[0.25, 0.5]";
    case AG_PARAM_WORD:
        if (param->words[1] == NULL)
            return NULL;
        return param->words[*(const int64_t *)place == 0];
    case AG_PARAM_TEXT:
        return "another";
    case AG_PARAM_DURATION:
        return "77s";
    case AG_PARAM_BYTES:
        return "77M";
    case AG_PARAM_WORDS:
        break;
    }
    return NULL;
}

static bool changes_id(const ag_run *run, const ag_param *param, const char *value, fixture *f)
{
    ag_run before = *run;
    ag_run after = *run;
    assert_ok(ag_param_set(&after, param, value, &f->arena));
    assert_ok(ag_run_identify(&before));
    assert_ok(ag_run_identify(&after));
    return strcmp(before.id, after.id) != 0;
}

static void test_the_id_covers_the_identity_and_nothing_else(void **state)
{
    fixture *f = *state;
    size_t count = 0;
    size_t covered = 0;
    const ag_param *params = ag_params(&count);
    f->run.optimizer.schedule = AG_SCHEDULE_WSD; /* every parameter has an effect in one of two */
    f->run.model.init_seed = 3;
    ag_run on_grid = f->run;
    on_grid.optimizer.type = AG_OPTIMIZER_GRID;
    for (size_t i = 0; i < count; i++) {
        const char *value = other_value(&f->run, &params[i], &f->arena);
        if (value == NULL)
            continue;
        bool changed =
            changes_id(&f->run, &params[i], value, f) || changes_id(&on_grid, &params[i], value, f);
        if (changed != (params[i].use == AG_USE_IDENTITY))
            fail_msg("%s: the id is %s", params[i].key, changed ? "another" : "the same");
        covered += changed;
    }
    assert_true(covered > 20);
}

static void assert_other_id(const fixture *f, const ag_run *changed)
{
    ag_run other = *changed;
    assert_ok(ag_run_identify(&other));
    assert_string_not_equal(other.id, f->run.id);
}

static void test_the_id_covers_data_weights_seed_and_compute(void **state)
{
    fixture *f = *state;
    ag_run run = f->run;
    run.seed++;
    assert_other_id(f, &run);
    run = f->run;
    run.compute = AG_COMPUTE_FP32;
    assert_other_id(f, &run);
    run = f->run;
    run.facts.digest[63] = '0';
    assert_other_id(f, &run);
    run = f->run;
    run.facts.vocab_size++;
    assert_other_id(f, &run);
    run = f->run;
    run.facts.train_tokens++;
    assert_other_id(f, &run);
    run = f->run;
    run.facts.val_tokens++;
    assert_other_id(f, &run);
    run = f->run;
    memcpy(run.init_digest, run.facts.digest, sizeof run.init_digest);
    assert_other_id(f, &run);
}

static void test_the_id_covers_every_field_of_a_scheme(void **state)
{
    fixture *f = *state;
    for (int field = 0; field < 13; field++) {
        ag_layer_precision layers[MAX_LAYERS];
        memcpy(layers, f->layers, sizeof layers);
        ag_scheme *scheme = &layers[0].scheme[AG_ROLE_WEIGHT][0];
        switch (field) {
        case 0:
            scheme->format = scheme_of("e5m2").format;
            break;
        case 1:
            scheme->amax = AG_AMAX_NONE;
            break;
        case 2:
            scheme->history = 3;
            break;
        case 3:
            scheme->margin = 1;
            break;
        case 4:
            scheme->pow2 = true;
            break;
        case 5:
            scheme->rounding = AG_ROUND_STOCHASTIC;
            break;
        case 6:
            scheme->overflow = AG_OVERFLOW_SPECIAL;
            break;
        case 7:
            scheme->ste = AG_STE_CLIP;
            break;
        case 8:
            scheme->hadamard = true;
            break;
        case 9:
            scheme->granularity = AG_GRANULARITY_ROW;
            break;
        case 10:
        case 11:
            assert_ok(ag_scheme_parse(scheme, field == 10 ? "e4m3/1x128" : "e4m3/2x128"));
            break;
        default:
            *scheme = (ag_scheme){0};
            break;
        }
        layers[0].scheme[AG_ROLE_WEIGHT][1] = *scheme;
        ag_run run = f->run;
        run.layers = layers;
        assert_other_id(f, &run);
    }
}

static void test_the_id_covers_the_rule_of_e8m0(void **state)
{
    fixture *f = *state;
    static const char *const names[] = {"e4m3/mx/e8m0rceil", "e4m3/mx/e8m0floor"};
    ag_run runs[2];
    for (int i = 0; i < 2; i++) {
        ag_layer_precision layers[MAX_LAYERS];
        memcpy(layers, f->layers, sizeof layers);
        assert_ok(ag_scheme_parse(&layers[0].scheme[AG_ROLE_INPUT][0], names[i]));
        runs[i] = f->run;
        runs[i].layers = layers;
        assert_ok(ag_run_identify(&runs[i]));
    }
    assert_string_not_equal(runs[0].id, runs[1].id);
}

/* Two runs that mean the same are one run. */
static void test_what_has_no_effect_is_no_part_of_the_id(void **state)
{
    fixture *f = *state;
    ag_run same = f->run;
    same.model.init_seed = 42;           /* as the run's own seed */
    same.optimizer.decay_fraction = 0.5; /* of wsd alone */
    assert_ok(ag_run_identify(&same));
    assert_string_equal(same.id, f->run.id);

    ag_run seeded = f->run;
    seeded.train.data_seed = 42;
    assert_ok(ag_run_identify(&seeded));
    same = seeded;
    same.train.data_seed = -1;
    assert_ok(ag_run_identify(&same));
    assert_string_equal(same.id, seeded.id);

    ag_run constant = f->run;
    constant.optimizer.schedule = AG_SCHEDULE_CONSTANT;
    assert_ok(ag_run_identify(&constant));
    same = constant;
    same.optimizer.min_lr_ratio = 0.5;
    same.optimizer.decay_fraction = 0.5;
    assert_ok(ag_run_identify(&same));
    assert_string_equal(same.id, constant.id);

    ag_run sequential = f->run;
    sequential.train.data_order = AG_ORDER_SEQUENTIAL;
    assert_ok(ag_run_identify(&sequential));
    same = sequential;
    same.train.data_seed = 8;
    assert_ok(ag_run_identify(&same));
    assert_string_equal(same.id, sequential.id);

    ag_run given = f->run;
    memcpy(given.init_digest, given.facts.digest, sizeof given.init_digest);
    assert_ok(ag_run_identify(&given));
    same = given;
    same.model.init_seed = 8;
    assert_ok(ag_run_identify(&same));
    assert_string_equal(same.id, given.id);
}

static void assert_same_id(const ag_run *a, const ag_run *b)
{
    ag_run one = *a;
    ag_run other = *b;
    assert_ok(ag_run_identify(&one));
    assert_ok(ag_run_identify(&other));
    assert_string_equal(one.id, other.id);
}

static void test_each_optimizer_has_its_own_parameters(void **state)
{
    fixture *f = *state;
    ag_run same = f->run; /* adamw */
    same.optimizer.momentum = 0.5;
    same.optimizer.rung_clip = 3;
    same.optimizer.headroom = 7;
    assert_same_id(&f->run, &same);
    same.optimizer.type = AG_OPTIMIZER_MANIFOLD_ADAMW;
    assert_other_id(f, &same);

    ag_run sgd = f->run;
    sgd.optimizer.type = AG_OPTIMIZER_SGD;
    same = sgd;
    same.optimizer.betas[0] = 0.5;
    same.optimizer.eps = 1.0;
    same.optimizer.rung_clip = 3;
    same.optimizer.headroom = 7;
    assert_same_id(&sgd, &same);
    same.optimizer.type = AG_OPTIMIZER_GRID;
    assert_ok(ag_run_identify(&sgd));
    assert_ok(ag_run_identify(&same));
    assert_string_not_equal(same.id, sgd.id);
}

/* Where no layer's weights have a grid, what would follow it is plain AdamW or SGD. The embedding
 * has none, also where it is lm_head's weight. */
static void test_optimizers_without_a_grid_are_plain(void **state)
{
    fixture *f = *state;
    ag_layer_precision layers[5] = {0};
    set_role(&layers[AG_LINEAR_C_ATTN], AG_ROLE_INPUT, scheme_of("e4m3"));
    set_role(&layers[4], AG_ROLE_WEIGHT, scheme_of("e4m3"));
    ag_run plain = f->run;
    plain.layers = layers;
    ag_run follows = plain;
    follows.optimizer.type = AG_OPTIMIZER_MANIFOLD_ADAMW;
    assert_same_id(&plain, &follows);
    plain.optimizer.type = AG_OPTIMIZER_SGD;
    follows.optimizer.type = AG_OPTIMIZER_GRID;
    follows.optimizer.headroom = 7;
    assert_same_id(&plain, &follows);

    plain.model.tie_weights = follows.model.tie_weights = false;
    assert_ok(ag_run_identify(&plain));
    assert_ok(ag_run_identify(&follows));
    assert_string_not_equal(plain.id, follows.id);
}

/* --- the assignment */

static void assert_round_trip(fixture *f, ag_run *run)
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
    fixture *f = *state;
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
    run.optimizer.type = AG_OPTIMIZER_GRID;
    assert_round_trip(f, &run);
    run.optimizer.momentum = 0.5;
    run.optimizer.headroom = 0;
    assert_round_trip(f, &run);
}

static void test_schemes_come_back(void **state)
{
    fixture *f = *state;
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

/* Every recipe's schemes come back; what they have beyond one scale a tensor stands in the text
 * only where it is. */
static void test_recipes_come_back(void **state)
{
    fixture *f = *state;
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

/* A JSON tool in between may reorder keys, indent, and print 17 digits. */
static void test_layout_does_not_matter(void **state)
{
    fixture *f = *state;
    ag_run back;
    ag_run_assignment(&f->text, &f->run);
    json_t *plain = json_loads(f->text.data, 0, NULL);
    char *other = json_dumps(plain, JSON_INDENT(3) | JSON_REAL_PRECISION(17));
    assert_ok(ag_run_from_assignment(&back, other, strlen(other), &f->arena));
    assert_string_equal(back.id, f->run.id);
    free(other);
    json_decref(plain);
}

/* Replaces the first `old` in the assignment of the fixture's run and reads the result. */
static ag_status read_changed(fixture *f, const char *old, const char *new)
{
    ag_run back;
    ag_text changed;
    ag_text_deinit(&f->text);
    ag_text_init(&changed);
    ag_run_assignment(&f->text, &f->run);
    const char *place = strstr(f->text.data, old);
    if (place == NULL)
        fail_msg("the assignment lacks '%s'", old);
    ag_text_add_n(&changed, f->text.data, (size_t)(place - f->text.data));
    ag_text_add(&changed, new);
    ag_text_add(&changed, place + strlen(old));
    ag_status status = ag_run_from_assignment(&back, changed.data, changed.length, &f->arena);
    ag_text_deinit(&changed);
    return status;
}

static void test_changed_assignments_are_refused(void **state)
{
    static const struct {
        const char *old;
        const char *new;
        const char *message;
    } cases[] = {
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
        {"\"numerics\":1",          "\"numerics\":2",               "version 1 of the numerics"                           },
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
        {"{\"id\"",                 "[{\"id\"",                     "is no JSON: line 1"                                  },
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
    fixture *f = *state;
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
static void read_damaged(fixture *f, const char *bytes, size_t size)
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
    fixture *f = *state;
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
    fixture *f = *state;
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
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(test_canonical_text_is_the_golden_one),
        TEST(test_keys_are_sorted),
        TEST(test_the_id_covers_the_identity_and_nothing_else),
        TEST(test_the_id_covers_data_weights_seed_and_compute),
        TEST(test_the_id_covers_every_field_of_a_scheme),
        TEST(test_the_id_covers_the_rule_of_e8m0),
        TEST(test_what_has_no_effect_is_no_part_of_the_id),
        TEST(test_each_optimizer_has_its_own_parameters),
        TEST(test_optimizers_without_a_grid_are_plain),
        TEST(test_assignments_round_trip),
        TEST(test_schemes_come_back),
        TEST(test_recipes_come_back),
        TEST(test_layout_does_not_matter),
        TEST(test_changed_assignments_are_refused),
        TEST(test_what_is_no_object_is_refused),
        TEST(test_truncated_assignments),
        TEST(test_mutated_assignments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
