/* What products have in common, whoever multiplies: how operands are read, and how a part is cut
 * out of a product. */
#include "products_internal.h"

/* --- operands */

float ag_words_value(const ag_words *words, size_t row, size_t k)
{
    if (words->word != AG_WORD_PAIR)
        return ag_bits_float(*word_at(words, row, k));
    uint32_t pair = *word_at(words, row, k / 2);
    return ag_bits_float(k % 2 == 0 ? pair_first(pair) : pair_second(pair));
}

ag_words ag_words_scaled(const ag_words *words)
{
    static const float one = 1;
    ag_words scaled = *words;
    if (scaled.scales == NULL) {
        scaled.scales = &one;
        scaled.scale_row_step = scaled.scale_step = 0;
    }
    return scaled;
}

/* See products.h: a BF16 value with biased exponent e is a multiple of 2^(e - 127 - 7), so every
 * product is a multiple of 2^(ea + eb - 2 (127 + 7)), which must not be below 2^-126. A zero
 * exponent is that of a subnormal input. */
bool ag_pairs_are_normal(ag_range a, ag_range b)
{
    uint32_t ea = a.least >> 23;
    uint32_t eb = b.least >> 23;
    return ea > 0 && eb > 0 && ea + eb >= 2 * (127 + 7) - 126;
}

/* The word of up to four codes, `step` apart; code + 128 is the byte with its sign bit turned. */
static uint32_t code_word(const int8_t *codes, size_t step, size_t count)
{
    uint32_t word = AG_NO_CODES;
    for (size_t i = 0; i < count; i++)
        word ^= (uint32_t)(uint8_t)codes[i * step] << 8 * i;
    return word;
}

void ag_codes_along(uint32_t *words, const int8_t *codes, size_t rows, size_t K, size_t block)
{
    for (size_t row = 0; row < rows; row++)
        for (size_t first = 0; first < K; first += block)
            for (size_t k = first, end = ag_smaller(first + block, K); k < end; k += 4)
                *words++ = code_word(codes + row * K + k, 1, ag_smaller(4, end - k));
}

void ag_codes_across(uint32_t *words, const int8_t *codes, size_t rows, size_t K, size_t block)
{
    for (size_t first = 0; first < K; first += block)
        for (size_t k = first, end = ag_smaller(first + block, K); k < end; k += 4)
            for (size_t row = 0; row < rows; row++)
                *words++ = code_word(codes + k * rows + row, rows, ag_smaller(4, end - k));
}

/* --- parts */

static ag_words words_from(ag_words words, size_t row)
{
    words.words = word_at(&words, row, 0);
    if (words.scales != NULL)
        words.scales = scale_at(&words, row, 0);
    return words;
}

static ag_factor factor_from(ag_factor factor, size_t i)
{
    if (factor.each != NULL)
        factor.each += i;
    return factor;
}

/* Pointers move to the part's first row and column. `diagonal` is counted from the part's own rows
 * (and, where it bounds columns of c, from its own columns). */
ag_product ag_product_part(const ag_product *whole, size_t m0, size_t m1, size_t n0, size_t n1)
{
    ag_product part = *whole;
    ag_finish *finish = &part.finish;
    part.c += m0 * part.c_step + n0;
    part.a = words_from(part.a, m0);
    part.b = words_from(part.b, n0);
    part.M = m1 - m0;
    part.N = n1 - n0;
    part.diagonal += (ptrdiff_t)m0;
    if (part.triangle == AG_TRIANGLE_C_LOWER)
        part.diagonal -= (ptrdiff_t)n0;
    finish->rows = factor_from(finish->rows, m0);
    finish->columns = factor_from(finish->columns, n0);
    if (finish->bias != NULL)
        finish->bias += n0;
    if (finish->onto != NULL)
        finish->onto += m0 * finish->onto_step + n0;
    return part;
}
