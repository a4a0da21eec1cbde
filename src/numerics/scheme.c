/* Schemes: the words of the experiment file, equality, and what this version can run. */
#include "numerics/scheme.h"

#include <stdio.h>
#include <string.h>

const char *const ag_granularity_words[AG_GRANULARITIES] = {"tensor", "row", "col",
                                                            "block",  "mx",  "nv"};
const char *const ag_amax_words[AG_AMAX_MODES] = {"none", "current", "windowed", "delayed"};
const char *const ag_rounding_words[AG_ROUNDINGS] = {"nearest", "stochastic"};
const char *const ag_overflow_words[AG_OVERFLOWS] = {"saturate", "special"};
const char *const ag_ste_words[AG_STES] = {"identity", "clip"};
const char *const ag_role_words[AG_ROLES] = {"weight", "input", "grad_output"};
const char *const ag_use_words[AG_ROLES][AG_USES] = {
    {"weight.fprop",      "weight.dgrad"     },
    {"input.fprop",       "input.wgrad"      },
    {"grad_output.dgrad", "grad_output.wgrad"},
};

enum { MAX_HISTORY = 65536, MAX_MARGIN = 64 };

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

static bool keeps_history(const ag_scheme *scheme)
{
    return scheme->amax == AG_AMAX_WINDOWED || scheme->amax == AG_AMAX_DELAYED;
}

/* BF16 without a scale is what an operand that is not quantised has. */
static bool is_bf16(const ag_scheme *scheme)
{
    return strcmp(scheme->format.name, "bf16") == 0 && scheme->amax == AG_AMAX_NONE &&
           scheme->rounding == AG_ROUND_NEAREST;
}

void ag_scheme_normalise(ag_scheme *scheme)
{
    if (!scheme->quantised || is_bf16(scheme)) {
        *scheme = (ag_scheme){0};
        return;
    }
    if (scheme->amax == AG_AMAX_WINDOWED && scheme->history == 1)
        scheme->amax = AG_AMAX_CURRENT;
    if (!keeps_history(scheme))
        scheme->history = 0;
    if (scheme->amax == AG_AMAX_NONE) {
        scheme->granularity = AG_GRANULARITY_TENSOR;
        scheme->margin = 0;
        scheme->pow2 = false;
    }
    if (scheme->granularity != AG_GRANULARITY_BLOCK) {
        scheme->block_rows = 0;
        scheme->block_cols = 0;
    }
    if (scheme->format.kind == AG_KIND_F) /* has no code for an overflow */
        scheme->overflow = AG_OVERFLOW_SATURATE;
}

/* A format's name is its whole meaning. */
bool ag_scheme_equal(const ag_scheme *a, const ag_scheme *b)
{
    return a->quantised == b->quantised && strcmp(a->format.name, b->format.name) == 0 &&
           a->granularity == b->granularity && a->block_rows == b->block_rows &&
           a->block_cols == b->block_cols && a->amax == b->amax && a->history == b->history &&
           a->margin == b->margin && a->pow2 == b->pow2 && a->rounding == b->rounding &&
           a->overflow == b->overflow && a->ste == b->ste;
}

static ag_status check_scale(const ag_scheme *scheme)
{
    if (scheme->granularity != AG_GRANULARITY_TENSOR)
        return ag_fail(AG_ERR_INPUT,
                       "granularity '%s' is not available in this version; use 'tensor'",
                       ag_granularity_words[scheme->granularity]);
    if (scheme->amax != AG_AMAX_NONE && scheme->format.exponent == 8)
        return ag_fail(AG_ERR_INPUT, "%s has float32's range and takes no scale; use amax 'none'",
                       scheme->format.name);
    if (keeps_history(scheme) && (scheme->history < 1 || scheme->history > MAX_HISTORY))
        return ag_fail(AG_ERR_INPUT, "history is %d: %s amax keeps 1 to %d values (usual: 16)",
                       scheme->history, ag_amax_words[scheme->amax], MAX_HISTORY);
    if (scheme->margin < -MAX_MARGIN || scheme->margin > MAX_MARGIN)
        return ag_fail(AG_ERR_INPUT, "margin is %d: expected -%d to %d", scheme->margin, MAX_MARGIN,
                       MAX_MARGIN);
    return AG_OK;
}

ag_status ag_scheme_check(const ag_scheme *scheme)
{
    if (!scheme->quantised)
        return AG_OK;
    if (scheme->format.bits == 32)
        return ag_fail(AG_ERR_INPUT, "fp32 is a precision of the whole run, not of one operand; "
                                     "list the format FP32 by itself");
    return check_scale(scheme);
}

static void describe_scale(char *text, size_t size, const ag_scheme *scheme)
{
    if (scheme->amax == AG_AMAX_NONE) {
        snprintf(text, size, "no scale");
        return;
    }
    char block[32] = "";
    char history[32] = "";
    char margin[32] = "";
    if (scheme->granularity == AG_GRANULARITY_BLOCK)
        snprintf(block, sizeof block, " %dx%d", scheme->block_rows, scheme->block_cols);
    if (keeps_history(scheme))
        snprintf(history, sizeof history, " (%d)", scheme->history);
    if (scheme->margin != 0)
        snprintf(margin, sizeof margin, ", margin %d", scheme->margin);
    snprintf(text, size, "per %s%s, %s amax%s%s%s", ag_granularity_words[scheme->granularity],
             block, ag_amax_words[scheme->amax], history, margin,
             scheme->pow2 ? ", power-of-two scale" : "");
}

void ag_scheme_describe(char *text, size_t size, const ag_scheme *scheme)
{
    if (!scheme->quantised) {
        snprintf(text, size, "bf16");
        return;
    }
    char scale[128];
    describe_scale(scale, sizeof scale, scheme);
    snprintf(text, size, "%s, %s%s%s%s", scheme->format.name, scale,
             scheme->rounding == AG_ROUND_STOCHASTIC ? ", stochastic" : "",
             scheme->overflow == AG_OVERFLOW_SPECIAL ? ", overflow to Inf or NaN" : "",
             scheme->ste == AG_STE_CLIP ? ", clipped gradient" : "");
}
