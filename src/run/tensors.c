/* The tensors of the model in nanoGPT's names and order. Rows are also numbers of random streams
 * and the order of the weights' digest: a new tensor is a row after the last, and none ever moves.
 */
#include "run/tensors.h"

#include <math.h>
#include <stdio.h>

/* nanoGPT's standard deviation of initial weights; projections into the residual stream are
 * divided by sqrt(2 * n_layer) (Radford et al., "Language models are unsupervised multitask
 * learners", 2.3). */
static const double s_init_std = 0.02;

/* 64 bytes: a cache line, and the widest vector of any engine. Kernels may load whole vectors from
 * a tensor's first element on. */
enum { ALIGNMENT = 16 }; /* elements */

/* Outside of the blocks, before or after; or in each of them. */
typedef enum place { BEFORE, BLOCK, AFTER } place;
typedef enum dim { NONE, V, T, C, C3, C4 } dim;
typedef enum fill { ZEROS, ONES, NORMAL, RESIDUAL } fill;

typedef struct tensor_row {
    ag_tensor_id id;  /* its place in the table */
    const char *name; /* inside its block */
    place where;
    dim dims[2];
    fill init;
    bool is_bias;
} tensor_row;

static const tensor_row s_rows[AG_TENSOR_IDS] = {
    {AG_T_WTE,         "transformer.wte.weight",  BEFORE, {V, C},     NORMAL,   false},
    {AG_T_WPE,         "transformer.wpe.weight",  BEFORE, {T, C},     NORMAL,   false},
    {AG_T_LN_1_W,      "ln_1.weight",             BLOCK,  {C, NONE},  ONES,     false},
    {AG_T_LN_1_B,      "ln_1.bias",               BLOCK,  {C, NONE},  ZEROS,    true },
    {AG_T_C_ATTN_W,    "attn.c_attn.weight",      BLOCK,  {C3, C},    NORMAL,   false},
    {AG_T_C_ATTN_B,    "attn.c_attn.bias",        BLOCK,  {C3, NONE}, ZEROS,    true },
    {AG_T_ATTN_PROJ_W, "attn.c_proj.weight",      BLOCK,  {C, C},     RESIDUAL, false},
    {AG_T_ATTN_PROJ_B, "attn.c_proj.bias",        BLOCK,  {C, NONE},  ZEROS,    true },
    {AG_T_LN_2_W,      "ln_2.weight",             BLOCK,  {C, NONE},  ONES,     false},
    {AG_T_LN_2_B,      "ln_2.bias",               BLOCK,  {C, NONE},  ZEROS,    true },
    {AG_T_C_FC_W,      "mlp.c_fc.weight",         BLOCK,  {C4, C},    NORMAL,   false},
    {AG_T_C_FC_B,      "mlp.c_fc.bias",           BLOCK,  {C4, NONE}, ZEROS,    true },
    {AG_T_MLP_PROJ_W,  "mlp.c_proj.weight",       BLOCK,  {C, C4},    RESIDUAL, false},
    {AG_T_MLP_PROJ_B,  "mlp.c_proj.bias",         BLOCK,  {C, NONE},  ZEROS,    true },
    {AG_T_LN_F_W,      "transformer.ln_f.weight", AFTER,  {C, NONE},  ONES,     false},
    {AG_T_LN_F_B,      "transformer.ln_f.bias",   AFTER,  {C, NONE},  ZEROS,    true },
    {AG_T_LM_HEAD_W,   "lm_head.weight",          AFTER,  {V, C},     NORMAL,   false},
};

/* A tied lm_head has no tensor of its own, and biases are all or none, as in nanoGPT. */
static bool is_present(ag_tensor_id id, const ag_model_spec *model)
{
    if (id == AG_T_LM_HEAD_W)
        return !model->tie_weights;
    return model->bias || !s_rows[id].is_bias;
}

static size_t width(dim which, const ag_model_spec *model, int64_t vocab_size)
{
    size_t channels = (size_t)model->n_embd;
    switch (which) {
    case V:
        return (size_t)vocab_size;
    case T:
        return (size_t)model->block_size;
    case C:
        return channels;
    case C3:
        return 3 * channels;
    case C4:
        return 4 * channels;
    case NONE:
        break;
    }
    return 1;
}

static void set_init(ag_tensor *tensor, fill init, const ag_model_spec *model)
{
    static const ag_init inits[] = {
        [ZEROS] = AG_INIT_ZEROS,
        [ONES] = AG_INIT_ONES,
        [NORMAL] = AG_INIT_NORMAL,
        [RESIDUAL] = AG_INIT_NORMAL,
    };
    tensor->init = inits[init];
    if (init == NORMAL)
        tensor->init_std = s_init_std;
    if (init == RESIDUAL)
        tensor->init_std = s_init_std / sqrt(2.0 * (double)model->n_layer);
}

/* Decay acts on matrices alone, which is nanoGPT's rule too: by the number of dimensions, not by
 * name. */
static void add_tensor(ag_tensor_table *table, ag_tensor_id id, size_t block,
                       const ag_model_spec *model, int64_t vocab_size)
{
    if (!is_present(id, model))
        return;
    const tensor_row *row = &s_rows[id];
    ag_tensor *tensor = &table->rows[table->count++];
    *tensor = (ag_tensor){.id = id, .block = block, .offset = table->total};
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
    table->total += (tensor->count + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static void add_place(ag_tensor_table *table, place where, size_t block, const ag_model_spec *model,
                      int64_t vocab_size)
{
    for (size_t id = 0; id < AG_TENSOR_IDS; id++) {
        if (s_rows[id].where == where)
            add_tensor(table, (ag_tensor_id)id, block, model, vocab_size);
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
