/* The timed kernels of products and of what prepares their operands: packing, quantising.
 * Each has the signature of its kernel and one line of account (bench_account.h): the third
 * argument of ag_bench_add is how many floats a perfect kernel would read and write. What is timed
 * is what the program trains with; a bench of anything else would measure another program. */
#include "bench_account.h"

#include "base/clock.h"

/* By what is transposed, as linear.c lays them out. The table of kernels has one product for all
 * three. */
static ag_bench_part part_of(const ag_product *s)
{
    if (s->a.k_step != 1)
        return AG_BENCH_WGRAD;
    return s->b.k_step != 1 ? AG_BENCH_DGRAD : AG_BENCH_FPROP;
}

static void product(const ag_product *product)
{
    double start_s = ag_clock_s();
    ag_kernels_fast.product(product);
    ag_bench_part part = ag_bench_is_attention(product) ? AG_BENCH_ATTENTION : part_of(product);
    ag_bench_add_product(part, start_s, product, (double)product->M * (double)product->N);
}

/* One with an accumulator of its own; the bound is that of a product of floats. It emulates in
 * software what hardware does in one instruction. */
static void product_accumulated(float *c, size_t c_step, size_t M, size_t N, size_t K,
                                const ag_summands *a, const ag_summands *b,
                                const ag_accumulator *accumulator)
{
    double start_s = ag_clock_s();
    ag_kernels_fast.product_accumulated(c, c_step, M, N, K, a, b, accumulator);
    const ag_product same = {
        .a = {.k_step = a->k_step}, .b = {.k_step = b->k_step}, .M = M, .N = N, .K = K};
    ag_bench_add_product(part_of(&same), start_s, &same, (double)M * (double)N);
}

/* Read as floats, written as half as many words: so much the copy that bounds it moves. */
static ag_range pairs_along(uint32_t *words, const float *x, size_t rows, size_t K)
{
    double start_s = ag_clock_s();
    ag_range range = ag_kernels_fast.pairs_along(words, x, rows, K);
    ag_bench_add(AG_BENCH_PACKING, start_s, rows * K + rows * K / 2);
    return range;
}

static ag_range pairs_across(uint32_t *words, const float *x, size_t rows, size_t K)
{
    double start_s = ag_clock_s();
    ag_range range = ag_kernels_fast.pairs_across(words, x, rows, K);
    ag_bench_add(AG_BENCH_PACKING, start_s, rows * K + rows * K / 2);
    return range;
}

static ag_range pairs_range(const float *x, size_t count)
{
    double start_s = ag_clock_s();
    ag_range range = ag_kernels_fast.pairs_range(x, count);
    ag_bench_add(AG_BENCH_PACKING, start_s, count);
    return range;
}

static void epilogue(float *y, const float *bias, size_t N, size_t OC, ag_factor a, ag_factor b,
                     bool bf16)
{
    double start_s = ag_clock_s();
    ag_kernels_fast.epilogue(y, bias, N, OC, a, b, bf16);
    ag_bench_add(AG_BENCH_SCALES, start_s, 2 * N * OC);
}

static void accumulate(float *restrict grad, const float *restrict x, size_t OC, size_t C,
                       ag_factor a, ag_factor b)
{
    double start_s = ag_clock_s();
    ag_kernels_fast.accumulate(grad, x, OC, C, a, b);
    ag_bench_add(AG_BENCH_SCALES, start_s, 3 * OC * C);
}

static void bias_backward(float *restrict dbias, const float *restrict dout, size_t N, size_t OC)
{
    double start_s = ag_clock_s();
    ag_kernels_fast.bias_backward(dbias, dout, N, OC);
    ag_bench_add(AG_BENCH_SCALES, start_s, N * OC);
}

/* --- quantising */

/* Reads every value and keeps one. */
static float amax(const float *x, size_t count)
{
    double start_s = ag_clock_s();
    float largest = ag_kernels_fast.amax(x, count);
    ag_bench_add(AG_BENCH_QUANTISING, start_s, count);
    return largest;
}

/* Reads and writes, as most of what follows; the largest value comes along for nothing. */
static float round_bf16(float *out, const float *x, size_t count)
{
    double start_s = ag_clock_s();
    float largest = ag_kernels_fast.round_bf16(out, x, count);
    ag_bench_add(AG_BENCH_QUANTISING, start_s, 2 * count);
    return largest;
}

static float round_pairs(float *out, const float *x, size_t rows, size_t cols, ag_pairs *pairs)
{
    double start_s = ag_clock_s();
    float largest = ag_kernels_fast.round_pairs(out, x, rows, cols, pairs);
    const size_t halves = 4 + (size_t)(pairs->along != NULL) + (size_t)(pairs->across != NULL);
    ag_bench_add(AG_BENCH_QUANTISING, start_s, rows * cols * halves / 2);
    return largest;
}

static void quantize(float *out, const float *x, size_t count, const ag_format *format, float scale,
                     ag_overflow overflow)
{
    double start_s = ag_clock_s();
    ag_kernels_fast.quantize(out, x, count, format, scale, overflow);
    ag_bench_add(AG_BENCH_QUANTISING, start_s, 2 * count);
}

static void quantize_stochastic(float *out, const float *x, size_t count, const ag_format *format,
                                float scale, ag_overflow overflow, const ag_rounding_site *where,
                                uint64_t first)
{
    double start_s = ag_clock_s();
    ag_kernels_fast.quantize_stochastic(out, x, count, format, scale, overflow, where, first);
    ag_bench_add(AG_BENCH_QUANTISING, start_s, 2 * count);
}

static void hadamard(float *out, const float *x, size_t rows, size_t cols, ag_sum sum,
                     const ag_turn *turn)
{
    double start_s = ag_clock_s();
    ag_kernels_fast.hadamard(out, x, rows, cols, sum, turn);
    ag_bench_add(AG_BENCH_QUANTISING, start_s, 2 * rows * cols);
}

static void groups_amax(float *largest, const float *x, const ag_groups *groups, bool keep_nan)
{
    double start_s = ag_clock_s();
    ag_kernels_fast.groups_amax(largest, x, groups, keep_nan);
    ag_bench_add(AG_BENCH_QUANTISING, start_s, groups->rows * groups->cols);
}

/* A scale per group: the amax in, the scale and what undoes it out. */
static void scales_set(ag_scales *scales, const ag_scheme *scheme, size_t count)
{
    double start_s = ag_clock_s();
    ag_kernels_fast.scales_set(scales, scheme, count);
    ag_bench_add(AG_BENCH_QUANTISING, start_s, 3 * count);
}

/* It reads the matrix once for each candidate. */
static void scales_select(ag_scales *scales, const ag_scheme *scheme, const float *x,
                          const ag_groups *groups, const ag_matrix *matrix,
                          const ag_rounding_site *where)
{
    double start_s = ag_clock_s();
    size_t passes = (size_t)ag_scheme_candidates(scheme);
    ag_kernels_fast.scales_select(scales, scheme, x, groups, matrix, where);
    ag_bench_add(AG_BENCH_QUANTISING, start_s, passes * groups->rows * groups->cols);
}

static void quantize_groups(float *out, const float *x, const ag_groups *groups,
                            const ag_scales *scales, const ag_scheme *scheme,
                            const ag_rounding_site *where, uint64_t first)
{
    double start_s = ag_clock_s();
    ag_kernels_fast.quantize_groups(out, x, groups, scales, scheme, where, first);
    ag_bench_add(AG_BENCH_QUANTISING, start_s, 2 * groups->rows * groups->cols);
}

static void quantize_codes(const ag_codes out[2], const float *x, const ag_groups *groups,
                           const ag_scales *scales, const ag_scheme *scheme,
                           const ag_rounding_site *where, uint64_t first)
{
    const size_t count = groups->rows * groups->cols;
    const size_t copies = out[0].words != NULL && out[1].words != NULL ? 2 : 1;
    double start_s = ag_clock_s();
    ag_kernels_fast.quantize_codes(out, x, groups, scales, scheme, where, first);
    ag_bench_add(AG_BENCH_QUANTISING, start_s, count + copies * count / 4); /* a byte each */
}

void ag_bench_time_products(ag_kernels *table)
{
    table->product = product;
    table->product_accumulated = product_accumulated;
    table->pairs_along = pairs_along;
    table->pairs_across = pairs_across;
    table->pairs_range = pairs_range;
    table->amax = amax;
    table->round_bf16 = round_bf16;
    table->round_pairs = round_pairs;
    table->quantize = quantize;
    table->quantize_stochastic = quantize_stochastic;
    table->hadamard = hadamard;
    table->groups_amax = groups_amax;
    table->scales_set = scales_set;
    table->scales_select = scales_select;
    table->quantize_groups = quantize_groups;
    table->quantize_codes = quantize_codes;
    table->epilogue = epilogue;
    table->accumulate = accumulate;
    table->bias_backward = bias_backward;
}
