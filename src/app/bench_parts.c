/* A table of kernels that does what the fast one does and keeps account: the time of each kernel
 * goes to a part of the step, with the least that it has to compute or to move.
 *
 * Kernels know nothing but their arguments, so the account they write into is this file's. They are
 * called by one thread; what they share among others, they share inside. Each wrapper reads the
 * clock twice, some 50 ns beside kernels of microseconds and more.
 *
 * What a perfect kernel would move is counted in floats: each array that is read or written once.
 * Products count multiply-adds instead, since their operands are used again and again in the
 * caches; what is small beside the rest (scales, means of rows) is left out. So a bound is never
 * too high, and "reached" never flatters. */
#include "bench.h"

#include "base/clock.h"

/* Set by ag_bench_kernels. */
static ag_bench_record *s_record;

enum { FLOAT = sizeof(float) };

const char *ag_bench_part_name(ag_bench_part part)
{
    static const char *const names[AG_BENCH_PARTS] = {
        [AG_BENCH_EMBEDDING] = "embedding",   [AG_BENCH_NORMS] = "norms",
        [AG_BENCH_QUANTISING] = "quantising", [AG_BENCH_PACKING] = "packing",
        [AG_BENCH_FPROP] = "fprop",           [AG_BENCH_DGRAD] = "dgrad",
        [AG_BENCH_WGRAD] = "wgrad",           [AG_BENCH_SCALES] = "scales, bias",
        [AG_BENCH_ATTENTION] = "attention",   [AG_BENCH_GELU] = "GELU",
        [AG_BENCH_RESIDUAL] = "residual",     [AG_BENCH_CROSS_ENTROPY] = "cross-entropy",
        [AG_BENCH_OPTIMIZER] = "optimizer",   [AG_BENCH_REST] = "rest",
    };
    return names[part];
}

/* What the program trains with: a bench of anything else would measure another program. */
static const ag_kernels *fast(void)
{
    return &ag_kernels_fast;
}

/* A call that began at `start_s` and moved so many floats. */
static void add(ag_bench_part part, double start_s, size_t floats)
{
    ag_bench_work *work = &s_record->now.parts[part];
    work->seconds += ag_clock_s() - start_s;
    work->calls++;
    work->bytes += (double)floats * FLOAT;
}

/* --- products */

/* Attention whose operands are quantised takes its products by the table too: T x T scores of D
 * channels, or D channels from T scores. */
static bool is_attention(const ag_product *s)
{
    const size_t T = s_record->T;
    const size_t D = s_record->D;
    return s->M == T && ((s->N == T && s->K == D) || (s->N == D && s->K == T));
}

/* By what is transposed, as linear.c lays them out. The table of kernels has one product for all
 * three. */
static ag_bench_part part_of(const ag_product *s)
{
    if (s->a.k_step != 1)
        return AG_BENCH_WGRAD;
    return s->b.k_step != 1 ? AG_BENCH_DGRAD : AG_BENCH_FPROP;
}

/* A table that is full drops further shapes: 64 are more than a model has, and only the yardstick
 * would suffer. */
static void count_shape(ag_bench_part part, const ag_product *s)
{
    size_t i = 0;
    for (; i < s_record->n_shapes; i++) {
        const ag_bench_shape *known = &s_record->shapes[i];
        if (known->part == part && known->M == s->M && known->N == s->N && known->K == s->K)
            break;
    }
    if (i == AG_BENCH_SHAPES)
        return;
    if (i == s_record->n_shapes)
        s_record->shapes[s_record->n_shapes++] = (ag_bench_shape){part, s->M, s->N, s->K, 0};
    s_record->shapes[i].calls++;
}

static ag_bench_kind kind_of(ag_word word)
{
    if (word == AG_WORD_FLOAT)
        return AG_BENCH_FLOATS;
    return word == AG_WORD_PAIR ? AG_BENCH_PAIRS : AG_BENCH_CODES;
}

static void add_product(double start_s, const ag_product *s, bool attends)
{
    ag_bench_part part = attends ? AG_BENCH_ATTENTION : part_of(s);
    add(part, start_s, 0);
    s_record->now.parts[part].multiply_adds[kind_of(s->a.word)] +=
        (double)s->M * (double)s->N * (double)s->K;
    if (!attends)
        count_shape(part, s);
}

static void product(const ag_product *product)
{
    double start_s = ag_clock_s();
    fast()->product(product);
    add_product(start_s, product, is_attention(product));
}

/* One with an accumulator of its own; the bound is that of a product of floats. It emulates in
 * software what hardware does in one instruction. */
static void product_accumulated(float *c, size_t c_step, size_t M, size_t N, size_t K,
                                const ag_summands *a, const ag_summands *b,
                                const ag_accumulator *accumulator)
{
    double start_s = ag_clock_s();
    fast()->product_accumulated(c, c_step, M, N, K, a, b, accumulator);
    const ag_product same = {
        .a = {.k_step = a->k_step}, .b = {.k_step = b->k_step}, .M = M, .N = N, .K = K};
    add_product(start_s, &same, false);
}

/* Read as floats, written as half as many words: so much the copy that bounds it moves. */
static ag_range pairs_along(uint32_t *words, const float *x, size_t rows, size_t K)
{
    double start_s = ag_clock_s();
    ag_range range = fast()->pairs_along(words, x, rows, K);
    add(AG_BENCH_PACKING, start_s, rows * K + rows * K / 2);
    return range;
}

static ag_range pairs_across(uint32_t *words, const float *x, size_t rows, size_t K)
{
    double start_s = ag_clock_s();
    ag_range range = fast()->pairs_across(words, x, rows, K);
    add(AG_BENCH_PACKING, start_s, rows * K + rows * K / 2);
    return range;
}

static ag_range pairs_range(const float *x, size_t count)
{
    double start_s = ag_clock_s();
    ag_range range = fast()->pairs_range(x, count);
    add(AG_BENCH_PACKING, start_s, count);
    return range;
}

/* From here on each wrapper has the signature of its kernel and one line of account; the third
 * argument of `add` is how many floats a perfect kernel would read and write. */
static void epilogue(float *y, const float *bias, size_t N, size_t OC, ag_factor a, ag_factor b,
                     bool bf16)
{
    double start_s = ag_clock_s();
    fast()->epilogue(y, bias, N, OC, a, b, bf16);
    add(AG_BENCH_SCALES, start_s, 2 * N * OC);
}

static void accumulate(float *restrict grad, const float *restrict x, size_t OC, size_t C,
                       ag_factor a, ag_factor b)
{
    double start_s = ag_clock_s();
    fast()->accumulate(grad, x, OC, C, a, b);
    add(AG_BENCH_SCALES, start_s, 3 * OC * C);
}

static void bias_backward(float *restrict dbias, const float *restrict dout, size_t N, size_t OC)
{
    double start_s = ag_clock_s();
    fast()->bias_backward(dbias, dout, N, OC);
    add(AG_BENCH_SCALES, start_s, N * OC);
}

/* --- quantising */

/* Reads every value and keeps one. */
static float amax(const float *x, size_t count)
{
    double start_s = ag_clock_s();
    float largest = fast()->amax(x, count);
    add(AG_BENCH_QUANTISING, start_s, count);
    return largest;
}

/* Reads and writes, as most of what follows; the largest value comes along for nothing. */
static float round_bf16(float *out, const float *x, size_t count)
{
    double start_s = ag_clock_s();
    float largest = fast()->round_bf16(out, x, count);
    add(AG_BENCH_QUANTISING, start_s, 2 * count);
    return largest;
}

static float round_pairs(float *out, const float *x, size_t rows, size_t cols, ag_pairs *pairs)
{
    double start_s = ag_clock_s();
    float largest = fast()->round_pairs(out, x, rows, cols, pairs);
    const size_t halves = 4 + (size_t)(pairs->along != NULL) + (size_t)(pairs->across != NULL);
    add(AG_BENCH_QUANTISING, start_s, rows * cols * halves / 2);
    return largest;
}

static void quantize(float *out, const float *x, size_t count, const ag_format *format, float scale,
                     ag_overflow overflow)
{
    double start_s = ag_clock_s();
    fast()->quantize(out, x, count, format, scale, overflow);
    add(AG_BENCH_QUANTISING, start_s, 2 * count);
}

static void quantize_stochastic(float *out, const float *x, size_t count, const ag_format *format,
                                float scale, ag_overflow overflow, const ag_rounding_site *where,
                                uint64_t first)
{
    double start_s = ag_clock_s();
    fast()->quantize_stochastic(out, x, count, format, scale, overflow, where, first);
    add(AG_BENCH_QUANTISING, start_s, 2 * count);
}

static void hadamard(float *out, const float *x, size_t rows, size_t cols, ag_sum sum,
                     const ag_turn *turn)
{
    double start_s = ag_clock_s();
    fast()->hadamard(out, x, rows, cols, sum, turn);
    add(AG_BENCH_QUANTISING, start_s, 2 * rows * cols);
}

static void groups_amax(float *largest, const float *x, const ag_groups *groups, bool keep_nan)
{
    double start_s = ag_clock_s();
    fast()->groups_amax(largest, x, groups, keep_nan);
    add(AG_BENCH_QUANTISING, start_s, groups->rows * groups->cols);
}

/* A scale per group: the amax in, the scale and what undoes it out. */
static void scales_set(ag_scales *scales, const ag_scheme *scheme, size_t count)
{
    double start_s = ag_clock_s();
    fast()->scales_set(scales, scheme, count);
    add(AG_BENCH_QUANTISING, start_s, 3 * count);
}

/* It reads the matrix once for each candidate. */
static void scales_select(ag_scales *scales, const ag_scheme *scheme, const float *x,
                          const ag_groups *groups, const ag_matrix *matrix,
                          const ag_rounding_site *where)
{
    double start_s = ag_clock_s();
    size_t passes = (size_t)ag_scheme_candidates(scheme);
    fast()->scales_select(scales, scheme, x, groups, matrix, where);
    add(AG_BENCH_QUANTISING, start_s, passes * groups->rows * groups->cols);
}

static void quantize_groups(float *out, const float *x, const ag_groups *groups,
                            const ag_scales *scales, const ag_scheme *scheme,
                            const ag_rounding_site *where, uint64_t first)
{
    double start_s = ag_clock_s();
    fast()->quantize_groups(out, x, groups, scales, scheme, where, first);
    add(AG_BENCH_QUANTISING, start_s, 2 * groups->rows * groups->cols);
}

static void quantize_codes(const ag_codes *out, ag_sum sum, const float *x, const ag_groups *groups,
                           const ag_scales *scales, const ag_scheme *scheme,
                           const ag_rounding_site *where, uint64_t first)
{
    double start_s = ag_clock_s();
    fast()->quantize_codes(out, sum, x, groups, scales, scheme, where, first);
    add(AG_BENCH_QUANTISING, start_s, groups->rows * groups->cols * 5 / 4); /* a byte each */
}

/* --- layers */

/* A row of each table per token would be two reads; position rows stay in the caches. */
static void embedding_forward(float *restrict x, const int32_t *tokens, const float *restrict wte,
                              const float *restrict wpe, size_t B, size_t T, size_t C)
{
    double start_s = ag_clock_s();
    fast()->embedding_forward(x, tokens, wte, wpe, B, T, C);
    add(AG_BENCH_EMBEDDING, start_s, 2 * B * T * C);
}

/* Gradients are added where they belong: dx is read once, the tables are touched in places. */
static void embedding_backward(float *restrict dwte, float *restrict dwpe, const float *restrict dx,
                               const int32_t *tokens, size_t B, size_t T, size_t C)
{
    double start_s = ag_clock_s();
    fast()->embedding_backward(dwte, dwpe, dx, tokens, B, T, C);
    add(AG_BENCH_EMBEDDING, start_s, B * T * C);
}

static void norm_forward(float *restrict out, float *restrict mean, float *restrict rstd,
                         const float *restrict x, const ag_norm_form *form, size_t N, size_t C)
{
    double start_s = ag_clock_s();
    fast()->norm_forward(out, mean, rstd, x, form, N, C);
    add(AG_BENCH_NORMS, start_s, 2 * N * C);
}

/* x, dout and the sum dx, which is read and written. */
static void norm_backward(const ag_norm_grads *grads, const float *restrict dout,
                          const float *restrict x, const ag_norm_form *form,
                          const float *restrict mean, const float *restrict rstd, size_t N,
                          size_t C)
{
    double start_s = ag_clock_s();
    fast()->norm_backward(grads, dout, x, form, mean, rstd, N, C);
    add(AG_BENCH_NORMS, start_s, 4 * N * C);
}

static void rotate(ag_heads out, ag_heads x, size_t N, size_t heads, const ag_rotation *rotation)
{
    double start_s = ag_clock_s();
    fast()->rotate(out, x, N, heads, rotation);
    add(AG_BENCH_ATTENTION, start_s, 2 * N * heads * rotation->D);
}

static void swiglu_forward(float *restrict out, const ag_gated *in, size_t N, size_t F)
{
    double start_s = ag_clock_s();
    fast()->swiglu_forward(out, in, N, F);
    add(AG_BENCH_GELU, start_s, 3 * N * F);
}

static void swiglu_backward(const ag_gated *d, const float *dout, const ag_gated *in, size_t N,
                            size_t F)
{
    double start_s = ag_clock_s();
    fast()->swiglu_backward(d, dout, in, N, F);
    add(AG_BENCH_GELU, start_s, 5 * N * F);
}

static void gelu_forward(float *restrict out, const float *restrict x, size_t count, bool tanh_form)
{
    double start_s = ag_clock_s();
    fast()->gelu_forward(out, x, count, tanh_form);
    add(AG_BENCH_GELU, start_s, 2 * count);
}

/* x and dout in, dx out. */
static void gelu_backward(float *dx, const float *dout, const float *restrict x, size_t count,
                          bool tanh_form)
{
    double start_s = ag_clock_s();
    fast()->gelu_backward(dx, dout, x, count, tanh_form);
    add(AG_BENCH_GELU, start_s, 3 * count);
}

static void relu2_forward(float *restrict out, const float *restrict x, size_t count)
{
    double start_s = ag_clock_s();
    fast()->relu2_forward(out, x, count);
    add(AG_BENCH_GELU, start_s, 2 * count);
}

static void relu2_backward(float *dx, const float *dout, const float *restrict x, size_t count)
{
    double start_s = ag_clock_s();
    fast()->relu2_backward(dx, dout, x, count);
    add(AG_BENCH_GELU, start_s, 3 * count);
}

/* So many products of [T, T] and [T, D] on and below the diagonal, the first of `products` of BF16
 * values where the operands are. Above the diagonal nothing is computed. */
static void add_attention(double start_s, const ag_attention_shape *s, double products)
{
    ag_bench_work *work = &s_record->now.parts[AG_BENCH_ATTENTION];
    double each = (double)s->B * (double)(s->H * s->D) * (double)s->T * (double)(s->T + 1) / 2;
    add(AG_BENCH_ATTENTION, start_s, 0);
    work->multiply_adds[s->bf16 && ag_products_have_pairs() ? AG_BENCH_PAIRS : AG_BENCH_FLOATS] +=
        each;
    work->multiply_adds[AG_BENCH_FLOATS] += (products - 1) * each;
}

static void attention_forward(float *restrict out, float *restrict probs, float *restrict scratch,
                              const float *restrict qkv, const ag_attention_shape *shape)
{
    double start_s = ag_clock_s();
    fast()->attention_forward(out, probs, scratch, qkv, shape);
    add_attention(start_s, shape, 2); /* scores, out */
}

static void attention_backward(float *restrict dqkv, float *restrict scratch,
                               const float *restrict dout, const float *restrict qkv,
                               const float *restrict probs, const ag_attention_shape *shape)
{
    double start_s = ag_clock_s();
    fast()->attention_backward(dqkv, scratch, dout, qkv, probs, shape);
    add_attention(start_s, shape, shape->cap > 0 ? 5 : 4); /* dP, dq, dk, dv; the scores again */
}

/* Counted with the attention that it is a part of; what it moves is in the caches by then. */
static void causal_softmax(float *scores, size_t M, size_t T, float scale)
{
    double start_s = ag_clock_s();
    fast()->causal_softmax(scores, M, T, scale);
    add(AG_BENCH_ATTENTION, start_s, 0);
}

static void causal_softmax_backward(float *restrict dp, const float *restrict probs, size_t M,
                                    size_t T, float scale)
{
    double start_s = ag_clock_s();
    fast()->causal_softmax_backward(dp, probs, M, T, scale);
    add(AG_BENCH_ATTENTION, start_s, 0);
}

static void cap_scores(float *scores, size_t M, size_t T, float scale, float cap)
{
    double start_s = ag_clock_s();
    fast()->cap_scores(scores, M, T, scale, cap);
    add(AG_BENCH_ATTENTION, start_s, 0);
}

static void cap_scores_backward(float *restrict ds, const float *restrict scores, size_t M,
                                size_t T, float scale, float cap)
{
    double start_s = ag_clock_s();
    fast()->cap_scores_backward(ds, scores, M, T, scale, cap);
    add(AG_BENCH_ATTENTION, start_s, 0);
}

/* The logits become their own gradient in place. */
static void cross_entropy(float *restrict logits, float *restrict losses, const int32_t *targets,
                          size_t N, size_t V, float scale)
{
    double start_s = ag_clock_s();
    fast()->cross_entropy(logits, losses, targets, N, V, scale);
    add(AG_BENCH_CROSS_ENTROPY, start_s, 2 * N * V);
}

static void dropout(float *x, size_t count, float p, uint64_t key, uint32_t site, uint32_t step,
                    uint64_t first)
{
    double start_s = ag_clock_s();
    fast()->dropout(x, count, p, key, site, step, first);
    add(AG_BENCH_RESIDUAL, start_s, 2 * count);
}

static void amplify(float *x, size_t count, float factor)
{
    double start_s = ag_clock_s();
    fast()->amplify(x, count, factor);
    add(AG_BENCH_RESIDUAL, start_s, 2 * count);
}

static void blend(float *restrict y, const float *restrict x, size_t count, float a, float b)
{
    double start_s = ag_clock_s();
    fast()->blend(y, x, count, a, b);
    add(AG_BENCH_RESIDUAL, start_s, 3 * count);
}

static void logits_forward(float *y, size_t count, const ag_logits_form *form)
{
    double start_s = ag_clock_s();
    fast()->logits_forward(y, count, form);
    add(AG_BENCH_CROSS_ENTROPY, start_s, 2 * count);
}

static void logits_backward(float *restrict z, const int32_t *targets, size_t N, size_t V,
                            float scale, const ag_logits_form *form)
{
    double start_s = ag_clock_s();
    fast()->logits_backward(z, targets, N, V, scale, form);
    add(AG_BENCH_CROSS_ENTROPY, start_s, 2 * N * V);
}

static void add_to(float *restrict y, const float *restrict x, size_t count)
{
    double start_s = ag_clock_s();
    fast()->add(y, x, count);
    add(AG_BENCH_RESIDUAL, start_s, 3 * count);
}

/* --- after the gradients */

static double sum_squares(const float *x, size_t count)
{
    double start_s = ag_clock_s();
    double sum = fast()->sum_squares(x, count);
    add(AG_BENCH_OPTIMIZER, start_s, count);
    return sum;
}

/* w, m and v are read and written, the gradient is read. */
static void adamw(float *restrict w, float *restrict m, float *restrict v,
                  const float *restrict grad, size_t count, const ag_adamw_step *step)
{
    double start_s = ag_clock_s();
    fast()->adamw(w, m, v, grad, count, step);
    add(AG_BENCH_OPTIMIZER, start_s, 7 * count);
}

static void manifold_adamw(float *restrict w, float *restrict m, float *restrict v,
                           const float *restrict grad, size_t count, const ag_adamw_step *step,
                           const ag_spacing *spacing)
{
    double start_s = ag_clock_s();
    fast()->manifold_adamw(w, m, v, grad, count, step, spacing);
    add(AG_BENCH_OPTIMIZER, start_s, 7 * count);
}

/* w and v are read and written, the gradient is read; so in the next one. */
static void sgd(float *restrict w, float *restrict v, const float *restrict grad, size_t count,
                const ag_sgd_step *step)
{
    double start_s = ag_clock_s();
    fast()->sgd(w, v, grad, count, step);
    add(AG_BENCH_OPTIMIZER, start_s, 5 * count);
}

static void grid(float *restrict w, float *restrict v, const float *restrict grad, size_t count,
                 const ag_grid_step *step, const ag_rounding_site *where)
{
    double start_s = ag_clock_s();
    fast()->grid(w, v, grad, count, step, where);
    add(AG_BENCH_OPTIMIZER, start_s, 5 * count);
}

static void lion(float *restrict w, float *restrict m, const float *restrict grad, size_t count,
                 const ag_lion_step *step)
{
    double start_s = ag_clock_s();
    fast()->lion(w, m, grad, count, step);
    add(AG_BENCH_OPTIMIZER, start_s, 5 * count);
}

/* The gradient and m are read, m and u written. */
static void momentum(float *restrict u, float *restrict m, const float *restrict grad, size_t count,
                     const ag_momentum_step *step)
{
    double start_s = ag_clock_s();
    fast()->momentum(u, m, grad, count, step);
    add(AG_BENCH_OPTIMIZER, start_s, 4 * count);
}

static void update_product(const ag_product *s)
{
    double start_s = ag_clock_s();
    fast()->update_product(s);
    add(AG_BENCH_OPTIMIZER, start_s, 0);
    bool half = s->triangle == AG_TRIANGLE_C_LOWER; /* of a square */
    double wanted = half ? (double)s->M * (double)(s->M + 1) / 2 : (double)s->M * (double)s->N;
    s_record->now.parts[AG_BENCH_OPTIMIZER].multiply_adds[kind_of(s->a.word)] +=
        wanted * (double)s->K;
    count_shape(AG_BENCH_OPTIMIZER, s);
}

static void kahan_step(float *restrict w, float *restrict c, const float *restrict before,
                       size_t count, float decay)
{
    double start_s = ag_clock_s();
    fast()->kahan_step(w, c, before, count, decay);
    add(AG_BENCH_OPTIMIZER, start_s, 5 * count);
}

static void kahan_keep(float *restrict c, const float *restrict w, const float *restrict before,
                       size_t count)
{
    double start_s = ag_clock_s();
    fast()->kahan_keep(c, w, before, count);
    add(AG_BENCH_OPTIMIZER, start_s, 4 * count);
}

static void eco(float *restrict m, const float *restrict v, const float *restrict wanted,
                const float *restrict w, size_t count, const ag_eco_step *step)
{
    double start_s = ag_clock_s();
    fast()->eco(m, v, wanted, w, count, step);
    add(AG_BENCH_OPTIMIZER, start_s, (v != NULL ? 5 : 4) * count);
}

static void descend(float *restrict w, const float *restrict u, size_t count, float rate,
                    float decay)
{
    double start_s = ag_clock_s();
    fast()->descend(w, u, count, rate, decay);
    add(AG_BENCH_OPTIMIZER, start_s, 3 * count);
}

/* --- the table */

/* A kernel without a wrapper counts under "rest", which is how a forgotten one shows. */
const ag_kernels *ag_bench_kernels(ag_bench_record *record)
{
    static ag_kernels table;
    s_record = record;
    table = ag_kernels_fast; /* evaluation and diagnostics are no part of a step */
    table.product = product;
    table.product_accumulated = product_accumulated;
    table.pairs_along = pairs_along;
    table.pairs_across = pairs_across;
    table.pairs_range = pairs_range;
    table.amax = amax;
    table.round_bf16 = round_bf16;
    table.round_pairs = round_pairs;
    table.quantize = quantize;
    table.quantize_stochastic = quantize_stochastic;
    table.hadamard = hadamard;
    table.groups_amax = groups_amax;
    table.scales_set = scales_set;
    table.scales_select = scales_select;
    table.quantize_groups = quantize_groups;
    table.quantize_codes = quantize_codes;
    table.epilogue = epilogue;
    table.accumulate = accumulate;
    table.embedding_forward = embedding_forward;
    table.embedding_backward = embedding_backward;
    table.norm_forward = norm_forward;
    table.norm_backward = norm_backward;
    table.rotate = rotate;
    table.swiglu_forward = swiglu_forward;
    table.swiglu_backward = swiglu_backward;
    table.bias_backward = bias_backward;
    table.gelu_forward = gelu_forward;
    table.gelu_backward = gelu_backward;
    table.relu2_forward = relu2_forward;
    table.relu2_backward = relu2_backward;
    table.attention_forward = attention_forward;
    table.attention_backward = attention_backward;
    table.causal_softmax = causal_softmax;
    table.causal_softmax_backward = causal_softmax_backward;
    table.cap_scores = cap_scores;
    table.cap_scores_backward = cap_scores_backward;
    table.cross_entropy = cross_entropy;
    table.dropout = dropout;
    table.add = add_to;
    table.amplify = amplify;
    table.blend = blend;
    table.logits_forward = logits_forward;
    table.logits_backward = logits_backward;
    table.sum_squares = sum_squares;
    table.adamw = adamw;
    table.manifold_adamw = manifold_adamw;
    table.sgd = sgd;
    table.grid = grid;
    table.lion = lion;
    table.momentum = momentum;
    table.update_product = update_product;
    table.descend = descend;
    table.kahan_step = kahan_step;
    table.kahan_keep = kahan_keep;
    table.eco = eco;
    return &table;
}
