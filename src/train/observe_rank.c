/* The rank of weight matrices, and a warning where it collapses. */
#include <math.h>

#include "base/maths.h"
#include "observer.h"

/* Collapsed: an effective rank below this part of that of the first sample. */
static const double s_collapsed = 0.5;

enum { STABLE, EFFECTIVE, COLLAPSED, METRICS };

static const ag_metric s_rank[METRICS] = {
    [STABLE] = {"stable_rank",    "1",
                "sum of the squared singular values divided by that of the largest",    false},
    [EFFECTIVE] = {"effective_rank", "1",
                "exp of the entropy of the singular values divided by their sum",       false},
    [COLLAPSED] = {"collapsed",      "1",
                "1 where the effective rank is 0, unknown, or below half of the first", true },
};

/* Roy and Vetterli, The effective rank, EUSIPCO 2007: exp(-sum p ln p), p = s / sum s. Nothing is
 * left of a matrix of zeros: its rank is 0, by any measure. */
static double effective_rank(const double *s, size_t count)
{
    double sum = 0.0;
    double entropy = 0.0;
    for (size_t i = 0; i < count; i++)
        sum += s[i];
    if (sum == 0.0)
        return 0.0;
    for (size_t i = 0; i < count; i++) {
        double p = s[i] / sum;
        entropy -= p > 0.0 ? p * ag_ln(p) : 0.0;
    }
    return ag_exp(entropy);
}

/* Divided by the largest before they are squared: a square of the value itself may be 0 or Inf. */
static double stable_rank(const double *s, size_t count)
{
    double squares = 0.0;
    if (s[0] == 0.0)
        return 0.0;
    for (size_t i = 0; i < count; i++)
        squares += (s[i] / s[0]) * (s[i] / s[0]);
    return squares;
}

/* Once per collapse, not in every sample after it. */
static void warn(const ag_trainer *trainer, const ag_linear *linear, double rank, double first)
{
    ag_trainer_say(trainer, AG_LOG_WARNING,
                   "step %lld: the effective rank of %s has collapsed: %.1f, from %.1f in step 0",
                   (long long)trainer->state.step, linear->layer.name, rank, first);
}

/* The row of the first sample lies `count` rows before this one in the same array; of the first
 * itself it is this row. */
static void fill_rank(double *row, const ag_trainer *trainer, size_t layer)
{
    const ag_linear *linear = trainer->observer->linears[layer];
    const ag_samples *samples = &trainer->record->samples;
    size_t M = linear->layer.outputs;
    size_t N = linear->layer.inputs;
    size_t count = M < N ? M : N;
    double *s = trainer->observer->singular;
    bool good = trainer->k->singular_values(s, s + count, linear->weight, M, N);
    row[STABLE] = good ? stable_rank(s, count) : NAN;
    row[EFFECTIVE] = good ? effective_rank(s, count) : NAN;
    const double *first = row - (size_t)samples->count * samples->width;
    bool stands = row[EFFECTIVE] > 0.0 && row[EFFECTIVE] >= s_collapsed * first[EFFECTIVE];
    row[COLLAPSED] = !stands; /* also where a rank is NaN */
    if (samples->count > 0 && row[COLLAPSED] > (row - samples->width)[COLLAPSED])
        warn(trainer, linear, row[EFFECTIVE], first[EFFECTIVE]);
}

const ag_sampler ag_sampler_rank = {AG_BEFORE_UPDATE, "diagnostics/rank", s_rank, METRICS,
                                    fill_rank};
