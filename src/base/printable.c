/* Text that somebody else chose, on its way to people. Names come from files that may be anybody's,
 * and a terminal obeys the control characters in them: a name could hide another, or write to the
 * window's title. So every output goes through here.
 *
 * Widths are counted in columns, since East Asian characters take two and combining ones none;
 * tables would not line up by bytes or by characters. Invalid UTF-8 is shown byte by byte and never
 * passed on. */
#include "base/printable.h"

#include <stdio.h>
#include <string.h>

#include "base_internal.h"

/* RFC 3629: no overlong forms (C0, C1, and the comparisons at the end), no surrogates, nothing
 * beyond U+10FFFF. */
size_t ag_utf8_read(uint32_t *character, const char *text, size_t left)
{
    const unsigned char *bytes = (const unsigned char *)text;
    if (left == 0)
        return 0;
    unsigned char lead = bytes[0];
    *character = lead;
    if (lead < 0x80)
        return 1;
    size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || length > left)
        return 0;
    uint32_t code = lead & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (bytes[i] & 0x3f);
    }
    *character = code;
    bool overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
    bool surrogate = code >= 0xd800 && code <= 0xdfff;
    return overlong || surrogate || code > 0x10ffff ? 0 : length;
}

void ag_utf8_write(char text[5], uint32_t character)
{
    size_t n = 0;
    if (character < 0x80) {
        text[n++] = (char)character;
    } else if (character < 0x800) {
        text[n++] = (char)(0xc0 | character >> 6);
        text[n++] = (char)(0x80 | (character & 0x3f));
    } else if (character < 0x10000) {
        text[n++] = (char)(0xe0 | character >> 12);
        text[n++] = (char)(0x80 | (character >> 6 & 0x3f));
        text[n++] = (char)(0x80 | (character & 0x3f));
    } else {
        text[n++] = (char)(0xf0 | character >> 18);
        text[n++] = (char)(0x80 | (character >> 12 & 0x3f));
        text[n++] = (char)(0x80 | (character >> 6 & 0x3f));
        text[n++] = (char)(0x80 | (character & 0x3f));
    }
    text[n] = '\0';
}

/* Controls, line and paragraph separators, and the marks that turn the direction of text, which can
 * make a name read as another. */
bool ag_is_control(uint32_t character)
{
    return character < 0x20 || (character >= 0x7f && character <= 0x9f) || character == 0x2028 ||
           character == 0x2029 || (character >= 0x202a && character <= 0x202e) ||
           (character >= 0x2066 && character <= 0x2069) || character == 0x061c ||
           character == 0x200e || character == 0x200f || character == 0xfeff;
}

const char *ag_find_control(const char *text)
{
    size_t left = strlen(text);
    uint32_t character = 0;
    for (size_t length; left > 0; text += length, left -= length) {
        length = ag_utf8_read(&character, text, left);
        if (length == 0 || ag_is_control(character))
            return text;
    }
    return NULL;
}

/* Escapes as in JSON and C, so that what was there can be read off. */
static void add_escaped(ag_text *text, uint32_t character)
{
    if (character == '\n')
        ag_text_add(text, "\\n");
    else if (character == '\t')
        ag_text_add(text, "\\t");
    else if (character == '\r')
        ag_text_add(text, "\\r");
    else
        ag_text_printf(text, "\\u%04x", (unsigned)character);
}

/* A character of `kept`, or one that is printable, passes; a byte that is no UTF-8 is shown as
 * \xff. */
void ag_text_add_printable_n(ag_text *text, const char *shown, size_t count, const char *kept)
{
    uint32_t character = 0;
    for (size_t length; count > 0; shown += length, count -= length) {
        length = ag_utf8_read(&character, shown, count);
        if (length == 0) {
            ag_text_printf(text, "\\x%02x", (unsigned char)*shown);
            length = 1;
        } else if (ag_is_control(character) &&
                   (character == 0 || character > 0x7f || strchr(kept, (int)character) == NULL)) {
            add_escaped(text, character);
        } else {
            ag_text_add_n(text, shown, length);
        }
    }
}

void ag_text_add_printable(ag_text *text, const char *shown)
{
    ag_text_add_printable_n(text, shown, strlen(shown), "");
}

/* Reads the next character; returns its columns as it is shown, escaped or not. */
static size_t next_width(size_t *length, const char *text, size_t left)
{
    uint32_t character = 0;
    *length = ag_utf8_read(&character, text, left);
    if (*length == 0) {
        *length = 1;
        return sizeof "\\xff" - 1;
    }
    if (!ag_is_control(character))
        return ag_character_width(character);
    bool is_short = character == '\n' || character == '\t' || character == '\r';
    return is_short ? sizeof "\\n" - 1 : sizeof "\\u001b" - 1;
}

/* Stops before the first character that does not fit, never within one. */
static size_t fit_of(const char *text, size_t left, size_t columns)
{
    size_t fits = 0;
    size_t length = 0;
    for (; fits < left; fits += length) {
        size_t width = next_width(&length, text + fits, left - fits);
        if (width > columns)
            break;
        columns -= width;
    }
    return fits;
}

size_t ag_text_fit(const char *text, size_t columns)
{
    return fit_of(text, strlen(text), columns);
}

static size_t width_of(const char *text, size_t left)
{
    size_t width = 0;
    for (size_t length = 0; left > 0; text += length, left -= length)
        width += next_width(&length, text, left);
    return width;
}

size_t ag_text_width(const char *text)
{
    return width_of(text, strlen(text));
}

void ag_text_add_padded(ag_text *text, const char *shown, size_t columns)
{
    size_t used = ag_text_width(shown);
    ag_text_add_printable(text, shown);
    ag_text_printf(text, "%*s", used < columns ? (int)(columns - used) : 0, "");
}

/* The bytes before the longest end of `text` that takes at most `columns`. */
static size_t before_end(const char *text, size_t left, size_t columns)
{
    size_t before = 0;
    size_t width = width_of(text, left);
    for (size_t length = 0; width > columns; before += length)
        width -= next_width(&length, text + before, left - before);
    return before;
}

/* The first and the last columns of a word of `length` bytes. */
static void add_ends(ag_text *text, const char *word, size_t length, size_t columns)
{
    size_t head = length;
    size_t tail = length;
    if (width_of(word, length) > columns) {
        head = fit_of(word, length, columns / 2);
        tail = head + before_end(word + head, length - head, columns > 1 ? (columns - 1) / 2 : 0);
    }
    ag_text_add_n(text, word, head);
    ag_text_add(text, tail > head ? "\u2026" : "");
    ag_text_add_n(text, word + tail, length - tail);
}

/* The beginning and the end of a long name are kept, where names of one experiment mostly differ.
 */
void ag_text_add_cell(ag_text *text, const char *name, size_t columns)
{
    ag_text shown;
    ag_text_init(&shown);
    ag_text_add_printable(&shown, name);
    size_t start = text->length;
    add_ends(text, shown.data, shown.length, columns);
    size_t used = text->length > start ? ag_text_width(text->data + start) : 0;
    ag_text_printf(text, "%*s", used < columns ? (int)(columns - used) : 0, "");
    text->failed |= shown.failed;
    ag_text_deinit(&shown);
}

/* Greedy: a word goes on the line while it fits. What stands on the line already counts. */
void ag_text_add_wrapped(ag_text *text, const char *words, size_t columns, size_t indent)
{
    size_t start = text->length;
    while (start > 0 && text->data[start - 1] != '\n')
        start--;
    size_t used = text->length > start ? ag_text_width(text->data + start) : 0;
    bool glued = true; /* to what stands there */
    for (const char *at = words + strspn(words, " "); *at != '\0'; at += strspn(at, " ")) {
        size_t length = strcspn(at, " ");
        size_t width = width_of(at, length);
        if (!glued && used + 1 + width > columns) {
            ag_text_printf(text, "\n%*s", (int)indent, "");
            used = indent;
            glued = true;
        }
        ag_text_add(text, glued ? "" : " ");
        ag_text_add_n(text, at, length);
        used += width + !glued;
        glued = false;
        at += length;
    }
}

/* A full disk or a closed pipe shows only when the stream is flushed. */
bool ag_text_print(const ag_text *text)
{
    ag_text shown;
    ag_text_init(&shown);
    ag_text_add_printable_n(&shown, text->data, text->length, "\n\t");
    bool printed = !text->failed && !shown.failed &&
                   fwrite(shown.data, 1, shown.length, stdout) == shown.length &&
                   fflush(stdout) == 0;
    ag_text_deinit(&shown);
    return printed;
}

/* --- shortened */

enum { MOST_WORDS = 32, SHORTEST_WORD = 3 };

/* One column less for the widest of the words; false where all are as short as can be. */
static bool shorten_widest(size_t *widths, size_t n)
{
    size_t widest = 0;
    for (size_t i = 1; i < n; i++)
        widest = widths[i] > widths[widest] ? i : widest;
    if (widths[widest] <= SHORTEST_WORD)
        return false;
    widths[widest]--;
    return true;
}

/* The widest word loses a column until all fit, so that short words, such as seed=2, stay whole. */
void ag_text_add_short(ag_text *text, const char *words, size_t columns)
{
    size_t widths[MOST_WORDS];
    size_t n = 0;
    size_t total = ag_text_width(words);
    size_t start = text->length;
    for (const char *at = words; *at != '\0' && n < MOST_WORDS; at += strspn(at, " ")) {
        size_t length = strcspn(at, " ");
        widths[n++] = width_of(at, length);
        at += length;
    }
    while (total > columns && n > 0 && shorten_widest(widths, n))
        total--;
    const char *at = words;
    for (size_t i = 0; i < n; i++, at += strspn(at, " ")) {
        size_t length = strcspn(at, " ");
        ag_text_add(text, i > 0 ? " " : "");
        add_ends(text, at, length, widths[i]);
        at += length;
    }
    size_t used = text->length > start ? ag_text_width(text->data + start) : 0;
    ag_text_printf(text, "%*s", used < columns ? (int)(columns - used) : 0, "");
}
