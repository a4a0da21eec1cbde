/* The tensors of the model in nanoGPT's names and order, which is that of the weights' digest, and
 * what later blocks have beside them. Ids are numbers of random streams: a new tensor has the one
 * after the last, whatever its place in the table, and none ever changes. */
#include "run/tensors.h"

#include <stdio.h>

#include "run/layers.h"
#include "run/model_spec.h"
#include "run/parametrisation.h"

/* 64 bytes: a cache line, and the widest vector of any engine. Kernels may load whole vectors from
 * a tensor's first element on. */
enum { ALIGNMENT = 16 }; /* elements */

/* Outside of the blocks, before or after; or in each of them. */
typedef enum place { BEFORE, BLOCK, AFTER } place;
typedef enum dim { NONE, V, T, C, A, KD, A2KD, F, FC, Q_GAIN, K_GAIN } dim;

/* How it starts; the last four are normal, by their ag_class. */
typedef enum fill { ZEROS, ONES, POST_GAIN, EMBEDDING, HIDDEN, RESIDUAL, HEAD } fill;

/* What a model must have for it. */
typedef enum need {
    ALWAYS,
    TABLE, /* of positions */
    PRE_NORM,
    POST_NORM,
    LAST_NORM,
    FUSED,
    SPLIT,
    QK_GAIN,
    GATE,
    UNTIED
} need;

typedef struct tensor_row {
    ag_tensor_id id;
    const char *name; /* inside its block */
    place where;
    dim dims[2];
    fill init;
    need need;
    bool is_bias;
} tensor_row;

/* In the order of the table. */
static const tensor_row s_rows[AG_TENSOR_IDS] = {
    {AG_T_WTE,         "transformer.wte.weight",  BEFORE, {V, C},         EMBEDDING, ALWAYS,    false},
    {AG_T_WPE,         "transformer.wpe.weight",  BEFORE, {T, C},         EMBEDDING, TABLE,     false},
    {AG_T_LN_1_W,      "ln_1.weight",             BLOCK,  {C, NONE},      ONES,      PRE_NORM,  false},
    {AG_T_LN_1_B,      "ln_1.bias",               BLOCK,  {C, NONE},      ZEROS,     PRE_NORM,  true },
    {AG_T_C_ATTN_W,    "attn.c_attn.weight",      BLOCK,  {A2KD, C},      HIDDEN,    FUSED,     false},
    {AG_T_C_ATTN_B,    "attn.c_attn.bias",        BLOCK,  {A2KD, NONE},   ZEROS,     FUSED,     true },
    {AG_T_C_Q_W,       "attn.c_q.weight",         BLOCK,  {A, C},         HIDDEN,    SPLIT,     false},
    {AG_T_C_Q_B,       "attn.c_q.bias",           BLOCK,  {A, NONE},      ZEROS,     SPLIT,     true },
    {AG_T_C_K_W,       "attn.c_k.weight",         BLOCK,  {KD, C},        HIDDEN,    SPLIT,     false},
    {AG_T_C_K_B,       "attn.c_k.bias",           BLOCK,  {KD, NONE},     ZEROS,     SPLIT,     true },
    {AG_T_C_V_W,       "attn.c_v.weight",         BLOCK,  {KD, C},        HIDDEN,    SPLIT,     false},
    {AG_T_C_V_B,       "attn.c_v.bias",           BLOCK,  {KD, NONE},     ZEROS,     SPLIT,     true },
    {AG_T_Q_NORM_W,    "attn.q_norm.weight",      BLOCK,  {Q_GAIN, NONE}, ONES,      QK_GAIN,   false},
    {AG_T_K_NORM_W,    "attn.k_norm.weight",      BLOCK,  {K_GAIN, NONE}, ONES,      QK_GAIN,   false},
    {AG_T_ATTN_PROJ_W, "attn.c_proj.weight",      BLOCK,  {C, A},         RESIDUAL,  ALWAYS,    false},
    {AG_T_ATTN_PROJ_B, "attn.c_proj.bias",        BLOCK,  {C, NONE},      ZEROS,     ALWAYS,    true },
    {AG_T_LN_1_POST_W, "ln_1_post.weight",        BLOCK,  {C, NONE},      POST_GAIN, POST_NORM, false},
    {AG_T_LN_1_POST_B, "ln_1_post.bias",          BLOCK,  {C, NONE},      ZEROS,     POST_NORM, true },
    {AG_T_LN_2_W,      "ln_2.weight",             BLOCK,  {C, NONE},      ONES,      PRE_NORM,  false},
    {AG_T_LN_2_B,      "ln_2.bias",               BLOCK,  {C, NONE},      ZEROS,     PRE_NORM,  true },
    {AG_T_C_GATE_W,    "mlp.c_gate.weight",       BLOCK,  {F, C},         HIDDEN,    GATE,      false},
    {AG_T_C_GATE_B,    "mlp.c_gate.bias",         BLOCK,  {F, NONE},      ZEROS,     GATE,      true },
    {AG_T_C_FC_W,      "mlp.c_fc.weight",         BLOCK,  {FC, C},        HIDDEN,    ALWAYS,    false},
    {AG_T_C_FC_B,      "mlp.c_fc.bias",           BLOCK,  {FC, NONE},     ZEROS,     ALWAYS,    true },
    {AG_T_MLP_PROJ_W,  "mlp.c_proj.weight",       BLOCK,  {C, F},         RESIDUAL,  ALWAYS,    false},
    {AG_T_MLP_PROJ_B,  "mlp.c_proj.bias",         BLOCK,  {C, NONE},      ZEROS,     ALWAYS,    true },
    {AG_T_LN_2_POST_W, "ln_2_post.weight",        BLOCK,  {C, NONE},      POST_GAIN, POST_NORM, false},
    {AG_T_LN_2_POST_B, "ln_2_post.bias",          BLOCK,  {C, NONE},      ZEROS,     POST_NORM, true },
    {AG_T_LN_F_W,      "transformer.ln_f.weight", AFTER,  {C, NONE},      ONES,      LAST_NORM, false},
    {AG_T_LN_F_B,      "transformer.ln_f.bias",   AFTER,  {C, NONE},      ZEROS,     LAST_NORM, true },
    {AG_T_LM_HEAD_W,   "lm_head.weight",          AFTER,  {V, C},         HEAD,      UNTIED,    false},
};

const ag_tensor_id ag_linear_tensors[AG_LINEAR_KINDS][2] = {
    [AG_LINEAR_C_ATTN] = {AG_T_C_ATTN_W,    AG_T_C_ATTN_B   },
    [AG_LINEAR_C_Q] = {AG_T_C_Q_W,       AG_T_C_Q_B      },
    [AG_LINEAR_C_K] = {AG_T_C_K_W,       AG_T_C_K_B      },
    [AG_LINEAR_C_V] = {AG_T_C_V_W,       AG_T_C_V_B      },
    [AG_LINEAR_ATTN_C_PROJ] = {AG_T_ATTN_PROJ_W, AG_T_ATTN_PROJ_B},
    [AG_LINEAR_C_GATE] = {AG_T_C_GATE_W,    AG_T_C_GATE_B   },
    [AG_LINEAR_C_FC] = {AG_T_C_FC_W,      AG_T_C_FC_B     },
    [AG_LINEAR_MLP_C_PROJ] = {AG_T_MLP_PROJ_W,  AG_T_MLP_PROJ_B },
    [AG_LINEAR_LM_HEAD] = {AG_T_LM_HEAD_W,   AG_TENSOR_IDS   },
};

/* Norms in the table are those with gains; only layernorms have biases. */
static bool has_norms(const ag_model_spec *model, bool is_bias)
{
    return model->norm_affine && model->norm != AG_NORM_NONE &&
           (!is_bias || model->norm == AG_NORM_LAYERNORM);
}

static bool is_present(const tensor_row *row, const ag_model_spec *model)
{
    if (row->is_bias && !model->bias)
        return false;
    switch (row->need) {
    case TABLE:
        return model->position == AG_POSITION_LEARNED;
    case PRE_NORM:
        return has_norms(model, row->is_bias) && model->norm_place != AG_NORM_RES_POST;
    case POST_NORM:
        return has_norms(model, row->is_bias) && model->norm_place != AG_NORM_PRE;
    case LAST_NORM:
        return has_norms(model, row->is_bias) && model->final_norm;
    case FUSED:
        return ag_block_has(model, AG_LINEAR_C_ATTN);
    case SPLIT:
        return ag_block_has(model, AG_LINEAR_C_Q);
    case QK_GAIN:
        return model->qk_norm != AG_QK_NORM_NONE && model->qk_gain;
    case GATE:
        return ag_block_has(model, AG_LINEAR_C_GATE);
    case UNTIED:
        return !model->tie_weights;
    case ALWAYS:
        break;
    }
    return true;
}

bool ag_tensor_is_present(const ag_model_spec *model, ag_tensor_id id)
{
    for (size_t i = 0; i < AG_TENSOR_IDS; i++) {
        if (s_rows[i].id == id)
            return is_present(&s_rows[i], model);
    }
    return false;
}

/* NONE counts as 1, so that a vector's elements are a product like a matrix's. */
static size_t width(dim which, const ag_model_spec *model, int64_t vocab_size)
{
    ag_sizes sizes = ag_sizes_of(model);
    bool is_full = model->qk_norm == AG_QK_NORM_FULL;
    const size_t widths[] = {
        [NONE] = 1,
        [V] = (size_t)vocab_size,
        [T] = sizes.T,
        [C] = sizes.C,
        [A] = ag_query_width(&sizes),
        [KD] = ag_key_width(&sizes),
        [A2KD] = ag_query_width(&sizes) + 2 * ag_key_width(&sizes),
        [F] = sizes.F,
        [FC] = sizes.fc,
        [Q_GAIN] = is_full ? ag_query_width(&sizes) : sizes.D,
        [K_GAIN] = is_full ? ag_key_width(&sizes) : sizes.D,
    };
    return widths[which];
}

/* As nanoGPT's _init_weights: norms begin as the identity, biases at 0. */
static void set_init(ag_tensor *tensor, fill init, const ag_model_spec *model)
{
    bool is_matrix = init >= EMBEDDING;
    ag_class which = is_matrix ? (ag_class)(init - EMBEDDING) : AG_CLASS_EMBEDDING;
    tensor->init = is_matrix ? AG_INIT_NORMAL : init == ZEROS ? AG_INIT_ZEROS : AG_INIT_GAIN;
    tensor->lr_factor = is_matrix ? ag_class_lr(model, which) : 1.0;
    if (tensor->init == AG_INIT_GAIN)
        tensor->init_gain = init == POST_GAIN ? model->post_gain : 1.0;
    if (is_matrix)
        tensor->init_std = ag_class_std(model, which);
}

/* c_q, c_k and c_v start as the parts of c_attn do; the parts of c_fc that has swiglu's gate, as
 * c_gate and as c_fc alone. */
static void set_words(ag_tensor *tensor, const ag_model_spec *model)
{
    ag_sizes sizes = ag_sizes_of(model);
    size_t queries = ag_query_width(&sizes) * sizes.C;
    size_t keys = ag_key_width(&sizes) * sizes.C;
    bool is_part = tensor->id == AG_T_C_Q_W || tensor->id == AG_T_C_K_W || tensor->id == AG_T_C_V_W;
    bool has_gate = tensor->id == AG_T_C_FC_W && ag_fuses_gate(model);
    tensor->init_id = is_part ? AG_T_C_ATTN_W : has_gate ? AG_T_C_GATE_W : tensor->id;
    tensor->init_count = has_gate ? sizes.F * sizes.C : tensor->count;
    if (tensor->id == AG_T_C_K_W)
        tensor->init_first = queries;
    if (tensor->id == AG_T_C_V_W)
        tensor->init_first = queries + keys;
}

/* Decay acts on matrices alone, which is nanoGPT's rule too: by the number of dimensions, not by
 * name. */
static void add_tensor(ag_tensor_table *table, const tensor_row *row, size_t block,
                       const ag_model_spec *model, int64_t vocab_size)
{
    if (!is_present(row, model))
        return;
    ag_tensor *tensor = &table->rows[table->count++];
    *tensor = (ag_tensor){.id = row->id, .block = block, .offset = table->total};
    if (row->where == BLOCK)
        snprintf(tensor->name, sizeof tensor->name, "transformer.h.%zu.%s", block, row->name);
    else
        snprintf(tensor->name, sizeof tensor->name, "%s", row->name);
    for (size_t i = 0; i < 2; i++)
        tensor->dims[i] = width(row->dims[i], model, vocab_size);
    tensor->n_dims = row->dims[1] == NONE ? 1 : 2;
    tensor->count = tensor->dims[0] * tensor->dims[1];
    tensor->decayed = tensor->n_dims == 2;
    set_init(tensor, row->init, model);
    set_words(tensor, model);
    table->total += (tensor->count + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

/* In the order of the table, whatever the order of enum values may become. */
static void add_place(ag_tensor_table *table, place where, size_t block, const ag_model_spec *model,
                      int64_t vocab_size)
{
    for (size_t i = 0; i < AG_TENSOR_IDS; i++) {
        if (s_rows[i].where == where)
            add_tensor(table, &s_rows[i], block, model, vocab_size);
    }
}

ag_status ag_tensor_table_make(ag_tensor_table *table, const ag_model_spec *model,
                               int64_t vocab_size, ag_arena *arena)
{
    size_t blocks = (size_t)model->n_layer;
    size_t capacity = AG_TENSOR_IDS * (blocks + 1);
    *table = (ag_tensor_table){.rows = ag_arena_alloc(arena, capacity * sizeof *table->rows)};
    if (table->rows == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory for the table of %zu tensors", capacity);
    add_place(table, BEFORE, 0, model, vocab_size);
    for (size_t block = 0; block < blocks; block++)
        add_place(table, BLOCK, block, model, vocab_size);
    add_place(table, AFTER, 0, model, vocab_size);
    return AG_OK;
}

const ag_tensor *ag_tensor_find(const ag_tensor_table *table, ag_tensor_id id, size_t block)
{
    for (size_t i = 0; i < table->count; i++) {
        if (table->rows[i].id == id && table->rows[i].block == block)
            return &table->rows[i];
    }
    return NULL;
}

size_t ag_tensor_parameters(const ag_tensor_table *table)
{
    size_t count = 0;
    for (size_t i = 0; i < table->count; i++)
        count += table->rows[i].count;
    return count;
}

static bool is_weight_in_block(ag_tensor_id id)
{
    for (size_t kind = 0; kind < AG_LINEAR_KINDS; kind++) {
        if (kind != AG_LINEAR_LM_HEAD && ag_linear_tensors[kind][0] == id)
            return true;
    }
    return false;
}

size_t ag_tensor_parts(size_t rows[AG_MOST_PARTS], const ag_model_spec *model,
                       const ag_tensor *tensor)
{
    if (!is_weight_in_block(tensor->id))
        return 0;
    ag_sizes sizes = ag_sizes_of(model);
    rows[0] = tensor->dims[0];
    if (tensor->id == AG_T_C_FC_W && ag_fuses_gate(model)) {
        rows[0] = rows[1] = sizes.F;
        return 2;
    }
    if (tensor->id != AG_T_C_ATTN_W)
        return 1;
    rows[0] = ag_query_width(&sizes);
    rows[1] = rows[2] = ag_key_width(&sizes);
    return 3;
}
