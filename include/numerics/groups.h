/* Groups of elements that share a scale, and the plain quantiser of a whole matrix: it defines what
 * is right for every granularity. The fast kernels are held against it.
 *
 *   amax of each group --rule of the scheme--> S    q = Q(x * S)    value = q * after * factor
 *
 * after = 1 / S for float32 scales, 2^e for E8M0, the block's E4M3 scale for NVFP4; factor = 1 but
 * for NVFP4, where it is the tensor's 1 / Sg. */
#ifndef AG_NUMERICS_GROUPS_H
#define AG_NUMERICS_GROUPS_H

#include <stddef.h>
#include <stdint.h>

#include "numerics/quantize.h"
#include "numerics/scheme.h"

/* The axis of a matrix that its product sums over; AG_SUM_COLS: along its rows as stored. A tensor
 * that is no operand of a product (a moment, a result) takes AG_SUM_COLS. */
typedef enum ag_sum { AG_SUM_COLS, AG_SUM_ROWS } ag_sum;

/* A matrix to be quantised, stored row by row. */
typedef struct ag_matrix {
    size_t rows;
    size_t cols;
    ag_sum sum;
    uint64_t first; /* global index of its first element, for stochastic rounding */
} ag_matrix;

/* The grid of groups in the matrix as stored. The last ones of either axis may be short. */
typedef struct ag_groups {
    size_t rows, cols;    /* of the matrix */
    size_t height, width; /* of a group */
    size_t down, across;  /* groups; group (i, j) has the index i * across + j */
} ag_groups;

ag_groups ag_groups_of(const ag_scheme *scheme, const ag_matrix *matrix);

static inline size_t ag_groups_count(const ag_groups *groups)
{
    return groups->down * groups->across;
}

/* The index of the group that holds an element. */
static inline size_t ag_groups_at(const ag_groups *groups, size_t row, size_t col)
{
    return row / groups->height * groups->across + col / groups->width;
}

/* Scales of the groups; the caller's arrays of ag_groups_count floats. */
typedef struct ag_scales {
    float *scale; /* S; NaN: every value of the group is NaN */
    float *after;
    float factor;
} ag_scales;

/* Whether a NaN counts as an amax (E8M0), or is passed over. */
bool ag_scheme_keeps_nan(const ag_scheme *scheme);

/* The largest |x| of each group into amax. */
void ag_groups_amax(float *amax, const float *x, const ag_groups *groups, bool keep_nan);

/* scale, after and factor from the amax of each group, which stands in scale on entry, as the
 * scheme says by current amaxes; amax mode NONE gives S = 1. */
void ag_scales_set(ag_scales *scales, const ag_scheme *scheme, size_t count);

/* out [rows, cols] = x, each run of 16 elements of a column times diag(sign) H / 4: an orthogonal
 * transform that cancels in a product that sums over the rows. H is Sylvester's Hadamard matrix,
 * applied in four steps of sums and differences at distance 1, 2, 4, 8; the signs are Transformer
 * Engine's. A last run of fewer stays as it is. out may be x. */
void ag_hadamard(float *out, const float *x, size_t rows, size_t cols);
extern const float ag_hadamard_signs[AG_HADAMARD];

/* The values of a matrix under a scheme, by current amaxes: (q * after) * factor. `scales` has the
 * caller's arrays and returns the scales; `where` may be NULL unless rounding is stochastic. Under
 * a Hadamard transform the values are those of the transformed matrix. out may be x. */
void ag_quantize_matrix(float *out, const float *x, const ag_matrix *matrix,
                        const ag_scheme *scheme, ag_scales *scales, const ag_rounding_site *where);

#endif
