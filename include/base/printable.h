/* Text that users chose, on its way to people: which characters may stand in a name, how the others
 * are shown, and how many columns of a terminal a text takes. */
#ifndef AG_BASE_PRINTABLE_H
#define AG_BASE_PRINTABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

/* The character (Unicode code point) at `text`, which has `left` bytes. Returns its bytes, 0 where
 * they are not UTF-8 by RFC 3629 or nothing is left. */
size_t ag_utf8_read(uint32_t *character, const char *text, size_t left);

/* The UTF-8 of a character below 0x110000, ended by 0. */
void ag_utf8_write(char text[5], uint32_t character);

/* Whether a character steers a terminal, ends a line or turns the direction of the text around it:
 * U+0000 to U+001F, U+007F to U+009F, U+2028, U+2029, U+202A to U+202E, U+2066 to U+2069, U+061C,
 * U+200E, U+200F; or is the invisible mark of byte orders, U+FEFF. */
bool ag_is_control(uint32_t character);

/* The first control character or byte that is no UTF-8; NULL where the whole text is printable. */
const char *ag_find_control(const char *text);

/* Appends a text with such characters escaped: \n, \t, \r, \u001b, \u202e, \xff for a byte. Every
 * output shows by it what it did not make itself: names of an experiment, paths, reasons. */
void ag_text_add_printable(ag_text *text, const char *shown);

/* The same for at most `count` bytes, where what `kept` lists, such as "\n\t", stays. */
void ag_text_add_printable_n(ag_text *text, const char *shown, size_t count, const char *kept);

/* Columns on a terminal of a text shown by ag_text_add_printable: 2 for wide characters (East Asian
 * Width W and F), 0 for combining ones. */
size_t ag_text_width(const char *text);

/* The bytes of the longest beginning of `text` that takes at most `columns`. */
size_t ag_text_fit(const char *text, size_t columns);

/* Appends words, padded likewise; where they are wider than `columns`, the middle of the widest
 * word gives way to an ellipsis, again and again: "e4m3 all_b...proj seed=2". Printable text only.
 */
void ag_text_add_short(ag_text *text, const char *words, size_t columns);

/* Appends words, broken into lines of at most `columns` at their spaces; the first goes on where
 * the text's last line ends, the others begin with `indent` spaces. A word that is wider stays
 * whole. */
void ag_text_add_wrapped(ag_text *text, const char *words, size_t columns, size_t indent);

/* Appends somebody's name as a cell of a table: escaped, shortened and padded to `columns`. */
void ag_text_add_cell(ag_text *text, const char *name, size_t columns);

/* Appends a text as ag_text_add_printable does, then spaces until it takes `columns`. */
void ag_text_add_padded(ag_text *text, const char *shown, size_t columns);

/* Prints a report or JSON to standard output; control characters but line ends and tabs, which only
 * somebody else's file can have brought in, appear escaped. False where it did not get there. */
bool ag_text_print(const ag_text *text);

#endif
