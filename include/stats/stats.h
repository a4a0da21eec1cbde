/* Means over seeds, and paired differences with their uncertainty. Sums are made in the order of
 * the values, so that the same values give the same bits. */
#ifndef AG_STATS_STATS_H
#define AG_STATS_STATS_H

#include <stddef.h>

/* A sample's mean with its two-sided interval of Student's t. */
typedef struct ag_estimate {
    size_t n;
    double mean; /* NaN where n = 0 */
    double sd;   /* of the sample, with n - 1; NaN where n < 2 */
    double half; /* half the width of the interval; NaN where n < 2 */
} ag_estimate;

/* Mean, standard deviation and the interval at `level` (0.95), of finite values. */
ag_estimate ag_estimate_mean(const double *values, size_t n, double level);

/* The same of the differences values[i] - partners[i]: the seeds' common part cancels. */
ag_estimate ag_estimate_difference(const double *values, const double *partners, size_t n,
                                   double level);

/* The t with P(T <= t) = p, 0 < p < 1, for Student's t with `df` degrees of freedom, df > 0. */
double ag_t_quantile(double p, double df);

/* The regularised incomplete beta function I_x(a, b), 0 <= x <= 1. */
double ag_incomplete_beta(double x, double a, double b);

#endif
