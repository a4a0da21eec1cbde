/* Sites: their table, and the run that has some, as text. */
#include "run/run_support.h"

/* --- the table */

/* Rounding numbers by numerics: block * 64 + linear * 8 + role, attention's operands are linear 4
 * (roles q k v p do ds), others linear 7, dW is role 3, moments and stored weights are uses 3 to 5
 * of role 0. */
static const struct {
    const char *name;
    const char *tensors;
    uint32_t sites[AG_SITE_TENSORS];
    uint32_t use;
} s_rows[] = {
    {"transformer.h.0.attn.c_attn.opt.m", "m",        {0},           3},
    {"transformer.h.0.attn.c_attn.opt.v", "sqrt_v",   {0},           4},
    {"transformer.h.0.attn.c_attn.opt.w", "w",        {0},           5},
    {"transformer.h.0.attn.c_attn.wgrad", "dw",       {3},           0},
    {"transformer.h.0.attn.c_proj.opt.m", "m",        {8},           3},
    {"transformer.h.0.attn.c_proj.opt.v", "sqrt_v",   {8},           4},
    {"transformer.h.0.attn.c_proj.opt.w", "w",        {8},           5},
    {"transformer.h.0.attn.c_proj.wgrad", "dw",       {11},          0},
    {"transformer.h.0.attn.pv",           "p v do",   {35, 34, 36},  0},
    {"transformer.h.0.attn.qk",           "q k ds",   {32, 33, 37},  0},
    {"transformer.h.0.mlp.c_fc.opt.m",    "m",        {16},          3},
    {"transformer.h.0.mlp.c_fc.opt.v",    "sqrt_v",   {16},          4},
    {"transformer.h.0.mlp.c_fc.opt.w",    "w",        {16},          5},
    {"transformer.h.0.mlp.c_fc.wgrad",    "dw",       {19},          0},
    {"transformer.h.0.mlp.c_proj.opt.m",  "m",        {24},          3},
    {"transformer.h.0.mlp.c_proj.opt.v",  "sqrt_v",   {24},          4},
    {"transformer.h.0.mlp.c_proj.opt.w",  "w",        {24},          5},
    {"transformer.h.0.mlp.c_proj.wgrad",  "dw",       {27},          0},
    {"transformer.h.0.residual",          "attn mlp", {56, 57},      0},
    {"transformer.h.1.attn.c_attn.opt.m", "m",        {64},          3},
    {"transformer.h.1.attn.c_attn.opt.v", "sqrt_v",   {64},          4},
    {"transformer.h.1.attn.c_attn.opt.w", "w",        {64},          5},
    {"transformer.h.1.attn.c_attn.wgrad", "dw",       {67},          0},
    {"transformer.h.1.attn.c_proj.opt.m", "m",        {72},          3},
    {"transformer.h.1.attn.c_proj.opt.v", "sqrt_v",   {72},          4},
    {"transformer.h.1.attn.c_proj.opt.w", "w",        {72},          5},
    {"transformer.h.1.attn.c_proj.wgrad", "dw",       {75},          0},
    {"transformer.h.1.attn.pv",           "p v do",   {99, 98, 100}, 0},
    {"transformer.h.1.attn.qk",           "q k ds",   {96, 97, 101}, 0},
    {"transformer.h.1.mlp.c_fc.opt.m",    "m",        {80},          3},
    {"transformer.h.1.mlp.c_fc.opt.v",    "sqrt_v",   {80},          4},
    {"transformer.h.1.mlp.c_fc.opt.w",    "w",        {80},          5},
    {"transformer.h.1.mlp.c_fc.wgrad",    "dw",       {83},          0},
    {"transformer.h.1.mlp.c_proj.opt.m",  "m",        {88},          3},
    {"transformer.h.1.mlp.c_proj.opt.v",  "sqrt_v",   {88},          4},
    {"transformer.h.1.mlp.c_proj.opt.w",  "w",        {88},          5},
    {"transformer.h.1.mlp.c_proj.wgrad",  "dw",       {91},          0},
    {"transformer.h.1.residual",          "attn mlp", {120, 121},    0},
    {"lm_head.opt.m",                     "m",        {128},         3},
    {"lm_head.opt.v",                     "sqrt_v",   {128},         4},
    {"lm_head.opt.w",                     "w",        {128},         5},
    {"lm_head.wgrad",                     "dw",       {131},         0},
    {"transformer.wpe.opt.w",             "w",        {188},         5},
    {"transformer.wte.opt.w",             "w",        {187},         5},
};

static void test_sites_of_two_blocks(void **state)
{
    (void)state;
    ag_model_spec model = {.n_layer = 2, .n_embd = 8};
    assert_int_equal(ag_site_count(&model), sizeof s_rows / sizeof s_rows[0]);
    for (size_t i = 0; i < sizeof s_rows / sizeof s_rows[0]; i++) {
        ag_site site = ag_site_at(&model, i);
        char tensors[64] = "";
        assert_string_equal(site.name, s_rows[i].name);
        for (size_t t = 0; t < site.n_tensors; t++) {
            snprintf(tensors + strlen(tensors), sizeof tensors - strlen(tensors), "%s%s",
                     t > 0 ? " " : "", site.tensors[t].name);
            assert_int_equal(site.place + site.tensors[t].part, s_rows[i].sites[t]);
            assert_int_equal(site.tensors[t].use, s_rows[i].use);
        }
        assert_string_equal(tensors, s_rows[i].tensors);
        if (site.weight != AG_T_WTE && site.weight != AG_T_WPE)
            assert_int_equal(ag_site_index(&model, site.kind, site.layer), i);
    }
}

/* Every norm that a block can have, of which each has a part of slot 7 (linear 7): 2 ln_1, 3 ln_2,
 * 4 ln_1_post, 5 ln_2_post, 6 q_norm, 7 k_norm; ln_f has that of ln_1 behind the last block. */
static void test_gains_of_all_norms(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint32_t place;
    } expected[] = {
        {"transformer.h.0.attn.k_norm.gain", 56 + 7     },
        {"transformer.h.0.attn.q_norm.gain", 56 + 6     },
        {"transformer.h.0.ln_1.gain",        56 + 2     },
        {"transformer.h.0.ln_1_post.gain",   56 + 4     },
        {"transformer.h.0.ln_2.gain",        56 + 3     },
        {"transformer.h.0.ln_2_post.gain",   56 + 5     },
        {"transformer.ln_f.gain",            64 + 56 + 2},
    };
    ag_model_spec model = {.n_layer = 1, .n_embd = 8};
    size_t without = ag_site_count(&model);
    model.norm_affine = model.final_norm = model.qk_gain = true;
    model.qk_norm = AG_QK_NORM_HEAD;
    model.norm_place = AG_NORM_SANDWICH;
    assert_int_equal(ag_site_count(&model), without + 7);
    size_t found = 0;
    for (size_t i = 0; i < ag_site_count(&model); i++) {
        ag_site site = ag_site_at(&model, i);
        if (site.kind != AG_SITE_GAIN)
            continue;
        assert_string_equal(site.name, expected[found].name);
        assert_int_equal(site.place, expected[found].place);
        assert_int_equal(site.n_tensors, 1);
        assert_int_equal(site.tensors[0].role, AG_ROLE_WEIGHT);
        found++;
    }
    assert_int_equal(found, 7);
    model.norm_affine = false; /* those of q and k have gains of their own */
    assert_int_equal(ag_site_count(&model), without + 2);
}

/* Routing is shared by models of the same layers and sites, and these have as many. */
static void test_other_norms_are_other_sites(void **state)
{
    (void)state;
    ag_model_spec a = {.n_layer = 1, .n_embd = 8, .norm_affine = true};
    ag_model_spec b = a;
    a.qk_norm = AG_QK_NORM_HEAD;
    a.qk_gain = true;
    b.norm_place = AG_NORM_SANDWICH;
    assert_int_equal(ag_site_count(&a), ag_site_count(&b));
    assert_false(ag_have_same_layers(&a, &b));
    assert_true(ag_have_same_layers(&a, &a));
}

static void test_a_site_takes_its_roles_of_a_format(void **state)
{
    (void)state;
    ag_layer_precision format = {0};
    static const char *const names[AG_ROLES][AG_USES] = {
        {"e4m3", "e3m4"},
        {"e5m2", "e2m5"},
        {"e6m1", "int8"},
    };
    for (int i = 0; i < AG_ROLES * AG_USES; i++) {
        ag_format parsed;
        assert_ok(ag_format_parse(&parsed, names[i / AG_USES][i % AG_USES]));
        format.scheme[i / AG_USES][i % AG_USES] = ag_scheme_plain(&parsed);
        format.scheme[i / AG_USES][i % AG_USES].ste = AG_STE_CLIP;
    }
    ag_layer_precision qk = ag_site_precision(AG_SITE_QK, &format);
    assert_false(qk.scheme[AG_ROLE_WEIGHT][0].quantised);
    assert_string_equal(qk.scheme[AG_ROLE_INPUT][0].format.name, "e5m2ieee");
    assert_string_equal(qk.scheme[AG_ROLE_INPUT][1].format.name, "e2m5f");
    assert_string_equal(qk.scheme[AG_ROLE_GRAD_OUTPUT][1].format.name, "int8");
    /* one tensor, no operand of products: the first use's scheme is the whole */
    ag_layer_precision m = ag_site_precision(AG_SITE_OPT_M, &format);
    assert_string_equal(m.scheme[AG_ROLE_WEIGHT][0].format.name, "e4m3fn");
    assert_string_equal(m.scheme[AG_ROLE_WEIGHT][1].format.name, "e4m3fn");
    assert_false(m.scheme[AG_ROLE_INPUT][0].quantised);
    /* gradients have no gradient, nor have moments: clipping it is no other run */
    assert_int_equal(qk.scheme[AG_ROLE_INPUT][1].ste, AG_STE_CLIP);
    assert_int_equal(qk.scheme[AG_ROLE_GRAD_OUTPUT][1].ste, AG_STE_IDENTITY);
    assert_int_equal(m.scheme[AG_ROLE_WEIGHT][0].ste, AG_STE_IDENTITY);
    assert_true(ag_site_is_on(&m));
    assert_false(ag_site_is_on(&(ag_layer_precision){0}));
}

static void test_hadamard_transforms_are_refused(void **state)
{
    (void)state;
    ag_layer_precision precision = {0};
    assert_ok(ag_site_check(AG_SITE_QK, &precision));
    precision.scheme[AG_ROLE_INPUT][1] =
        (ag_scheme){.quantised = true, .hadamard = AG_LEAST_HADAMARD};
    assert_fails(AG_ERR_INPUT, "sites take no Hadamard transform",
                 ag_site_check(AG_SITE_QK, &precision));
}

static void test_weights_are_stored_by_current_scales(void **state)
{
    (void)state;
    ag_layer_precision precision = {0};
    precision.scheme[AG_ROLE_WEIGHT][0] = scheme_of("e4m3");
    assert_ok(ag_site_check(AG_SITE_OPT_W, &precision));
    precision.scheme[AG_ROLE_WEIGHT][0].amax = AG_AMAX_DELAYED;
    assert_ok(ag_site_check(AG_SITE_OPT_M, &precision));
    assert_fails(AG_ERR_INPUT, "not by delayed amax; use amax 'current'",
                 ag_site_check(AG_SITE_OPT_W, &precision));
}

/* BF16 is a format of tensors in float32 (p, ds, and all but attention's), and none of values that
 * are BF16's. p and v share a role. */
static void test_bf16_is_a_format_of_float32_tensors(void **state)
{
    (void)state;
    static const bool expected[AG_SITE_KINDS][AG_ROLES] = {
        [AG_SITE_OPT_M] = {true,  false, false},
          [AG_SITE_OPT_V] = {true,  false, false},
        [AG_SITE_OPT_W] = {true,  false, false},
          [AG_SITE_WGRAD] = {false, false, true },
        [AG_SITE_PV] = {false, true,  false},
          [AG_SITE_QK] = {false, false, true },
        [AG_SITE_RESIDUAL] = {false, true,  false},
          [AG_SITE_GAIN] = {true,  false, false},
    };
    ag_layer_precision format = {0};
    for (int i = 0; i < AG_ROLES * AG_USES; i++) {
        ag_scheme *scheme = &format.scheme[i / AG_USES][i % AG_USES];
        assert_ok(ag_scheme_parse(scheme, "BF16"));
        assert_false(scheme->quantised);
    }
    for (ag_site_kind kind = 0; kind < AG_SITE_KINDS; kind++) {
        ag_layer_precision site = ag_site_precision(kind, &format);
        for (int role = 0; role < AG_ROLES; role++) {
            const ag_scheme *scheme = &site.scheme[role][0];
            assert_int_equal(scheme->quantised, expected[kind][role]);
            assert_false(scheme->is_bf16);
            if (scheme->quantised)
                assert_string_equal(scheme->format.name, "bf16");
        }
        site = ag_site_precision(kind, &(ag_layer_precision){0});
        assert_false(ag_site_is_on(&site));
    }
}

/* --- as text */

static void set_sites(run_fixture *f)
{
    ag_layer_precision *s = f->sites;
    ag_scheme stochastic = scheme_of("e4m3");
    stochastic.rounding = AG_ROUND_STOCHASTIC;
    s[ag_site_index(&f->run.model, AG_SITE_QK, 0)].scheme[AG_ROLE_INPUT][0] = scheme_of("e4m3");
    set_role(&s[ag_site_index(&f->run.model, AG_SITE_QK, 0)], AG_ROLE_GRAD_OUTPUT,
             scheme_of("e5m2"));
    set_role(&s[ag_site_index(&f->run.model, AG_SITE_PV, 0)], AG_ROLE_GRAD_OUTPUT,
             scheme_of("e5m2"));
    set_role(&s[ag_site_index(&f->run.model, AG_SITE_RESIDUAL, 0)], AG_ROLE_INPUT,
             scheme_of("e4m3"));
    set_role(&s[ag_site_index(&f->run.model, AG_SITE_WGRAD, AG_LINEAR_C_FC)], AG_ROLE_GRAD_OUTPUT,
             scheme_of("e5m2"));
    set_role(&s[ag_site_index(&f->run.model, AG_SITE_OPT_M, GPT2_LINEARS)], AG_ROLE_WEIGHT,
             stochastic);
    f->run.sites = s;
    assert_ok(ag_run_identify(&f->run));
}

static int set_up(void **state)
{
    int code = set_up_run(state);
    set_sites(*state);
    return code;
}

/* The golden run with sites added to its layers and sorted by Python's json (sort_keys); the id is
 * what
 *     tr -d '\n' < tests/run/golden_sites.json | sha256sum
 * prints. */
static void test_canonical_text_is_the_golden_one(void **state)
{
    assert_golden(*state, "run/golden_sites.json", "bdf3d78fb13b");
}

/* A table of sites that are all null means the same as none. */
static void test_null_sites_leave_the_text_as_it_was(void **state)
{
    run_fixture *f = *state;
    ag_run without = f->run;
    without.sites = NULL;
    assert_ok(ag_run_identify(&without));
    assert_string_equal(without.id, GOLDEN_RUN_ID);
    memset(f->sites, 0, sizeof f->sites);
    assert_ok(ag_run_identify(&f->run));
    assert_string_equal(f->run.id, without.id);
}

/* With every site on. */
static void test_keys_are_sorted(void **state)
{
    run_fixture *f = *state;
    ag_layer_precision all = f->layers[AG_LINEAR_C_ATTN];
    ag_model_spec most = f->run.model;
    most.n_layer = MAX_BLOCKS;
    for (size_t i = 0; i < ag_site_count(&most); i++) {
        ag_site site = ag_site_at(&most, i);
        f->sites[i] = ag_site_precision(site.kind, &all);
    }
    for (int64_t n_layer = 1; n_layer < MAX_BLOCKS; n_layer += 5) {
        f->run.model.n_layer = n_layer;
        ag_text_deinit(&f->text);
        ag_run_canonical(&f->text, &f->run);
        json_t *plain = load_sorted(f->text.data);
        assert_int_equal(json_object_size(json_object_get(plain, "layers")),
                         ag_layer_count(&f->run.model) + ag_site_count(&f->run.model));
        json_decref(plain);
    }
}

static void test_sites_come_back(void **state)
{
    run_fixture *f = *state;
    ag_run back;
    ag_run_assignment(&f->text, &f->run);
    assert_ok(ag_run_from_assignment(&back, f->text.data, f->text.length, &f->arena));
    assert_non_null(back.sites);
    for (size_t i = 0; i < ag_site_count(&back.model) * AG_ROLES * AG_USES; i++) {
        size_t part = i % ((size_t)AG_ROLES * AG_USES);
        size_t site = i / ((size_t)AG_ROLES * AG_USES);
        assert_true(ag_scheme_equal(&back.sites[site].scheme[part / AG_USES][part % AG_USES],
                                    &f->sites[site].scheme[part / AG_USES][part % AG_USES]));
    }
    f->run.sites = NULL;
    assert_ok(ag_run_identify(&f->run));
    ag_text_deinit(&f->text);
    ag_run_assignment(&f->text, &f->run);
    assert_ok(ag_run_from_assignment(&back, f->text.data, f->text.length, &f->arena));
    assert_null(back.sites);
}

static void test_changed_assignments_are_refused(void **state)
{
    static const text_change cases[] = {
        {"\"lm_head.opt.m\"",                         "\"lm_head.opt.x\"",                      "found 1 keys that are neither"        },
        {"h.0.residual\"",                            "h.1.residual\"",                         "found 1 keys that are neither"        },
        {"residual\":{\"input\"",                     "residual\":{\"weight\"",                 "h.0.residual: unknown key 'weight'"   },
        {"wgrad\":{\"grad_output\":",                 "wgrad\":{\"x\":1,\"y\":",                "wgrad: unknown key 'x'"               },
        {"\"steps\":2000",                            "\"steps\":0",                            "c_fc.wgrad: has no effect in this run"},
        {"opt.m\":{\"weight\":{\"amax\":\"current\"", "opt.m\":{\"weight\":{\"amax\":\"none\"",
         "is not the id of this run"                                                                                                   },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_fails(AG_ERR_INPUT, cases[i].message,
                     read_changed(*state, cases[i].old, cases[i].new));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sites_of_two_blocks),
        cmocka_unit_test(test_gains_of_all_norms),
        cmocka_unit_test(test_other_norms_are_other_sites),
        cmocka_unit_test(test_a_site_takes_its_roles_of_a_format),
        cmocka_unit_test(test_hadamard_transforms_are_refused),
        cmocka_unit_test(test_weights_are_stored_by_current_scales),
        cmocka_unit_test(test_bf16_is_a_format_of_float32_tensors),
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down_run)
        TEST(test_canonical_text_is_the_golden_one),
        TEST(test_null_sites_leave_the_text_as_it_was),
        TEST(test_keys_are_sorted),
        TEST(test_sites_come_back),
        TEST(test_changed_assignments_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
