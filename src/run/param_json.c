/* Parameters as JSON: one value, and the sections in which they stand. Part of the id is made here,
 * so a value has one text: the shortest real, words by the table, sets in its order. And here
 * stands which parameters have an effect in which run. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "params_internal.h"
#include "run/optimizers.h"
#include "run/run_json.h"
#include "run/sites.h"

const char *const ag_compute_words[AG_COMPUTES] = {"bf16", "fp32"};

const char *const ag_identity_sections[] = {"eval", "model", "optimizer", "ranks",
                                            "stop", "train", NULL};
const char *const ag_local_sections[] = {"data",   "eval", "model", "observe",
                                         "output", "run",  "train", NULL};

/* --- writing */

static void add_real(ag_text *text, double value)
{
    char number[32];
    ag_json_real(number, value);
    ag_text_add(text, number);
}

/* Sorted as in the table, whatever the user's order was: a set has one text. */
static void add_words(ag_text *text, const char *const *words, int64_t bits)
{
    const char *before = "[";
    for (size_t i = 0; words[i] != NULL; i++) {
        if ((bits >> i & 1) == 0)
            continue;
        ag_text_add(text, before);
        ag_json_string(text, words[i]);
        before = ",";
    }
    ag_text_add(text, *before == '[' ? "[]" : "]");
}

static void add_steps(ag_text *text, const ag_step_list *list)
{
    ag_text_add(text, "[");
    for (int64_t i = 0; i < list->count; i++)
        ag_text_printf(text, "%s%" PRId64, i == 0 ? "" : ",", list->at[i]);
    ag_text_add(text, "]");
}

/* By type alone. 0 of a number with a word, such as run.threads auto, is written as the word, as
 * the user would. */
void ag_param_to_json(ag_text *text, const ag_run *run, const ag_param *param)
{
    const void *place = (const char *)run + param->offset;
    switch (param->type) {
    case AG_PARAM_BOOL:
        ag_text_add(text, *(const bool *)place ? "true" : "false");
        break;
    case AG_PARAM_INT:
        if (param->words != NULL && *(const int64_t *)place == 0) {
            ag_json_string(text, param->words[0]);
            break;
        }
        ag_text_printf(text, "%" PRId64, *(const int64_t *)place);
        break;
    case AG_PARAM_STEPS:
    case AG_PARAM_BYTES:
        ag_text_printf(text, "%" PRId64, *(const int64_t *)place);
        break;
    case AG_PARAM_REAL:
    case AG_PARAM_DURATION:
        add_real(text, *(const double *)place);
        break;
    case AG_PARAM_PAIR:
        ag_text_add(text, "[");
        add_real(text, ((const double *)place)[0]);
        ag_text_add(text, ",");
        add_real(text, ((const double *)place)[1]);
        ag_text_add(text, "]");
        break;
    case AG_PARAM_WORD:
        ag_json_string(text, param->words[*(const int64_t *)place]);
        break;
    case AG_PARAM_WORDS:
        add_words(text, param->words, *(const int64_t *)place);
        break;
    case AG_PARAM_TEXT:
    case AG_PARAM_FORMAT:
        ag_json_string(text, *(const char *const *)place);
        break;
    case AG_PARAM_STEP_LIST:
        add_steps(text, place);
        break;
    }
}

/* --- reading */

/* Checked before the value is made a text again: "12" in quotes is no number here, though it would
 * read as one. */
static bool has_type(json_t *value, const ag_param *param)
{
    switch (param->type) {
    case AG_PARAM_BOOL:
        return json_is_boolean(value);
    case AG_PARAM_INT:
        return json_is_number(value) || (param->words != NULL && json_is_string(value));
    case AG_PARAM_STEPS:
    case AG_PARAM_REAL:
    case AG_PARAM_DURATION:
    case AG_PARAM_BYTES:
        return json_is_number(value);
    case AG_PARAM_PAIR:
    case AG_PARAM_WORDS:
    case AG_PARAM_STEP_LIST:
        return json_is_array(value);
    case AG_PARAM_WORD:
    case AG_PARAM_TEXT:
    case AG_PARAM_FORMAT:
        return json_is_string(value);
    }
    return false;
}

/* A scalar as a user would write it. JSON readers differ in how they print a real; ours is the one
 * of the ids. */
static void add_scalar(ag_text *text, json_t *value)
{
    if (json_is_string(value))
        ag_text_add(text, json_string_value(value));
    else if (json_is_integer(value))
        ag_text_printf(text, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_real(value))
        add_real(text, json_real_value(value));
    else
        ag_text_add(text, json_is_true(value) ? "true" : json_is_false(value) ? "false" : "null");
}

static void add_plain(ag_text *text, json_t *value)
{
    if (!json_is_array(value)) {
        add_scalar(text, value);
        return;
    }
    for (size_t i = 0; i < json_array_size(value); i++) {
        ag_text_add(text, i == 0 ? "[" : ", ");
        add_scalar(text, json_array_get(value, i));
    }
    ag_text_add(text, json_array_size(value) == 0 ? "[]" : "]");
}

/* Through the text that a user would write, so that ranges and words are checked in one place. */
ag_status ag_param_from_json(ag_run *run, const ag_param *param, json_t *value, ag_arena *arena)
{
    if (!has_type(value, param)) {
        char expects[256];
        ag_param_expects(expects, sizeof expects, param);
        return ag_fail(AG_ERR_INPUT, "%s: this JSON value has the wrong type: expected %s",
                       param->key, expects);
    }
    ag_text plain;
    ag_text_init(&plain);
    add_plain(&plain, value);
    ag_status status = plain.failed ? ag_fail(AG_ERR_SYSTEM, "out of memory")
                                    : ag_param_set(run, param, plain.data, arena);
    ag_text_deinit(&plain);
    return status;
}

/* --- what the identity holds */

/* Each of these says in which runs a parameter has an effect. A new condition is a function and a
 * row below; without the row, runs that mean the same would have several ids. */
static bool draws_batches(const ag_run *run)
{
    return run->train.data_order == AG_ORDER_RANDOM;
}

static bool has_final_lr(const ag_run *run)
{
    return run->optimizer.schedule != AG_SCHEDULE_CONSTANT;
}

static bool decays_late(const ag_run *run)
{
    return run->optimizer.schedule == AG_SCHEDULE_WSD;
}

static bool has_betas(const ag_run *run)
{
    return ag_optimizer_of(run)->has_betas;
}

static bool has_eps(const ag_run *run)
{
    return ag_optimizer_of(run)->has_variance;
}

static bool decays(const ag_run *run)
{
    return run->optimizer.weight_decay > 0;
}

static bool has_momentum(const ag_run *run)
{
    return !has_betas(run);
}

static bool orthogonalises(const ag_run *run)
{
    return ag_optimizer_of(run)->orthogonalises;
}

static bool counts_rungs(const ag_run *run)
{
    return ag_optimizer_of(run)->fixes_scale;
}

static bool has_ranks(const ag_run *run)
{
    return run->ranks.count > 1;
}

static bool draws_weights(const ag_run *run)
{
    return run->init_digest[0] == '\0' && run->start_digest[0] == '\0';
}

static bool draws_by_std(const ag_run *run)
{
    return draws_weights(run) && run->model.param != AG_PARAMETRISATION_MUS;
}

static bool has_base(const ag_run *run)
{
    return run->model.param != AG_PARAMETRISATION_STANDARD;
}

static bool has_base_head(const ag_run *run)
{
    return run->model.param == AG_PARAMETRISATION_MUP && run->model.attn_scale == 0;
}

/* mup for a model as wide as its base is standard. */
static bool is_parametrised(const ag_run *run)
{
    const ag_model_spec *model = &run->model;
    bool is_wider = model->base_width > 0 && model->base_width != model->n_embd;
    return model->param != AG_PARAMETRISATION_MUP || is_wider ||
           (model->base_head_dim > 0 && model->attn_scale == 0);
}

static bool has_gelu(const ag_run *run)
{
    return run->model.mlp == AG_MLP_GELU;
}

static bool derives_width(const ag_run *run)
{
    return run->model.mlp == AG_MLP_SWIGLU && run->model.mlp_hidden == 0;
}

static bool has_gate(const ag_run *run)
{
    return run->model.mlp == AG_MLP_SWIGLU;
}

static bool has_rope(const ag_run *run)
{
    return run->model.position == AG_POSITION_ROPE;
}

static bool has_norms(const ag_run *run)
{
    return run->model.norm != AG_NORM_NONE;
}

static bool has_qk_norm(const ag_run *run)
{
    return run->model.qk_norm != AG_QK_NORM_NONE;
}

static bool has_any_norm(const ag_run *run)
{
    return has_norms(run) || has_qk_norm(run);
}

static bool has_post_gain(const ag_run *run)
{
    const ag_model_spec *model = &run->model;
    return has_norms(run) && model->norm_affine && model->norm_place != AG_NORM_PRE &&
           draws_weights(run);
}

/* A parameter that other ones may leave without effect. By the parameter's place in the run, since
 * keys may be renamed and places are checked by the compiler. */
typedef struct condition {
    size_t offset;
    bool (*has_effect)(const ag_run *run);
    const char *text; /* why it has none; NULL: only some optimizers read it */
} condition;

#define AT(member) offsetof(ag_run, member)

static const char s_by_rope[] = "only model.position rope reads it";
static const char s_by_norms[] = "model.norm is none";

static const condition s_conditions[] = {
    {AT(model.gelu),                  has_gelu,              "only model.mlp gelu reads it"                },
    {AT(model.mlp_multiple_of),       derives_width,
     "only model.mlp swiglu reads it, where model.mlp_hidden is 0"                                         },
    {AT(model.gate_up),               has_gate,              "only model.mlp swiglu reads it"              },
    {AT(model.rope_theta),            has_rope,              s_by_rope                                     },
    {AT(model.rope_fraction),         has_rope,              s_by_rope                                     },
    {AT(model.norm_eps),              has_any_norm,          "model.norm and model.qk_norm are none"       },
    {AT(model.norm_affine),           has_norms,             s_by_norms                                    },
    {AT(model.norm_place),            has_norms,             s_by_norms                                    },
    {AT(model.final_norm),            has_norms,             s_by_norms                                    },
    {AT(model.post_gain),             has_post_gain,
     "only norms with gains behind a branch start from it (model.norm_place res_post and "
     "sandwich)"                                                                                           },
    {AT(model.qk_gain),               has_qk_norm,           "model.qk_norm is none"                       },
    {AT(model.init_std),              draws_by_std,
     "the initial weights come from model.init.file or train.start, or have a deviation of 1 "
     "(model.param mus)"                                                                                   },
    {AT(model.param),                 is_parametrised,
     "without model.base_width, or with one of n_embd, mup is standard"                                    },
    {AT(model.base_width),            has_base,              "only model.param mup and mus read it"        },
    {AT(model.base_head_dim),         has_base_head,
     "only model.param mup reads it, where model.attn_scale is 0"                                          },
    {AT(model.init_seed),             draws_weights,
     "the initial weights come from model.init.file or train.start"                                        },
    {AT(train.data_seed),             draws_batches,         "only train.data_order random reads it"       },
    {AT(optimizer.min_lr_ratio),      has_final_lr,          "optimizer.schedule constant does not read it"},
    {AT(optimizer.decay_fraction),    decays_late,           "only optimizer.schedule wsd reads it"        },
    {AT(optimizer.independent_decay), decays,                "optimizer.weight_decay is 0"                 },
    {AT(optimizer.betas),             has_betas,             NULL                                          },
    {AT(optimizer.eps),               has_eps,               NULL                                          },
    {AT(optimizer.momentum),          has_momentum,          NULL                                          },
    {AT(optimizer.rung_clip),         counts_rungs,          NULL                                          },
    {AT(optimizer.headroom),          counts_rungs,          NULL                                          },
    {AT(optimizer.store_error),       ag_run_stores_weights, "no site opt.w has a format"                  },
    {AT(optimizer.muon_momentum),     orthogonalises,        NULL                                          },
    {AT(optimizer.muon_nesterov),     orthogonalises,        NULL                                          },
    {AT(optimizer.muon_scale),        orthogonalises,        NULL                                          },
    {AT(optimizer.muon_ns),           orthogonalises,        NULL                                          },
    {AT(optimizer.adamw_lr),          orthogonalises,        NULL                                          },
    {AT(ranks.reduce),                has_ranks,             "ranks.count is 1"                            },
    {AT(ranks.wire),                  has_ranks,             "ranks.count is 1"                            },
};

static const condition *condition_of(const ag_param *param)
{
    for (size_t i = 0; i < sizeof s_conditions / sizeof s_conditions[0]; i++) {
        if (s_conditions[i].offset == param->offset)
            return &s_conditions[i];
    }
    return NULL;
}

bool ag_param_has_effect(const ag_run *run, const ag_param *param)
{
    const condition *needs = condition_of(param);
    return needs == NULL || needs->has_effect(run);
}

/* By trying all of them, so that the table of optimizers alone says what each of them reads. */
static void add_readers(ag_text *text, const condition *needs)
{
    const char *readers[AG_OPTIMIZERS];
    size_t count = 0;
    ag_run run = {0};
    for (int64_t type = 0; type < AG_OPTIMIZERS; type++) {
        run.optimizer.type = type;
        if (needs->has_effect(&run))
            readers[count++] = ag_param_find("optimizer.type")->words[type];
    }
    ag_text_add(text, "only optimizer.type ");
    for (size_t i = 0; i < count; i++)
        ag_text_printf(text, "%s%s", i == 0 ? "" : i + 1 < count ? ", " : " and ", readers[i]);
    ag_text_add(text, count == 1 ? " reads it" : " read it");
}

bool ag_param_condition(ag_text *text, const ag_param *param)
{
    const condition *needs = condition_of(param);
    if (needs == NULL)
        return false;
    if (needs->text != NULL)
        ag_text_add(text, needs->text);
    else
        add_readers(text, needs);
    return true;
}

void ag_param_preset(ag_run *run, const ag_param *param, const char *text)
{
    if (param->type == AG_PARAM_TEXT || param->type == AG_PARAM_FORMAT)
        *ag_param_text_at(run, param) = text;
    else
        (void)ag_param_set(run, param, text, NULL);
}

/* Compared as JSON, since that is what the id is made of: 0.9 and 9e-1 are one text there. A
 * parameter without effect is left out too, as null would be a text that ids of before the key do
 * not have. See docs/invariants.md: this is how a parameter can be added without orphaning every
 * result. */
bool ag_param_is_neutral(const ag_run *run, const ag_param *param)
{
    if (param->neutral == NULL)
        return false;
    if (!ag_param_has_effect(run, param))
        return true;
    ag_run other = *run;
    ag_param_preset(&other, param, param->neutral);
    ag_text ours;
    ag_text neutral;
    ag_text_init(&ours);
    ag_text_init(&neutral);
    ag_param_to_json(&ours, run, param);
    ag_param_to_json(&neutral, &other, param);
    bool same = strcmp(ours.data, neutral.data) == 0;
    ag_text_deinit(&ours);
    ag_text_deinit(&neutral);
    return same;
}

/* What is of the experiment as a whole is in neither. */
static bool is_part(const ag_param *param, ag_section_part part)
{
    if (part == AG_SECTION_PART_IDENTITY)
        return param->use == AG_PARAM_USE_IDENTITY;
    return param->use == AG_PARAM_USE_RUN || param->use == AG_PARAM_USE_DATA;
}

/* Sorted as they come: sections are small, and RFC 8785 wants members by name. */
static void insert_sorted(ag_param_section *section, const ag_param *param, const char *leaf)
{
    size_t i = section->count++;
    for (; i > 0 && strcmp(section->leaves[i - 1], leaf) > 0; i--) {
        section->leaves[i] = section->leaves[i - 1];
        section->params[i] = section->params[i - 1];
    }
    section->leaves[i] = leaf;
    section->params[i] = param;
}

bool ag_param_section_is_neutral(const ag_param_section *section, const ag_run *run)
{
    size_t i = 0;
    while (i < section->count && ag_param_is_neutral(run, section->params[i]))
        i++;
    return i == section->count;
}

void ag_param_section_fill(ag_param_section *section, const char *name, ag_section_part part)
{
    size_t length = strlen(name);
    size_t count = 0;
    const ag_param *params = ag_params(&count);
    section->count = 0;
    for (size_t i = 0; i < count && section->count < AG_SECTION_KEYS; i++) {
        const char *key = params[i].key;
        if (strncmp(key, name, length) == 0 && key[length] == '.' && is_part(&params[i], part))
            insert_sorted(section, &params[i], key + length + 1);
    }
    section->leaves[section->count] = NULL;
}
