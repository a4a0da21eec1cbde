/* The operands of products (products.h): words of floats, pairs of bfloat16 or codes, in either
 * layout, and how they are packed. */
#ifndef AG_PRODUCTS_WORDS_H
#define AG_PRODUCTS_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bits.h"
#include "base/sizes.h"

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

/* --- packing pairs, shared among the threads of the pool */

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
