/* Strings that grow, and the nearest known word to one that is not known. */
#ifndef AG_BASE_TEXT_H
#define AG_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* A growing string. `data` always ends in 0 (it is "" while nothing was added). */
typedef struct ag_text {
    char *data;
    size_t length;
    size_t capacity;
    bool failed; /* memory ran out: everything added since is lost */
} ag_text;

/* A text begins empty, without memory; deinit frees it and makes it empty again. */
void ag_text_init(ag_text *text);
void ag_text_deinit(ag_text *text);

/* Append a string, `count` bytes, or what printf would print. After a failure they do nothing, so
 * that `failed` may be asked once, at the end. */
void ag_text_add(ag_text *text, const char *bytes);
void ag_text_add_n(ag_text *text, const char *bytes, size_t count);
void ag_text_printf(ag_text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The word of `words` (`count` of them) that `word` was probably meant to be: the smallest number
 * of inserted, deleted, changed or swapped characters, letter case ignored, at most a third of
 * the word's length. NULL when none is that near. */
const char *ag_nearest_word(const char *word, const char *const *words, size_t count);

#endif
