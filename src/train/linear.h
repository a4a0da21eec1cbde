/* The quantised linear layer. */
#ifndef AG_TRAIN_LINEAR_H
#define AG_TRAIN_LINEAR_H

#include <stdbool.h>
#include <stddef.h>

#include "operand_words.h"
#include "run/layers.h"
#include "site.h"

typedef enum ag_held {
    AG_HELD_NOTHING,
    AG_HELD_TRAIN,
    AG_HELD_SHADOW,
    AG_HELD_EVALUATE,
    AG_HELD_HP
} ag_held;

typedef struct ag_linear {
    ag_layer layer;
    const ag_kernels *k;
    bool bf16;
    size_t T;
    const float *weight; /* master [OC, C] */
    const float *bias;   /* [OC] or NULL */
    float *dweight;
    float *dbias;
    bool is_clear; /* dweight is zero but not written yet: the next product is the first one */
    ag_operand operands[AG_ROLES][AG_USES];
    int copies[AG_ROLES]; /* 1: operands[role][0] serves both uses */
    ag_held held;         /* what the weight operands were made for */
    float *input;         /* [N, C]: the producer writes x here, forward turns it into Q(x) */
    float *weight_copies[AG_USES]; /* [OC, C]; NULL where the master weights serve */
    float *input_copy;             /* [N, C] for wgrad, where copies say 2 */
    float *grad_copy;              /* [N, OC] for wgrad, where copies say 2; shared by all layers */
    float *product;                /* [OC, C], shared by all layers */
    uint32_t *const *room;         /* of a product's pairs; shared by all layers */
    const ag_accumulator *accumulate; /* of each ag_linear_product; all default unless */
    bool has_accumulators;

    /* sites of the layer, NULL where off */
    ag_site_operands *dw;
    ag_site_operands *m;
    ag_site_operands *v;
} ag_linear;

/* The master weights [OC, C], without their amax. */
ag_source ag_linear_weight(const ag_linear *linear);

/* Makes the weight operands that the pass needs, unless they are there already. */
void ag_linear_prepare(ag_linear *linear, const ag_pass *pass);

/* y [N, OC] = Q(X) Q(W)^T + b, from linear->input, which becomes Q(X) */
void ag_linear_forward(float *y, ag_linear *linear, const ag_pass *pass);

/* dweight is zero from now on, and the next backward pass writes it: a pass over memory less.
 * Nothing may read it before. */
void ag_linear_clear_gradient(ag_linear *linear);

/* dx [N, C] = Q(dY) Q(W);  dW += Q(dY)^T Q(X);  db += sum of dY. dy becomes Q(dY). */
void ag_linear_backward(float *dx, ag_linear *linear, float *dy, const ag_pass *pass);

/* After a rank's share of a step. */
void ag_linear_end_rank(ag_linear *linear);

/* After an optimizer step: new scales, and the weight operands are out of date. */
void ag_linear_end_step(ag_linear *linear);

#endif
