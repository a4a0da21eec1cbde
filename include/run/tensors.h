/* The one list of the model's parameters: it feeds allocation, init, optimizer, checkpoint and
 * HDF5. Names and shapes are nanoGPT's. */
#ifndef AG_RUN_TENSORS_H
#define AG_RUN_TENSORS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/status.h"
#include "run/layers.h"
#include "run/run.h"

typedef enum ag_init { AG_INIT_ZEROS, AG_INIT_GAIN, AG_INIT_NORMAL } ag_init;

/* A tensor's number in random words (streams.h), so they never change: new ones come last. The
 * order of the table is another. */
typedef enum ag_tensor_id {
    AG_T_WTE,
    AG_T_WPE,
    AG_T_LN_1_W,
    AG_T_LN_1_B,
    AG_T_C_ATTN_W,
    AG_T_C_ATTN_B,
    AG_T_ATTN_PROJ_W,
    AG_T_ATTN_PROJ_B,
    AG_T_LN_2_W,
    AG_T_LN_2_B,
    AG_T_C_FC_W,
    AG_T_C_FC_B,
    AG_T_MLP_PROJ_W,
    AG_T_MLP_PROJ_B,
    AG_T_LN_F_W,
    AG_T_LN_F_B,
    AG_T_LM_HEAD_W, /* absent where tied: lm_head then uses AG_T_WTE */
    AG_T_C_Q_W,
    AG_T_C_Q_B,
    AG_T_C_K_W,
    AG_T_C_K_B,
    AG_T_C_V_W,
    AG_T_C_V_B,
    AG_T_Q_NORM_W,
    AG_T_K_NORM_W,
    AG_T_LN_1_POST_W,
    AG_T_LN_1_POST_B,
    AG_T_C_GATE_W,
    AG_T_C_GATE_B,
    AG_T_LN_2_POST_W,
    AG_T_LN_2_POST_B,
    AG_TENSOR_IDS
} ag_tensor_id;

typedef struct ag_tensor {
    char name[64]; /* "transformer.h.0.attn.c_attn.weight" */
    ag_tensor_id id;
    size_t block; /* of the transformer; 0 for those outside */
    size_t dims[2];
    size_t n_dims; /* 1 or 2 */
    size_t count;  /* elements */
    size_t offset; /* of its first element, in elements from the start of all parameters */
    ag_init init;
    double init_gain;     /* AG_INIT_GAIN: the value of all elements */
    double init_std;      /* AG_INIT_NORMAL: the deviation, */
    ag_tensor_id init_id; /* and whose random words begin it, */
    size_t init_first;    /* from this element on; */
    size_t init_count;    /* after so many its own follow, from their first on */
    bool decayed;         /* weight decay acts on it: 2-D tensors only */
    double lr_factor;     /* of the learning rate, but not of decay */
} ag_tensor;

typedef struct ag_tensor_table {
    size_t count;
    ag_tensor *rows; /* in the order of the weights digest; in the arena */
    size_t total;    /* elements of all tensors, each offset a multiple of 16 elements */
} ag_tensor_table;

/* Weight and bias of each kind of linear layer; lm_head has no bias (AG_TENSOR_IDS). */
extern const ag_tensor_id ag_linear_tensors[AG_LINEAR_KINDS][2];

/* The parameters of a model. */
ag_status ag_tensor_table_make(ag_tensor_table *table, const ag_model_spec *model,
                               int64_t vocab_size, ag_arena *arena);

/* Whether the model has it, in each block or once. */
bool ag_tensor_is_present(const ag_model_spec *model, ag_tensor_id id);

/* The row of (id, block), or NULL where the model has none. */
const ag_tensor *ag_tensor_find(const ag_tensor_table *table, ag_tensor_id id, size_t block);

enum { AG_MOST_PARTS = 3 };

/* The rows of the layers that a block's weight is made of: those for queries, keys and values of a
 * c_attn, for gate and up of a c_fc that has both, else all. Returns how many; 0 for tensors that
 * are no linear layer's, and lm_head's. */
size_t ag_tensor_parts(size_t rows[AG_MOST_PARTS], const ag_model_spec *model,
                       const ag_tensor *tensor);

/* Number of parameters (without alignment). */
size_t ag_tensor_parameters(const ag_tensor_table *table);

#endif
