/* The linear layers of the model: some in each block, then lm_head. Names are nanoGPT's, whatever
 * the block, so that a rule for attn or mlp.c_proj means the same in all. */
#ifndef AG_RUN_LAYERS_H
#define AG_RUN_LAYERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "run/run.h"

enum { AG_MOST_LINEARS = 7, AG_LAYER_NAME_SIZE = 48 }; /* in a block */

typedef enum ag_linear_kind {
    AG_LINEAR_C_ATTN, /* queries, keys and values; or */
    AG_LINEAR_ATTN_C_PROJ,
    AG_LINEAR_C_FC,
    AG_LINEAR_MLP_C_PROJ,
    AG_LINEAR_LM_HEAD,
    AG_LINEAR_C_Q, /* one each */
    AG_LINEAR_C_K,
    AG_LINEAR_C_V,
    AG_LINEAR_C_GATE, /* of swiglu; c_fc is then what it gates */
    AG_LINEAR_KINDS
} ag_linear_kind;

typedef struct ag_layer {
    char name[AG_LAYER_NAME_SIZE]; /* "transformer.h.0.attn.c_attn" */
    ag_linear_kind kind;
    size_t block;   /* of the transformer; n_layer for lm_head */
    size_t inputs;  /* C of in [N, C] */
    size_t outputs; /* OC of weight [OC, C] */
    double alpha;   /* what multiplies its products (parametrisation.h) */
    uint32_t place; /* the place of its role 0 (streams.h) */
} ag_layer;

/* "attn.c_attn": what follows the block in a name. */
const char *ag_layer_kind_name(ag_linear_kind kind);

bool ag_block_has(const ag_model_spec *model, ag_linear_kind kind);

/* The layers of a block; bit k: it has kind k. Models of one form have layers of the same names. */
size_t ag_block_linears(const ag_model_spec *model);
uint32_t ag_block_form(const ag_model_spec *model);

/* Those of all blocks, and lm_head. */
size_t ag_layer_count(const ag_model_spec *model);

/* The index of a kind that the model has; of lm_head whatever the block. */
size_t ag_layer_index(const ag_model_spec *model, ag_linear_kind kind, size_t block);

/* Layer `index` in the order of the forward pass. `vocab_size` gives lm_head its outputs. */
ag_layer ag_layer_at(const ag_model_spec *model, int64_t vocab_size, size_t index);

/* AG_ERR_INPUT, with what is meant to be used instead, for what only another layer or model can
 * have. */
ag_status ag_layer_check(const ag_model_spec *model, const ag_layer *layer,
                         const ag_layer_precision *precision);

/* The scheme on whose grid an optimizer finds the weights of layer `index`: that of the weights in
 * fprop. NULL where they are not quantised; also for an lm_head that is tied, whose weights are the
 * token embedding's, which is never quantised. Borrowed from the run. */
const ag_scheme *ag_layer_grid(const ag_run *run, size_t index);

#endif
