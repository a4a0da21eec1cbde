/* How a linear layer is quantised: which tensors its three products take, and a scheme for each use
 * of each. A plain struct, as the schemes in it are. */
#ifndef AG_NUMERICS_LAYER_PRECISION_H
#define AG_NUMERICS_LAYER_PRECISION_H

#include "numerics/accumulator.h"
#include "numerics/scheme.h"

/* The tensors of a linear layer that are quantised. Each is an operand of two products:
 *   weight       fprop, dgrad        input        fprop, wgrad        grad_output  dgrad, wgrad
 * so use 0 is its first product and use 1 its second. */
typedef enum ag_role { AG_ROLE_WEIGHT, AG_ROLE_INPUT, AG_ROLE_GRAD_OUTPUT, AG_ROLES } ag_role;
enum { AG_USES = 2 };

extern const char *const ag_role_words[AG_ROLES]; /* "weight", "input", "grad_output" */

/* "weight.fprop", "weight.dgrad", "input.fprop", "input.wgrad", ... */
extern const char *const ag_use_words[AG_ROLES][AG_USES];

/* The products of a linear layer: Y = X W^T, dX = dY W, dW = dY^T X. */
typedef enum ag_linear_product {
    AG_FPROP,
    AG_DGRAD,
    AG_WGRAD,
    AG_LINEAR_PRODUCTS
} ag_linear_product;

extern const char *const ag_linear_product_words[AG_LINEAR_PRODUCTS]; /* "fprop", ... */

/* Their operands. */
typedef struct ag_operand_use {
    ag_role role;
    int use;
} ag_operand_use;
extern const ag_operand_use ag_linear_operands[AG_LINEAR_PRODUCTS][2];

/* How one layer's three products are quantised and added up. */
typedef struct ag_layer_precision {
    ag_scheme scheme[AG_ROLES][AG_USES];
    ag_accumulator accumulate[AG_LINEAR_PRODUCTS];
} ag_layer_precision;

/* Whether one quantised copy of a tensor serves both its products, which sum over different axes:
 * the schemes are equal and their groups the same along either axis. It is made with use 0. */
bool ag_scheme_serves_both(const ag_scheme uses[AG_USES]);

/* Makes equal what means the same for the layer as a whole; its schemes are normalised. */
void ag_layer_precision_normalise(ag_layer_precision *precision);

/* Whether every product adds up as products/products.h says. */
bool ag_accumulates_by_default(const ag_layer_precision *precision);

/* Schemes and accumulators, field by field. */
bool ag_layer_precision_equal(const ag_layer_precision *a, const ag_layer_precision *b);

/* The same for all schemes and accumulators of a layer, and for the operands of a product that
 * contradict each other or their accumulator. */
ag_status ag_layer_precision_check(const ag_layer_precision *precision);

#endif
