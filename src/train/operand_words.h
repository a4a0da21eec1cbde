/* A product of two operands. */
#ifndef AG_TRAIN_OPERAND_WORDS_H
#define AG_TRAIN_OPERAND_WORDS_H

#include "layout.h"
#include "operand.h"

/* Which operands of a product lie across the sum: a b^T, a b, a^T b. */
typedef enum ag_transposition { AG_NT, AG_NN, AG_TN } ag_transposition;

/* An operand as a product sees its values: [rows, K], or [K, rows] where `across`. */
typedef struct ag_operand_view {
    const ag_operand *operand;
    bool across;
} ag_operand_view;

static inline ag_operand_view ag_first_operand(const ag_operand *a, ag_transposition form)
{
    return (ag_operand_view){a, form == AG_TN};
}

static inline ag_operand_view ag_second_operand(const ag_operand *b, ag_transposition form)
{
    return (ag_operand_view){b, form != AG_NT};
}

/* Whether the product that a role's use is part of is one of codes: small integers in blocks along
 * the sum, in units of one size each (products/products.h). `schemes` has the uses of all roles,
 * and `accumulate` what adds up each product; NULL: all by default. */
bool ag_use_has_codes(const ag_scheme *const schemes[AG_ROLES], const ag_accumulator *accumulate,
                      ag_role role, int use);

/* What the codes of an operand [rows, K] take, either way. */
typedef struct ag_codes_size {
    size_t words, units;
} ag_codes_size;
ag_codes_size ag_codes_size_of(const ag_scheme *scheme, size_t rows, size_t K);

ag_codes ag_codes_lay_out(ag_layout *layout, ag_codes_size size);

/* Has the finish of a product of these operands bring back their factors. */
void ag_finish_with_factors(ag_finish *finish, const ag_operand *a, const ag_operand *b);

/* The product, whose operands are a and b: c, M, N, K and finish are set. room: for the pairs of
 * the first, along and across, unless they were packed as they were made. */
void ag_multiply_operands(const ag_kernels *k, ag_product product, const ag_operand_view *a,
                          const ag_operand_view *b, uint32_t *const room[2]);

#endif
