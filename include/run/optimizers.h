/* What all of altgrad but the step itself must know of an optimizer: one row each. Its arithmetic
 * is a row of train/optimizer.c, its word one of optimizer.type in params.c. */
#ifndef AG_RUN_OPTIMIZERS_H
#define AG_RUN_OPTIMIZERS_H

#include <stdbool.h>

#include "run/run.h"

typedef struct ag_optimizer_traits {
    bool has_variance;       /* keeps v beside m, and reads eps */
    bool has_betas;          /* reads betas; else momentum */
    bool fits_mup;           /* its steps are as large whatever the size of gradients */
    ag_optimizer_type plain; /* what it is for weights that lie on no format's values */
    bool has_moving_spacing; /* asks for the spacing of the weights' format, scale by scale */
    bool orthogonalises; /* the matrices of blocks, by a momentum of its own; the rest is AdamW's */
    bool fixes_scale;    /* sets the weights' scales before the first step; reads rung_clip and
                            headroom, and rounds its moves by chance */
} ag_optimizer_traits;

extern const ag_optimizer_traits ag_optimizers[AG_OPTIMIZERS];

static inline const ag_optimizer_traits *ag_optimizer_of(const ag_run *run)
{
    return &ag_optimizers[run->optimizer.type];
}

#endif
