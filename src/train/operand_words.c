/* What a product reads of its operands: codes where both are small integers in blocks of one length
 * along the sum, else pairs where both hold BF16 values alone, else floats. */
#include <string.h>

#include "operand_words.h"

/* --- codes */

/* Codes are small integers. Those of a block are summed exactly and multiplied by both scales once.
 * Where a tensor or a row has one scale, which comes back in the epilogue, all have one unit, a
 * power of two. */
static bool has_codes(const ag_scheme *scheme)
{
    if (!scheme->quantised || !ag_format_has_codes(&scheme->format))
        return false;
    if (ag_scheme_is_scaled_after(scheme)) /* codes do not tell Inf from NaN */
        return scheme->channel == AG_CHANNEL_NONE && !scheme->format.has_inf;
    return ag_scheme_has_blocks(scheme) && scheme->block_cols <= AG_MOST_BLOCK;
}

/* Both blocks have to end at the same k, and their codes to mean the same. */
static bool meet_as_codes(const ag_scheme *a, const ag_scheme *b)
{
    return has_codes(a) && has_codes(b) &&
           ag_scheme_is_scaled_after(a) == ag_scheme_is_scaled_after(b) &&
           a->block_cols == b->block_cols && strcmp(a->format.name, b->format.name) == 0;
}

static size_t block_of_scheme(const ag_scheme *scheme, size_t K)
{
    return ag_scheme_is_scaled_after(scheme) ? ag_code_block(K) : (size_t)scheme->block_cols;
}

/* Found by looking through the three products for the one that reads this use. A product with an
 * accumulator of its own adds up values, not codes. */
bool ag_use_has_codes(const ag_scheme *const schemes[AG_ROLES], const ag_accumulator *accumulate,
                      ag_role role, int use)
{
    for (int product = 0; product < AG_LINEAR_PRODUCTS; product++) {
        const ag_operand_use *of = ag_linear_operands[product];
        int side = of[0].role == role && of[0].use == use ? 0 : 1;
        if (of[side].role != role || of[side].use != use)
            continue;
        bool adds_up = accumulate == NULL || accumulate[product].kind == AG_ACCUMULATE_SEGMENTS;
        return adds_up &&
               meet_as_codes(&schemes[of[0].role][of[0].use], &schemes[of[1].role][of[1].use]);
    }
    return false;
}

ag_codes_size ag_codes_size_of(const ag_scheme *scheme, size_t rows, size_t K)
{
    const size_t block = block_of_scheme(scheme, K);
    return (ag_codes_size){rows * ag_code_words(K, block), rows * ag_pieces(K, block)};
}

ag_codes ag_codes_lay_out(ag_layout *layout, ag_codes_size size)
{
    uint32_t *words = ag_layout_bytes(layout, size.words * sizeof *words);
    return (ag_codes){words, ag_layout_floats(layout, size.units)};
}

static const ag_codes *codes_in(const ag_operand_view *view)
{
    return &view->operand->codes[view->across];
}

/* k in a block of codes; 0: the product is none of codes. */
static size_t block_of(const ag_operand_view *a, const ag_operand_view *b, size_t K)
{
    bool has_codes = a->operand->is_quantised && b->operand->is_quantised &&
                     codes_in(a)->words != NULL && codes_in(b)->words != NULL &&
                     ag_operand_takes_codes(a->operand);
    return has_codes ? block_of_scheme(a->operand->scheme, K) : 0;
}

static ag_words codes_of(const ag_operand_view *view, size_t rows, size_t K, size_t block)
{
    return (ag_words){.words = codes_in(view)->words,
                      .row_step = view->across ? 1 : ag_code_words(K, block),
                      .k_step = view->across ? rows : 1,
                      .word = AG_WORD_CODES,
                      .scales = codes_in(view)->units,
                      .scale_row_step = view->across ? 1 : (K + block - 1) / block,
                      .scale_step = view->across ? rows : 1,
                      .most_code = ag_format_most_code(&view->operand->scheme->format)};
}

/* --- pairs and floats */

/* a of a product: packed when it was quantised, or else now, into room that products share. */
static ag_words pairs_of(const ag_kernels *k, const ag_operand_view *view, uint32_t *const room[2],
                         size_t rows, size_t K)
{
    const ag_operand *operand = view->operand;
    const size_t words = ag_words_of(AG_WORD_PAIR, K);
    uint32_t *pairs = view->across ? operand->pairs.across : operand->pairs.along;
    ag_range range = operand->pairs.range;
    if (pairs == NULL) {
        pairs = room[view->across];
        range = (view->across ? k->pairs_across : k->pairs_along)(pairs, operand->values, rows, K);
    }
    return (ag_words){.words = pairs,
                      .row_step = view->across ? 1 : words,
                      .k_step = view->across ? rows : 1,
                      .word = AG_WORD_PAIR,
                      .range = range};
}

static ag_words floats_of(const ag_operand_view *view, size_t rows, size_t K)
{
    return view->across ? ag_floats_across(view->operand->values, rows)
                        : ag_floats_along(view->operand->values, K);
}

/* b of a product of pairs: the engine copies it for itself, and pairs it then. */
static ag_words bf16_of(const ag_operand_view *view, size_t rows, size_t K)
{
    ag_words words = floats_of(view, rows, K);
    words.word = AG_WORD_BF16;
    words.range = view->operand->pairs.range;
    return words;
}

/* --- the product */

static bool is_one(const ag_factor *factor)
{
    return factor->each == NULL && factor->all == 1.0f;
}

/* A factor of 1 is left out instead of multiplied: it would change no bit, but cost a pass. */
void ag_finish_with_factors(ag_finish *finish, const ag_operand *a, const ag_operand *b)
{
    finish->scaled = !is_one(&a->factor) || !is_one(&b->factor);
    finish->rows = a->factor;
    finish->columns = b->factor;
}

/* Whatever is chosen, the sums have the same bits: products/products.h promises it, and the golden
 * runs hold it with every engine. */
void ag_multiply_operands(const ag_kernels *k, ag_product product, const ag_operand_view *a,
                          const ag_operand_view *b, uint32_t *const room[2])
{
    const size_t M = product.M;
    const size_t N = product.N;
    const size_t K = product.K;
    product.block = block_of(a, b, K);
    if (product.block > 0) {
        product.a = codes_of(a, M, K, product.block);
        product.b = codes_of(b, N, K, product.block);
    } else if (a->operand->has_bf16 && b->operand->has_bf16 && ag_products_have_pairs()) {
        product.a = pairs_of(k, a, room, M, K);
        product.b = bf16_of(b, N, K);
    } else {
        product.a = floats_of(a, M, K);
        product.b = floats_of(b, N, K);
    }
    k->product(&product);
}
