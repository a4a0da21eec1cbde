/* What quantising did to a tensor: counters over its elements and over its scales. They are exact
 * and their sums have a fixed order, so they are the same wherever they are taken. */
#ifndef AG_NUMERICS_COUNTERS_H
#define AG_NUMERICS_COUNTERS_H

#include <stddef.h>
#include <stdint.h>

#include "numerics/quantize.h"

typedef struct ag_counters {
    int64_t n;         /* elements */
    int64_t zeros_in;  /* x = 0, of either sign */
    int64_t underflow; /* x != 0 became 0 */
    int64_t saturated; /* finite x, and x * S rounds past the largest value */
    int64_t inf_in;
    int64_t nan_in;
    float amax; /* the largest |x|: NaN ignored, Inf counted */

    /* over the finite x, in double */
    double signal; /* sum of x^2 */
    double noise;  /* sum of (x - xq)^2; not finite where some xq is not */

    /* a group is what shares a scale: a tensor, row or block */
    int64_t groups;
    int64_t zero_scales; /* every element of the group becomes 0 */
    int64_t nan_scales;  /* every element of the group becomes NaN */
    double log2_min;     /* of S, over the groups with a scale that is neither */
    double log2_max;
    double log2_sum;
} ag_counters;

/* Elements that share one scale, before and after. */
typedef struct ag_counted {
    const float *x;
    const float *q; /* xq = fl(q * factor) */
    float factor;
    size_t count;
    float scale;    /* S */
    uint64_t first; /* global index of x[0], for stochastic rounding */
} ag_counted;

/* Nothing counted yet. */
void ag_counters_reset(ag_counters *counters);

/* Adds the elements of one group; `where` may be NULL unless the scheme rounds stochastically. */
void ag_counters_add(ag_counters *counters, const ag_counted *group, const ag_scheme *scheme,
                     const ag_rounding_site *where);

/* Adds the scale of one group: with its elements, or once where they are added in parts. */
void ag_counters_add_scale(ag_counters *counters, float scale);

/* 10 log10(signal / noise): Inf without noise, NaN where there is neither. */
double ag_counters_sqnr_db(const ag_counters *counters);

/* The mean of log2 S over the groups; NaN where no group has a scale. */
double ag_counters_log2_mean(const ag_counters *counters);

/* log2(x), x > 0, exact for powers of two. */
double ag_log2(double x);

#endif
