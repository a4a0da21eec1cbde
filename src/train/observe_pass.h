/* Where a pass lets its observer look; called where it has one. */
#ifndef AG_TRAIN_OBSERVE_PASS_H
#define AG_TRAIN_OBSERVE_PASS_H

#include <stddef.h>

#include "linear.h"

/* Before an operand is made of source->x into `out`, and after. */
void ag_observe_source(ag_observer *observer, const ag_operand *operand, const float *out,
                       const ag_source *source);
void ag_observe_values(const ag_observer *observer, const ag_operand *operand,
                       const ag_source *source);

/* When the weight operands are there. */
void ag_observe_weights(ag_observer *observer, const ag_linear *linear, const ag_pass *pass);

/* When a product with the operand is there. */
void ag_observe_result(const ag_observer *observer, const ag_operand *operand, const float *y,
                       size_t count);

#endif
