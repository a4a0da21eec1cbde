/* How initial weights, products and learning rates follow the width of a model. With m = n_embd /
 * base_width (1 without one), F the inputs of a layer and s = init_std, of a class of matrices:
 *
 *              standard                mup (Adam, Lion)            mus
 *   embedding  s,          1, 1        s,              1,   1      1, 1,         1
 *   hidden     s,          1, 1        s / sqrt(m),    1,   1/m    1, 1/sqrt(F), 1/sqrt(m)
 *   residual   s/sqrt(2L), 1, 1        s / sqrt(2L m), 1,   1/m    1, 1/sqrt(F), 1/sqrt(m)
 *   head       s,          1, 1        s,              1/m, 1      1, 1/F,       1
 *
 * are the deviation, what multiplies the layer's products, and what multiplies the learning rate,
 * but not weight decay. Vectors (gains, biases) are as in standard. mup: Yang et al. 2022,
 * arXiv:2203.03466; mus: Narayan et al. 2025, arXiv:2502.05967. */
#ifndef AG_RUN_PARAMETRISATION_H
#define AG_RUN_PARAMETRISATION_H

#include <stddef.h>

#include "run/run.h"

typedef enum ag_class {
    AG_CLASS_EMBEDDING, /* wte (also where lm_head shares it), wpe */
    AG_CLASS_HIDDEN,    /* of a linear layer inside a block, */
    AG_CLASS_RESIDUAL,  /* or of one that ends in the residual stream */
    AG_CLASS_HEAD,      /* lm_head */
    AG_CLASS_CLASSES
} ag_class;

double ag_class_std(const ag_model_spec *model, ag_class which);

/* alpha of Y = alpha X W^T + b, and of both its gradients. */
double ag_class_alpha(const ag_model_spec *model, ag_class which, size_t inputs);

double ag_class_lr(const ag_model_spec *model, ag_class which);

#endif
