/* Scales of blocks: how they are stored, whose scale they are relative to, and how they are chosen.
 * What follows from the fields of a scheme for its blocks; scheme.c has the rest. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "numerics/scheme.h"
#include "numerics_internal.h"

bool ag_scheme_has_blocks(const ag_scheme *scheme)
{
    return scheme->granularity == AG_GRANULARITY_BLOCK ||
           scheme->granularity == AG_GRANULARITY_MX || scheme->granularity == AG_GRANULARITY_NV;
}

/* MX and NVFP4: their scales are no float32 and have rules of their own. */
static bool has_block_format(const ag_scheme *scheme)
{
    return scheme->granularity == AG_GRANULARITY_MX || scheme->granularity == AG_GRANULARITY_NV;
}

ag_scale_format ag_scheme_scales(const ag_scheme *scheme)
{
    if (scheme->granularity == AG_GRANULARITY_MX)
        return AG_SCALE_E8M0;
    return scheme->granularity == AG_GRANULARITY_NV ? AG_SCALE_E4M3 : scheme->scale;
}

bool ag_scheme_has_float8_scales(const ag_scheme *scheme)
{
    return ag_scheme_scales(scheme) >= AG_SCALE_E4M3;
}

ag_outer_scale ag_scheme_outer(const ag_scheme *scheme)
{
    return scheme->granularity == AG_GRANULARITY_NV ? AG_OUTER_TENSOR : scheme->outer;
}

bool ag_scheme_is_scaled_after(const ag_scheme *scheme)
{
    return scheme->granularity == AG_GRANULARITY_TENSOR ||
           scheme->granularity == AG_GRANULARITY_ROW;
}

bool ag_scheme_has_row_factors(const ag_scheme *scheme)
{
    return scheme->quantised &&
           (scheme->granularity == AG_GRANULARITY_ROW || ag_scheme_outer(scheme) == AG_OUTER_ROW);
}

/* UE5M3 has 8 bits of magnitude and no sign; with one it is e5m3fn. */
ag_format ag_scale_format_of(ag_scale_format scale)
{
    static const char *const names[AG_SCALE_FORMATS] = {
        [AG_SCALE_E4M3] = "e4m3fn", [AG_SCALE_UE5M3] = "e5m3fn", [AG_SCALE_E5M2] = "e5m2ieee"};
    ag_format format;
    ag_format_parse(&format, names[scale]);
    return format;
}

/* fl(17/16 * 0.93), that of Quartet II. */
static const float s_sigma = 0x1.f9eb86p-1f;

float ag_scheme_sigma(const ag_scheme *scheme)
{
    return scheme->sigma > 0.0f ? scheme->sigma : s_sigma;
}

static float default_top(const ag_scheme *scheme)
{
    ag_format format = ag_scale_format_of(ag_scheme_scales(scheme));
    bool leaves_room = scheme->select == AG_SELECT_FOUR_SIX || scheme->select == AG_SELECT_EDEN;
    return leaves_room ? 256.0f : format.max;
}

float ag_scheme_top(const ag_scheme *scheme)
{
    return scheme->top > 0.0f ? scheme->top : default_top(scheme);
}

bool ag_scheme_adds_errors(const ag_scheme *scheme)
{
    return scheme->select == AG_SELECT_FOUR_SIX || scheme->select == AG_SELECT_MSE;
}

/* --- one scheme for one meaning */

/* MX and NVFP4 are open schemes that have a name. */
static void name_blocks(ag_scheme *scheme)
{
    int rows = scheme->block_rows;
    int cols = scheme->block_cols;
    if (scheme->granularity != AG_GRANULARITY_BLOCK)
        return;
    if (scheme->scale == AG_SCALE_E8M0 && rows == 1 && cols == AG_MX_BLOCK)
        scheme->granularity = AG_GRANULARITY_MX;
    if (scheme->scale == AG_SCALE_E4M3 && scheme->outer == AG_OUTER_TENSOR && cols == AG_NV_BLOCK &&
        (rows == 1 || rows == AG_NV_BLOCK) && strcmp(scheme->format.name, "e2m1f") == 0)
        scheme->granularity = AG_GRANULARITY_NV;
}

static void normalise_selection(ag_scheme *scheme)
{
    if (scheme->select == AG_SELECT_MSE && scheme->n_candidates < 2)
        scheme->select = AG_SELECT_AMAX;
    if (!ag_scheme_adds_errors(scheme))
        scheme->error = AG_ERROR_MAE;
    if (scheme->select != AG_SELECT_EDEN || scheme->sigma == s_sigma)
        scheme->sigma = 0.0f;
    if (scheme->select == AG_SELECT_QUEST)
        scheme->e8m0 = AG_E8M0_FLOOR;
    if (scheme->select != AG_SELECT_MSE)
        scheme->n_candidates = 0;
    for (int i = scheme->n_candidates; i < AG_MOST_CANDIDATES; i++)
        scheme->candidates[i] = 0.0f;
}

void ag_scheme_normalise_blocks(ag_scheme *scheme)
{
    name_blocks(scheme);
    normalise_selection(scheme);
    if (ag_scheme_outer(scheme) == AG_OUTER_NONE || ag_scheme_top(scheme) == default_top(scheme))
        scheme->top = 0.0f;
    if (scheme->granularity != AG_GRANULARITY_BLOCK) {
        scheme->scale = AG_SCALE_FLOAT;
        scheme->outer = AG_OUTER_NONE;
    }
    if (ag_scheme_scales(scheme) >= AG_SCALE_E8M0)
        scheme->pow2 = false;
    if (ag_scheme_scales(scheme) != AG_SCALE_E8M0)
        scheme->e8m0 = AG_E8M0_FLOOR;
    if (scheme->granularity == AG_GRANULARITY_BLOCK && ag_scheme_has_float8_scales(scheme))
        scheme->overflow = AG_OVERFLOW_SATURATE; /* elements are clamped before they are rounded */
}

/* --- what contradicts itself */

/* Sizes that the formats fix, and limits that keep an index in range. */
ag_status ag_scheme_check_blocks(const ag_scheme *scheme)
{
    int rows = scheme->block_rows;
    int cols = scheme->block_cols;
    if (scheme->granularity == AG_GRANULARITY_BLOCK &&
        (rows < 1 || cols < 1 || rows > AG_MOST_BLOCK_SIDE || cols > AG_MOST_BLOCK_SIDE))
        return ag_fail(AG_ERR_INPUT, "blocks are %dx%d: expected 1x1 to %dx%d (usual: 1x128)", rows,
                       cols, AG_MOST_BLOCK_SIDE, AG_MOST_BLOCK_SIDE);
    if (scheme->granularity == AG_GRANULARITY_MX && (rows != 1 || cols != AG_MX_BLOCK))
        return ag_fail(AG_ERR_INPUT,
                       "MX blocks are 1x%d, not %dx%d; for any other size say granularity '%dx%d' "
                       "and scale 'e8m0rceil' (or 'fp32')",
                       AG_MX_BLOCK, rows, cols, rows, cols);
    if (scheme->granularity == AG_GRANULARITY_NV &&
        (cols != AG_NV_BLOCK || (rows != 1 && rows != AG_NV_BLOCK)))
        return ag_fail(AG_ERR_INPUT, "NVFP4 blocks are 1x16 or 16x16, not %dx%d", rows, cols);
    return AG_OK;
}

/* MX and NVFP4 leave open neither how a scale is found nor, for NVFP4, what is scaled. */
static ag_status check_named_blocks(const ag_scheme *scheme)
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
                       "granularity 'nv' is NVFP4's, whose elements are e2m1f; its "
                       "scales for %s are granularity '%dx%d', scale 'e4m3', tensor 'tensor'",
                       scheme->format.name, scheme->block_rows, scheme->block_cols);
    return AG_OK;
}

/* What float32 scales have and others do not. */
static ag_status check_open_blocks(const ag_scheme *scheme)
{
    const char *word = ag_scale_words[scheme->scale];
    if (scheme->scale == AG_SCALE_FLOAT)
        return AG_OK;
    if (!ag_scheme_has_blocks(scheme))
        return ag_fail(AG_ERR_INPUT,
                       "scale '%s' is for blocks: granularity '1x32' or the like, not '%s'", word,
                       ag_granularity_words[scheme->granularity]);
    if (scheme->amax != AG_AMAX_CURRENT)
        return ag_fail(AG_ERR_INPUT,
                       "scale '%s' is found from each block's current amax; amax '%s' is for "
                       "granularity 'tensor'",
                       word, ag_amax_words[scheme->amax]);
    if (scheme->margin != 0)
        return ag_fail(AG_ERR_INPUT, "scale '%s' takes no margin; scale 'fp32' and 'pow2' do",
                       word);
    if (scheme->pow2)
        return ag_fail(AG_ERR_INPUT,
                       "pow2 is for float32 scales, not for scale '%s'; say scale 'pow2'", word);
    return AG_OK;
}

static ag_status check_outer(const ag_scheme *scheme)
{
    bool is_float8 = ag_scheme_has_float8_scales(scheme);
    if (scheme->outer != AG_OUTER_NONE && !is_float8)
        return ag_fail(AG_ERR_INPUT,
                       "tensor '%s' is for blocks with 8-bit float scales: scale 'e4m3', 'ue5m3' "
                       "or 'e5m2'",
                       ag_outer_words[scheme->outer]);
    if (scheme->outer == AG_OUTER_ROW && scheme->block_rows != 1)
        return ag_fail(AG_ERR_INPUT,
                       "tensor 'row' has one scale a row, and blocks of %dx%d span several; use "
                       "blocks of 1x%d",
                       scheme->block_rows, scheme->block_cols, scheme->block_cols);
    if (scheme->top == 0.0f)
        return AG_OK;
    if (ag_scheme_outer(scheme) == AG_OUTER_NONE)
        return ag_fail(AG_ERR_INPUT,
                       "top has no effect without a scale of the tensor; add tensor 'tensor'");
    float largest = ag_scale_format_of(ag_scheme_scales(scheme)).max;
    if (!(scheme->top > 0.0f && scheme->top <= largest))
        return ag_fail(
            AG_ERR_INPUT, "top is %.9g: expected above 0 and at most %.9g, the largest %s",
            (double)scheme->top, (double)largest, ag_scale_words[ag_scheme_scales(scheme)]);
    return AG_OK;
}

static ag_status check_four_six(const ag_scheme *scheme)
{
    ag_scale_format scale = ag_scheme_scales(scheme);
    bool is_possible = (scale == AG_SCALE_E4M3 || scale == AG_SCALE_UE5M3) &&
                       ag_scheme_outer(scheme) != AG_OUTER_NONE;
    if (strcmp(scheme->format.name, "e2m1f") != 0 || !is_possible)
        return ag_fail(AG_ERR_INPUT,
                       "select '4/6' is for e2m1 in blocks with scale 'e4m3' or 'ue5m3' and a "
                       "scale of the tensor, such as nv");
    return AG_OK;
}

static bool is_power_of_two(float x)
{
    int exponent;
    return frexpf(x, &exponent) == 0.5f;
}

static ag_status check_candidates(const ag_scheme *scheme)
{
    if (scheme->n_candidates < 2)
        return ag_fail(AG_ERR_INPUT,
                       "select 'mse' needs 'candidates': factors of the block's scale to try, 1 "
                       "first, as in candidates: [1, 1.5, 0.875]");
    if (scheme->scale == AG_SCALE_ABSMAX)
        return ag_fail(AG_ERR_INPUT, "select 'mse' is not for scale 'absmax'; use 'fp32'");
    for (int i = 0; i < scheme->n_candidates; i++) {
        float k = scheme->candidates[i];
        if (!(k >= 0x1p-16f && k <= 0x1p16f))
            return ag_fail(AG_ERR_INPUT, "candidate %.9g: expected a number from 2^-16 to 2^16",
                           (double)k);
        if (i == 0 && k != 1.0f)
            return ag_fail(AG_ERR_INPUT, "the first candidate is %.9g: expected 1, the amax's own",
                           (double)k);
        if (ag_scheme_scales(scheme) == AG_SCALE_E8M0 && !is_power_of_two(k))
            return ag_fail(AG_ERR_INPUT,
                           "candidate %.9g: scales in E8M0 take powers of two, such as 2 and 0.5",
                           (double)k);
    }
    return AG_OK;
}

static ag_status check_eden(const ag_scheme *scheme)
{
    ag_scale_format scale = ag_scheme_scales(scheme);
    bool is_possible = (scale == AG_SCALE_E4M3 || scale == AG_SCALE_UE5M3) &&
                       ag_scheme_outer(scheme) != AG_OUTER_NONE && scheme->block_rows == 1;
    if (!is_possible)
        return ag_fail(AG_ERR_INPUT, "select 'eden' is for blocks of 1xC with scale 'e4m3' or "
                                     "'ue5m3' and a scale of the tensor, such as nv");
    if (scheme->rounding != AG_ROUND_NEAREST)
        return ag_fail(AG_ERR_INPUT, "select 'eden' rounds elements to nearest and its scales "
                                     "stochastically; say rounding 'nearest'");
    if (scheme->hadamard == 0 || scheme->signs != AG_SIGNS_STEP ||
        scheme->hadamard % scheme->block_cols != 0)
        return ag_fail(AG_ERR_INPUT,
                       "select 'eden' is for runs rotated by signs of the step, of whole blocks of "
                       "1x%d; add 'hadamard: {size: 128, products: [..], signs: step}'",
                       scheme->block_cols);
    if (!(scheme->sigma == 0.0f || (scheme->sigma >= 0.5f && scheme->sigma <= 2.0f)))
        return ag_fail(AG_ERR_INPUT, "sigma is %.9g: expected 0.5 to 2 (usual: 0.988125)",
                       (double)scheme->sigma);
    return AG_OK;
}

static ag_status check_quest(const ag_scheme *scheme)
{
    bool is_mx = ag_scheme_scales(scheme) == AG_SCALE_E8M0 && scheme->block_rows == 1 &&
                 scheme->block_cols == AG_MX_BLOCK;
    if (strcmp(scheme->format.name, "e2m1f") != 0 || !is_mx || scheme->hadamard != AG_MX_BLOCK)
        return ag_fail(AG_ERR_INPUT,
                       "select 'quest' is for e2m1 in MX blocks of 32 that are rotated as such: "
                       "e2m1/mx with 'hadamard: {size: 32, products: [..]}'");
    return AG_OK;
}

static ag_status check_selection(const ag_scheme *scheme)
{
    const char *word = ag_select_words[scheme->select];
    if (scheme->select == AG_SELECT_AMAX)
        return AG_OK;
    if (!ag_scheme_has_blocks(scheme))
        return ag_fail(AG_ERR_INPUT,
                       "select '%s' is for blocks: granularity '1x32' or the like, not '%s'", word,
                       ag_granularity_words[scheme->granularity]);
    if (scheme->block_rows > AG_MOST_SELECT_LINES)
        return ag_fail(AG_ERR_INPUT, "select '%s' takes blocks of up to %d rows, not %d", word,
                       AG_MOST_SELECT_LINES, scheme->block_rows);
    switch (scheme->select) {
    case AG_SELECT_FOUR_SIX:
        return check_four_six(scheme);
    case AG_SELECT_EDEN:
        return check_eden(scheme);
    case AG_SELECT_QUEST:
        return check_quest(scheme);
    default:
        return check_candidates(scheme);
    }
}

ag_status ag_scheme_check_scales(const ag_scheme *scheme)
{
    AG_TRY(check_named_blocks(scheme));
    AG_TRY(check_open_blocks(scheme));
    AG_TRY(check_outer(scheme));
    return check_selection(scheme);
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

/* float32 scales: says what differs from the usual, and leaves out the rest. */
static void describe_float(char *text, size_t size, const ag_scheme *scheme)
{
    char history[16] = "";
    char margin[24] = "";
    if (ag_scheme_keeps_history(scheme))
        snprintf(history, sizeof history, " (%d)", scheme->history);
    if (scheme->margin != 0)
        snprintf(margin, sizeof margin, ", margin %d", scheme->margin);
    snprintf(text, size, ", %s amax%s%s%s%s", ag_amax_words[scheme->amax], history, margin,
             scheme->pow2 ? ", power-of-two scale" : "",
             scheme->scale == AG_SCALE_ABSMAX ? ", times amax / max" : "");
}

static void describe_stored(char *text, size_t size, const ag_scheme *scheme)
{
    static const char *const of[AG_OUTER_SCALES] = {"", ", relative to the tensor's",
                                                    ", relative to the row's"};
    char top[32] = "";
    if (scheme->top > 0.0f)
        snprintf(top, sizeof top, ", top %g", (double)scheme->top);
    if (ag_scheme_scales(scheme) == AG_SCALE_E8M0)
        snprintf(text, size, ", E8M0 scale (%s)", ag_e8m0_words[scheme->e8m0]);
    else if (scheme->granularity == AG_GRANULARITY_NV)
        snprintf(text, size, "%s", top);
    else
        snprintf(text, size, ", %s scale%s%s", ag_scale_words[scheme->scale], of[scheme->outer],
                 top);
}

static void describe_selection(char *text, size_t size, const ag_scheme *scheme)
{
    bool has_errors = ag_scheme_adds_errors(scheme);
    int length =
        snprintf(text, size, ", %s%s%s", ag_select_words[scheme->select], has_errors ? " by " : "",
                 has_errors ? ag_error_words[scheme->error] : "");
    for (int i = 0; i < scheme->n_candidates && length >= 0 && (size_t)length < size; i++)
        length += snprintf(text + length, size - (size_t)length, "%s%g", i == 0 ? " of " : ", ",
                           (double)scheme->candidates[i]);
}

void ag_scheme_describe_scale(char *text, size_t size, const ag_scheme *scheme)
{
    char groups[40];
    char stored[96];
    char selection[96] = "";
    describe_groups(groups, sizeof groups, scheme);
    if (ag_scheme_scales(scheme) >= AG_SCALE_E8M0)
        describe_stored(stored, sizeof stored, scheme);
    else
        describe_float(stored, sizeof stored, scheme);
    if (scheme->select != AG_SELECT_AMAX)
        describe_selection(selection, sizeof selection, scheme);
    char fixed[AG_STATIC_TEXT];
    ag_static_write(fixed, scheme);
    if (scheme->constant > 0.0f)
        snprintf(text, size, "static scale %s%s", fixed, scheme->pow2 ? ", as a power of two" : "");
    else if (scheme->amax == AG_AMAX_NONE)
        snprintf(text, size, "no scale");
    else
        snprintf(text, size, "%s%s%s", groups, stored, selection);
}
