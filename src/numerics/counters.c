/* What quantising did to a tensor, counted element by element. Counts are exact; sums are in double
 * and in the order of the elements, so that they are the same on every machine and for every cut of
 * the tensor into groups that are added in order. */
#include "numerics/counters.h"

#include <math.h>

#include "base/maths.h"

/* Split by frexp, so that powers of two give whole numbers exactly, whatever ag_ln rounds to. */
double ag_log2(double x)
{
    static const double ln_2 = 0.6931471805599453;
    int exponent = 0;
    double fraction = frexp(x, &exponent); /* in [0.5, 1) */
    return (double)exponent - 1.0 + ag_ln(2.0 * fraction) / ln_2;
}

void ag_counters_reset(ag_counters *counters)
{
    *counters = (ag_counters){.log2_min = INFINITY, .log2_max = -INFINITY};
}

/* Whether a finite value rounds past the largest one. Most values are below it, so that they need
 * not be rounded; stochastic rounding is asked with the element's own random word. */
static bool is_saturated(const ag_scheme *scheme, float y, const ag_rounding_site *where,
                         uint64_t element)
{
    if (!(fabsf(y) > scheme->format.max))
        return false;
    if (scheme->rounding == AG_ROUND_NEAREST)
        return ag_overflows_nearest(&scheme->format, y);
    return ag_overflows_random(&scheme->format, y, where, element);
}

static void add_finite(ag_counters *counters, float x, float xq)
{
    double error = (double)x - (double)xq;
    counters->zeros_in += x == 0.0f;
    counters->underflow += x != 0.0f && xq == 0.0f;
    counters->amax = fmaxf(counters->amax, fabsf(x));
    counters->signal += (double)x * (double)x;
    counters->noise += error * error;
}

/* Errors are taken over finite x alone: an Inf has its own counter, and would leave nothing of a
 * sum. */
void ag_counters_add(ag_counters *counters, const ag_counted *group, const ag_scheme *scheme,
                     const ag_rounding_site *where)
{
    for (size_t i = 0; i < group->count; i++) {
        float x = group->x[i];
        if (isfinite(x)) {
            add_finite(counters, x, group->q[i] * group->factor);
            counters->saturated += is_saturated(scheme, x * group->scale, where, group->first + i);
        }
        counters->nan_in += isnan(x);
        counters->inf_in += isinf(x) != 0;
    }
    counters->n += (int64_t)group->count;
    if (counters->inf_in > 0)
        counters->amax = INFINITY;
}

void ag_counters_add_scale(ag_counters *counters, float scale)
{
    counters->groups++;
    counters->zero_scales += scale == 0.0f;
    counters->nan_scales += isnan(scale);
    if (!(scale > 0.0f))
        return;
    double log2_scale = ag_log2((double)scale);
    counters->log2_min = fmin(counters->log2_min, log2_scale);
    counters->log2_max = fmax(counters->log2_max, log2_scale);
    counters->log2_sum += log2_scale;
}

double ag_counters_sqnr_db(const ag_counters *counters)
{
    static const double ln_10 = 2.302585092994046;
    if (counters->noise == 0.0 && counters->signal > 0.0)
        return INFINITY;
    double ratio = counters->signal / counters->noise;
    return ratio > 0.0 ? 10.0 * ag_ln(ratio) / ln_10 : ratio == 0.0 ? -INFINITY : NAN;
}

double ag_counters_log2_mean(const ag_counters *counters)
{
    int64_t scales = counters->groups - counters->zero_scales - counters->nan_scales;
    return scales > 0 ? counters->log2_sum / (double)scales : NAN;
}
