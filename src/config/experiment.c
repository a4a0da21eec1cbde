/* From the experiment file to the grid, step by step. Each step goes on after errors, so that one
 * pass reports all of them, and marks what it could not read as broken, so that later steps do not
 * complain about what is missing only because of that. The steps:
 *
 * - --set of keys that span the grid is laid over the tree of the file (overlay.c);
 * - sections of parameters become the base run (sections.c);
 * - formats, layer configs and axes are read (formats_list.c, layer_configs.c, axes.c);
 * - axes are multiplied to combinations, excludes and includes applied (combinations.c);
 * - each combination becomes a run with its data, layers and id (grid_build.c, routing.c);
 * - what is valid but cannot be meant so is warned of (sense.c, compare.c). */
#include "config/experiment.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/printable.h"
#include "config_internal.h"
#include "seed_rounds.h"

static void check_top_level(ag_experiment *experiment)
{
    const char *words[64] = {"altgrad", "name",    "formats", "layer_configs", "seeds",
                             "axes",    "exclude", "include", "claims",        "tables"};
    size_t count = 10;
    count += ag_config_sections(words + count, 64 - count, &experiment->findings);
    ag_node_check_words(&experiment->findings, experiment->root, words, count, "an experiment",
                        AG_WORDS_KEYS);
}

/* The first key says which language the file is written in, so that it can change one day. */
static void check_version(ag_experiment *experiment)
{
    ag_findings *findings = &experiment->findings;
    const ag_node *node = ag_node_get(experiment->root, "altgrad");
    int64_t version = 0;
    if (node == NULL)
        ag_config_error(findings, experiment->root->place,
                        "the key 'altgrad' is missing: begin the file with 'altgrad: 1'");
    else if (ag_node_int(&version, findings, node, "altgrad") && version != 1)
        ag_config_error(findings, node->place,
                        "this program reads version 1 of the experiment file, not %lld",
                        (long long)version);
}

/* The file's name without folder and ending, unless `name` says another. */
static void read_name(ag_experiment *experiment)
{
    const char *slash = strrchr(experiment->file.name, '/');
    const char *stem = slash != NULL ? slash + 1 : experiment->file.name;
    const char *dot = strrchr(stem, '.');
    size_t length = dot != NULL && dot != stem ? (size_t)(dot - stem) : strlen(stem);
    experiment->grid.numerics = AG_NUMERICS_VERSION;
    experiment->grid.name = ag_arena_strndup(&experiment->arena, stem, length);
    const ag_node *node = ag_node_get(experiment->root, "name");
    if (node != NULL)
        ag_node_name(&experiment->grid.name, &experiment->findings, node, "name");
    else if (experiment->grid.name != NULL && ag_find_control(experiment->grid.name) != NULL)
        ag_config_error(&experiment->findings, experiment->root->place,
                        "the name of this file holds control characters, so it cannot name the "
                        "experiment: give the experiment a 'name'");
}

/* Paths in the file are relative to it, wherever the program is started. */
static ag_status find_folder(ag_experiment *experiment, const char *path)
{
    char *real = realpath(path, NULL);
    if (real == NULL)
        return ag_fail(AG_ERR_INPUT, "cannot find %s: %s", path, strerror(errno));
    *strrchr(real, '/') = '\0';
    experiment->folder = ag_arena_strdup(&experiment->arena, real);
    free(real);
    return experiment->folder != NULL ? AG_OK : ag_fail(AG_ERR_SYSTEM, "out of memory");
}

/* Whether the rules of layer configs met the layers that they were meant for: only then can a rule
 * that matched nothing be an error of the rule. Only depth and layer configs count. */
static bool is_routed(const ag_experiment *experiment)
{
    bool routed = !ag_config_is_broken(experiment, "model.n_layer");
    for (size_t a = 0; a < experiment->n_axes; a++) {
        ag_axis_kind kind = experiment->axes[a].kind;
        bool decides = kind == AG_AXIS_NAMED || kind == AG_AXIS_PARAM || kind == AG_AXIS_LAYERS;
        routed &= !(experiment->axes[a].broken && decides);
    }
    return routed && experiment->n_combinations > 0;
}

static void read_experiment(ag_experiment *experiment)
{
    const char *const *sets = experiment->options.sets;
    const size_t n_sets = experiment->options.n_sets;
    ag_config_overlay(experiment, sets, n_sets);
    check_top_level(experiment);
    check_version(experiment);
    read_name(experiment);
    ag_config_params(experiment, sets, n_sets);
    ag_config_code_tables(experiment);
    ag_config_formats(experiment);
    ag_config_layer_configs(experiment);
    ag_config_axes(experiment);
    if (experiment->axes == NULL || experiment->findings.out_of_memory)
        return;
    ag_config_combinations(experiment);
    ag_config_compare(experiment);
    ag_config_claims(experiment);
    ag_config_rounds_check(experiment);
    ag_config_build(experiment);
    if (experiment->findings.out_of_memory)
        return;
    if (is_routed(experiment))
        ag_config_check_rules(experiment);
    if (experiment->findings.errors > 0)
        return;
    ag_config_check_sense(experiment);
    ag_config_check_compare(experiment);
}

/* The keys first: 'table' for 'tables' is told as a word, not as no tables. */
static void read_tables(ag_experiment *experiment)
{
    check_top_level(experiment);
    check_version(experiment);
    ag_config_code_tables(experiment);
    if (experiment->findings.errors == 0 && ag_node_get(experiment->root, "tables") == NULL)
        ag_config_error(&experiment->findings, experiment->root->place,
                        "this experiment defines no tables: expected 'tables: {NAME: {values: "
                        "[..]}}' beside 'formats'");
}

typedef void read_fn(ag_experiment *experiment);

/* The text of the file is kept whole: it goes into the results. */
static ag_status load(ag_experiment *experiment, const char *path, read_fn *read)
{
    ag_findings *findings = &experiment->findings;
    AG_TRY(ag_source_read(&experiment->file, path, findings));
    AG_TRY(find_folder(experiment, path));
    experiment->grid.yaml = experiment->file.text;
    experiment->root = ag_yaml_parse(&experiment->file, findings);
    if (experiment->root == NULL && findings->errors == 0 && !findings->out_of_memory)
        return ag_fail(AG_ERR_INPUT, "%s is empty: an experiment begins with 'altgrad: 1'", path);
    if (experiment->root != NULL &&
        ag_node_is(findings, experiment->root, AG_NODE_MAP, "an experiment"))
        read(experiment);
    if (findings->out_of_memory)
        return ag_fail(AG_ERR_SYSTEM, "%s: out of memory", path);
    if (findings->errors > 0)
        return ag_fail(AG_ERR_INPUT, "%s: %zu error%s", path, findings->errors,
                       findings->errors == 1 ? "" : "s");
    return AG_OK;
}

static ag_status load_new(ag_experiment **out, const char *path, read_fn *read,
                          const ag_experiment_options *options, ag_text *diagnostics)
{
    *out = NULL;
    ag_error_clear(); /* messages recorded from here on become findings */
    ag_experiment *experiment = calloc(1, sizeof *experiment);
    if (experiment == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    ag_arena_init_growing(&experiment->arena);
    experiment->findings.arena = &experiment->arena;
    if (options != NULL)
        experiment->options = *options;
    ag_status status = load(experiment, path, read);
    ag_findings_render(diagnostics, &experiment->findings, path);
    if (status == AG_OK)
        *out = experiment;
    else
        ag_experiment_destroy(experiment);
    return status;
}

ag_status ag_experiment_load(ag_experiment **out, const char *path,
                             const ag_experiment_options *options, ag_text *diagnostics)
{
    return load_new(out, path, read_experiment, options, diagnostics);
}

ag_status ag_experiment_tables(const char *path, ag_text *diagnostics)
{
    ag_experiment *experiment;
    AG_TRY(load_new(&experiment, path, read_tables, NULL, diagnostics));
    ag_experiment_destroy(experiment);
    return AG_OK;
}

/* Patterns belong to PCRE2; runs are handed to callers by the grid and come from malloc. */
void ag_experiment_destroy(ag_experiment *experiment)
{
    if (experiment == NULL)
        return;
    for (size_t i = 0; i < experiment->layer_configs.count; i++) {
        const ag_layer_config *config = &experiment->layer_configs.items[i];
        for (size_t r = 0; r < config->n_rules; r++)
            ag_pattern_destroy(config->rules[r].pattern);
    }
    free(experiment->runs);
    ag_arena_deinit(&experiment->arena);
    free(experiment);
}

const ag_grid *ag_experiment_grid(const ag_experiment *experiment)
{
    return &experiment->grid;
}

size_t ag_experiment_warnings(const ag_experiment *experiment)
{
    return experiment->findings.warnings;
}

/* What the grid made of the axes, for the summary of plan and run. */
ag_experiment_counts ag_experiment_counted(const ag_experiment *experiment)
{
    return (ag_experiment_counts){
        .multiplied = experiment->n_multiplied,
        .excluded = experiment->n_excluded,
        .included = experiment->n_included,
        .folded = experiment->grid.n_labels - experiment->grid.n_runs,
        .seeds = experiment->n_seeds_folded,
    };
}

size_t ag_experiment_axis_points(const ag_experiment *experiment, size_t axis,
                                 const ag_axis_value **values, ag_arena *arena)
{
    const ag_axis_points *points = &experiment->axes[axis];
    ag_axis_value *copy = ag_arena_alloc(arena, points->n_points * sizeof *copy);
    for (size_t i = 0; i < points->n_points && copy != NULL; i++)
        copy[i] = points->points[i].value;
    *values = copy;
    return copy != NULL ? points->n_points : 0;
}
