/* Groups of elements that share a scale, and the plain quantiser of a whole matrix: it defines what
 * is right for every granularity. The fast kernels are held against it.
 *
 *   amax of each group --rule of the scheme--> S    q = Q(x * S)    value = q * after * factor
 *
 * after = 1 / S for float32 scales (amax / max for absmax ones), 2^e for E8M0, the block's scale D
 * for 8-bit floats; factor = 1 but for these, where it is 1 / Sg of the tensor or the row. */
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

    /* one factor for each row of the product's (outer: row): group i has the row i / step % rows */
    float *factors; /* the caller's, [rows] */
    size_t rows;    /* 0: `factor` is that of all */
    size_t step;
} ag_scales;

static inline float ag_scales_factor(const ag_scales *scales, size_t group)
{
    return scales->rows > 0 ? scales->factors[group / scales->step % scales->rows] : scales->factor;
}

/* Whether a NaN counts as an amax (E8M0), or is passed over. */
bool ag_scheme_keeps_nan(const ag_scheme *scheme);

/* The largest |x| of each group into amax. */
void ag_groups_amax(float *amax, const float *x, const ag_groups *groups, bool keep_nan);

/* Which groups have a factor in common: sets rows and step, as scheme and groups have it. */
void ag_scales_lines(ag_scales *scales, const ag_scheme *scheme, const ag_groups *groups,
                     ag_sum sum);

/* s of a channel (ag_channel) from its largest magnitude: 1 where that is 0 or Inf. Its exponent is
 * held in [-126, 126], so that its inverse is a normal number, too. */
float ag_channel_scale(float amax);

/* scale, after and the factors from the amax of each group, which stands in scale on entry, as the
 * scheme says by current amaxes; amax mode NONE gives S = 1. */
void ag_scales_set(ag_scales *scales, const ag_scheme *scheme, size_t count);

/* The same for a scheme that selects: each block's scale is the candidate that leaves it the least
 * error, the first of equals. x: the matrix, under no transform any more; `where` may be NULL:
 * errors are then those of rounding to nearest. */
void ag_scales_select(ag_scales *scales, const ag_scheme *scheme, const float *x,
                      const ag_groups *groups, const ag_matrix *matrix,
                      const ag_rounding_site *where);

/* Whether a scheme's scales are those of rotated values. */
static inline bool ag_scheme_is_turned(const ag_scheme *scheme)
{
    return scheme->select == AG_SELECT_EDEN || scheme->select == AG_SELECT_QUEST;
}

/* --- one block's scale */

/* What is constant for the blocks of a tensor, or of a row of it. */
typedef struct ag_scale_rule {
    const ag_scheme *scheme;
    float amax;       /* of the tensor or the row */
    ag_format format; /* of 8-bit float scales; else all 0, as what follows but for the ones */
    float largest;    /* fl(max * top) */
    float outer;      /* Sg, or 1 */
    float inverse;    /* Sd = fl(1 / Sg) */
    float unit;       /* fl(Sg * fl(1 / max)) */
} ag_scale_rule;

typedef struct ag_block_scale {
    float scale;
    float after;
} ag_block_scale;

ag_scale_rule ag_scale_rule_of(const ag_scheme *scheme, float amax);

/* Among how many scales a block's is chosen: 1 by amax alone. */
int ag_scheme_candidates(const ag_scheme *scheme);
ag_block_scale ag_scale_of_block(const ag_scale_rule *rule, float amax, int candidate);

/* d = fl(value - x) of an element, squared where the scheme says so, else |d|; q its rounded value
 * before `after`. Under 4/6 the value is that of Transformer Engine's reference. */
float ag_scale_error_of(const ag_scale_rule *rule, float q, float after, float x);

/* Groups under one rule: `step` from `first` on, and every `stride` further on below `count`. */
typedef struct ag_scale_line {
    size_t first, step, stride, count;
} ag_scale_line;

ag_scale_line ag_scales_line(const ag_scales *scales, size_t row, size_t count);

/* The largest of the amaxes of a line's groups. */
float ag_scales_amax(const ag_scales *scales, const ag_scale_line *line);

/* The rule of a row's groups (of all, for row 0, where rows is 0), whose amaxes stand in scale;
 * sets the factor that goes with it. */
ag_scale_rule ag_scales_rule(ag_scales *scales, const ag_scheme *scheme, size_t row, size_t count);

/* A Hadamard transform of runs of `size` elements: y = factor * H diag(signs) x, H Sylvester's
 * matrix applied in steps of sums and differences at distance 1, 2, 4, ..; orthogonal but for
 * rounding. back: its inverse, diag(signs) H. */
typedef struct ag_turn {
    size_t size;
    float factor; /* 1 / sqrt(size) */
    bool back;
    float signs[AG_MOST_HADAMARD];
} ag_turn;

/* Of a scheme with one; `where` may be NULL unless its signs are drawn. */
ag_turn ag_turn_of(const ag_scheme *scheme, const ag_rounding_site *where);

/* out [rows, cols] = x, turned along its rows (AG_SUM_COLS) or columns; a last run that is short
 * stays as it is. out may be x. */
void ag_hadamard(float *out, const float *x, size_t rows, size_t cols, ag_sum sum,
                 const ag_turn *turn);

/* The values of a matrix under a scheme without channels, by current amaxes: (q * after) * factor.
 * `scales` has the caller's arrays and returns the scales; `where` may be NULL unless rounding is
 * stochastic. Under a Hadamard transform the values are those of the transformed matrix. out may be
 * x. */
void ag_quantize_matrix(float *out, const float *x, const ag_matrix *matrix,
                        const ag_scheme *scheme, ag_scales *scales, const ag_rounding_site *where);

/* Lines [begin, end) of ag_scales_select for eden and quest, whose groups are all in one line each:
 * a line is what the product sums over. `rule` is ag_turned_rule's; `where` is not NULL. */
void ag_scales_turned(ag_scales *scales, const ag_scale_rule *rule, const float *x,
                      const ag_groups *groups, const ag_matrix *matrix,
                      const ag_rounding_site *where, size_t begin, size_t end);

/* Of the tensor; where rows have factors, each line finds its own. */
ag_scale_rule ag_turned_rule(ag_scales *scales, const ag_scheme *scheme, const ag_groups *groups);

size_t ag_turned_lines(const ag_groups *groups, ag_sum sum);

#endif
