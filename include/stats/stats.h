/* Means over seeds, and paired differences with their uncertainty. Sums are made in the order of
 * the values, so that the same values give the same bits. */
#ifndef AG_STATS_STATS_H
#define AG_STATS_STATS_H

#include <stdbool.h>
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

/* --- what a difference says beside a margin */

typedef enum ag_tendency {
    AG_TENDS_SAME,
    AG_TENDS_WORSE, /* above the margin */
    AG_TENDS_BETTER,
    AG_TENDENCIES
} ag_tendency;

/* What the difference tends to be, and the least error rate at which that is a verdict: the
 * interval of level 1 - p just lies on one side of the margin, or within it. */
typedef struct ag_decision {
    ag_tendency tendency;
    double p; /* 0 to 1; NaN where n < 2 */
} ag_decision;

ag_decision ag_decide(const ag_estimate *difference, double margin);

/* The least number of pairs, at most `most`, at which the decision's p is `rate` or less if mean
 * and sd stay as they are; 0: there is none. For differences whose p is above it now. */
size_t ag_needed_pairs(const ag_estimate *difference, double margin, double rate, size_t most);

/* One of a family of decisions. */
typedef struct ag_ranked {
    size_t place; /* the caller's */
    double p;
    double adjusted; /* the least rate for the family as a whole at which this one is decided */
} ag_ranked;

/* Sorts by p, and adjusts by Holm's method: those with adjusted <= rate hold together, which means
 * that the chance of one or more false ones among them is at most `rate`. */
void ag_holm(ag_ranked *family, size_t n);

/* --- seeds in rounds, judged after each */

enum { AG_MOST_LOOKS = 32 };

typedef struct ag_interim {
    size_t n;
    size_t seeds[AG_MOST_LOOKS];  /* that are there at each look; the last has all */
    double shares[AG_MOST_LOOKS]; /* of the error rate that each may spend; they add up to 1 */
} ag_interim;

/* 2 <= from <= at_most <= 10,000; each look has 1.6 times the seeds of the one before. */
ag_interim ag_interim_plan(size_t from, size_t at_most);

/* The least rate, for all looks together, at which one of them decides: from p of that look. */
double ag_interim_p(const ag_interim *looks, size_t look, double p);

/* --- the bootstrap */

typedef struct ag_interval {
    double low;
    double high;
} ag_interval;

enum { AG_RESAMPLES = 2000 };

/* The BCa interval of the mean, NaN where n < 2. It needs some 8 values to be worth looking at. */
ag_interval ag_bca_mean(const double *values, size_t n, double level);

/* --- distributions */

/* P(T > t) for Student's t, and P(Z > z) for the normal distribution. */
double ag_t_above(double t, double df);
double ag_normal_above(double z);

/* The z with P(Z <= z) = p, 0 < p < 1. */
double ag_normal_quantile(double p);

/* The t with P(T <= t) = p, 0 < p < 1, for Student's t with `df` degrees of freedom, df > 0. */
double ag_t_quantile(double p, double df);

/* The regularised incomplete beta function I_x(a, b), 0 <= x <= 1. */
double ag_incomplete_beta(double x, double a, double b);

/* --- steps that stand out of a curve */

/* Of a curve's steps that have a full window before them, those whose value lies
 * AG_SPIKE_DEVIATIONS standard deviations (n - 1) or more off the mean of the window. Their share
 * is the spike score of OLMo 2 (arXiv 2501.00656), which takes windows of 1,000 steps. */
typedef struct ag_spikes {
    size_t steps; /* that were looked at */
    size_t spikes;
} ag_spikes;

enum { AG_SPIKE_DEVIATIONS = 7 };

/* values [n], a step each; window: 2 or more. A value that is not finite is no spike, and hides
 * those that have it in their window. */
ag_spikes ag_count_spikes(const double *values, size_t n, size_t window);

#endif
