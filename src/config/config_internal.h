/* The experiment as it is built up: base run, formats, layer configs, axes, combinations, grid. Its
 * parts have headers of their own: findings.h, nodes.h, index.h, layer_formats.h, axes.h. */
#ifndef AG_CONFIG_INTERNAL_H
#define AG_CONFIG_INTERNAL_H

#include "axes.h"
#include "index.h"

/* Limits of a grid. One that is larger is most likely a mistake, and would fill the memory. */
enum {
    AG_MAX_SEARCHES = 2000000,    /* of patterns in names */
    AG_MAX_COMBINATIONS = 100000, /* of the grid */
    AG_MAX_AXES = 60,             /* besides format, layers and seed */
    AG_MAX_CORPORA = 1000,
    AG_MAX_ROUTED_LAYERS = 500000, /* distinct (layer config, format, depth) tables together */
    AG_MAX_IDENTIFIED = 20000000,  /* runs times their layers */
};

/* The target of each layer and site of a model of this depth. */
typedef struct ag_choice {
    ag_model_spec model; /* its depth and form count */
    size_t config;
    const ag_target *const *layers; /* [layers] */
    const ag_rule *const *sites;    /* [sites]: NULL where no rule names it; NULL: none does */
} ag_choice;

/* The same, once the format is known, and which sites have no effect. */
typedef struct ag_routing {
    ag_model_spec model;
    size_t config;
    size_t format;
    uint32_t idle; /* bit k: sites of kind k are off */
    int64_t steps; /* of the run, where formats change with the step; else 0 */
    ag_phase first;
    size_t n_phases; /* after the first */
    const ag_phase *phases;
} ag_routing;

typedef struct ag_facts_entry {
    ag_data_spec data;
    int64_t block_size;
    bool ok;
    ag_data_facts facts;
} ag_facts_entry;

typedef struct ag_initial ag_initial;         /* weights of model.init, in initial.c */
typedef struct ag_asked_state ag_asked_state; /* states of train.start, in start.c */

/* Filled in step by step (experiment.c); a step reads what those before it left. All memory but
 * that of runs and patterns is the arena's, so that an error anywhere needs no cleaning up. */
struct ag_experiment {
    ag_arena arena;
    ag_findings findings;
    ag_experiment_options options;
    ag_yaml_source file;
    const char *folder; /* absolute, of the file */
    const ag_node *root;

    ag_run base;            /* defaults, file, --set */
    ag_place *param_places; /* [n_params]; source NULL where the default stands */
    bool *on_command_line;  /* [n_params] */
    bool *param_broken; /* [n_params]: was said with an error, its value is not what was meant */

    size_t n_formats;
    size_t formats_capacity;
    ag_format_entry *formats; /* point i of the format axis is format i */
    bool formats_broken;
    bool formats_unnamed; /* an entry had no name that could be read */
    ag_layer_configs layer_configs;

    size_t n_axes;
    ag_axis_points *axes;
    bool axes_broken;

    size_t n_multiplied;
    size_t n_excluded;
    size_t n_included;
    size_t n_combinations;
    uint32_t *tuples; /* [n_combinations + 1, n_axes] indices of points; the last row is scratch */
    ag_index tuple_index;

    size_t n_choices;
    ag_choice *choices;
    ag_index choice_index;
    size_t n_routings;
    ag_routing *routings;
    ag_index routing_index;
    size_t routed_layers;
    size_t searches;
    size_t n_facts;
    ag_facts_entry *facts;
    const ag_initial *initials;  /* of runs so far */
    const ag_asked_state *begun; /* likewise */
    bool draws;                  /* in some run a random number has a part */
    size_t n_seeds_folded;       /* labels of a run that keeps another seed */
    bool pairs_seeds;            /* some run starts from the source's run of its own seed */
    size_t identified_layers;

    size_t *baseline; /* [n_axes] point, SIZE_MAX where not named */
    bool has_baseline;
    bool compare_asked;
    ag_place baseline_place;

    ag_run *runs; /* from malloc */
    ag_grid grid;
};

/* A path without "./" and repeated slashes: './one.txt' and 'one.txt' are the same. In the arena;
 * NULL when memory runs out. */
const char *ag_plain_path(const char *path, ag_arena *arena);

/* Sections of parameters and --set into experiment->base. */
void ag_config_params(ag_experiment *experiment, const char *const *sets, size_t n_sets);

/* Lays what --set says of keys that span the grid over the tree of the file. */
void ag_config_overlay(ag_experiment *experiment, const char *const *sets, size_t n_sets);

/* Whether a key of --set is one of those. */
bool ag_config_spans_grid(const char *key, ag_findings *findings);

/* A text of --set as a source of findings, the `order`th. NULL when memory runs out. */
ag_yaml_source *ag_config_set_source(ag_findings *findings, const char *text, size_t order);

/* The names of the sections of parameters. */
size_t ag_config_sections(const char *names[], size_t capacity, ag_findings *findings);

/* Whether the value of a parameter whose key begins with `prefix` is not what was meant: what seems
 * wrong with it was told already. */
bool ag_config_is_broken(const ag_experiment *experiment, const char *prefix);

/* "; here that is 'optimizer.lr'" or "; did you mean ...?" for a key that is no parameter, or "".
 */
const char *ag_config_param_hint(ag_findings *findings, const char *key);

/* Parses a node as a parameter's value. False after an error. */
bool ag_config_setting(ag_setting *setting, ag_experiment *experiment, const ag_param *param,
                       const ag_node *node);
void ag_setting_apply(ag_run *run, const ag_setting *setting);

/* Code tables, which formats then name. */
void ag_config_code_tables(ag_experiment *experiment);

void ag_config_formats(ag_experiment *experiment);

/* The index of a label (letter case ignored), or SIZE_MAX. */
size_t ag_config_format_find(const ag_experiment *experiment, const char *label);

/* Adds an entry of `formats`; SIZE_MAX after an error. */
size_t ag_config_format_add(ag_experiment *experiment, const ag_node *node);

void ag_config_layer_configs(ag_experiment *experiment);
void ag_config_axes(ag_experiment *experiment);

/* The index of an axis, or SIZE_MAX. */
size_t ag_axis_find(const ag_experiment *experiment, const char *name);
void ag_axis_unknown(ag_experiment *experiment, const ag_node *key, const char *what);

/* The points of an axis that `node` (a value or a list) names, appended to `indices`, which has
 * room for ag_axis_values(node). With `grow`, a value outside the axis is added. False after an
 * error. */
bool ag_axis_select(size_t *indices, size_t *count, ag_experiment *experiment, size_t axis,
                    const ag_node *node, bool grow);
size_t ag_axis_values(const ag_node *node);

/* Axes, exclude and include into experiment->tuples. */
void ag_config_combinations(ag_experiment *experiment);

/* The index of a combination [n_axes], or SIZE_MAX. */
size_t ag_config_combination_find(ag_experiment *experiment, const uint32_t *tuple);

/* Whether it is model.init.where, whose value is a mapping of axes to values. */
bool ag_config_is_where(const ag_param *param);

/* Its value as a run holds it, or NULL after an error; and as one would write it. */
const char *ag_config_where(ag_findings *findings, const ag_node *node);
const char *ag_config_where_label(ag_findings *findings, const ag_node *map);

/* Finds the weights that model.init of a run names, which is complete but for them. False after an
 * error, which is said to be at `place`. */
bool ag_config_initial(ag_run *run, ag_experiment *experiment, ag_place place);

/* Finds the state that train.start of a run names, which is complete but for that: afterwards it
 * has its digest, its run's id and its step. False after an error, which is told by ag_fail where
 * it is about this run alone and *is_told is false. */
bool ag_config_start(bool *is_told, ag_run *run, ag_experiment *experiment);

/* Every combination to a run: experiment->grid. */
void ag_config_build(ag_experiment *experiment);

/* Where the first parameter that begins with `prefix` was said: on an axis (`tuple` NULL: none), in
 * the file or on the command line. Source NULL where its default stands. */
ag_place ag_config_said(const ag_experiment *experiment, const uint32_t *tuple, const char *prefix);

/* Settings of a grid without errors that cannot be meant so: a warm-up without end, keys that no
 * run reads. */
void ag_config_check_sense(ag_experiment *experiment);

/* Tables for at most n_combinations routings. */
bool ag_config_route_init(ag_experiment *experiment);

/* Sets the layers and sites of a run that has all else, shared between all runs that have the same.
 * False after an error. */
bool ag_config_route(ag_run *run, ag_experiment *experiment, size_t config, size_t format);

/* Rules that no run needs, formats that no layer config uses. */
void ag_config_check_rules(ag_experiment *experiment);

void ag_config_compare(ag_experiment *experiment);

/* `claims`, of the axes and combinations that were read before. */
void ag_config_claims(ag_experiment *experiment);

/* Combinations without a partner, seeds too few for the margin. */
void ag_config_check_compare(ag_experiment *experiment);

#endif
