/* The interval of a mean by the bias-corrected and accelerated bootstrap: Efron, "Better bootstrap
 * confidence intervals", JASA 82, 1987. Resamples are a function of the number of values alone, so
 * that the same values give the same interval everywhere. */
#include <math.h>
#include <stdlib.h>

#include "base/philox.h"
#include "stats/stats.h"

enum { WORDS = 4 };

/* Draws with replacement: word w of a block stands for value w * n / 2^32. */
static double resampled_mean(const double *values, size_t n, uint64_t key, uint32_t resample)
{
    double sum = 0;
    for (size_t i = 0; i < n; i += WORDS) {
        ag_philox_block block = ag_philox(key, (uint32_t)(i / WORDS), resample, (uint32_t)n, 0);
        for (size_t j = 0; j < WORDS && i + j < n; j++)
            sum += values[(size_t)(((uint64_t)block.word[j] * n) >> 32)];
    }
    return sum / (double)n;
}

static int by_size(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;
    return a < b ? -1 : a > b;
}

/* Between neighbours in proportion, as numpy.quantile does. */
static double sorted_quantile(const double *sorted, size_t n, double p)
{
    double place = p * (double)(n - 1);
    size_t below = (size_t)place;
    if (below + 1 >= n)
        return sorted[n - 1];
    return sorted[below] + (place - (double)below) * (sorted[below + 1] - sorted[below]);
}

/* The share below the estimate, ties halved. A resample that is the sample in another order has
 * another rounding error, and is a tie all the same. */
static double share_below(const double *means, size_t n, double mean, double spread)
{
    double below = 0;
    for (size_t i = 0; i < n; i++) {
        if (fabs(means[i] - mean) <= 1e-12 * spread)
            below += 0.5;
        else
            below += means[i] < mean;
    }
    return below / (double)n;
}

/* By the jackknife: leaving out a value moves a mean against that value's deviation. */
static double acceleration(const double *values, size_t n, double mean)
{
    double squares = 0;
    double cubes = 0;
    for (size_t i = 0; i < n; i++) {
        double deviation = values[i] - mean;
        squares += deviation * deviation;
        cubes += deviation * deviation * deviation;
    }
    return cubes / (6 * squares * sqrt(squares));
}

/* The quantile of the resampled means that stands for quantile `p` of the estimate. */
static double corrected(double p, double bias, double acceleration)
{
    double z = bias + ag_normal_quantile(p);
    return 1 - ag_normal_above(bias + z / (1 - acceleration * z));
}

ag_interval ag_bca_mean(const double *values, size_t n, double level)
{
    double means[AG_RESAMPLES];
    ag_estimate e = ag_estimate_mean(values, n, level);
    if (n < 2)
        return (ag_interval){NAN, NAN};
    if (!(e.sd > 0))
        return (ag_interval){e.mean, e.mean};
    uint64_t key = ag_stream_key(0, AG_STREAM_BOOTSTRAP);
    for (uint32_t i = 0; i < AG_RESAMPLES; i++)
        means[i] = resampled_mean(values, n, key, i);
    double bias = -ag_normal_quantile(1 - share_below(means, AG_RESAMPLES, e.mean, e.sd));
    double a = acceleration(values, n, e.mean);
    qsort(means, AG_RESAMPLES, sizeof *means, by_size);
    double tail = (1 - level) / 2;
    return (ag_interval){
        sorted_quantile(means, AG_RESAMPLES, corrected(tail, bias, a)),
        sorted_quantile(means, AG_RESAMPLES, corrected(1 - tail, bias, a)),
    };
}
