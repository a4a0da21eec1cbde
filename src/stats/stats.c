/* Means over seeds and paired differences. Seeds of a run differ by chance alone, so the interval
 * is that of Student's t with n - 1 degrees of freedom. Differences are taken between runs of one
 * seed: what both have in common, the order of data and the initial weights, cancels. */
#include "stats/stats.h"

#include <math.h>

/* One pass for the mean, one for the squares: the one-pass formula would cancel where values are
 * alike, as losses of one model are. `partners` may be NULL. */
static ag_estimate estimate(const double *values, const double *partners, size_t n, double level)
{
    ag_estimate result = {.n = n, .mean = NAN, .sd = NAN, .half = NAN};
    if (n == 0)
        return result;
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += partners != NULL ? values[i] - partners[i] : values[i];
    result.mean = sum / (double)n;
    if (n < 2)
        return result;
    double squares = 0;
    for (size_t i = 0; i < n; i++) {
        double value = partners != NULL ? values[i] - partners[i] : values[i];
        squares += (value - result.mean) * (value - result.mean);
    }
    double df = (double)(n - 1);
    result.sd = sqrt(squares / df);
    result.half = ag_t_quantile(0.5 + level / 2, df) * result.sd / sqrt((double)n);
    return result;
}

ag_estimate ag_estimate_mean(const double *values, size_t n, double level)
{
    return estimate(values, NULL, n, level);
}

ag_estimate ag_estimate_difference(const double *values, const double *partners, size_t n,
                                   double level)
{
    return estimate(values, partners, n, level);
}
