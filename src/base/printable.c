#include "base/printable.h"

#include <stdio.h>
#include <string.h>

#include "base_internal.h"

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

bool ag_is_control(uint32_t character)
{
    return character < 0x20 || (character >= 0x7f && character <= 0x9f) || character == 0x2028 ||
           character == 0x2029 || (character >= 0x202a && character <= 0x202e) ||
           (character >= 0x2066 && character <= 0x2069);
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

/* Reads the next character; its columns where it is shown, escaped or not. */
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

size_t ag_text_fit(const char *text, size_t columns)
{
    size_t left = strlen(text);
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

size_t ag_text_width(const char *text)
{
    size_t left = strlen(text);
    size_t width = 0;
    for (size_t length = 0; left > 0; text += length, left -= length)
        width += next_width(&length, text, left);
    return width;
}

void ag_text_add_padded(ag_text *text, const char *shown, size_t columns)
{
    size_t used = ag_text_width(shown);
    ag_text_add_printable(text, shown);
    ag_text_printf(text, "%*s", used < columns ? (int)(columns - used) : 0, "");
}

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
