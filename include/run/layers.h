/* The linear layers of the model, by nanoGPT's names: four a block, then lm_head. */
#ifndef AG_RUN_LAYERS_H
#define AG_RUN_LAYERS_H

#include <stddef.h>
#include <stdint.h>

#include "run/run.h"

enum { AG_LINEARS_PER_BLOCK = 4, AG_LAYER_NAME_SIZE = 48 };

typedef enum ag_linear_kind {
    AG_LINEAR_C_ATTN,
    AG_LINEAR_ATTN_C_PROJ,
    AG_LINEAR_C_FC,
    AG_LINEAR_MLP_C_PROJ,
    AG_LINEAR_LM_HEAD
} ag_linear_kind;

typedef struct ag_layer {
    char name[AG_LAYER_NAME_SIZE]; /* "transformer.h.0.attn.c_attn" */
    ag_linear_kind kind;
    size_t block;   /* of the transformer; n_layer for lm_head */
    size_t inputs;  /* C of in [N, C] */
    size_t outputs; /* OC of weight [OC, C] */
    uint32_t site;  /* the place of its role 0 (streams.h) */
} ag_layer;

/* 4 * n_layer + 1. */
size_t ag_layer_count(const ag_model_spec *model);

/* Layer `index` in the order of the forward pass. `vocab_size` gives lm_head its outputs. */
ag_layer ag_layer_at(const ag_model_spec *model, int64_t vocab_size, size_t index);

/* The scheme on whose grid an optimizer finds the weights of layer `index`: that of the weights in
 * fprop. NULL where they are not quantised; also for an lm_head that is tied, whose weights are the
 * token embedding's, which is never quantised. Borrowed from the run. */
const ag_scheme *ag_layer_grid(const ag_run *run, size_t index);

#endif
