/* What follows from the keys of a model: its sizes, its one form in an id, and what contradicts
 * itself. */
#ifndef AG_RUN_MODEL_SPEC_H
#define AG_RUN_MODEL_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "run/run.h"

typedef struct ag_sizes {
    size_t L;      /* blocks */
    size_t T;      /* tokens of a window */
    size_t C;      /* channels of the residual stream */
    size_t H;      /* query heads, */
    size_t K;      /* and heads of keys and values; query head i reads head i / (H / K) */
    size_t D;      /* channels of a head */
    size_t F;      /* hidden channels of the MLP, */
    size_t fc;     /* and results of mlp.c_fc: F, or 2 F where it makes swiglu's gate too */
    size_t turned; /* channels of a head that rope turns: the first, an even number; 0 without */
} ag_sizes;

/* Of a model that ag_spec_check passes. */
ag_sizes ag_sizes_of(const ag_model_spec *model);

/* Whether swiglu's gate and up are rows of one layer, mlp.c_fc, the gate first. */
bool ag_fuses_gate(const ag_model_spec *model);

/* Channels of all queries, side by side; and of all keys. */
static inline size_t ag_query_width(const ag_sizes *sizes)
{
    return sizes->H * sizes->D;
}

static inline size_t ag_key_width(const ag_sizes *sizes)
{
    return sizes->K * sizes->D;
}

/* Whether models have the same tensors, and do the same work with them. */
bool ag_spec_same_shape(const ag_model_spec *a, const ag_model_spec *b);

/* The product of q and k times this meets the softmax. */
float ag_spec_attn_scale(const ag_model_spec *model);

/* Models that mean the same become the same: derived sizes in place of the keys that derive them,
 * 0 where they are what GPT-2's block has anyway. */
void ag_spec_resolve(ag_model_spec *model);

/* AG_ERR_INPUT where keys contradict each other. */
ag_status ag_spec_check(const ag_model_spec *model);

#endif
