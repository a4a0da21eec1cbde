/* One operand of a matrix product: its scale, then its values on the format's grid.
 *
 *   S for this tensor  ->  observe its amax  ->  ...  ->  end of step: push, roll, next S
 *
 * One amax is pushed per optimizer step, the largest over its micro-batches. Evaluation observes
 * nothing, so it leaves no trace in the training. */
#include <math.h>

#include "train_internal.h"

static const ag_scheme s_null = {.quantised = false};

/* Added to `use` in evaluation, so that its random words are its own. */
enum { EVALUATION_USE = 128 };

/* The largest of the newest `count` pushed amaxes. */
static float newest_amax(const ag_operand *operand, int64_t count)
{
    int64_t length = operand->scheme->history;
    int64_t pushed = operand->scale->pushed;
    float largest = 0.0f;
    for (int64_t i = pushed > count ? pushed - count : 0; i < pushed; i++)
        largest = fmaxf(largest, operand->history[i % length]);
    return largest;
}

static float scale_of(const ag_scheme *scheme, float amax, float otherwise)
{
    return ag_scale_from_amax(&scheme->format, amax, scheme->margin, scheme->pow2, otherwise);
}

/* S for a tensor of the given amax; `step_amax` counts the step's earlier micro-batches in. */
static float choose_scale(const ag_operand *operand, float amax, float step_amax)
{
    const ag_scheme *scheme = operand->scheme;
    if (operand->is_fixed)
        return operand->scale->value;
    switch (scheme->amax) {
    case AG_AMAX_CURRENT:
        return scale_of(scheme, amax, 1.0f);
    case AG_AMAX_WINDOWED:
        return scale_of(scheme, fmaxf(newest_amax(operand, scheme->history - 1), step_amax), 1.0f);
    case AG_AMAX_DELAYED:
        if (operand->scale->pushed > 0)
            return operand->scale->value;
        return scale_of(scheme, amax, 1.0f);
    case AG_AMAX_NONE:
    case AG_AMAX_MODES:
        break;
    }
    return 1.0f;
}

static float observe(ag_operand *operand, float amax, const ag_pass *pass)
{
    float step_amax = fmaxf(operand->seen, amax);
    float scale = choose_scale(operand, amax, step_amax);
    if (operand->is_weight || pass->mode == AG_MODE_TRAIN) {
        operand->seen = step_amax;
        operand->scale->value = scale;
    }
    return scale;
}

static void mark_clipped(const ag_operand *operand, const ag_source *source, float scale)
{
    for (size_t i = 0; i < source->count; i++)
        operand->clipped[i] = fabsf(source->x[i] * scale) > operand->scheme->format.max;
}

static void quantise(ag_operand *operand, float *out, const ag_source *source, const ag_pass *pass)
{
    const ag_scheme *scheme = operand->scheme;
    const ag_format *format = &scheme->format;
    float scale = observe(operand, source->amax, pass);
    if (operand->clipped != NULL)
        mark_clipped(operand, source, scale);
    if (scheme->rounding == AG_ROUND_STOCHASTIC) {
        uint32_t use = operand->use + (pass->mode == AG_MODE_TRAIN ? 0 : EVALUATION_USE);
        ag_rounding_site where = {pass->rounding_key, operand->site, use, pass->step};
        operand->k->quantize_stochastic(out, source->x, source->count, format, scale,
                                        scheme->overflow, &where, source->first);
    } else {
        operand->k->quantize(out, source->x, source->count, format, scale, scheme->overflow);
    }
    operand->values = out;
    operand->factor = 1.0f / scale / ag_operand_shift(format);
}

void ag_operand_make(ag_operand *operand, float *out, const ag_source *source, const ag_pass *pass)
{
    const ag_scheme *scheme = pass->mode == AG_MODE_EVALUATE_HP ? &s_null : operand->scheme;
    if (scheme->quantised) {
        quantise(operand, out, source, pass);
        return;
    }
    bool as_it_is = !operand->bf16 || out == source->x;
    if (!as_it_is)
        operand->k->round_bf16(out, source->x, source->count);
    operand->values = as_it_is ? source->x : out;
    operand->factor = 1.0f;
}

void ag_operand_end_step(ag_operand *operand)
{
    const ag_scheme *scheme = operand->scheme;
    ag_scale *scale = operand->scale;
    float seen = operand->seen;
    operand->seen = 0.0f;
    if (scheme->history == 0)
        return;
    operand->history[scale->pushed % scheme->history] = seen;
    scale->pushed++;
    if (scheme->amax == AG_AMAX_DELAYED && !operand->is_fixed)
        scale->value = scale_of(scheme, newest_amax(operand, scheme->history), scale->value);
}
