/* Products added up by an emulated accumulator (accumulate.h has the definition). A tile of c is
 * LANES columns wide: lanes run side by side and each is one element's chain of steps, so that
 * vectors have no say in the bits.
 *
 * All is exact in double until a step rounds: a product of two float32 has 48 significant bits;
 * terms cut to a common exponent are whole numbers, and a step's sum of them stays below 2^53. */
#include "products/accumulate.h"

#include <math.h>
#include <string.h>

#include "accumulate_internal.h"
#include "base/clones.h"
#include "base/pool.h"
#include "numerics/quantize.h"

_Thread_local struct ag_accumulate_room ag_accumulate_room;

typedef struct accumulated_product {
    float *c;
    size_t stride, M, N, K;
    const ag_summands *a, *b;
    const ag_accumulator *accumulator;
    size_t depth; /* of a segment: whole steps */
} accumulated_product;

typedef struct ag_accumulate_room room;

/* --- codes */

/* The emin of values that are no codes of a format: that of float32. */
enum { NO_CODE = -126 };

/* The exponent of a scale; 0 for one that is 0, Inf or NaN, whose products are handled apart. */
static int scale_exponent(float scale)
{
    return scale > 0 && isfinite(scale) ? ilogbf(scale) : 0;
}

static float scale_at(const ag_scale_view *scales, size_t row, size_t k)
{
    return scales->at[row / scales->rows * scales->row_step + k / scales->length * scales->k_step];
}

/* Element k of row `row`: its value as a code (with the scales that are not apart), and ex, the
 * exponent that aligns it. Power-of-two scales move a code's exponents, emin included; NVFP4's
 * align whole groups; those of an accumulator with promote are divided out and come back in
 * promote(). */
static double read_code(int *exponent, const ag_summands *codes, size_t row, size_t k)
{
    enum { E4M3_EMIN = -6 };
    float x = codes->at[row * codes->row_step + k * codes->k_step] * codes->unit;
    int emin = codes->format != NULL ? codes->format->emin : NO_CODE;
    float scale = codes->kind != AG_SCALES_NONE ? scale_at(&codes->scales, row, k) : 1;
    if (codes->kind == AG_SCALES_GROUP) {
        int e = scale_exponent(scale);
        *exponent = scale == 0 ? AG_LEFT_OUT : e > E4M3_EMIN ? e : E4M3_EMIN;
        return x;
    }
    if (codes->kind == AG_SCALES_SHIFT)
        emin += scale_exponent(scale);
    if (codes->kind == AG_SCALES_APART)
        x = ag_round_nearest(codes->format, x / scale, AG_OVERFLOW_SATURATE);
    *exponent = ag_exponent_of(x, emin);
    return x;
}

/* The same of `count` elements `step` apart whose operand has no scales, for values and exponents
 * side by side. */
AG_CLONES static void read_plain(double *x, int *exponent, const float *at, size_t step,
                                 size_t count, float unit, int emin)
{
    for (size_t i = 0; i < count; i++) {
        double value = at[i * step] * unit;
        x[i] = value;
        exponent[i] = ag_exponent_of(value, emin);
    }
}

/* `count` elements from row `row` and k on, along k or along the rows. */
static void read_line(double *x, int *exponent, const ag_summands *codes, size_t row, size_t k,
                      size_t count, bool along_k)
{
    if (codes->kind == AG_SCALES_NONE) {
        read_plain(x, exponent, codes->at + row * codes->row_step + k * codes->k_step,
                   along_k ? codes->k_step : codes->row_step, count, codes->unit,
                   codes->format != NULL ? codes->format->emin : NO_CODE);
        return;
    }
    for (size_t i = 0; i < count; i++)
        x[i] = read_code(&exponent[i], codes, along_k ? row : row + i, along_k ? k + i : k);
}

/* Whether some value is Inf or NaN: then a step takes the slow way (accumulate_step.c). */
AG_CLONES static bool find_odd(const double *x, size_t count)
{
    int odd = 0;
    for (size_t i = 0; i < count; i++)
        odd |= ag_double_exponent(x[i]) > 1000;
    return odd != 0;
}

/* Rows [row, row + count) of a, k in [k0, k0 + depth). */
static void read_rows(room *r, const accumulated_product *p, size_t row, size_t count, size_t k0,
                      size_t depth)
{
    for (size_t i = 0; i < count; i++) {
        read_line(r->a[i], r->a_exponent[i], p->a, row + i, k0, depth, true);
        r->odd |= find_odd(r->a[i], depth);
    }
}

/* Lanes beyond the last column are zero. */
static void read_lanes(room *r, const accumulated_product *p, size_t col, size_t count, size_t k0,
                       size_t depth)
{
    for (size_t k = 0; k < depth; k++) {
        read_line(r->b[k], r->b_exponent[k], p->b, col, k0 + k, count, false);
        for (size_t j = count; j < AG_LANES; j++) {
            r->b[k][j] = 0;
            r->b_exponent[k][j] = AG_LEFT_OUT;
        }
    }
    r->odd |= find_odd(r->b[0], depth * AG_LANES);
}

/* --- promotion */

/* 1 in a lane beyond the last column. */
static float scale_of(const ag_summands *codes, size_t rows, size_t row, size_t k)
{
    bool apart = codes->kind == AG_SCALES_APART && row < rows;
    return apart ? scale_at(&codes->scales, row, k) : 1;
}

/* Adds the part that ends before k to the outer sum, as DeepSeek-V3 (arXiv 2412.19437) promotes FP8
 * sums every 128 products: scaled by a fused multiply-add where operands have scales taken apart.
 */
static void promote(float sum[AG_LANES], float part[AG_LANES], const accumulated_product *p,
                    size_t row, size_t col, size_t k)
{
    float a = scale_of(p->a, p->M, row, k - 1);
    bool apart = p->a->kind == AG_SCALES_APART || p->b->kind == AG_SCALES_APART;
    for (size_t j = 0; j < AG_LANES; j++) {
        float scale = apart ? a * scale_of(p->b, p->N, col + j, k - 1) : 1;
        float added = apart ? fmaf(part[j], scale, sum[j]) : sum[j] + part[j];
        sum[j] = (float)ag_round_register(added, &p->accumulator->outer, false);
        part[j] = 0;
    }
}

/* --- a tile */

/* Row i of the tile over a segment, step by step. A chain may take many products in one call, but
 * stops where a part ends that is to be promoted. */
static void add_segment(room *r, const accumulated_product *p, size_t i, size_t row, size_t col,
                        size_t k0, size_t depth)
{
    const ag_accumulator *accumulator = p->accumulator;
    const size_t P = (size_t)accumulator->promote;
    const bool is_chain = accumulator->kind == AG_ACCUMULATE_CHAIN;
    for (size_t k = 0; k < depth;) {
        size_t count = is_chain ? depth - k : (size_t)accumulator->terms;
        if (P > 0 && is_chain && count > P - (k0 + k) % P)
            count = P - (k0 + k) % P;
        if (count > depth - k)
            count = depth - k;
        ag_step step = {r->a[i] + k, r->a_exponent[i] + k, r->b + k, r->b_exponent + k, count};
        ag_accumulate_step(r->part[i], &step, accumulator, r->odd);
        k += count;
        if (P > 0 && ((k0 + k) % P == 0 || k0 + k == p->K))
            promote(r->sum[i], r->part[i], p, row, col, k0 + k);
    }
}

static void multiply_tile(room *r, const accumulated_product *p, size_t row, size_t rows,
                          size_t col, size_t cols)
{
    memset(r->part, 0, sizeof r->part);
    memset(r->sum, 0, sizeof r->sum);
    for (size_t k0 = 0; k0 < p->K; k0 += p->depth) {
        size_t depth = p->K - k0 < p->depth ? p->K - k0 : p->depth;
        r->odd = false;
        read_rows(r, p, row, rows, k0, depth);
        read_lanes(r, p, col, cols, k0, depth);
        for (size_t i = 0; i < rows; i++)
            add_segment(r, p, i, row + i, col, k0, depth);
    }
    const float back = 1 / (p->a->unit * p->b->unit);
    for (size_t i = 0; i < rows; i++) {
        const float *from = p->accumulator->promote > 0 ? r->sum[i] : r->part[i];
        for (size_t j = 0; j < cols; j++)
            p->c[(row + i) * p->stride + col + j] = from[j] * back;
    }
}

static void some_rows(void *context, size_t begin, size_t end)
{
    const accumulated_product *p = context;
    for (size_t row = begin; row < end; row += AG_TILE_ROWS) {
        size_t rows = end - row < AG_TILE_ROWS ? end - row : AG_TILE_ROWS;
        for (size_t col = 0; col < p->N; col += AG_LANES) {
            size_t cols = p->N - col < AG_LANES ? p->N - col : AG_LANES;
            multiply_tile(&ag_accumulate_room, p, row, rows, col, cols);
        }
    }
}

void ag_product_accumulated(float *c, size_t stride, size_t M, size_t N, size_t K,
                            const ag_summands *a, const ag_summands *b,
                            const ag_accumulator *accumulator)
{
    size_t terms = (size_t)accumulator->terms;
    accumulated_product p = {.c = c, .stride = stride, .M = M, .N = N, .K = K, .a = a, .b = b};
    p.accumulator = accumulator;
    p.depth = AG_DEPTH / terms * terms;
    ag_pool_share(M, AG_TILE_ROWS, some_rows, &p);
}
