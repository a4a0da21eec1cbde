/* Muon (Jordan, https://kellerjordan.github.io/posts/muon): an update that is made orthogonal. */
#ifndef AG_TRAIN_MUON_H
#define AG_TRAIN_MUON_H

#include <stddef.h>

#include "kernels/kernels.h"
#include "layout.h"
#include "run/tensors.h"

/* Scratch, as large as the largest matrix that is made orthogonal needs. */
typedef struct ag_muon_space {
    float *update;  /* [rows, cols] of a tensor, all its parts */
    float *product; /* the same, of a part */
    float *gram;    /* [r, r], r = min(rows, cols) of a part, */
    float *scaled;  /* as these */
    float *square;
} ag_muon_space;

void ag_muon_lay_out(ag_muon_space *space, const ag_model_spec *model,
                     const ag_tensor_table *tensors, ag_layout *layout);

/* u [rows, cols], which is no part of `space` but its update, becomes nearly the orthogonal matrix
 * next to it, its singular values between 0.7 and 1.2: five Newton-Schulz iterations. A u of zeros
 * stays. The same bits at any number of threads. */
void ag_muon_orthogonalise(float *u, size_t rows, size_t cols, ag_muon_ns precision,
                           const ag_muon_space *space, const ag_kernels *k);

/* What a matrix of this shape multiplies its learning rate by. */
double ag_muon_factor(ag_muon_scale scale, size_t rows, size_t cols);

#endif
