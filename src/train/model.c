/* Forward and backward of a GPT: blocks of causal self-attention and an MLP between an embedding
 * and a linear head (Radford et al. 2019, in nanoGPT's form), and what later models put in their
 * place. The backward functions stand in the mirrored order of the forward ones. The residual
 * stream, norms, softmax, the MLP's function and loss are float32; all rounding happens inside the
 * linear layers, whose results and operands are BF16: so q, k, v, the attention's output and dq,
 * dk, dv, the logits and their gradient are BF16 values. Sites that a run has on round what lies
 * between. */
#include <math.h>
#include <string.h>

#include "model.h"
#include "queries.h"
#include "run/streams.h"

static size_t tokens_of(const ag_model *model, const ag_pass *pass)
{
    return pass->B * model->T;
}

/* --- the parts that forward and backward share */

/* Whether linear layers' results are BF16 values. */
static bool rounds(const ag_model *model, const ag_pass *pass)
{
    return model->lm_head.bf16 && pass->mode != AG_MODE_SHADOW;
}

/* Drops elements of x [N, C]; the same mask in both directions. */
static void drop(const ag_model *model, float *x, uint32_t place, const ag_pass *pass)
{
    if (pass->dropout == 0.0f)
        return;
    model->k->dropout(x, tokens_of(model, pass) * model->C, pass->dropout, pass->dropout_key, place,
                      pass->step, pass->sample * model->T * model->C);
}

/* Its mask is drawn at a place behind the last block, which no layer has. */
static void drop_embedding(const ag_model *model, float *x, const ag_pass *pass)
{
    drop(model, x, ag_stream_place(model->L, AG_SLOT_OTHERS, 0), pass);
}

/* `first` numbers the sequence in the whole batch: a mask is the same in whatever micro-batch it
 * falls. */
static ag_attention_shape attention_shape(const ag_model *model, size_t block, const ag_pass *pass)
{
    return (ag_attention_shape){
        .B = pass->B,
        .T = model->T,
        .H = model->H,
        .K = model->K,
        .D = model->D,
        .scale = model->attn_scale,
        .cap = (float)model->spec->attn_softcap,
        .bf16 = rounds(model, pass),
        .dropout = pass->dropout,
        .key = pass->dropout_key,
        .place = ag_stream_place(block, AG_SLOT_ATTENTION, AG_PART_P),
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

/* In the order of run/layers.h. */
ag_linear *ag_model_linear(ag_model *model, size_t index)
{
    size_t block = index / model->n_kinds;
    if (block == model->L)
        return &model->lm_head;
    return &model->blocks[block].linears[model->kinds[index % model->n_kinds]];
}

/* All of them before the first layer. Those that an earlier micro-batch of the step has made stay
 * as they are. */
static void prepare_weights(ag_model *model, const ag_pass *pass)
{
    for (size_t i = 0; i <= model->L * model->n_kinds; i++)
        ag_linear_prepare(ag_model_linear(model, i), pass);
}

/* Gains that are kept in a format are rounded anew for each pass, which is little beside it. Their
 * gradient passes straight through. */
static void prepare_gains(ag_norm *norm, const ag_pass *pass)
{
    if (norm->stored == NULL)
        return;
    ag_stack stack = {1, 1, norm->gains, 0};
    memcpy(norm->held, norm->gain, norm->gains * sizeof *norm->held);
    ag_site_store(norm->stored, norm->held, &stack, pass);
}

static void prepare_norms(ag_model *model, const ag_pass *pass)
{
    for (size_t i = 0; i < model->L; i++) {
        ag_block *block = &model->blocks[i];
        prepare_gains(&block->attn.ln, pass);
        prepare_gains(&block->attn.ln_post, pass);
        prepare_gains(&block->mlp.ln, pass);
        prepare_gains(&block->mlp.ln_post, pass);
        for (int part = 0; part < 2; part++)
            prepare_gains(&block->qk_norm[part], pass);
    }
    prepare_gains(&model->ln_f, pass);
}

/* By exactly 1 is not computed: most models have no such factor. */
static void scale(const ag_model *model, float *x, double factor, const ag_pass *pass)
{
    if (factor != 1.0)
        model->k->amplify(x, tokens_of(model, pass) * model->C, (float)factor);
}

static void embed(ag_model *model, float *x, const int32_t *tokens, const ag_pass *pass)
{
    const float *wte = model->state->weights + model->wte;
    model->k->embedding_forward(x, tokens, wte, model->wpe, pass->B, model->T, model->C);
    scale(model, x, model->spec->embd_scale, pass);
    drop_embedding(model, x, pass);
}

/* The norm of x, or x. */
static void norm_forward(ag_model *model, float *out, const ag_norm *norm, const float *x,
                         const ag_pass *pass)
{
    size_t N = tokens_of(model, pass);
    if (norm->on)
        model->k->norm_forward(out, norm->mean, norm->rstd, x, &norm->form, N, model->C);
    else
        model->k->duplicate(out, x, N * model->C);
}

/* out = skip x + scale ln_post(drop(projection(its input))) */
static void add_branch(ag_model *model, float *out, const ag_branch *branch, const float *x,
                       const ag_pass *pass)
{
    const ag_model_spec *spec = model->spec;
    size_t count = tokens_of(model, pass) * model->C;
    float *added = branch->added != NULL ? branch->added : out;
    ag_linear_forward(added, branch->projection, pass);
    drop(model, added, branch->projection->layer.place, pass);
    if (branch->added != NULL)
        norm_forward(model, out, &branch->ln_post, added, pass);
    if (spec->skip_scale != 1.0 || spec->branch_scale != 1.0)
        model->k->blend(out, x, count, (float)spec->branch_scale, (float)spec->skip_scale);
    else
        model->k->add(out, x, count);
}

/* With nothing quantised the whole of attention is one kernel, which keeps scores in the caches;
 * else its products are taken one by one. */
static void attend(ag_model *model, ag_block *block, const ag_pass *pass)
{
    ag_attention_shape shape = attention_shape(model, block->index, pass);
    float *out = block->attn.projection->input;
    if (quantises_attention(block, pass))
        ag_attend(out, &block->attention, block->probs, block->qkv, &shape, pass);
    else
        model->k->attention_forward(out, block->probs, model->attention_scratch, block->qkv,
                                    &shape);
}

static void attention_forward(ag_model *model, ag_block *block, const ag_pass *pass)
{
    norm_forward(model, block->linears[model->kinds[0]].input, &block->attn.ln, block->x, pass);
    ag_queries_forward(model, block, pass);
    attend(model, block, pass);
    add_branch(model, block->x_mid, &block->attn, block->x, pass);
    store_residual(model, block->x_mid, residual_of(block, AFTER_ATTENTION), pass);
}

/* Gate and up lie in arrays of their own, or side by side where one layer makes both. */
static ag_gated gated_of(const ag_model *model, float *gate, float *up)
{
    return (ag_gated){gate, up, (ag_fuses_gate(model->spec) ? 2 : 1) * model->F};
}

const float *ag_model_channels(const ag_model *model)
{
    return ag_layout_part(model->channels, ag_fuses_gate(model->spec) ? model->F : 0);
}

/* Those of the gate are found beside up's and read by nobody, where both lie in one array. */
static void scale_channels(const ag_model *model, const ag_block *block, const ag_pass *pass)
{
    bool is_fused = ag_fuses_gate(model->spec);
    size_t N = tokens_of(model, pass);
    size_t cols = model->F * (is_fused ? 2 : 1);
    ag_groups columns = {
        .rows = N, .cols = cols, .height = N, .width = 1, .down = 1, .across = cols};
    model->k->groups_amax(model->channels, is_fused ? block->gate : block->hidden, &columns, false);
    for (size_t i = 0; i < cols; i++)
        model->channels[i] = ag_channel_scale(model->channels[i]);
}

/* The MLP's function of what its first layers left. */
static void activate(const ag_model *model, const ag_block *block, const ag_pass *pass)
{
    size_t N = tokens_of(model, pass);
    size_t count = N * model->F;
    float *out = block->mlp.projection->input;
    if (model->channels != NULL)
        scale_channels(model, block, pass);
    if (block->gate != NULL) {
        ag_gated in = gated_of(model, block->gate, block->hidden);
        model->k->swiglu_forward(out, &in, N, model->F);
    } else if (model->spec->mlp == AG_MLP_RELU2)
        model->k->relu2_forward(out, block->hidden, count);
    else
        model->k->gelu_forward(out, block->hidden, count, model->spec->gelu == AG_GELU_TANH);
}

/* swiglu has two layers that read one input. Each gets a copy, as each quantises it in its place.
 */
static void mlp_forward(ag_model *model, ag_block *block, const ag_pass *pass)
{
    ag_linear *up = &block->linears[AG_LINEAR_C_FC];
    ag_linear *gate = &block->linears[AG_LINEAR_C_GATE];
    norm_forward(model, up->input, &block->mlp.ln, block->x_mid, pass);
    if (block->gate != NULL && !ag_fuses_gate(model->spec)) {
        model->k->duplicate(gate->input, up->input, tokens_of(model, pass) * model->C);
        ag_linear_forward(block->gate, gate, pass);
    }
    ag_linear_forward(ag_fuses_gate(model->spec) ? block->gate : block->hidden, up, pass);
    activate(model, block, pass);
    add_branch(model, block->x_end, &block->mlp, block->x_mid, pass);
    store_residual(model, block->x_end, residual_of(block, AFTER_MLP), pass);
}

void ag_model_forward(ag_model *model, const ag_tokens *tokens, const ag_pass *pass)
{
    prepare_weights(model, pass);
    prepare_norms(model, pass);
    embed(model, model->blocks[0].x, tokens->inputs, pass);
    for (size_t i = 0; i < model->L; i++) {
        attention_forward(model, &model->blocks[i], pass);
        mlp_forward(model, &model->blocks[i], pass);
    }
    norm_forward(model, model->lm_head.input, &model->ln_f, model->x_end, pass);
    ag_linear_forward(model->logits, &model->lm_head, pass);
    if (model->has_logits_form)
        model->k->logits_forward(model->logits, tokens_of(model, pass) * model->V,
                                 &model->logits_form);
}

void ag_model_losses(ag_model *model, const ag_tokens *tokens, const ag_pass *pass)
{
    model->k->cross_entropy_loss(model->losses, model->logits, tokens->targets,
                                 tokens_of(model, pass), model->V);
}

/* --- backward */

/* model->dx += the gradient through the norm of x, from model->dbranch; or that itself. */
static void norm_backward(ag_model *model, const ag_norm *norm, const float *x, const ag_pass *pass)
{
    size_t N = tokens_of(model, pass);
    ag_norm_grads grads = {model->dx, norm->dweight, norm->dbias};
    if (norm->on)
        model->k->norm_backward(&grads, model->dbranch, x, &norm->form, norm->mean, norm->rstd, N,
                                model->C);
    else
        model->k->add(model->dx, model->dbranch, N * model->C);
}

/* From model->dbranch, the gradient of ln_post's result, to that of what it read: BF16, as all that
 * linear layers leave and take. Returns where it is. */
static float *norm_post_backward(ag_model *model, const ag_branch *branch, const ag_pass *pass)
{
    const ag_norm *norm = &branch->ln_post;
    size_t N = tokens_of(model, pass);
    ag_norm_grads grads = {model->dshare, norm->dweight, norm->dbias};
    if (branch->added == NULL)
        return model->dbranch;
    memset(model->dshare, 0, N * model->C * sizeof *model->dshare);
    model->k->norm_backward(&grads, model->dbranch, branch->added, &norm->form, norm->mean,
                            norm->rstd, N, model->C);
    if (rounds(model, pass))
        model->k->round_bf16(model->dshare, model->dshare, N * model->C);
    return model->dshare;
}

/* The gradient of the projection's input, into dinput. model->dx, the gradient of the stream with
 * the branch, becomes that of the stream before it, but for what went through the branch. */
static void branch_backward(float *dinput, ag_model *model, const ag_branch *branch,
                            const ag_pass *pass)
{
    model->k->duplicate(model->dbranch, model->dx, tokens_of(model, pass) * model->C);
    scale(model, model->dx, model->spec->skip_scale, pass);
    scale(model, model->dbranch, model->spec->branch_scale, pass);
    float *dadded = norm_post_backward(model, branch, pass);
    drop(model, dadded, branch->projection->layer.place, pass);
    ag_linear_backward(dinput, branch->projection, dadded, pass);
}

static void activate_backward(const ag_model *model, const ag_block *block, const ag_pass *pass)
{
    size_t N = tokens_of(model, pass);
    size_t count = N * model->F;
    float *d = model->dhidden;
    if (block->gate != NULL) {
        ag_gated in = gated_of(model, block->gate, block->hidden);
        ag_gated to =
            gated_of(model, model->dgate, ag_fuses_gate(model->spec) ? model->dgate + model->F : d);
        model->k->swiglu_backward(&to, d, &in, N, model->F);
    } else if (model->spec->mlp == AG_MLP_RELU2)
        model->k->relu2_backward(d, d, block->hidden, count);
    else
        model->k->gelu_backward(d, d, block->hidden, count, model->spec->gelu == AG_GELU_TANH);
}

/* Mirrors mlp_forward: both layers' gradients of their common input are added in float32. */
static void mlp_backward(ag_model *model, ag_block *block, const ag_pass *pass)
{
    ag_linear *gate = &block->linears[AG_LINEAR_C_GATE];
    bool has_two = block->gate != NULL && !ag_fuses_gate(model->spec);
    float *dup = has_two ? model->dshare : model->dbranch;
    float *dresult = ag_fuses_gate(model->spec) ? model->dgate : model->dhidden;
    store_residual_backward(model, residual_of(block, AFTER_MLP), pass);
    branch_backward(model->dhidden, model, &block->mlp, pass);
    activate_backward(model, block, pass);
    if (has_two)
        ag_linear_backward(model->dbranch, gate, model->dgate, pass);
    ag_linear_backward(dup, &block->linears[AG_LINEAR_C_FC], dresult, pass);
    if (has_two)
        model->k->add(model->dbranch, dup, tokens_of(model, pass) * model->C);
    norm_backward(model, &block->mlp.ln, block->x_mid, pass);
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
    branch_backward(model->dhidden, model, &block->attn, pass);
    attend_backward(model, block, pass);
    ag_queries_backward(model, block, pass);
    norm_backward(model, &block->attn.ln, block->x, pass);
}

/* Tied weights have a gradient from lm_head by now, to which this one is added. */
static void embed_backward(ag_model *model, const int32_t *tokens, const ag_pass *pass)
{
    drop_embedding(model, model->dx, pass);
    scale(model, model->dx, model->spec->embd_scale, pass);
    model->k->embedding_backward(model->grads + model->wte, model->dwpe, model->dx, tokens, pass->B,
                                 model->T, model->C);
}

/* model->losses, and model->logits become their gradient. */
static void losses_backward(ag_model *model, const ag_tokens *tokens, const ag_pass *pass)
{
    size_t N = tokens_of(model, pass);
    if (!model->has_logits_form) {
        model->k->cross_entropy(model->logits, model->losses, tokens->targets, N, model->V,
                                pass->loss_scale);
        return;
    }
    ag_model_losses(model, tokens, pass);
    model->k->logits_backward(model->logits, tokens->targets, N, model->V, pass->loss_scale,
                              &model->logits_form);
}

/* A linear layer only notes that its gradient is zero: its first product then takes it for zeros,
 * which saves a pass over memory. */
void ag_model_clear_gradients(ag_model *model)
{
    const ag_tensor_table *tensors = &model->state->tensors;
    for (size_t i = 0; i < tensors->count; i++) {
        const ag_tensor *tensor = &tensors->rows[i];
        size_t rows[AG_MOST_PARTS];
        bool is_linear = ag_tensor_parts(rows, model->spec, tensor) > 0;
        size_t begin = tensor->offset + (is_linear ? tensor->count : 0); /* what pads it is zero */
        size_t end = i + 1 < tensors->count ? tensor[1].offset : tensors->total;
        memset(model->grads + begin, 0, (end - begin) * sizeof *model->grads);
    }
    for (size_t i = 0; i < model->L * model->n_kinds; i++)
        ag_linear_clear_gradient(ag_model_linear(model, i));
}

/* dx is the gradient of the residual stream, and goes down the model in place. */
void ag_model_backward(ag_model *model, const ag_tokens *tokens, const ag_pass *pass)
{
    losses_backward(model, tokens, pass);
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

/* m and v of a layer lie where its weight does in theirs. */
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
    for (size_t i = 0; i <= model->L * model->n_kinds; i++)
        store_moments(model, ag_model_linear(model, i), pass);
}

void ag_model_end_rank(ag_model *model)
{
    for (size_t i = 0; i <= model->L * model->n_kinds; i++)
        ag_linear_end_rank(ag_model_linear(model, i));
    for (size_t i = 0; i < model->n_sites; i++)
        ag_site_end_rank(&model->sites[i]);
}

void ag_model_end_step(ag_model *model)
{
    for (size_t i = 0; i <= model->L * model->n_kinds; i++)
        ag_linear_end_step(ag_model_linear(model, i));
    for (size_t i = 0; i < model->n_sites; i++)
        ag_site_end_step(&model->sites[i]);
}
