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

/* Words of q, k, v and of dout as pairs. */
static size_t pair_words(const ag_attention_shape *shape)
{
    size_t words = shape->B * shape->T * (3 * shape->C + shape->C) / 2;
    return shape->bf16 && shape->C / shape->H % 2 == 0 ? words : 0;
}

static size_t thread_scratch(const ag_attention_shape *shape)
{
    return (size_t)ag_pool_threads() * 2 * shape->T * shape->T;
}

size_t ag_attention_scratch(const ag_attention_shape *shape)
{
    return thread_scratch(shape) + pair_words(shape);
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
    ag_words qkv_words;  /* [N, 3C] along the channels: pairs where they pay, or the floats */
    ag_words dout_words; /* [N, C] */
} attention_call;

/* The same operand from element (row, column) on. */
static ag_words words_at(const ag_words *x, size_t row, size_t column)
{
    ag_words part = *x;
    size_t word = x->word == AG_WORD_PAIR ? column / 2 : column;
    part.words = (const uint32_t *)x->words + row * x->row_step + word;
    return part;
}

/* Floats x [N, C] whose rows are words, in `room` if they are pairs. */
static ag_words words_of(const float *x, size_t N, size_t C, uint32_t *room, bool pairs)
{
    if (!pairs)
        return ag_floats_along(x, C);
    ag_range range = ag_pairs_along(room, x, N, C);
    return (ag_words){
        .words = room, .row_step = C / 2, .k_step = 1, .word = AG_WORD_PAIR, .range = range};
}

static void make_words(attention_call *call)
{
    const ag_attention_shape *shape = call->shape;
    const size_t N = shape->B * shape->T;
    bool pairs = pair_words(shape) > 0 && ag_products_have_pairs();
    uint32_t *room = (uint32_t *)(void *)(call->scratch + thread_scratch(shape));
    call->qkv_words = words_of(call->qkv, N, 3 * shape->C, room, pairs);
    if (call->dout != NULL)
        call->dout_words = words_of(call->dout, N, shape->C, room + N * 3 * shape->C / 2, pairs);
}

/* scores [T, T] = a b^T on and below the diagonal's panels */
static void scores_of(float *scores, const ag_words *a, const ag_words *b, size_t T, size_t D)
{
    for (size_t n = 0; n < T; n += PANEL)
        ag_multiply(&(ag_product){.c = scores + n * T + n,
                                  .c_step = T,
                                  .a = words_at(a, n, 0),
                                  .b = words_at(b, n, 0),
                                  .M = T - n,
                                  .N = smaller(PANEL, T - n),
                                  .K = D});
}

/* x [T, D] of a head, whose rows are `stride` apart. */
typedef struct head_rows {
    const float *at;
    size_t stride;
} head_rows;

/* out [T, D], rows `stride` apart, = p x for p [T, T] that is zero above the diagonal */
static void weigh_earlier(float *out, size_t stride, const float *p, head_rows x, size_t T,
                          size_t D)
{
    const size_t block = rows_of_block(T);
    for (size_t t = 0; t < T; t += block)
        ag_multiply(&(ag_product){.c = out + t * stride,
                                  .c_step = stride,
                                  .a = ag_floats_along(p + t * T, T),
                                  .b = ag_floats_across(x.at, x.stride),
                                  .M = smaller(block, T - t),
                                  .N = D,
                                  .K = smaller(t + block, T)});
}

/* out [T, D] = p^T x */
static void weigh_later(float *out, size_t stride, const float *p, head_rows x, size_t T, size_t D)
{
    const size_t block = rows_of_block(T);
    for (size_t s = 0; s < T; s += block)
        ag_multiply(&(ag_product){.c = out + s * stride,
                                  .c_step = stride,
                                  .a = ag_floats_across(p + s * T + s, T),
                                  .b = ag_floats_across(x.at + s * x.stride, x.stride),
                                  .M = smaller(block, T - s),
                                  .N = D,
                                  .K = T - s,
                                  .first = s % AG_SEGMENT});
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
        const ag_words q = words_at(&call->qkv_words, 0, head.qkv);
        const ag_words k = words_at(&q, 0, head.narrow);
        const head_rows v = {call->qkv + head.qkv + 2 * head.narrow, head.wide};
        float *probs = call->probs + head.probs;
        scores_of(probs, &q, &k, head.T, head.D);
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

void ag_attention_forward_fast(float *restrict out, float *restrict probs, float *restrict scratch,
                               const float *restrict qkv, const ag_attention_shape *shape)
{
    if (!are_finite(qkv, shape->B * shape->T * 3 * shape->C)) {
        ag_attention_forward_ref(out, probs, scratch, qkv, shape);
        return;
    }
    attention_call call = {
        .shape = shape, .qkv = qkv, .probs = probs, .scratch = scratch, .out = out};
    make_words(&call);
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
        const head_rows q = {call->qkv + head.qkv, head.wide};
        const head_rows k = {q.at + C, head.wide};
        const head_rows dout = {call->dout + head.out, C};
        const ag_words v_words = words_at(&call->qkv_words, 0, head.qkv + 2 * C);
        const ag_words dout_words = words_at(&call->dout_words, 0, head.out);
        float *dq = call->dqkv + head.qkv;
        scores_of(dscores, &dout_words, &v_words, T, head.D);
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
    make_words(&call);
    ag_pool_share(shape->B * shape->H, 1, backward_heads, &call);
}
