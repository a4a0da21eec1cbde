/* Errors and warnings with their places: collected while the file is read, rendered at the end in
 * the order of the file, each with its line and a caret, as compilers do it:
 *
 *   sweep.yaml:4:9: error: section 'optimizer' has no key 'lrr'; did you mean 'lr'?
 *     lrr: 1e-3
 *     ^~~
 *
 * A file may hold any bytes, and most of this is about showing its lines so that the caret stays
 * below its place: columns are counted in characters and widths, tabs stay tabs, control characters
 * become '?'. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/printable.h"
#include "findings.h"

enum { MESSAGE_BYTES = 1024, CONTEXT_BYTES = 100 };

/* One mistake may be met once per run of the grid: the same message at the same place counts once.
 */
static bool noted(const ag_findings *findings, ag_place place, const char *message)
{
    for (size_t i = 0; i < findings->kept; i++) {
        const ag_config_finding *item = &findings->items[i];
        if (item->place.source == place.source && item->place.offset == place.offset &&
            strcmp(item->message, message) == 0)
            return true;
    }
    return false;
}

/* Beyond the first 20 nobody reads on; they are counted, not kept. */
static void note(ag_findings *findings, bool warning, ag_place place, const char *format,
                 va_list arguments)
{
    char message[MESSAGE_BYTES];
    vsnprintf(message, sizeof message, format, arguments);
    if (noted(findings, place, message))
        return;
    size_t *count = warning ? &findings->warnings : &findings->errors;
    *count += 1;
    if (*count > (size_t)(warning ? AG_MAX_WARNINGS : AG_MAX_ERRORS))
        return;
    const char *copy = ag_arena_strdup(findings->arena, message);
    if (copy == NULL)
        findings->out_of_memory = true;
    else
        findings->items[findings->kept++] = (ag_config_finding){warning, place, copy};
}

void ag_config_error(ag_findings *findings, ag_place place, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    note(findings, false, place, format, arguments);
    va_end(arguments);
}

void ag_config_warning(ag_findings *findings, ag_place place, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    note(findings, true, place, format, arguments);
    va_end(arguments);
}

void ag_config_failed(ag_findings *findings, ag_place place)
{
    ag_config_error(findings, place, "%s", ag_error_message());
    ag_error_clear();
}

bool ag_config_full(const ag_findings *findings)
{
    return findings->errors >= AG_MAX_ERRORS || findings->out_of_memory;
}

/* An overflow of count * size counts as memory that ran out. */
void *ag_config_alloc(ag_findings *findings, size_t count, size_t size)
{
    void *memory = NULL;
    if (count <= SIZE_MAX / 2 / size)
        memory = ag_arena_alloc(findings->arena, count > 0 ? count * size : 1);
    if (memory == NULL)
        findings->out_of_memory = true;
    return memory;
}

bool ag_config_grow(void **items, size_t *capacity, ag_findings *findings, size_t count,
                    size_t size)
{
    if (count < *capacity)
        return true;
    size_t larger = *capacity > 0 ? 2 * *capacity : 8;
    void *grown = ag_config_alloc(findings, larger, size);
    if (grown == NULL)
        return false;
    if (count > 0)
        memcpy(grown, *items, count * size);
    *items = grown;
    *capacity = larger;
    return true;
}

const char *ag_config_hint(ag_findings *findings, const char *word, const char *const *words,
                           size_t count)
{
    const char *nearest = ag_nearest_word(word, words, count);
    if (nearest == NULL)
        return "";
    const char *hint = ag_arena_printf(findings->arena, "; did you mean '%s'?", nearest);
    return hint != NULL ? hint : "";
}

void ag_add_listed(ag_text *text, const char *const *words, size_t count)
{
    enum { SHOWN = 12 };
    for (size_t i = 0; i < count && i < SHOWN; i++)
        ag_text_printf(text, "%s%.60s", i > 0 ? ", " : "", words[i]);
    if (count > SHOWN)
        ag_text_add(text, ", ...");
}

const char *ag_config_listed(ag_findings *findings, const char *const *words, size_t count)
{
    ag_text text;
    ag_text_init(&text);
    ag_add_listed(&text, words, count);
    const char *copy = ag_arena_strdup(findings->arena, text.data);
    ag_text_deinit(&text);
    return copy != NULL ? copy : "";
}

/* --- rendering */

/* Lines end as in YAML: "\n", "\r\n" or "\r". */
static bool ends_line(char byte)
{
    return byte == '\n' || byte == '\r';
}

/* The line around `offset`: [start, end). */
static void find_line(const ag_yaml_source *source, size_t offset, size_t *start, size_t *end)
{
    *start = offset;
    while (*start > 0 && !ends_line(source->text[*start - 1]))
        *start -= 1;
    *end = offset;
    while (*end < source->size && !ends_line(source->text[*end]))
        *end += 1;
}

/* By counting, since it is done for 20 places at most. */
static size_t line_number(const ag_yaml_source *source, size_t offset)
{
    size_t line = 1;
    for (size_t i = 0; i < offset; i++)
        line += source->text[i] == '\n' ||
                (source->text[i] == '\r' && (i + 1 == source->size || source->text[i + 1] != '\n'));
    return line;
}

/* A message; where a long word was cut within a character, its rest goes too. */
static void add_message(ag_text *text, const char *message)
{
    uint32_t character = 0;
    for (size_t left = strlen(message), length; left > 0; message += length, left -= length) {
        length = ag_utf8_read(&character, message, left);
        if (length > 0)
            ag_text_add_printable_n(text, message, length, "");
        length += length == 0;
    }
}

/* The source line from `from` to `to`: control characters become one '?' each, so that the caret
 * stays below its place. */
static void add_line(ag_text *text, const char *from, const char *to)
{
    uint32_t character = 0;
    for (size_t length; from < to; from += length) {
        length = ag_utf8_read(&character, from, (size_t)(to - from));
        bool shown = length > 0 && (character == '\t' || !ag_is_control(character));
        length += length == 0;
        ag_text_add_n(text, shown ? from : "?", shown ? length : 1);
    }
}

static bool starts_character(char byte)
{
    return ((unsigned char)byte & 0xc0) != 0x80;
}

static size_t count_characters(const char *text, size_t bytes)
{
    size_t count = 0;
    for (size_t i = 0; i < bytes; i++)
        count += starts_character(text[i]);
    return count;
}

/* `first`, then `rest` until there are `columns`. */
static void add_run(ag_text *text, size_t columns, const char *first, const char *rest)
{
    for (size_t i = 0; i < columns; i++)
        ag_text_add(text, i == 0 ? first : rest);
}

/* Columns that add_line shows for a piece without tabs. */
static size_t shown_width(const char *from, const char *to)
{
    ag_text line;
    ag_text_init(&line);
    add_line(&line, from, to);
    size_t width = ag_text_width(line.data);
    ag_text_deinit(&line);
    return width;
}

/* Spaces below a piece of the line; a tab stays one. */
static void add_blank(ag_text *text, const char *from, const char *to)
{
    for (const char *tab; (tab = memchr(from, '\t', (size_t)(to - from))) != NULL; from = tab + 1) {
        add_run(text, shown_width(from, tab), " ", " ");
        ag_text_add(text, "\t");
    }
    add_run(text, shown_width(from, to), " ", " ");
}

/* The source line, cut to a window around the place, and the caret below it. */
static void add_excerpt(ag_text *text, const ag_place *place, size_t start, size_t end)
{
    const char *bytes = place->source->text;
    size_t from = start;
    if (place->offset - start > CONTEXT_BYTES)
        from = place->offset - CONTEXT_BYTES;
    size_t to = end - place->offset > CONTEXT_BYTES ? place->offset + CONTEXT_BYTES : end;
    while (from > start && !starts_character(bytes[from]))
        from--;
    while (to < end && !starts_character(bytes[to]))
        to++;
    add_line(text, bytes + from, bytes + to);
    ag_text_add(text, "\n");
    add_blank(text, bytes + from, bytes + place->offset);
    size_t length = place->length < to - place->offset ? place->length : to - place->offset;
    const char *tab = memchr(bytes + place->offset, '\t', length);
    const char *last = tab != NULL ? tab : bytes + place->offset + length;
    size_t width = shown_width(bytes + place->offset, last);
    add_run(text, width > 0 ? width : 1, "^", "~");
    ag_text_add(text, "\n");
}

/* file:line:col: error: message, then the line and the caret. Editors jump to places written so. */
static void render(ag_text *text, const ag_config_finding *finding, const char *file)
{
    const ag_place *place = &finding->place;
    size_t start = 0;
    size_t end = 0;
    ag_text_add_printable(text, place->source != NULL ? place->source->name : file);
    if (place->source != NULL) {
        find_line(place->source, place->offset, &start, &end);
        ag_text_printf(text, ":%zu:%zu", line_number(place->source, place->offset),
                       count_characters(place->source->text + start, place->offset - start) + 1);
    }
    ag_text_add(text, finding->warning ? ": warning: " : ": error: ");
    add_message(text, finding->message);
    ag_text_add(text, "\n");
    if (place->source != NULL)
        add_excerpt(text, place, start, end);
}

static size_t source_order(const ag_place *place)
{
    return place->source != NULL ? place->source->order : SIZE_MAX;
}

static bool comes_before(const ag_config_finding *a, const ag_config_finding *b)
{
    if (a->place.source != b->place.source)
        return source_order(&a->place) < source_order(&b->place);
    return a->place.offset < b->place.offset;
}

/* Insertion sort: there are forty at most. Those without a place stand last. */
void ag_findings_render(ag_text *text, const ag_findings *findings, const char *file)
{
    const ag_config_finding *order[AG_MAX_ERRORS + AG_MAX_WARNINGS];
    for (size_t i = 0; i < findings->kept; i++) {
        size_t at = i;
        while (at > 0 && comes_before(&findings->items[i], order[at - 1])) {
            order[at] = order[at - 1];
            at--;
        }
        order[at] = &findings->items[i];
    }
    for (size_t i = 0; i < findings->kept; i++)
        render(text, order[i], file);
    if (findings->errors > AG_MAX_ERRORS)
        ag_text_printf(text, "%s: error: more errors than the first %d\n", file, AG_MAX_ERRORS);
}
