/* config.json, by which transformers builds the model: with the keys in the order and the numbers
 * as Python writes them, so that a diff with another's file shows what differs. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "foreign/architecture.h"
#include "run/model_spec.h"

typedef struct config {
    ag_text *text;
    int depth;
    bool is_empty; /* nothing was added on this level */
} config;

static void add_key(config *c, const char *key)
{
    ag_text_printf(c->text, "%s\n%*s\"%s\": ", c->is_empty ? "" : ",", 2 * c->depth, "", key);
    c->is_empty = false;
}

static void add_raw(config *c, const char *key, const char *json)
{
    add_key(c, key);
    ag_text_add(c->text, json);
}

static void add_word(config *c, const char *key, const char *word)
{
    add_key(c, key);
    ag_text_printf(c->text, "\"%s\"", word);
}

static void add_whole(config *c, const char *key, size_t value)
{
    add_key(c, key);
    ag_text_printf(c->text, "%zu", value);
}

static void add_bool(config *c, const char *key, bool value)
{
    add_raw(c, key, value ? "true" : "false");
}

/* As Python's repr: the shortest digits that read back, and always a point or an exponent. */
static void add_real(config *c, const char *key, double value)
{
    char text[40];
    int digits = 1;
    do
        snprintf(text, sizeof text, "%.*e", digits - 1, value);
    while (strtod(text, NULL) != value && ++digits <= 17);
    const char *mark = strchr(text, 'e');
    int exponent = mark != NULL ? (int)strtol(mark + 1, NULL, 10) : 0;
    int decimals = digits - 1 - exponent;
    if (exponent >= -4 && exponent < 16)
        snprintf(text, sizeof text, "%.*f", decimals > 1 ? decimals : 1, value);
    add_raw(c, key, text);
}

static void open_level(config *c, const char *key, const char *bracket)
{
    add_raw(c, key, bracket);
    c->depth++;
    c->is_empty = true;
}

static void close_level(config *c, const char *bracket)
{
    c->depth--;
    ag_text_printf(c->text, "\n%*s%s", 2 * c->depth, "", bracket);
    c->is_empty = false;
}

/* The class that loads it by AutoModel comes first, as in the files on the hub. */
static void add_head(config *c, ag_architecture which, const char *type, int64_t vocab_size)
{
    open_level(c, "architectures", "[");
    ag_text_printf(c->text, "\n%*s\"%s\"", 2 * c->depth, "", ag_architecture_class(which));
    close_level(c, "]");
    add_word(c, "model_type", type);
    add_whole(c, "vocab_size", (size_t)vocab_size);
}

/* No tokenizer is exported, so no token has a meaning: ids of special tokens are null, which
 * transformers takes for none. Version 4 reads torch_dtype, version 5 dtype. */
static void add_tail(config *c, const ag_model_spec *model, bool has_pad)
{
    add_bool(c, "tie_word_embeddings", model->tie_weights);
    add_real(c, "initializer_range", model->init_std);
    add_bool(c, "use_cache", true);
    add_raw(c, "bos_token_id", "null");
    add_raw(c, "eos_token_id", "null");
    if (has_pad)
        add_raw(c, "pad_token_id", "null");
    add_word(c, "torch_dtype", "float32");
    add_word(c, "dtype", "float32");
}

/* "gelu_new" is the tanh form, by the name that GPT-2 gave it. */
static const char *activation(const ag_model_spec *model)
{
    if (model->mlp == AG_MLP_RELU2)
        return "relu2";
    return model->gelu == AG_GELU_TANH ? "gelu_new" : "gelu";
}

/* n_inner null means four times n_embd; a key with that number would mean the same, but differ from
 * the file that everybody has. */
static void add_gpt2(config *c, const ag_model_spec *model)
{
    ag_sizes sizes = ag_sizes_of(model);
    add_whole(c, "n_positions", sizes.T);
    add_whole(c, "n_ctx", sizes.T);
    add_whole(c, "n_embd", sizes.C);
    add_whole(c, "n_layer", sizes.L);
    add_whole(c, "n_head", sizes.H);
    if (sizes.F == 4 * sizes.C)
        add_raw(c, "n_inner", "null");
    else
        add_whole(c, "n_inner", sizes.F);
    add_word(c, "activation_function", activation(model));
    add_real(c, "layer_norm_epsilon", model->norm_eps);
    add_real(c, "resid_pdrop", model->dropout);
    add_real(c, "embd_pdrop", model->dropout);
    add_real(c, "attn_pdrop", model->dropout);
    add_bool(c, "scale_attn_weights", true);
    add_bool(c, "scale_attn_by_inverse_layer_idx", false);
    add_bool(c, "reorder_and_upcast_attn", false);
}

/* rope_theta is there twice: version 5 of transformers reads it in rope_parameters. */
static void add_llama(config *c, const ag_model_spec *model)
{
    ag_sizes sizes = ag_sizes_of(model);
    add_whole(c, "hidden_size", sizes.C);
    add_whole(c, "intermediate_size", sizes.F);
    add_whole(c, "num_hidden_layers", sizes.L);
    add_whole(c, "num_attention_heads", sizes.H);
    add_whole(c, "num_key_value_heads", sizes.K);
    add_whole(c, "head_dim", sizes.D);
    add_word(c, "hidden_act", "silu");
    add_whole(c, "max_position_embeddings", sizes.T);
    add_real(c, "rms_norm_eps", model->norm_eps);
    add_real(c, "rope_theta", model->rope_theta);
    open_level(c, "rope_parameters", "{");
    add_word(c, "rope_type", "default");
    add_real(c, "rope_theta", model->rope_theta);
    close_level(c, "}");
    add_bool(c, "attention_bias", model->bias);
    add_real(c, "attention_dropout", model->dropout);
}

/* The keys that one class alone knows stand last: another class would ignore them, and a reader
 * wonder. */
void ag_architecture_config(ag_text *text, ag_architecture which, const ag_model_spec *model,
                            int64_t vocab_size)
{
    static const char *const types[AG_ARCHITECTURES] = {[AG_ARCHITECTURE_GPT2] = "gpt2",
                                                        [AG_ARCHITECTURE_LLAMA] = "llama",
                                                        [AG_ARCHITECTURE_QWEN3] = "qwen3",
                                                        [AG_ARCHITECTURE_OLMO2] = "olmo2",
                                                        [AG_ARCHITECTURE_NANOGPT] = "nanogpt"};
    config c = {text, 1, true};
    ag_text_add(text, "{");
    add_head(&c, which, types[which], vocab_size);
    if (which == AG_ARCHITECTURE_GPT2)
        add_gpt2(&c, model);
    else
        add_llama(&c, model);
    add_tail(&c, model, which != AG_ARCHITECTURE_GPT2);
    if (which == AG_ARCHITECTURE_LLAMA)
        add_bool(&c, "mlp_bias", model->bias);
    if (which == AG_ARCHITECTURE_QWEN3) {
        add_bool(&c, "use_sliding_window", false);
        add_raw(&c, "sliding_window", "null");
        add_whole(&c, "max_window_layers", (size_t)model->n_layer);
    }
    ag_text_add(text, "\n}\n");
}
