/* How data-parallel ranks would add up their gradients. */
#ifndef AG_TRAIN_REDUCE_H
#define AG_TRAIN_REDUCE_H

#include <stddef.h>

#include "kernels/kernels.h"
#include "run/run.h"

typedef struct ag_reduction {
    ag_reduce_kind kind;
    size_t ranks;   /* N */
    ag_format wire; /* in which a rank sends */
} ag_reduction;

/* AG_ERR_INPUT where the wire's name is no format. */
ag_status ag_reduction_of(ag_reduction *reduction, const ag_ranks_spec *ranks);

/* out [count] = the sum of the parts, [ranks] of [count] each, which are lost; one of them may be
 * `out`. One tensor: it has one scale. Same bits at any number of threads. */
void ag_reduce(float *out, float *const *parts, size_t count, const ag_reduction *reduction,
               const ag_kernels *k);

/* S of a wire that has a scale: the largest power of two by which N values as large as the largest
 * of the parts can be multiplied and added up within the format. 1 for formats with the exponents
 * of float32, and where nothing finite lies there but 0. */
float ag_reduction_scale(float *const *parts, size_t count, const ag_reduction *reduction,
                         const ag_kernels *k);

#endif
