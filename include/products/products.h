/* Matrix products whose every bit is defined.
 *
 *   c [M, N] = a [M, K] . b [N, K]^T
 *
 * Floats and pairs: the summed axis is cut into segments of 512. Each is a chain of fused
 * multiply-adds in float32 from +0, in rising k, and the segments' sums are added in order:
 *
 *   c = s_0;  c = RN(c + s_j), j = 1, 2, ..       s_j: s = 0;  s = fma(a[m, k], b[n, k], s)
 *
 * Codes, small integers with a scale for each block of k, as block-scaled tensor cores take them:
 *
 *   c = 0;  c = fma(float(S_j), fl(sa[m, j] * sb[n, j]), c), j = 0, 1, ..
 *   S_j = sum over block j of a[m, k] * b[n, k], exact
 *
 * RN rounds to nearest even; subnormal numbers are kept. The bits depend on K and the operands
 * alone: no vector, tile, block, thread, compiler or processor has a say. Only the sign and payload
 * of a NaN are open. The error of the first is at most about (512 + K / 512) 2^-24 sum |a b|. */
#ifndef AG_PRODUCTS_PRODUCTS_H
#define AG_PRODUCTS_PRODUCTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "products/words.h"

enum {
    AG_SEGMENT = 512,
    AG_MOST_BLOCK = 1024, /* k in a block of codes with a scale: a sum of so many products of any
                             codes is exact in float32, in any order */
    AG_REACH = 16,        /* elements beyond a triangle that may be read */
};

/* k in a block of codes where all K have the same scale, a power of two: all, if their sum is
 * exact, else those of a segment. Segments of such codes sum up exactly and are added as those of
 * floats, and two whose sum is exact, too, may as well be one: the bits are those of floats. */
static inline size_t ag_code_block(size_t K)
{
    return K <= AG_MOST_BLOCK ? K : AG_SEGMENT;
}

/* What an operand brings back to its product's rows (a) or columns (b): fl(all * each[i]). */
typedef struct ag_factor {
    float all;
    const float *each; /* NULL: 1 */
} ag_factor;

static inline float ag_factor_at(const ag_factor *factor, size_t i)
{
    return factor->each != NULL ? factor->all * factor->each[i] : factor->all;
}

/* What becomes of a sum before it is stored, in this order. All zero: nothing. */
typedef struct ag_finish {
    bool scaled;       /* sum = fl(fl(sum * rows) * columns) */
    ag_factor rows;    /* [M] */
    ag_factor columns; /* [N] */
    const float *bias; /* [N]: sum += bias, or NULL */
    bool bf16;         /* rounded to BF16, nearest even; any NaN becomes 7fc00000 */
    float *onto;       /* [M, N], rows onto_step apart: onto += sum, and c is scratch; or NULL */
    size_t onto_step;
    bool anew; /* onto is not read but taken for zeros: onto = 0 + sum */
} ag_finish;

/* A triangle that a product of floats or pairs keeps to; what lies beyond it costs nothing. */
typedef enum ag_triangle {
    AG_TRIANGLE_NONE,
    AG_TRIANGLE_C_LOWER, /* c is wanted where n <= m + diagonal; elsewhere it may be overwritten */
    AG_TRIANGLE_A_LOWER, /* a is zero where k > m + diagonal, and */
    AG_TRIANGLE_A_UPPER, /* where k < m + diagonal. Of these zeros AG_REACH next to the triangle
                            must be there, where b must be finite; the others are not read. Each
                            row keeps one k at least. Open is the sign of a sum that is zero. */
} ag_triangle;

/* A product is plain data: copy it, or take a part of it. a and b both hold codes or neither does;
 * floats and pairs may meet. */
typedef struct ag_product {
    float *c; /* rows c_step apart; overlaps nothing else */
    size_t c_step;
    ag_words a, b;
    size_t M, N, K;
    size_t block; /* of codes: k in a block; 0: all K, without scales */
    size_t first; /* of floats and pairs: the place of k = 0 in its segment, where all before it is
                     zero; below 512, and even for pairs */
    ag_triangle triangle;
    ptrdiff_t diagonal;
    ag_finish finish;
} ag_product;

/* Rows m0 <= m < m1 and columns n0 <= n < n1 of a product, which is a product. However a product is
 * shared out, its bits are the same. */
ag_product ag_product_part(const ag_product *whole, size_t m0, size_t m1, size_t n0, size_t n1);

/* The definition, as it reads: the judge of all engines, slow. */
void ag_product_ref(const ag_product *product);

/* --- the engine at work, whose products are shared among the threads of the pool */

/* Chooses the engine, once, before the first product: the one that the environment's
 * ALTGRAD_PRODUCTS names (products/engine.h), else the fastest that proves its bits on this
 * processor. AG_ERR_SYSTEM where there is none of that name; the fastest is taken then. */
ag_status ag_products_init(void);

/* Its instructions, for people: "AVX-512 with VNNI and BF16". Borrowed. */
const char *ag_products_engine(void);

/* Whether operands whose values are BF16's should be pairs. */
bool ag_products_have_pairs(void);

/* Whether operands whose values are codes in one unit, and so may be either, should be codes. */
bool ag_products_have_codes(void);

/* Multiply-adds a second of the instruction for such words (pairs, or else floats), alone and
 * without memory, on all threads of the pool: no product is faster. Takes some ten milliseconds. */
double ag_products_peak(ag_word word);

void ag_multiply(const ag_product *product);

#endif
