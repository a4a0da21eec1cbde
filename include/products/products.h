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

#include "base/bits.h"
#include "base/sizes.h"

enum {
    AG_SEGMENT = 512,
    AG_MOST_BLOCK = 1024, /* k in a block of codes with a scale: a sum of so many products of any
                             codes is exact in float32, in any order */
    AG_REACH = 16,        /* elements beyond a triangle that may be read */
};

/* What a word, 32 bits, holds of consecutive k. Where K ends within a word the rest is 0, also as a
 * code. */
typedef enum ag_word {
    AG_WORD_FLOAT, /* one float32 */
    AG_WORD_BF16,  /* one float32 that is a bfloat16: b may hold such where a holds pairs, and is
                      paired where it is copied for the product anyway */
    AG_WORD_PAIR,  /* two bfloat16, the first in the upper half */
    AG_WORD_CODES, /* four codes as bytes, code + 128, the first in the lowest byte */
} ag_word;

/* The smallest and largest magnitude among the nonzero elements, as bits; none: those of
 * ag_no_range.
 */
typedef struct ag_range {
    uint32_t least;
    uint32_t most;
} ag_range;

/* One operand. Word i of row r lies at words[r * row_step + i * k_step], so a matrix in either
 * layout, a head of one or a range of its rows is one. */
typedef struct ag_words {
    const void *words; /* float or uint32_t */
    size_t row_step;
    size_t k_step;
    ag_word word;
    ag_range range; /* of pairs and bfloat16s, as the packing functions return it */

    /* of codes: the scale of row r and block j is scales[r * scale_row_step + j * scale_step];
     * NULL: 1. Each block starts with a word of its own. */
    const float *scales;
    size_t scale_row_step;
    size_t scale_step;
    int most_code; /* largest magnitude of a code, at most 127 */
} ag_words;

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

/* --- operands */

/* Floats [rows, K] of a matrix: `along` has the summed axis along its rows ([rows, K] in memory),
 * `across` down its columns ([K, rows]). `stride` is that of the matrix. */
static inline ag_words ag_floats_along(const float *x, size_t stride)
{
    return (ag_words){.words = x, .row_step = stride, .k_step = 1};
}

static inline ag_words ag_floats_across(const float *x, size_t stride)
{
    return (ag_words){.words = x, .row_step = 1, .k_step = stride};
}

/* Words that hold K elements. */
static inline size_t ag_words_of(ag_word word, size_t K)
{
    return ag_pieces(K, word == AG_WORD_PAIR ? 2 : word == AG_WORD_CODES ? 4 : 1);
}

/* A word of four codes of 0. */
#define AG_NO_CODES 0x80808080u

/* How many of a row's K elements lie in block j of those that it is cut into: `block`, but in the
 * last block what is left. */
static inline size_t ag_block_length(size_t K, size_t block, size_t j)
{
    return ag_smaller(block, K - j * block);
}

/* Words that hold a row of codes in blocks of `block` k, each begun with a word of its own. */
static inline size_t ag_code_words(size_t K, size_t block)
{
    return K / block * ag_words_of(AG_WORD_CODES, block) + ag_words_of(AG_WORD_CODES, K % block);
}

static inline ag_range ag_no_range(void)
{
    return (ag_range){.least = AG_INFINITE_BITS, .most = 0};
}

static inline ag_range ag_range_join(ag_range a, ag_range b)
{
    return (ag_range){a.least < b.least ? a.least : b.least, a.most > b.most ? a.most : b.most};
}

/* Whether pairs of these ranges may be multiplied by VDPBF16PS, which takes subnormal inputs and
 * sums for 0. All products, and so all sums, are multiples of 2^(ea + eb - 268), ea and eb the
 * biased exponents of the least magnitudes (8 significant bits each): none is subnormal if that is
 * 2^-126 at least. */
bool ag_pairs_are_normal(ag_range a, ag_range b);

/* words [rows, ag_code_words]: codes [rows, K] in blocks */
void ag_codes_along(uint32_t *words, const int8_t *codes, size_t rows, size_t K, size_t block);
/* words [ag_code_words, rows]: codes [K, rows] */
void ag_codes_across(uint32_t *words, const int8_t *codes, size_t rows, size_t K, size_t block);

/* --- the engine at work. Products and packing are shared among the threads of the pool. */

/* Chooses the engine, once, before the first product: the one called `name` (products/engine.h);
 * NULL: what the environment's ALTGRAD_PRODUCTS names, else the fastest that proves its bits on
 * this processor. False where there is no such engine; the fastest is taken then. */
bool ag_products_init(const char *name);

/* Its instructions, for people: "AVX-512 with VNNI and BF16". Borrowed. */
const char *ag_products_engine(void);

/* Whether operands whose values are BF16's should be pairs. */
bool ag_products_have_pairs(void);

/* Multiply-adds a second of the instruction for such words (pairs, or else floats), alone and
 * without memory, on all threads of the pool: no product is faster. Takes some ten milliseconds. */
double ag_products_peak(ag_word word);

void ag_multiply(const ag_product *product);

/* words [rows, (K + 1) / 2] of floats x [rows, K] whose values are BF16's; returns their range. */
ag_range ag_pairs_along(uint32_t *words, const float *x, size_t rows, size_t K);
/* words [(K + 1) / 2, rows] of x [K, rows] */
ag_range ag_pairs_across(uint32_t *words, const float *x, size_t rows, size_t K);
/* The range of floats alone. */
ag_range ag_pairs_range(const float *x, size_t count);

/* Where the pairs of a matrix [rows, cols] go: of neighbours in a row, `along` [rows, (cols + 1) /
 * 2], and of neighbouring rows, `across` [(rows + 1) / 2, cols]. NULL: not wanted. */
typedef struct ag_pairs {
    uint32_t *along, *across;
    ag_range range; /* of all elements, wanted or not */
} ag_pairs;

/* Packs rows [begin, end) of x, both even unless `end` is the last; returns their range. By the
 * calling thread alone, for who shares out more than packing. */
ag_range ag_pairs_of_rows(const ag_pairs *to, const float *x, size_t cols, size_t begin,
                          size_t end);

#endif
