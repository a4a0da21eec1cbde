/* What operands tell: the counters of their quantisers, the kurtosis of what goes into a layer, and
 * where the first NaN or Inf is. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "observe_pass.h"
#include "observer.h"

/* --- the first value that is not finite */

/* The first one in the order of computation, which later ones follow from. */
static void probe(const ag_observer *observer, const char *what, const ag_operand *operand,
                  const float *x, size_t count)
{
    size_t i = 0;
    if (!observer->probing || observer->found[0] != '\0')
        return;
    while (i < count && isfinite(x[i]))
        i++;
    if (i < count)
        snprintf(observer->found, AG_NONFINITE_SIZE, "%s in the %s%s of %s, step %lld",
                 isnan(x[i]) ? "NaN" : "Inf", what, operand->role, operand->layer,
                 (long long)observer->step);
}

void ag_observe_result(const ag_observer *observer, const ag_operand *operand, const float *y,
                       size_t count)
{
    probe(observer, "product with the ", operand, y, count);
}

/* --- kurtosis */

/* In two passes: the sums of powers of x - mean do not cancel, as those of x would. */
static ag_moments moments_of(const float *x, size_t count)
{
    ag_moments m = {.n = (double)count};
    for (size_t i = 0; i < count; i++)
        m.mean += (double)x[i];
    m.mean /= m.n;
    for (size_t i = 0; i < count; i++) {
        double d = (double)x[i] - m.mean;
        m.m2 += d * d;
        m.m3 += d * d * d;
        m.m4 += d * d * d * d;
    }
    return m;
}

/* The moments of both together (Pebay, SAND2008-6212, 3.1). */
static ag_moments merge(const ag_moments *a, const ag_moments *b)
{
    double n = a->n + b->n;
    double d = b->mean - a->mean;
    double ab = a->n * b->n;
    if (a->n == 0.0)
        return *b;
    return (ag_moments){
        .n = n,
        .mean = a->mean + d * b->n / n,
        .m2 = a->m2 + b->m2 + d * d * ab / n,
        .m3 = a->m3 + b->m3 + d * d * d * ab * (a->n - b->n) / (n * n) +
              3.0 * d * (a->n * b->m2 - b->n * a->m2) / n,
        .m4 = a->m4 + b->m4 + d * d * d * d * ab * (a->n * a->n - ab + b->n * b->n) / (n * n * n) +
              6.0 * d * d * (a->n * a->n * b->m2 + b->n * b->n * a->m2) / (n * n) +
              4.0 * d * (a->n * b->m3 - b->n * a->m3) / n,
    };
}

/* 0 / 0, so NaN, of an input that is constant. */
static void fill_kurtosis(double *row, const ag_trainer *trainer, size_t layer)
{
    size_t index = layer * AG_OPERANDS_PER_LAYER + (size_t)AG_ROLE_INPUT * AG_USES;
    const ag_moments *m = &trainer->observer->watches[index].moments;
    row[0] = m->n * m->m4 / (m->m2 * m->m2);
}

static const ag_metric s_kurtosis[] = {
    {"kurtosis", "1",
     "fourth central moment of the layer's input divided by the square of its variance; 3 for a "
     "normal distribution", false},
};

const ag_sampler ag_sampler_kurtosis = {AG_BEFORE_UPDATE, "diagnostics/kurtosis", s_kurtosis, 1,
                                        fill_kurtosis};

/* E x^2 = mean^2 + variance, from the moments that are there. */
static void fill_rms(double *row, const ag_trainer *trainer, size_t layer)
{
    size_t index = layer * AG_OPERANDS_PER_LAYER + (size_t)AG_ROLE_INPUT * AG_USES;
    const ag_moments *m = &trainer->observer->watches[index].moments;
    row[0] = sqrt(m->mean * m->mean + m->m2 / m->n);
}

static const ag_metric s_rms[] = {
    {"input_rms", "1", "root mean square of the layer's input before it is quantised", false},
};

const ag_sampler ag_sampler_rms_input = {AG_BEFORE_UPDATE, "diagnostics/rms", s_rms, 1, fill_rms};

/* --- operands on their way */

/* The scales anew, as the quantiser has chosen them: it keeps none, and a sampled step can afford
 * to choose twice. */
ag_groups ag_observe_scales(const ag_observer *observer, const ag_operand *operand,
                            const ag_source *source, const ag_rounding_site *where)
{
    const ag_scheme *scheme = operand->scheme;
    ag_matrix matrix = {source->rows, source->cols, operand->sum, source->first};
    ag_scales scales = observer->scales;
    if (scheme->quantised && operand->channels != NULL) {
        ag_operand_scale_channels(&scales, operand, source->cols, operand->scale->value, 1.0f);
        return ag_groups_of(scheme, &matrix);
    }
    if (scheme->quantised && scheme->granularity != AG_GRANULARITY_TENSOR)
        return ag_matrix_scale(operand->k, &scales, source->x, &matrix, scheme, where);
    scales.scale[0] = scheme->quantised ? operand->scale->value : 1.0f;
    scales.after[0] = 1.0f / scales.scale[0];
    return ag_groups_of(scheme, &matrix);
}

/* Keeps the tensor for ag_observe_values, where its values take its place, or where it is
 * transformed before it is quantised. */
static void keep(ag_observer *observer, const ag_operand *operand, const float *out,
                 const ag_source *source)
{
    observer->x = observer->copy;
    if (operand->scheme->hadamard > 0) {
        ag_turn turn = ag_turn_of(operand->scheme, &operand->where);
        operand->k->hadamard(observer->copy, source->x, source->rows, source->cols, operand->sum,
                             &turn);
    } else if (out != NULL && out == source->x)
        memcpy(observer->copy, source->x, source->rows * source->cols * sizeof *source->x);
    else
        observer->x = source->x;
}

/* Before an operand is made. Micro-batches come one after the other, so their moments are merged.
 */
void ag_observe_source(ag_observer *observer, const ag_operand *operand, const float *out,
                       const ag_source *source)
{
    size_t count = source->rows * source->cols;
    ag_watch *watch = observer->sampling ? operand->watch : NULL;
    probe(observer, "", operand, source->x, count);
    if (watch != NULL && watch->counted)
        keep(observer, operand, out, source);
    if (watch != NULL && watch->measured) {
        ag_moments moments = moments_of(source->x, count);
        watch->moments = merge(&watch->moments, &moments);
    }
}

/* The elements of row `row` that lie in the groups of that row, one group after another; and the
 * scales of groups that begin there. */
static void count_row(ag_counters *counters, const ag_observer *observer, const ag_operand *operand,
                      const ag_groups *groups, size_t row, const ag_rounding_site *where,
                      const ag_source *source)
{
    bool is_tensor = operand->scheme->granularity == AG_GRANULARITY_TENSOR;
    bool begins = row % groups->height == 0 && !(is_tensor && source->continues);
    for (size_t col = 0; col < groups->cols; col += groups->width) {
        size_t group = ag_groups_at(groups, row, col);
        size_t left = groups->cols - col;
        size_t at = row * groups->cols + col;
        ag_counted part = {
            .x = observer->x + at,
            .q = operand->values + at,
            .factor = ag_factor_at(&operand->factor, operand->sum == AG_SUM_COLS ? row : col),
            .count = left < groups->width ? left : groups->width,
            .scale = observer->scales.after[group] == 0.0f ? 0.0f : observer->scales.scale[group],
            .first = source->first + at,
        };
        ag_counters_add(counters, &part, operand->scheme, where);
        if (begins)
            ag_counters_add_scale(counters, part.scale);
    }
}

/* After an operand was made: what it was, from keep(), beside what it is. */
void ag_observe_values(const ag_observer *observer, const ag_operand *operand,
                       const ag_source *source)
{
    ag_watch *watch = observer->sampling ? operand->watch : NULL;
    probe(observer, "quantised ", operand, operand->values, source->rows * source->cols);
    if (watch == NULL || !watch->counted)
        return;
    ag_source kept = *source;
    kept.x = observer->x;
    ag_groups groups = ag_observe_scales(observer, operand, &kept, &operand->where);
    for (size_t row = 0; row < source->rows; row++)
        count_row(&watch->counters, observer, operand, &groups, row, &operand->where, source);
}

/* The weights' values serve all micro-batches, and perhaps an evaluation before them: they are
 * looked at once a step, at its first micro-batch. */
void ag_observe_weights(ag_observer *observer, const ag_linear *linear, const ag_pass *pass)
{
    ag_source source = ag_linear_weight(linear);
    if (pass->sample != 0)
        return;
    for (int use = 0; use < linear->copies[AG_ROLE_WEIGHT]; use++) {
        const ag_operand *weight = &linear->operands[AG_ROLE_WEIGHT][use];
        ag_observe_source(observer, weight, NULL, &source);
        ag_observe_values(observer, weight, &source);
    }
}

/* --- their counters */

static const ag_metric s_quant[] = {
    {"n",               "1",  "number of elements",                                       true },
    {"zeros_in",        "1",  "number of elements that were 0 before, of either sign",    true },
    {"underflow",       "1",  "number of elements that were not 0 and became 0",          true },
    {"saturated",       "1",  "number of finite elements rounded past the largest value", true },
    {"inf_in",          "1",  "number of elements that were Inf before",                  true },
    {"nan_in",          "1",  "number of elements that were NaN before",                  true },
    {"groups",          "1",  "number of groups of elements that share a scale",          true },
    {"zero_scales",     "1",  "number of groups whose scale is or became 0",              true },
    {"nan_scales",      "1",  "number of groups whose scale is NaN",                      true },
    {"amax",            "1",  "largest magnitude before; NaN is ignored, Inf counts",     false},
    {"scale_log2_min",  "1",  "log2 of the smallest scale of any group",                  false},
    {"scale_log2_mean", "1",  "mean over the groups of log2 of the scale",                false},
    {"scale_log2_max",  "1",  "log2 of the largest scale of any group",                   false},
    {"signal",          "1",  "sum of x^2 over the finite elements",                      false},
    {"noise",           "1",  "sum of (x - quantised x)^2 over the finite elements",      false},
    {"sqnr",            "dB", "signal to noise ratio, 10 log10(signal / noise)",          false},
};

/* A log2 of no scale at all is NaN, not the infinity from which its minimum starts. */
static void fill_quant(double *row, const ag_trainer *trainer, size_t index)
{
    const ag_counters *c = &trainer->observer->watches[index].counters;
    const double values[] = {
        (double)c->n,
        (double)c->zeros_in,
        (double)c->underflow,
        (double)c->saturated,
        (double)c->inf_in,
        (double)c->nan_in,
        (double)c->groups,
        (double)c->zero_scales,
        (double)c->nan_scales,
        (double)c->amax,
        isfinite(c->log2_min) ? c->log2_min : NAN,
        ag_counters_log2_mean(c),
        isfinite(c->log2_max) ? c->log2_max : NAN,
        c->signal,
        c->noise,
        ag_counters_sqnr_db(c),
    };
    _Static_assert(sizeof values / sizeof values[0] == sizeof s_quant / sizeof s_quant[0],
                   "one value per metric");
    memcpy(row, values, sizeof values);
}

const ag_sampler ag_sampler_quant = {AG_AFTER_UPDATE, "quant", s_quant,
                                     sizeof s_quant / sizeof s_quant[0], fill_quant};
