/* layer_configs: three forms of saying which layer gets which format, all read into ordered rules
 * with a fallback, so that routing.c knows one form only:
 *
 *   format, skip_patterns          one format, but BF16 where a text occurs in the name
 *   layer_rules, default_format    patterns, the first that matches wins
 *   mixed_precision                attention, mlp, lm_head by name
 *
 * The forms are those of tools that people come from: torchao's filter by name, regular expressions
 * as in most libraries of pruning and quantisation, and the parts of a transformer block. Without
 * layer_configs there is one, "uniform": every layer has the run's format. */
#include <string.h>

#include "config_internal.h"
#include "numerics/recipe.h"

enum { FORMS = 3 };
static const char *const s_forms[FORMS] = {"format", "layer_rules", "mixed_precision"};

/* A label of `formats`, if the text is one. FP32 is no target: it is a mode of the whole run. */
static bool target_of_label(ag_target *target, ag_experiment *experiment, const ag_node *node)
{
    size_t index = ag_config_format_find(experiment, node->text);
    if (index == SIZE_MAX)
        return false;
    ag_format_entry *entry = &experiment->formats[index];
    if (entry->fp32)
        return false;
    entry->named = true;
    ag_staged *copy = ag_config_alloc(&experiment->findings, 1, sizeof *copy);
    if (copy == NULL)
        return false;
    *copy = entry->staged; /* entries move as the list of formats grows */
    *target = (ag_target){AG_TARGET_FIXED, copy};
    return true;
}

/* null, $format, a label, a format or recipe by name, or a mapping. */
static bool parse_target(ag_target *target, ag_experiment *experiment, const ag_node *node)
{
    ag_findings *findings = &experiment->findings;
    *target = (ag_target){AG_TARGET_NULL, NULL};
    if (node->kind == AG_NODE_NULL)
        return true;
    if (node->kind == AG_NODE_SCALAR && strcmp(node->text, "$format") == 0) {
        target->kind = AG_TARGET_RUN;
        return true;
    }
    if (node->kind == AG_NODE_SCALAR && target_of_label(target, experiment, node))
        return true;
    ag_staged *staged = ag_config_alloc(findings, 1, sizeof *staged);
    ag_layer_precision precision;
    if (staged == NULL)
        return false;
    *target = (ag_target){AG_TARGET_FIXED, staged};
    if (node->kind == AG_NODE_MAP)
        return ag_format_staged(staged, findings, node);
    return ag_format_named(&precision, findings, node, "format") &&
           ag_staged_set(staged, findings, &precision);
}

static ag_rule *add_rule(ag_layer_config *config, ag_rule rule)
{
    config->rules[config->n_rules] = rule;
    return &config->rules[config->n_rules++];
}

static bool allocate_rules(ag_layer_config *config, ag_findings *findings, const ag_node *list)
{
    if (list->count > AG_MAX_RULES) {
        ag_config_error(findings, list->place, "at most %d entries", AG_MAX_RULES);
        return false;
    }
    config->rules = ag_config_alloc(findings, list->count, sizeof *config->rules);
    return config->rules != NULL;
}

/* --- format, skip_patterns */

/* Skip patterns are rules that lead to BF16. */
static void parse_uniform(ag_layer_config *config, ag_experiment *experiment, const ag_node *map)
{
    ag_findings *findings = &experiment->findings;
    parse_target(&config->fallback, experiment, ag_node_get(map, "format"));
    const ag_node *skip = ag_node_get(map, "skip_patterns");
    if (skip == NULL || !ag_node_is(findings, skip, AG_NODE_LIST, "skip_patterns") ||
        !allocate_rules(config, findings, skip))
        return;
    for (size_t i = 0; i < skip->count; i++) {
        const char *text = NULL;
        if (ag_node_text(&text, findings, skip->items[i], "a skip pattern"))
            add_rule(config, (ag_rule){.text = text, .place = skip->items[i]->place, .skip = true});
    }
}

/* --- layer_rules, default_format */

/* A rule without a format is kept out, and the message says that null is one. */
static void parse_rule(ag_layer_config *config, ag_experiment *experiment, const ag_node *node)
{
    static const char *const keys[] = {"pattern", "format"};
    ag_findings *findings = &experiment->findings;
    if (!ag_node_is(findings, node, AG_NODE_MAP, "a layer rule"))
        return;
    ag_node_check_keys(findings, node, keys, 2, "a layer rule");
    const ag_node *pattern = ag_node_get(node, "pattern");
    const ag_node *format = ag_node_get(node, "format");
    ag_rule rule = {.place = node->place};
    if (format == NULL)
        ag_config_error(findings, node->place,
                        "a layer rule needs a 'format' (null keeps the layer in BF16)");
    else
        parse_target(&rule.target, experiment, format);
    if (pattern == NULL)
        ag_config_error(findings, node->place, "a layer rule needs a 'pattern'");
    if (pattern == NULL || !ag_node_text(&rule.text, findings, pattern, "pattern"))
        return;
    rule.place = pattern->place;
    rule.pattern = ag_pattern_compile(findings, pattern);
    if (rule.pattern != NULL)
        add_rule(config, rule);
}

static void parse_rules(ag_layer_config *config, ag_experiment *experiment, const ag_node *map)
{
    const ag_node *rules = ag_node_get(map, "layer_rules");
    const ag_node *fallback = ag_node_get(map, "default_format");
    if (fallback != NULL)
        parse_target(&config->fallback, experiment, fallback);
    if (!ag_node_is(&experiment->findings, rules, AG_NODE_LIST, "layer_rules") ||
        !allocate_rules(config, &experiment->findings, rules))
        return;
    for (size_t i = 0; i < rules->count && !ag_config_full(&experiment->findings); i++)
        parse_rule(config, experiment, rules->items[i]);
}

/* --- mixed_precision */

/* Parts of a block become the substrings by which their layers' names are known. */
static void parse_mixed(ag_layer_config *config, ag_experiment *experiment, const ag_node *map)
{
    static const char *const keys[] = {"attention", "mlp", "lm_head", "default"};
    static const char *const parts[] = {".attn.", ".mlp.", "lm_head"};
    ag_findings *findings = &experiment->findings;
    const ag_node *mixed = ag_node_get(map, "mixed_precision");
    if (!ag_node_is(findings, mixed, AG_NODE_MAP, "mixed_precision") ||
        !allocate_rules(config, findings, mixed))
        return;
    if (mixed->count == 0)
        ag_config_error(findings, mixed->place,
                        "mixed_precision is empty: it takes attention, "
                        "mlp, lm_head and default");
    ag_node_check_words(findings, mixed, keys, 4, "mixed_precision", AG_WORDS_PARTS);
    for (size_t i = 0; i < mixed->count; i++) {
        for (size_t part = 0; part < 3; part++) {
            if (strcmp(mixed->keys[i]->text, keys[part]) != 0)
                continue;
            ag_rule rule = {.text = parts[part], .place = mixed->keys[i]->place, .implied = true};
            parse_target(&rule.target, experiment, mixed->items[i]);
            add_rule(config, rule);
        }
    }
    const ag_node *fallback = ag_node_get(mixed, "default");
    if (fallback != NULL)
        parse_target(&config->fallback, experiment, fallback);
}

/* --- one config, all configs */

/* The index of the only form that the mapping has, or FORMS after an error. */
static size_t find_form(ag_findings *findings, const ag_node *map, const ag_layer_config *config)
{
    size_t form = FORMS;
    size_t found = 0;
    for (size_t i = 0; i < FORMS; i++) {
        if (ag_node_get(map, s_forms[i]) == NULL)
            continue;
        form = i;
        found++;
    }
    if (found == 1)
        return form;
    ag_config_error(findings, config->place,
                    "layer config '%.60s' has %s of 'format', 'layer_rules' and "
                    "'mixed_precision'; it takes exactly one",
                    config->name,
                    found == 0   ? "none"
                    : found == 2 ? "two"
                                 : "all three");
    return FORMS;
}

/* A key that belongs to another form would be ignored in silence. */
static void check_companions(ag_findings *findings, const ag_node *map, size_t form)
{
    static const char *const keys[] = {"format", "layer_rules", "mixed_precision", "skip_patterns",
                                       "default_format"};
    ag_node_check_keys(findings, map, keys, 5, "a layer config");
    for (size_t i = 0; i < map->count; i++) {
        const char *key = map->keys[i]->text;
        if (strcmp(key, "skip_patterns") == 0 && form != 0)
            ag_config_error(findings, map->keys[i]->place, "skip_patterns goes with 'format' only");
        if (strcmp(key, "default_format") == 0 && form != 1)
            ag_config_error(findings, map->keys[i]->place,
                            "default_format goes with 'layer_rules' only");
    }
}

/* By form; a config with errors counts as broken, and its rules are not judged. */
static void parse_config(ag_layer_config *config, ag_experiment *experiment, const ag_node *map)
{
    ag_findings *findings = &experiment->findings;
    if (!ag_node_is(findings, map, AG_NODE_MAP, "a layer config"))
        return;
    size_t form = find_form(findings, map, config);
    if (form == FORMS)
        return;
    check_companions(findings, map, form);
    if (form == 0)
        parse_uniform(config, experiment, map);
    else if (form == 1)
        parse_rules(config, experiment, map);
    else
        parse_mixed(config, experiment, map);
}

static void default_config(ag_experiment *experiment)
{
    ag_layer_configs *configs = &experiment->layer_configs;
    configs->items = ag_config_alloc(&experiment->findings, 1, sizeof *configs->items);
    if (configs->items == NULL)
        return;
    configs->items[0] = (ag_layer_config){
        .name = "uniform", .fallback = {AG_TARGET_RUN, NULL}
    };
    configs->count = 1;
}

/* Each is a point of the axis `layers`, in the order of the file. */
void ag_config_layer_configs(ag_experiment *experiment)
{
    ag_findings *findings = &experiment->findings;
    ag_layer_configs *configs = &experiment->layer_configs;
    const ag_node *node = ag_node_get(experiment->root, "layer_configs");
    if (node == NULL) {
        default_config(experiment);
        return;
    }
    if (!ag_node_is(findings, node, AG_NODE_MAP, "layer_configs"))
        return;
    if (node->count == 0 || node->count > AG_MAX_RULES) {
        ag_config_error(findings, node->place, "layer_configs takes 1 to %d entries", AG_MAX_RULES);
        return;
    }
    configs->items = ag_config_alloc(findings, node->count, sizeof *configs->items);
    if (configs->items == NULL)
        return;
    for (size_t i = 0; i < node->count && !ag_config_full(findings); i++) {
        ag_layer_config *config = &configs->items[configs->count++];
        *config = (ag_layer_config){.name = node->keys[i]->text, .place = node->keys[i]->place};
        ag_node_name(&config->name, findings, node->keys[i], "a layer config's name");
        size_t errors = findings->errors;
        parse_config(config, experiment, node->items[i]);
        config->broken = findings->errors != errors;
    }
}
