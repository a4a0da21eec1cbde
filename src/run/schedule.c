/* The learning rate of a step: warm-up, then the schedule, as nanoGPT counts steps (from 0). */
#include "run/schedule.h"

#include "base/maths.h"

static const double s_pi = 3.141592653589793;

/* From 1 at `first` to 0 at `last`, along a line. */
static double falling(int64_t step, int64_t first, int64_t last)
{
    if (step <= first)
        return 1.0;
    return (double)(last - step) / (double)(last - first);
}

/* First step of the falling part of wsd (warm-up, stable, decay). */
static int64_t decay_start(const ag_optimizer_spec *spec, int64_t steps)
{
    int64_t falling_steps = (int64_t)(spec->decay_fraction * (double)steps + 0.5);
    int64_t start = steps - falling_steps;
    return start > spec->warmup ? start : spec->warmup;
}

/* Between min_lr (0) and lr (1). */
static double height(const ag_optimizer_spec *spec, int64_t steps, int64_t step)
{
    switch ((ag_schedule)spec->schedule) {
    case AG_SCHEDULE_COSINE:
        return 0.5 * (1.0 + ag_cos(s_pi * (1.0 - falling(step, spec->warmup, steps))));
    case AG_SCHEDULE_LINEAR:
        return falling(step, spec->warmup, steps);
    case AG_SCHEDULE_WSD:
        return falling(step, decay_start(spec, steps), steps);
    case AG_SCHEDULE_CONSTANT:
        break;
    }
    return 1.0;
}

/* Warm-up: lr * (step + 1) / (warmup + 1). Then min_lr + height * (lr - min_lr). */
double ag_schedule_lr(const ag_optimizer_spec *spec, int64_t steps, int64_t step)
{
    if (step < spec->warmup)
        return spec->lr * (double)(step + 1) / (double)(spec->warmup + 1);
    double min_lr = spec->lr * spec->min_lr_ratio;
    return min_lr + height(spec, steps, step) * (spec->lr - min_lr);
}

double ag_schedule_adamw_peak(const ag_optimizer_spec *spec)
{
    return spec->adamw_lr > 0.0 ? spec->adamw_lr : spec->lr;
}

double ag_schedule_adamw_lr(const ag_optimizer_spec *spec, int64_t steps, int64_t step)
{
    ag_optimizer_spec adamw = *spec;
    adamw.lr = ag_schedule_adamw_peak(spec);
    return ag_schedule_lr(&adamw, steps, step);
}

double ag_schedule_decay(const ag_optimizer_spec *spec, double lr, double peak)
{
    return spec->independent_decay ? spec->weight_decay * lr / peak : lr * spec->weight_decay;
}
