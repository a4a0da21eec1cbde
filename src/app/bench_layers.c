/* The timed kernels of what is no product of a linear layer, forward and backward.
 * Each has the signature of its kernel and one line of account (bench_account.h): the third
 * argument of ag_bench_add is how many floats a perfect kernel would read and write. What is timed
 * is what the program trains with; a bench of anything else would measure another program. */
#include "bench_account.h"

#include "base/clock.h"

/* A row of each table per token would be two reads; position rows stay in the caches. */
static void embedding_forward(float *restrict x, const int32_t *tokens, const float *restrict wte,
                              const float *restrict wpe, size_t B, size_t T, size_t C)
{
    double start_s = ag_clock_s();
    ag_kernels_fast.embedding_forward(x, tokens, wte, wpe, B, T, C);
    ag_bench_add(AG_BENCH_EMBEDDING, start_s, 2 * B * T * C);
}

/* Gradients are added where they belong: dx is read once, the tables are touched in places. */
static void embedding_backward(float *restrict dwte, float *restrict dwpe, const float *restrict dx,
                               const int32_t *tokens, size_t B, size_t T, size_t C)
{
    double start_s = ag_clock_s();
    ag_kernels_fast.embedding_backward(dwte, dwpe, dx, tokens, B, T, C);
    ag_bench_add(AG_BENCH_EMBEDDING, start_s, B * T * C);
}

static void norm_forward(float *restrict out, float *restrict mean, float *restrict rstd,
                         const float *restrict x, const ag_norm_form *form, size_t N, size_t C)
{
    double start_s = ag_clock_s();
    ag_kernels_fast.norm_forward(out, mean, rstd, x, form, N, C);
    ag_bench_add(AG_BENCH_NORMS, start_s, 2 * N * C);
}

/* x, dout and the sum dx, which is read and written. */
static void norm_backward(const ag_norm_grads *grads, const float *restrict dout,
                          const float *restrict x, const ag_norm_form *form,
                          const float *restrict mean, const float *restrict rstd, size_t N,
                          size_t C)
{
    double start_s = ag_clock_s();
    ag_kernels_fast.norm_backward(grads, dout, x, form, mean, rstd, N, C);
    ag_bench_add(AG_BENCH_NORMS, start_s, 4 * N * C);
}

static void rotate(ag_heads out, ag_heads x, size_t N, size_t heads, const ag_rotation *rotation)
{
    double start_s = ag_clock_s();
    ag_kernels_fast.rotate(out, x, N, heads, rotation);
    ag_bench_add(AG_BENCH_ATTENTION, start_s, 2 * N * heads * rotation->D);
}

static void swiglu_forward(float *restrict out, const ag_gated *in, size_t N, size_t F)
{
    double start_s = ag_clock_s();
    ag_kernels_fast.swiglu_forward(out, in, N, F);
    ag_bench_add(AG_BENCH_GELU, start_s, 3 * N * F);
}

static void swiglu_backward(const ag_gated *d, const float *dout, const ag_gated *in, size_t N,
                            size_t F)
{
    double start_s = ag_clock_s();
    ag_kernels_fast.swiglu_backward(d, dout, in, N, F);
    ag_bench_add(AG_BENCH_GELU, start_s, 5 * N * F);
}

static void gelu_forward(float *restrict out, const float *restrict x, size_t count, bool tanh_form)
{
    double start_s = ag_clock_s();
    ag_kernels_fast.gelu_forward(out, x, count, tanh_form);
    ag_bench_add(AG_BENCH_GELU, start_s, 2 * count);
}

/* x and dout in, dx out. */
static void gelu_backward(float *dx, const float *dout, const float *restrict x, size_t count,
                          bool tanh_form)
{
    double start_s = ag_clock_s();
    ag_kernels_fast.gelu_backward(dx, dout, x, count, tanh_form);
    ag_bench_add(AG_BENCH_GELU, start_s, 3 * count);
}

static void relu2_forward(float *restrict out, const float *restrict x, size_t count)
{
    double start_s = ag_clock_s();
    ag_kernels_fast.relu2_forward(out, x, count);
    ag_bench_add(AG_BENCH_GELU, start_s, 2 * count);
}

static void relu2_backward(float *dx, const float *dout, const float *restrict x, size_t count)
{
    double start_s = ag_clock_s();
    ag_kernels_fast.relu2_backward(dx, dout, x, count);
    ag_bench_add(AG_BENCH_GELU, start_s, 3 * count);
}

/* So many products of [T, T] and [T, D] on and below the diagonal, the first of `products` of BF16
 * values where the operands are. Above the diagonal nothing is computed. */
static void add_attention(double start_s, const ag_attention_shape *s, double products)
{
    double each = (double)s->B * (double)(s->H * s->D) * (double)s->T * (double)(s->T + 1) / 2;
    ag_bench_add(AG_BENCH_ATTENTION, start_s, 0);
    ag_bench_kind first = s->bf16 && ag_products_have_pairs() ? AG_BENCH_PAIRS : AG_BENCH_FLOATS;
    ag_bench_add_multiply_adds(AG_BENCH_ATTENTION, first, each);
    ag_bench_add_multiply_adds(AG_BENCH_ATTENTION, AG_BENCH_FLOATS, (products - 1) * each);
}

static void attention_forward(float *restrict out, float *restrict probs, float *restrict scratch,
                              const float *restrict qkv, const ag_attention_shape *shape)
{
    double start_s = ag_clock_s();
    ag_kernels_fast.attention_forward(out, probs, scratch, qkv, shape);
    add_attention(start_s, shape, 2); /* scores, out */
}

static void attention_backward(float *restrict dqkv, float *restrict scratch,
                               const float *restrict dout, const float *restrict qkv,
                               const float *restrict probs, const ag_attention_shape *shape)
{
    double start_s = ag_clock_s();
    ag_kernels_fast.attention_backward(dqkv, scratch, dout, qkv, probs, shape);
    add_attention(start_s, shape, shape->cap > 0 ? 5 : 4); /* dP, dq, dk, dv; the scores again */
}

/* Counted with the attention that it is a part of; what it moves is in the caches by then. */
static void causal_softmax(float *scores, size_t M, size_t T, float scale)
{
    double start_s = ag_clock_s();
    ag_kernels_fast.causal_softmax(scores, M, T, scale);
    ag_bench_add(AG_BENCH_ATTENTION, start_s, 0);
}

static void causal_softmax_backward(float *restrict dp, const float *restrict probs, size_t M,
                                    size_t T, float scale)
{
    double start_s = ag_clock_s();
    ag_kernels_fast.causal_softmax_backward(dp, probs, M, T, scale);
    ag_bench_add(AG_BENCH_ATTENTION, start_s, 0);
}

static void cap_scores(float *scores, size_t M, size_t T, float scale, float cap)
{
    double start_s = ag_clock_s();
    ag_kernels_fast.cap_scores(scores, M, T, scale, cap);
    ag_bench_add(AG_BENCH_ATTENTION, start_s, 0);
}

static void cap_scores_backward(float *restrict ds, const float *restrict scores, size_t M,
                                size_t T, float scale, float cap)
{
    double start_s = ag_clock_s();
    ag_kernels_fast.cap_scores_backward(ds, scores, M, T, scale, cap);
    ag_bench_add(AG_BENCH_ATTENTION, start_s, 0);
}

/* The logits become their own gradient in place. */
static void cross_entropy(float *restrict logits, float *restrict losses, const int32_t *targets,
                          size_t N, size_t V, float scale)
{
    double start_s = ag_clock_s();
    ag_kernels_fast.cross_entropy(logits, losses, targets, N, V, scale);
    ag_bench_add(AG_BENCH_CROSS_ENTROPY, start_s, 2 * N * V);
}

static void dropout(float *x, size_t count, float p, uint64_t key, uint32_t place, uint32_t step,
                    uint64_t first)
{
    double start_s = ag_clock_s();
    ag_kernels_fast.dropout(x, count, p, key, place, step, first);
    ag_bench_add(AG_BENCH_RESIDUAL, start_s, 2 * count);
}

static void amplify(float *x, size_t count, float factor)
{
    double start_s = ag_clock_s();
    ag_kernels_fast.amplify(x, count, factor);
    ag_bench_add(AG_BENCH_RESIDUAL, start_s, 2 * count);
}

static void blend(float *restrict y, const float *restrict x, size_t count, float a, float b)
{
    double start_s = ag_clock_s();
    ag_kernels_fast.blend(y, x, count, a, b);
    ag_bench_add(AG_BENCH_RESIDUAL, start_s, 3 * count);
}

static void logits_forward(float *y, size_t count, const ag_logits_form *form)
{
    double start_s = ag_clock_s();
    ag_kernels_fast.logits_forward(y, count, form);
    ag_bench_add(AG_BENCH_CROSS_ENTROPY, start_s, 2 * count);
}

static void logits_backward(float *restrict z, const int32_t *targets, size_t N, size_t V,
                            float scale, const ag_logits_form *form)
{
    double start_s = ag_clock_s();
    ag_kernels_fast.logits_backward(z, targets, N, V, scale, form);
    ag_bench_add(AG_BENCH_CROSS_ENTROPY, start_s, 2 * N * V);
}

static void add_to(float *restrict y, const float *restrict x, size_t count)
{
    double start_s = ag_clock_s();
    ag_kernels_fast.add(y, x, count);
    ag_bench_add(AG_BENCH_RESIDUAL, start_s, 3 * count);
}

static void duplicate(float *restrict y, const float *restrict x, size_t count)
{
    double start_s = ag_clock_s();
    ag_kernels_fast.duplicate(y, x, count);
    ag_bench_add(AG_BENCH_RESIDUAL, start_s, 2 * count);
}

void ag_bench_time_layers(ag_kernels *table)
{
    table->embedding_forward = embedding_forward;
    table->embedding_backward = embedding_backward;
    table->norm_forward = norm_forward;
    table->norm_backward = norm_backward;
    table->rotate = rotate;
    table->swiglu_forward = swiglu_forward;
    table->swiglu_backward = swiglu_backward;
    table->gelu_forward = gelu_forward;
    table->gelu_backward = gelu_backward;
    table->relu2_forward = relu2_forward;
    table->relu2_backward = relu2_backward;
    table->attention_forward = attention_forward;
    table->attention_backward = attention_backward;
    table->causal_softmax = causal_softmax;
    table->causal_softmax_backward = causal_softmax_backward;
    table->cap_scores = cap_scores;
    table->cap_scores_backward = cap_scores_backward;
    table->cross_entropy = cross_entropy;
    table->dropout = dropout;
    table->add = add_to;
    table->duplicate = duplicate;
    table->amplify = amplify;
    table->blend = blend;
    table->logits_forward = logits_forward;
    table->logits_backward = logits_backward;
}
