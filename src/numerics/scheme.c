/* Schemes: the words of the experiment file, which schemes mean the same, and which contradict
 * themselves.
 *
 * Normalising matters most: a run's id is that of its normalised schemes, so a field that has no
 * effect must not make two ids of one run. Checking comes before it, on what was written, because
 * normalising hides contradictions. A new field must be 0 where it has no effect, and appear in all
 * of normalise, equal, check and describe. */
#include "numerics/scheme.h"

#include <stdio.h>
#include <string.h>

#include "numerics/quantize.h"
#include "numerics_internal.h"

const char *const ag_granularity_words[AG_GRANULARITIES] = {"tensor", "row", "col",
                                                            "block",  "mx",  "nv"};
const char *const ag_amax_words[AG_AMAX_MODES] = {"none", "current", "windowed", "delayed"};
const char *const ag_channel_words[AG_CHANNELS] = {"none", "up"};
const char *const ag_e8m0_words[AG_E8M0_RULES] = {"floor", "rceil", "even"};
const char *const ag_scale_words[AG_SCALE_FORMATS] = {"fp32", "absmax", "e8m0",
                                                      "e4m3", "ue5m3",  "e5m2"};
const char *const ag_outer_words[AG_OUTER_SCALES] = {"none", "tensor", "row"};
const char *const ag_select_words[AG_SELECTS] = {"amax", "4/6", "mse", "eden", "quest"};
const char *const ag_error_words[AG_BLOCK_ERRORS] = {"mae", "mse"};
const char *const ag_rounding_words[AG_ROUNDINGS] = {"nearest", "stochastic"};
const char *const ag_signs_words[AG_SIGNS] = {"fixed", "step"};
const char *const ag_sr_words[AG_SR_VARIANTS] = {"floor", "half", "nearest"};
const char *const ag_overflow_words[AG_OVERFLOWS] = {"saturate", "special"};
const char *const ag_ste_words[AG_STES] = {"identity", "clip"};
/* Formats with float32's range, and fp16 as it is commonly used, need no scale to hold what
 * training has. */
ag_scheme ag_scheme_plain(const ag_format *format)
{
    bool is_wide = format->exponent == 8 || strcmp(format->name, "fp16") == 0;
    return (ag_scheme){
        .quantised = true,
        .format = *format,
        .granularity = AG_GRANULARITY_TENSOR,
        .amax = is_wide ? AG_AMAX_NONE : AG_AMAX_CURRENT,
        .rounding = AG_ROUND_NEAREST,
        .overflow = AG_OVERFLOW_SATURATE,
        .ste = AG_STE_IDENTITY,
    };
}

ag_scheme ag_scheme_bf16(void)
{
    ag_format format;
    ag_status status = ag_format_parse(&format, "bf16");
    return status == AG_OK ? ag_scheme_plain(&format) : (ag_scheme){0};
}

bool ag_scheme_keeps_history(const ag_scheme *scheme)
{
    return scheme->amax == AG_AMAX_WINDOWED || scheme->amax == AG_AMAX_DELAYED;
}

bool ag_scheme_has_groups(const ag_scheme *scheme)
{
    return scheme->granularity != AG_GRANULARITY_TENSOR || scheme->channel != AG_CHANNEL_NONE;
}

/* --- what means the same */

/* BF16 without a scale is what an operand that is not quantised has. */
static bool is_bf16(const ag_scheme *scheme)
{
    return strcmp(scheme->format.name, "bf16") == 0 && scheme->amax == AG_AMAX_NONE &&
           scheme->rounding == AG_ROUND_NEAREST && !scheme->hadamard;
}

static void normalise_random_bits(ag_scheme *scheme)
{
    bool all = scheme->sr_bits == 0 || scheme->sr_bits == 32;
    if (scheme->rounding == AG_ROUND_NEAREST || (all && scheme->sr_variant == AG_SR_FLOOR)) {
        scheme->sr_bits = 0;
        scheme->sr_variant = AG_SR_FLOOR;
    } else if (all) {
        scheme->sr_bits = 32;
    }
}

/* Each rule is an equality of meanings; none may ever be added for schemes that runs have already.
 */
void ag_scheme_normalise(ag_scheme *scheme)
{
    if (!scheme->quantised || is_bf16(scheme)) {
        *scheme = (ag_scheme){.is_bf16 = scheme->quantised || scheme->is_bf16,
                              .from_forward = scheme->from_forward};
        return;
    }
    ag_static_normalise(scheme);
    if (scheme->amax == AG_AMAX_WINDOWED && scheme->history == 1)
        scheme->amax = AG_AMAX_CURRENT;
    if (!ag_scheme_keeps_history(scheme))
        scheme->history = 0;
    if (scheme->amax == AG_AMAX_NONE) {
        scheme->granularity = AG_GRANULARITY_TENSOR;
        scheme->margin = 0;
        scheme->pow2 &= scheme->constant > 0.0f;
    }
    if (!ag_scheme_has_blocks(scheme)) {
        scheme->block_rows = 0;
        scheme->block_cols = 0;
    }
    ag_scheme_normalise_blocks(scheme);
    normalise_random_bits(scheme);
    if (scheme->hadamard == 0)
        scheme->signs = AG_SIGNS_FIXED;
    /* where an overflow has no code of its own */
    if (ag_overflow_bits(&scheme->format, AG_OVERFLOW_SPECIAL) == scheme->format.max_bits)
        scheme->overflow = AG_OVERFLOW_SATURATE;
}

static bool have_same_candidates(const ag_scheme *a, const ag_scheme *b)
{
    if (a->n_candidates != b->n_candidates)
        return false;
    for (int i = 0; i < a->n_candidates; i++) {
        if (a->candidates[i] != b->candidates[i])
            return false;
    }
    return true;
}

/* A format's name is its whole meaning. */
bool ag_scheme_equal(const ag_scheme *a, const ag_scheme *b)
{
    return a->quantised == b->quantised && strcmp(a->format.name, b->format.name) == 0 &&
           a->granularity == b->granularity && a->block_rows == b->block_rows &&
           a->block_cols == b->block_cols && a->amax == b->amax && a->history == b->history &&
           a->margin == b->margin && a->channel == b->channel && a->pow2 == b->pow2 &&
           a->e8m0 == b->e8m0 && a->scale == b->scale && a->outer == b->outer && a->top == b->top &&
           a->sigma == b->sigma && a->constant == b->constant && a->rule == b->rule &&
           a->size == b->size && a->from_forward == b->from_forward && a->select == b->select &&
           a->error == b->error && have_same_candidates(a, b) && a->hadamard == b->hadamard &&
           a->signs == b->signs && a->rounding == b->rounding && a->sr_bits == b->sr_bits &&
           a->sr_variant == b->sr_variant && a->overflow == b->overflow && a->ste == b->ste;
}

/* --- what contradicts itself */

/* Windowed and delayed scaling keep the amaxes of earlier steps: one history per tensor. */
static ag_status check_history(const ag_scheme *scheme)
{
    if (!ag_scheme_keeps_history(scheme))
        return AG_OK;
    if (scheme->granularity != AG_GRANULARITY_TENSOR)
        return ag_fail(AG_ERR_INPUT,
                       "%s amax keeps one history per tensor; use granularity 'tensor', or amax "
                       "'current' for granularity '%s'",
                       ag_amax_words[scheme->amax], ag_granularity_words[scheme->granularity]);
    if (scheme->history < 1 || scheme->history > AG_MOST_HISTORY)
        return ag_fail(AG_ERR_INPUT, "history is %d: %s amax keeps 1 to %d values (usual: %d)",
                       scheme->history, ag_amax_words[scheme->amax], AG_MOST_HISTORY,
                       AG_DEFAULT_HISTORY);
    return AG_OK;
}

/* A scale where none can help, or a granularity without a scale, is a misunderstanding. */
static ag_status check_amax(const ag_scheme *scheme)
{
    bool scaled = scheme->amax != AG_AMAX_NONE;
    if (scheme->format.exponent == 8 && (scaled || scheme->granularity != AG_GRANULARITY_TENSOR))
        return ag_fail(AG_ERR_INPUT, "%s has float32's range and takes no scale; use amax 'none'",
                       scheme->format.name);
    if (!scaled && scheme->granularity != AG_GRANULARITY_TENSOR)
        return ag_fail(AG_ERR_INPUT,
                       "granularity '%s' has no effect without a scale; add 'amax: current'",
                       ag_granularity_words[scheme->granularity]);
    return AG_OK;
}

/* Channels are moved for a scale that all of them share, and have to come out apart. */
static ag_status check_channel(const ag_scheme *scheme)
{
    const char *word = ag_channel_words[scheme->channel];
    if (scheme->channel == AG_CHANNEL_NONE)
        return AG_OK;
    if (scheme->granularity != AG_GRANULARITY_TENSOR)
        return ag_fail(AG_ERR_INPUT,
                       "channel '%s' takes all channels to one size for a scale that they share; "
                       "use granularity 'tensor', not '%s'",
                       word, ag_granularity_words[scheme->granularity]);
    if (scheme->format.exponent == 8)
        return ag_fail(AG_ERR_INPUT,
                       "channel '%s' has no effect on %s, which has float32's range and room for "
                       "channels of any size; leave it out",
                       word, scheme->format.name);
    if (scheme->hadamard > 0)
        return ag_fail(AG_ERR_INPUT,
                       "channel '%s' is undone channel by channel, which a Hadamard transform "
                       "mixes; leave out one of the two",
                       word);
    return AG_OK;
}

static ag_status check_size_of_hadamard(const ag_scheme *scheme)
{
    int size = scheme->hadamard;
    bool is_power = size == 0 || size == 16 || size == 32 || size == 64 || size == 128;
    return is_power
               ? AG_OK
               : ag_fail(AG_ERR_INPUT, "hadamard.size is %d: expected 16, 32, 64 or 128", size);
}

/* EVEN rounds an amax to the element's precision, of which a table has none; few random bits are
 * compared with the distance of neighbours, which is cut to as many. */
static ag_status check_table(const ag_scheme *scheme)
{
    if (scheme->format.table == NULL)
        return AG_OK;
    if (ag_scheme_scales(scheme) == AG_SCALE_E8M0 && scheme->e8m0 == AG_E8M0_EVEN)
        return ag_fail(
            AG_ERR_INPUT,
            "scale 'e8m0even' rounds to the mantissa of a format, and %s is a table; use "
            "'e8m0rceil' or 'e8m0floor'",
            scheme->format.name);
    if (scheme->rounding == AG_ROUND_STOCHASTIC && scheme->sr_variant != AG_SR_FLOOR)
        return ag_fail(AG_ERR_INPUT,
                       "sr_variant '%s' is for formats with a mantissa, and %s is a table; use "
                       "'floor'",
                       ag_sr_words[scheme->sr_variant], scheme->format.name);
    return AG_OK;
}

/* From the general to the particular, so that the first message is about what was said, and not
 * about what follows from it. */
ag_status ag_scheme_check(const ag_scheme *scheme)
{
    if (!scheme->quantised)
        return AG_OK;
    if (scheme->format.bits == 32)
        return ag_fail(AG_ERR_INPUT, "fp32 is a precision of the whole run, not of one operand; "
                                     "list the format FP32 by itself");
    AG_TRY(ag_static_check(scheme));
    AG_TRY(check_amax(scheme));
    if (scheme->sr_bits < 0 || scheme->sr_bits > 32)
        return ag_fail(AG_ERR_INPUT, "sr_bits is %d: expected 1 to 32", scheme->sr_bits);
    AG_TRY(check_table(scheme));
    AG_TRY(check_size_of_hadamard(scheme));
    AG_TRY(check_channel(scheme));
    AG_TRY(ag_scheme_check_blocks(scheme));
    AG_TRY(ag_scheme_check_scales(scheme));
    AG_TRY(check_history(scheme));
    if (scheme->margin < -AG_MOST_MARGIN || scheme->margin > AG_MOST_MARGIN)
        return ag_fail(AG_ERR_INPUT, "margin is %d: expected -%d to %d", scheme->margin,
                       AG_MOST_MARGIN, AG_MOST_MARGIN);
    return AG_OK;
}

/* --- for people */

void ag_scheme_describe(char *text, size_t size, const ag_scheme *scheme)
{
    const char *from = scheme->from_forward ? ", of the forward's copy" : "";
    if (!scheme->quantised) {
        snprintf(text, size, "bf16%s", from);
        return;
    }
    char scale[240];
    char bits[32] = "";
    char turn[64] = "";
    char channel[32] = "";
    if (scheme->hadamard > 0)
        snprintf(turn, sizeof turn, ", Hadamard transform");
    if (scheme->hadamard > AG_LEAST_HADAMARD || scheme->signs == AG_SIGNS_STEP)
        snprintf(turn, sizeof turn, ", Hadamard transform of %d, %s signs", scheme->hadamard,
                 ag_signs_words[scheme->signs]);
    if (scheme->channel != AG_CHANNEL_NONE)
        snprintf(channel, sizeof channel, ", channels scaled by %s",
                 ag_channel_words[scheme->channel]);
    ag_scheme_describe_scale(scale, sizeof scale, scheme);
    if (scheme->sr_bits > 0)
        snprintf(bits, sizeof bits, " with %d bits (%s)", scheme->sr_bits,
                 ag_sr_words[scheme->sr_variant]);
    snprintf(text, size, "%s, %s%s%s%s%s%s%s%s", scheme->format.name, scale, channel,
             scheme->rounding == AG_ROUND_STOCHASTIC ? ", stochastic" : "", bits, turn,
             scheme->overflow == AG_OVERFLOW_SPECIAL ? ", overflow to Inf or NaN" : "",
             scheme->ste == AG_STE_CLIP ? ", clipped gradient" : "", from);
}
