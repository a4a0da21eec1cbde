/* Sites: the places beyond the operands of linear layers where a tensor can be quantised. None is
 * unless a rule names it. A site is routed like a layer, and each of its tensors takes the scheme
 * of one role of its format:
 *
 *   site                                 tensor  role
 *   transformer.h.0.attn.qk              q, k    input         S = Q K^T,
 *                                        ds      grad_output   and its gradient
 *   transformer.h.0.attn.pv              p, v    input         O = P V,
 *                                        do      grad_output   and its gradient
 *   transformer.h.0.residual             attn    input         the stream, attention added
 *                                        mlp     input         the stream, the MLP added too
 *   transformer.h.0.attn.c_attn.wgrad    dw      grad_output   the product dW of each micro-batch
 *   transformer.h.0.attn.c_attn.opt.m    m       weight        Adam's first moment, SGD's velocity
 *   transformer.h.0.attn.c_attn.opt.v    sqrt_v  weight        the root of Adam's second moment
 *   transformer.h.0.attn.c_attn.opt.w    w       weight        the weights, with no master
 *   transformer.wpe.opt.w, .wte.opt.w    w       weight        those of the embeddings
 *   transformer.h.0.ln_1.gain            gain    weight        a norm's gains: also of ln_2,
 *                                                              ln_1_post, ln_2_post, attn.q_norm,
 *                                                              attn.k_norm and transformer.ln_f
 *
 * P is quantised as it meets V, after dropout; all are quantised from float32 as they are (q, k, v
 * and do are BF16 values already). P and dS have zeros above the diagonal, which counters count. */
#ifndef AG_RUN_SITES_H
#define AG_RUN_SITES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "numerics/groups.h"
#include "run/layers.h"
#include "run/run.h"
#include "run/tensors.h"

enum { AG_SITES_PER_LINEAR = 4, AG_SITE_TENSORS = 3, AG_MOST_EMBEDDINGS = 2 };

/* The kinds of linear layers that a block may have, [AG_BLOCK_KINDS], in the order of their names,
 * which is that of their sites. */
enum { AG_BLOCK_KINDS = AG_LINEAR_KINDS - 1 };
ag_linear_kind ag_layer_kind_by_name(size_t i);

typedef enum ag_site_kind {
    AG_SITE_OPT_M, /* of a linear layer */
    AG_SITE_OPT_V,
    AG_SITE_OPT_W, /* of an embedding too */
    AG_SITE_WGRAD,
    AG_SITE_PV, /* of a block, from here on: in the forward pass */
    AG_SITE_QK,
    AG_SITE_RESIDUAL,
    AG_SITE_GAIN, /* of a norm, of which a block has several or none */
    AG_SITE_KINDS
} ag_site_kind;

/* A tensor of a site. */
typedef struct ag_site_tensor {
    const char *name; /* "q" */
    ag_role role;     /* whose scheme it takes */
    uint32_t part;    /* its part of the site's slot (streams.h), */
    uint32_t use;     /* and its first use there */
    bool is_float32;  /* its values are no BF16's, so that BF16 is a format like others */
    ag_sum sum; /* the axis that its first product sums over; the second takes the other one */
    const char *uses[AG_USES]; /* "q.scores", "q.dk": its products; NULL where it is one tensor */
} ag_site_tensor;

typedef struct ag_site {
    char name[AG_LAYER_NAME_SIZE];
    ag_site_kind kind;
    size_t block; /* of the transformer; n_layer for those of lm_head and embeddings */
    size_t layer; /* index of the linear layer; of the block's first for a site of the block */
    ag_tensor_id weight; /* of the layer, embedding or norm; lm_head's, also where tied */
    uint32_t place;      /* the place of its part 0 (streams.h) */
    size_t n_tensors;
    const ag_site_tensor *tensors;
} ag_site;

/* Four of each linear layer, three of each block, one of each embedding and of each norm that has
 * gains. */
size_t ag_block_sites(const ag_model_spec *model);
size_t ag_site_count(const ag_model_spec *model);

/* Whether layers and sites of both models have the same numbers and names. */
bool ag_have_same_layers(const ag_model_spec *a, const ag_model_spec *b);

/* Site `index`: block by block, within a block in the order of the names, then lm_head's, then that
 * of the last norm and the embeddings'. */
ag_site ag_site_at(const ag_model_spec *model, size_t index);

/* The index of the site of a kind at linear layer `layer`, or in the block of that layer; no
 * gain's, of which a block has several. */
size_t ag_site_index(const ag_model_spec *model, ag_site_kind kind, size_t layer);

static inline bool ag_site_is_of_head(const ag_model_spec *model, const ag_site *site)
{
    return site->block == (size_t)model->n_layer && site->weight == AG_T_LM_HEAD_W;
}

/* "attn.qk", "opt.m": how the names of a kind end. */
const char *ag_site_ending(ag_site_kind kind);

/* What of a format a site of that kind uses: the schemes of its tensors' roles, all else null. */
ag_layer_precision ag_site_precision(ag_site_kind kind, const ag_layer_precision *format);

/* Whether a scheme that `precision` (from ag_site_precision) holds is not null. */
bool ag_site_is_on(const ag_layer_precision *precision);

/* Whether the run's result can depend on sites of that kind, of lm_head or of others. Those that
 * have no effect are null in every run, so that runs which mean the same have the same id. */
bool ag_site_has_effect(const ag_run *run, ag_site_kind kind, bool of_head);

/* AG_ERR_INPUT, with what is meant to be used instead, for what no site can have. */
ag_status ag_site_check(ag_site_kind kind, const ag_layer_precision *precision);

/* Whether sites of that kind came after patterns were in use that match them too: only a pattern
 * that matches no other site names one. */
bool ag_site_is_late(ag_site_kind kind);

/* Whether some weights are stored in a format of their own, without a float32 master. */
bool ag_run_stores_weights(const ag_run *run);

#endif
