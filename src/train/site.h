/* One tensor of a site. */
#ifndef AG_TRAIN_SITE_H
#define AG_TRAIN_SITE_H

#include <stddef.h>
#include <stdint.h>

#include "operand.h"
#include "run/layers.h"

/* A tensor as a stack of matrices, which are operands each of a product of its own: the heads of
 * attention; or one. */
typedef struct ag_stack {
    size_t matrices, rows, cols;
    uint64_t first; /* global index of its first element, for stochastic rounding */
} ag_stack;

/* What it is turned into: an operand for each of its two products, or one for both. */
typedef struct ag_site_operands {
    char site[AG_LAYER_NAME_SIZE]; /* for people */
    ag_operand operands[AG_USES];
    int copies;                  /* 1: operands[0] serves both uses */
    ag_factor *factors[AG_USES]; /* of each matrix */
    const float *values[AG_USES];
} ag_site_operands;

/* A use of the tensor as the products read it. */
typedef struct ag_stack_operand {
    const float *values;
    const ag_factor *factors;
    const ag_operand *operand; /* what is the same of all matrices */
} ag_stack_operand;

/* Quantises x, which becomes the first operand; the second, which only training needs, goes to
 * `copy`, which may be NULL where copies say 1. */
void ag_site_make(ag_site_operands *tensor, float *x, float *copy, const ag_stack *stack,
                  const ag_pass *pass);
ag_stack_operand ag_site_operand(const ag_site_operands *tensor, int use);

/* The operand of one matrix, whose sum in the product runs over K of its elements for each of
 * `rows`. */
ag_operand ag_stack_operand_at(const ag_stack_operand *stack, size_t matrix, size_t rows, size_t K);

/* x becomes what a low-precision store of it would give back. */
void ag_site_store(ag_site_operands *tensor, float *x, const ag_stack *stack, const ag_pass *pass);

/* The gradient of Q under ste: clip. */
void ag_site_clip_gradient(float *grad, const ag_site_operands *tensor, const ag_stack *stack);

void ag_site_end_rank(ag_site_operands *tensor);
void ag_site_end_step(ag_site_operands *tensor);

#endif
