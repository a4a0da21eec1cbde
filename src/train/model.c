/* GPT forward and backward: pre-norm blocks of causal self-attention and an MLP between a token
 * and position embedding and a linear head (Radford et al. 2019, in nanoGPT's form). The backward
 * functions stand in the mirrored order of the forward ones. The residual stream, norms, softmax,
 * GELU and loss are float32; all rounding happens inside the linear layers, whose results and
 * operands are BF16: so q, k, v, the attention's output and dq, dk, dv, the logits and their
 * gradient are BF16 values. Sites that a run has on round what lies between. */
#include <math.h>
#include <string.h>

#include "model.h"
#include "run/streams.h"

static size_t tokens_of(const ag_model *model, const ag_pass *pass)
{
    return pass->B * model->T;
}

/* --- the parts that forward and backward share */

/* Drops elements of x [N, C]; the same mask in both directions. */
static void drop(const ag_model *model, float *x, uint32_t site, const ag_pass *pass)
{
    if (pass->dropout == 0.0f)
        return;
    model->k->dropout(x, tokens_of(model, pass) * model->C, pass->dropout, pass->dropout_key, site,
                      pass->step, pass->sample * model->T * model->C);
}

static void drop_embedding(const ag_model *model, float *x, const ag_pass *pass)
{
    drop(model, x, ag_stream_place(model->L, AG_SLOT_OTHERS, 0), pass);
}

static ag_attention_shape attention_shape(const ag_model *model, size_t block, const ag_pass *pass)
{
    return (ag_attention_shape){
        .B = pass->B,
        .T = model->T,
        .C = model->C,
        .H = model->H,
        .bf16 = model->blocks[block].c_attn.bf16 && pass->mode != AG_MODE_SHADOW,
        .dropout = pass->dropout,
        .key = pass->dropout_key,
        .site = ag_stream_place(block, AG_SLOT_ATTENTION, AG_PART_P),
        .step = pass->step,
        .first = pass->sample,
    };
}

/* The places where the residual stream may be stored low, of a block. */
enum { AFTER_ATTENTION = 0, AFTER_MLP = 1 };

static ag_site_operands *residual_of(const ag_block *block, size_t place)
{
    return block->residual == NULL ? NULL : &block->residual[place];
}

static ag_stack residual_stack(const ag_model *model, const ag_pass *pass)
{
    return (ag_stack){1, tokens_of(model, pass), model->C, pass->sample * model->T * model->C};
}

static void store_residual(const ag_model *model, float *x, ag_site_operands *stored,
                           const ag_pass *pass)
{
    ag_stack stack = residual_stack(model, pass);
    if (stored != NULL)
        ag_site_store(stored, x, &stack, pass);
}

/* The gradient passes straight through, but for ste: clip. */
static void store_residual_backward(ag_model *model, const ag_site_operands *stored,
                                    const ag_pass *pass)
{
    ag_stack stack = residual_stack(model, pass);
    if (stored != NULL)
        ag_site_clip_gradient(model->dx, stored, &stack);
}

/* Whether some operand of the block's attention is quantised in this pass. */
static bool quantises_attention(const ag_block *block, const ag_pass *pass)
{
    return block->attention.q != NULL && pass->mode != AG_MODE_EVALUATE_HP &&
           pass->mode != AG_MODE_SHADOW;
}

/* --- forward */

static void prepare_weights(ag_model *model, const ag_pass *pass)
{
    for (size_t i = 0; i < model->L; i++) {
        ag_block *block = &model->blocks[i];
        ag_linear_prepare(&block->c_attn, pass);
        ag_linear_prepare(&block->attn_proj, pass);
        ag_linear_prepare(&block->c_fc, pass);
        ag_linear_prepare(&block->mlp_proj, pass);
    }
    ag_linear_prepare(&model->lm_head, pass);
}

static void embed(ag_model *model, float *x, const int32_t *tokens, const ag_pass *pass)
{
    const float *weights = model->state->weights;
    model->k->embedding_forward(x, tokens, weights + model->wte, weights + model->wpe, pass->B,
                                model->T, model->C);
    drop_embedding(model, x, pass);
}

static void norm_forward(ag_model *model, float *out, const ag_norm *norm, const float *x,
                         const ag_pass *pass)
{
    model->k->layernorm_forward(out, norm->mean, norm->rstd, x, norm->weight, norm->bias,
                                tokens_of(model, pass), model->C);
}

/* out = x + drop(branch(projection->input)) */
static void project_onto(ag_model *model, float *out, ag_linear *projection, const float *x,
                         const ag_pass *pass)
{
    ag_linear_forward(out, projection, pass);
    drop(model, out, projection->layer.site, pass);
    model->k->add(out, x, tokens_of(model, pass) * model->C);
}

static void attend(ag_model *model, ag_block *block, const ag_pass *pass)
{
    ag_attention_shape shape = attention_shape(model, block->index, pass);
    float *out = block->attn_proj.input;
    if (quantises_attention(block, pass))
        ag_attend(out, &block->attention, block->probs, block->qkv, &shape, pass);
    else
        model->k->attention_forward(out, block->probs, model->attention_scratch, block->qkv,
                                    &shape);
}

static void attention_forward(ag_model *model, ag_block *block, const ag_pass *pass)
{
    norm_forward(model, block->c_attn.input, &block->ln_1, block->x, pass);
    ag_linear_forward(block->qkv, &block->c_attn, pass);
    attend(model, block, pass);
    project_onto(model, block->x_mid, &block->attn_proj, block->x, pass);
    store_residual(model, block->x_mid, residual_of(block, AFTER_ATTENTION), pass);
}

static void mlp_forward(ag_model *model, ag_block *block, const ag_pass *pass)
{
    norm_forward(model, block->c_fc.input, &block->ln_2, block->x_mid, pass);
    ag_linear_forward(block->hidden, &block->c_fc, pass);
    model->k->gelu_forward(block->mlp_proj.input, block->hidden,
                           tokens_of(model, pass) * block->c_fc.layer.outputs, model->tanh_gelu);
    project_onto(model, block->x_end, &block->mlp_proj, block->x_mid, pass);
    store_residual(model, block->x_end, residual_of(block, AFTER_MLP), pass);
}

void ag_model_forward(ag_model *model, const ag_tokens *tokens, const ag_pass *pass)
{
    prepare_weights(model, pass);
    embed(model, model->blocks[0].x, tokens->inputs, pass);
    for (size_t i = 0; i < model->L; i++) {
        attention_forward(model, &model->blocks[i], pass);
        mlp_forward(model, &model->blocks[i], pass);
    }
    norm_forward(model, model->lm_head.input, &model->ln_f, model->x_end, pass);
    ag_linear_forward(model->logits, &model->lm_head, pass);
}

void ag_model_losses(ag_model *model, const ag_tokens *tokens, const ag_pass *pass)
{
    model->k->cross_entropy_loss(model->losses, model->logits, tokens->targets,
                                 tokens_of(model, pass), model->V);
}

/* --- backward */

/* The gradient of project_onto's input, into dinput; model->dx, the gradient of its sum, stays. */
static void project_backward(float *dinput, ag_model *model, ag_linear *projection,
                             const ag_pass *pass)
{
    memcpy(model->dbranch, model->dx, tokens_of(model, pass) * model->C * sizeof(float));
    drop(model, model->dbranch, projection->layer.site, pass);
    ag_linear_backward(dinput, projection, model->dbranch, pass);
}

/* model->dx += the gradient through the norm of x, from model->dbranch. */
static void norm_backward(ag_model *model, const ag_norm *norm, const float *x, const ag_pass *pass)
{
    ag_layernorm_grads grads = {model->dx, norm->dweight, norm->dbias};
    model->k->layernorm_backward(&grads, model->dbranch, x, norm->weight, norm->mean, norm->rstd,
                                 tokens_of(model, pass), model->C);
}

static void mlp_backward(ag_model *model, ag_block *block, const ag_pass *pass)
{
    store_residual_backward(model, residual_of(block, AFTER_MLP), pass);
    project_backward(model->dhidden, model, &block->mlp_proj, pass);
    model->k->gelu_backward(model->dhidden, model->dhidden, block->hidden,
                            tokens_of(model, pass) * block->c_fc.layer.outputs, model->tanh_gelu);
    ag_linear_backward(model->dbranch, &block->c_fc, model->dhidden, pass);
    norm_backward(model, &block->ln_2, block->x_mid, pass);
}

static void attend_backward(ag_model *model, ag_block *block, const ag_pass *pass)
{
    ag_attention_shape shape = attention_shape(model, block->index, pass);
    if (quantises_attention(block, pass))
        ag_attend_backward(model->dqkv, &block->attention, model->dhidden, block->probs, &shape,
                           pass);
    else
        model->k->attention_backward(model->dqkv, model->attention_scratch, model->dhidden,
                                     block->qkv, block->probs, &shape);
}

static void attention_backward(ag_model *model, ag_block *block, const ag_pass *pass)
{
    store_residual_backward(model, residual_of(block, AFTER_ATTENTION), pass);
    project_backward(model->dhidden, model, &block->attn_proj, pass);
    attend_backward(model, block, pass);
    ag_linear_backward(model->dbranch, &block->c_attn, model->dqkv, pass);
    norm_backward(model, &block->ln_1, block->x, pass);
}

static void embed_backward(ag_model *model, const int32_t *tokens, const ag_pass *pass)
{
    drop_embedding(model, model->dx, pass);
    model->k->embedding_backward(model->grads + model->wte, model->grads + model->wpe, model->dx,
                                 tokens, pass->B, model->T, model->C);
}

void ag_model_backward(ag_model *model, const ag_tokens *tokens, const ag_pass *pass)
{
    model->k->cross_entropy(model->logits, model->losses, tokens->targets, tokens_of(model, pass),
                            model->V, pass->loss_scale);
    ag_linear_backward(model->dbranch, &model->lm_head, model->logits, pass);
    memset(model->dx, 0, tokens_of(model, pass) * model->C * sizeof(float));
    norm_backward(model, &model->ln_f, model->x_end, pass);
    for (size_t i = model->L; i-- > 0;) {
        mlp_backward(model, &model->blocks[i], pass);
        attention_backward(model, &model->blocks[i], pass);
    }
    embed_backward(model, tokens->inputs, pass);
}

/* --- after a step */

/* Its root is what is stored of the second moment: half the exponents suffice. */
static void store_second_moment(ag_site_operands *stored, float *v, const ag_stack *stack,
                                const ag_pass *pass)
{
    size_t count = stack->rows * stack->cols;
    for (size_t i = 0; i < count; i++)
        v[i] = sqrtf(v[i]);
    ag_site_store(stored, v, stack, pass);
    for (size_t i = 0; i < count; i++)
        v[i] *= v[i];
}

static void store_moments(const ag_model *model, const ag_linear *linear, const ag_pass *pass)
{
    const ag_train_state *state = model->state;
    ag_stack stack = {1, linear->layer.outputs, linear->layer.inputs, 0};
    size_t offset = (size_t)(linear->weight - state->weights);
    if (linear->m != NULL)
        ag_site_store(linear->m, state->m + offset, &stack, pass);
    if (linear->v != NULL)
        store_second_moment(linear->v, state->v + offset, &stack, pass);
}

void ag_model_store_moments(ag_model *model, const ag_pass *pass)
{
    for (size_t i = 0; i < model->L; i++) {
        ag_block *block = &model->blocks[i];
        store_moments(model, &block->c_attn, pass);
        store_moments(model, &block->attn_proj, pass);
        store_moments(model, &block->c_fc, pass);
        store_moments(model, &block->mlp_proj, pass);
    }
    store_moments(model, &model->lm_head, pass);
}

void ag_model_end_step(ag_model *model)
{
    for (size_t i = 0; i < model->L; i++) {
        ag_block *block = &model->blocks[i];
        ag_linear_end_step(&block->c_attn);
        ag_linear_end_step(&block->attn_proj);
        ag_linear_end_step(&block->c_fc);
        ag_linear_end_step(&block->mlp_proj);
    }
    ag_linear_end_step(&model->lm_head);
    for (size_t i = 0; i < model->n_sites; i++)
        ag_site_end_step(&model->sites[i]);
}
