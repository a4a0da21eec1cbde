/* The transformer: forward, backward, and its memory. */
#ifndef AG_TRAIN_MODEL_H
#define AG_TRAIN_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attention.h"
#include "linear.h"
#include "run/model_spec.h"
#include "train_state.h"

typedef struct ag_norm {
    bool on;                  /* false: the model has none here */
    ag_norm_form form;        /* its weight is what the forward pass reads: */
    const float *gain;        /* the gains, or */
    ag_site_operands *stored; /* where a format has them, */
    float *held;              /* [gains] what it leaves of them; else both are NULL */
    size_t gains;             /* 0: all are 1 */
    float *dweight;           /* or NULL, as in form */
    float *dbias;
    float *mean; /* of each row */
    float *rstd;
} ag_norm;

/* What a branch of a block adds to the stream, and how: f is attention or the MLP.
 *
 *   out = skip x + scale ln_post(drop(projection(f(ln(x)))))
 */
typedef struct ag_branch {
    ag_norm ln;
    ag_linear *projection;
    float *added; /* [N, C]: what ln_post reads; NULL without it */
    ag_norm ln_post;
} ag_branch;

typedef struct ag_block {
    size_t index;
    ag_linear linears[AG_LINEAR_KINDS]; /* those that the model has */
    float *x;                           /* [N, C] residual stream: at the block's start, */
    ag_branch attn;
    float *qkv;         /* [N, W]: q, k, v of all heads side by side, as attention reads them */
    ag_norm qk_norm[2]; /* of q and k */
    float *raw[2];      /* [N, H D], [N, K D]: what these read; NULL without */
    float *probs;       /* [B, H, T, T] */
    float *x_mid;       /* between attention and MLP, */
    ag_branch mlp;
    float *hidden; /* [N, F]: of c_fc, */
    float *gate;   /* and of c_gate, or NULL; or both of c_fc, [N, 2 F], the gate first */
    float *x_end;  /* and at its end: the next block's x, or the model's x_end */
    ag_attention attention;
    ag_site_operands *residual; /* [2]: of x_mid, of x_end; NULL where off */
} ag_block;

typedef struct ag_model {
    const ag_kernels *k;
    const ag_model_spec *spec;
    size_t B; /* the most sequences of a pass */
    size_t T, C, H, V, L;
    size_t K, D, W, F;    /* W = (H + 2 K) D */
    float attn_scale;     /* of the scores */
    ag_rotation turn;     /* of rope; half 0 without */
    bool has_logits_form; /* logits are more than the last layer's results */
    ag_logits_form logits_form;
    size_t n_kinds; /* of linear layers in a block, in the order of the forward pass */
    ag_linear_kind kinds[AG_MOST_LINEARS];
    ag_train_state *state;
    float *grads;     /* [tensors.total] */
    size_t wte;       /* offsets into weights and grads */
    const float *wpe; /* [T, C], or NULL without */
    float *dwpe;
    ag_block *blocks; /* [L] */
    float *x_end;     /* [N, C] */
    ag_norm ln_f;
    ag_linear lm_head;
    uint32_t *room[2]; /* of the pairs of a linear product's operands */
    ag_codes codes[2]; /* of activations and gradients, along and across, until their next */
    ag_scales scales;  /* of the operand made last; large enough for any: */
    size_t n_groups;   /* that many */
    float *channels;   /* [F]: s of what a swiglu's gate multiplies, in the block at work, as its
                          c_proj may want it; [2 F] of gate and up where one layer makes both;
                          NULL where none does */
    float *logits;     /* [N, V] */
    float *losses;     /* [N] */
    float *attention_scratch;
    float *dx;               /* [N, C]: of the residual stream */
    float *dbranch;          /* [N, C]: of what a branch adds to it, or takes from it */
    float *dshare;           /* [N, C]: of one of several layers that share an input; or NULL */
    float *dhidden;          /* [N, F] or [N, H D] */
    float *dgate;            /* as a block's gate, or NULL */
    float *dqkv;             /* [N, W] */
    float *apart[2];         /* [N, H D]: q, k or v alone, on the way; or NULL */
    size_t n_sites;          /* their tensors; 0 where no site is on */
    ag_site_operands *sites; /* [n_sites]: site by site */
    ag_scales site_scales;   /* of the site's operand made last */
    ag_attention_space attention_space;
} ag_model;

typedef struct ag_tokens {
    int32_t *inputs;  /* [B, T] */
    int32_t *targets; /* [B, T] */
} ag_tokens;

/* model->logits of the pass's sequences. */
void ag_model_forward(ag_model *model, const ag_tokens *tokens, const ag_pass *pass);

/* model->losses from the logits, which stay: the cross-entropy alone, whatever is minimised. */
void ag_model_losses(ag_model *model, const ag_tokens *tokens, const ag_pass *pass);

/* model->grads are zero. Those of the blocks' weights are so when the next backward pass is over:
 * it writes them where it would add to them. */
void ag_model_clear_gradients(ag_model *model);

/* model->losses and model->grads += the gradient of loss_scale * sum(losses), z_loss added to each.
 * Follows the forward pass of the same sequences and overwrites what that left. */
void ag_model_backward(ag_model *model, const ag_tokens *tokens, const ag_pass *pass);

/* After an update of the weights: the moments become what their stores keep of them. */
void ag_model_store_moments(ag_model *model, const ag_pass *pass);

/* Where those of up begin in model->channels. */
const float *ag_model_channels(const ag_model *model);

/* After a rank's share of a step. */
void ag_model_end_rank(ag_model *model);

/* After an optimizer step: new scales, and the weight operands are out of date. */
void ag_model_end_step(ag_model *model);

/* The most sequences of a pass. */
size_t ag_model_sequences(const ag_run *run);

/* Memory of the model in a phase, which borrows `state` and `run`, the run of that phase. */
ag_status ag_model_lay_out(ag_model *model, const ag_run *run, const ag_run_phase *of,
                           ag_train_state *state, ag_layout *layout);

/* The linear layer with this index: block by block in the order of the forward pass, then
 * lm_head. */
ag_linear *ag_model_linear(ag_model *model, size_t index);

#endif
