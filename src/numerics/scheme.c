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
const char *const ag_role_words[AG_ROLES] = {"weight", "input", "grad_output"};
const char *const ag_use_words[AG_ROLES][AG_USES] = {
    {"weight.fprop",      "weight.dgrad"     },
    {"input.fprop",       "input.wgrad"      },
    {"grad_output.dgrad", "grad_output.wgrad"},
};

const char *const ag_linear_product_words[AG_LINEAR_PRODUCTS] = {"fprop", "dgrad", "wgrad"};
const ag_operand_use ag_linear_operands[AG_LINEAR_PRODUCTS][2] = {
    {{AG_ROLE_INPUT, 0},       {AG_ROLE_WEIGHT, 0}},
    {{AG_ROLE_GRAD_OUTPUT, 0}, {AG_ROLE_WEIGHT, 1}},
    {{AG_ROLE_GRAD_OUTPUT, 1}, {AG_ROLE_INPUT, 1} },
};

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

/* The groups are the same along either axis where all elements, or a square, share a scale. */
bool ag_scheme_serves_both(const ag_scheme uses[AG_USES])
{
    const ag_scheme *scheme = &uses[0];
    bool symmetric = !scheme->quantised || scheme->granularity == AG_GRANULARITY_TENSOR ||
                     (ag_scheme_has_blocks(scheme) && scheme->block_rows == scheme->block_cols);
    symmetric &= scheme->outer != AG_OUTER_ROW;
    return symmetric && !scheme->hadamard && ag_scheme_equal(&uses[0], &uses[1]);
}

/* A copy of BF16 values is those values; weights are rounded to BF16 first. */
void ag_layer_precision_normalise(ag_layer_precision *precision)
{
    ag_scheme *weight = precision->scheme[AG_ROLE_WEIGHT];
    ag_scheme *input = precision->scheme[AG_ROLE_INPUT];
    if (!input[0].quantised)
        input[1].from_forward = false;
    if (!weight[0].quantised && !weight[1].quantised)
        weight[1].from_forward = false;
}

bool ag_accumulates_by_default(const ag_layer_precision *precision)
{
    for (int product = 0; product < AG_LINEAR_PRODUCTS; product++) {
        if (precision->accumulate[product].kind != AG_ACCUMULATE_SEGMENTS)
            return false;
    }
    return true;
}

bool ag_layer_precision_equal(const ag_layer_precision *a, const ag_layer_precision *b)
{
    for (int i = 0; i < AG_ROLES * AG_USES; i++) {
        int role = i / AG_USES;
        int use = i % AG_USES;
        if (!ag_scheme_equal(&a->scheme[role][use], &b->scheme[role][use]))
            return false;
    }
    for (int product = 0; product < AG_LINEAR_PRODUCTS; product++) {
        if (!ag_accumulator_equal(&a->accumulate[product], &b->accumulate[product]))
            return false;
    }
    return true;
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

/* q * D of a block under a scale of the tensor reaches max * top, whatever the tensor holds, and a
 * product of two such must be a float32. */
static ag_status check_reach(const ag_scheme *scheme)
{
    if (!scheme->quantised || ag_scheme_outer(scheme) == AG_OUTER_NONE || scheme->format.emax <= 40)
        return AG_OK;
    return ag_fail(AG_ERR_INPUT,
                   "values of %s reach 2^%d, and with 8-bit float scales under one of the tensor "
                   "their products pass float32: use scale 'e8m0rceil', or a format of fewer "
                   "exponent bits",
                   scheme->format.name, scheme->format.emax);
}

/* Values of a table under one scale are moved below 2 by a power of two, as those of formats are:
 * the smallest must stay a normal number. */
static ag_status check_span(const ag_scheme *scheme)
{
    bool has_one =
        scheme->granularity == AG_GRANULARITY_TENSOR || scheme->granularity == AG_GRANULARITY_ROW;
    if (!scheme->quantised || scheme->format.table == NULL || !has_one ||
        scheme->format.emin - scheme->format.emax >= -126)
        return AG_OK;
    return ag_fail(AG_ERR_INPUT,
                   "values of %s reach from 2^%d to a top of 2^%d, which float32 does not hold "
                   "below 2: give the table a 'top' of 1 to 16, where its precision is",
                   scheme->format.name, scheme->format.emin, scheme->format.emax);
}

static int size_of_runs(const ag_scheme *scheme)
{
    return scheme->quantised ? scheme->hadamard : 0;
}

/* The transform is orthogonal along the sum: it cancels in a product where both operands have it.
 */
static ag_status check_hadamard(const ag_layer_precision *precision, const ag_operand_use of[2])
{
    const ag_scheme *a = &precision->scheme[of[0].role][of[0].use];
    const ag_scheme *b = &precision->scheme[of[1].role][of[1].use];
    const char *a_word = ag_use_words[of[0].role][of[0].use];
    const char *b_word = ag_use_words[of[1].role][of[1].use];
    int sizes[2] = {size_of_runs(a), size_of_runs(b)};
    if ((sizes[0] == 0) != (sizes[1] == 0))
        return ag_fail(AG_ERR_INPUT,
                       "%s has a Hadamard transform and %s has none, so that their product would "
                       "be another; turn it off with 'hadamard: false', or quantise both",
                       sizes[0] > 0 ? a_word : b_word, sizes[0] > 0 ? b_word : a_word);
    if (sizes[0] != sizes[1] || (sizes[0] > 0 && a->signs != b->signs))
        return ag_fail(AG_ERR_INPUT,
                       "the Hadamard transforms of %s and %s differ in size or signs, so that "
                       "their product would be another",
                       a_word, b_word);
    return AG_OK;
}

/* Only the second operands of weight and input have a copy in the forward pass before them. */
static ag_status check_from(const ag_layer_precision *precision, int role, int use)
{
    bool has_copy = use == 1 && role != AG_ROLE_GRAD_OUTPUT;
    if (!precision->scheme[role][use].from_forward || has_copy)
        return AG_OK;
    return ag_fail(AG_ERR_INPUT, "from: forward is for weight.dgrad and input.wgrad, not for %s",
                   ag_use_words[role][use]);
}

/* Weights and gradients have no tensor beside them by which channels are known. */
static ag_status check_role(const ag_layer_precision *precision, int role, int use)
{
    const ag_scheme *scheme = &precision->scheme[role][use];
    if (scheme->channel == AG_CHANNEL_NONE || role == AG_ROLE_INPUT)
        return AG_OK;
    return ag_fail(AG_ERR_INPUT, "channel '%s' is for input, not for %s",
                   ag_channel_words[scheme->channel], ag_use_words[role][use]);
}

/* An accumulator for NVFP4 needs its scales. */
static ag_status check_accumulator(const ag_layer_precision *precision, int product)
{
    const ag_accumulator *accumulator = &precision->accumulate[product];
    AG_TRY(ag_accumulator_check(accumulator));
    for (int i = 0; i < 2 && accumulator->kind == AG_ACCUMULATE_NVFP4; i++) {
        ag_operand_use of = ag_linear_operands[product][i];
        const ag_scheme *scheme = &precision->scheme[of.role][of.use];
        if (!scheme->quantised || scheme->granularity != AG_GRANULARITY_NV)
            return ag_fail(AG_ERR_INPUT,
                           "b200-nvfp4 adds up NVFP4 with its scales, and %s is %s; use "
                           "granularity 'nv', or b200-fp8 for e2m1 with others",
                           ag_use_words[of.role][of.use],
                           scheme->quantised ? scheme->format.name : "BF16");
    }
    return AG_OK;
}

ag_status ag_layer_precision_check(const ag_layer_precision *precision)
{
    for (int i = 0; i < AG_ROLES * AG_USES; i++) {
        AG_TRY(ag_scheme_check(&precision->scheme[i / AG_USES][i % AG_USES]));
        AG_TRY(check_reach(&precision->scheme[i / AG_USES][i % AG_USES]));
        AG_TRY(check_span(&precision->scheme[i / AG_USES][i % AG_USES]));
        AG_TRY(check_from(precision, i / AG_USES, i % AG_USES));
        AG_TRY(check_role(precision, i / AG_USES, i % AG_USES));
    }
    for (int product = 0; product < AG_LINEAR_PRODUCTS; product++)
        AG_TRY(check_accumulator(precision, product));
    for (int product = 0; product < AG_LINEAR_PRODUCTS; product++)
        AG_TRY(check_hadamard(precision, ag_linear_operands[product]));
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
