/* What a product reads of its operands: codes where both are small integers in blocks of one length
 * along the sum, else pairs where both hold BF16 values alone, else floats. */
#include <string.h>

#include "operand_words.h"

/* --- codes */

/* Whether every value of the format is a whole number of its smallest steps, up to 127 of them. */
static bool has_small_integers(const ag_format *format)
{
    return format->min_subnormal > 0.0f && format->max <= 127 * format->min_subnormal;
}

/* A sum of more than 1,024 products of up to 127^2 may pass 2^24. */
bool ag_scheme_has_codes(const ag_scheme *scheme)
{
    bool has_blocks = scheme->granularity == AG_GRANULARITY_MX ||
                      scheme->granularity == AG_GRANULARITY_NV ||
                      scheme->granularity == AG_GRANULARITY_BLOCK;
    return scheme->quantised && has_blocks && scheme->block_cols <= 1024 &&
           has_small_integers(&scheme->format);
}

static bool has_codes(const ag_operand *operand)
{
    return operand->is_quantised && operand->after != NULL && ag_scheme_has_codes(operand->scheme);
}

/* k in a block of codes; 0: the product is none of codes. */
static size_t block_of(const ag_operand *a, const ag_operand *b)
{
    bool same = has_codes(a) && has_codes(b) && a->scheme->block_cols == b->scheme->block_cols &&
                strcmp(a->scheme->format.name, b->scheme->format.name) == 0;
    return same ? (size_t)a->scheme->block_cols : 0;
}

/* units [blocks along the sum][elements of the other axis]: what a code is worth. */
static void spread_units(float *units, const ag_operand_view *view, size_t rows, size_t K)
{
    const ag_operand *operand = view->operand;
    const float step = operand->scheme->format.min_subnormal;
    ag_matrix matrix = {view->across ? K : rows, view->across ? rows : K, operand->sum, 0};
    ag_groups groups = ag_groups_of(operand->scheme, &matrix);
    const size_t block = view->across ? groups.height : groups.width;
    const size_t beside = view->across ? groups.width : groups.height; /* rows of one unit */
    const size_t to_next = view->across ? 1 : groups.across;
    for (size_t j = 0; j * block < K; j++) {
        const float *after = operand->after + j * (view->across ? groups.across : 1);
        for (size_t i = 0; i < rows; i += beside, after += to_next)
            for (size_t r = i; r < rows && r < i + beside; r++)
                *units++ = step * *after;
    }
}

static ag_words codes_of(const ag_operand_view *view, const ag_operand_room *room, size_t rows,
                         size_t K, size_t block, bool for_a)
{
    const ag_format *format = &view->operand->scheme->format;
    spread_units(room->units, view, rows, K);
    (view->across ? ag_code_values_across : ag_code_values_along)(
        room->words, room->units, view->operand->values, rows, K, block, for_a);
    return (ag_words){.words = room->words,
                      .row_step = view->across ? 1 : ag_code_words(K, block),
                      .k_step = view->across ? rows : 1,
                      .word = for_a ? AG_WORD_CODES_A : AG_WORD_CODES,
                      .scales = room->units,
                      .scale_row_step = 1,
                      .scale_step = rows,
                      .most_code = (int)(format->max / format->min_subnormal)};
}

/* --- pairs and floats */

static ag_words pairs_of(const ag_operand_view *view, const ag_operand_room *room, size_t rows,
                         size_t K)
{
    size_t words = ag_words_of(AG_WORD_PAIR, K);
    ag_range range = (view->across ? ag_pairs_across
                                   : ag_pairs_along)(room->words, view->operand->values, rows, K);
    return (ag_words){.words = room->words,
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

/* --- the product */

static bool is_one(const ag_factor *factor)
{
    return factor->each == NULL && factor->all == 1.0f;
}

void ag_finish_with_factors(ag_finish *finish, const ag_operand *a, const ag_operand *b)
{
    finish->scaled = !is_one(&a->factor) || !is_one(&b->factor);
    finish->rows = a->factor;
    finish->columns = b->factor;
}

void ag_multiply_operands(const ag_kernels *k, ag_product product, const ag_operand_view *a,
                          const ag_operand_view *b, const ag_operand_room room[2])
{
    const size_t M = product.M;
    const size_t N = product.N;
    const size_t K = product.K;
    product.block = block_of(a->operand, b->operand);
    if (product.block > 0) {
        product.a = codes_of(a, &room[0], M, K, product.block, true);
        product.b = codes_of(b, &room[1], N, K, product.block, false);
    } else if (a->operand->has_bf16 && b->operand->has_bf16 && ag_products_have_pairs()) {
        product.a = pairs_of(a, &room[0], M, K);
        product.b = pairs_of(b, &room[1], N, K);
    } else {
        product.a = floats_of(a, M, K);
        product.b = floats_of(b, N, K);
    }
    k->product(&product);
}
