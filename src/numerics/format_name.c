/* Names of formats. Where the literature gives one name two meanings, the meaning is fixed here,
 * since a name enters run ids: a bare name that OCP defines means OCP's format, any other bare
 * split of exponent and mantissa has all codes finite, and a name with ml_dtypes' prefix means what
 * ml_dtypes means.
 *
 * One format may be written in many ways (E4M3, e4m3fn, float8_e4m3fn, fp8_e4m3). Each of them
 * resolves to one canonical name, which is what results and ids hold. */
#include <ctype.h>
#include <stdlib.h>

#include "base/text.h"
#include "numerics_internal.h"

/* In the order of the listing: the wide ones, 8 bits (OCP, IEEE-like, all splits), fewer bits. */
static const char *const s_known_names[] = {
    "fp32",  "bf16",   "fp16",     "e5m2ieee", "e4m3fn",      "e4m3ieee", "e3m4ieee",
    "e0m7f", "e1m6f",  "e2m5f",    "e3m4f",    "e4m3f",       "e5m2f",    "e6m1f",
    "e7m0f", "e3m4fn", "e4m3fnuz", "e5m2fnuz", "e4m3b11fnuz", "int8",     "e3m2f",
    "e2m3f", "e2m1f",  "e3m0f",    "int4",
};

/* Other names, in lower case, and the canonical one that each stands for. */
static const struct {
    const char *name;
    const char *meaning;
} s_aliases[] = {
    {"float32",            "fp32"       },
    {"float16",            "fp16"       },
    {"bfloat16",           "bf16"       },
    {"float8_e3m4",        "e3m4ieee"   },
    {"float8_e4m3",        "e4m3ieee"   },
    {"float8_e4m3fn",      "e4m3fn"     },
    {"float8_e4m3fnuz",    "e4m3fnuz"   },
    {"float8_e4m3b11fnuz", "e4m3b11fnuz"},
    {"float8_e5m2",        "e5m2ieee"   },
    {"float8_e5m2fnuz",    "e5m2fnuz"   },
    {"float6_e2m3fn",      "e2m3f"      },
    {"float6_e3m2fn",      "e3m2f"      },
    {"float4_e2m1fn",      "e2m1f"      },
    {"e0m7",               "e0m7f"      },
    {"e1m6",               "e1m6f"      },
    {"e2m5",               "e2m5f"      },
    {"e3m4",               "e3m4f"      },
    {"e4m3",               "e4m3fn"     },
    {"e6m1",               "e6m1f"      },
    {"e7m0",               "e7m0f"      },
    {"e3m0",               "e3m0f"      },
    {"e5m2",               "e5m2ieee"   },
    {"e3m2",               "e3m2f"      },
    {"e2m3",               "e2m3f"      },
    {"e2m1",               "e2m1f"      },
};

enum {
    N_KNOWN = sizeof s_known_names / sizeof s_known_names[0],
    N_ALIASES = sizeof s_aliases / sizeof s_aliases[0],
    NAME_CAPACITY = 32,
};

const char *const *ag_format_known_names(size_t *count)
{
    *count = N_KNOWN;
    return s_known_names;
}

const char *ag_format_alias(const char *meaning, size_t index)
{
    for (size_t i = 0; i < N_ALIASES; i++) {
        if (strcmp(s_aliases[i].meaning, meaning) == 0 && index-- == 0)
            return s_aliases[i].name;
    }
    return NULL;
}

/* The nearest known name is suggested, or else the pattern of names is shown. */
static ag_status unknown(const char *name)
{
    const char *words[N_KNOWN + N_ALIASES];
    for (size_t i = 0; i < N_KNOWN; i++)
        words[i] = s_known_names[i];
    for (size_t i = 0; i < N_ALIASES; i++)
        words[N_KNOWN + i] = s_aliases[i].name;
    const char *nearest = ag_nearest_word(name, words, N_KNOWN + N_ALIASES);
    if (nearest != NULL)
        return ag_fail(AG_ERR_INPUT, "there is no format '%s'; did you mean '%s'?", name, nearest);
    return ag_fail(AG_ERR_INPUT,
                   "there is no format '%s': expected fp32, fp16, bf16, int<N>, or "
                   "e<E>m<M>[b<bias>][ieee|fn|f|fnuz|p] such as e4m3fn",
                   name);
}

/* Reads a whole number of at most three digits; false when there is none. */
static bool read_number(const char **at, int *value)
{
    int digits = 0;
    *value = 0;
    for (; isdigit((unsigned char)**at) && digits < 4; digits++)
        *value = *value * 10 + (*(*at)++ - '0');
    return digits > 0 && digits < 4;
}

/* The kind of a split that names none. */
static ag_kind bare_kind(int exponent, int mantissa)
{
    if (exponent == 4 && mantissa == 3)
        return AG_KIND_FN;
    if (exponent == 5 && mantissa == 2)
        return AG_KIND_IEEE;
    return AG_KIND_F;
}

/* The suffix, or what a split without one means. */
static bool read_kind(ag_format *format, const char *text)
{
    if (*text == '\0') {
        format->kind = bare_kind(format->exponent, format->mantissa);
        return true;
    }
    for (ag_kind kind = 0; kind < AG_KINDS; kind++) {
        if (strcmp(text, ag_kind_name(kind)) == 0) {
            bool is_narrow = 1 + format->exponent + format->mantissa <= 6;
            /* at 6 bits and fewer, fn is ml_dtypes' word for formats without NaN */
            format->kind = kind == AG_KIND_FN && is_narrow ? AG_KIND_F : kind;
            return true;
        }
    }
    return false;
}

/* e<E>m<M>[b<bias>][kind] */
static bool read_split(ag_format *format, const char *text)
{
    if (*text++ != 'e' || !read_number(&text, &format->exponent) || *text++ != 'm' ||
        !read_number(&text, &format->mantissa))
        return false;
    bool has_bias = *text == 'b';
    if (has_bias) {
        text++;
        bool is_negative = *text == '-';
        text += is_negative;
        if (!read_number(&text, &format->bias))
            return false;
        if (is_negative)
            format->bias = -format->bias;
    }
    if (!read_kind(format, text))
        return false;
    if (!has_bias && format->exponent <= 8) /* wider ones are refused for their width */
        format->bias = ag_format_default_bias(format->exponent, format->kind);
    return true;
}

/* int<N>: two's complement without its lowest value, so that it is symmetric: sign and magnitude, E
 * = 0, steps of 1. */
static bool read_int(ag_format *format, const char *text)
{
    int bits;
    if (strncmp(text, "int", 3) != 0)
        return false;
    text += 3;
    if (!read_number(&text, &bits) || *text != '\0' || bits == 0)
        return false;
    *format = (ag_format){.mantissa = bits - 1, .bias = 2 - bits, .kind = AG_KIND_F};
    return true;
}

/* binary<K>p<P>s<e|f> of P3109: K bits, of which P - 1 are mantissa; signed, extended (with Inf) or
 * finite. */
static bool read_p3109(ag_format *format, const char *text)
{
    int bits;
    int precision;
    if (strncmp(text, "binary", 6) != 0)
        return false;
    text += 6;
    if (!read_number(&text, &bits) || *text++ != 'p' || !read_number(&text, &precision) ||
        *text++ != 's' || (*text != 'e' && *text != 'f') || text[1] != '\0' || bits > 16 ||
        precision < 1 || precision >= bits || bits - precision > 8)
        return false;
    *format = (ag_format){.exponent = bits - precision,
                          .mantissa = precision - 1,
                          .kind = *text == 'e' ? AG_KIND_P : AG_KIND_FNUZ};
    format->bias = ag_format_default_bias(format->exponent, format->kind);
    return true;
}

static bool read_wide(ag_format *format, const char *text)
{
    if (strcmp(text, "fp32") == 0)
        *format = (ag_format){.exponent = 8, .mantissa = 23, .bias = 127, .kind = AG_KIND_IEEE};
    else if (strcmp(text, "bf16") == 0)
        *format = (ag_format){.exponent = 8, .mantissa = 7, .bias = 127, .kind = AG_KIND_IEEE};
    else if (strcmp(text, "fp16") == 0)
        *format = (ag_format){.exponent = 5, .mantissa = 10, .bias = 15, .kind = AG_KIND_IEEE};
    else
        return false;
    return true;
}

/* The canonical name that stands for an alias; any other text as it is. */
static const char *without_alias(const char *text)
{
    for (size_t i = 0; i < N_ALIASES; i++) {
        if (strcmp(text, s_aliases[i].name) == 0)
            return s_aliases[i].meaning;
    }
    return text;
}

/* fp8_e4m3, fp6_e3m2, ...: the bare name after a statement of its width, which must be true. */
static ag_status strip_width(const char **text, int *width, const char *name)
{
    const char *at = *text + 2;
    *width = 0;
    if (strncmp(*text, "fp", 2) != 0 || !read_number(&at, width) || *at != '_')
        *width = 0;
    else if (strchr(at + 1, 'e') != at + 1)
        return unknown(name);
    else
        *text = at + 1;
    return AG_OK;
}

/* Words that are formats of something else, or none: a spelling hint would mislead. */
static ag_status refuse_special_names(const char *text)
{
    static const char *const scales[] = {"e8m0", "e8m0fn", "e8m0fnu", "float8_e8m0fnu"};
    for (size_t i = 0; i < sizeof scales / sizeof scales[0]; i++) {
        if (strcmp(text, scales[i]) == 0)
            return ag_fail(AG_ERR_INPUT,
                           "'%s' is a format of scales, not of elements: name the element format",
                           text);
    }
    if (strcmp(text, "none") == 0 || strcmp(text, "null") == 0)
        return ag_fail(AG_ERR_INPUT, "'%s' means no quantisation and is no format; BF16 is 'bf16'",
                       text);
    return AG_OK;
}

static bool to_lower(char *out, const char *name)
{
    size_t length = strlen(name);
    if (length == 0 || length >= NAME_CAPACITY)
        return false;
    for (size_t i = 0; i <= length; i++)
        out[i] = (char)tolower((unsigned char)name[i]);
    return true;
}

/* Lower case first, aliases next, so that the grammar knows only canonical forms. */
ag_status ag_format_parse(ag_format *format, const char *name)
{
    char lower[NAME_CAPACITY];
    int width;
    if (!to_lower(lower, name))
        return unknown(name);
    AG_TRY(refuse_special_names(lower));
    const char *text = without_alias(lower);
    AG_TRY(strip_width(&text, &width, name));
    *format = (ag_format){0};
    if (!read_wide(format, text) && !read_int(format, text) && !read_p3109(format, text) &&
        !read_split(format, text))
        return unknown(name);
    AG_TRY(ag_format_complete(format, name));
    if (width != 0 && width != format->bits)
        return ag_fail(AG_ERR_INPUT, "'%s' says %d bits, but %s has %d", name, width, text,
                       format->bits);
    return AG_OK;
}
