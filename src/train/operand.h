/* One tensor made ready for a matrix product. */
#ifndef AG_TRAIN_OPERAND_H
#define AG_TRAIN_OPERAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/kernels.h"
#include "pass.h"
#include "run/kept_state.h"

typedef struct ag_watch ag_watch;

typedef struct ag_operand {
    const ag_kernels *k;
    const ag_scheme *scheme;
    bool bf16;         /* null means BF16; otherwise float32 as it is */
    bool is_weight;    /* the same tensor in training and evaluation: observed in both */
    bool is_fixed;     /* the scale was set before the first step and stays */
    const char *layer; /* whose operand it is, for people, */
    const char *role;  /* and which */
    ag_sum sum;        /* the axis of the tensor that the product sums over */
    uint32_t place;
    uint32_t use;
    uint32_t product;       /* which, of ag_linear_product: its operands are rotated alike */
    ag_rounding_site where; /* of the random words of the last ag_operand_make */
    float static_scale;     /* S under amax none; 0: 1 */
    ag_scale *scale;
    float *history;        /* [scheme->history]: a ring, the newest at (pushed - 1) % history */
    float seen;            /* the largest amax of this step so far, of the rank at work, */
    float seen_before;     /* and of the ranks before it */
    uint8_t *clipped;      /* ste: clip: 1 where |x * S| > max; NULL otherwise */
    ag_scales *scales;     /* of groups: shared by all operands, so good until the next is made */
    const float *channels; /* s of each column, where the scheme has such; NULL otherwise */
    ag_watch *watch;       /* what an observer gathers of it, or NULL */
    float *after;          /* of each group, where an accumulator reads values as codes
                              (operand_sums.h), of channels 1 / s; else NULL */
    float *factors;        /* of granularity row: one a row of the product's, or a column */
    ag_codes codes[2];     /* along and across the sum, where a product reads such; else NULL */
    bool codes_alone;      /* no product reads its values while it is quantised */

    /* what the last ag_operand_make left */
    const float *values; /* what the product reads: Q(x * S), shifted or scaled (operand.c); NULL
                            where the codes alone were made */
    ag_factor factor;    /* what the product's epilogue multiplies by */
    ag_pairs pairs;      /* of the values, where they were packed as they were made, and their
                            range; the latter where has_bf16 and pairs pay */
    bool is_quantised;   /* by the scheme, which some passes leave aside */
    bool has_bf16;       /* whether all values are BF16 values */
} ag_operand;

/* A tensor to be made an operand of. */
typedef struct ag_source {
    const float *x; /* [rows, cols] */
    size_t rows;
    size_t cols;
    uint64_t first;        /* global index of x[0], for stochastic rounding */
    float amax;            /* of x, where ag_operand_needs_amax */
    bool continues;        /* a further matrix of the tensor that the one before began */
    const ag_pairs *pairs; /* of x, where its values are BF16's and packed already; or NULL */
} ag_source;

/* Whether the pass has it quantised, by a scheme that is not null. */
bool ag_operand_quantises(const ag_operand *operand, const ag_pass *pass);

/* Whether it is made as codes where it has room for them. Those of a tensor's or a row's scale need
 * not be: as values they give the same bits, and which is faster depends on the processor. */
bool ag_operand_takes_codes(const ag_operand *operand);

/* Whether its scheme finds one scale for the tensor. */
bool ag_operand_needs_amax(const ag_operand *operand);

/* Quantises source->x into `out` (which may be source->x), or rounds it to BF16 where the role is
 * null or the pass wants no quantisation. */
void ag_operand_make(ag_operand *operand, float *out, const ag_source *source, const ag_pass *pass);

/* scale and after of each channel: S s and `after` / s, S that of the tensor. */
void ag_operand_scale_channels(ag_scales *scales, const ag_operand *operand, size_t cols,
                               float scale, float after);

/* Ends a rank's share of a step: the next rank has amaxes of its own. */
void ag_operand_end_rank(ag_operand *operand);

/* Ends an optimizer step: pushes the step's amax and sets the scale of the next. */
void ag_operand_end_step(ag_operand *operand);

/* The gradient [rows, cols] of Q under ste: clip, of what the last ag_operand_make was given; under
 * a rotation the mask is that of the rotated values. */
void ag_operand_clip_gradient(float *grad, const ag_operand *operand, size_t rows, size_t cols);

#endif
