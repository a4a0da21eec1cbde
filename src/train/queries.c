/* Queries, keys and values come from one layer or three. q and k may then be normalised, each head
 * alone or all of them, and turned by their position; float32 in between, BF16 before and after.
 * Layers that share an input quantise it each in its own way, and their input's gradients are added
 * up in float32 in the order of the layers. */
#include "queries.h"

#include <string.h>

#include "base/maths.h"

enum { Q = 0, K = 1, V = 2, PARTS = 3 };

static const ag_linear_kind s_apart[PARTS] = {AG_LINEAR_C_Q, AG_LINEAR_C_K, AG_LINEAR_C_V};

static bool is_split(const ag_model *model)
{
    return model->spec->qkv == AG_QKV_SPLIT;
}

static size_t heads_of(const ag_model *model, int part)
{
    return part == Q ? model->H : model->K;
}

static size_t width_of(const ag_model *model, int part)
{
    return heads_of(model, part) * model->D;
}

/* A part of q, k and v side by side [N, W]. */
static ag_heads inside(const ag_model *model, float *qkv, int part)
{
    size_t before = part == Q ? 0 : part == K ? model->H : model->H + model->K;
    return (ag_heads){qkv + before * model->D, model->W};
}

static ag_heads alone(const ag_model *model, float *x, int part)
{
    return (ag_heads){x, width_of(model, part)};
}

/* half 0 turns nothing. Backward turns by the opposite angle: a rotation's transpose. */
static ag_rotation rotation_of(const ag_model *model, bool turns, bool back, const ag_pass *pass)
{
    ag_rotation rotation = model->turn;
    bool rounds = model->lm_head.bf16 && pass->mode != AG_MODE_SHADOW;
    rotation.half = turns ? rotation.half : 0;
    rotation.back = back;
    rotation.bf16 = rounds && (turns || back);
    return rotation;
}

/* A norm of each head has a row per head of each token; a full one, a row per token. */
static size_t rows_of_norm(const ag_model *model, int part, const ag_pass *pass)
{
    size_t tokens = pass->B * model->T;
    return model->spec->qk_norm == AG_QK_NORM_FULL ? tokens : tokens * heads_of(model, part);
}

/* --- forward */

/* Copies; nothing turns and nothing is rounded. */
static void move(const ag_model *model, ag_heads out, ag_heads x, int part, const ag_pass *pass)
{
    ag_rotation still = {.T = model->T, .D = model->D};
    model->k->rotate(out, x, pass->B * model->T, heads_of(model, part), &still);
}

/* q or k from where its layer left it to its place in qkv. */
static void finish_part(ag_model *model, ag_block *block, ag_heads from, int part,
                        const ag_pass *pass)
{
    ag_heads to = inside(model, block->qkv, part);
    ag_rotation rotation = rotation_of(model, true, false, pass);
    if (block->raw[part] != NULL) {
        ag_norm *norm = &block->qk_norm[part];
        size_t rows = rows_of_norm(model, part, pass);
        if (from.at != block->raw[part])
            move(model, alone(model, block->raw[part], part), from, part, pass);
        from = alone(model, model->apart[1], part);
        model->k->norm_forward(from.at, norm->mean, norm->rstd, block->raw[part], &norm->form, rows,
                               width_of(model, part) * pass->B * model->T / rows);
    } else if (from.at == to.at && rotation.half == 0) {
        return;
    }
    model->k->rotate(to, from, pass->B * model->T, heads_of(model, part), &rotation);
}

/* What is normalised later is kept as the layer left it, for backward; v goes straight to its
 * place. */
static void split_forward(ag_model *model, ag_block *block, int part, const ag_pass *pass)
{
    bool is_kept = part != V && block->raw[part] != NULL;
    ag_heads made = alone(model, is_kept ? block->raw[part] : model->apart[0], part);
    ag_linear_forward(made.at, &block->linears[s_apart[part]], pass);
    if (part == V)
        move(model, inside(model, block->qkv, V), made, V, pass);
    else
        finish_part(model, block, made, part, pass);
}

void ag_queries_forward(ag_model *model, ag_block *block, const ag_pass *pass)
{
    if (!is_split(model)) {
        ag_linear_forward(block->qkv, &block->linears[AG_LINEAR_C_ATTN], pass);
        for (int part = Q; part <= K; part++)
            finish_part(model, block, inside(model, block->qkv, part), part, pass);
        return;
    }
    const float *input = block->linears[AG_LINEAR_C_Q].input;
    size_t bytes = pass->B * model->T * model->C * sizeof *input;
    memcpy(block->linears[AG_LINEAR_C_K].input, input, bytes);
    memcpy(block->linears[AG_LINEAR_C_V].input, input, bytes);
    for (int part = Q; part < PARTS; part++)
        split_forward(model, block, part, pass);
}

/* --- backward */

/* The gradient of what the layer of q or k left, to `to`, from its part of dqkv. */
static void finish_part_backward(ag_model *model, ag_block *block, ag_heads to, int part,
                                 const ag_pass *pass)
{
    ag_heads from = inside(model, model->dqkv, part);
    ag_rotation rotation = rotation_of(model, true, true, pass);
    size_t tokens = pass->B * model->T;
    bool is_normed = block->raw[part] != NULL;
    if (from.at == to.at && rotation.half == 0 && !is_normed)
        return;
    ag_heads turned = is_normed ? alone(model, model->apart[1], part) : to;
    model->k->rotate(turned, from, tokens, heads_of(model, part), &rotation);
    if (!is_normed)
        return;
    const ag_norm *norm = &block->qk_norm[part];
    ag_heads raw = alone(model, model->apart[0], part);
    size_t rows = rows_of_norm(model, part, pass);
    size_t count = width_of(model, part) * tokens;
    memset(raw.at, 0, count * sizeof *raw.at);
    model->k->norm_backward(&(ag_norm_grads){raw.at, norm->dweight, NULL}, turned.at,
                            block->raw[part], &norm->form, norm->mean, norm->rstd, rows,
                            count / rows);
    if (to.at != raw.at)
        move(model, to, raw, part, pass);
}

/* The first layer writes the gradient of the input, the others add theirs. */
static void split_backward(ag_model *model, ag_block *block, int part, const ag_pass *pass)
{
    ag_heads made = alone(model, model->apart[0], part);
    float *dinput = part == Q ? model->dbranch : model->dshare;
    if (part == V)
        move(model, made, inside(model, model->dqkv, V), V, pass);
    else
        finish_part_backward(model, block, made, part, pass);
    ag_linear_backward(dinput, &block->linears[s_apart[part]], made.at, pass);
    if (part != Q)
        model->k->add(model->dbranch, dinput, pass->B * model->T * model->C);
}

void ag_queries_backward(ag_model *model, ag_block *block, const ag_pass *pass)
{
    for (int part = Q; is_split(model) && part < PARTS; part++)
        split_backward(model, block, part, pass);
    if (is_split(model))
        return;
    for (int part = Q; part <= K; part++)
        finish_part_backward(model, block, inside(model, model->dqkv, part), part, pass);
    ag_linear_backward(model->dbranch, &block->linears[AG_LINEAR_C_ATTN], model->dqkv, pass);
}

void ag_queries_angles(float *cosines, float *sines, const ag_rotation *turn, double theta)
{
    for (size_t t = 0; t < turn->T; t++) {
        for (size_t j = 0; j < turn->half; j++) {
            double angle = (double)t * ag_pow(theta, -(double)j / (double)turn->half);
            cosines[t * turn->half + j] = (float)ag_cos(angle);
            sines[t * turn->half + j] = (float)ag_sin(angle);
        }
    }
}
