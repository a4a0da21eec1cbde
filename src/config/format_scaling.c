/* `scaling` of a format: which elements share a scale, how it is found, stored and chosen. Each key
 * edits the quantised schemes of the format; what the schemes then contradict is told by
 * ag_scheme_check, and a key that changes nothing here. */
#include <stdlib.h>
#include <string.h>

#include "layer_formats.h"

/* A role that is not quantised has no scales: keys for all roles pass it over. */
void ag_role_edit(ag_layer_precision *precision, int role, ag_scheme_edit *edit, const void *value)
{
    for (int use = 0; use < AG_USES; use++) {
        if (precision->scheme[role][use].quantised)
            edit(&precision->scheme[role][use], value);
    }
}

void ag_precision_edit(ag_layer_precision *precision, ag_scheme_edit *edit, const void *value)
{
    for (int role = 0; role < AG_ROLES; role++)
        ag_role_edit(precision, role, edit, value);
}

/* By this a key is told to be without effect, rather than to be taken in silence. */
bool ag_precision_has(const ag_layer_precision *precision, bool (*is)(const ag_scheme *scheme))
{
    for (int i = 0; i < AG_ROLES * AG_USES; i++) {
        const ag_scheme *scheme = &precision->scheme[i / AG_USES][i % AG_USES];
        if (scheme->quantised && is(scheme))
            return true;
    }
    return false;
}

/* --- which elements share a scale */

/* A granularity that is known. */
static void edit_granularity(ag_scheme *scheme, const void *value)
{
    ag_scheme_set_granularity(scheme, value);
}

/* Tried on a scheme of no use first, so that an unknown word is one message and not six. */
static void apply_granularity(ag_layer_precision *precision, ag_findings *findings,
                              const ag_node *node)
{
    const char *word = NULL;
    ag_scheme unused = {0};
    if (!ag_node_text(&word, findings, node, "scaling.granularity"))
        return;
    if (ag_scheme_set_granularity(&unused, word) != AG_OK)
        ag_config_failed(findings, node->place);
    else
        ag_precision_edit(precision, edit_granularity, word);
}

/* --- amaxes */

/* Windowed and delayed scaling bring a history of the usual length, unless one is given. */
static void edit_amax(ag_scheme *scheme, const void *value)
{
    scheme->amax = (ag_amax_mode) * (const int *)value;
    if (ag_scheme_keeps_history(scheme) && scheme->history == 0)
        scheme->history = AG_DEFAULT_HISTORY;
}

static void edit_history(ag_scheme *scheme, const void *value)
{
    scheme->history = *(const int *)value;
}

static void edit_margin(ag_scheme *scheme, const void *value)
{
    scheme->margin = *(const int *)value;
}

static void edit_pow2(ag_scheme *scheme, const void *value)
{
    scheme->pow2 = *(const bool *)value;
}

/* A history without windowed or delayed scaling would have no effect. */
static void apply_history(ag_layer_precision *precision, ag_findings *findings, const ag_node *node)
{
    int value = 0;
    if (!ag_node_int_within(&value, findings, node, "scaling.history", 1, AG_MOST_HISTORY))
        return;
    if (!ag_precision_has(precision, ag_scheme_keeps_history))
        ag_config_error(findings, node->place,
                        "scaling.history has no effect here: it needs 'amax: delayed' or 'amax: "
                        "windowed'");
    ag_precision_edit(precision, edit_history, &value);
}

/* Returns false when the amax mode is wrong, so that nothing is to be said of its history. */
static bool apply_amax(ag_layer_precision *precision, ag_findings *findings, const ag_node *node)
{
    int word = 0;
    if (!ag_node_word(&word, findings, node, "scaling.amax", ag_amax_words, AG_AMAX_MODES))
        return false;
    ag_precision_edit(precision, edit_amax, &word);
    return true;
}

static void edit_channel(ag_scheme *scheme, const void *value)
{
    scheme->channel = (ag_channel) * (const int *)value;
}

/* Of the input alone, which other tensors tell of. */
static void apply_channel(ag_layer_precision *precision, ag_findings *findings, const ag_node *node)
{
    int word = 0;
    const ag_scheme *input = precision->scheme[AG_ROLE_INPUT];
    if (!ag_node_word(&word, findings, node, "scaling.channel", ag_channel_words, AG_CHANNELS))
        return;
    if (word != AG_CHANNEL_NONE && !input[0].quantised && !input[1].quantised)
        ag_config_error(findings, node->place,
                        "scaling.channel has no effect here: it is for input, which is BF16");
    ag_role_edit(precision, AG_ROLE_INPUT, edit_channel, &word);
}

/* --- how scales are stored */

/* The first scheme that does not take it tells why, for all. */
static void apply_text(ag_layer_precision *precision, ag_findings *findings, const ag_node *node,
                       const char *text, ag_status (*set)(ag_scheme *scheme, const char *text))
{
    for (int i = 0; i < AG_ROLES * AG_USES; i++) {
        ag_scheme *scheme = &precision->scheme[i / AG_USES][i % AG_USES];
        if (!scheme->quantised || set(scheme, text) == AG_OK)
            continue;
        ag_config_failed(findings, node->place);
        return;
    }
}

/* "static" takes its number from the key of that name; a number is a static scale of its own. */
static void apply_scale(ag_layer_precision *precision, ag_findings *findings, const ag_node *node,
                        const ag_node *fixed)
{
    const char *word = NULL;
    if (!ag_node_text(&word, findings, node, "scaling.scale"))
        return;
    if (strcmp(word, "static") == 0 && fixed == NULL)
        ag_config_error(findings, node->place,
                        "scale 'static' needs its number: static: 50, or '2*sqrt(fan_in)'");
    else if (*word >= '0' && *word <= '9')
        apply_text(precision, findings, node, word, ag_static_parse);
    else if (strcmp(word, "static") != 0)
        apply_text(precision, findings, node, word, ag_scheme_set_scale);
}

/* A number, or a rule of the layer's sizes such as 2*sqrt(fan_in); ag_static_parse knows both. */
static void apply_static(ag_layer_precision *precision, ag_findings *findings, const ag_node *node,
                         const ag_node *scale)
{
    const char *text = NULL;
    if (!ag_node_text(&text, findings, node, "scaling.static"))
        return;
    if (scale == NULL || scale->text == NULL || strcmp(scale->text, "static") != 0)
        ag_config_error(findings, node->place, "scaling.static needs 'scale: static' beside it");
    else
        apply_text(precision, findings, node, text, ag_static_parse);
}

static bool has_e8m0(const ag_scheme *scheme)
{
    return ag_scheme_scales(scheme) == AG_SCALE_E8M0;
}

static void edit_e8m0(ag_scheme *scheme, const void *value)
{
    scheme->e8m0 = (ag_e8m0) * (const int *)value;
}

static void apply_e8m0(ag_layer_precision *precision, ag_findings *findings, const ag_node *node)
{
    int word = 0;
    if (!ag_node_word(&word, findings, node, "scaling.e8m0", ag_e8m0_words, AG_E8M0_RULES))
        return;
    if (!ag_precision_has(precision, has_e8m0))
        ag_config_error(findings, node->place,
                        "scaling.e8m0 has no effect here: it needs 'granularity: mx', or blocks "
                        "with 'scale: e8m0floor'");
    ag_precision_edit(precision, edit_e8m0, &word);
}

/* NVFP4 under another scale than the tensor's is 16 elements with E4M3 scales. */
static void edit_outer(ag_scheme *scheme, const void *value)
{
    ag_outer_scale outer = (ag_outer_scale) * (const int *)value;
    if (scheme->granularity == AG_GRANULARITY_NV) {
        scheme->granularity = AG_GRANULARITY_BLOCK;
        scheme->scale = AG_SCALE_E4M3;
        scheme->pow2 = false;
    }
    scheme->outer = outer;
}

/* --- how they are chosen */

static void edit_top(ag_scheme *scheme, const void *value)
{
    scheme->top = *(const float *)value;
}

static void edit_sigma(ag_scheme *scheme, const void *value)
{
    scheme->sigma = *(const float *)value;
}

static bool has_sigma(const ag_scheme *scheme)
{
    return scheme->select == AG_SELECT_EDEN;
}

/* Unless `error` says another: squared for mse, absolute for 4/6. */
static void edit_select(ag_scheme *scheme, const void *value)
{
    scheme->select = (ag_select) * (const int *)value;
    scheme->error = scheme->select == AG_SELECT_MSE ? AG_ERROR_MSE : AG_ERROR_MAE;
}

static void edit_error(ag_scheme *scheme, const void *value)
{
    scheme->error = (ag_block_error) * (const int *)value;
}

static void edit_candidates(ag_scheme *scheme, const void *value)
{
    const ag_scheme *from = value;
    scheme->n_candidates = from->n_candidates;
    memcpy(scheme->candidates, from->candidates, sizeof scheme->candidates);
}

static bool has_candidates(const ag_scheme *scheme)
{
    return scheme->select == AG_SELECT_MSE;
}

/* A float32, read as such: what is rounded is told from what was meant by nobody. */
static bool read_float(float *out, ag_findings *findings, const ag_node *node, const char *what)
{
    const char *text = NULL;
    char *end = NULL;
    if (!ag_node_text(&text, findings, node, what))
        return false;
    *out = strtof(text, &end);
    if (end != text && *end == '\0' && *out - *out == 0.0f)
        return true;
    ag_config_error(findings, node->place, "%s: '%.60s' is not a number", what, text);
    return false;
}

/* The first is the scale as amax gives it; a single one would be no choice. */
static void apply_candidates(ag_layer_precision *precision, ag_findings *findings,
                             const ag_node *node)
{
    ag_scheme read = {0};
    if (!ag_node_is(findings, node, AG_NODE_LIST, "scaling.candidates"))
        return;
    if (node->count < 2 || node->count > AG_MOST_CANDIDATES) {
        ag_config_error(findings, node->place, "scaling.candidates takes 2 to %d numbers, 1 first",
                        AG_MOST_CANDIDATES);
        return;
    }
    for (size_t i = 0; i < node->count; i++) {
        if (!read_float(&read.candidates[i], findings, node->items[i], "a candidate"))
            return;
    }
    read.n_candidates = (int)node->count;
    if (!ag_precision_has(precision, has_candidates))
        ag_config_error(findings, node->place,
                        "scaling.candidates has no effect here: it needs 'select: mse'");
    ag_precision_edit(precision, edit_candidates, &read);
}

static void apply_sigma(ag_layer_precision *precision, ag_findings *findings, const ag_node *node)
{
    float sigma = 0.0f;
    if (!read_float(&sigma, findings, node, "scaling.sigma"))
        return;
    if (!ag_precision_has(precision, has_sigma))
        ag_config_error(findings, node->place,
                        "scaling.sigma has no effect here: it needs 'select: eden'");
    ag_precision_edit(precision, edit_sigma, &sigma);
}

/* `select` first: whether the other keys have an effect depends on it. */
static void apply_selection(ag_layer_precision *precision, ag_findings *findings,
                            const ag_node *node)
{
    const ag_node *part;
    int word = 0;
    if ((part = ag_node_get(node, "select")) != NULL &&
        ag_node_word(&word, findings, part, "scaling.select", ag_select_words, AG_SELECTS))
        ag_precision_edit(precision, edit_select, &word);
    if ((part = ag_node_get(node, "candidates")) != NULL)
        apply_candidates(precision, findings, part);
    if ((part = ag_node_get(node, "sigma")) != NULL)
        apply_sigma(precision, findings, part);
    if ((part = ag_node_get(node, "error")) == NULL ||
        !ag_node_word(&word, findings, part, "scaling.error", ag_error_words, AG_BLOCK_ERRORS))
        return;
    if (!ag_precision_has(precision, ag_scheme_adds_errors))
        ag_config_error(findings, part->place,
                        "scaling.error has no effect here: it needs 'select: 4/6' or 'select: "
                        "mse'");
    ag_precision_edit(precision, edit_error, &word);
}

/* `scale` and `static` each look for the other: neither means anything alone. */
static void apply_stored(ag_layer_precision *precision, ag_findings *findings, const ag_node *node)
{
    const ag_node *part;
    int word = 0;
    float top = 0.0f;
    if ((part = ag_node_get(node, "scale")) != NULL)
        apply_scale(precision, findings, part, ag_node_get(node, "static"));
    if ((part = ag_node_get(node, "static")) != NULL)
        apply_static(precision, findings, part, ag_node_get(node, "scale"));
    if ((part = ag_node_get(node, "e8m0")) != NULL)
        apply_e8m0(precision, findings, part);
    if ((part = ag_node_get(node, "tensor")) != NULL &&
        ag_node_word(&word, findings, part, "scaling.tensor", ag_outer_words, AG_OUTER_SCALES))
        ag_precision_edit(precision, edit_outer, &word);
    if ((part = ag_node_get(node, "top")) == NULL ||
        !read_float(&top, findings, part, "scaling.top"))
        return;
    if (top <= 0.0f)
        ag_config_error(findings, part->place, "scaling.top is %g: expected a number above 0",
                        (double)top);
    ag_precision_edit(precision, edit_top, &top);
}

/* The granularity first: it brings defaults of its own, which the other keys may change. */
void ag_format_scaling(ag_layer_precision *precision, ag_findings *findings, const ag_node *node)
{
    static const char *const keys[] = {"granularity", "amax",  "history", "margin", "pow2",
                                       "e8m0",        "scale", "tensor",  "top",    "select",
                                       "candidates",  "error", "static",  "sigma",  "channel"};
    if (!ag_node_is(findings, node, AG_NODE_MAP, "scaling"))
        return;
    ag_node_check_keys(findings, node, keys, sizeof keys / sizeof keys[0], "scaling");
    int margin = 0;
    bool yes = false;
    bool amax_known = true;
    const ag_node *part;
    if ((part = ag_node_get(node, "granularity")) != NULL)
        apply_granularity(precision, findings, part);
    if ((part = ag_node_get(node, "amax")) != NULL)
        amax_known = apply_amax(precision, findings, part);
    if ((part = ag_node_get(node, "history")) != NULL && amax_known)
        apply_history(precision, findings, part);
    apply_stored(precision, findings, node);
    if ((part = ag_node_get(node, "margin")) != NULL &&
        ag_node_int_within(&margin, findings, part, "scaling.margin", 0, 30))
        ag_precision_edit(precision, edit_margin, &margin);
    if ((part = ag_node_get(node, "pow2")) != NULL &&
        ag_node_bool(&yes, findings, part, "scaling.pow2"))
        ag_precision_edit(precision, edit_pow2, &yes);
    if ((part = ag_node_get(node, "channel")) != NULL)
        apply_channel(precision, findings, part);
    apply_selection(precision, findings, node);
}
