/* A config.json beside the weights says what their model is: whatever contradicts the experiment
 * would be another function of the same numbers. Compared with the file that we would write, key by
 * key; keys that no result of training depends on may differ. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "foreign_internal.h"
#include "run/model_spec.h"

/* How a key of the file is compared. */
typedef enum comparison { EQUAL, AT_LEAST, HIDDEN, ACTIVATION } comparison;

static const struct {
    const char *key;
    const char *ours;
    comparison how;
} s_keys[] = {
    {"model_type",                      "model.norm, model.qk_norm", EQUAL     },
    {"vocab_size",                      "data.vocab",                EQUAL     },
    {"n_positions",                     "model.block_size",          AT_LEAST  },
    {"n_embd",                          "model.n_embd",              EQUAL     },
    {"n_layer",                         "model.n_layer",             EQUAL     },
    {"n_head",                          "model.n_head",              EQUAL     },
    {"n_inner",                         "model.mlp_hidden",          HIDDEN    },
    {"activation_function",             "model.gelu, model.mlp",     ACTIVATION},
    {"layer_norm_epsilon",              "model.norm_eps",            EQUAL     },
    {"scale_attn_weights",              "model.attn_scale",          EQUAL     },
    {"scale_attn_by_inverse_layer_idx", "model.attn_scale",          EQUAL     },
    {"hidden_size",                     "model.n_embd",              EQUAL     },
    {"intermediate_size",               "model.mlp_hidden",          EQUAL     },
    {"num_hidden_layers",               "model.n_layer",             EQUAL     },
    {"num_attention_heads",             "model.n_head",              EQUAL     },
    {"num_key_value_heads",             "model.n_kv_head",           EQUAL     },
    {"head_dim",                        "model.head_dim",            EQUAL     },
    {"hidden_act",                      "model.mlp",                 EQUAL     },
    {"max_position_embeddings",         "model.block_size",          AT_LEAST  },
    {"rms_norm_eps",                    "model.norm_eps",            EQUAL     },
    {"rope_theta",                      "model.rope_theta",          EQUAL     },
    {"attention_bias",                  "model.bias",                EQUAL     },
    {"mlp_bias",                        "model.bias",                EQUAL     },
    {"tie_word_embeddings",             "model.tie_weights",         EQUAL     },
    {"use_sliding_window",              "model",                     EQUAL     },
};

/* Of classes that are ours but for them; null and these values are without effect. */
static const struct {
    const char *key;
    double neutral;
} s_absent[] = {
    {"rope_scaling",            0},
    {"partial_rotary_factor",   1},
    {"attn_logit_softcapping",  0},
    {"final_logit_softcapping", 0},
};

/* 1 and 1.0 are one number, which JSON keeps as two kinds. */
static bool same_value(const json_t *a, const json_t *b)
{
    if (json_is_number(a) && json_is_number(b))
        return json_number_value(a) == json_number_value(b);
    return json_equal(a, b) == 1;
}

/* Three names of one function. */
static const char *activation_of(const json_t *json)
{
    const char *name = json_string_value(json);
    if (name == NULL)
        return "";
    bool is_tanh = strcmp(name, "gelu_pytorch_tanh") == 0 || strcmp(name, "gelu_fast") == 0;
    return is_tanh ? "gelu_new" : name;
}

/* Longer contexts may be cut: a table of positions has more rows than are read. */
static bool agrees(comparison how, const json_t *theirs, const json_t *ours,
                   const ag_model_spec *model)
{
    if (how == AT_LEAST && json_is_number(theirs))
        return json_number_value(theirs) >= json_number_value(ours);
    if (how == ACTIVATION)
        return strcmp(activation_of(theirs), activation_of(ours)) == 0;
    if (how != HIDDEN)
        return same_value(theirs, ours);
    ag_sizes sizes = ag_sizes_of(model);
    double plain = 4.0 * (double)sizes.C;
    return (json_is_null(theirs) ? plain : json_number_value(theirs)) == (double)sizes.F;
}

/* Both values, and the keys of the experiment that decide it. */
static ag_status refuse(const char *path, const char *key, const json_t *theirs, const json_t *ours,
                        const char *named)
{
    char *has = json_dumps(theirs, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(15));
    char *wants = json_dumps(ours, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(15));
    ag_status status =
        ag_fail(AG_ERR_INPUT, "%s: %s is %.80s, of the experiment's model %.80s (%s)", path, key,
                has != NULL ? has : "?", wants != NULL ? wants : "?", named);
    free(has);
    free(wants);
    return status;
}

/* Keys that change the function and that we never write. */
static ag_status check_absent(const char *path, const json_t *theirs)
{
    for (size_t i = 0; i < sizeof s_absent / sizeof s_absent[0]; i++) {
        const json_t *value = json_object_get(theirs, s_absent[i].key);
        if (value == NULL || json_is_null(value) ||
            (json_is_number(value) && json_number_value(value) == s_absent[i].neutral))
            continue;
        return ag_fail(AG_ERR_INPUT, "%s: has %s, which no model here computes so", path,
                       s_absent[i].key);
    }
    return AG_OK;
}

/* Version 5 of transformers: what was rope_theta and rope_scaling. */
static ag_status check_rope(const char *path, const json_t *theirs, const json_t *ours)
{
    const json_t *has = json_object_get(theirs, "rope_parameters");
    const json_t *wants = json_object_get(ours, "rope_parameters");
    const char *type = json_string_value(json_object_get(has, "rope_type"));
    const json_t *theta = json_object_get(has, "rope_theta");
    if (has == NULL || wants == NULL)
        return AG_OK;
    if ((type != NULL && strcmp(type, "default") != 0) ||
        (theta != NULL && !same_value(theta, json_object_get(wants, "rope_theta"))))
        return refuse(path, "rope_parameters", has, wants, "model.rope_theta");
    return AG_OK;
}

/* A key that one of the two lacks is of another version of transformers, and says nothing. */
static ag_status compare(const char *path, const json_t *theirs, const json_t *ours,
                         const ag_run *run)
{
    for (size_t i = 0; i < sizeof s_keys / sizeof s_keys[0]; i++) {
        const json_t *has = json_object_get(theirs, s_keys[i].key);
        const json_t *wants = json_object_get(ours, s_keys[i].key);
        if (has != NULL && wants != NULL && !agrees(s_keys[i].how, has, wants, &run->model))
            return refuse(path, s_keys[i].key, has, wants, s_keys[i].ours);
    }
    AG_TRY(check_rope(path, theirs, ours));
    return check_absent(path, theirs);
}

static ag_status compare_texts(const char *path, const ag_text *theirs, const ag_text *ours,
                               const ag_run *run)
{
    json_error_t error = {0};
    json_t *has = json_loadb(theirs->data, theirs->length, 0, &error);
    json_t *wants = json_loadb(ours->data, ours->length, 0, NULL);
    ag_status status = AG_OK;
    if (!json_is_object(has))
        status = ag_fail(AG_ERR_FILE, "%s:%d: no JSON object: %s", path, error.line, error.text);
    else if (wants == NULL)
        status = ag_fail(AG_ERR_SYSTEM, "out of memory");
    else
        status = compare(path, has, wants, run);
    json_decref(has);
    json_decref(wants);
    return status;
}

/* Weights alone are fine: many a file has no config.json beside it. */
ag_status ag_architecture_compare(const char *weights, ag_architecture which, const ag_run *run)
{
    char folder[AG_PATH_SIZE];
    char path[AG_PATH_SIZE];
    ag_folder_of(folder, weights);
    AG_TRY(ag_path_join(path, folder, "config.json"));
    if (!ag_is_file(path))
        return AG_OK;
    ag_text theirs;
    ag_text ours;
    ag_text_init(&theirs);
    ag_text_init(&ours);
    ag_architecture_config(&ours, which, &run->model, run->facts.vocab_size);
    ag_status status = ag_read_whole(&theirs, path);
    if (status == AG_OK)
        status = compare_texts(path, &theirs, &ours, run);
    ag_text_deinit(&theirs);
    ag_text_deinit(&ours);
    return status;
}
