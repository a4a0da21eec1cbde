/* A product of two operands that has an accumulator of its own. */
#ifndef AG_TRAIN_OPERAND_SUMS_H
#define AG_TRAIN_OPERAND_SUMS_H

#include "numerics/accumulator.h"
#include "operand_words.h"

/* Whether an accumulator needs the scales of the scheme's blocks (ag_operand.after). */
bool ag_scheme_has_scales_to_add(const ag_scheme *scheme);

/* The product, whose operands are a and b: c, M, N and K are set; nothing is finished. */
void ag_accumulate_operands(const ag_kernels *k, const ag_accumulator *accumulator,
                            const ag_product *product, const ag_operand_view *a,
                            const ag_operand_view *b);

#endif
