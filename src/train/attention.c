/* Causal self-attention whose operands are quantised: the products one by one, as a linear layer's,
 * head by head.
 *
 *   S = scale Q K^T, capped  P = softmax(S)     O = drop(P) V
 *   dP = dO V^T, dropped  dS from dP and P   dQ = dS K   dK = dS^T Q   dV = drop(P)^T dO
 *
 * Each operand is quantised from its float32 value; P where it meets V, after dropout; what stays
 * null is taken as it is. Products read grid values and add up in float32, scales come back after
 * that: exact, as low-precision units with a float32 accumulator are, in the order of
 * products/products.h. The softmax and its gradient stay float32, and the gradient of Q
 * is 1, or 0 where ste: clip says so. */
#include <string.h>

#include "attention.h"

typedef struct sizes {
    size_t M, N, K;
} sizes;

/* What forward and backward are about. */
typedef struct heads {
    ag_attention *a;
    const ag_kernels *k;
    const ag_attention_shape *shape;
    const ag_pass *pass;
    size_t count; /* B * H */
    size_t group; /* of so many query heads, which share one of keys and values */
    size_t T, D;
    ag_stack wide;   /* of q and what is like it: [T, D] each */
    ag_stack shared; /* of k and v: one a group */
    ag_stack square; /* of probabilities: [T, T] each */
} heads;

static heads heads_of(ag_attention *attention, const ag_attention_shape *shape, const ag_pass *pass)
{
    heads h = {.a = attention, .k = attention->kernels, .shape = shape, .pass = pass};
    h.count = shape->B * shape->H;
    h.T = shape->T;
    h.D = shape->D;
    h.group = shape->H / shape->K;
    h.wide = (ag_stack){h.count, h.T, h.D, shape->first * h.T * shape->H * h.D};
    h.shared = (ag_stack){shape->B * shape->K, h.T, h.D, shape->first * h.T * shape->K * h.D};
    h.square = (ag_stack){h.count, h.T, h.T, shape->first * shape->H * h.T * h.T};
    return h;
}

/* --- between [B, T, heads, D] with rows `stride` apart and [B, heads, T, D], a stack */

static void gather(float *out, const float *in, size_t stride, const ag_stack *stack,
                   const heads *h)
{
    const size_t each = stack->matrices / h->shape->B;
    for (size_t head = 0; head < stack->matrices; head++) {
        const float *from = in + head / each * h->T * stride + head % each * h->D;
        for (size_t t = 0; t < h->T; t++, out += h->D)
            memcpy(out, from + t * stride, h->D * sizeof *out);
    }
}

static void scatter(float *out, const float *in, size_t stride, const ag_stack *stack,
                    const heads *h)
{
    const size_t each = stack->matrices / h->shape->B;
    for (size_t head = 0; head < stack->matrices; head++) {
        float *to = out + head / each * h->T * stride + head % each * h->D;
        for (size_t t = 0; t < h->T; t++, in += h->D)
            memcpy(to + t * stride, in, h->D * sizeof *in);
    }
}

/* --- products */

/* An operand of which each query head has its own, or each group. */
typedef struct head_operand {
    ag_stack_operand of;
    size_t group;
} head_operand;

static head_operand own(const ag_site_operands *tensor, int use)
{
    return (head_operand){ag_site_operand(tensor, use), 1};
}

static head_operand shared(const ag_site_operands *tensor, int use, const heads *h)
{
    return (head_operand){ag_site_operand(tensor, use), h->group};
}

/* c [M, N] of each query head, from operands of M K and N K elements */
static void multiply(float *c, const heads *h, ag_transposition form, head_operand a,
                     head_operand b, sizes s)
{
    for (size_t head = 0; head < h->count; head++) {
        const ag_operand first = ag_stack_operand_at(&a.of, head / a.group, s.M, s.K);
        const ag_operand second = ag_stack_operand_at(&b.of, head / b.group, s.N, s.K);
        const ag_operand_view rows = ag_first_operand(&first, form);
        const ag_operand_view columns = ag_second_operand(&second, form);
        ag_product product = {
            .c = c + head * s.M * s.N, .c_step = s.N, .M = s.M, .N = s.N, .K = s.K};
        ag_finish_with_factors(&product.finish, &first, &second);
        ag_multiply_operands(h->k, product, &rows, &columns, h->a->space->room);
    }
}

/* [B, H, T, D] becomes [B, K, T, D]: the sum of each group, in the order of its heads. */
static void add_groups(float *x, const heads *h)
{
    const size_t each = h->T * h->D;
    for (size_t i = 0; i < h->shared.matrices && h->group > 1; i++) {
        memmove(x + i * each, x + i * h->group * each, each * sizeof *x);
        for (size_t j = 1; j < h->group; j++)
            h->k->add(x + i * each, x + (i * h->group + j) * each, each);
    }
}

static void drop(float *x, const heads *h)
{
    const ag_attention_shape *shape = h->shape;
    if (shape->dropout > 0.0f)
        h->k->dropout(x, h->count * h->T * h->T, shape->dropout, shape->key, shape->place,
                      shape->step, h->square.first);
}

/* --- forward */

/* Where each of q, k and v begins in qkv. */
static size_t part_start(const ag_attention_shape *shape, size_t part)
{
    const size_t heads_before[] = {0, shape->H, shape->H + shape->K};
    return heads_before[part] * shape->D;
}

static void make_qkv(const heads *h, const float *qkv)
{
    size_t W = ag_attention_width(h->shape);
    ag_site_operands *const tensors[] = {h->a->q, h->a->k, h->a->v};
    for (size_t i = 0; i < 3; i++) {
        const ag_stack *stack = i == 0 ? &h->wide : &h->shared;
        gather(h->a->heads[i][0], qkv + part_start(h->shape, i), W, stack, h);
        ag_site_make(tensors[i], h->a->heads[i][0], h->a->heads[i][1], stack, h->pass);
    }
}

void ag_attend(float *out, ag_attention *attention, float *probs, const float *qkv,
               const ag_attention_shape *shape, const ag_pass *pass)
{
    heads h = heads_of(attention, shape, pass);
    float *dropped = attention->dropped[0];
    float *result = attention->space->heads[0];
    make_qkv(&h, qkv);
    multiply(probs, &h, AG_NT, own(attention->q, 0), shared(attention->k, 0, &h),
             (sizes){h.T, h.T, h.D});
    if (shape->cap > 0.0f)
        h.k->cap_scores(probs, h.count, h.T, shape->scale, shape->cap);
    h.k->causal_softmax(probs, h.count, h.T, ag_softmax_scale(shape));
    memcpy(dropped, probs, h.count * h.T * h.T * sizeof *probs);
    drop(dropped, &h);
    ag_site_make(attention->p, dropped, attention->dropped[1], &h.square, pass);
    multiply(result, &h, AG_NN, own(attention->p, 0), shared(attention->v, 0, &h),
             (sizes){h.T, h.D, h.T});
    scatter(out, result, shape->H * h.D, &h.wide, &h);
}

/* --- backward */

/* dscores, the gradient of capped scores, becomes that of the products Q K^T, taken once more. */
static void uncap(float *dscores, const heads *h)
{
    float *products = h->a->space->dscores_copy;
    multiply(products, h, AG_NT, own(h->a->q, 0), shared(h->a->k, 0, h), (sizes){h->T, h->T, h->D});
    h->k->cap_scores_backward(dscores, products, h->count, h->T, h->shape->scale, h->shape->cap);
}

/* dS from dO and V into the shared space, as operands. */
static void make_dscores(const heads *h, const float *probs)
{
    const ag_attention_space *space = h->a->space;
    multiply(space->dscores, h, AG_NT, own(h->a->dout, 0), shared(h->a->v, 1, h),
             (sizes){h->T, h->T, h->D});
    ag_site_clip_gradient(space->dscores, h->a->p, &h->square);
    drop(space->dscores, h);
    h->k->causal_softmax_backward(space->dscores, probs, h->count, h->T,
                                  ag_softmax_scale(h->shape));
    if (h->shape->cap > 0.0f)
        uncap(space->dscores, h);
    ag_site_make(h->a->ds, space->dscores, space->dscores_copy, &h->square, h->pass);
}

/* One of dq, dk, dv, to its place in dqkv [N, W]: the gradient of part `part`, which is `of`. */
static void differentiate(float *dqkv, const heads *h, ag_transposition form, head_operand a,
                          head_operand b, size_t part)
{
    const ag_site_operands *const of[] = {h->a->q, h->a->k, h->a->v};
    const ag_stack *stack = part == 0 ? &h->wide : &h->shared;
    float *result = h->a->space->heads[0];
    multiply(result, h, form, a, b, (sizes){h->T, h->D, h->T});
    if (part > 0)
        add_groups(result, h);
    ag_site_clip_gradient(result, of[part], stack);
    scatter(dqkv + part_start(h->shape, part), result, ag_attention_width(h->shape), stack, h);
}

void ag_attend_backward(float *dqkv, ag_attention *attention, const float *dout, const float *probs,
                        const ag_attention_shape *shape, const ag_pass *pass)
{
    heads h = heads_of(attention, shape, pass);
    const ag_attention *a = attention;
    const ag_attention_space *space = a->space;
    gather(space->heads[1], dout, shape->H * h.D, &h.wide, &h);
    ag_site_make(a->dout, space->heads[1], space->heads[2], &h.wide, pass);
    make_dscores(&h, probs);
    differentiate(dqkv, &h, AG_NN, own(a->ds, 0), shared(a->k, 1, &h), 0);
    differentiate(dqkv, &h, AG_TN, own(a->ds, 1), own(a->q, 1), 1);
    differentiate(dqkv, &h, AG_TN, own(a->p, 1), own(a->dout, 1), 2);
}
