/* A run as text. Two texts exist:
 *
 *   canonical   the identity alone, by RFC 8785 (sorted keys, no spaces, shortest reals); its
 *               SHA-256 gives the run id. Seeds are resolved; a parameter without effect in this
 *               run, such as decay_fraction under another schedule than wsd, is null
 *   assignment  {"id": ..., "local": {section: {key: ...}}, "run": canonical}: what a trainer
 *               takes on stdin and `altgrad plan --json` prints. "local" holds the paths and
 *               whatever else a trainer needs that the id does not cover */
#ifndef AG_RUN_RUN_JSON_H
#define AG_RUN_RUN_JSON_H

#include <stddef.h>

#include "base/arena.h"
#include "base/status.h"
#include "base/text.h"
#include "run/run.h"

/* Appends the canonical JSON. The run must be complete but for its id. */
void ag_run_canonical(ag_text *text, const ag_run *run);

/* Sets run->id from the canonical JSON. */
ag_status ag_run_identify(ag_run *run);

/* Appends the assignment, on one line. */
void ag_run_assignment(ag_text *text, const ag_run *run);

/* Appends "local" alone, an object. */
void ag_run_local(ag_text *text, const ag_run *run);

/* Appends what decides how much a run records, such as {"eval.every": 50, "output.weights":
 * "final"}: the assignment's settings but for paths and limits. */
void ag_run_recorded(ag_text *text, const ag_run *run);

/* The key of a setting by which `asked` wants more recorded than a run did whose ag_run_recorded is
 * `recorded`; NULL where it wants nothing more, or `recorded` is of another version of altgrad. */
const char *ag_run_lacks(const char *recorded, const ag_run *asked);

/* Reads an assignment. Its strings and layers go to the arena. AG_ERR_INPUT when the text is no
 * JSON, a key is unknown or missing, a value out of range, or the hash is not the id. */
ag_status ag_run_from_assignment(ag_run *run, const char *text, size_t size, ag_arena *arena);

/* The shortest decimal that reads back as `value`, laid out as ECMAScript does (RFC 8785, 3.2.2.3).
 * At most 25 characters and a 0. `value` must be finite. */
void ag_json_real(char out[32], double value);

/* Appends `value` as a JSON string with RFC 8785's escapes. */
void ag_json_string(ag_text *text, const char *value);

#endif
