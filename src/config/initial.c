/* model.init: which weights a run starts from. The caller reads the file that holds them; here the
 * labels of the experiment file become lines "axis=value", and runs that start from the same
 * weights ask once. */
#include <inttypes.h>
#include <string.h>

#include "base/printable.h"
#include "config_internal.h"
#include "run/model_spec.h"

static const char s_where[] = "model.init.where";

/* Weights that were asked for. */
struct ag_initial {
    ag_model_spec model;
    int64_t vocab_size;
    ag_init_weights found;
    bool ok;
    const ag_initial *next;
};

/* --- the labels */

static void add_value(ag_text *text, ag_findings *findings, const ag_node *key,
                      const ag_node *value)
{
    bool is_list = value->kind == AG_NODE_LIST; /* the one value of an axis such as betas */
    size_t count = is_list ? value->count : 1;
    ag_text_add(text, is_list ? "[" : "");
    for (size_t i = 0; i < count; i++) {
        const char *scalar = NULL;
        if (!ag_node_text(&scalar, findings, is_list ? value->items[i] : value, key->text))
            break;
        ag_text_printf(text, "%s%s", i > 0 ? ", " : "", scalar);
    }
    ag_text_add(text, is_list ? "]" : "");
}

/* The pairs of a mapping, `between` a key and its value and `after` each but the last. */
static const char *join(ag_findings *findings, const ag_node *map, const char *between,
                        const char *after)
{
    ag_text text;
    ag_text_init(&text);
    for (size_t i = 0; i < map->count; i++) {
        ag_text_printf(&text, "%s%s%s", i > 0 ? after : "", map->keys[i]->text, between);
        add_value(&text, findings, map->keys[i], map->items[i]);
    }
    const char *copy = ag_arena_strdup(findings->arena, text.data);
    findings->out_of_memory |= copy == NULL;
    ag_text_deinit(&text);
    return copy;
}

bool ag_config_is_where(const ag_param *param)
{
    return strcmp(param->key, s_where) == 0;
}

const char *ag_config_where_label(ag_findings *findings, const ag_node *map)
{
    const char *pairs = join(findings, map, ": ", ", ");
    return pairs != NULL ? ag_arena_printf(findings->arena, "{%s}", pairs) : NULL;
}

const char *ag_config_where(ag_findings *findings, const ag_node *node)
{
    size_t errors = findings->errors;
    if (node->kind == AG_NODE_NULL)
        return "";
    if (!ag_node_is(findings, node, AG_NODE_MAP, s_where))
        return NULL;
    if (node->count == 0)
        ag_config_error(findings, node->place,
                        "%s names no label; it takes those of the run whose weights are meant, "
                        "such as {format: BF16}",
                        s_where);
    const char *lines = join(findings, node, "=", "\n");
    return findings->errors == errors ? lines : NULL;
}

/* Lines "axis=value": whether one of them says the seed. */
static bool names_seed(const char *lines)
{
    static const char seed[] = "seed=";
    const char *newline = strchr(lines, '\n');
    if (strncmp(lines, seed, sizeof seed - 1) == 0)
        return true;
    return newline != NULL && names_seed(newline + 1);
}

/* Unless the labels say which seed, a run starts from the weights of its own seed: replicates then
 * differ in their initial models too, as independent trainings do. */
static void pair_by_seed(ag_run *run, ag_experiment *experiment)
{
    const char *lines = run->model.init_where;
    if (lines[0] == '\0' || names_seed(lines))
        return;
    experiment->pairs_seeds = true;
    run->model.init_where =
        ag_arena_printf(&experiment->arena, "%s\nseed=%" PRId64, lines, run->seed);
    experiment->findings.out_of_memory |= run->model.init_where == NULL;
}

/* --- the weights */

/* What names the weights, and what their shapes depend on. */
static bool asks_the_same(const ag_initial *asked, const ag_run *run)
{
    const ag_model_spec *a = &asked->model;
    const ag_model_spec *b = &run->model;
    return ag_spec_same_shape(a, b) && asked->vocab_size == run->facts.vocab_size &&
           strcmp(a->init_file, b->init_file) == 0 && strcmp(a->init_run, b->init_run) == 0 &&
           strcmp(a->init_where, b->init_where) == 0;
}

/* Notes the answer, good or bad: the caller reads files to find it, and thousands of runs ask the
 * same. */
static const ag_initial *ask(ag_experiment *experiment, const ag_run *run, ag_place place)
{
    ag_findings *findings = &experiment->findings;
    const ag_experiment_options *options = &experiment->options;
    ag_initial *asked = ag_config_alloc(findings, 1, sizeof *asked);
    if (asked == NULL)
        return NULL;
    *asked = (ag_initial){
        .model = run->model, .vocab_size = run->facts.vocab_size, .next = experiment->initials};
    experiment->initials = asked;
    if (options->find_init == NULL)
        ag_config_error(findings, place, "model.init cannot be used here");
    else if (options->find_init(&asked->found, run, options->context) != AG_OK)
        ag_config_failed(findings, place);
    else
        asked->ok = true;
    return asked;
}

/* Asked once per set of weights; the answer, and its digest, enter the run's identity. */
bool ag_config_initial(ag_run *run, ag_experiment *experiment, ag_place place)
{
    pair_by_seed(run, experiment);
    if (experiment->findings.out_of_memory)
        return false;
    const ag_initial *asked = experiment->initials;
    while (asked != NULL && !asks_the_same(asked, run))
        asked = asked->next;
    if (asked == NULL)
        asked = ask(experiment, run, place);
    if (asked == NULL || !asked->ok)
        return false;
    memcpy(run->init_digest, asked->found.digest, sizeof run->init_digest);
    if (run->model.init_where[0] != '\0') { /* from here on it is that run, whatever it is called */
        run->model.init_run = asked->found.run;
        run->model.init_where = "";
    }
    return true;
}
