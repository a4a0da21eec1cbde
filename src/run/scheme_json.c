/* One operand's scheme as JSON. Members that were added after the first version stand only where
 * they have an effect, so that no earlier id changed. */
#include <stdio.h>
#include <string.h>

#include "numerics/code_table.h"
#include "params_internal.h"
#include "run/run_json.h"

/* --- writing */

void ag_json_add_word(ag_text *text, const char *name, const char *word)
{
    ag_text_add(text, name);
    ag_text_add(text, "\"");
    ag_text_add(text, word);
    ag_text_add(text, "\"");
}

static void add_real(ag_text *text, const char *before, float value)
{
    char real[32];
    ag_json_real(real, (double)value);
    ag_text_add(text, before);
    ag_text_add(text, real);
}

static void add_candidates(ag_text *text, const ag_scheme *scheme)
{
    for (int i = 0; i < scheme->n_candidates; i++)
        add_real(text, i == 0 ? ",\"candidates\":[" : ",", scheme->candidates[i]);
    if (scheme->n_candidates > 0)
        ag_text_add(text, "]");
}

/* From "candidates" to "format". */
static void add_selection(ag_text *text, const ag_scheme *scheme)
{
    add_candidates(text, scheme);
    if (scheme->channel != AG_CHANNEL_NONE)
        ag_json_add_word(text, ",\"channel\":", ag_channel_words[scheme->channel]);
    if (ag_scheme_scales(scheme) == AG_SCALE_E8M0)
        ag_json_add_word(text, ",\"e8m0\":", ag_e8m0_words[scheme->e8m0]);
    if (scheme->error != AG_ERROR_MAE)
        ag_json_add_word(text, ",\"error\":", ag_error_words[scheme->error]);
    ag_json_add_word(text, ",\"format\":", scheme->format.name);
    if (scheme->from_forward)
        ag_text_add(text, ",\"from\":\"forward\"");
}

/* From "rounding" on. */
static void add_last(ag_text *text, const ag_scheme *scheme)
{
    ag_json_add_word(text, ",\"rounding\":", ag_rounding_words[scheme->rounding]);
    if (scheme->scale != AG_SCALE_FLOAT)
        ag_json_add_word(text, ",\"scale\":", ag_scale_words[scheme->scale]);
    if (scheme->select != AG_SELECT_AMAX)
        ag_json_add_word(text, ",\"select\":", ag_select_words[scheme->select]);
    if (scheme->sigma > 0.0f)
        add_real(text, ",\"sigma\":", scheme->sigma);
    if (scheme->signs != AG_SIGNS_FIXED)
        ag_json_add_word(text, ",\"signs\":", ag_signs_words[scheme->signs]);
    if (scheme->sr_bits > 0)
        ag_text_printf(text, ",\"sr_bits\":%d", scheme->sr_bits);
    if (scheme->sr_variant != AG_SR_FLOOR)
        ag_json_add_word(text, ",\"sr_variant\":", ag_sr_words[scheme->sr_variant]);
    if (scheme->constant > 0.0f) {
        char fixed[AG_STATIC_TEXT];
        ag_static_write(fixed, scheme);
        ag_json_add_word(text, ",\"static\":", fixed);
    }
    ag_json_add_word(text, ",\"ste\":", ag_ste_words[scheme->ste]);
    if (scheme->outer != AG_OUTER_NONE)
        ag_json_add_word(text, ",\"tensor\":", ag_outer_words[scheme->outer]);
    if (scheme->top > 0.0f)
        add_real(text, ",\"top\":", scheme->top);
}

/* In the order of their names, as RFC 8785 asks. */
void ag_scheme_to_json(ag_text *text, const ag_scheme *scheme)
{
    if (!scheme->quantised) {
        ag_text_add(text, scheme->from_forward ? "{\"from\":\"forward\"}" : "null");
        return;
    }
    ag_json_add_word(text, "{\"amax\":", ag_amax_words[scheme->amax]);
    ag_text_printf(text, ",\"block_cols\":%d,\"block_rows\":%d", scheme->block_cols,
                   scheme->block_rows);
    add_selection(text, scheme);
    ag_json_add_word(text, ",\"granularity\":", ag_granularity_words[scheme->granularity]);
    if (scheme->hadamard == AG_LEAST_HADAMARD)
        ag_text_add(text, ",\"hadamard\":true");
    else if (scheme->hadamard > 0)
        ag_text_printf(text, ",\"hadamard\":%d", scheme->hadamard);
    ag_text_printf(text, ",\"history\":%d,\"margin\":%d", scheme->history, scheme->margin);
    ag_json_add_word(text, ",\"overflow\":", ag_overflow_words[scheme->overflow]);
    ag_text_add(text, scheme->pow2 ? ",\"pow2\":true" : ",\"pow2\":false");
    add_last(text, scheme);
    ag_text_add(text, "}");
}

/* --- reading */

/* Into ints first: enums may have any integer type, and the reader takes one. */
static ag_status read_words(ag_scheme *scheme, ag_json_at at)
{
    int amax = 0;
    int granularity = 0;
    int overflow = 0;
    int rounding = 0;
    int ste = 0;
    AG_TRY(ag_json_word(&amax, at, "amax", ag_amax_words, AG_AMAX_MODES));
    AG_TRY(ag_json_word(&granularity, at, "granularity", ag_granularity_words, AG_GRANULARITIES));
    AG_TRY(ag_json_word(&overflow, at, "overflow", ag_overflow_words, AG_OVERFLOWS));
    AG_TRY(ag_json_word(&rounding, at, "rounding", ag_rounding_words, AG_ROUNDINGS));
    AG_TRY(ag_json_word(&ste, at, "ste", ag_ste_words, AG_STES));
    scheme->amax = (ag_amax_mode)amax;
    scheme->granularity = (ag_granularity)granularity;
    scheme->overflow = (ag_overflow)overflow;
    scheme->rounding = (ag_rounding)rounding;
    scheme->ste = (ag_ste)ste;
    return AG_OK;
}

static ag_status read_numbers(ag_scheme *scheme, ag_json_at at)
{
    int64_t rows = 0;
    int64_t cols = 0;
    int64_t history = 0;
    int64_t margin = 0;
    AG_TRY(ag_json_whole(&rows, at, "block_rows", 0, AG_MOST_BLOCK_SIDE));
    AG_TRY(ag_json_whole(&cols, at, "block_cols", 0, AG_MOST_BLOCK_SIDE));
    AG_TRY(ag_json_whole(&history, at, "history", 0, AG_MOST_HISTORY));
    AG_TRY(ag_json_whole(&margin, at, "margin", -AG_MOST_MARGIN, AG_MOST_MARGIN));
    AG_TRY(ag_json_bool(&scheme->pow2, at, "pow2"));
    scheme->block_rows = (int)rows;
    scheme->block_cols = (int)cols;
    scheme->history = (int)history;
    scheme->margin = (int)margin;
    return AG_OK;
}

/* A word that stands only where it is not the first one. */
static ag_status read_further_word(int *out, ag_json_at at, const char *key,
                                   const char *const *words, size_t count)
{
    *out = 0;
    return json_object_get(at.object, key) == NULL ? AG_OK
                                                   : ag_json_word(out, at, key, words, count);
}

/* A float32 as the double that it is. */
static ag_status read_float(float *out, const json_t *value, ag_json_at at, const char *key)
{
    *out = (float)json_number_value(value);
    if (!json_is_number(value) || (double)*out != json_number_value(value))
        return ag_fail(AG_ERR_INPUT, "%s.%s: expected a number that float32 holds", at.path, key);
    return AG_OK;
}

static ag_status read_scales(ag_scheme *scheme, ag_json_at at)
{
    int e8m0 = 0;
    int scale = 0;
    int outer = 0;
    json_t *top = json_object_get(at.object, "top");
    AG_TRY(read_further_word(&scale, at, "scale", ag_scale_words, AG_SCALE_FORMATS));
    AG_TRY(read_further_word(&outer, at, "tensor", ag_outer_words, AG_OUTER_SCALES));
    scheme->scale = (ag_scale_format)scale;
    scheme->outer = (ag_outer_scale)outer;
    if (ag_scheme_scales(scheme) == AG_SCALE_E8M0)
        AG_TRY(ag_json_word(&e8m0, at, "e8m0", ag_e8m0_words, AG_E8M0_RULES));
    scheme->e8m0 = (ag_e8m0)e8m0;
    return top == NULL ? AG_OK : read_float(&scheme->top, top, at, "top");
}

static ag_status read_selection(ag_scheme *scheme, ag_json_at at)
{
    int select = 0;
    int error = 0;
    json_t *sigma = json_object_get(at.object, "sigma");
    json_t *candidates = json_object_get(at.object, "candidates");
    size_t count = json_array_size(candidates);
    AG_TRY(read_further_word(&select, at, "select", ag_select_words, AG_SELECTS));
    AG_TRY(read_further_word(&error, at, "error", ag_error_words, AG_BLOCK_ERRORS));
    scheme->select = (ag_select)select;
    scheme->error = (ag_block_error)error;
    if (sigma != NULL)
        AG_TRY(read_float(&scheme->sigma, sigma, at, "sigma"));
    if (candidates == NULL)
        return AG_OK;
    if (count < 2 || count > AG_MOST_CANDIDATES)
        return ag_fail(AG_ERR_INPUT, "%s.candidates: expected a list of 2 to %d numbers", at.path,
                       AG_MOST_CANDIDATES);
    for (size_t i = 0; i < count; i++)
        AG_TRY(read_float(&scheme->candidates[i], json_array_get(candidates, i), at, "candidates"));
    scheme->n_candidates = (int)count;
    return AG_OK;
}

/* A static scale as ag_static_write leaves it. */
static ag_status read_static(ag_scheme *scheme, ag_json_at at)
{
    const char *text = NULL;
    ag_amax_mode amax = scheme->amax;
    if (json_object_get(at.object, "static") == NULL)
        return AG_OK;
    AG_TRY(ag_json_text(&text, at, "static"));
    AG_TRY(ag_static_parse(scheme, text));
    scheme->amax = amax;
    return AG_OK;
}

static ag_status read_from(ag_scheme *scheme, ag_json_at at)
{
    static const char *const words[] = {"forward"};
    int from = 0;
    if (json_object_get(at.object, "from") == NULL)
        return AG_OK;
    AG_TRY(ag_json_word(&from, at, "from", words, 1));
    scheme->from_forward = true;
    return AG_OK;
}

static ag_status read_random_bits(ag_scheme *scheme, ag_json_at at)
{
    int variant = 0;
    int64_t bits = 0;
    if (json_object_get(at.object, "sr_bits") != NULL)
        AG_TRY(ag_json_whole(&bits, at, "sr_bits", 1, 32));
    AG_TRY(read_further_word(&variant, at, "sr_variant", ag_sr_words, AG_SR_VARIANTS));
    scheme->sr_bits = (int)bits;
    scheme->sr_variant = (ag_sr_variant)variant;
    return AG_OK;
}

/* true is 16, as it was before there were other sizes. */
static ag_status read_hadamard(ag_scheme *scheme, ag_json_at at)
{
    int signs = 0;
    int64_t size = AG_LEAST_HADAMARD;
    json_t *value = json_object_get(at.object, "hadamard");
    if (value != NULL && !json_is_true(value))
        AG_TRY(ag_json_whole(&size, at, "hadamard", AG_LEAST_HADAMARD + 1, AG_MOST_HADAMARD));
    AG_TRY(read_further_word(&signs, at, "signs", ag_signs_words, AG_SIGNS));
    scheme->hadamard = value != NULL ? (int)size : 0;
    scheme->signs = (ag_signs)signs;
    return AG_OK;
}

/* Members that stand only where they have an effect. */
static ag_status read_optional(ag_scheme *scheme, ag_json_at at)
{
    int channel = 0;
    AG_TRY(read_scales(scheme, at));
    AG_TRY(read_selection(scheme, at));
    AG_TRY(read_random_bits(scheme, at));
    AG_TRY(read_static(scheme, at));
    AG_TRY(read_hadamard(scheme, at));
    AG_TRY(read_further_word(&channel, at, "channel", ag_channel_words, AG_CHANNELS));
    scheme->channel = (ag_channel)channel;
    return AG_OK;
}

/* null is "not quantised" and must be said: a key left out would be a layer that somebody forgot.
 */
ag_status ag_scheme_from_json(ag_scheme *scheme, ag_json_at layer, const char *key)
{
    static const char *const known[] = {
        "amax",     "block_cols",  "block_rows", "candidates", "channel", "e8m0",     "error",
        "format",   "granularity", "hadamard",   "history",    "margin",  "overflow", "pow2",
        "rounding", "scale",       "select",     "sigma",      "signs",   "static",   "from",
        "sr_bits",  "sr_variant",  "ste",        "tensor",     "top",     NULL};
    json_t *value = NULL;
    *scheme = (ag_scheme){0};
    AG_TRY(ag_json_member(&value, layer, key));
    if (json_is_null(value))
        return AG_OK;
    char path[AG_KEY_PATH_SIZE];
    snprintf(path, sizeof path, "%s.%s", layer.path, key);
    ag_json_at at = {value, path};
    const char *format = NULL;
    AG_TRY(ag_json_known(at, known));
    AG_TRY(read_from(scheme, at));
    if (scheme->from_forward && json_object_size(value) == 1)
        return AG_OK;
    AG_TRY(ag_json_text(&format, at, "format"));
    AG_TRY(ag_element_parse(&scheme->format, format));
    AG_TRY(read_words(scheme, at));
    AG_TRY(read_numbers(scheme, at));
    AG_TRY(read_optional(scheme, at));
    scheme->quantised = true;
    return AG_OK;
}
