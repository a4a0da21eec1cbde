/* Numbers and strings by RFC 8785, JSON Canonicalization Scheme. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spec/run_json.h"

/* The fewest significant digits that read back as `value` > 0, and the decimal exponent:
 * value = 0.DIGITS * 10^point. */
static size_t shortest_digits(char digits[20], int *point, double value)
{
    char text[40];
    for (int precision = 0; precision < 17; precision++) {
        snprintf(text, sizeof text, "%.*e", precision, value);
        if (strtod(text, NULL) == value)
            break;
    }
    const char *exponent = strchr(text, 'e');
    size_t count = 0;
    for (const char *c = text; c < exponent; c++) {
        if (*c != '.')
            digits[count++] = *c;
    }
    *point = (int)strtol(exponent + 1, NULL, 10) + 1;
    return count;
}

/* Number::toString of ECMAScript, steps 6 to 10: plain digits from 1e-7 up to below 1e21. */
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

void ag_json_real(char out[32], double value)
{
    char digits[20];
    int point = 0;
    if (value == 0) {
        memcpy(out, "0", 2);
        return;
    }
    if (value < 0)
        *out++ = '-';
    size_t count = shortest_digits(digits, &point, value < 0 ? -value : value);
    lay_out(out, digits, (int)count, point);
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
