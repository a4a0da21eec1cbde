/* The one list of parameters: key, type, default, range, unit, help. It feeds the YAML parser,
 * --set, `altgrad params`, the JSON of a run and its id, and the HDF5 attributes. */
#ifndef AG_RUN_PARAMS_H
#define AG_RUN_PARAMS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/status.h"
#include "base/text.h"
#include "run/run.h"

typedef enum ag_param_type {
    AG_PARAM_BOOL,
    AG_PARAM_INT,
    AG_PARAM_REAL,
    AG_PARAM_PAIR,  /* two reals */
    AG_PARAM_WORD,  /* one of `words`, stored as its index */
    AG_PARAM_WORDS, /* a set of `words`, stored as bits */
    AG_PARAM_TEXT,
    AG_PARAM_DURATION,  /* seconds as a real; written 90, 90s, 10m, 2h, 1d or none */
    AG_PARAM_BYTES,     /* written 512M, 2G or none */
    AG_PARAM_STEPS,     /* a whole number; written 100, or 5% of train.steps: see ag_run_settle */
    AG_PARAM_FORMAT,    /* a number format, stored as its canonical name */
    AG_PARAM_STEP_LIST, /* an ag_step_list; written [100, 5%] */
} ag_param_type;

typedef enum ag_param_use {
    AG_PARAM_USE_IDENTITY, /* part of the run id */
    AG_PARAM_USE_RUN,      /* a trainer needs it, the id does not hold it */
    AG_PARAM_USE_DATA, /* enters the id through the digest of the data or of the initial weights */
    AG_PARAM_USE_EXPERIMENT, /* of the experiment as a whole: no trainer sees it */
} ag_param_use;

typedef struct ag_param {
    const char *key; /* "optimizer.lr" */
    ag_param_type type;
    size_t offset;            /* in ag_run */
    const char *default_text; /* as a user would write it */
    double min;
    double max;
    const char *const
        *words; /* ends in NULL; of WORD and WORDS; of INT: one, which is written for 0 */
    ag_param_use use;
    const char *unit; /* "" when it has none */
    const char *help;
    const char *neutral; /* of a key added after schema 1: the id leaves it out at this value */
} ag_param;

/* The table, sorted by section as in the experiment file. */
const ag_param *ag_params(size_t *count);

/* The row of a dotted key, or NULL. */
const ag_param *ag_param_find(const char *key);

/* What values the parameter takes, in words: "whole number, 1 to 1000". Cut to `size`. */
void ag_param_expects(char *text, size_t size, const ag_param *param);

/* The nearest key to one that is not known, or NULL. */
const char *ag_param_nearest(const char *key);

/* Sets every parameter to its default and everything else in the run to zero. */
void ag_run_defaults(ag_run *run);

/* A truth value as YAML 1.2 writes it: true, True, TRUE, false, False or FALSE. False for anything
 * else; yes, no, on and off are words. */
bool ag_bool_read(bool *value, const char *text);

/* Parses `text` by the parameter's type and stores it in the run. AG_ERR_INPUT with a message that
 * says the key, the value, what was expected. Texts are copied into the arena. */
ag_status ag_param_set(ag_run *run, const ag_param *param, const char *text, ag_arena *arena);

/* The parameter's value as a user would write it. In the arena; NULL when memory runs out. */
const char *ag_param_get(const ag_run *run, const ag_param *param, ag_arena *arena);

/* Whether its value is written as a list. */
bool ag_param_takes_list(const ag_param *param);

/* Turns numbers of steps that were written as a share of train.steps, which ag_param_set keeps as
 * minus its billionths, into the nearest number of steps. What a run is made of never has a share.
 */
void ag_run_settle(ag_run *run);

/* The same of one number of steps outside the table: reads "100" or "5%", and settles it. */
bool ag_steps_read(int64_t *steps, const char *text);
int64_t ag_steps_settle(int64_t steps, int64_t of);

/* Whether the run's result can depend on the parameter. One without effect is null in the
 * canonical JSON, so that runs which mean the same have the same text. */
bool ag_param_has_effect(const ag_run *run, const ag_param *param);

/* Appends what the effect of a parameter depends on, as in "only optimizer.schedule wsd reads it";
 * false where it always has one. */
bool ag_param_condition(ag_text *text, const ag_param *param);

/* The checks that involve several parameters (n_embd divisible by n_head, exactly one kind of
 * data, ...). AG_ERR_INPUT with the first that fails. */
ag_status ag_run_check(const ag_run *run);

#endif
