/* Which format each layer gets: the first rule found in its name wins. Rules depend on names alone,
 * so the choice is made once for a layer config and a depth, and shared by all formats and runs. */
#include <string.h>

#include "config_internal.h"
#include "spec/layers.h"

/* Searches one rule; false where the pattern is too costly, after an error. */
static bool rule_matches(bool *matches, ag_experiment *experiment, ag_rule *rule, const char *name)
{
    bool costly = false;
    if (rule->pattern == NULL)
        *matches = strstr(name, rule->text) != NULL;
    else
        *matches = ag_pattern_search(rule->pattern, name, &costly);
    if (costly || ++experiment->searches > AG_MAX_SEARCHES)
        ag_config_error(&experiment->findings, rule->place,
                        costly ? "the pattern takes too many steps to search in '%s'"
                               : "too many rules and layers to search (at '%s')",
                        name);
    rule->matched |= *matches;
    return !costly && experiment->searches <= AG_MAX_SEARCHES;
}

/* Every rule is searched, not only up to the first that matches: whether the others match at all
 * decides between "unreachable" and "matches nothing". */
static bool choose(const ag_target **target, ag_experiment *experiment, ag_layer_config *config,
                   const char *name)
{
    *target = NULL;
    for (size_t i = 0; i < config->n_rules; i++) {
        ag_rule *rule = &config->rules[i];
        bool matches = false;
        if (!rule_matches(&matches, experiment, rule, name))
            return false;
        if (!matches || *target != NULL)
            continue;
        *target = &rule->target;
        rule->reached = true;
    }
    if (*target == NULL)
        *target = &config->fallback;
    return true;
}

static size_t layer_count(int64_t n_layer)
{
    ag_model_spec model = {.n_layer = n_layer};
    return ag_layer_count(&model);
}

typedef struct choice_key {
    const ag_experiment *experiment;
    int64_t n_layer;
    size_t config;
    size_t format;
} route_key;

static uint64_t key_hash(const route_key *key)
{
    uint64_t words[3] = {(uint64_t)key->n_layer, key->config, key->format};
    return ag_index_hash(words, sizeof words);
}

static bool same_choice(const void *context, size_t value)
{
    const route_key *key = context;
    const ag_choice *choice = &key->experiment->choices[value];
    return choice->n_layer == key->n_layer && choice->config == key->config;
}

static bool same_routing(const void *context, size_t value)
{
    const route_key *key = context;
    const ag_routing *routing = &key->experiment->routings[value];
    return routing->n_layer == key->n_layer && routing->config == key->config &&
           routing->format == key->format;
}

/* Room in the shared tables, which AG_MAX_ROUTED_LAYERS bounds. */
static bool take_layers(ag_experiment *experiment, size_t count)
{
    experiment->routed_layers += count;
    if (experiment->routed_layers <= AG_MAX_ROUTED_LAYERS)
        return true;
    ag_config_error(&experiment->findings, (ag_place){0},
                    "the grid needs more than %d layers in its (layer config, format, depth) "
                    "tables",
                    AG_MAX_ROUTED_LAYERS);
    return false;
}

static const ag_target *const *targets_of(ag_experiment *experiment, const route_key *key)
{
    route_key by_config = *key;
    by_config.format = 0;
    size_t *slot =
        ag_index_find(&experiment->choice_index, key_hash(&by_config), same_choice, &by_config);
    if (*slot != 0)
        return experiment->choices[*slot - 1].targets;
    size_t count = layer_count(key->n_layer);
    if (!take_layers(experiment, count))
        return NULL;
    const ag_target **targets =
        ag_config_alloc(&experiment->findings, count, sizeof(const ag_target *));
    if (targets == NULL)
        return NULL;
    ag_model_spec model = {.n_layer = key->n_layer, .n_embd = 1};
    for (size_t i = 0; i < count; i++) {
        ag_layer layer = ag_layer_at(&model, 1, i);
        if (!choose(&targets[i], experiment, &experiment->layer_configs.items[key->config],
                    layer.name))
            return NULL;
    }
    experiment->choices[experiment->n_choices] = (ag_choice){key->n_layer, key->config, targets};
    *slot = ++experiment->n_choices;
    return targets;
}

static void resolve(ag_layer_precision *layers, const ag_target *const *targets, size_t count,
                    const ag_format_entry *format)
{
    for (size_t i = 0; i < count && !format->fp32; i++) { /* fp32: nothing is rounded anywhere */
        if (targets[i]->kind == AG_TARGET_RUN)
            layers[i] = format->precision;
        else if (targets[i]->kind == AG_TARGET_FIXED)
            layers[i] = *targets[i]->precision;
    }
}

bool ag_config_route_init(ag_experiment *experiment)
{
    ag_findings *findings = &experiment->findings;
    size_t most = experiment->n_combinations; /* each adds at most one */
    if (most > AG_MAX_ROUTED_LAYERS / AG_LINEARS_PER_BLOCK)
        most = AG_MAX_ROUTED_LAYERS / AG_LINEARS_PER_BLOCK;
    experiment->routings = ag_config_alloc(findings, most, sizeof *experiment->routings);
    experiment->choices = ag_config_alloc(findings, most, sizeof *experiment->choices);
    return experiment->routings != NULL && experiment->choices != NULL &&
           ag_index_init(&experiment->routing_index, most, findings) &&
           ag_index_init(&experiment->choice_index, most, findings);
}

const ag_layer_precision *ag_config_route(ag_experiment *experiment, int64_t n_layer, size_t config,
                                          size_t format)
{
    route_key key = {experiment, n_layer, config, format};
    size_t *slot = ag_index_find(&experiment->routing_index, key_hash(&key), same_routing, &key);
    if (*slot != 0)
        return experiment->routings[*slot - 1].layers;
    const ag_target *const *targets = targets_of(experiment, &key);
    size_t count = layer_count(n_layer);
    if (targets == NULL || !take_layers(experiment, count))
        return NULL;
    ag_layer_precision *layers = ag_config_alloc(&experiment->findings, count, sizeof *layers);
    if (layers == NULL)
        return NULL;
    resolve(layers, targets, count, &experiment->formats[format]);
    experiment->routings[experiment->n_routings] = (ag_routing){n_layer, config, format, layers};
    *slot = ++experiment->n_routings;
    return layers;
}

/* --- what the grid made of the rules */

static void check_rule(ag_findings *findings, const ag_layer_config *config, const ag_rule *rule)
{
    if (rule->implied || rule->reached)
        return;
    if (!rule->matched)
        ag_config_error(findings, rule->place,
                        "%s '%.100s' is found in no layer of any run; layers are named "
                        "transformer.h.0.attn.c_attn, .attn.c_proj, .mlp.c_fc, .mlp.c_proj and "
                        "lm_head",
                        rule->skip ? "skip pattern" : "pattern", rule->text);
    else if (!rule->skip)
        ag_config_error(findings, rule->place,
                        "rule '%.100s' is never reached: earlier rules of '%.60s' take every layer "
                        "that it matches (the first match wins)",
                        rule->text, config->name);
}

/* Whether a layer of some run goes to the run's own format. */
static bool follows_format(const ag_layer_config *config)
{
    bool follows = config->fallback.kind == AG_TARGET_RUN;
    for (size_t i = 0; i < config->n_rules; i++)
        follows |= config->rules[i].target.kind == AG_TARGET_RUN;
    return follows;
}

static void check_formats(ag_experiment *experiment)
{
    for (size_t i = 0; i < experiment->layer_configs.count; i++) {
        if (follows_format(&experiment->layer_configs.items[i]))
            return;
    }
    for (size_t i = 0; i < experiment->n_formats; i++) {
        const ag_format_entry *entry = &experiment->formats[i];
        if (!entry->named && !entry->fp32)
            ag_config_warning(&experiment->findings, entry->place,
                              "no layer config uses format '%.64s': none has $format or this name",
                              entry->label);
    }
}

void ag_config_check_rules(ag_experiment *experiment)
{
    for (size_t i = 0; i < experiment->layer_configs.count; i++) {
        const ag_layer_config *config = &experiment->layer_configs.items[i];
        for (size_t r = 0; r < config->n_rules && config->uses > 0; r++)
            check_rule(&experiment->findings, config, &config->rules[r]);
    }
    check_formats(experiment);
}
