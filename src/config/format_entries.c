/* The entries of `formats`: plain names, recipes, and mappings that say each role. A mapping begins
 * with formats, from the general to the particular (all, a role, a role's product), then edits the
 * schemes that these brought: scaling, rounding, overflow and so on. An edit that changes nothing
 * is an error, since whoever wrote it meant something.
 *
 * The same mappings stand as targets in layer configs (layer_configs.c), so nothing here knows of
 * labels but the last section. */
#include <string.h>
#include <strings.h>

#include "layer_formats.h"
#include "numerics/recipe.h"

static bool is_fp32(const char *text)
{
    return strcasecmp(text, "fp32") == 0 || strcasecmp(text, "float32") == 0;
}

/* Words that mean something elsewhere (FP32, $format) get messages that say where. */
bool ag_format_named(ag_layer_precision *precision, ag_findings *findings, const ag_node *node,
                     const char *what)
{
    *precision = (ag_layer_precision){0};
    if (node->kind == AG_NODE_NULL)
        return true;
    const char *text = NULL;
    if (!ag_node_text(&text, findings, node, what))
        return false;
    if (is_fp32(text)) {
        ag_config_error(findings, node->place,
                        "FP32 is a compute mode of the whole run, not of a layer or a role: list "
                        "it by itself under 'formats'");
        return false;
    }
    if (strcmp(text, "$format") == 0) {
        ag_config_error(findings, node->place, "'$format' is allowed only in layer_configs");
        return false;
    }
    if (text[0] == '$') {
        ag_config_error(findings, node->place,
                        "'%.60s' is not known; did you mean '$format', the run's own?", text);
        return false;
    }
    if (ag_recipe_parse(precision, text) != AG_OK) {
        ag_config_failed(findings, node->place);
        return false;
    }
    return true;
}

/* --- the parts of a mapping */

static void edit_rounding(ag_scheme *scheme, const void *value)
{
    scheme->rounding = (ag_rounding) * (const int *)value;
}

static void edit_overflow(ag_scheme *scheme, const void *value)
{
    scheme->overflow = (ag_overflow) * (const int *)value;
}

static void edit_ste(ag_scheme *scheme, const void *value)
{
    scheme->ste = (ag_ste) * (const int *)value;
}

/* One word for all roles, or one per role. */
static void apply_rounding(ag_layer_precision *precision, ag_findings *findings,
                           const ag_node *node)
{
    int word = 0;
    if (node->kind != AG_NODE_MAP) {
        if (ag_node_word(&word, findings, node, "rounding", ag_rounding_words, AG_ROUNDINGS))
            ag_precision_edit(precision, edit_rounding, &word);
        return;
    }
    ag_node_check_keys(findings, node, ag_role_words, AG_ROLES, "rounding");
    for (int role = 0; role < AG_ROLES; role++) {
        const ag_node *part = ag_node_get(node, ag_role_words[role]);
        if (part != NULL &&
            ag_node_word(&word, findings, part, "rounding", ag_rounding_words, AG_ROUNDINGS))
            ag_role_edit(precision, role, edit_rounding, &word);
    }
}

static bool is_stochastic(const ag_scheme *scheme)
{
    return scheme->rounding == AG_ROUND_STOCHASTIC;
}

static void edit_sr_bits(ag_scheme *scheme, const void *value)
{
    scheme->sr_bits = is_stochastic(scheme) ? *(const int *)value : 0;
}

static void edit_sr_variant(ag_scheme *scheme, const void *value)
{
    scheme->sr_variant = is_stochastic(scheme) ? (ag_sr_variant) * (const int *)value : AG_SR_FLOOR;
}

/* How many random bits; without stochastic rounding there are none. */
static void apply_random_bits(ag_layer_precision *precision, ag_findings *findings,
                              const ag_node *map)
{
    const ag_node *bits = ag_node_get(map, "sr_bits");
    const ag_node *variant = ag_node_get(map, "sr_variant");
    const ag_node *first = bits != NULL ? bits : variant;
    int value = 0;
    if (first != NULL && !ag_precision_has(precision, is_stochastic))
        ag_config_error(findings, first->place,
                        "%s has no effect here: it needs 'rounding: stochastic'",
                        first == bits ? "sr_bits" : "sr_variant");
    if (bits != NULL && ag_node_int_within(&value, findings, bits, "sr_bits", 1, 32))
        ag_precision_edit(precision, edit_sr_bits, &value);
    if (variant != NULL &&
        ag_node_word(&value, findings, variant, "sr_variant", ag_sr_words, AG_SR_VARIANTS))
        ag_precision_edit(precision, edit_sr_variant, &value);
}

/* --- a mapping */

/* What one product gets: a format by name, or a mapping of format, scaling (of this product alone;
 * that of the whole entry acts later, on all) and from: forward, made of the copy that the forward
 * pass has. */
static bool use_named(ag_layer_precision *part, ag_findings *findings, const ag_node *node,
                      int role, int use)
{
    static const char *const keys[] = {"from", "format", "scaling"};
    static const char *const words[] = {"forward"};
    const char *what = ag_use_words[role][use];
    int from = 0;
    if (node->kind != AG_NODE_MAP)
        return ag_format_named(part, findings, node, what);
    size_t errors = findings->errors;
    const ag_node *format = ag_node_get(node, "format");
    const ag_node *source = ag_node_get(node, "from");
    const ag_node *scaling = ag_node_get(node, "scaling");
    *part = (ag_layer_precision){0};
    ag_node_check_keys(findings, node, keys, 3, what);
    if (source == NULL && scaling == NULL)
        ag_config_error(findings, node->place, "%s: a mapping needs 'from: forward' or 'scaling'",
                        what);
    if (source != NULL)
        ag_node_word(&from, findings, source, "from", words, 1);
    if (format != NULL)
        ag_format_named(part, findings, format, what);
    if (scaling != NULL && format == NULL)
        ag_config_error(findings, scaling->place, "%s: scaling needs a 'format' beside it", what);
    else if (scaling != NULL)
        ag_format_scaling(part, findings, scaling);
    const ag_node *channel = scaling == NULL ? NULL : ag_node_get(scaling, "channel");
    if (channel != NULL && role != AG_ROLE_INPUT)
        ag_config_error(findings, channel->place, "scaling.channel is for input, not for %s", what);
    part->scheme[role][use].from_forward = source != NULL;
    return findings->errors == errors;
}

/* The backward pass as a whole: of the forward's copies, or without formats. */
static void apply_backward(ag_layer_precision *precision, ag_findings *findings,
                           const ag_node *node)
{
    static const char *const words[] = {"dequantized", "high_precision"};
    int word = 0;
    if (!ag_node_word(&word, findings, node, "backward", words, 2))
        return;
    bool from_forward = word == 0;
    precision->scheme[AG_ROLE_WEIGHT][1] = (ag_scheme){.from_forward = from_forward};
    precision->scheme[AG_ROLE_INPUT][1] = (ag_scheme){.from_forward = from_forward};
    memset(precision->scheme[AG_ROLE_GRAD_OUTPUT], 0,
           sizeof precision->scheme[AG_ROLE_GRAD_OUTPUT]);
}

/* all, then roles, then single products: the more specific key wins. */
static bool apply_formats(ag_layer_precision *precision, ag_findings *findings, const ag_node *node,
                          bool keys_known)
{
    ag_layer_precision part;
    bool good = true;
    const ag_node *value = ag_node_get(node, "all");
    size_t said = value != NULL;
    if (value != NULL)
        good = ag_format_named(precision, findings, value, "all");
    for (int role = 0; role < AG_ROLES; role++) {
        if ((value = ag_node_get(node, ag_role_words[role])) == NULL)
            continue;
        said++;
        good = ag_format_named(&part, findings, value, ag_role_words[role]) && good;
        memcpy(precision->scheme[role], part.scheme[role], sizeof part.scheme[role]);
    }
    for (int i = 0; i < AG_ROLES * AG_USES; i++) {
        int role = i / AG_USES;
        int use = i % AG_USES;
        if ((value = ag_node_get(node, ag_use_words[role][use])) == NULL)
            continue;
        said++;
        good = use_named(&part, findings, value, role, use) && good;
        precision->scheme[role][use] = part.scheme[role][use];
    }
    if (said == 0 && keys_known)
        ag_config_error(findings, node->place,
                        "no format is given: set 'all', 'weight', 'input' or 'grad_output'");
    return good && said > 0;
}

/* The schemes are checked as they were written, then normalised, since normalising hides
 * contradictions. */
static bool finish(ag_layer_precision *precision, ag_findings *findings, ag_place place)
{
    if (ag_layer_precision_check(precision) != AG_OK) {
        ag_config_failed(findings, place);
        return false;
    }
    for (int i = 0; i < AG_ROLES * AG_USES; i++)
        ag_scheme_normalise(&precision->scheme[i / AG_USES][i % AG_USES]);
    ag_layer_precision_normalise(precision);
    return true;
}

/* The keys are built from the tables of roles and uses, so that a new role needs no second list. */
static void check_keys(ag_findings *findings, const ag_node *node)
{
    const char *keys[23] = {"name",     "backward", "from",      "until",      "all",
                            "scaling",  "rounding", "sr_bits",   "sr_variant", "hadamard",
                            "overflow", "ste",      "accumulate"};
    size_t count = 13;
    for (int role = 0; role < AG_ROLES; role++) {
        keys[count++] = ag_role_words[role];
        for (int use = 0; use < AG_USES; use++)
            keys[count++] = ag_use_words[role][use];
    }
    ag_node_check_words(findings, node, keys, count, "a format", AG_WORDS_ROLES);
}

/* Errors do not end it, so that one pass finds all of them. */
bool ag_format_mapping(ag_layer_precision *precision, ag_findings *findings, const ag_node *node)
{
    *precision = (ag_layer_precision){0};
    size_t errors = findings->errors;
    check_keys(findings, node);
    if (!apply_formats(precision, findings, node, findings->errors == errors))
        return false;
    const ag_node *part;
    int word = 0;
    if ((part = ag_node_get(node, "backward")) != NULL)
        apply_backward(precision, findings, part);
    if ((part = ag_node_get(node, "scaling")) != NULL)
        ag_format_scaling(precision, findings, part);
    if ((part = ag_node_get(node, "rounding")) != NULL)
        apply_rounding(precision, findings, part);
    apply_random_bits(precision, findings, node);
    if ((part = ag_node_get(node, "hadamard")) != NULL)
        ag_format_hadamard(precision, findings, part);
    if ((part = ag_node_get(node, "overflow")) != NULL &&
        ag_node_word(&word, findings, part, "overflow", ag_overflow_words, AG_OVERFLOWS))
        ag_precision_edit(precision, edit_overflow, &word);
    if ((part = ag_node_get(node, "ste")) != NULL &&
        ag_node_word(&word, findings, part, "ste", ag_ste_words, AG_STES))
        ag_precision_edit(precision, edit_ste, &word);
    if ((part = ag_node_get(node, "accumulate")) != NULL)
        ag_format_accumulate(precision, findings, part);
    return findings->errors == errors && finish(precision, findings, node->place);
}

/* --- an entry */

static bool parse_name(ag_format_entry *entry, ag_findings *findings, const ag_node *node)
{
    ag_layer_precision precision;
    if (node->kind == AG_NODE_NULL) {
        entry->label = "BF16";
        return true;
    }
    if (!ag_node_name(&entry->label, findings, node, "a format's name"))
        return false;
    entry->fp32 = is_fp32(node->text);
    return entry->fp32 || (ag_format_named(&precision, findings, node, "a format") &&
                           ag_staged_set(&entry->staged, findings, &precision));
}

/* A mapping has no name of its own, and labels of runs need one. */
static bool parse_mapping(ag_format_entry *entry, ag_findings *findings, const ag_node *node)
{
    bool good = ag_format_staged(&entry->staged, findings, node);
    const ag_node *name = ag_node_get(node, "name");
    if (name == NULL) {
        ag_config_error(findings, node->place, "a format that is a mapping needs a 'name'");
        return false;
    }
    if (!ag_node_name(&entry->label, findings, name, "a format's name"))
        return false;
    entry->place = name->place;
    return good;
}

static bool is_null(const ag_staged *staged)
{
    static const ag_layer_precision untouched;
    bool null = true;
    for (size_t i = 0; i < staged->n_stages; i++)
        null &= ag_layer_precision_equal(&staged->stages[i].precision, &untouched);
    return null;
}

/* The label is set as soon as it is known, also where the rest has errors. */
bool ag_format_entry_parse(ag_format_entry *entry, ag_findings *findings, const ag_node *node)
{
    *entry = (ag_format_entry){.place = node->place};
    bool good = false;
    if (node->kind == AG_NODE_MAP)
        good = parse_mapping(entry, findings, node);
    else
        good = parse_name(entry, findings, node);
    entry->null = !entry->fp32 && is_null(&entry->staged);
    return good;
}
