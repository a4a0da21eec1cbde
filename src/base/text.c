/* Strings that grow. Running out of memory is noted in the string and asked once, at the end, so
 * that code which builds a text reads as one. The room doubles, so that n appended bytes cost O(n).
 *
 * And the nearest word: nearly every message about an unknown name suggests one. */
#include "base/text.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sizes.h"

static char s_empty[1];

void ag_text_init(ag_text *text)
{
    *text = (ag_text){.data = s_empty};
}

void ag_text_deinit(ag_text *text)
{
    if (text->capacity > 0)
        free(text->data);
    ag_text_init(text);
}

/* Room for `count` more bytes and the closing 0. */
static bool reserve(ag_text *text, size_t count)
{
    if (text->failed || count > SIZE_MAX / 2 - text->length)
        text->failed = true;
    if (text->failed || text->length + count < text->capacity)
        return !text->failed;
    size_t capacity = text->capacity > 0 ? text->capacity : 256;
    while (capacity <= text->length + count)
        capacity *= 2;
    char *data = realloc(text->capacity > 0 ? text->data : NULL, capacity);
    if (data == NULL) {
        text->failed = true;
        return false;
    }
    data[text->length] = '\0';
    text->data = data;
    text->capacity = capacity;
    return true;
}

void ag_text_add_n(ag_text *text, const char *bytes, size_t count)
{
    if (!reserve(text, count))
        return;
    memcpy(text->data + text->length, bytes, count);
    text->length += count;
    text->data[text->length] = '\0';
}

void ag_text_add(ag_text *text, const char *bytes)
{
    ag_text_add_n(text, bytes, strlen(bytes));
}

/* Printed twice: once to learn the length, once into the room for it. */
void ag_text_printf(ag_text *text, const char *format, ...)
{
    va_list arguments;
    va_list again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    if (length >= 0 && reserve(text, (size_t)length)) {
        vsnprintf(text->data + text->length, (size_t)length + 1, format, again);
        text->length += (size_t)length;
    }
    va_end(again);
    va_end(arguments);
}

/* Longer words are not compared: their distance tells nothing. */
enum { LONGEST_WORD = 64 };

static bool same_letter(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* Optimal string alignment distance (Damerau-Levenshtein without repeated edits), by dynamic
 * programming over three rows: insertions, deletions, changes and swaps of neighbours cost 1 each.
 */
static size_t distance(const char *a, const char *b)
{
    size_t rows[3][LONGEST_WORD + 1];
    size_t a_length = strlen(a);
    size_t b_length = strlen(b);
    if (a_length > LONGEST_WORD || b_length > LONGEST_WORD)
        return SIZE_MAX;
    for (size_t j = 0; j <= b_length; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i + 2) % 3];
        const size_t *two_above = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            size_t change = above[j - 1] + !same_letter(a[i - 1], b[j - 1]);
            row[j] = ag_smaller(change, ag_smaller(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && same_letter(a[i - 1], b[j - 2]) &&
                same_letter(a[i - 2], b[j - 1]))
                row[j] = ag_smaller(row[j], two_above[j - 2] + 1);
        }
    }
    return rows[a_length % 3][b_length];
}

/* The nearest word if it is near enough: a third of the letters may differ, in short words one. */
const char *ag_nearest_word(const char *word, const char *const *words, size_t count)
{
    const char *nearest = NULL;
    size_t best = strlen(word) / 3 + 1;
    for (size_t i = 0; i < count; i++) {
        size_t edits = distance(word, words[i]);
        if (edits < best || (edits == best && nearest == NULL && edits == 1)) {
            best = edits;
            nearest = words[i];
        }
    }
    return nearest;
}
