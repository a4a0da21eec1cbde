/* Causal self-attention whose operands are quantised: the products one by one, as a linear layer's,
 * head by head.
 *
 *   S = Q K^T / sqrt(D)   P = softmax(S)     O = drop(P) V
 *   dP = dO V^T, dropped  dS from dP and P   dQ = dS K   dK = dS^T Q   dV = drop(P)^T dO
 *
 * Each operand is quantised from its float32 value; P where it meets V, after dropout; what stays
 * null is taken as it is. Products read grid values and add up in float32, scales come back after
 * that: exact, as low-precision units with a float32 accumulator are, in the order of
 * products/products.h. The softmax and its gradient stay float32, and the gradient of Q
 * is 1, or 0 where ste: clip says so. */
#include <math.h>
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
    size_t T, D;
    ag_stack wide;   /* of q, k, v and their like: [T, D] each */
    ag_stack square; /* of probabilities: [T, T] each */
} heads;

static heads heads_of(ag_attention *attention, const ag_attention_shape *shape, const ag_pass *pass)
{
    heads h = {.a = attention, .k = attention->kernels, .shape = shape, .pass = pass};
    h.count = shape->B * shape->H;
    h.T = shape->T;
    h.D = shape->C / shape->H;
    h.wide = (ag_stack){h.count, h.T, h.D, shape->first * h.T * shape->C};
    h.square = (ag_stack){h.count, h.T, h.T, shape->first * shape->H * h.T * h.T};
    return h;
}

/* --- between [B, T, H, D] with rows `stride` apart and [B, H, T, D] */

static void gather(float *out, const float *in, size_t stride, const heads *h)
{
    for (size_t head = 0; head < h->count; head++) {
        const float *from = in + head / h->shape->H * h->T * stride + head % h->shape->H * h->D;
        for (size_t t = 0; t < h->T; t++, out += h->D)
            memcpy(out, from + t * stride, h->D * sizeof *out);
    }
}

static void scatter(float *out, const float *in, size_t stride, const heads *h)
{
    for (size_t head = 0; head < h->count; head++) {
        float *to = out + head / h->shape->H * h->T * stride + head % h->shape->H * h->D;
        for (size_t t = 0; t < h->T; t++, in += h->D)
            memcpy(to + t * stride, in, h->D * sizeof *in);
    }
}

/* --- products */

/* c [M, N] of each head, from operands of M K and N K elements */
static void multiply(float *c, const heads *h, ag_transposition form, ag_stack_operand a,
                     ag_stack_operand b, sizes s)
{
    for (size_t head = 0; head < h->count; head++) {
        const ag_operand first = ag_stack_operand_at(&a, head, s.M, s.K);
        const ag_operand second = ag_stack_operand_at(&b, head, s.N, s.K);
        const ag_operand_view rows = ag_first_operand(&first, form);
        const ag_operand_view columns = ag_second_operand(&second, form);
        ag_product product = {
            .c = c + head * s.M * s.N, .c_step = s.N, .M = s.M, .N = s.N, .K = s.K};
        ag_finish_with_factors(&product.finish, &first, &second);
        ag_multiply_operands(h->k, product, &rows, &columns, h->a->space->room);
    }
}

static void drop(float *x, const heads *h)
{
    const ag_attention_shape *shape = h->shape;
    if (shape->dropout > 0.0f)
        h->k->dropout(x, h->count * h->T * h->T, shape->dropout, shape->key, shape->site,
                      shape->step, h->square.first);
}

/* --- forward */

static void make_qkv(const heads *h, const float *qkv)
{
    size_t C = h->shape->C;
    ag_site_operands *const tensors[] = {h->a->q, h->a->k, h->a->v};
    for (size_t i = 0; i < 3; i++) {
        gather(h->a->heads[i][0], qkv + i * C, 3 * C, h);
        ag_site_make(tensors[i], h->a->heads[i][0], h->a->heads[i][1], &h->wide, h->pass);
    }
}

void ag_attend(float *out, ag_attention *attention, float *probs, const float *qkv,
               const ag_attention_shape *shape, const ag_pass *pass)
{
    heads h = heads_of(attention, shape, pass);
    float *dropped = attention->dropped[0];
    float *result = attention->space->heads[0];
    make_qkv(&h, qkv);
    multiply(probs, &h, AG_NT, ag_site_operand(attention->q, 0), ag_site_operand(attention->k, 0),
             (sizes){h.T, h.T, h.D});
    h.k->causal_softmax(probs, h.count, h.T, 1 / sqrtf((float)h.D));
    memcpy(dropped, probs, h.count * h.T * h.T * sizeof *probs);
    drop(dropped, &h);
    ag_site_make(attention->p, dropped, attention->dropped[1], &h.square, pass);
    multiply(result, &h, AG_NN, ag_site_operand(attention->p, 0), ag_site_operand(attention->v, 0),
             (sizes){h.T, h.D, h.T});
    scatter(out, result, shape->C, &h);
}

/* --- backward */

/* dS from dO and V into the shared space, as operands. */
static void make_dscores(const heads *h, const float *probs)
{
    const ag_attention_space *space = h->a->space;
    multiply(space->dscores, h, AG_NT, ag_site_operand(h->a->dout, 0), ag_site_operand(h->a->v, 1),
             (sizes){h->T, h->T, h->D});
    ag_site_clip_gradient(space->dscores, h->a->p, &h->square);
    drop(space->dscores, h);
    h->k->causal_softmax_backward(space->dscores, probs, h->count, h->T, 1 / sqrtf((float)h->D));
    ag_site_make(h->a->ds, space->dscores, space->dscores_copy, &h->square, h->pass);
}

/* One of dq, dk, dv, to its place in dqkv [N, 3C]: the gradient of `of`. */
static void differentiate(float *place, const heads *h, ag_transposition form, ag_stack_operand a,
                          ag_stack_operand b, const ag_site_operands *of)
{
    float *result = h->a->space->heads[0];
    multiply(result, h, form, a, b, (sizes){h->T, h->D, h->T});
    ag_site_clip_gradient(result, of, &h->wide);
    scatter(place, result, 3 * h->shape->C, h);
}

void ag_attend_backward(float *dqkv, ag_attention *attention, const float *dout, const float *probs,
                        const ag_attention_shape *shape, const ag_pass *pass)
{
    heads h = heads_of(attention, shape, pass);
    const ag_attention *a = attention;
    const ag_attention_space *space = a->space;
    gather(space->heads[1], dout, shape->C, &h);
    ag_site_make(a->dout, space->heads[1], space->heads[2], &h.wide, pass);
    make_dscores(&h, probs);
    differentiate(dqkv, &h, AG_NN, ag_site_operand(a->ds, 0), ag_site_operand(a->k, 1), a->q);
    differentiate(dqkv + shape->C, &h, AG_TN, ag_site_operand(a->ds, 1), ag_site_operand(a->q, 1),
                  a->k);
    differentiate(dqkv + 2 * shape->C, &h, AG_TN, ag_site_operand(a->p, 1),
                  ag_site_operand(a->dout, 1), a->v);
}
