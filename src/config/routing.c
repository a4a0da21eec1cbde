/* Which format each layer and site gets: the first rule found in its name wins. Rules depend on
 * names alone, so the choice is made once for a layer config and a depth, and shared by all formats
 * and runs; with the format it becomes a table of precisions, shared by all runs that have the
 * same. A grid of thousands of runs has a handful of tables.
 *
 * Layers are the linear layers of the model, which a format is for in the first place. Sites are
 * the other tensors that may be quantised (run/sites.h): they get a format only from a rule whose
 * pattern matches no layer, so that a pattern such as "attn" does not change more than it did
 * before there were sites. */
#include <string.h>

#include "config_internal.h"
#include "run/layers.h"
#include "run/sites.h"
#include "tables.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* A rule that ends in a number, such as h.1, is found in h.10 too. Notes both, for a warning.
 * Brackets at the end of an expression do not hide its number. */
static void note_number(ag_experiment *experiment, ag_rule *rule, const char *name, size_t end)
{
    size_t length = strlen(rule->text);
    while (rule->pattern != NULL && length > 0 && rule->text[length - 1] == ')')
        length--;
    if (length == 0 || !is_digit(rule->text[length - 1]) || end == 0 || !is_digit(name[end - 1]))
        return;
    if (!is_digit(name[end]))
        rule->whole = true;
    else if (rule->longer == NULL)
        rule->longer = ag_arena_strdup(&experiment->arena, name);
}

/* Searches one rule. The number of all searches is bounded, since rules, layers and configs
 * multiply. False after an error. */
static bool rule_matches(bool *matches, ag_experiment *experiment, ag_rule *rule, const char *name)
{
    bool costly = false;
    size_t end = 0;
    const char *found = rule->pattern == NULL ? strstr(name, rule->text) : NULL;
    if (rule->pattern != NULL)
        *matches = ag_pattern_search(rule->pattern, name, &end, &costly);
    else if ((*matches = found != NULL))
        end = (size_t)(found - name) + strlen(rule->text);
    if (*matches)
        note_number(experiment, rule, name, end);
    if (costly || ++experiment->searches > AG_MAX_SEARCHES)
        ag_config_error(&experiment->findings, rule->place,
                        costly ? "the pattern takes too many steps to search in '%s'"
                               : "too many rules and layers to search (at '%s')",
                        name);
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
        rule->matched |= matches;
        rule->general |= matches;
        if (!matches || *target != NULL)
            continue;
        *target = &rule->target;
        rule->reached = true;
    }
    if (*target == NULL)
        *target = &config->fallback;
    return true;
}

/* `general` is set anew: the same rule may match a layer of one depth and none of another. */
static bool choose_layers(const ag_target **targets, ag_experiment *experiment,
                          ag_layer_config *config, const ag_model_spec *model)
{
    for (size_t i = 0; i < config->n_rules; i++)
        config->rules[i].general = false;
    for (size_t i = 0; i < ag_layer_count(model); i++) {
        ag_layer layer = ag_layer_at(model, 1, i);
        if (!choose(&targets[i], experiment, config, layer.name))
            return false;
    }
    return true;
}

/* --- sites: routed only by patterns that name no layer, so that none is quantised by accident */

/* Whether the pattern looks as if it were meant for sites: then, if it also matches layers, a
 * warning says that it routes those alone. */
static bool speaks_of_sites(const ag_rule *rule)
{
    static const char *const words[] = {"qk", "pv", "residual", "wgrad", "opt"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strstr(rule->text, words[i]) != NULL)
            return true;
    }
    return false;
}

static void warn_of_general(ag_findings *findings, const ag_rule *rule)
{
    ag_config_warning(
        findings, rule->place,
        "rule '%.100s' matches layers and sites; it routes the layers alone: give the "
        "sites a rule whose pattern matches no layer",
        rule->text);
}

static void warn_of_earlier(ag_findings *findings, const ag_rule *rule, const char *site)
{
    ag_config_warning(findings, rule->place,
                      "rule '%.100s' matches %s, but other sites too, and routes those alone: to "
                      "store weights in a format give them a rule of their own, such as "
                      "'\\.opt\\.w$'",
                      rule->text, site);
}

/* The first rule that matches the site and no layer of this model. */
static bool choose_site(const ag_rule **first, ag_experiment *experiment, ag_layer_config *config,
                        const char *name, bool late)
{
    *first = NULL;
    for (size_t i = 0; i < config->n_rules; i++) {
        ag_rule *rule = &config->rules[i];
        bool matches = false;
        if (rule->pattern == NULL || (rule->general && !speaks_of_sites(rule)))
            continue;
        if (!rule_matches(&matches, experiment, rule, name))
            return false;
        if (matches && rule->general)
            warn_of_general(&experiment->findings, rule);
        if (matches && late && rule->earlier)
            warn_of_earlier(&experiment->findings, rule, name);
        if (!matches || rule->general || (late && rule->earlier))
            continue;
        rule->earlier |= !late;
        rule->matched = true;
        if (*first != NULL)
            continue;
        *first = rule;
        rule->reached = true;
    }
    return true;
}

/* The sites that are late, or the others. */
static bool choose_some(const ag_rule **rules, ag_experiment *experiment, ag_layer_config *config,
                        const ag_model_spec *model, bool late)
{
    for (size_t i = 0; i < ag_site_count(model); i++) {
        ag_site site = ag_site_at(model, i);
        if (ag_site_is_late(site.kind) == late &&
            !choose_site(&rules[i], experiment, config, site.name, late))
            return false;
    }
    return true;
}

/* A rule that matches others does not reach late sites, so that it means what it did before there
 * were any. */
static bool choose_sites(const ag_rule **rules, bool *any, ag_experiment *experiment,
                         ag_layer_config *config, const ag_model_spec *model)
{
    for (size_t i = 0; i < config->n_rules; i++)
        config->rules[i].earlier = false;
    if (!choose_some(rules, experiment, config, model, false) ||
        !choose_some(rules, experiment, config, model, true))
        return false;
    for (size_t i = 0; i < ag_site_count(model); i++)
        *any |= rules[i] != NULL;
    return true;
}

/* --- tables that runs share */

typedef struct route_key {
    const ag_experiment *experiment;
    const ag_model_spec *model; /* models with the same layers share tables */
    size_t config;
    size_t format;
    uint32_t idle;
    int64_t steps;
} route_key;

static uint64_t key_hash(const route_key *key)
{
    uint64_t words[6] = {
        ag_site_count(key->model), ag_block_form(key->model), key->config, key->format, key->idle,
        (uint64_t)key->steps};
    return ag_index_hash(words, sizeof words);
}

static bool same_choice(const void *context, size_t value)
{
    const route_key *key = context;
    const ag_choice *choice = &key->experiment->choices[value];
    return ag_have_same_layers(&choice->model, key->model) && choice->config == key->config;
}

/* The layers of two MLPs may have the same names, but not take the same formats (ag_layer_check).
 */
static bool same_routing(const void *context, size_t value)
{
    const route_key *key = context;
    const ag_routing *routing = &key->experiment->routings[value];
    return ag_have_same_layers(&routing->model, key->model) &&
           routing->model.mlp == key->model->mlp && routing->config == key->config &&
           routing->format == key->format && routing->idle == key->idle &&
           routing->steps == key->steps;
}

void *ag_routing_take(ag_experiment *experiment, size_t count, size_t size)
{
    experiment->routed_layers += count;
    if (experiment->routed_layers <= AG_MAX_ROUTED_LAYERS)
        return ag_config_alloc(&experiment->findings, count, size);
    ag_config_error(&experiment->findings, (ag_place){0},
                    "the grid needs more than %d layers in its (layer config, format, depth) "
                    "tables",
                    AG_MAX_ROUTED_LAYERS);
    return NULL;
}

/* Names depend on depth alone, so the other sizes of the model stand for nothing. */
static bool make_choice(ag_choice *choice, ag_experiment *experiment, const route_key *key)
{
    const ag_model_spec *model = key->model;
    ag_layer_config *config = &experiment->layer_configs.items[key->config];
    const ag_target **layers =
        ag_routing_take(experiment, ag_layer_count(model), sizeof(const ag_target *));
    const ag_rule **sites =
        ag_config_alloc(&experiment->findings, ag_site_count(model), sizeof(const ag_rule *));
    bool any = false;
    if (layers == NULL || sites == NULL || !choose_layers(layers, experiment, config, model) ||
        !choose_sites(sites, &any, experiment, config, model))
        return false;
    *choice = (ag_choice){*model, key->config, layers, any ? sites : NULL};
    return true;
}

/* The choice for a layer config and a depth: made at the first run that needs it. */
static const ag_choice *choice_of(ag_experiment *experiment, const route_key *key)
{
    route_key by_config = *key;
    by_config.format = 0;
    by_config.idle = 0;
    by_config.steps = 0;
    size_t *slot =
        ag_index_find(&experiment->choice_index, key_hash(&by_config), same_choice, &by_config);
    if (*slot != 0)
        return &experiment->choices[*slot - 1];
    ag_choice *choice = &experiment->choices[experiment->n_choices];
    if (!make_choice(choice, experiment, key))
        return NULL;
    *slot = ++experiment->n_choices;
    return choice;
}

enum { FEWEST_LINEARS = 4 }; /* of a block */

/* Each combination adds at most one table, and the bound on layers bounds their number, too. */
bool ag_config_route_init(ag_experiment *experiment)
{
    ag_findings *findings = &experiment->findings;
    size_t most = experiment->n_combinations; /* each adds at most one */
    if (most > AG_MAX_ROUTED_LAYERS / FEWEST_LINEARS)
        most = AG_MAX_ROUTED_LAYERS / FEWEST_LINEARS;
    experiment->routings = ag_config_alloc(findings, most, sizeof *experiment->routings);
    experiment->choices = ag_config_alloc(findings, most, sizeof *experiment->choices);
    return experiment->routings != NULL && experiment->choices != NULL &&
           ag_index_init(&experiment->routing_index, most, findings) &&
           ag_index_init(&experiment->choice_index, most, findings);
}

static uint32_t idle_kinds(const ag_run *run)
{
    uint32_t idle = 0;
    for (int i = 0; i < 2 * AG_SITE_KINDS; i++) {
        ag_site_kind kind = (ag_site_kind)(i / 2);
        bool of_head = i % 2 != 0;
        idle |= ag_site_has_effect(run, kind, of_head) ? 0 : ag_idle_bit(kind, of_head);
    }
    return idle;
}

/* Which sites are idle depends on the run's other settings, so it is part of the key. */
bool ag_config_route(ag_run *run, ag_experiment *experiment, size_t config, size_t format)
{
    route_key key = {experiment, &run->model, config, format, 0, 0};
    const ag_choice *choice = choice_of(experiment, &key);
    if (choice == NULL)
        return false;
    if (choice->sites != NULL)
        key.idle = idle_kinds(run);
    if (ag_choice_changes(experiment, choice, format))
        key.steps = run->train.steps > 0 ? run->train.steps : 1;
    size_t *slot = ag_index_find(&experiment->routing_index, key_hash(&key), same_routing, &key);
    if (*slot == 0) {
        ag_routing *routing = &experiment->routings[experiment->n_routings];
        *routing =
            (ag_routing){.model = run->model, .config = config, .format = format, .idle = key.idle};
        routing->steps = key.steps;
        if (!ag_routing_resolve(routing, experiment, choice))
            return false;
        *slot = ++experiment->n_routings;
    }
    const ag_routing *routing = &experiment->routings[*slot - 1];
    run->layers = routing->first.layers;
    run->sites = routing->first.sites;
    run->n_phases = routing->n_phases;
    run->phases = routing->phases;
    return true;
}

/* --- what the grid made of the rules */

static const char s_layer_names[] = "layers are named transformer.h.0.attn.c_attn (split: .c_q, "
                                    ".c_k, .c_v), .attn.c_proj, .mlp.c_fc "
                                    "(swiglu: and .c_gate), .mlp.c_proj and lm_head";

/* How the names of layers and sites end, layers first. */
static size_t name_endings(const char *endings[AG_LINEAR_KINDS + AG_SITE_KINDS])
{
    size_t count = 0;
    for (size_t kind = 0; kind < AG_LINEAR_KINDS; kind++)
        endings[count++] = ag_layer_kind_name((ag_linear_kind)kind);
    for (size_t kind = 0; kind < AG_SITE_KINDS; kind++)
        endings[count++] = ag_site_ending((ag_site_kind)kind);
    return count;
}

/* What Hugging Face's models call a layer, or a layer that some models have: what to know of it. */
static const char *layer_note(const char *text)
{
    static const char *const notes[][2] = {
        {"q_proj",    "here that layer is attn.c_q, or attn.c_attn with model.qkv fused"   },
        {"k_proj",    "here that layer is attn.c_k, or attn.c_attn with model.qkv fused"   },
        {"v_proj",    "here that layer is attn.c_v, or attn.c_attn with model.qkv fused"   },
        {"o_proj",    "here that layer is attn.c_proj"                                     },
        {"gate_proj", "here that layer is mlp.c_gate, or mlp.c_fc with model.gate_up fused"},
        {"up_proj",   "here that layer is mlp.c_fc"                                        },
        {"down_proj", "here that layer is mlp.c_proj"                                      },
        {"c_q",       "attn.c_q is there with model.qkv split"                             },
        {"c_k",       "attn.c_k is there with model.qkv split"                             },
        {"c_v",       "attn.c_v is there with model.qkv split"                             },
        {"c_gate",    "mlp.c_gate is there with model.mlp swiglu and model.gate_up split"  },
    };
    for (size_t i = 0; i < sizeof notes / sizeof notes[0]; i++) {
        if (strstr(text, notes[i][0]) != NULL)
            return notes[i][1];
    }
    return NULL;
}

/* The nearest ending of a name, for a pattern taken without what only expressions have. */
static const char *name_hint(ag_findings *findings, const ag_rule *rule)
{
    char plain[AG_LAYER_NAME_SIZE] = "";
    const char *endings[AG_LINEAR_KINDS + AG_SITE_KINDS];
    size_t count = name_endings(endings);
    size_t length = 0;
    const char *note = layer_note(rule->text);
    if (note != NULL)
        return ag_arena_printf(findings->arena, "; %s", note);
    for (const char *c = rule->text; *c != '\0' && length + 1 < sizeof plain; c++) {
        if (strchr("\\^$", *c) == NULL && (*c != '.' || length > 0))
            plain[length++] = *c;
    }
    return ag_config_hint(findings, plain, endings, count);
}

/* Whether a text looks as if it were meant as a regular expression. */
static bool is_expression(const char *text)
{
    return strpbrk(text, "\\^$*+?()[]{}|") != NULL || strstr(text, ".*") != NULL;
}

static void check_unmatched(ag_findings *findings, const ag_rule *rule)
{
    if (rule->skip && is_expression(rule->text))
        ag_config_error(
            findings, rule->place,
            "skip pattern '%.100s' is found in no layer of any run: it is literal text, "
            "not a regular expression; for one write {default_format: $format, "
            "layer_rules: [{pattern: '%.100s', format: null}]}",
            rule->text, rule->text);
    else if (rule->skip)
        ag_config_error(findings, rule->place,
                        "skip pattern '%.100s' is found in no layer of any run; %s", rule->text,
                        s_layer_names);
    else
        ag_config_error(findings, rule->place,
                        "pattern '%.100s' is found in no layer or site of any run; %s; sites "
                        "transformer.h.0.attn.qk, .attn.pv, .residual, NORM.gain and LAYER.wgrad, "
                        ".opt.m, .opt.v, .opt.w%s",
                        rule->text, s_layer_names, name_hint(findings, rule));
}

/* A rule that did nothing is an error, since it was written for something; one implied by a word is
 * not. */
static void check_rule(ag_findings *findings, const ag_layer_config *config, const ag_rule *rule)
{
    if (rule->whole && rule->longer != NULL)
        ag_config_warning(
            findings, rule->place,
            "'%.100s' is also found in %s: end it with a dot, '%.100s%s', to mean one "
            "block alone",
            rule->text, rule->longer, rule->text, rule->pattern != NULL ? "\\." : ".");
    if (rule->implied || rule->reached)
        return;
    if (!rule->matched)
        check_unmatched(findings, rule);
    else if (!rule->skip)
        ag_config_error(findings, rule->place,
                        "rule '%.100s' is never reached: earlier rules of '%.60s' take every layer "
                        "or site that it matches (the first match wins)",
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

/* A format that no layer config uses would train runs in BF16 under its name. */
static void check_formats(ag_experiment *experiment)
{
    for (size_t i = 0; i < experiment->layer_configs.count; i++) {
        if (follows_format(&experiment->layer_configs.items[i]) ||
            experiment->layer_configs.items[i].broken)
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

static void check_target(ag_findings *findings, const ag_target *target)
{
    if (target->kind == AG_TARGET_FIXED)
        ag_staged_check(findings, target->staged);
}

/* What was to hold from a step or until one, and never does. */
static void check_stages(ag_experiment *experiment)
{
    ag_findings *findings = &experiment->findings;
    for (size_t i = 0; i < experiment->n_formats; i++)
        ag_staged_check(findings, &experiment->formats[i].staged);
    for (size_t i = 0; i < experiment->layer_configs.count; i++) {
        const ag_layer_config *config = &experiment->layer_configs.items[i];
        check_target(findings, &config->fallback);
        for (size_t rule = 0; rule < config->n_rules; rule++)
            check_target(findings, &config->rules[rule].target);
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
    if (experiment->findings.errors == 0)
        check_stages(experiment);
}
