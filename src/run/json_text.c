/* Numbers and strings by RFC 8785, JSON Canonicalization Scheme: one text for one value, so that
 * equal runs hash alike on every machine. The C library's %g depends on a precision that is too
 * short or too long for some numbers; here it is the shortest that reads back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run/run_json.h"

/* So many tell every double from its neighbours (IEEE 754, 5.12.2). */
enum { MAX_DIGITS = 17 };

/* value > 0 rounded to `count` significant digits: 0.DIGITS * 10^point. */
static void round_to(char *digits, int *point, double value, int count)
{
    char text[40];
    snprintf(text, sizeof text, "%.*e", count - 1, value);
    *point = (int)strtol(strchr(text, 'e') + 1, NULL, 10) + 1;
    digits[0] = text[0];
    memcpy(digits + 1, text + 2, (size_t)count - 1);
    digits[count] = '\0';
}

/* By strtod, which glibc and musl round correctly: what ECMAScript's reader does too. */
static bool reads_back(const char *digits, int point, double value)
{
    char text[40];
    snprintf(text, sizeof text, "0.%se%d", digits, point);
    return strtod(text, NULL) == value;
}

/* The fewest significant digits that read back as `value` > 0; returns their number. The numbers
 * that read back as a power of two reach further above it than below, so there the nearest decimal
 * may fail where the next one up succeeds. Trying is fast enough: most reals of a configuration
 * have one to four digits. */
static int shortest_digits(char digits[MAX_DIGITS + 1], int *point, double value)
{
    for (int count = 1; count < MAX_DIGITS; count++) {
        round_to(digits, point, value, count);
        if (reads_back(digits, *point, value))
            return count;
        char *last = &digits[count - 1];
        if (*last == '9')
            continue; /* one up ends in 0: it was tried with fewer digits */
        (*last)++;
        if (reads_back(digits, *point, value))
            return count;
    }
    round_to(digits, point, value, MAX_DIGITS);
    return MAX_DIGITS;
}

/* Number::toString of ECMAScript, steps 6 to 10: plain digits from 1e-7 up to below 1e21. The same
 * digits may be written in several ways, and JSON readers accept them all; a hash does not. */
static void lay_out(char *out, const char *digits, int count, int point)
{
    static const char zeros[] = "000000000000000000000";
    if (count <= point && point <= 21)
        snprintf(out, 30, "%.*s%.*s", count, digits, point - count, zeros);
    else if (0 < point && point <= 21)
        snprintf(out, 30, "%.*s.%.*s", point, digits, count - point, digits + point);
    else if (-6 < point && point <= 0)
        snprintf(out, 30, "0.%.*s%.*s", -point, zeros, count, digits);
    else
        snprintf(out, 30, "%c%s%.*se%+d", digits[0], count > 1 ? "." : "", count - 1, digits + 1,
                 point - 1);
}

/* -0 is written 0, as the RFC says: no parameter tells them apart. */
void ag_json_real(char out[32], double value)
{
    char digits[MAX_DIGITS + 1];
    int point = 0;
    if (value == 0) {
        memcpy(out, "0", 2);
        return;
    }
    if (value < 0)
        *out++ = '-';
    int count = shortest_digits(digits, &point, value < 0 ? -value : value);
    lay_out(out, digits, count, point);
}

/* Control characters, the quote and the backslash are escaped; the rest stands as it is. */
static void add_escaped(ag_text *text, unsigned char c)
{
    static const char letters[] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
    if (c == '"' || c == '\\')
        ag_text_printf(text, "\\%c", c);
    else if (c < sizeof letters && letters[c] != '\0')
        ag_text_printf(text, "\\%c", letters[c]);
    else
        ag_text_printf(text, "\\u%04x", c);
}

/* Runs of plain bytes are appended whole; UTF-8 stands as it is and is not escaped. */
void ag_json_string(ag_text *text, const char *value)
{
    ag_text_add(text, "\"");
    const char *start = value;
    for (const char *c = value; *c != '\0'; c++) {
        if ((unsigned char)*c >= 0x20 && *c != '"' && *c != '\\')
            continue;
        ag_text_add_n(text, start, (size_t)(c - start));
        add_escaped(text, (unsigned char)*c);
        start = c + 1;
    }
    ag_text_add(text, start);
    ag_text_add(text, "\"");
}
