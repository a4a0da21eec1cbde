/* A product of two operands. */
#ifndef AG_TRAIN_OPERAND_WORDS_H
#define AG_TRAIN_OPERAND_WORDS_H

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

/* Room for an operand's words, one for each element at most, and for the units of its codes. */
typedef struct ag_operand_room {
    uint32_t *words;
    float *units;
} ag_operand_room;

/* Whether the scheme's values are codes: small integers times a scale for each block along the sum
 * (products/products.h). */
bool ag_scheme_has_codes(const ag_scheme *scheme);

/* Has the finish of a product of these operands bring back their factors. */
void ag_finish_with_factors(ag_finish *finish, const ag_operand *a, const ag_operand *b);

/* The product, whose operands are a and b: c, M, N, K and finish are set. room: one for each. */
void ag_multiply_operands(const ag_kernels *k, ag_product product, const ag_operand_view *a,
                          const ag_operand_view *b, const ag_operand_room room[2]);

#endif
