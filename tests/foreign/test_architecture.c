/* Which of Hugging Face's classes a model is, the key by which it is none, and the layouts of one
 * model. */
#include "base/log.h"
#include "foreign/architecture.h"
#include "run/params.h"
#include "support.h"

typedef struct setting {
    const char *key;
    const char *value;
} setting;

typedef struct model_case {
    ag_architecture base;
    setting set;         /* beside what makes it the base */
    const char *refused; /* the key of the message; NULL: it is the base */
} model_case;

static void set(ag_run *run, const char *key, const char *value, ag_arena *arena)
{
    assert_int_equal(ag_param_set(run, ag_param_find(key), value, arena), AG_OK);
}

static void make(ag_run *run, ag_architecture base, ag_arena *arena)
{
    static const setting llama[] = {
        {"model.norm",     "rmsnorm"},
        {"model.position", "rope"   },
        {"model.mlp",      "swiglu" },
        {"model.bias",     "false"  }
    };
    ag_run_defaults(run);
    set(run, "model.n_head", "4", arena);
    set(run, "model.n_embd", "16", arena);
    for (size_t i = 0; base != AG_ARCHITECTURE_GPT2 && i < 4; i++)
        set(run, llama[i].key, llama[i].value, arena);
    if (base == AG_ARCHITECTURE_QWEN3)
        set(run, "model.qk_norm", "head", arena);
    if (base == AG_ARCHITECTURE_OLMO2) {
        set(run, "model.qk_norm", "full", arena);
        set(run, "model.norm_place", "res_post", arena);
    }
}

#define GPT2 AG_ARCHITECTURE_GPT2
#define LLAMA AG_ARCHITECTURE_LLAMA
#define QWEN3 AG_ARCHITECTURE_QWEN3
#define OLMO2 AG_ARCHITECTURE_OLMO2

static const model_case s_cases[] = {
    {GPT2,  {"model.bias", "true"},           NULL                 },
    {GPT2,  {"model.qkv", "split"},           NULL                 },
    {GPT2,  {"model.mlp", "relu2"},           NULL                 },
    {GPT2,  {"model.n_kv_head", "4"},         NULL                 },
    {GPT2,  {"model.attn_scale", "0.5"},      NULL                 }, /* 1 / sqrt(16 / 4) */
    {GPT2,  {"model.z_loss", "0.1"},          NULL                 },
    {GPT2,  {"model.norm", "none"},           "model.norm"         },
    {GPT2,  {"model.position", "rope"},       "model.position"     },
    {GPT2,  {"model.mlp", "swiglu"},          "model.mlp"          },
    {GPT2,  {"model.n_kv_head", "2"},         "model.n_kv_head"    },
    {GPT2,  {"model.head_dim", "8"},          "model.head_dim"     },
    {GPT2,  {"model.qk_norm", "head"},        "model.qk_norm"      },
    {GPT2,  {"model.norm_place", "sandwich"}, "model.norm_place"   },
    {GPT2,  {"model.final_norm", "false"},    "model.final_norm"   },
    {GPT2,  {"model.attn_scale", "0.3"},      "model.attn_scale"   },
    {GPT2,  {"model.attn_softcap", "30"},     "model.attn_softcap" },
    {GPT2,  {"model.logit_softcap", "30"},    "model.logit_softcap"},
    {GPT2,  {"model.logit_scale", "0.5"},     "model.logit_scale"  },
    {GPT2,  {"model.embd_scale", "2"},        "model.embd_scale"   },
    {GPT2,  {"model.skip_scale", "0.5"},      "model.skip_scale"   },
    {GPT2,  {"model.branch_scale", "0.5"},    "model.branch_scale" },
    {GPT2,  {"model.param", "mus"},           "model.param"        },
    {LLAMA, {"model.bias", "true"},           NULL                 },
    {LLAMA, {"model.n_kv_head", "2"},         NULL                 },
    {LLAMA, {"model.head_dim", "6"},          NULL                 },
    {LLAMA, {"model.gate_up", "fused"},       NULL                 },
    {LLAMA, {"model.norm_affine", "false"},   NULL                 },
    {LLAMA, {"model.n_head", "3"},            "model.n_head"       },
    {LLAMA, {"model.position", "learned"},    "model.position"     },
    {LLAMA, {"model.rope_fraction", "0.5"},   "model.rope_fraction"},
    {LLAMA, {"model.mlp", "gelu"},            "model.mlp"          },
    {LLAMA, {"model.norm_place", "res_post"}, "model.norm_place"   },
    {QWEN3, {"model.qkv", "split"},           NULL                 },
    {QWEN3, {"model.bias", "true"},           "model.bias"         },
    {QWEN3, {"model.qk_gain", "false"},       "model.qk_gain"      },
    {OLMO2, {"model.norm_eps", "1e-6"},       NULL                 },
    {OLMO2, {"model.bias", "true"},           "model.bias"         },
    {OLMO2, {"model.norm_place", "pre"},      "model.norm_place"   },
};

static void test_each_model_has_its_class(void **state)
{
    (void)state;
    ag_arena arena;
    ag_arena_init_growing(&arena);
    for (size_t i = 0; i < sizeof s_cases / sizeof s_cases[0]; i++) {
        const model_case *c = &s_cases[i];
        ag_run run;
        ag_architecture which = AG_ARCHITECTURES;
        make(&run, c->base, &arena);
        set(&run, c->set.key, c->set.value, &arena);
        ag_status status = ag_architecture_of(&which, &run, "it", "");
        if (c->refused == NULL) {
            assert_int_equal(status, AG_OK);
            assert_int_equal(which, c->base);
            continue;
        }
        assert_int_equal(status, AG_ERR_INPUT);
        assert_non_null(strstr(ag_error_message(), c->refused));
        ag_error_clear();
    }
    ag_arena_deinit(&arena);
}

/* --- options of later versions */

/* Of the same weights they make the same function: how tensors are laid out, how they begin, what
 * is minimised; GELU's form where there is swiglu; mup at its own width. */
static const char *const s_same_function[] = {
    "model.qkv",           "model.gate_up",   "model.norm_affine", "model.init_std",
    "model.post_gain",     "model.gelu",      "model.base_width",  "model.z_loss",
    "model.base_head_dim", "model.init_seed", "model.param"};

static bool is_same_function(const char *key)
{
    for (size_t i = 0; i < sizeof s_same_function / sizeof s_same_function[0]; i++) {
        if (strcmp(key, s_same_function[i]) == 0)
            return true;
    }
    return false;
}

/* A value that is not the neutral one. */
static const char *other_value(const ag_param *param)
{
    if (param->type == AG_PARAM_BOOL)
        return strcmp(param->neutral, "true") == 0 ? "false" : "true";
    if (param->type == AG_PARAM_WORD)
        return param->words[strcmp(param->neutral, param->words[0]) == 0 ? 1 : 0];
    return param->type == AG_PARAM_INT || param->min > 0.7 ? "2" : "0.7";
}

/* The class and its config.json; "" where no class computes the model. */
static void tell(ag_text *text, const ag_run *run)
{
    ag_architecture which = AG_ARCHITECTURES;
    ag_text_init(text);
    if (ag_architecture_of(&which, run, "it", "") == AG_OK)
        ag_architecture_config(text, which, &run->model, 16);
    ag_error_clear();
}

/* An option that neither the rules nor config.json know would be exported as another model. */
static void test_each_option_is_refused_or_told(void **state)
{
    (void)state;
    ag_arena arena;
    size_t count = 0;
    const ag_param *params = ag_params(&count);
    ag_arena_init_growing(&arena);
    for (size_t i = 0; i < count; i++) {
        ag_run plain;
        ag_run changed;
        ag_text before;
        ag_text after;
        if (strncmp(params[i].key, "model.", 6) != 0 || params[i].neutral == NULL ||
            params[i].use != AG_PARAM_USE_IDENTITY || is_same_function(params[i].key))
            continue;
        make(&plain, AG_ARCHITECTURE_QWEN3, &arena);
        make(&changed, AG_ARCHITECTURE_QWEN3, &arena);
        set(&changed, params[i].key, params[i].neutral, &arena);
        if (strcmp(ag_param_get(&plain, &params[i], &arena),
                   ag_param_get(&changed, &params[i], &arena)) == 0)
            set(&changed, params[i].key, other_value(&params[i]), &arena);
        tell(&before, &plain);
        tell(&after, &changed);
        if (strcmp(before.data, after.data != NULL ? after.data : "") == 0)
            fail_msg("%s changes neither the class nor its config.json", params[i].key);
        ag_text_deinit(&before);
        ag_text_deinit(&after);
    }
    ag_arena_deinit(&arena);
}

/* --- layouts */

/* Elements that tell where they came from. */
static float *count_up(const ag_tensor_table *tensors, ag_arena *arena)
{
    float *weights = ag_arena_floats(arena, tensors->total);
    assert_non_null(weights);
    for (size_t i = 0; i < tensors->total; i++)
        weights[i] = (float)i;
    return weights;
}

static const float *at(const float *weights, const ag_tensor_table *tensors, ag_tensor_id id,
                       size_t row)
{
    const ag_tensor *tensor = ag_tensor_find(tensors, id, 1);
    assert_non_null(tensor);
    return weights + tensor->offset + row * tensor->dims[1];
}

/* Rows of c_attn: 16 of queries, 8 of keys, 8 of values; of c_fc: gate, then up. */
static void test_fused_rows_are_those_of_split_layers(void **state)
{
    (void)state;
    ag_run run;
    ag_arena arena;
    ag_tensor_table fused;
    ag_tensor_table split;
    ag_arena_init_growing(&arena);
    make(&run, LLAMA, &arena);
    set(&run, "model.n_kv_head", "2", &arena);
    set(&run, "model.mlp_hidden", "24", &arena);
    set(&run, "model.gate_up", "fused", &arena);
    ag_model_spec layout = ag_architecture_layout(LLAMA, &run.model);
    assert_int_equal(ag_tensor_table_make(&fused, &run.model, 11, &arena), AG_OK);
    assert_int_equal(ag_tensor_table_make(&split, &layout, 11, &arena), AG_OK);
    float *from = count_up(&fused, &arena);
    float *to = ag_arena_floats(&arena, split.total);
    float *back = ag_arena_floats(&arena, fused.total);
    ag_architecture_convert(to, &split, from, &fused);
    assert_true(*at(to, &split, AG_T_C_Q_W, 3) == *at(from, &fused, AG_T_C_ATTN_W, 3));
    assert_true(*at(to, &split, AG_T_C_K_W, 3) == *at(from, &fused, AG_T_C_ATTN_W, 16 + 3));
    assert_true(*at(to, &split, AG_T_C_V_W, 7) == *at(from, &fused, AG_T_C_ATTN_W, 24 + 7));
    assert_true(*at(to, &split, AG_T_C_GATE_W, 5) == *at(from, &fused, AG_T_C_FC_W, 5));
    assert_true(*at(to, &split, AG_T_C_FC_W, 5) == *at(from, &fused, AG_T_C_FC_W, 24 + 5));
    ag_architecture_convert(back, &fused, to, &split);
    for (size_t i = 0; i < fused.count; i++) {
        const ag_tensor *row = &fused.rows[i];
        assert_memory_equal(back + row->offset, from + row->offset, row->count * sizeof *back);
    }
    ag_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_model_has_its_class),
        cmocka_unit_test(test_each_option_is_refused_or_told),
        cmocka_unit_test(test_fused_rows_are_those_of_split_layers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
