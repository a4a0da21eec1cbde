/* One operand of a matrix product: its scales, then its values.
 *
 *   scale      the product reads             its epilogue multiplies by
 *   tensor     grid values, 2^-emax shift    2^emax / S
 *   row        grid values, 2^-emax shift    2^emax / S of each row of the operand
 *   channels   grid values, 2^-emax shift / s   2^emax / S
 *   others     q / S (q * 2^e for MX)        1
 *   nv         q * D, D the block's scale    1 / Sg
 *
 * Grid values and those of power-of-two scales and NVFP4 are exact in float32; q / S with any other
 * S is rounded once. Scales of groups come from the tensor at hand. One scale a tensor may have a
 * history:
 *
 *   S for this tensor  ->  observe its amax  ->  ...  ->  end of step: push, roll, next S
 *
 * One amax is pushed per optimizer step, the largest over its micro-batches and ranks. Evaluation
 * observes nothing, so it leaves no trace in the training. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "base/bits.h"
#include "numerics/code_table.h"
#include "observe_pass.h"
#include "operand.h"
#include "run/streams.h"

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
        return operand->static_scale > 0.0f ? operand->static_scale : 1.0f;
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

static void mark_clipped(const ag_operand *operand, const ag_source *source,
                         const ag_groups *groups, const float *scale)
{
    const float max = operand->scheme->format.max;
    const bool at_max = operand->scheme->select == AG_SELECT_QUEST;
    for (size_t i = 0; i < source->rows * source->cols; i++) {
        size_t group = ag_groups_at(groups, i / source->cols, i % source->cols);
        float y = fabsf(source->x[i] * scale[group]);
        operand->clipped[i] = y > max || (at_max && y == max);
    }
}

bool ag_operand_needs_amax(const ag_operand *operand)
{
    const ag_scheme *scheme = operand->scheme;
    return scheme->quantised && !ag_scheme_has_groups(scheme) && scheme->amax != AG_AMAX_NONE;
}

bool ag_operand_takes_codes(const ag_operand *operand)
{
    return !ag_scheme_is_scaled_after(operand->scheme) || ag_products_have_codes();
}

static ag_matrix matrix_of(const ag_operand *operand, const ag_source *source)
{
    return (ag_matrix){source->rows, source->cols, operand->sum, source->first};
}

static ag_rounding_site site_of(const ag_operand *operand, const ag_pass *pass)
{
    uint32_t use = operand->use + (pass->mode == AG_MODE_TRAIN ? 0 : AG_USE_EVALUATION);
    return (ag_rounding_site){.key = pass->rounding_key,
                              .place = operand->place,
                              .use = use,
                              .step = pass->step,
                              .turn = (operand->place & ~7u) + 4 + operand->product,
                              .bits = operand->scheme->sr_bits,
                              .variant = operand->scheme->sr_variant};
}

/* Makes the codes that products read; false where nobody wants values besides. Weights are held for
 * other passes; of activations a backward half alone sums along the other axis. */
static bool make_codes(const ag_operand *operand, const ag_source *source, const ag_groups *groups,
                       const ag_scales *scales, const ag_pass *pass)
{
    const bool as_codes = ag_operand_takes_codes(operand);
    ag_codes codes[2] = {operand->codes[0], operand->codes[1]};
    if (!operand->is_weight && !ag_pass_trains(pass))
        codes[operand->sum == AG_SUM_COLS ? AG_SUM_ROWS : AG_SUM_COLS].words = NULL;
    if (as_codes && (codes[0].words != NULL || codes[1].words != NULL))
        operand->k->quantize_codes(codes, source->x, groups, scales, operand->scheme,
                                   &operand->where, source->first);
    return !as_codes || !operand->codes_alone || pass->observer != NULL;
}

/* One scale for the tensor. */
static void quantise_tensor(ag_operand *operand, float *out, const ag_source *source,
                            const ag_pass *pass)
{
    const ag_scheme *scheme = operand->scheme;
    const ag_format *format = &scheme->format;
    size_t count = source->rows * source->cols;
    float scale = observe(operand, source->amax, pass);
    float shift = ag_operand_shift(format);
    ag_matrix matrix = matrix_of(operand, source);
    ag_groups whole = ag_groups_of(scheme, &matrix);
    ag_scales scales = {.scale = &scale, .after = &shift, .factor = 1.0f};
    operand->factor = (ag_factor){.all = 1.0f / scale / shift};
    if (operand->clipped != NULL)
        mark_clipped(operand, source, &whole, &scale);
    if (!make_codes(operand, source, &whole, &scales, pass))
        return;
    if (scheme->rounding == AG_ROUND_STOCHASTIC) {
        operand->k->quantize_stochastic(out, source->x, count, format, scale, scheme->overflow,
                                        &operand->where, source->first);
    } else {
        operand->k->quantize(out, source->x, count, format, scale, scheme->overflow);
    }
    operand->values = out;
}

/* --- channels */

/* A channel that is scaled up beyond float32 is cut to its largest number: what is multiplied by it
 * lies near zero. */
void ag_operand_scale_channels(ag_scales *scales, const ag_operand *operand, size_t cols,
                               float scale, float after)
{
    for (size_t i = 0; i < cols; i++) {
        scales->scale[i] = fminf(scale * operand->channels[i], FLT_MAX);
        scales->after[i] = after / operand->channels[i];
    }
}

/* Of s x: powers of two move the amaxes of the channels as they move their elements. */
static float amax_of_channels(const ag_operand *operand, const float *x, const ag_groups *channels)
{
    float *amax = operand->scales->scale;
    float largest = 0.0f;
    operand->k->groups_amax(amax, x, channels, false);
    for (size_t i = 0; i < channels->cols; i++)
        largest = fmaxf(largest, amax[i] * operand->channels[i]);
    return largest;
}

/* Q(s x S) is Q(x (s S)): one scale a channel, whose power of two stays in the values while S comes
 * back in the epilogue. */
static void quantise_channels(ag_operand *operand, float *out, const ag_source *source,
                              const ag_pass *pass)
{
    const ag_scheme *scheme = operand->scheme;
    ag_scales *scales = operand->scales;
    ag_matrix matrix = matrix_of(operand, source);
    ag_groups channels = ag_groups_of(scheme, &matrix);
    float scale = observe(operand, amax_of_channels(operand, source->x, &channels), pass);
    float shift = ag_operand_shift(&scheme->format);
    ag_operand_scale_channels(scales, operand, channels.cols, scale, shift);
    operand->factor = (ag_factor){.all = 1.0f / scale / shift};
    if (operand->clipped != NULL)
        mark_clipped(operand, source, &channels, scales->scale);
    for (size_t i = 0; operand->after != NULL && i < channels.cols; i++)
        operand->after[i] = 1.0f / operand->channels[i];
    operand->k->quantize_groups(out, source->x, &channels, scales, scheme, &operand->where,
                                source->first);
    operand->values = out;
}

/* --- groups */

/* Leaves grid values, shifted, to the product and their scales to its epilogue. */
static void take_out_scales(ag_operand *operand, ag_scales *scales, size_t count)
{
    float shift = ag_operand_shift(&operand->scheme->format);
    for (size_t i = 0; i < count; i++) {
        operand->factors[i] = scales->after[i] / shift;
        scales->after[i] = shift;
    }
    operand->factor.each = operand->factors;
}

static void quantise_groups(ag_operand *operand, float *out, const ag_source *source,
                            const ag_pass *pass)
{
    const ag_scheme *scheme = operand->scheme;
    const ag_kernels *k = operand->k;
    ag_matrix matrix = matrix_of(operand, source);
    operand->scales->factors = operand->factors;
    ag_groups groups =
        ag_matrix_scale(k, operand->scales, source->x, &matrix, scheme, &operand->where);
    operand->factor = (ag_factor){.all = operand->scales->factor};
    if (ag_scheme_outer(scheme) == AG_OUTER_ROW)
        operand->factor.each = operand->factors;
    if (scheme->granularity == AG_GRANULARITY_ROW)
        take_out_scales(operand, operand->scales, ag_groups_count(&groups));
    if (operand->clipped != NULL)
        mark_clipped(operand, source, &groups, operand->scales->scale);
    if (operand->after != NULL)
        memcpy(operand->after, operand->scales->after,
               ag_groups_count(&groups) * sizeof *operand->after);
    if (!make_codes(operand, source, &groups, operand->scales, pass))
        return;
    k->quantize_groups(out, source->x, &groups, operand->scales, scheme, &operand->where,
                       source->first);
    operand->values = out;
}

static void quantise(ag_operand *operand, float *out, const ag_source *source, const ag_pass *pass)
{
    bool is_tensor = operand->scheme->granularity == AG_GRANULARITY_TENSOR;
    ag_source transformed = *source;
    operand->values = NULL;
    if (operand->scheme->hadamard > 0) {
        ag_turn turn = ag_turn_of(operand->scheme, &operand->where);
        operand->k->hadamard(out, source->x, source->rows, source->cols, operand->sum, &turn);
        transformed.x = out;
        if (is_tensor)
            transformed.amax = operand->k->amax(out, source->rows * source->cols);
    }
    if (operand->channels != NULL)
        quantise_channels(operand, out, source, pass);
    else if (is_tensor)
        quantise_tensor(operand, out, &transformed, pass);
    else
        quantise_groups(operand, out, &transformed, pass);
}

/* --- what the product may know of the values */

/* Whether grid values of the format are BF16 values: at most 8 significant bits. */
static bool fits_bf16(const ag_format *format)
{
    return format->mantissa <= 7 && format->exponent <= 8;
}

/* An element's significant bits, one more than its mantissa's or as many where E = 0, and those of
 * the block's scale, four or (E5M2) three: together at most BF16's eight. */
static bool blocks_fit_bf16(const ag_scheme *scheme)
{
    ag_scale_format scale = ag_scheme_scales(scheme);
    if (ag_scheme_has_float8_scales(scheme))
        return scheme->format.mantissa <= (scale == AG_SCALE_E5M2 ? 4 : 3);
    return fits_bf16(&scheme->format) && (scale == AG_SCALE_E8M0 || scheme->pow2);
}

/* Whether all values are BF16's; `quantised` says whether the scheme was applied. */
static bool leaves_bf16(const ag_operand *operand, bool quantised, bool shadow)
{
    const ag_scheme *scheme = operand->scheme;
    if (!quantised)
        return operand->bf16 && !shadow;
    return ag_scheme_is_scaled_after(scheme) ? fits_bf16(&scheme->format) : blocks_fit_bf16(scheme);
}

/* A table may reach beyond what its scales take for the largest value. */
static float largest_of(const ag_format *format)
{
    if (format->table == NULL)
        return format->max;
    int last = format->table->count - 1;
    return fmaxf(fabsf(ag_bits_float(format->table->value[0])),
                 fabsf(ag_bits_float(format->table->value[last])));
}

/* Between which magnitudes the values of a quantised operand lie, by its format and scales alone:
 * no pass over memory is spent on it. */
static ag_range grid_range(const ag_operand *operand, const ag_source *source)
{
    const ag_scheme *scheme = operand->scheme;
    float least = ag_operand_shift(&scheme->format);
    float most = least;
    if (ag_scheme_has_groups(scheme)) {
        ag_matrix matrix = matrix_of(operand, source);
        ag_groups groups = ag_groups_of(scheme, &matrix);
        const float *after = operand->scales->after;
        least = INFINITY;
        most = 0.0f;
        for (size_t i = 0; i < ag_groups_count(&groups); i++) {
            least = after[i] > 0.0f && after[i] < least ? after[i] : least;
            most = after[i] > most ? after[i] : most;
        }
    }
    return (ag_range){ag_float_bits(scheme->format.min_subnormal * least),
                      ag_float_bits(largest_of(&scheme->format) * most)};
}

/* What the product must know before it takes pairs. A grid bounds its values; only where there is
 * none, or the bound forbids pairs, the values are looked at. */
static ag_range range_of(const ag_operand *operand, const ag_source *source)
{
    if (operand->is_quantised) {
        ag_range bound = grid_range(operand, source);
        if (ag_pairs_are_normal(bound, bound))
            return bound;
    }
    return operand->k->pairs_range(operand->values, source->rows * source->cols);
}

bool ag_operand_quantises(const ag_operand *operand, const ag_pass *pass)
{
    return operand->scheme->quantised && pass->mode != AG_MODE_SHADOW &&
           pass->mode != AG_MODE_EVALUATE_HP;
}

/* BF16 values: they may have come as such, and packed. */
static void make_unquantised(ag_operand *operand, float *out, const ag_source *source, bool shadow)
{
    bool as_it_is = !operand->bf16 || shadow || out == source->x;
    if (operand->clipped != NULL)
        memset(operand->clipped, 0, source->rows * source->cols);
    if (!as_it_is && source->pairs == NULL && ag_products_have_pairs())
        operand->k->round_pairs(out, source->x, source->rows, source->cols, &operand->pairs);
    else if (!as_it_is)
        operand->k->round_bf16(out, source->x, source->rows * source->cols);
    operand->values = as_it_is ? source->x : out;
    operand->factor = (ag_factor){.all = 1.0f};
    if (source->pairs != NULL)
        operand->pairs = *source->pairs;
    else if (as_it_is && operand->has_bf16 && ag_products_have_pairs())
        operand->pairs.range = range_of(operand, source);
}

static void make(ag_operand *operand, float *out, const ag_source *source, const ag_pass *pass)
{
    bool shadow = pass->mode == AG_MODE_SHADOW;
    const ag_range before = operand->pairs.range;
    operand->pairs = (ag_pairs){.range = ag_no_range()};
    operand->is_quantised = ag_operand_quantises(operand, pass);
    operand->has_bf16 = leaves_bf16(operand, operand->is_quantised, shadow);
    if (!operand->is_quantised) {
        make_unquantised(operand, out, source, shadow);
    } else {
        quantise(operand, out, source, pass);
        if (operand->has_bf16 && operand->values != NULL && ag_products_have_pairs())
            operand->pairs.range = range_of(operand, source);
    }
    if (source->continues)
        operand->pairs.range = ag_range_join(before, operand->pairs.range);
}

void ag_operand_make(ag_operand *operand, float *out, const ag_source *source, const ag_pass *pass)
{
    operand->where = site_of(operand, pass);
    bool observed = pass->observer != NULL && !operand->is_weight; /* those: ag_linear_prepare */
    if (observed)
        ag_observe_source(pass->observer, operand, out, source);
    make(operand, out, source, pass);
    if (observed)
        ag_observe_values(pass->observer, operand, source);
}

void ag_operand_clip_gradient(float *grad, const ag_operand *operand, size_t rows, size_t cols)
{
    ag_turn turn;
    bool rotated =
        operand->clipped != NULL && operand->is_quantised && operand->scheme->hadamard > 0;
    if (rotated) {
        turn = ag_turn_of(operand->scheme, &operand->where);
        operand->k->hadamard(grad, grad, rows, cols, operand->sum, &turn);
    }
    for (size_t i = 0; operand->clipped != NULL && i < rows * cols; i++)
        grad[i] = operand->clipped[i] ? 0.0f : grad[i];
    if (rotated) {
        turn.back = true;
        operand->k->hadamard(grad, grad, rows, cols, operand->sum, &turn);
    }
}

void ag_operand_end_rank(ag_operand *operand)
{
    operand->seen_before = fmaxf(operand->seen_before, operand->seen);
    operand->seen = 0.0f;
}

void ag_operand_end_step(ag_operand *operand)
{
    const ag_scheme *scheme = operand->scheme;
    ag_scale *scale = operand->scale;
    float seen = fmaxf(operand->seen_before, operand->seen);
    operand->seen = operand->seen_before = 0.0f;
    if (scheme->history == 0)
        return;
    operand->history[scale->pushed % scheme->history] = seen;
    scale->pushed++;
    if (scheme->amax == AG_AMAX_DELAYED && !operand->is_fixed)
        scale->value = scale_of(scheme, newest_amax(operand, scheme->history), scale->value);
}
