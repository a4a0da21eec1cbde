/* The text that makes a run's id, and what the id covers. */
#include "run/run_support.h"

#include <math.h>

static void test_canonical_text_is_the_golden_one(void **state)
{
    assert_golden(*state, "run/golden_run.json", GOLDEN_RUN_ID);
}

/* From eleven blocks on, the order of names is not that of the blocks. */
static void test_keys_are_sorted(void **state)
{
    run_fixture *f = *state;
    for (int64_t n_layer = 1; 4 * n_layer < MAX_LAYERS; n_layer += 3) {
        f->run.model.n_layer = n_layer;
        ag_text_deinit(&f->text);
        ag_run_canonical(&f->text, &f->run);
        json_decref(load_sorted(f->text.data));
    }
}

static void test_keys_of_other_blocks_are_sorted(void **state)
{
    run_fixture *f = *state;
    f->run.model.qkv = AG_QKV_SPLIT;
    f->run.model.mlp = AG_MLP_SWIGLU;
    f->run.sites = f->sites;
    for (int64_t n_layer = 1; n_layer <= 12; n_layer++) {
        f->run.model.n_layer = n_layer;
        for (size_t i = 0; i < ag_site_count(&f->run.model); i++) {
            ag_layer_precision all = f->layers[AG_LINEAR_C_ATTN];
            f->sites[i] = ag_site_precision(ag_site_at(&f->run.model, i).kind, &all);
        }
        ag_text_deinit(&f->text);
        ag_run_canonical(&f->text, &f->run);
        json_decref(load_sorted(f->text.data));
    }
}

/* --- what the id covers */

static void assert_same_id(const ag_run *a, const ag_run *b)
{
    ag_run one = *a;
    ag_run other = *b;
    assert_ok(ag_run_identify(&one));
    assert_ok(ag_run_identify(&other));
    assert_string_equal(one.id, other.id);
}

/* Models that say the same in other words are the same run. */
static void test_derived_sizes_are_as_if_said(void **state)
{
    run_fixture *f = *state;
    ag_run said = f->run; /* 4 heads, 128 channels */
    said.model.n_kv_head = 4;
    said.model.head_dim = 32;
    said.model.mlp_hidden = 512;
    said.model.mlp_multiple_of = 256;
    said.model.rope_theta = 500;
    assert_ok(ag_run_identify(&said));
    assert_string_equal(said.id, f->run.id);
    f->run.model.mlp = said.model.mlp = AG_MLP_SWIGLU;
    said.model.mlp_multiple_of = 32;
    said.model.mlp_hidden = 352; /* 8/3 of 128 is 341.3 */
    assert_ok(ag_run_identify(&f->run));
    assert_ok(ag_run_identify(&said));
    assert_string_equal(said.id, f->run.id);
    f->run.model.mlp_multiple_of = 256;
    said.model.mlp_hidden = 512;
    assert_ok(ag_run_identify(&f->run));
    assert_ok(ag_run_identify(&said));
    assert_string_equal(said.id, f->run.id);
}

/* A model as wide as its base is what it is without mup; what mup does to the scores can be said
 * without it. */
static void test_mup_at_its_base_is_standard(void **state)
{
    run_fixture *f = *state;
    ag_run said = f->run; /* 128 channels, 32 a head */
    said.model.param = AG_PARAMETRISATION_MUP;
    said.model.base_head_dim = 32;
    said.model.base_width = 128;
    assert_same_id(&f->run, &said);
    said.model.base_head_dim = 8;
    ag_run scaled = f->run;
    scaled.model.attn_scale = sqrt(8.0) / 32;
    assert_same_id(&scaled, &said);
    said.model.base_width = scaled.model.base_width = 64;
    scaled.model.param = AG_PARAMETRISATION_MUP;
    assert_same_id(&scaled, &said);
    said.model.param = scaled.model.param = AG_PARAMETRISATION_MUS;
    said.model.attn_scale = scaled.model.attn_scale = 0;
    scaled.model.init_std = 3;
    assert_same_id(&scaled, &said);
    said.model.base_width = 128;
    scaled.model.base_width = 0;
    assert_same_id(&scaled, &said);
}

/* Another valid value of the parameter, as text; NULL where there is only one. */
static const char *other_value(const ag_run *run, const ag_param *param, ag_arena *arena)
{
    const void *place = (const char *)run + param->offset;
    switch (param->type) {
    case AG_PARAM_BOOL:
        return *(const bool *)place ? "false" : "true";
    case AG_PARAM_INT:
    case AG_PARAM_STEPS:
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
    case AG_PARAM_FORMAT:
        return "e5m2";
    case AG_PARAM_DURATION:
        return "77s";
    case AG_PARAM_BYTES:
        return "77M";
    case AG_PARAM_STEP_LIST:
        return "[3, 50%]";
    case AG_PARAM_WORDS:
        break;
    }
    return NULL;
}

static bool changes_id(const ag_run *run, const ag_param *param, const char *value, run_fixture *f)
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
    run_fixture *f = *state;
    size_t count = 0;
    size_t covered = 0;
    const ag_param *params = ag_params(&count);
    f->run.optimizer.schedule = AG_SCHEDULE_WSD; /* every parameter has an effect in one of these */
    f->run.model.init_seed = 3;
    f->run.model.base_width = 64;
    ag_run on_grid = f->run;
    on_grid.optimizer.type = AG_OPTIMIZER_GRID;
    on_grid.model.position = AG_POSITION_ROPE;
    on_grid.model.param = AG_PARAMETRISATION_MUP;
    on_grid.model.norm_place = AG_NORM_SANDWICH;
    on_grid.model.mlp = AG_MLP_SWIGLU;
    on_grid.model.qk_norm = AG_QK_NORM_HEAD;
    on_grid.ranks.count = 2;
    ag_run by_muon = f->run;
    by_muon.optimizer.type = AG_OPTIMIZER_MUON;
    f->sites[ag_site_index(&f->run.model, AG_SITE_OPT_W, 0)].scheme[AG_ROLE_WEIGHT][0] =
        scheme_of("e4m3");
    by_muon.sites = f->sites;
    for (size_t i = 0; i < count; i++) {
        const char *value = other_value(&f->run, &params[i], &f->arena);
        if (value == NULL)
            continue;
        bool changed = changes_id(&f->run, &params[i], value, f) ||
                       changes_id(&on_grid, &params[i], value, f) ||
                       changes_id(&by_muon, &params[i], value, f);
        if (changed != (params[i].use == AG_PARAM_USE_IDENTITY))
            fail_msg("%s: the id is %s", params[i].key, changed ? "another" : "the same");
        covered += changed;
    }
    assert_true(covered > 20);
}

static void assert_other_id(const run_fixture *f, const ag_run *changed)
{
    ag_run other = *changed;
    assert_ok(ag_run_identify(&other));
    assert_string_not_equal(other.id, f->run.id);
}

static void test_the_id_covers_data_weights_seed_and_compute(void **state)
{
    run_fixture *f = *state;
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

/* Its bits and its step, and nothing of where it lies. */
static void test_the_id_covers_the_state_to_begin_with(void **state)
{
    run_fixture *f = *state;
    char expected[160];
    ag_run run = f->run;
    memcpy(run.start_digest, run.facts.digest, sizeof run.start_digest);
    run.train.start_step = 8;
    assert_other_id(f, &run);
    assert_ok(ag_run_identify(&run));
    ag_run_canonical(&f->text, &run);
    snprintf(expected, sizeof expected,
             ",\"start\":{\"digest\":\"%s\",\"step\":8},\"stop\":", run.facts.digest);
    assert_non_null(strstr(f->text.data, expected));
    assert_non_null(strstr(f->text.data, "\"init_seed\":null"));
    const ag_run before = run;
    run.train.start_file = "elsewhere.h5";
    run.train.start_run = "0123456789ab";
    run.model.init_seed = 7; /* no weights are drawn */
    run.model.init_std = 0.5;
    assert_ok(ag_run_identify(&run));
    assert_string_equal(run.id, before.id);
    run.train.start_step = 9;
    assert_ok(ag_run_identify(&run));
    assert_string_not_equal(run.id, before.id);
    run = before;
    run.start_digest[0] = run.start_digest[0] == '0' ? '1' : '0';
    assert_ok(ag_run_identify(&run));
    assert_string_not_equal(run.id, before.id);
}

static void test_the_id_covers_every_field_of_a_scheme(void **state)
{
    run_fixture *f = *state;
    static const char *const blocks[] = {"e4m3/1x128",       "e4m3/2x128",      "e4m3/1x8/e8m0even",
                                         "int4/1x16/e4m3+t", "int4/1x16/ue5m3", "e4m3/1x8/absmax"};
    for (int field = 0; field < 27; field++) {
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
            scheme->hadamard = AG_LEAST_HADAMARD;
            break;
        case 9:
            scheme->granularity = AG_GRANULARITY_ROW;
            break;
        case 10:
        case 11:
        case 12:
        case 13:
        case 14:
        case 15:
            assert_ok(ag_scheme_parse(scheme, blocks[field - 10]));
            break;
        case 19:
            scheme->hadamard = 64;
            break;
        case 20:
            scheme->hadamard = 64;
            scheme->signs = AG_SIGNS_STEP;
            break;
        case 21:
        case 22:
            scheme->rounding = AG_ROUND_STOCHASTIC;
            scheme->sr_bits = 13;
            scheme->sr_variant = field == 21 ? AG_SR_FLOOR : AG_SR_HALF;
            break;
        case 23:
        case 24:
            assert_ok(ag_static_parse(scheme, field == 23 ? "50" : "1/sqrt(fan_out)"));
            break;
        case 25:
            scheme->channel = AG_CHANNEL_UP;
            break;
        case 16:
            assert_ok(ag_scheme_parse(scheme, blocks[3]));
            scheme->top = 256.0f;
            break;
        case 17:
        case 18:
            assert_ok(ag_scheme_parse(scheme, blocks[4]));
            scheme->select = AG_SELECT_MSE;
            scheme->error = AG_ERROR_MSE;
            scheme->n_candidates = 2;
            scheme->candidates[0] = 1.0f;
            scheme->candidates[1] = field == 17 ? 0.3f : 0.7f;
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
    run_fixture *f = *state;
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
    run_fixture *f = *state;
    ag_run same = f->run;
    same.model.init_seed = 42;           /* as the run's own seed */
    same.optimizer.decay_fraction = 0.5; /* of wsd alone */
    assert_ok(ag_run_identify(&same));
    assert_string_equal(same.id, f->run.id);

    same = f->run;
    same.ranks = (ag_ranks_spec){.count = 1, .reduce = AG_REDUCE_TREE, .wire = "bf16"};
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

    ag_run still = f->run;
    still.optimizer.weight_decay = 0;
    same = still;
    same.optimizer.independent_decay = true;
    assert_ok(ag_run_identify(&still));
    assert_ok(ag_run_identify(&same));
    assert_string_equal(same.id, still.id);

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

static void test_each_optimizer_has_its_own_parameters(void **state)
{
    run_fixture *f = *state;
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
    ag_run lion = same;
    lion.optimizer.type = AG_OPTIMIZER_LION;
    ag_run signs = lion;
    signs.optimizer.eps = 1e-3;
    signs.optimizer.momentum = 0.25;
    assert_same_id(&lion, &signs);
    signs.optimizer.muon_momentum = 0.5;
    signs.optimizer.muon_nesterov = false;
    signs.optimizer.muon_scale = AG_MUON_ORIGINAL;
    signs.optimizer.muon_ns = AG_MUON_NS_BF16;
    signs.optimizer.adamw_lr = 0.5;
    assert_same_id(&lion, &signs);
    same.optimizer.type = AG_OPTIMIZER_GRID;
    assert_ok(ag_run_identify(&sgd));
    assert_ok(ag_run_identify(&same));
    assert_string_not_equal(same.id, sgd.id);
}

/* Where no layer's weights have a grid, what would follow it is plain AdamW or SGD. The embedding
 * has none, also where it is lm_head's weight. */
static void test_optimizers_without_a_grid_are_plain(void **state)
{
    run_fixture *f = *state;
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

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_run, tear_down_run)
        TEST(test_canonical_text_is_the_golden_one),
        TEST(test_keys_are_sorted),
        TEST(test_keys_of_other_blocks_are_sorted),
        TEST(test_derived_sizes_are_as_if_said),
        TEST(test_mup_at_its_base_is_standard),
        TEST(test_the_id_covers_the_identity_and_nothing_else),
        TEST(test_the_id_covers_data_weights_seed_and_compute),
        TEST(test_the_id_covers_the_state_to_begin_with),
        TEST(test_the_id_covers_every_field_of_a_scheme),
        TEST(test_the_id_covers_the_rule_of_e8m0),
        TEST(test_what_has_no_effect_is_no_part_of_the_id),
        TEST(test_each_optimizer_has_its_own_parameters),
        TEST(test_optimizers_without_a_grid_are_plain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
