/* Causal self-attention by the engine of products/products.h, one head after the other; threads
 * share the heads. For one head, with q, k, v [T, D] and s the scale:
 *
 *   forward    P = softmax(s q k^T, causal)             out = drop(P) v
 *   backward   dP = drop(dout v^T)                      dv = drop(P)^T dout
 *              dS = s P (dP - sum over the row of P dP)  dq = dS k, dk = dS^T q
 *
 * P [T, T] is made whole and kept. FlashAttention (arXiv 2205.14135) would keep it in tiles, but at
 * the context lengths that are trained here one head's P fits the caches, backward needs it again,
 * and whole rows let every sum keep the order that attention_plain.c has, hence its bits.
 *
 * Each product keeps to the triangle below the diagonal, which halves the work. The engine reads
 * whole vectors, so it may reach AG_REACH elements beyond the triangle: softmax leaves zeros there.
 */
#include "attention_internal.h"

#include <stdatomic.h>

#include "base/pool.h"

enum {
    CACHED = 1 << 18, /* elements of a block of rows [.., T]: 1 MiB, so that each of its passes
                         finds it in the second cache, or nearly */
    TILES = 48,       /* rows, whole tiles of any engine */
    PIECE = 16384     /* elements that one thread searches at a time */
};

/* Room for q, k, v and dout as pairs of BF16. Pairs need an even D, since a word must not hold
 * channels of two heads. */
static size_t pair_words(const ag_attention_shape *shape)
{
    size_t words = shape->B * shape->T * (ag_attention_width(shape) + shape->H * shape->D) / 2;
    return shape->bf16 && shape->D % 2 == 0 ? words : 0;
}

/* Of a thread's scratch: the gradient of the scores, the probabilities after dropout, and, where
 * scores are capped, the products that they came from. */
static size_t squares_each(const ag_attention_shape *shape)
{
    return (shape->cap > 0 ? 3 : 2) * shape->T * shape->T;
}

/* And where query heads share keys and values, one head's part of dk or dv. */
static size_t scratch_each(const ag_attention_shape *shape)
{
    size_t part = shape->K < shape->H ? shape->T * shape->D : 0;
    return squares_each(shape) + part;
}

static size_t thread_scratch(const ag_attention_shape *shape)
{
    return (size_t)ag_pool_threads() * scratch_each(shape);
}

size_t ag_attention_scratch(const ag_attention_shape *shape)
{
    return thread_scratch(shape) + pair_words(shape);
}

/* The arguments of one call, as its pieces see them; those of the other direction are NULL. */
typedef struct attention_call {
    const ag_attention_shape *shape;
    const float *qkv;
    float *scratch;
    float *probs; /* forward: to be made */
    float *out;
    const float *kept; /* backward: the probabilities */
    const float *dout;
    float *dqkv;
    ag_words qkv_words;  /* [N, W] along the channels: pairs where they pay, or the floats */
    ag_words dout_words; /* [N, H D] */
} attention_call;

/* A view of the same operand that begins at element (row, column). A head's first channel is a
 * multiple of D, so that it begins a word. */
static ag_words words_at(const ag_words *x, size_t row, size_t column)
{
    ag_words part = *x;
    size_t word = x->word == AG_WORD_PAIR ? column / 2 : column;
    part.words = (const uint32_t *)x->words + row * x->row_step + word;
    return part;
}

/* Looking for Inf and NaN: by the largest magnitude as bits, which are ordered as the values are.
 */
typedef struct search {
    const float *x;
    atomic_bool finite;
} search;

AG_CLONES static void search_piece(void *context, size_t begin, size_t end)
{
    search *s = context;
    uint32_t largest = 0;
    for (size_t i = begin; i < end; i++) {
        uint32_t magnitude = ag_float_bits(s->x[i]) & AG_MAGNITUDE_BITS;
        largest = magnitude > largest ? magnitude : largest;
    }
    if (largest >= AG_INFINITE_BITS)
        atomic_store(&s->finite, false);
}

static bool are_finite(const float *x, size_t count)
{
    search s = {x, true};
    ag_pool_share(count, PIECE, search_piece, &s);
    return atomic_load(&s.finite);
}

/* Words along the rows of floats x [N, C]: pairs in `room`, or, where that is NULL, the floats
 * themselves. False where an element is not finite. The range of pairs, which packing finds anyway,
 * says the same as the search. */
static bool make_words(ag_words *words, const float *x, size_t N, size_t C, uint32_t *room)
{
    *words = ag_floats_along(x, C);
    if (room == NULL)
        return are_finite(x, N * C);
    *words = (ag_words){.words = room, .row_step = C / 2, .k_step = 1, .word = AG_WORD_PAIR};
    words->range = ag_pairs_along(room, x, N, C);
    return words->range.most < AG_INFINITE_BITS;
}

/* Prepares q, k, v and dout. Within a block of rows the zeros beyond the diagonal meet what later
 * tokens hold, and 0 times Inf or NaN would be NaN where the formula has nothing: false where there
 * is one, and the plain version takes over. */
static bool make_operands(attention_call *call)
{
    const ag_attention_shape *shape = call->shape;
    const size_t N = shape->B * shape->T;
    const size_t W = ag_attention_width(shape);
    bool pairs = pair_words(shape) > 0 && ag_products_have_pairs();
    uint32_t *room = pairs ? (uint32_t *)(void *)(call->scratch + thread_scratch(shape)) : NULL;
    if (!make_words(&call->qkv_words, call->qkv, N, W, room))
        return false;
    room = pairs ? room + N * W / 2 : NULL;
    return call->dout == NULL ||
           make_words(&call->dout_words, call->dout, N, shape->H * shape->D, room);
}

/* --- products. A block: rows [begin, end) of [T, T]. */

typedef struct rows_block {
    size_t begin, end, T;
} rows_block;

/* The block from row `begin` on. */
static rows_block block_at(size_t begin, size_t T)
{
    const size_t blocks = ag_pieces(T * T, CACHED);
    const size_t rows = ag_pieces(ag_pieces(T, blocks), TILES) * TILES;
    return (rows_block){begin, ag_smaller(begin + rows, T), T};
}

/* Rows of the block of scores [T, T] = a b^T, on and below the diagonal. */
static void scores_of(float *scores, const ag_words *a, const ag_words *b, size_t D,
                      rows_block block)
{
    ag_multiply(&(ag_product){.c = scores + block.begin * block.T,
                              .c_step = block.T,
                              .a = words_at(a, block.begin, 0),
                              .b = *b,
                              .M = block.end - block.begin,
                              .N = block.end,
                              .K = D,
                              .triangle = AG_TRIANGLE_C_LOWER,
                              .diagonal = (ptrdiff_t)block.begin});
}

/* x [T, D] of a head, whose rows are `stride` apart. */
typedef struct head_rows {
    const float *at;
    size_t stride;
} head_rows;

/* Rows of the block of out [T, D], `stride` apart, = p x for p [T, T] that is zero above the
 * diagonal. */
static void weigh_earlier(float *out, size_t stride, const float *p, head_rows x, size_t D,
                          rows_block block)
{
    ag_multiply(&(ag_product){.c = out + block.begin * stride,
                              .c_step = stride,
                              .a = ag_floats_along(p + block.begin * block.T, block.T),
                              .b = ag_floats_across(x.at, x.stride),
                              .M = block.end - block.begin,
                              .N = D,
                              .K = block.end,
                              .triangle = AG_TRIANGLE_A_LOWER,
                              .diagonal = (ptrdiff_t)block.begin});
}

/* out [T, D] = p^T x; or += where the head adds, whose part is made in `room` [T, D] */
static void weigh_later(float *out, float *room, const float *p, head_rows x,
                        const attention_head *head)
{
    ag_product product = {.c = out,
                          .c_step = head->wide,
                          .a = ag_floats_across(p, head->T),
                          .b = ag_floats_across(x.at, x.stride),
                          .M = head->T,
                          .N = head->D,
                          .K = head->T,
                          .triangle = AG_TRIANGLE_A_UPPER};
    if (head->adds) {
        product.c = room;
        product.c_step = head->D;
        product.finish = (ag_finish){.onto = out, .onto_step = head->wide};
    }
    ag_multiply(&product);
}

/* --- dropout */

static void drop_rows(float *x, const attention_head *head, const ag_attention_shape *shape,
                      rows_block block)
{
    for (size_t t = block.begin; shape->dropout > 0 && t < block.end; t++)
        ag_dropout_fast(x + t * head->T, t + 1, shape->dropout, shape->key, shape->place,
                        shape->step, head->index + t * head->T);
}

/* The block of probabilities as they weigh v: after dropout in `room`, or, without dropout, as they
 * are. The AG_REACH zeros beyond the diagonal are copied, too, since the product reads them. */
static const float *dropped_of(float *room, const float *probs, const attention_head *head,
                               const ag_attention_shape *shape, rows_block block)
{
    if (shape->dropout == 0)
        return probs;
    for (size_t t = block.begin; t < block.end; t++)
        memcpy(room + t * block.T, probs + t * block.T,
               ag_smaller(t + 1 + AG_REACH, block.T) * sizeof *probs);
    drop_rows(room, head, shape, block);
    return room;
}

static float *scratch_of_thread(const attention_call *call)
{
    return call->scratch + (size_t)ag_pool_thread() * scratch_each(call->shape);
}

/* --- forward */

static void forward_head(const attention_call *call, const attention_head *head)
{
    const ag_words q = words_at(&call->qkv_words, 0, head->q);
    const ag_words k = words_at(&call->qkv_words, 0, head->k);
    const head_rows v = {call->qkv + head->v, head->wide};
    float *out = call->out + head->out;
    float *probs = call->probs + head->probs;
    float *room = scratch_of_thread(call);
    for (rows_block block = block_at(0, head->T); block.begin < head->T;
         block = block_at(block.end, head->T)) {
        scores_of(probs, &q, &k, head->D, block);
        if (head->cap > 0)
            ag_cap_rows(probs, head->T, block.begin, block.end, head->scale, head->cap);
        ag_softmax_rows(probs, head->T, block.begin, block.end, AG_REACH, head->rest);
        const float *weights = dropped_of(room, probs, head, call->shape, block);
        weigh_earlier(out, head->narrow, weights, v, head->D, block);
    }
}

static void forward_heads(void *context, size_t begin, size_t end)
{
    const attention_call *call = context;
    const ag_attention_shape *shape = call->shape;
    for (size_t i = begin; i < end; i++) {
        attention_head head = attention_head_at(shape, i / shape->H, i % shape->H);
        forward_head(call, &head);
    }
}

void ag_attention_forward_fast(float *restrict out, float *restrict probs, float *restrict scratch,
                               const float *restrict qkv, const ag_attention_shape *shape)
{
    attention_call call = {
        .shape = shape, .qkv = qkv, .probs = probs, .scratch = scratch, .out = out};
    if (make_operands(&call))
        ag_pool_share(shape->B * shape->H, 1, forward_heads, &call);
    else
        ag_attention_forward_plain(out, probs, scratch, qkv, shape);
}

/* --- backward */

/* The products q k^T of the head, once more: the slope of the cap asks for them. */
static void products_again(float *products, const attention_call *call, const attention_head *head,
                           rows_block block)
{
    const ag_words q = words_at(&call->qkv_words, 0, head->q);
    const ag_words k = words_at(&call->qkv_words, 0, head->k);
    scores_of(products, &q, &k, head->D, block);
}

/* Makes dq and dscores. Returns the probabilities as they weighed v, in `room` if there is dropout:
 * the mask is made again from its counters, so that forward need not keep it. */
static const float *backward_rows(float *dscores, float *room, const attention_call *call,
                                  const attention_head *head)
{
    const ag_words dout = words_at(&call->dout_words, 0, head->out);
    const head_rows k = {call->qkv + head->k, head->wide};
    const ag_words v = words_at(&call->qkv_words, 0, head->v);
    const float *probs = call->kept + head->probs;
    const float *weights = probs;
    float *products = dscores + 2 * head->T * head->T;
    for (rows_block block = block_at(0, head->T); block.begin < head->T;
         block = block_at(block.end, head->T)) {
        if (head->cap > 0)
            products_again(products, call, head, block);
        scores_of(dscores, &dout, &v, head->D, block);
        drop_rows(dscores, head, call->shape, block);
        ag_softmax_rows_backward(dscores, probs, head->T, block.begin, block.end, AG_REACH,
                                 head->rest);
        if (head->cap > 0)
            ag_cap_rows_backward(dscores, products, head->T, block.begin, block.end, head->scale,
                                 head->cap);
        weigh_earlier(call->dqkv + head->q, head->wide, dscores, k, head->D, block);
        weights = dropped_of(room, probs, head, call->shape, block);
    }
    return weights;
}

/* dk and dv, whose sums run over rows: only after all of dscores is there. */
static void backward_columns(const attention_call *call, const attention_head *head, float *dscores,
                             const float *weights)
{
    const head_rows q = {call->qkv + head->q, head->wide};
    const head_rows dout = {call->dout + head->out, head->narrow};
    float *room = dscores + squares_each(call->shape);
    weigh_later(call->dqkv + head->k, room, dscores, q, head);
    weigh_later(call->dqkv + head->v, room, weights, dout, head);
}

/* The query heads of [begin, end) heads of keys, which one thread adds up in their order. */
static void backward_heads(void *context, size_t begin, size_t end)
{
    const attention_call *call = context;
    const ag_attention_shape *shape = call->shape;
    const size_t group = shape->H / shape->K;
    float *dscores = scratch_of_thread(call);
    for (size_t i = begin * group; i < end * group; i++) {
        attention_head head = attention_head_at(shape, i / shape->H, i % shape->H);
        float *room = dscores + head.T * head.T;
        const float *weights = backward_rows(dscores, room, call, &head);
        backward_columns(call, &head, dscores, weights);
    }
}

void ag_attention_backward_fast(float *restrict dqkv, float *restrict scratch,
                                const float *restrict dout, const float *restrict qkv,
                                const float *restrict probs, const ag_attention_shape *shape)
{
    attention_call call = {
        .shape = shape, .qkv = qkv, .scratch = scratch, .kept = probs, .dout = dout, .dqkv = dqkv};
    if (make_operands(&call))
        ag_pool_share(shape->B * shape->K, 1, backward_heads, &call);
    else
        ag_attention_backward_plain(dqkv, scratch, dout, qkv, probs, shape);
}
