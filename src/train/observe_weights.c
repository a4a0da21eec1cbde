/* Weights on their format's grid: whether an update moves them to another of its values, how fine
 * the grid is where they lie, and how near to its values. And how large they and updates are. */
#include <math.h>

#include "observer.h"

/* --- flips */

static const ag_metric s_flips[] = {
    {"flips",       "1", "number of weights that the update moved to another grid value",    true },
    {"updates",     "1", "number of weights that the update changed",                        true },
    {"stalls",      "1", "number of weights that it changed, but not to another grid value", true },
    {"flip_ratio",  "1", "flips divided by the number of weights",                           false},
    {"stall_ratio", "1", "stalls divided by updates",                                        false},
    {"mean_update", "1", "mean absolute change of a weight in the update",                   false},
};

/* Where a layer's weights stand in observer->codes. */
static float *codes_of(const ag_observer *observer, size_t layer)
{
    float *codes = observer->codes;
    for (size_t i = 0; i < layer; i++)
        codes += observer->linears[i]->layer.outputs * observer->linears[i]->layer.inputs;
    return codes;
}

/* The grid value behind element i of a weight's values; those of groups are multiplied by what
 * undoes the scale, the others by one number for all. */
static float code_at(const ag_observer *observer, const ag_operand *operand,
                     const ag_groups *groups, size_t i)
{
    const ag_scheme *scheme = operand->scheme;
    float value = operand->values[i];
    if (!scheme->quantised || ag_scheme_is_scaled_after(scheme))
        return value;
    size_t group = ag_groups_at(groups, i / groups->cols, i % groups->cols);
    float after = observer->scales.after[group];
    return after == 0.0f ? 0.0f
                         : ag_round_nearest(&scheme->format, value / after, AG_OVERFLOW_SATURATE);
}

/* Before the update: what fill_flips compares with after it. */
void ag_observe_codes(const ag_observer *observer, size_t layer)
{
    const ag_linear *linear = observer->linears[layer];
    const ag_operand *operand = &linear->operands[AG_ROLE_WEIGHT][0];
    ag_source source = ag_linear_weight(linear);
    ag_groups groups = ag_observe_scales(observer, operand, &source, &operand->where);
    float *codes = codes_of(observer, layer);
    for (size_t i = 0; i < source.rows * source.cols; i++)
        codes[i] = code_at(observer, operand, &groups, i);
}

/* A weight that is rotated before it is quantised lies on no grid of its own: what its row would
 * say is not known. */
static bool is_rotated(const ag_operand *operand, double *row, size_t count)
{
    for (size_t i = 0; operand->scheme->hadamard > 0 && i < count; i++)
        row[i] = NAN;
    return operand->scheme->hadamard > 0;
}

/* NaN is NaN. */
static bool differ(float a, float b)
{
    return a != b && !(isnan(a) && isnan(b));
}

/* A scale that moves is no flip: values are compared on the grid, where the scale is taken off. */
static void fill_flips(double *row, const ag_trainer *trainer, size_t layer)
{
    const ag_observer *observer = trainer->observer;
    const ag_linear *linear = observer->linears[layer];
    const ag_operand *operand = &linear->operands[AG_ROLE_WEIGHT][0];
    if (is_rotated(operand, row, sizeof s_flips / sizeof s_flips[0]))
        return;
    const float *code = codes_of(observer, layer);
    const float *before = observer->before + (linear->weight - trainer->state.weights);
    ag_source source = ag_linear_weight(linear);
    ag_groups groups = ag_observe_scales(observer, operand, &source, &operand->where);
    size_t count = source.rows * source.cols;
    double flips = 0.0, updates = 0.0, stalls = 0.0, moved = 0.0;
    for (size_t i = 0; i < count; i++) {
        bool flipped = differ(code_at(observer, operand, &groups, i), code[i]);
        bool updated = differ(linear->weight[i], before[i]);
        flips += flipped;
        updates += updated;
        stalls += updated && !flipped;
        moved += fabs((double)linear->weight[i] - (double)before[i]);
    }
    row[0] = flips;
    row[1] = updates;
    row[2] = stalls;
    row[3] = flips / (double)count;
    row[4] = stalls / updates;
    row[5] = moved / (double)count;
}

const ag_sampler ag_sampler_flips = {AG_AFTER_UPDATE, "diagnostics/flips", s_flips,
                                     sizeof s_flips / sizeof s_flips[0], fill_flips};

/* --- root mean squares */

static const ag_metric s_rms[] = {
    {"weight_rms", "1", "root mean square of the tensor before the update",  false},
    {"update_rms", "1", "root mean square of what the update changed it by", false},
};

/* In double: updates are small beside weights, and a float sum of squares would lose them. */
static void fill_rms(double *row, const ag_trainer *trainer, size_t index)
{
    const ag_tensor *tensor = &trainer->state.tensors.rows[index];
    const float *before = trainer->observer->before + tensor->offset;
    const float *after = trainer->state.weights + tensor->offset;
    double weights = 0.0;
    double updates = 0.0;
    for (size_t i = 0; i < tensor->count; i++) {
        double update = (double)after[i] - (double)before[i];
        weights += (double)before[i] * (double)before[i];
        updates += update * update;
    }
    row[0] = sqrt(weights / (double)tensor->count);
    row[1] = sqrt(updates / (double)tensor->count);
}

const ag_sampler ag_sampler_rms_tensor = {AG_AFTER_UPDATE, "diagnostics/rms", s_rms,
                                          sizeof s_rms / sizeof s_rms[0], fill_rms};

/* --- grid */

/* A weight nearer than this to a value of the grid, in half steps, is aligned with it. Weights that
 * know nothing of the grid are so with this probability, and their mean distance is 0.5. */
static const double s_aligned = 0.1;

static const ag_metric s_grid[] = {
    {"log2_ulp_min",  "1",   "log2 of the smallest grid spacing (ULP) at any weight",        false},
    {"log2_ulp_mean", "1",   "mean over the weights of log2 of the grid spacing (ULP)",      false},
    {"log2_ulp_max",  "1",   "log2 of the largest grid spacing (ULP) at any weight",         false},
    {"distance",      "1",   "mean distance to the nearest grid value, in half ULPs",        false},
    {"aligned",       "1",   "fraction of the weights within 0.1 half ULPs of a grid value", false},
    {"moved_mean",    "ULP", "mean absolute change since the previous sample",               false},
    {"moved_max",     "ULP", "largest absolute change since the previous sample",            false},
};

typedef struct spacing {
    double min, max, sum; /* of log2 */
    double distance, aligned;
    double moved, farthest;
    bool unknown; /* a weight, or its scale, is not finite */
} spacing;

static void add_weight(spacing *s, const ag_format *format, float weight, float last, float scale)
{
    float y = weight * scale;
    s->unknown = s->unknown || !isfinite(y) || !isfinite(scale);
    double step = ag_grid_spacing(format, y);
    double log2_ulp = (double)ilogb(step) - ag_log2((double)scale);
    double off = fabs((double)y - (double)ag_round_nearest(format, y, AG_OVERFLOW_SATURATE));
    double moved = fabs((double)weight - (double)last) * (double)scale / step;
    s->min = fmin(s->min, log2_ulp);
    s->max = fmax(s->max, log2_ulp);
    s->sum += log2_ulp;
    s->distance += 2.0 * off / step;
    s->aligned += 2.0 * off / step <= s_aligned;
    s->moved += moved;
    s->farthest = fmax(s->farthest, moved);
}

static void fill_grid(double *row, const ag_trainer *trainer, size_t layer)
{
    const ag_observer *observer = trainer->observer;
    const ag_linear *linear = observer->linears[layer];
    const ag_operand *operand = &linear->operands[AG_ROLE_WEIGHT][0];
    if (is_rotated(operand, row, sizeof s_grid / sizeof s_grid[0]))
        return;
    const float *last = observer->last + (linear->weight - trainer->state.weights);
    const ag_format *format =
        operand->scheme->quantised ? &operand->scheme->format : &observer->null;
    ag_source source = ag_linear_weight(linear);
    ag_groups groups = ag_observe_scales(observer, operand, &source, &operand->where);
    double count = 0.0;
    spacing s = {.min = INFINITY, .max = -INFINITY};
    for (size_t i = 0; i < source.rows * source.cols; i++) {
        size_t group = ag_groups_at(&groups, i / source.cols, i % source.cols);
        if (observer->scales.after[group] == 0.0f)
            continue; /* the grid of a scale that became 0 has no second value */
        add_weight(&s, format, linear->weight[i], last[i], observer->scales.scale[group]);
        count++;
    }
    bool first = trainer->record->samples.count == 0;
    if (s.unknown) { /* what the other weights do would pass for all of them */
        for (size_t i = 0; i < sizeof s_grid / sizeof s_grid[0]; i++)
            row[i] = NAN;
        return;
    }
    row[0] = count > 0.0 ? s.min : NAN;
    row[1] = s.sum / count;
    row[2] = count > 0.0 ? s.max : NAN;
    row[3] = s.distance / count;
    row[4] = s.aligned / count;
    row[5] = first ? NAN : s.moved / count;
    row[6] = first ? NAN : s.farthest;
}

const ag_sampler ag_sampler_grid = {AG_BEFORE_UPDATE, "diagnostics/grid", s_grid,
                                    sizeof s_grid / sizeof s_grid[0], fill_grid};
