/* The GPT: forward, backward, and its memory. */
#ifndef AG_TRAIN_MODEL_H
#define AG_TRAIN_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attention.h"
#include "linear.h"
#include "train_state.h"

typedef struct ag_norm {
    const float *weight; /* [C] */
    const float *bias;   /* or NULL */
    float *dweight;
    float *dbias;
    float *mean; /* [N] */
    float *rstd;
} ag_norm;

typedef struct ag_block {
    size_t index;
    float *x; /* [N, C] residual stream: at the block's start, */
    ag_norm ln_1;
    ag_linear c_attn;
    float *qkv;   /* [N, 3C] */
    float *probs; /* [B, H, T, T] */
    ag_linear attn_proj;
    float *x_mid; /* between attention and MLP, */
    ag_norm ln_2;
    ag_linear c_fc;
    float *hidden; /* [N, 4C] before GELU */
    ag_linear mlp_proj;
    float *x_end; /* and at its end: the next block's x, or the model's x_end */
    ag_attention attention;
    ag_site_operands *residual; /* [2]: of x_mid, of x_end; NULL where off */
} ag_block;

typedef struct ag_model {
    const ag_kernels *k;
    size_t B; /* the most sequences of a pass */
    size_t T, C, H, V, L;
    bool tanh_gelu;
    ag_train_state *state;
    float *grads;     /* [tensors.total] */
    size_t wte, wpe;  /* offsets into weights and grads */
    ag_block *blocks; /* [L] */
    float *x_end;     /* [N, C] */
    ag_norm ln_f;
    ag_linear lm_head;
    uint32_t *room[2]; /* of the pairs of a linear product's operands */
    ag_codes codes[2]; /* of activations and gradients, along and across, until their next */
    ag_scales scales;  /* of the operand made last; large enough for any: */
    size_t n_groups;   /* that many */
    float *logits;     /* [N, V] */
    float *losses;     /* [N] */
    float *attention_scratch;
    float *dx;               /* [N, C]: of the residual stream */
    float *dbranch;          /* [N, C]: of what a branch adds to it, or takes from it */
    float *dhidden;          /* [N, 4C] */
    float *dqkv;             /* [N, 3C] */
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

/* model->losses from the logits, which stay. */
void ag_model_losses(ag_model *model, const ag_tokens *tokens, const ag_pass *pass);

/* model->losses and model->grads += the gradient of loss_scale * sum(losses). Follows the forward
 * pass of the same sequences and overwrites what that left. */
void ag_model_backward(ag_model *model, const ag_tokens *tokens, const ag_pass *pass);

/* After an update of the weights: the moments become what their stores keep of them. */
void ag_model_store_moments(ag_model *model, const ag_pass *pass);

/* After an optimizer step: new scales, and the weight operands are out of date. */
void ag_model_end_step(ag_model *model);

/* Memory of the model, which borrows `state`. */
ag_status ag_model_lay_out(ag_model *model, const ag_run *run, ag_train_state *state,
                           ag_layout *layout);

#endif
