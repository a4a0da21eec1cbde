/* What the files of the training step share, from the inside out: memory, operand, linear layer,
 * model, state, optimizer, trainer. Tests drive these parts directly. */
#ifndef AG_TRAIN_INTERNAL_H
#define AG_TRAIN_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "spec/layers.h"
#include "spec/sites.h"
#include "spec/tensors.h"
#include "train/train.h"

/* --- layout.c: memory. Laying out runs twice through the same code, first to measure. Tables and
 * structs come from the arena both times; arrays are only counted while measuring (and NULL). */

typedef struct ag_layout {
    ag_arena *arena;
    bool measuring;
    size_t bytes; /* of arrays, while measuring */
    bool failed;  /* the arena was too small */
} ag_layout;

void *ag_layout_table(ag_layout *layout, size_t bytes);
void *ag_layout_bytes(ag_layout *layout, size_t bytes);
float *ag_layout_floats(ag_layout *layout, size_t count);

/* `base` advanced by `count`, or NULL where there is no base (while measuring). */
float *ag_layout_part(float *base, size_t count);

/* --- a pass: one trip of some sequences through the model, and what it is for */

typedef struct ag_observer ag_observer;

typedef enum ag_mode {
    AG_MODE_TRAIN,
    AG_MODE_SHADOW,      /* a training step in which nothing is rounded; leaves no trace */
    AG_MODE_EVALUATE,    /* the run's own quantisers; observes no amax */
    AG_MODE_EVALUATE_HP, /* every role null */
} ag_mode;

typedef struct ag_pass {
    ag_mode mode;
    size_t B;        /* sequences, each of T tokens */
    uint64_t sample; /* index of the first sequence among those of this step (or evaluation) */
    uint32_t step;
    uint64_t rounding_key;
    uint64_t dropout_key;
    float dropout;         /* 0 in evaluation */
    float loss_scale;      /* of the gradient: 1 / tokens of the whole step */
    ag_observer *observer; /* NULL: nobody looks */
} ag_pass;

/* Whether the pass has a backward half. */
static inline bool ag_pass_trains(const ag_pass *pass)
{
    return pass->mode == AG_MODE_TRAIN || pass->mode == AG_MODE_SHADOW;
}

/* --- operand.c: one tensor made ready for a matrix product */

typedef struct ag_watch ag_watch;

/* What of an operand's scale outlives a step. */
typedef struct ag_scale {
    int64_t pushed; /* amaxes pushed so far */
    float value;    /* S in force under delayed scaling */
} ag_scale;

typedef struct ag_operand {
    const ag_kernels *k;
    const ag_scheme *scheme;
    bool bf16;         /* null means BF16; otherwise float32 as it is */
    bool is_weight;    /* the same tensor in training and evaluation: observed in both */
    bool is_fixed;     /* the scale was set before the first step and stays */
    const char *layer; /* whose operand it is, for people, */
    const char *role;  /* and which */
    ag_sum sum;        /* the axis of the tensor that the product sums over */
    uint32_t site;
    uint32_t use;
    ag_scale *scale;
    float *history;    /* [scheme->history]: a ring, the newest at (pushed - 1) % history */
    float seen;        /* the largest amax of this step so far */
    uint8_t *clipped;  /* ste: clip: 1 where |x * S| > max; NULL otherwise */
    ag_scales *scales; /* of groups: shared by all operands, so good until the next is made */
    ag_watch *watch;   /* what an observer gathers of it, or NULL */
    float *factors;    /* of granularity row: one a row of the product's, or a column */

    /* what the last ag_operand_make left */
    const float *values; /* what the product reads: Q(x * S), shifted or scaled (operand.c) */
    ag_factor factor;    /* what the product's epilogue multiplies by */
} ag_operand;

/* A tensor to be made an operand of. */
typedef struct ag_source {
    const float *x; /* [rows, cols] */
    size_t rows;
    size_t cols;
    uint64_t first; /* global index of x[0], for stochastic rounding */
    float amax;     /* of x, where ag_operand_needs_amax */
    bool continues; /* a further matrix of the tensor that the one before began */
} ag_source;

/* Whether its scheme finds one scale for the tensor. */
bool ag_operand_needs_amax(const ag_operand *operand);

/* Quantises source->x into `out` (which may be source->x), or rounds it to BF16 where the role is
 * null or the pass wants no quantisation. */
void ag_operand_make(ag_operand *operand, float *out, const ag_source *source, const ag_pass *pass);

/* Ends an optimizer step: pushes the step's amax and sets the scale of the next. */
void ag_operand_end_step(ag_operand *operand);

/* The gradient of Q under ste: clip, of what the last ag_operand_make was given. */
void ag_operand_clip_gradient(float *grad, const ag_operand *operand, size_t count);

/* --- site.c: one tensor of a site */

/* A tensor as a stack of matrices, which are operands each of a product of its own: the heads of
 * attention; or one. */
typedef struct ag_stack {
    size_t matrices, rows, cols;
    uint64_t first; /* global index of its first element, for stochastic rounding */
} ag_stack;

/* What it is turned into: an operand for each of its two products, or one for both. */
typedef struct ag_site_operands {
    char site[AG_LAYER_NAME_SIZE]; /* for people */
    ag_operand operands[AG_USES];
    int copies;                  /* 1: operands[0] serves both uses */
    ag_factor *factors[AG_USES]; /* of each matrix */
    const float *values[AG_USES];
} ag_site_operands;

/* A use of the tensor as the products read it. */
typedef struct ag_stack_operand {
    const float *values;
    const ag_factor *factors;
} ag_stack_operand;

/* Quantises x, which becomes the first operand; the second, which only training needs, goes to
 * `copy`, which may be NULL where copies say 1. */
void ag_site_make(ag_site_operands *tensor, float *x, float *copy, const ag_stack *stack,
                  const ag_pass *pass);
ag_stack_operand ag_site_operand(const ag_site_operands *tensor, int use);

/* x becomes what a low-precision store of it would give back. */
void ag_site_store(ag_site_operands *tensor, float *x, const ag_stack *stack, const ag_pass *pass);

/* The gradient of Q under ste: clip. */
void ag_site_clip_gradient(float *grad, const ag_site_operands *tensor, const ag_stack *stack);

void ag_site_end_step(ag_site_operands *tensor);

/* --- linear.c: the quantised linear layer */

typedef enum ag_held {
    AG_HELD_NOTHING,
    AG_HELD_TRAIN,
    AG_HELD_SHADOW,
    AG_HELD_EVALUATE,
    AG_HELD_HP
} ag_held;

typedef struct ag_linear {
    ag_layer layer;
    const ag_kernels *k;
    bool bf16;
    size_t T;
    const float *weight; /* master [OC, C] */
    const float *bias;   /* [OC] or NULL */
    float *dweight;
    float *dbias;
    ag_operand operands[AG_ROLES][AG_USES];
    int copies[AG_ROLES]; /* 1: operands[role][0] serves both uses */
    ag_held held;         /* what the weight operands were made for */
    float *input;         /* [N, C]: the producer writes x here, forward turns it into Q(x) */
    float *weight_copies[AG_USES]; /* [OC, C]; NULL where the master weights serve */
    float *input_copy;             /* [N, C] for wgrad, where copies say 2 */
    float *grad_copy;              /* [N, OC] for wgrad, where copies say 2; shared by all layers */
    float *product;                /* [OC, C], shared by all layers */

    /* sites of the layer, NULL where off */
    ag_site_operands *dw;
    ag_site_operands *m;
    ag_site_operands *v;
} ag_linear;

/* The master weights [OC, C], without their amax. */
ag_source ag_linear_weight(const ag_linear *linear);

/* Makes the weight operands that the pass needs, unless they are there already. */
void ag_linear_prepare(ag_linear *linear, const ag_pass *pass);

/* y [N, OC] = Q(X) Q(W)^T + b, from linear->input, which becomes Q(X) */
void ag_linear_forward(float *y, ag_linear *linear, const ag_pass *pass);

/* dx [N, C] = Q(dY) Q(W);  dW += Q(dY)^T Q(X);  db += sum of dY. dy becomes Q(dY). */
void ag_linear_backward(float *dx, ag_linear *linear, float *dy, const ag_pass *pass);

/* After an optimizer step: new scales, and the weight operands are out of date. */
void ag_linear_end_step(ag_linear *linear);

/* --- train_state.c: what a checkpoint holds, and where it begins */

/* The grid that the weights of a tensor are quantised on. */
typedef struct ag_tensor_grid {
    const ag_scheme *scheme; /* NULL: none, see ag_layer_grid */
    ag_scale *scale;
    uint32_t site;
} ag_tensor_grid;

/* Where the groups of a tensor's weights lie, while an optimizer asks. */
typedef struct ag_grid_groups {
    ag_scales scales;
    float *amaxes;
} ag_grid_groups;

typedef struct ag_train_state {
    int64_t step;    /* steps trained */
    int64_t updates; /* of them, those that changed the weights: Adam's t */
    ag_tensor_table tensors;
    ag_tensor_grid *grids; /* [tensors.count] */
    float *weights;        /* [tensors.total] */
    float *m;              /* [tensors.total]: Adam's first moment, or SGD's velocity */
    float *v;              /* [n_v]: Adam's second moment */
    size_t n_v;            /* tensors.total, or 0 */
    ag_grid_groups groups; /* scratch of the optimizer, large enough for any tensor */
    size_t n_scales; /* layer by layer, role by role, use by use; then site by site, if any is on */
    ag_scale *scales;
    size_t n_amaxes; /* the histories of all scales, one after another */
    float *amaxes;
} ag_train_state;

ag_status ag_state_lay_out(ag_train_state *state, const ag_run *run, ag_layout *layout);

/* Before the first step, but for the weights. */
void ag_state_reset(ag_train_state *state);

/* Initial weights of `seed`, the same for every format. */
void ag_weights_init(float *weights, const ag_tensor_table *tensors, uint64_t seed);

/* --- model.c: GPT forward and backward */

typedef struct ag_norm {
    const float *weight; /* [C] */
    const float *bias;   /* or NULL */
    float *dweight;
    float *dbias;
    float *mean; /* [N] */
    float *rstd;
} ag_norm;

/* --- attention.c: attention whose products have quantised operands */

/* What all blocks share. */
typedef struct ag_attention_space {
    float *heads[3];     /* [B, H, T, D] each: of a product's result, of dout and its second copy */
    float *dscores;      /* [B, H, T, T] */
    float *dscores_copy; /* of it, or NULL */
} ag_attention_space;

/* Of one block. */
typedef struct ag_attention {
    const ag_kernels *kernels;
    ag_site_operands *q, *k, *ds, *p, *v, *dout; /* NULL: both sites are off */
    float *heads[3][AG_USES]; /* q, k, v [B, H, T, D], the second only where it is a copy */
    float *dropped[AG_USES];  /* [B, H, T, T]: p as it meets v */
    const ag_attention_space *space;
} ag_attention;

/* As ag_attention_forward_fn and ag_attention_backward_fn, with quantised operands. `probs` are
 * kept as they are before dropout and Q. */
void ag_attend(float *out, ag_attention *attention, float *probs, const float *qkv,
               const ag_attention_shape *shape, const ag_pass *pass);
void ag_attend_backward(float *dqkv, ag_attention *attention, const float *dout, const float *probs,
                        const ag_attention_shape *shape, const ag_pass *pass);

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
    ag_scales scales; /* of the operand made last; large enough for any: */
    size_t n_groups;  /* that many */
    float *logits;    /* [N, V] */
    float *losses;    /* [N] */
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

/* --- model_layout.c: the model's memory; `model` borrows `state` */

ag_status ag_model_lay_out(ag_model *model, const ag_run *run, ag_train_state *state,
                           ag_layout *layout);

/* --- site_layout.c: the sites' part of it. `scales` and `amaxes` are those of the layers. */

typedef struct ag_scale_cursor {
    size_t scales;
    size_t amaxes;
} ag_scale_cursor;

ag_status ag_sites_lay_out(ag_model *model, const ag_run *run, ag_scale_cursor next,
                           ag_layout *layout);

/* Scales and amaxes that they take. */
ag_scale_cursor ag_sites_scales(const ag_run *run);

/* --- optimizer.c, schedule.c */

/* The global 2-norm of the gradient. */
double ag_grad_norm(const float *grads, size_t count, const ag_kernels *k);

/* What the gradient is multiplied by so that its norm is at most `limit` (0: no limit). */
double ag_clip_factor(double norm, double limit);

typedef struct ag_update {
    const float *grads;
    double lr;
    double grad_scale;
    uint64_t rounding_key;
} ag_update;

/* Before the first step, once there are weights: the scales of grids that do not change. */
void ag_optimizer_begin(ag_train_state *state, const ag_optimizer_spec *spec, const ag_kernels *k);

/* One step, of the number state->step; counts it in state->updates. */
void ag_optimizer_step(ag_train_state *state, const ag_optimizer_spec *spec,
                       const ag_update *update, const ag_kernels *k);

/* The learning rate of a step, counted from 0. */
double ag_schedule_lr(const ag_optimizer_spec *spec, int64_t steps, int64_t step);

/* --- trainer_init.c, trainer.c, evaluate.c, resume.c, observe.c */

typedef struct ag_trainer {
    const ag_run *run;
    const ag_corpus *corpus;
    const ag_kernels *k;
    const ag_train_hooks *hooks;
    ag_record *record;
    ag_train_state state;
    ag_model model;
    ag_tokens tokens;
    bool quantised;    /* some role of some layer is not null */
    int64_t n_windows; /* of the periodic evaluation */
    ag_observer *observer;
    int64_t *windows;      /* [n_windows] */
    int64_t *batch;        /* [eval.batch]: windows evaluated together */
    float *initial;        /* weights before the first step, when the record keeps them */
    ag_train_progress now; /* what hooks are told */
    int64_t saved_step;    /* of the newest checkpoint; 0: none, and none is needed */
    double saved_s;        /* when it was written, or tried last */
} ag_trainer;

/* Builds the trainer in the arena, with initial weights. Members run, corpus, k, hooks and record
 * are set by the caller. */
ag_status ag_trainer_init(ag_trainer *trainer, const float *init, ag_arena *arena);

/* Puts the state before its first step. */
void ag_trainer_begin(ag_trainer *trainer, const float *init);

/* One optimizer step, with its row of the record. */
void ag_trainer_step(ag_trainer *trainer);

/* Fills model.grads from every micro-batch of the step; returns the mean loss of its tokens. */
double ag_trainer_gradients(ag_trainer *trainer, ag_mode mode);

/* A pass of `B` sequences in the given mode at the trainer's step. */
ag_pass ag_trainer_pass(const ag_trainer *trainer, ag_mode mode, size_t B, uint64_t sample);

/* Tells the hooks where the run is, and keeps a checkpoint where one is due. AG_ERR_SYSTEM when
 * they want it to stop. */
ag_status ag_trainer_report(ag_trainer *trainer);

/* Tells the hooks a line. */
void ag_trainer_say(const ag_trainer *trainer, ag_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Appends an evaluation to the record: on the fixed windows, and on the whole validation part. */
ag_status ag_evaluate_periodic(ag_trainer *trainer);
ag_status ag_evaluate_final(ag_trainer *trainer);

/* The observer and what it needs, with the groups of the record's samples. */
ag_status ag_observer_lay_out(ag_trainer *trainer, ag_layout *layout);

/* Around a step, in this order; they return at once where it is not sampled. The second is called
 * with the gradient, the third after ag_model_end_step and before the next step. */
void ag_observe_begin(ag_trainer *trainer);
void ag_observe_gradient(ag_trainer *trainer);
void ag_observe_update(ag_trainer *trainer);

/* The observer while it wants to look, or NULL. */
ag_observer *ag_observer_at_work(const ag_trainer *trainer);

/* A step is not finite: does it again to see where that began, if it is the first such step. */
void ag_observe_failure(ag_trainer *trainer);

/* What a checkpoint holds of the observer beside the record's samples; returns the number of
 * sections. */
enum { AG_OBSERVER_SECTIONS = 1 };
size_t ag_observer_sections(ag_section sections[AG_OBSERVER_SECTIONS], const ag_trainer *trainer);

/* Evaluations that are due before the step of that number begins, without the one due there. */
int64_t ag_evaluations_before(const ag_run *run, int64_t step);

/* Goes on from the hooks' checkpoint where there is a good one. A bad one is said and set aside,
 * and the run begins at its beginning, from `init` (as for ag_trainer_init). AG_ERR_SYSTEM as
 * ag_trainer_report. */
ag_status ag_trainer_resume(ag_trainer *trainer, const float *init);

/* Writes the checkpoint; what fails there is said. The state is between two steps, or in an
 * evaluation, which a resumed run begins again. */
void ag_trainer_save(ag_trainer *trainer);

/* Whether the clock asks for a checkpoint that is newer than the last. */
bool ag_trainer_must_save(const ag_trainer *trainer);

#endif
