/* Formats of the experiment file, patterns of layers' names, and layer configs, which say by rules
 * which layer gets which format. */
#ifndef AG_CONFIG_LAYER_FORMATS_H
#define AG_CONFIG_LAYER_FORMATS_H

#include "nodes.h"
#include "numerics/layer_precision.h"

enum { AG_MAX_RULES = 1000 }; /* of one layer config; also of exclude, of include */

/* --- patterns */

typedef struct ag_pattern ag_pattern;

/* Compiles PCRE2; NULL after an error that shows PCRE2's message and position. */
ag_pattern *ag_pattern_compile(ag_findings *findings, const ag_node *node);
void ag_pattern_destroy(ag_pattern *pattern);

/* Whether it is found anywhere in `name`, and where it ends there. Sets *costly when PCRE2 gave up.
 */
bool ag_pattern_search(const ag_pattern *pattern, const char *name, size_t *end, bool *costly);

/* --- formats */

/* Steps are written as ag_steps_read has them: a share of train.steps is not settled yet. */
typedef struct ag_stage {
    int64_t from;
    int64_t until; /* the first step that is no longer of it */
    ag_layer_precision precision;
    ag_place place;
    bool asked; /* some run uses its format, */
    bool held;  /* and the stage holds at some step of one */
} ag_stage;

/* A format by step: its stages follow each other, and outside of them it is BF16. Most have one,
 * which lasts throughout; BF16 itself may have none. */
typedef struct ag_staged {
    size_t n_stages;
    ag_stage *stages;
} ag_staged;

typedef struct ag_format_entry {
    const char *label;
    ag_place place;
    ag_staged staged;
    bool fp32;  /* compute mode of the whole run; staged is all null */
    bool null;  /* every role null and not fp32: the BF16 run */
    bool named; /* by a layer config */
} ag_format_entry;

/* A format or recipe by name, null = BF16. False after an error. */
bool ag_format_named(ag_layer_precision *precision, ag_findings *findings, const ag_node *node,
                     const char *what);

/* An edit sets one member of every quantised scheme that a key is about: of all, or of both uses of
 * a role. What is not quantised has nothing to edit. */
typedef void ag_scheme_edit(ag_scheme *scheme, const void *value);
void ag_role_edit(ag_layer_precision *precision, int role, ag_scheme_edit *edit, const void *value);
void ag_precision_edit(ag_layer_precision *precision, ag_scheme_edit *edit, const void *value);

/* Whether some scheme that quantises is so. */
bool ag_precision_has(const ag_layer_precision *precision, bool (*is)(const ag_scheme *scheme));

/* `hadamard` of a format whose schemes are set: a truth, or a mapping of size, products, signs. */
void ag_format_hadamard(ag_layer_precision *precision, ag_findings *findings, const ag_node *node);

/* `scaling` of a format whose schemes are set. */
void ag_format_scaling(ag_layer_precision *precision, ag_findings *findings, const ag_node *node);

/* `accumulate` of a format whose schemes are set: a name, a mapping of terms, or one of
 * these per product. */
void ag_format_accumulate(ag_layer_precision *precision, ag_findings *findings,
                          const ag_node *node);

/* A mapping of roles, scaling, rounding, overflow, ste, accumulate; its name and steps are not
 * looked at. */
bool ag_format_mapping(ag_layer_precision *precision, ag_findings *findings, const ag_node *node);

/* The same with its steps: `from` and `until`, or `phases`. False after an error. */
bool ag_format_staged(ag_staged *staged, ag_findings *findings, const ag_node *map);

/* One stage, which lasts throughout. False when memory runs out. */
bool ag_staged_set(ag_staged *staged, ag_findings *findings, const ag_layer_precision *precision);

/* The precision at a step of a run of `steps` steps, or NULL: BF16. Notes that its stage held. */
const ag_layer_precision *ag_staged_at(const ag_staged *staged, int64_t step, int64_t steps);

/* Where it changes in a run of `steps` steps: fills in at most 2 n_stages steps, some of them
 * perhaps outside of the run, and returns their number. */
size_t ag_staged_bounds(int64_t *bounds, const ag_staged *staged, int64_t steps);

/* Whether the precision may change with the step. */
bool ag_staged_changes(const ag_staged *staged);

/* Warns of stages that hold in no step of any run. */
void ag_staged_check(ag_findings *findings, const ag_staged *staged);

/* One entry of `formats`. False after an error; `label` is set where it could be read. */
bool ag_format_entry_parse(ag_format_entry *entry, ag_findings *findings, const ag_node *node);

/* --- layer configs */

typedef enum ag_target_kind { AG_TARGET_NULL, AG_TARGET_RUN, AG_TARGET_FIXED } ag_target_kind;

/* Where a rule sends a layer: BF16, the run's format, or always the same one. */
typedef struct ag_target {
    ag_target_kind kind;
    const ag_staged *staged; /* FIXED */
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
    bool earlier;       /* matches a site of it that is not late: then it routes no late one */
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

#endif
