/* The gradient noise scale (McCandlish et al., arXiv 1812.06162, appendix A): from gradients of few
 * sequences and of many, what of them is the same and what is chance.
 *
 *   small = mean |G_i|^2 over M parts of b sequences each, big = |G|^2 of all of them
 *   |true gradient|^2 ~ (M big - small) / (M - 1)      trace of the covariance of one
 *   sequence's gradient ~ b (small - big) M / (M - 1)
 *
 * A part is what goes through the model at once: a micro-batch, or a rank's share of one. */
#include <math.h>
#include <string.h>

#include "observe.h"
#include "observer.h"

/* The first part, of each rank, begins with cleared gradients, which stand nowhere yet. */
void ag_observe_noise_before(ag_observer *observer, const ag_trainer *trainer)
{
    size_t bytes = trainer->state.tensors.total * sizeof *observer->part;
    if ((int64_t)observer->noise.parts % trainer->run->train.grad_accum == 0)
        memset(observer->part, 0, bytes);
    else
        memcpy(observer->part, trainer->model.grads, bytes);
}

/* Gradients add up in model.grads, each already divided by the tokens of the step. */
void ag_observe_backward(ag_trainer *trainer, const ag_pass *pass)
{
    ag_observer *observer = trainer->observer;
    const float *sum = trainer->model.grads;
    double squares = 0.0;
    if (!observer->sampling || observer->part == NULL)
        return;
    for (size_t i = 0; i < trainer->state.tensors.total; i++) {
        double g = (double)sum[i] - (double)observer->part[i];
        squares += g * g;
    }
    observer->noise.squares += squares;
    observer->noise.parts++;
    observer->noise.sequences = (double)pass->B;
}

static const ag_metric s_noise[] = {
    {"small",       "1", "mean squared 2-norm of the gradients of the step's micro-batches", false},
    {"big",         "1", "squared 2-norm of the step's gradient, before clipping",           false},
    {"grad_square", "1", "estimate of the squared 2-norm of the true gradient",              false},
    {"trace",       "1", "estimate of the trace of the covariance of a sequence's gradient", false},
};

static void fill_noise(double *row, const ag_trainer *trainer, size_t run)
{
    const ag_noise_seen *seen = &trainer->observer->noise;
    const double M = seen->parts;
    const double small = M * seen->squares;
    const double big = seen->big;
    (void)run;
    row[0] = small;
    row[1] = big;
    row[2] = M < 2.0 ? NAN : (M * big - small) / (M - 1.0);
    row[3] = M < 2.0 ? NAN : seen->sequences * (small - big) * M / (M - 1.0);
}

const ag_sampler ag_sampler_noise = {AG_BEFORE_UPDATE, "diagnostics/noise", s_noise,
                                     sizeof s_noise / sizeof s_noise[0], fill_noise};
