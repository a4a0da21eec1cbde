/* What the files of config share: the YAML tree with its places, the findings, and the experiment
 * as it is built up: formats, layer configs, axes, combinations, grid. */
#ifndef AG_CONFIG_INTERNAL_H
#define AG_CONFIG_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "base/text.h"
#include "config/experiment.h"
#include "numerics/scheme.h"
#include "run/grid.h"
#include "run/params.h"
#include "run/run.h"

enum {
    AG_MAX_ERRORS = 20,
    AG_MAX_WARNINGS = 20,
    AG_MAX_FILE_BYTES = 1 << 20,
    AG_MAX_DEPTH = 32,
    AG_MAX_NODES = 50000,         /* aliases counted at what they stand for */
    AG_MAX_POINTS = 10000,        /* of one axis */
    AG_MAX_RULES = 1000,          /* of one layer config; also of exclude, of include */
    AG_MAX_SEARCHES = 2000000,    /* of patterns in names */
    AG_MAX_COMBINATIONS = 100000, /* of the grid */
    AG_MAX_AXES = 60,             /* besides format, layers and seed */
    AG_MAX_CORPORA = 1000,
    AG_MAX_ROUTED_LAYERS = 500000, /* distinct (layer config, format, depth) tables together */
    AG_MAX_IDENTIFIED = 20000000,  /* runs times their layers */
    AG_MAX_NAME = 1000,            /* bytes of a name */
};

/* --- places and findings */

typedef struct ag_yaml_source {
    const char *name; /* as it stands before ":line:col" */
    const char *text; /* UTF-8 without 0 bytes */
    size_t size;
    size_t order; /* findings of the file (0) stand before those of the command line */
} ag_yaml_source;

typedef struct ag_place {
    const ag_yaml_source *source; /* NULL: no place, the message stands alone */
    size_t offset;                /* bytes */
    size_t length;                /* bytes that the underline covers; at least the caret is drawn */
} ag_place;

typedef struct ag_config_finding {
    bool warning;
    ag_place place;
    const char *message;
} ag_config_finding;

typedef struct ag_findings {
    ag_arena *arena;
    size_t errors; /* found; only the first AG_MAX_ERRORS are kept */
    size_t warnings;
    size_t kept;
    ag_config_finding items[AG_MAX_ERRORS + AG_MAX_WARNINGS];
    bool out_of_memory;
} ag_findings;

/* Notes an error or a warning; the same message at the same place only once. */
void ag_config_error(ag_findings *findings, ag_place place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void ag_config_warning(ag_findings *findings, ag_place place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Passes the recorded message of a failed call on as an error at `place`, and clears it. */
void ag_config_failed(ag_findings *findings, ag_place place);

/* Whether nothing more can be reported. */
bool ag_config_full(const ag_findings *findings);

/* Appends every finding in the order of the file; `file` stands before those without a place. */
void ag_findings_render(ag_text *text, const ag_findings *findings, const char *file);

/* `bytes` zeroed bytes of the arena, or NULL after noting that memory ran out. */
void *ag_config_alloc(ag_findings *findings, size_t count, size_t size);

/* " (did you mean 'x'?)", or "" where nothing is near. In the arena. */
const char *ag_config_hint(ag_findings *findings, const char *word, const char *const *words,
                           size_t count);

/* Lists of words that users of other trainers type. */
typedef enum ag_foreign_list {
    AG_WORDS_KEYS,  /* of an experiment and its sections */
    AG_WORDS_ROLES, /* of a format */
    AG_WORDS_PARTS  /* of mixed_precision */
} ag_foreign_list;

/* "; here that is 'train.steps'", or "" for a word that is not known; `ours` is what stands for it,
 * or NULL. In the arena. */
const char *ag_foreign_hint(const char **ours, ag_findings *findings, ag_foreign_list list,
                            const char *word);

/* "a, b, c", the first dozen of the words. In the arena. */
const char *ag_config_listed(ag_findings *findings, const char *const *words, size_t count);

/* Appends the same. */
void ag_add_listed(ag_text *text, const char *const *words, size_t count);

/* A path without "./" and repeated slashes: './one.txt' and 'one.txt' are the same. In the arena;
 * NULL when memory runs out. */
const char *ag_plain_path(const char *path, ag_arena *arena);

/* --- the YAML tree */

typedef enum ag_node_kind { AG_NODE_NULL, AG_NODE_SCALAR, AG_NODE_LIST, AG_NODE_MAP } ag_node_kind;

typedef struct ag_node ag_node;
struct ag_node {
    ag_node_kind kind;
    ag_place place;
    const char *text;     /* SCALAR; "" elsewhere */
    size_t count;         /* items of LIST, entries of MAP */
    const ag_node **keys; /* MAP: scalars, [count] */
    const ag_node **items;
    bool flawed;   /* SCALAR with a control character, which was told: nothing else is */
    size_t weight; /* nodes below, this one included, aliases counted at what they stand for */
};

/* Reads a file into the arena: a regular file of at most AG_MAX_FILE_BYTES, UTF-8, without 0. */
ag_status ag_source_read(ag_yaml_source *source, const char *path, ag_findings *findings);

/* The tree of one YAML document, or NULL with its findings. */
const ag_node *ag_yaml_parse(const ag_yaml_source *source, ag_findings *findings);

/* The value of a key, or NULL. */
const ag_node *ag_node_get(const ag_node *map, const char *key);

/* Whether the node is of that kind; else an error "`what` must be a mapping ...". */
bool ag_node_is(ag_findings *findings, const ag_node *node, ag_node_kind kind, const char *what);

/* Errors for keys that `words` does not hold. */
void ag_node_check_keys(ag_findings *findings, const ag_node *map, const char *const *words,
                        size_t n_words, const char *what);

/* The same, where words of `list` are answered with ours. */
void ag_node_check_words(ag_findings *findings, const ag_node *map, const char *const *words,
                         size_t n_words, const char *what, ag_foreign_list list);

/* Typed scalars. Each returns false after an error at the node. A name has at most AG_MAX_NAME
 * bytes. */
bool ag_node_name(const char **out, ag_findings *findings, const ag_node *node, const char *what);
bool ag_node_text(const char **out, ag_findings *findings, const ag_node *node, const char *what);
bool ag_node_int(int64_t *out, ag_findings *findings, const ag_node *node, const char *what);
bool ag_node_bool(bool *out, ag_findings *findings, const ag_node *node, const char *what);
bool ag_node_word(int *out, ag_findings *findings, const ag_node *node, const char *what,
                  const char *const *words, size_t n_words);

/* The node as ag_param_set takes it: a scalar's text, "[a, b]" of a list of scalars; "none" for
 * null where the type has it. NULL after an error. */
const char *ag_node_param_text(ag_findings *findings, const ag_node *node, const ag_param *param);

/* --- a set of small integers by hash, sized once */

typedef struct ag_index {
    size_t *slots; /* value + 1; 0 is free */
    size_t mask;
} ag_index;

typedef bool (*ag_index_same)(const void *context, size_t value);

bool ag_index_init(ag_index *index, size_t capacity, ag_findings *findings);

/* The slot that holds a value for which same() is true, or the free one for it. */
size_t *ag_index_find(const ag_index *index, uint64_t hash, ag_index_same same,
                      const void *context);

uint64_t ag_index_hash(const void *bytes, size_t count);

/* --- patterns */

typedef struct ag_pattern ag_pattern;

/* Compiles PCRE2; NULL after an error that shows PCRE2's message and position. */
ag_pattern *ag_pattern_compile(ag_findings *findings, const ag_node *node);
void ag_pattern_destroy(ag_pattern *pattern);

/* Whether it is found anywhere in `name`, and where it ends there. Sets *costly when PCRE2 gave up.
 */
bool ag_pattern_search(const ag_pattern *pattern, const char *name, size_t *end, bool *costly);

/* --- formats */

typedef struct ag_format_entry {
    const char *label;
    ag_place place;
    ag_layer_precision precision;
    bool fp32;  /* compute mode of the whole run; precision is all null */
    bool null;  /* every role null and not fp32: the BF16 run */
    bool named; /* by a layer config */
} ag_format_entry;

/* A format or recipe by name, null = BF16. False after an error. */
bool ag_format_named(ag_layer_precision *precision, ag_findings *findings, const ag_node *node,
                     const char *what);

/* `accumulate` of a format whose schemes are set: a name, a mapping of terms, or one a product. */
void ag_format_accumulate(ag_layer_precision *precision, ag_findings *findings,
                          const ag_node *node);

/* A mapping of roles, scaling, rounding, overflow, ste, accumulate; its name is not looked at. */
bool ag_format_mapping(ag_layer_precision *precision, ag_findings *findings, const ag_node *node);

/* One entry of `formats`. False after an error; `label` is set where it could be read. */
bool ag_format_entry_parse(ag_format_entry *entry, ag_findings *findings, const ag_node *node);

/* --- layer configs */

typedef enum ag_target_kind { AG_TARGET_NULL, AG_TARGET_RUN, AG_TARGET_FIXED } ag_target_kind;

/* Where a rule sends a layer: BF16, the run's format, or always the same one. */
typedef struct ag_target {
    ag_target_kind kind;
    const ag_layer_precision *precision; /* FIXED */
} ag_target;

typedef struct ag_rule {
    const char *text;
    ag_pattern *pattern; /* NULL: `text` is a plain substring */
    ag_target target;
    ag_place place;
    bool implied;       /* made by mixed_precision: may match nothing */
    bool skip;          /* made by skip_patterns: may be covered by an earlier one */
    bool matched;       /* some layer or site of some run of the grid */
    bool reached;       /* was the first to match one */
    bool whole;         /* ends with a number, and was found where that is a layer's whole number */
    const char *longer; /* and this layer, in which the number has more digits; else NULL */
    bool general; /* matches a layer of the model being routed: then it routes none of its sites */
} ag_rule;

typedef struct ag_layer_config {
    const char *name;
    ag_place place;
    bool broken; /* had errors */
    size_t n_rules;
    ag_rule *rules;
    ag_target fallback; /* where no rule matches */
    size_t uses;        /* combinations of the grid */
} ag_layer_config;

typedef struct ag_layer_configs {
    size_t count;
    ag_layer_config *items;
} ag_layer_configs;

/* --- axes */

typedef enum ag_axis_kind {
    AG_AXIS_FORMAT,
    AG_AXIS_LAYERS,
    AG_AXIS_PARAM,
    AG_AXIS_NAMED,
    AG_AXIS_SEED
} ag_axis_kind;

/* Format and layers come first, then the axes of the file, seed last: it runs fastest. */
enum { AG_FORMAT_AXIS = 0, AG_LAYERS_AXIS = 1 };

/* A parameter's value, as the bytes of its member of ag_run. */
typedef struct ag_setting {
    const ag_param *param;
    ag_place place;
    unsigned char value[2 * sizeof(double)];
} ag_setting;

typedef struct ag_point {
    ag_axis_value value;   /* as the user wrote it */
    const char *canonical; /* equal for points that mean the same */
    ag_place place;
    size_t n_settings; /* PARAM and NAMED */
    const ag_setting *settings;
} ag_point;

typedef struct ag_axis_points {
    const char *name;
    ag_axis_kind kind;
    ag_axis_type type;
    const ag_param *param; /* PARAM */
    ag_place place;
    size_t n_grid; /* points that multiply; those after them came from include */
    size_t n_points;
    size_t capacity;
    ag_point *points;
    bool broken; /* had errors: what seems missing may be what was wrong */
} ag_axis_points;

ag_point *ag_axis_add(ag_axis_points *axis, ag_findings *findings, const ag_point *point);
bool ag_axis_add_format(ag_axis_points *axis, ag_findings *findings, const ag_format_entry *entry);
bool ag_axis_add_seed(ag_axis_points *axis, ag_findings *findings, int64_t seed, ag_place place);
bool ag_axis_seed(int64_t *seed, ag_findings *findings, const ag_node *node);
bool ag_axis_param_point(ag_point *point, ag_experiment *experiment, const ag_axis_points *axis,
                         const ag_node *node);

/* --- the experiment */

/* The target of each layer and site of a model of this depth. */
typedef struct ag_choice {
    int64_t n_layer;
    size_t config;
    const ag_target *const *layers; /* [layers] */
    const ag_rule *const *sites;    /* [sites]: NULL where no rule names it; NULL: none does */
} ag_choice;

/* The same, once the format is known, and which sites have no effect. */
typedef struct ag_routing {
    int64_t n_layer;
    size_t config;
    size_t format;
    uint32_t idle;                    /* bit k: sites of kind k are off */
    const ag_layer_precision *layers; /* [layers] */
    const ag_layer_precision *sites;  /* [sites], or NULL: none is on */
} ag_routing;

typedef struct ag_facts_entry {
    ag_data_spec data;
    int64_t block_size;
    bool ok;
    ag_data_facts facts;
} ag_facts_entry;

typedef struct ag_initial ag_initial; /* weights of model.init, in initial.c */

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
    const ag_initial *initials; /* of runs so far */
    bool draws;                 /* in some run a random number has a part */
    size_t n_seeds_folded;      /* labels of a run that keeps another seed */
    bool pairs_seeds;           /* some run starts from the source's run of its own seed */
    size_t identified_layers;

    size_t *baseline; /* [n_axes] point, SIZE_MAX where not named */
    bool has_baseline;
    bool compare_asked;
    ag_place baseline_place;

    ag_run *runs; /* from malloc */
    ag_grid grid;
};

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

/* Combinations without a partner, seeds too few for the margin. */
void ag_config_check_compare(ag_experiment *experiment);

#endif
