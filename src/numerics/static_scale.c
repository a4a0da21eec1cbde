/* Static scales: a constant in the place of an amax, so that nothing is kept and evaluation and
 * training agree. Sources: unit scaling (arXiv 2303.11257) and muP's successors (2407.17465,
 * 2502.05967), whose scale is 1; the sizes are those by which they scale products. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "numerics/scheme.h"
#include "numerics_internal.h"

static const char *const s_sizes[AG_STATIC_SIZES] = {"fan_in", "fan_out", "tokens"};

/* c, c * r or c / r, r the root, each rounded once. */
float ag_static_scale(const ag_scheme *scheme, size_t size)
{
    float scale = scheme->constant;
    float root = sqrtf((float)size);
    if (scheme->constant == 0.0f)
        return 1.0f;
    if (scheme->rule == AG_STATIC_TIMES)
        scale = scheme->constant * root;
    else if (scheme->rule == AG_STATIC_OVER)
        scale = scheme->constant / root;
    if (scheme->pow2)
        scale = ag_bits_float(ag_float_bits(scale) & AG_INFINITE_BITS);
    return fminf(fmaxf(scale, 0x1p-126f), 0x1p126f);
}

/* A constant is the scale that it gives; of 1 it has no effect. */
void ag_static_normalise(ag_scheme *scheme)
{
    if (scheme->constant > 0.0f && scheme->rule == AG_STATIC_CONSTANT) {
        scheme->constant = ag_static_scale(scheme, 0);
        scheme->pow2 = false;
    }
    if (scheme->amax != AG_AMAX_NONE ||
        (scheme->rule == AG_STATIC_CONSTANT && scheme->constant == 1.0f))
        scheme->constant = 0.0f;
    if (scheme->constant == 0.0f)
        scheme->rule = AG_STATIC_CONSTANT;
    if (scheme->rule == AG_STATIC_CONSTANT)
        scheme->size = AG_STATIC_FAN_IN;
}

ag_status ag_static_check(const ag_scheme *scheme)
{
    if (scheme->constant == 0.0f)
        return AG_OK;
    if (scheme->amax != AG_AMAX_NONE)
        return ag_fail(AG_ERR_INPUT, "a static scale goes with amax 'none', not with '%s'",
                       ag_amax_words[scheme->amax]);
    if (scheme->format.exponent == 8)
        return ag_fail(AG_ERR_INPUT, "%s has float32's range and takes no scale",
                       scheme->format.name);
    if (scheme->margin != 0)
        return ag_fail(AG_ERR_INPUT, "a static scale takes no margin: choose another constant");
    if (!(scheme->constant >= 0x1p-126f && scheme->constant <= 0x1p126f))
        return ag_fail(AG_ERR_INPUT, "the static scale is %.9g: expected 2^-126 to 2^126",
                       (double)scheme->constant);
    return AG_OK;
}

void ag_static_write(char text[AG_STATIC_TEXT], const ag_scheme *scheme)
{
    int length = snprintf(text, AG_STATIC_TEXT, "%.9g", (double)scheme->constant);
    if (scheme->rule != AG_STATIC_CONSTANT && length > 0)
        snprintf(text + length, AG_STATIC_TEXT - (size_t)length, "%csqrt(%s)",
                 scheme->rule == AG_STATIC_TIMES ? '*' : '/', s_sizes[scheme->size]);
}

/* A number, or 2^k. */
static bool read_constant(float *constant, const char **text)
{
    char *end;
    *constant = strtof(*text, &end);
    if (end == *text)
        return false;
    if (*end == '^' && *constant == 2.0f) {
        const char *power = end + 1;
        long k = strtol(power, &end, 10);
        if (end == power || k < -126 || k > 126)
            return false;
        *constant = ldexpf(1.0f, (int)k);
    }
    *text = end;
    return true;
}

static bool read_root(ag_scheme *scheme, const char *text)
{
    size_t length = strlen(text);
    if (strncmp(text, "sqrt(", 5) != 0 || text[length - 1] != ')')
        return false;
    for (int size = 0; size < AG_STATIC_SIZES; size++) {
        if (strlen(s_sizes[size]) == length - 6 &&
            strncmp(text + 5, s_sizes[size], length - 6) == 0) {
            scheme->size = (ag_static_size)size;
            return true;
        }
    }
    return false;
}

static bool read_rule(ag_scheme *scheme, const char *text)
{
    scheme->constant = 1.0f;
    scheme->rule = AG_STATIC_TIMES;
    if (read_root(scheme, text))
        return true;
    if (!read_constant(&scheme->constant, &text))
        return false;
    text += strspn(text, " ");
    scheme->rule = *text == '\0'  ? AG_STATIC_CONSTANT
                   : *text == '*' ? AG_STATIC_TIMES
                                  : AG_STATIC_OVER;
    if (*text == '\0')
        return true;
    if (*text != '*' && *text != '/')
        return false;
    text++;
    return read_root(scheme, text + strspn(text, " "));
}

ag_status ag_static_parse(ag_scheme *scheme, const char *text)
{
    if (!read_rule(scheme, text) || scheme->constant == 0.0f)
        return ag_fail(AG_ERR_INPUT,
                       "static scale '%.40s': expected a number such as 0.5, 2^-3 or 50, or one "
                       "with a root, as in '2*sqrt(fan_in)', '1/sqrt(tokens)'; sizes are fan_in, "
                       "fan_out, tokens",
                       text);
    scheme->amax = AG_AMAX_NONE;
    scheme->history = 0;
    return ag_static_check(scheme);
}
