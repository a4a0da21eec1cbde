/* Matrix products added up by an accumulator of their own (numerics/accumulator.h), one definition
 * for every CPU and any number of threads:
 *
 *   chain      c = R(fma(a_k, b_k, c)), fma in float32; R rounds to `into`, overflow is Inf
 *   block      of K products, the last of them of fewer. ex(v) = max(floor(log2 |v|), emin of v's
 *              format); e_i = ex(a_i) + ex(b_i); zero products are left out, c = 0 too.
 *              E = max(all e_i, ex(c), Emin); each product and c, exact, is cut toward zero to
 *              multiples of 2^(E - F); c = their exact sum, rounded to `into`
 *   nvfp4      as block, of groups of 16 products: a term is the group's exact sum, its e that of
 *              the group's two scales; it is left out only where a scale is 0
 *   mi300      products as in a block, without c, cut to 24 bits, their sum s; M = max(E, ex(c)),
 *              ex(0) = -126; c = nearest(floor(s, 2^(M - 31)) + floor(c, 2^(M - 24)))
 *   mi300-fp8  the same of floor(s0) + floor(s1), the sums of even and odd products, aligned to the
 *              larger of their exponents N; c is left out where ex(c) < M - 25
 *   promote P  a part runs over P products from +0; then acc = R_outer(fl(acc + part)), or
 *              R_outer(fma(part, fl(s_a s_b), acc)) where operands have scales taken apart
 *
 * k rises; everything begins at +0. NaN, 0 Inf and Inf - Inf give NaN, other infinities Inf. */
#ifndef AG_PRODUCTS_ACCUMULATE_H
#define AG_PRODUCTS_ACCUMULATE_H

#include <stddef.h>

#include "numerics/accumulator.h"
#include "numerics/format.h"

/* What the scales of an operand's blocks are to its codes. */
typedef enum ag_scale_kind {
    AG_SCALES_NONE,  /* there are none */
    AG_SCALES_SHIFT, /* powers of two, which move the codes' exponents */
    AG_SCALES_GROUP, /* those of NVFP4, for its model: groups of 16 */
    AG_SCALES_APART  /* for an accumulator with promote: they are taken out of the values */
} ag_scale_kind;

/* Scales of blocks: that of element k of row i is at[i / rows * row_step + k / length * k_step]. */
typedef struct ag_scale_view {
    const float *at; /* NULL: there are none */
    size_t rows, row_step;
    size_t length, k_step;
} ag_scale_view;

/* An operand as codes of a format: its values times `unit`. */
typedef struct ag_summands {
    const float *at; /* of element k of row i: at[i * row_step + k * k_step] */
    size_t row_step, k_step;
    float unit;              /* a power of two */
    const ag_format *format; /* NULL: the values are no codes, and ex has emin -126 */
    ag_scale_kind kind;
    ag_scale_view scales; /* within the values; where APART, promote divides their length */
} ag_summands;

/* c [M, N], rows `stride` apart, = a b^T of the operands' values (where APART, with their scales).
 * Shared among the threads of the pool. Slow: ag_product is tens of times as fast. */
void ag_product_accumulated(float *c, size_t stride, size_t M, size_t N, size_t K,
                            const ag_summands *a, const ag_summands *b,
                            const ag_accumulator *accumulator);

#endif
