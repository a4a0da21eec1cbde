#include <math.h>

#include "stats/stats.h"

/* A step that stands out of the `window` values before it. Two passes, as the differences from the
 * mean are what is small. Where all values before are equal any other stands out, and an equal one
 * does not. */
static bool is_spike(const double *before, size_t window, double value)
{
    double sum = 0;
    double squares = 0;
    for (size_t i = 0; i < window; i++)
        sum += before[i];
    double mean = sum / (double)window;
    for (size_t i = 0; i < window; i++)
        squares += (before[i] - mean) * (before[i] - mean);
    double off = fabs(value - mean);
    return off > 0 && off >= AG_SPIKE_DEVIATIONS * sqrt(squares / (double)(window - 1));
}

ag_spikes ag_count_spikes(const double *values, size_t n, size_t window)
{
    ag_spikes found = {0, 0};
    for (size_t step = window; step < n; step++) {
        found.steps++;
        found.spikes += is_spike(values + step - window, window, values[step]);
    }
    return found;
}
