/* The gradient of a step against its shadow: the same weights and batches, with nothing rounded. */
#include <math.h>
#include <string.h>

#include "base/maths.h"
#include "observer.h"

/* Sums over the elements of g, the gradient, and s, the shadow. */
typedef struct products {
    double gg, gs, ss;
    double noise; /* of (g - s)^2 */
} products;

/* In double, in the order of elements: the sum is the same for any number of threads. */
static products products_of(const float *g, const float *s, size_t count)
{
    products sum = {0};
    for (size_t i = 0; i < count; i++) {
        double a = (double)g[i];
        double b = (double)s[i];
        sum.gg += a * a;
        sum.gs += a * b;
        sum.ss += b * b;
        sum.noise += (a - b) * (a - b);
    }
    return sum;
}

/* By ag_ln, whose bits are the same with every C library; those of log10 are not. */
static double decibel(double ratio)
{
    static const double ln_10 = 2.302585092994046;
    return ratio > 0.0 ? 10.0 * ag_ln(ratio) / ln_10 : NAN;
}

static const ag_metric s_grad[] = {
    {"norm",        "1",  "2-norm of the gradient of the layer's weight",             false},
    {"shadow_norm", "1",  "2-norm of its shadow: the same step with nothing rounded", false},
    {"cosine",      "1",  "cosine of the angle between the gradient and its shadow",  false},
    {"snr",         "dB", "10 log10(|shadow|^2 / |gradient - shadow|^2)",             false},
    {"dead_before", "1",  "fraction of grad_output that is 0 before quantisation",    false},
    {"dead_after",  "1",  "fraction of grad_output that is 0 after quantisation",     false},
};

/* At this moment model.grads hold the shadow, and the observer has the gradient. */
static void fill_grad(double *row, const ag_trainer *trainer, size_t layer)
{
    const ag_observer *observer = trainer->observer;
    const ag_linear *linear = observer->linears[layer];
    size_t watch = layer * AG_OPERANDS_PER_LAYER + (size_t)AG_ROLE_GRAD_OUTPUT * AG_USES;
    const ag_counters *counters = &observer->watches[watch].counters;
    size_t offset = (size_t)(linear->dweight - trainer->model.grads);
    products sum = products_of(observer->gradient + offset, linear->dweight,
                               linear->layer.outputs * linear->layer.inputs);
    row[0] = sqrt(sum.gg);
    row[1] = sqrt(sum.ss);
    row[2] = sum.gs / (sqrt(sum.gg) * sqrt(sum.ss));
    row[3] = decibel(sum.ss / sum.noise);
    row[4] = (double)counters->zeros_in / (double)counters->n;
    row[5] = (double)(counters->zeros_in + counters->underflow) / (double)counters->n;
}

const ag_sampler ag_sampler_grad = {AG_BEFORE_UPDATE, "diagnostics/grad", s_grad,
                                    sizeof s_grad / sizeof s_grad[0], fill_grad};
