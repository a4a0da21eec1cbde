/* Errors and warnings with their places in the experiment file, and the hints that messages give.
 * Every reader of config reports here and goes on, so that one pass finds all mistakes. */
#ifndef AG_CONFIG_FINDINGS_H
#define AG_CONFIG_FINDINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/text.h"

/* Nobody reads on after so many. */
enum { AG_MAX_ERRORS = 20, AG_MAX_WARNINGS = 20 };

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

/* Makes room for one more item of `size` bytes behind the `count` of an array in the arena, whose
 * memory may move: *capacity is its room so far. False after noting that memory ran out. */
bool ag_config_grow(void **items, size_t *capacity, ag_findings *findings, size_t count,
                    size_t size);

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

#endif
