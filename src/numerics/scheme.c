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

const char *const ag_granularity_words[AG_GRANULARITIES] = {"tensor", "row", "col",
                                                            "block",  "mx",  "nv"};
const char *const ag_amax_words[AG_AMAX_MODES] = {"none", "current", "windowed", "delayed"};
const char *const ag_e8m0_words[AG_E8M0_RULES] = {"floor", "rceil"};
const char *const ag_rounding_words[AG_ROUNDINGS] = {"nearest", "stochastic"};
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

bool ag_scheme_keeps_history(const ag_scheme *scheme)
{
    return scheme->amax == AG_AMAX_WINDOWED || scheme->amax == AG_AMAX_DELAYED;
}

/* --- what means the same */

/* BF16 without a scale is what an operand that is not quantised has. */
static bool is_bf16(const ag_scheme *scheme)
{
    return strcmp(scheme->format.name, "bf16") == 0 && scheme->amax == AG_AMAX_NONE &&
           scheme->rounding == AG_ROUND_NEAREST && !scheme->hadamard;
}

static bool has_blocks(const ag_scheme *scheme)
{
    return scheme->granularity == AG_GRANULARITY_BLOCK ||
           scheme->granularity == AG_GRANULARITY_MX || scheme->granularity == AG_GRANULARITY_NV;
}

/* MX and NVFP4: their scales are no float32 and have rules of their own. */
static bool has_block_format(const ag_scheme *scheme)
{
    return scheme->granularity == AG_GRANULARITY_MX || scheme->granularity == AG_GRANULARITY_NV;
}

/* Each rule is an equality of meanings; none may ever be added for schemes that runs have already.
 */
void ag_scheme_normalise(ag_scheme *scheme)
{
    if (!scheme->quantised || is_bf16(scheme)) {
        *scheme = (ag_scheme){0};
        return;
    }
    if (scheme->amax == AG_AMAX_WINDOWED && scheme->history == 1)
        scheme->amax = AG_AMAX_CURRENT;
    if (!ag_scheme_keeps_history(scheme))
        scheme->history = 0;
    if (scheme->amax == AG_AMAX_NONE) {
        scheme->granularity = AG_GRANULARITY_TENSOR;
        scheme->margin = 0;
        scheme->pow2 = false;
    }
    if (!has_blocks(scheme)) {
        scheme->block_rows = 0;
        scheme->block_cols = 0;
    }
    if (has_block_format(scheme))
        scheme->pow2 = false;
    if (scheme->granularity != AG_GRANULARITY_MX)
        scheme->e8m0 = AG_E8M0_FLOOR;
    if (scheme->format.kind == AG_KIND_F) /* has no code for an overflow */
        scheme->overflow = AG_OVERFLOW_SATURATE;
}

/* A format's name is its whole meaning. */
bool ag_scheme_equal(const ag_scheme *a, const ag_scheme *b)
{
    return a->quantised == b->quantised && strcmp(a->format.name, b->format.name) == 0 &&
           a->granularity == b->granularity && a->block_rows == b->block_rows &&
           a->block_cols == b->block_cols && a->amax == b->amax && a->history == b->history &&
           a->margin == b->margin && a->pow2 == b->pow2 && a->e8m0 == b->e8m0 &&
           a->hadamard == b->hadamard && a->rounding == b->rounding && a->overflow == b->overflow &&
           a->ste == b->ste;
}

/* The groups are the same along either axis where all elements, or a square, share a scale. */
bool ag_scheme_serves_both(const ag_scheme uses[AG_USES])
{
    const ag_scheme *scheme = &uses[0];
    bool symmetric = !scheme->quantised || scheme->granularity == AG_GRANULARITY_TENSOR ||
                     (has_blocks(scheme) && scheme->block_rows == scheme->block_cols);
    return symmetric && !scheme->hadamard && ag_scheme_equal(&uses[0], &uses[1]);
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

/* Sizes that the formats fix, and limits that keep an index in range. */
static ag_status check_block(const ag_scheme *scheme)
{
    int rows = scheme->block_rows;
    int cols = scheme->block_cols;
    if (scheme->granularity == AG_GRANULARITY_BLOCK &&
        (rows < 1 || cols < 1 || rows > AG_MOST_BLOCK_SIDE || cols > AG_MOST_BLOCK_SIDE))
        return ag_fail(AG_ERR_INPUT, "blocks are %dx%d: expected 1x1 to %dx%d (usual: 1x128)", rows,
                       cols, AG_MOST_BLOCK_SIDE, AG_MOST_BLOCK_SIDE);
    if (scheme->granularity == AG_GRANULARITY_MX && (rows != 1 || cols != AG_MX_BLOCK))
        return ag_fail(AG_ERR_INPUT,
                       "MX blocks are 1x%d, not %dx%d; blocks of any other size have "
                       "float32 scales: granularity '%dx%d'",
                       AG_MX_BLOCK, rows, cols, rows, cols);
    if (scheme->granularity == AG_GRANULARITY_NV &&
        (cols != AG_NV_BLOCK || (rows != 1 && rows != AG_NV_BLOCK)))
        return ag_fail(AG_ERR_INPUT, "NVFP4 blocks are 1x16 or 16x16, not %dx%d", rows, cols);
    return AG_OK;
}

/* MX and NVFP4 leave open neither how a scale is found nor, for NVFP4, what is scaled. */
static ag_status check_block_format(const ag_scheme *scheme)
{
    const char *word = ag_granularity_words[scheme->granularity];
    if (!has_block_format(scheme))
        return AG_OK;
    if (scheme->amax != AG_AMAX_CURRENT)
        return ag_fail(AG_ERR_INPUT,
                       "granularity '%s' finds its scales from each block's current amax; '%s' is "
                       "for granularity 'tensor'",
                       word, ag_amax_words[scheme->amax]);
    if (scheme->margin != 0)
        return ag_fail(AG_ERR_INPUT, "granularity '%s' takes no margin; use blocks such as 1x%d",
                       word, scheme->block_cols);
    if (scheme->granularity == AG_GRANULARITY_NV && strcmp(scheme->format.name, "e2m1f") != 0)
        return ag_fail(AG_ERR_INPUT,
                       "granularity 'nv' is NVFP4's, whose elements are e2m1f; use 'mx' or blocks "
                       "such as 1x16 for %s",
                       scheme->format.name);
    return AG_OK;
}

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

/* From the general to the particular, so that the first message is about what was said, and not
 * about what follows from it. */
ag_status ag_scheme_check(const ag_scheme *scheme)
{
    if (!scheme->quantised)
        return AG_OK;
    if (scheme->format.bits == 32)
        return ag_fail(AG_ERR_INPUT, "fp32 is a precision of the whole run, not of one operand; "
                                     "list the format FP32 by itself");
    AG_TRY(check_amax(scheme));
    AG_TRY(check_block(scheme));
    AG_TRY(check_block_format(scheme));
    AG_TRY(check_history(scheme));
    if (scheme->margin < -AG_MOST_MARGIN || scheme->margin > AG_MOST_MARGIN)
        return ag_fail(AG_ERR_INPUT, "margin is %d: expected -%d to %d", scheme->margin,
                       AG_MOST_MARGIN, AG_MOST_MARGIN);
    return AG_OK;
}

static bool is_transformed(const ag_scheme *scheme)
{
    return scheme->quantised && scheme->hadamard;
}

/* The transform is orthogonal along the tokens: it cancels in a product that sums over tokens where
 * both operands have it, and only there. That product is wgrad. */
static ag_status check_hadamard(const ag_layer_precision *precision)
{
    bool input = is_transformed(&precision->scheme[AG_ROLE_INPUT][1]);
    bool grad = is_transformed(&precision->scheme[AG_ROLE_GRAD_OUTPUT][1]);
    for (int i = 0; i < AG_ROLES * AG_USES; i++) {
        int role = i / AG_USES;
        int use = i % AG_USES;
        bool sums_tokens = use == 1 && role != AG_ROLE_WEIGHT;
        if (!sums_tokens && is_transformed(&precision->scheme[role][use]))
            return ag_fail(AG_ERR_INPUT,
                           "the Hadamard transform is for input.wgrad and grad_output.wgrad, not "
                           "for %s",
                           ag_use_words[role][use]);
    }
    if (input != grad)
        return ag_fail(AG_ERR_INPUT,
                       "%s has a Hadamard transform and %s has none, so that their product would "
                       "be another; turn it off with 'hadamard: false', or quantise both",
                       ag_use_words[input ? AG_ROLE_INPUT : AG_ROLE_GRAD_OUTPUT][1],
                       ag_use_words[input ? AG_ROLE_GRAD_OUTPUT : AG_ROLE_INPUT][1]);
    return AG_OK;
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
    for (int i = 0; i < AG_ROLES * AG_USES; i++)
        AG_TRY(ag_scheme_check(&precision->scheme[i / AG_USES][i % AG_USES]));
    for (int product = 0; product < AG_LINEAR_PRODUCTS; product++)
        AG_TRY(check_accumulator(precision, product));
    return check_hadamard(precision);
}

/* --- for people */

static void describe_groups(char *text, size_t size, const ag_scheme *scheme)
{
    switch (scheme->granularity) {
    case AG_GRANULARITY_BLOCK:
        snprintf(text, size, "blocks of %dx%d", scheme->block_rows, scheme->block_cols);
        break;
    case AG_GRANULARITY_MX:
        snprintf(text, size, "MX blocks of %d", scheme->block_cols);
        break;
    case AG_GRANULARITY_NV:
        snprintf(text, size, "NVFP4 blocks of %dx%d", scheme->block_rows, scheme->block_cols);
        break;
    default:
        snprintf(text, size, "per %s",
                 scheme->granularity == AG_GRANULARITY_COL
                     ? "column"
                     : ag_granularity_words[scheme->granularity]);
    }
}

/* Says what differs from the usual, and leaves out the rest. */
static void describe_scale(char *text, size_t size, const ag_scheme *scheme)
{
    char groups[40];
    char history[16] = "";
    char margin[24] = "";
    describe_groups(groups, sizeof groups, scheme);
    if (ag_scheme_keeps_history(scheme))
        snprintf(history, sizeof history, " (%d)", scheme->history);
    if (scheme->margin != 0)
        snprintf(margin, sizeof margin, ", margin %d", scheme->margin);
    if (scheme->amax == AG_AMAX_NONE)
        snprintf(text, size, "no scale");
    else if (scheme->granularity == AG_GRANULARITY_NV)
        snprintf(text, size, "%s", groups);
    else if (scheme->granularity == AG_GRANULARITY_MX)
        snprintf(text, size, "%s, E8M0 scale (%s)", groups, ag_e8m0_words[scheme->e8m0]);
    else
        snprintf(text, size, "%s, %s amax%s%s%s", groups, ag_amax_words[scheme->amax], history,
                 margin, scheme->pow2 ? ", power-of-two scale" : "");
}

void ag_scheme_describe(char *text, size_t size, const ag_scheme *scheme)
{
    if (!scheme->quantised) {
        snprintf(text, size, "bf16");
        return;
    }
    char scale[128];
    describe_scale(scale, sizeof scale, scheme);
    snprintf(text, size, "%s, %s%s%s%s%s", scheme->format.name, scale,
             scheme->rounding == AG_ROUND_STOCHASTIC ? ", stochastic" : "",
             scheme->hadamard ? ", Hadamard transform" : "",
             scheme->overflow == AG_OVERFLOW_SPECIAL ? ", overflow to Inf or NaN" : "",
             scheme->ste == AG_STE_CLIP ? ", clipped gradient" : "");
}
