/* Causal self-attention by the engine of products/products.h, head by head; heads are shared among
 * the threads. Only what lies on and below the diagonal is computed, in blocks: scores by panels of
 * columns, for the rows from the panel down; sums over tokens by blocks of rows, as far as those
 * see. Zeros within the blocks that cross the diagonal change no sum. */
#include "attention_internal.h"

#include "base/pool.h"

enum { PANEL = 64 };

/* Rows whose sums over tokens are taken together: few, so that little is computed above the
 * diagonal, but enough that packing the other operand is cheap. */
static size_t rows_of_block(size_t T)
{
    size_t rows = T / 8 / 24 * 24;
    return rows < 48 ? 48 : rows > 192 ? 192 : rows;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t ag_attention_scratch(const ag_attention_shape *shape)
{
    return (size_t)ag_pool_threads() * 2 * shape->T * shape->T;
}

/* What a call is about. */
typedef struct attention_call {
    const ag_attention_shape *shape;
    const float *qkv;
    float *probs;
    float *scratch;
    float *out;        /* forward */
    const float *dout; /* backward */
    float *dqkv;
    ag_product_kind kind; /* of products of two among q, k, v and dout */
} attention_call;

/* scores [T, T] = a b^T on and below the diagonal's panels */
static void scores_of(float *scores, ag_view a, ag_view b, size_t T, size_t D, ag_product_kind kind)
{
    for (size_t n = 0; n < T; n += PANEL) {
        ag_product_spec spec = {.M = T - n, .N = smaller(PANEL, T - n), .K = D, .kind = kind};
        spec.a = (ag_view){a.at + n * a.row_step, a.row_step, 1};
        spec.b = (ag_view){b.at + n * b.row_step, b.row_step, 1};
        ag_product(scores + n * T + n, T, &spec);
    }
}

/* out [T, D], rows `stride` apart, = p x for p [T, T] that is zero above the diagonal; x [T, D] */
static void weigh_earlier(float *out, size_t stride, const float *p, ag_view x, size_t T, size_t D)
{
    const size_t block = rows_of_block(T);
    for (size_t t = 0; t < T; t += block) {
        size_t rows = smaller(block, T - t);
        ag_product_spec spec = {.M = rows, .N = D, .K = t + rows};
        spec.a = (ag_view){p + t * T, T, 1};
        spec.b = (ag_view){x.at, 1, x.row_step};
        ag_product(out + t * stride, stride, &spec);
    }
}

/* out [T, D] = p^T x */
static void weigh_later(float *out, size_t stride, const float *p, ag_view x, size_t T, size_t D)
{
    const size_t block = rows_of_block(T);
    for (size_t s = 0; s < T; s += block) {
        ag_product_spec spec = {
            .M = smaller(block, T - s), .N = D, .K = T - s, .first = s % AG_SEGMENT};
        spec.a = (ag_view){p + s * T + s, 1, T};
        spec.b = (ag_view){x.at + s * x.row_step, 1, x.row_step};
        ag_product(out + s * stride, stride, &spec);
    }
}

static void drop_rows(float *x, const attention_head *head, const ag_attention_shape *shape)
{
    for (size_t t = 0; t < head->T; t++)
        ag_dropout_fast(x + t * head->T, t + 1, shape->dropout, shape->key, shape->site,
                        shape->step, head->index + t * head->T);
}

/* The probabilities as they meet v: dropped in `room`, or as they are. */
static const float *dropped_of(float *room, const float *probs, const attention_head *head,
                               const ag_attention_shape *shape)
{
    if (shape->dropout == 0)
        return probs;
    memcpy(room, probs, head->T * head->T * sizeof *probs);
    drop_rows(room, head, shape);
    return room;
}

static float *scratch_of_thread(const attention_call *call)
{
    return call->scratch + (size_t)ag_pool_thread() * 2 * call->shape->T * call->shape->T;
}

static void forward_heads(void *context, size_t begin, size_t end)
{
    const attention_call *call = context;
    const ag_attention_shape *shape = call->shape;
    for (size_t i = begin; i < end; i++) {
        attention_head head = attention_head_at(shape, i / shape->H, i % shape->H);
        const float *q = call->qkv + head.qkv;
        const ag_view k = {q + head.narrow, head.wide, 1};
        const ag_view v = {k.at + head.narrow, head.wide, 1};
        float *probs = call->probs + head.probs;
        scores_of(probs, (ag_view){q, head.wide, 1}, k, head.T, head.D, call->kind);
        ag_causal_softmax_fast(probs, 1, head.T, head.scale);
        const float *weights = dropped_of(scratch_of_thread(call), probs, &head, shape);
        weigh_earlier(call->out + head.out, head.narrow, weights, v, head.T, head.D);
    }
}

/* Within a block zeros meet what later tokens hold, and 0 times Inf or NaN is no zero. */
AG_CLONES static bool are_finite(const float *x, size_t count)
{
    uint32_t largest = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t magnitude = ag_float_bits(x[i]) & 0x7fffffffu;
        largest = magnitude > largest ? magnitude : largest;
    }
    return largest < 0x7f800000u;
}

static ag_product_kind kind_of(const ag_attention_shape *shape, const float *qkv, const float *dout)
{
    size_t tokens = shape->B * shape->T;
    if (!shape->bf16)
        return AG_PRODUCT_FLOAT;
    int smallest = ag_smallest_exponent(qkv, tokens * 3 * shape->C);
    int other = dout != NULL ? ag_smallest_exponent(dout, tokens * shape->C) : smallest;
    return ag_pairs_are_exact(smallest, other) ? AG_PRODUCT_BF16 : AG_PRODUCT_FLOAT;
}

void ag_attention_forward_fast(float *restrict out, float *restrict probs, float *restrict scratch,
                               const float *restrict qkv, const ag_attention_shape *shape)
{
    if (!are_finite(qkv, shape->B * shape->T * 3 * shape->C)) {
        ag_attention_forward_ref(out, probs, scratch, qkv, shape);
        return;
    }
    attention_call call = {
        .shape = shape, .qkv = qkv, .probs = probs, .scratch = scratch, .out = out};
    call.kind = kind_of(shape, qkv, NULL);
    ag_pool_share(shape->B * shape->H, 1, forward_heads, &call);
}

static void backward_heads(void *context, size_t begin, size_t end)
{
    const attention_call *call = context;
    const ag_attention_shape *shape = call->shape;
    float *dscores = scratch_of_thread(call);
    for (size_t i = begin; i < end; i++) {
        attention_head head = attention_head_at(shape, i / shape->H, i % shape->H);
        const size_t T = head.T;
        const size_t C = head.narrow;
        const float *probs = call->probs + head.probs;
        const ag_view q = {call->qkv + head.qkv, head.wide, 1};
        const ag_view k = {q.at + C, head.wide, 1};
        const ag_view v = {k.at + C, head.wide, 1};
        const ag_view dout = {call->dout + head.out, C, 1};
        float *dq = call->dqkv + head.qkv;
        scores_of(dscores, dout, v, T, head.D, call->kind);
        if (shape->dropout > 0)
            drop_rows(dscores, &head, shape);
        ag_causal_softmax_backward_fast(dscores, probs, 1, T, head.scale);
        weigh_earlier(dq, head.wide, dscores, k, T, head.D);
        weigh_later(dq + C, head.wide, dscores, q, T, head.D);
        const float *weights = dropped_of(dscores + T * T, probs, &head, shape);
        weigh_later(dq + 2 * C, head.wide, weights, dout, T, head.D);
    }
}

void ag_attention_backward_fast(float *restrict dqkv, float *restrict scratch,
                                const float *restrict dout, const float *restrict qkv,
                                const float *restrict probs, const ag_attention_shape *shape)
{
    size_t tokens = shape->B * shape->T;
    if (!are_finite(qkv, tokens * 3 * shape->C) || !are_finite(dout, tokens * shape->C)) {
        ag_attention_backward_ref(dqkv, scratch, dout, qkv, probs, shape);
        return;
    }
    attention_call call = {
        .shape = shape, .qkv = qkv, .scratch = scratch, .dout = dout, .dqkv = dqkv};
    call.probs = (float *)(uintptr_t)probs; /* only read */
    call.kind = kind_of(shape, qkv, dout);
    ag_pool_share(shape->B * shape->H, 1, backward_heads, &call);
}

AG_CLONES void ag_causal_softmax_fast(float *scores, size_t M, size_t T, float scale)
{
    causal_softmax(scores, M, T, scale);
}

AG_CLONES void ag_causal_softmax_backward_fast(float *restrict dp, const float *restrict probs,
                                               size_t M, size_t T, float scale)
{
    causal_softmax_backward(dp, probs, M, T, scale);
}
