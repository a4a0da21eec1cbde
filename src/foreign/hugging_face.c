/* Which class of Hugging Face's transformers computes what a model of ours does, and its names. A
 * class is chosen by norm and qk_norm; what else it needs is a table of rules, each of which names
 * the key that breaks it. */
#include <stdio.h>
#include <string.h>

#include "foreign/architecture.h"
#include "run/model_spec.h"
#include "run/params.h"

#define BIT(which) (1U << AG_ARCHITECTURE_##which)

enum {
    LLAMAS = BIT(LLAMA) | BIT(QWEN3) | BIT(OLMO2),
    ALL = BIT(GPT2) | LLAMAS,
};

static const char *const s_classes[AG_ARCHITECTURES] = {
    [AG_ARCHITECTURE_GPT2] = "GPT2LMHeadModel",    [AG_ARCHITECTURE_LLAMA] = "LlamaForCausalLM",
    [AG_ARCHITECTURE_QWEN3] = "Qwen3ForCausalLM",  [AG_ARCHITECTURE_OLMO2] = "Olmo2ForCausalLM",
    [AG_ARCHITECTURE_NANOGPT] = "nanoGPT's model",
};

const char *ag_architecture_class(ag_architecture which)
{
    return s_classes[which];
}

/* --- rules */

static bool is_learned(const ag_model_spec *m)
{
    return m->position == AG_POSITION_LEARNED;
}

static bool is_rope(const ag_model_spec *m)
{
    return m->position == AG_POSITION_ROPE;
}

/* rope turns all channels of a head, or a part: no class here has a key for the part. */
static bool turns_all(const ag_model_spec *m)
{
    ag_sizes sizes = ag_sizes_of(m);
    return sizes.turned == sizes.D;
}

static bool is_pre(const ag_model_spec *m)
{
    return m->norm_place == AG_NORM_PRE;
}

static bool is_res_post(const ag_model_spec *m)
{
    return m->norm_place == AG_NORM_RES_POST;
}

static bool is_swiglu(const ag_model_spec *m)
{
    return m->mlp == AG_MLP_SWIGLU;
}

static bool is_not_swiglu(const ag_model_spec *m)
{
    return m->mlp != AG_MLP_SWIGLU;
}

static bool has_all_heads(const ag_model_spec *m)
{
    ag_sizes sizes = ag_sizes_of(m);
    return sizes.K == sizes.H;
}

static bool has_plain_heads(const ag_model_spec *m)
{
    ag_sizes sizes = ag_sizes_of(m);
    return sizes.D * sizes.H == sizes.C;
}

static bool divides(const ag_model_spec *m)
{
    return m->n_embd % m->n_head == 0;
}

static bool has_no_qk_norm(const ag_model_spec *m)
{
    return m->qk_norm == AG_QK_NORM_NONE;
}

static bool has_qk_gain(const ag_model_spec *m)
{
    return m->qk_gain;
}

static bool has_no_bias(const ag_model_spec *m)
{
    return !m->bias;
}

static bool has_final_norm(const ag_model_spec *m)
{
    return m->final_norm;
}

/* Compared as the number that is multiplied, since there are several ways to write it. */
static bool has_plain_attention(const ag_model_spec *m)
{
    ag_model_spec plain = *m;
    plain.attn_scale = 0;
    plain.param = AG_PARAMETRISATION_STANDARD;
    return ag_spec_attn_scale(m) == ag_spec_attn_scale(&plain);
}

/* muP at its base width multiplies by 1 throughout: it is the standard model. */
static bool is_standard(const ag_model_spec *m)
{
    return m->param == AG_PARAMETRISATION_STANDARD ||
           (m->param == AG_PARAMETRISATION_MUP &&
            (m->base_width == 0 || m->base_width == m->n_embd));
}

static bool is_attention_uncapped(const ag_model_spec *m)
{
    return m->attn_softcap == 0;
}

static bool is_uncapped(const ag_model_spec *m)
{
    return m->logit_softcap == 0;
}

static bool is_embd_plain(const ag_model_spec *m)
{
    return m->embd_scale == 1;
}

static bool is_skip_plain(const ag_model_spec *m)
{
    return m->skip_scale == 1;
}

static bool is_branch_plain(const ag_model_spec *m)
{
    return m->branch_scale == 1;
}

static bool is_logit_plain(const ag_model_spec *m)
{
    return m->logit_scale == 1;
}

/* What a class must find in a model, in the order in which it is refused. Classes are bits, since
 * most rules hold for several. */
static const struct {
    unsigned classes;
    const char *key;
    bool (*holds)(const ag_model_spec *model);
    const char *wanted;
} s_rules[] = {
    {BIT(GPT2),               "model.position",      is_learned,            "learned positions"            },
    {BIT(GPT2),               "model.mlp",           is_not_swiglu,         "gelu or relu2"                },
    {BIT(GPT2),               "model.n_kv_head",     has_all_heads,         "as many as n_head"            },
    {BIT(GPT2),               "model.head_dim",      has_plain_heads,       "n_embd / n_head"              },
    {BIT(GPT2),               "model.qk_norm",       has_no_qk_norm,        "none"                         },
    {LLAMAS,                  "model.position",      is_rope,               "rope"                         },
    {LLAMAS,                  "model.n_head",        divides,               "a divisor of n_embd"          },
    {LLAMAS,                  "model.rope_fraction", turns_all,             "1"                            },
    {LLAMAS,                  "model.mlp",           is_swiglu,             "swiglu"                       },
    {BIT(QWEN3) | BIT(OLMO2), "model.qk_gain",       has_qk_gain,           "gains"                        },
    {BIT(QWEN3) | BIT(OLMO2), "model.bias",          has_no_bias,           "no biases"                    },
    {BIT(OLMO2),              "model.norm_place",    is_res_post,           "res_post"                     },
    {ALL & ~BIT(OLMO2),       "model.norm_place",    is_pre,                "pre"                          },
    {ALL,                     "model.final_norm",    has_final_norm,        "a final norm"                 },
    {ALL,                     "model.param",         is_standard,           "standard"                     },
    {ALL,                     "model.attn_scale",    has_plain_attention,   "one over the root of head_dim"},
    {ALL,                     "model.attn_softcap",  is_attention_uncapped, "none"                         },
    {ALL,                     "model.embd_scale",    is_embd_plain,         "1"                            },
    {ALL,                     "model.skip_scale",    is_skip_plain,         "1"                            },
    {ALL,                     "model.branch_scale",  is_branch_plain,       "1"                            },
    {ALL,                     "model.logit_scale",   is_logit_plain,        "1"                            },
    {ALL,                     "model.logit_softcap", is_uncapped,           "none"                         },
};

typedef struct asked {
    const ag_run *run;
    const char *what;
    const char *hint;
} asked;

/* Names the key and its value, as the user wrote it, and the class that came nearest. */
static ag_status refuse(const asked *a, const char *key, const char *class, const char *wanted)
{
    ag_arena arena;
    ag_arena_init_growing(&arena);
    const char *value = ag_param_get(a->run, ag_param_find(key), &arena);
    ag_status status =
        ag_fail(AG_ERR_INPUT,
                "%s: %s is %s, and %s has %s: no class of Hugging Face computes this model; %s",
                a->what, key, value != NULL ? value : "?", class, wanted, a->hint);
    ag_arena_deinit(&arena);
    return status;
}

/* By what tells the classes apart; everything else is a rule, whose message then says what is in
 * the way. */
static ag_architecture guess(const ag_model_spec *model)
{
    if (model->norm == AG_NORM_LAYERNORM)
        return AG_ARCHITECTURE_GPT2;
    if (model->qk_norm == AG_QK_NORM_NONE)
        return AG_ARCHITECTURE_LLAMA;
    return model->qk_norm == AG_QK_NORM_HEAD ? AG_ARCHITECTURE_QWEN3 : AG_ARCHITECTURE_OLMO2;
}

ag_status ag_architecture_of(ag_architecture *which, const ag_run *run, const char *what,
                             const char *hint)
{
    const asked a = {run, what, hint};
    *which = guess(&run->model);
    if (run->model.norm == AG_NORM_NONE)
        return refuse(&a, "model.norm", "each of them", "layernorm or rmsnorm");
    for (size_t i = 0; i < sizeof s_rules / sizeof s_rules[0]; i++) {
        if ((s_rules[i].classes & 1U << *which) != 0 && !s_rules[i].holds(&run->model))
            return refuse(&a, s_rules[i].key, s_classes[*which], s_rules[i].wanted);
    }
    return AG_OK;
}

/* --- names and shapes */

/* Of Llama, Qwen3 and Olmo2, whose tensors outside of blocks have whole names. */
static const char *const s_llama_names[AG_TENSOR_IDS] = {
    [AG_T_WTE] = "model.embed_tokens.weight",
    [AG_T_LN_F_W] = "model.norm.weight",
    [AG_T_LM_HEAD_W] = "lm_head.weight",
    [AG_T_C_Q_W] = "self_attn.q_proj.weight",
    [AG_T_C_Q_B] = "self_attn.q_proj.bias",
    [AG_T_C_K_W] = "self_attn.k_proj.weight",
    [AG_T_C_K_B] = "self_attn.k_proj.bias",
    [AG_T_C_V_W] = "self_attn.v_proj.weight",
    [AG_T_C_V_B] = "self_attn.v_proj.bias",
    [AG_T_Q_NORM_W] = "self_attn.q_norm.weight",
    [AG_T_K_NORM_W] = "self_attn.k_norm.weight",
    [AG_T_ATTN_PROJ_W] = "self_attn.o_proj.weight",
    [AG_T_ATTN_PROJ_B] = "self_attn.o_proj.bias",
    [AG_T_LN_1_W] = "input_layernorm.weight",
    [AG_T_LN_2_W] = "post_attention_layernorm.weight",
    [AG_T_LN_1_POST_W] = "post_attention_layernorm.weight", /* Olmo2 has no other */
    [AG_T_LN_2_POST_W] = "post_feedforward_layernorm.weight",
    [AG_T_C_GATE_W] = "mlp.gate_proj.weight",
    [AG_T_C_GATE_B] = "mlp.gate_proj.bias",
    [AG_T_C_FC_W] = "mlp.up_proj.weight",
    [AG_T_C_FC_B] = "mlp.up_proj.bias",
    [AG_T_MLP_PROJ_W] = "mlp.down_proj.weight",
    [AG_T_MLP_PROJ_B] = "mlp.down_proj.bias",
};

void ag_architecture_name(char name[AG_FOREIGN_NAME], ag_architecture which,
                          const ag_tensor *tensor)
{
    bool is_llama = (1U << which & LLAMAS) != 0;
    bool in_block = strncmp(tensor->name, "transformer.h.", 14) == 0;
    if (!is_llama)
        snprintf(name, AG_FOREIGN_NAME, "%s", tensor->name);
    else if (in_block)
        snprintf(name, AG_FOREIGN_NAME, "model.layers.%zu.%s", tensor->block,
                 s_llama_names[tensor->id]);
    else
        snprintf(name, AG_FOREIGN_NAME, "%s", s_llama_names[tensor->id]);
}

/* GPT-2's layers are of the class Conv1D, as they were in TensorFlow. */
bool ag_architecture_turns(ag_architecture which, const ag_tensor *tensor)
{
    return which == AG_ARCHITECTURE_GPT2 &&
           (tensor->id == AG_T_C_ATTN_W || tensor->id == AG_T_ATTN_PROJ_W ||
            tensor->id == AG_T_C_FC_W || tensor->id == AG_T_MLP_PROJ_W);
}

/* The tensors that a file of the class has for this model. nanoGPT's file keeps the tied lm_head as
 * a tensor of its own; classes of Hugging Face have gains always, GPT-2 biases too. */
ag_model_spec ag_architecture_layout(ag_architecture which, const ag_model_spec *model)
{
    ag_model_spec layout = *model;
    if (which == AG_ARCHITECTURE_NANOGPT) {
        layout.tie_weights = false;
        return layout;
    }
    layout.norm_affine = true;
    if (which == AG_ARCHITECTURE_GPT2) {
        layout.qkv = AG_QKV_FUSED;
        layout.bias = true;
    } else {
        layout.qkv = AG_QKV_SPLIT;
        layout.gate_up = AG_GATE_UP_SPLIT;
    }
    return layout;
}
