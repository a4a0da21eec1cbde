/* Codes from the values that a quantiser left: integers times the unit of their block. */
#include <math.h>
#include <string.h>

#include "base/clones.h"
#include "base/pool.h"
#include "products_internal.h"

enum { PIECE = 16384, MOST_BLOCK = 1024 }; /* elements */

typedef struct coding {
    uint32_t *words;
    float *units; /* [blocks][rows] */
    const float *x;
    size_t rows, K, block;
    uint32_t turned; /* bits that differ in words for the operand a */
} coding;

/* The quotient lies so near to an integer that rounding finds it. What is no code, as NaN and Inf
 * are, becomes 0 and sets the sign bit of `bad`. No branches, so that it is done in vectors. */
INLINE int32_t code_of_value(float x, float unit, uint32_t *bad)
{
    const uint32_t largest = 0x42fe0000u; /* 127.0f */
    float quotient = rintf(x / unit);
    quotient = x == 0 ? 0 : quotient; /* a unit of 0 has zeros alone */
    const uint32_t room = largest - (ag_float_bits(quotient) & 0x7fffffffu);
    const uint32_t kept = ~(uint32_t)((int32_t)room >> 31); /* all bits, or none */
    *bad |= room;
    return (int32_t)ag_bits_float(ag_float_bits(quotient) & kept);
}

static bool is_bad(uint32_t bad)
{
    return bad >> 31 != 0;
}

/* --- along rows */

/* In words, of which a vector holds no more than a short block has. */
AG_CLONES static uint32_t code_neighbours(int32_t *restrict codes, const float *restrict x,
                                          float unit, size_t count)
{
    uint32_t bad = 0;
    for (size_t k = 0; k < count; k++)
        codes[k] = code_of_value(x[k], unit, &bad);
    return bad;
}

/* The words of a block; returns the place after them. */
static uint32_t *code_block(uint32_t *words, const float *x, float *unit, size_t count,
                            uint32_t turned)
{
    int32_t codes[MOST_BLOCK];
    const size_t depth = (count + 3) / 4;
    memset(codes + 4 * (depth - 1), 0, 4 * sizeof *codes); /* beyond an odd end */
    if (is_bad(code_neighbours(codes, x, *unit, count))) {
        memset(codes, 0, count * sizeof *codes);
        *unit = NAN;
    }
    for (size_t i = 0; i < depth; i++)
        words[i] = codes_word(codes + 4 * i) ^ turned;
    return words + depth;
}

static void code_rows(void *context, size_t begin, size_t end)
{
    const coding *c = context;
    for (size_t row = begin; row < end; row++) {
        uint32_t *words = c->words + row * ag_code_words(c->K, c->block);
        for (size_t k = 0, j = 0; k < c->K; k += c->block, j++)
            words = code_block(words, c->x + row * c->K + k, &c->units[j * c->rows + row],
                               smaller(c->block, c->K - k), c->turned);
    }
}

static size_t pieces(size_t width)
{
    return width < PIECE ? PIECE / width : 1;
}

static uint32_t turned_for(bool a)
{
    return a ? 0x80808080u : 0;
}

void ag_code_values_along(uint32_t *words, float *units, const float *x, size_t rows, size_t K,
                          size_t block, bool for_a)
{
    coding c = {words, units, x, rows, K, block, turned_for(for_a)};
    ag_pool_share(rows, pieces(K), code_rows, &c);
}

/* --- down columns */

/* A word of each column, from `count` rows of x. */
AG_CLONES static uint32_t code_word_row(uint32_t *restrict words, const float *restrict x,
                                        const float *restrict units, size_t rows, size_t count)
{
    uint32_t bad = 0;
    memset(words, 0, rows * sizeof *words);
    for (size_t k = 0; k < count; k++, x += rows)
        for (size_t i = 0; i < rows; i++)
            words[i] |= (uint32_t)(code_of_value(x[i], units[i], &bad) & 0xff) << 8 * k;
    return bad;
}

/* Columns of the block that hold what is no code. */
static void clear_bad(const coding *c, uint32_t *words, const float *x, float *units, size_t count)
{
    for (size_t i = 0; i < c->rows; i++) {
        uint32_t bad = 0;
        for (size_t k = 0; k < count; k++)
            code_of_value(x[k * c->rows + i], units[i], &bad);
        for (size_t k = 0; is_bad(bad) && k < count; k += 4)
            words[k / 4 * c->rows + i] = 0;
        units[i] = is_bad(bad) ? NAN : units[i];
    }
}

static void code_blocks(void *context, size_t begin, size_t end)
{
    const coding *c = context;
    const size_t depth = (c->block + 3) / 4;
    for (size_t j = begin; j < end; j++) {
        uint32_t *words = c->words + j * depth * c->rows;
        const float *x = c->x + j * c->block * c->rows;
        float *units = c->units + j * c->rows;
        const size_t count = smaller(c->block, c->K - j * c->block);
        const size_t n_words = (count + 3) / 4 * c->rows;
        uint32_t bad = 0;
        for (size_t k = 0; k < count; k += 4) {
            uint32_t found = code_word_row(words + k / 4 * c->rows, x + k * c->rows, units, c->rows,
                                           smaller(4, count - k));
            bad |= found;
        }
        if (is_bad(bad))
            clear_bad(c, words, x, units, count);
        for (size_t i = 0; c->turned != 0 && i < n_words; i++)
            words[i] ^= c->turned;
    }
}

void ag_code_values_across(uint32_t *words, float *units, const float *x, size_t rows, size_t K,
                           size_t block, bool for_a)
{
    coding c = {words, units, x, rows, K, block, turned_for(for_a)};
    ag_pool_share((K + block - 1) / block, pieces(rows * block), code_blocks, &c);
}
