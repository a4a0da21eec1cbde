/* What the files of this folder share: single values and sections of a run as JSON, and reading
 * JSON with messages that say where. */
#ifndef AG_RUN_SPEC_INTERNAL_H
#define AG_RUN_SPEC_INTERNAL_H

#include <jansson.h>

#include "base/arena.h"
#include "base/status.h"
#include "base/text.h"
#include "run/params.h"

enum { AG_SECTION_KEYS = 64, AG_KEY_PATH_SIZE = 128, AG_COMPUTES = 2 };

/* A share of the steps, where they are not known yet, is minus so many of these in the whole. */
enum { AG_SHARE_WHOLE = 1000000000 };

#define AG_MAX_WHOLE (INT64_C(1) << 53) /* every whole number up to here survives JSON */

/* The words of `compute`, by ag_compute. */
extern const char *const ag_compute_words[AG_COMPUTES];

/* --- parameters */

/* Where a parameter of type AG_PARAM_TEXT or AG_PARAM_FORMAT lives in a run. */
const char **ag_param_text_at(ag_run *run, const ag_param *param);

/* --- what is expected (param_expects.c) */

/* Bytes that hold what ag_param_expects says of any; and those of a refused text that are shown. */
enum { AG_EXPECTS_SIZE = 200, AG_SHOWN_OF_TEXT = 60 };

/* "one, two": cut to `size`, since it is for a message. */
void ag_param_join_words(char *out, size_t size, const char *const *words);

/* AG_ERR_INPUT: the text is not valid, and what is expected. */
ag_status ag_param_refuse(const ag_param *param, const char *text);

/* Adds a number where it belongs, once. False where the list is full. */
bool ag_step_list_add(ag_step_list *list, int64_t step);

/* Sets a parameter from a text of the table itself, which outlives every run. */
void ag_param_preset(ag_run *run, const ag_param *param, const char *text);

/* Reads the text of a parameter of type AG_PARAM_FORMAT; the canonical name is in the arena. */
ag_status ag_param_read_format(const char **value, const ag_param *param, const char *text,
                               ag_arena *arena);

/* Appends a parameter's value. */
void ag_param_to_json(ag_text *text, const ag_run *run, const ag_param *param);

/* Sets a parameter from a value that ag_param_to_json wrote; checks type and range. */
ag_status ag_param_from_json(ag_run *run, const ag_param *param, json_t *value, ag_arena *arena);

/* Whether the id leaves the parameter out: added after schema 1, and at its neutral value or
 * without effect. */
bool ag_param_is_neutral(const ag_run *run, const ag_param *param);

/* --- sections */

typedef enum ag_section_part {
    AG_SECTION_PART_IDENTITY, /* what the run id covers */
    AG_SECTION_PART_LOCAL,    /* what a trainer needs besides */
} ag_section_part;

/* A section of the experiment file and those of its parameters that belong to one part, sorted. */
typedef struct ag_param_section {
    size_t count;
    const ag_param *params[AG_SECTION_KEYS];
    const char *leaves[AG_SECTION_KEYS + 1]; /* names without the section's; ends in NULL */
} ag_param_section;

/* The sections that have parameters of a part, sorted; ends in NULL. */
extern const char *const ag_identity_sections[];
extern const char *const ag_local_sections[];

/* Whether a run's text leaves the whole section out: all of its parameters are neutral, and came
 * after schema 1. */
bool ag_param_section_is_neutral(const ag_param_section *section, const ag_run *run);

void ag_param_section_fill(ag_param_section *section, const char *name, ag_section_part part);

/* --- reading JSON */

/* An object and where it stands, such as "run.optimizer". */
typedef struct ag_json_at {
    json_t *object;
    const char *path;
} ag_json_at;

/* Parses a text; the caller releases the result with json_decref. `what` names the text. */
ag_status ag_json_parse(json_t **out, const char *text, size_t size, const char *what);

/* AG_ERR_INPUT unless `at` is an object with no key but those of `known`, which ends in NULL. */
ag_status ag_json_known(ag_json_at at, const char *const *known);

/* The value of a key that must be there; borrowed. */
ag_status ag_json_member(json_t **out, ag_json_at at, const char *key);

/* A whole number of at least `min` and at most `max`. */
ag_status ag_json_whole(int64_t *out, ag_json_at at, const char *key, int64_t min, int64_t max);

ag_status ag_json_bool(bool *out, ag_json_at at, const char *key);

/* A string; borrowed from the JSON. */
ag_status ag_json_text(const char **out, ag_json_at at, const char *key);

/* The index of a string among `count` words. */
ag_status ag_json_word(int *out, ag_json_at at, const char *key, const char *const *words,
                       size_t count);

/* `length` lower-case hex digits and a 0. */
ag_status ag_json_hex(char *out, ag_json_at at, const char *key, size_t length);

/* --- layers */

/* The data by what it turned out to be, wherever it came from. */
void ag_facts_to_json(ag_text *text, const ag_data_facts *facts);
ag_status ag_facts_from_json(ag_data_facts *facts, ag_json_at at);

/* A digest; "" is null. */
void ag_digest_to_json(ag_text *text, const char *digest);
ag_status ag_digest_from_json(char digest[AG_DIGEST_LENGTH + 1], ag_json_at at, const char *key);

/* The run's layers, and its sites that are on, as an object sorted by name; and back, into arrays
 * in the arena, once all else of the run is set. */
void ag_layers_to_json(ag_text *text, const ag_run *run);
ag_status ag_layers_from_json(ag_run *run, ag_json_at at, ag_arena *arena);

/* --- the grid */

enum { AG_GRID_VERSION = 3, AG_AXIS_TYPES = 3 };

/* By ag_axis_type. */
extern const char *const ag_axis_words[AG_AXIS_TYPES];

/* "tables" and a comma, where the run has code tables that are not built in; and back, before its
 * layers are read. */
void ag_run_tables_to_json(ag_text *text, const ag_run *run);
ag_status ag_run_tables_from_json(ag_json_at run);

/* --- scheme_json.c */

/* name"word"; words of tables need no escapes. */
void ag_json_add_word(ag_text *text, const char *name, const char *word);

/* A scheme, canonical where it is normalised; null where nothing is done; and back. */
void ag_scheme_to_json(ag_text *text, const ag_scheme *scheme);
ag_status ag_scheme_from_json(ag_scheme *scheme, ag_json_at layer, const char *key);

#endif
