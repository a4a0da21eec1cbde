/* The quantised linear layer, and where all is rounded but for the sites that a run has on:
 *
 *   fprop  Y  = Q(X) Q(W)^T + b       dgrad  dX = Q(dY) Q(W)       wgrad  dW = Q(dY)^T Q(X)
 *
 * Activations and gradients are quantised from their BF16 value, weights from the float32 master.
 * The first use of each tensor sums over its columns, the second over its rows: where groups of
 * elements have scales, these are two copies. Operands reach the product as grid values below 2 in
 * magnitude, or scaled block by block; other scales come back in its epilogue. A product may have
 * an accumulator of its own. Y and dX are rounded
 * to BF16, dW is not. The gradient of Q is 1 (straight-through) or, with ste: clip, 0 where |x * S|
 * lies beyond the format's range. */
#include <string.h>

#include "linear.h"
#include "observe_pass.h"
#include "operand_sums.h"
#include "operand_words.h"

enum { FPROP = 0, DGRAD_OF_WEIGHT = 1, WGRAD_OF_INPUT = 1, DGRAD_OF_GRAD = 0, WGRAD_OF_GRAD = 1 };

static const ag_operand *operand_of(const ag_linear *linear, ag_role role, int use)
{
    return &linear->operands[role][use < linear->copies[role] ? use : 0];
}

/* Whether operands and results are BF16 values. */
static bool rounds(const ag_linear *linear, const ag_pass *pass)
{
    return linear->bf16 && pass->mode != AG_MODE_SHADOW;
}

/* --- operands */

static bool weights_are_drawn(const ag_linear *linear)
{
    const ag_operand *weight = linear->operands[AG_ROLE_WEIGHT];
    bool drawn = false;
    for (int use = 0; use < AG_USES; use++)
        drawn |= weight[use].scheme->rounding == AG_ROUND_STOCHASTIC ||
                 weight[use].scheme->signs == AG_SIGNS_STEP;
    return drawn;
}

/* Without random words, of rounding or of signs, evaluation quantises the weights exactly as
 * training does. */
static ag_held wanted(const ag_linear *linear, const ag_pass *pass)
{
    if (pass->mode == AG_MODE_EVALUATE_HP)
        return AG_HELD_HP;
    if (pass->mode == AG_MODE_SHADOW)
        return AG_HELD_SHADOW;
    if (pass->mode == AG_MODE_EVALUATE && weights_are_drawn(linear))
        return AG_HELD_EVALUATE;
    return AG_HELD_TRAIN;
}

ag_source ag_linear_weight(const ag_linear *linear)
{
    return (ag_source){
        .x = linear->weight, .rows = linear->layer.outputs, .cols = linear->layer.inputs};
}

/* --- from the forward's copy */

/* Whether the second operand of a role is made of the value that the first one stands for; without
 * rounding there is nothing to be made of. */
static bool is_from_forward(const ag_linear *linear, ag_role role, const ag_pass *pass)
{
    return linear->operands[role][1].scheme->from_forward && pass->mode != AG_MODE_SHADOW &&
           pass->mode != AG_MODE_EVALUATE_HP;
}

/* Makes it in `out`, of the values of the first one with their scales, in BF16. Their random words
 * are those that it has anyway. */
static void make_from_forward(ag_linear *linear, ag_role role, float *out, const ag_source *source,
                              const ag_pass *pass)
{
    const ag_operand *forward = &linear->operands[role][0];
    ag_operand *operand = &linear->operands[role][1];
    size_t count = source->rows * source->cols;
    ag_source value = {
        .x = out, .rows = source->rows, .cols = source->cols, .first = source->first};
    linear->k->duplicate(out, forward->values, count);
    linear->k->epilogue(out, NULL, source->rows, source->cols, forward->factor,
                        (ag_factor){.all = 1.0f}, linear->bf16);
    if (ag_operand_needs_amax(operand))
        value.amax = linear->k->amax(out, count);
    ag_operand_make(operand, out, &value, pass);
}

static void make_weights(ag_linear *linear, ag_held held, const ag_pass *pass)
{
    ag_operand *weight = linear->operands[AG_ROLE_WEIGHT];
    ag_source source = ag_linear_weight(linear);
    if (held != AG_HELD_HP && held != AG_HELD_SHADOW &&
        (ag_operand_needs_amax(&weight[0]) || ag_operand_needs_amax(&weight[1])))
        source.amax = linear->k->amax(source.x, source.rows * source.cols);
    ag_operand_make(&weight[0], linear->weight_copies[0], &source, pass);
    if (is_from_forward(linear, AG_ROLE_WEIGHT, pass))
        make_from_forward(linear, AG_ROLE_WEIGHT, linear->weight_copies[1], &source, pass);
    else if (linear->copies[AG_ROLE_WEIGHT] > 1)
        ag_operand_make(&weight[1], linear->weight_copies[1], &source, pass);
    linear->held = held;
}

/* Whether the weights are held as codes alone, which an observer cannot read. */
static bool are_codes_alone(const ag_linear *linear)
{
    bool codes = false;
    for (int use = 0; use < linear->copies[AG_ROLE_WEIGHT]; use++)
        codes |= linear->operands[AG_ROLE_WEIGHT][use].values == NULL;
    return codes;
}

void ag_linear_prepare(ag_linear *linear, const ag_pass *pass)
{
    ag_held held = wanted(linear, pass);
    if (linear->held != held || (pass->observer != NULL && are_codes_alone(linear)))
        make_weights(linear, held, pass);
    if (pass->observer != NULL)
        ag_observe_weights(pass->observer, linear, pass);
}

/* An accumulator of its own is part of what low precision does, as quantisation is; NULL: the
 * default one. */
static const ag_accumulator *own_accumulator(const ag_linear *linear, ag_linear_product which,
                                             const ag_pass *pass)
{
    const ag_accumulator *accumulator = &linear->accumulate[which];
    bool low = pass->mode != AG_MODE_EVALUATE_HP && pass->mode != AG_MODE_SHADOW;
    return low && accumulator->kind != AG_ACCUMULATE_SEGMENTS ? accumulator : NULL;
}

/* Whether a product takes the operand of a role as BF16 values, and so must know their range. */
static bool stays_bf16(const ag_linear *linear, ag_role role, const ag_pass *pass)
{
    for (int use = 0; use < linear->copies[role]; use++)
        if (!ag_operand_quantises(&linear->operands[role][use], pass))
            return true;
    return false;
}

/* x, of a role, rounded to BF16, and packed as `pairs` wants. */
static ag_source bf16_source(const ag_linear *linear, ag_role role, float *x, size_t width,
                             ag_pairs *pairs, const ag_pass *pass)
{
    ag_source source = {.x = x, .rows = pass->B * linear->T, .cols = width};
    source.first = pass->sample * linear->T * width;
    if (!rounds(linear, pass))
        return source;
    if (!ag_products_have_pairs() || !stays_bf16(linear, role, pass)) {
        source.amax = linear->k->round_bf16(x, x, source.rows * width);
        return source;
    }
    source.amax = linear->k->round_pairs(x, x, source.rows, width, pairs);
    source.pairs = pairs;
    return source;
}

/* Whether the product takes pairs of its first operand as it is rounded. */
static bool takes_pairs(const ag_linear *linear, ag_linear_product which, const ag_pass *pass)
{
    const ag_operand_use *of = ag_linear_operands[which];
    const ag_operand *first = operand_of(linear, of[0].role, of[0].use);
    const ag_operand *second = operand_of(linear, of[1].role, of[1].use);
    return !ag_operand_quantises(first, pass) && second->has_bf16 &&
           own_accumulator(linear, which, pass) == NULL;
}

static void quantise_input(ag_linear *linear, const ag_pass *pass)
{
    ag_operand *input = linear->operands[AG_ROLE_INPUT];
    ag_pairs pairs = {.along = takes_pairs(linear, AG_FPROP, pass) ? linear->room[0] : NULL};
    ag_source source =
        bf16_source(linear, AG_ROLE_INPUT, linear->input, linear->layer.inputs, &pairs, pass);
    bool copies = ag_pass_trains(pass) && linear->copies[AG_ROLE_INPUT] > 1;
    bool from_forward = is_from_forward(linear, AG_ROLE_INPUT, pass);
    if (copies && !from_forward)
        ag_operand_make(&input[WGRAD_OF_INPUT], linear->input_copy, &source, pass);
    ag_operand_make(&input[FPROP], linear->input, &source, pass);
    if (copies && from_forward)
        make_from_forward(linear, AG_ROLE_INPUT, linear->input_copy, &source, pass);
}

static void quantise_grad(ag_linear *linear, float *dy, const ag_source *source,
                          const ag_pass *pass)
{
    ag_operand *grad = linear->operands[AG_ROLE_GRAD_OUTPUT];
    if (linear->copies[AG_ROLE_GRAD_OUTPUT] > 1)
        ag_operand_make(&grad[WGRAD_OF_GRAD], linear->grad_copy, source, pass);
    ag_operand_make(&grad[DGRAD_OF_GRAD], dy, source, pass);
}

/* --- products */

static void finish(const ag_linear *linear, const ag_product *p)
{
    const ag_finish *f = &p->finish;
    if (f->onto != NULL)
        linear->k->accumulate(f->onto, p->c, p->M, p->N, f->rows, f->columns);
    else
        linear->k->epilogue(p->c, f->bias, p->M, p->N, f->rows, f->columns, f->bf16);
}

/* The layer's alpha, before bias and BF16. */
static void scale_result(ag_finish *finish, const ag_linear *linear)
{
    finish->rows.all *= (float)linear->layer.alpha;
    finish->scaled |= linear->layer.alpha != 1.0;
}

/* The product whose c, M, N, K and what its finish does are set; the factors of both operands come
 * back first, while a sum is still in a register, unless it has an accumulator of its own. */
static void multiply(const ag_linear *linear, const ag_accumulator *accumulator,
                     ag_transposition form, const ag_operand *a, const ag_operand *b,
                     ag_product product)
{
    const ag_operand_view rows = ag_first_operand(a, form);
    const ag_operand_view columns = ag_second_operand(b, form);
    product.c_step = product.N;
    product.finish.onto_step = product.N;
    ag_finish_with_factors(&product.finish, a, b);
    scale_result(&product.finish, linear);
    if (accumulator == NULL) {
        ag_multiply_operands(linear->k, product, &rows, &columns, linear->room);
    } else {
        ag_accumulate_operands(linear->k, accumulator, &product, &rows, &columns);
        finish(linear, &product);
    }
}

void ag_linear_forward(float *y, ag_linear *linear, const ag_pass *pass)
{
    size_t N = pass->B * linear->T;
    size_t C = linear->layer.inputs;
    size_t OC = linear->layer.outputs;
    quantise_input(linear, pass);
    const ag_operand *x = operand_of(linear, AG_ROLE_INPUT, FPROP);
    const ag_operand *w = operand_of(linear, AG_ROLE_WEIGHT, FPROP);
    multiply(linear, own_accumulator(linear, AG_FPROP, pass), AG_NT, x, w,
             (ag_product){
                 .c = y,
                 .M = N,
                 .N = OC,
                 .K = C,
                 .finish = {.bias = linear->bias, .bf16 = rounds(linear, pass)}
    });
    if (pass->observer != NULL)
        ag_observe_result(pass->observer, x, y, N * OC);
}

/* dX is BF16 again after it was rotated there and back. */
static void clip_input(float *dx, const ag_linear *linear, size_t N, size_t C, const ag_pass *pass)
{
    const ag_operand *input = operand_of(linear, AG_ROLE_INPUT, FPROP);
    ag_operand_clip_gradient(dx, input, N, C);
    if (input->clipped != NULL && input->scheme->hadamard > 0 && rounds(linear, pass))
        linear->k->round_bf16(dx, dx, N * C);
}

static void dgrad(float *dx, const ag_linear *linear, const ag_pass *pass)
{
    size_t N = pass->B * linear->T;
    size_t C = linear->layer.inputs;
    size_t OC = linear->layer.outputs;
    const ag_operand *dy = operand_of(linear, AG_ROLE_GRAD_OUTPUT, DGRAD_OF_GRAD);
    const ag_operand *w = operand_of(linear, AG_ROLE_WEIGHT, DGRAD_OF_WEIGHT);
    multiply(
        linear, own_accumulator(linear, AG_DGRAD, pass), AG_NN, dy, w,
        (ag_product){.c = dx, .M = N, .N = C, .K = OC, .finish = {.bf16 = rounds(linear, pass)}});
    if (pass->observer != NULL)
        ag_observe_result(pass->observer, dy, dx, N * C);
    if (pass->mode == AG_MODE_TRAIN)
        clip_input(dx, linear, N, C, pass);
}

/* dW where it is stored low: Q of this micro-batch's product. Micro-batches follow one another in
 * the global tensor. */
static void store_product(ag_linear *linear, const ag_pass *pass)
{
    size_t C = linear->layer.inputs;
    size_t OC = linear->layer.outputs;
    ag_stack stack = {1, OC, C, pass->sample / pass->B * OC * C};
    if (linear->dw != NULL)
        ag_site_store(linear->dw, linear->product, &stack, pass);
}

void ag_linear_clear_gradient(ag_linear *linear)
{
    linear->is_clear = true;
}

/* Only a product that is added as it is finished can take dweight for zeros; else they are written
 * first. */
static bool begins_anew(ag_linear *linear, bool at_once)
{
    bool anew = linear->is_clear && at_once;
    if (linear->is_clear && !anew)
        memset(linear->dweight, 0,
               linear->layer.outputs * linear->layer.inputs * sizeof *linear->dweight);
    linear->is_clear = false;
    return anew;
}

static void wgrad(ag_linear *linear, const ag_pass *pass)
{
    const ag_operand *dy = operand_of(linear, AG_ROLE_GRAD_OUTPUT, WGRAD_OF_GRAD);
    const ag_operand *x = operand_of(linear, AG_ROLE_INPUT, WGRAD_OF_INPUT);
    const ag_operand *w = operand_of(linear, AG_ROLE_WEIGHT, FPROP);
    const ag_accumulator *accumulator = own_accumulator(linear, AG_WGRAD, pass);
    bool clips = pass->mode == AG_MODE_TRAIN && w->clipped != NULL;
    bool at_once = !clips && linear->dw == NULL;
    bool anew = begins_anew(linear, at_once && accumulator == NULL);
    ag_product product = {
        .c = linear->product,
        .M = linear->layer.outputs,
        .N = linear->layer.inputs,
        .K = pass->B * linear->T,
        .finish = {.onto = at_once ? linear->dweight : NULL, .anew = anew}
    };
    multiply(linear, accumulator, AG_TN, dy, x, product);
    if (at_once)
        return;
    if (clips)
        ag_operand_clip_gradient(linear->product, w, product.M, product.N);
    store_product(linear, pass);
    linear->k->add(linear->dweight, linear->product, product.M * product.N);
}

void ag_linear_backward(float *dx, ag_linear *linear, float *dy, const ag_pass *pass)
{
    ag_pairs pairs = {.along = takes_pairs(linear, AG_DGRAD, pass) ? linear->room[0] : NULL,
                      .across = takes_pairs(linear, AG_WGRAD, pass) ? linear->room[1] : NULL};
    ag_source source =
        bf16_source(linear, AG_ROLE_GRAD_OUTPUT, dy, linear->layer.outputs, &pairs, pass);
    if (linear->dbias != NULL)
        linear->k->bias_backward(linear->dbias, dy, pass->B * linear->T, linear->layer.outputs);
    quantise_grad(linear, dy, &source, pass);
    dgrad(dx, linear, pass);
    wgrad(linear, pass);
}

void ag_linear_end_rank(ag_linear *linear)
{
    for (int role = 0; role < AG_ROLES; role++) {
        for (int use = 0; use < linear->copies[role]; use++)
            ag_operand_end_rank(&linear->operands[role][use]);
    }
}

void ag_linear_end_step(ag_linear *linear)
{
    for (int role = 0; role < AG_ROLES; role++) {
        for (int use = 0; use < linear->copies[role]; use++)
            ag_operand_end_step(&linear->operands[role][use]);
    }
    linear->held = AG_HELD_NOTHING;
}
