/* Schemes by name: FORMAT/granularity/scale/rounding/hadamard, from the second part on optional.
 * Recipes are written so, and experiments may be. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "numerics/code_table.h"
#include "numerics/scheme.h"

enum { NAME_CAPACITY = 96, MAX_PARTS = 5 };

/* The index of `word` in `words`, or `count`. */
static int word_index(const char *word, const char *const *words, int count)
{
    int i = 0;
    while (i < count && strcasecmp(word, words[i]) != 0)
        i++;
    return i;
}

/* Sets the granularity with what goes with it unless said otherwise: blocks of float32 scales take
 * powers of two, as DeepSeek-V3 and Transformer Engine have it, MX the rule that keeps amax in
 * range. Integers (E = 0) keep OCP's floor. */
static void set_blocks(ag_scheme *scheme, ag_granularity granularity, int rows, int cols)
{
    scheme->granularity = granularity;
    scheme->block_rows = rows;
    scheme->block_cols = cols;
    scheme->pow2 = granularity == AG_GRANULARITY_BLOCK;
    scheme->scale = AG_SCALE_FLOAT;
    scheme->outer = AG_OUTER_NONE;
    if (granularity == AG_GRANULARITY_MX)
        scheme->e8m0 = scheme->format.exponent == 0 && scheme->format.table == NULL ? AG_E8M0_FLOOR
                                                                                    : AG_E8M0_RCEIL;
}

/* A size such as 1x128 is tried first: no word looks like one. */
ag_status ag_scheme_set_granularity(ag_scheme *scheme, const char *word)
{
    int rows = 0;
    int cols = 0;
    char rest;
    const char *size = *word == 'b' || *word == 'B' ? word + 1 : word;
    int known = word_index(word, ag_granularity_words, AG_GRANULARITIES);
    if (sscanf(size, "%5dx%5d%c", &rows, &cols, &rest) == 2)
        set_blocks(scheme, AG_GRANULARITY_BLOCK, rows, cols);
    else if (strcasecmp(word, "nv16x16") == 0)
        set_blocks(scheme, AG_GRANULARITY_NV, AG_NV_BLOCK, AG_NV_BLOCK);
    else if (known == AG_GRANULARITY_NV)
        set_blocks(scheme, AG_GRANULARITY_NV, 1, AG_NV_BLOCK);
    else if (known == AG_GRANULARITY_MX)
        set_blocks(scheme, AG_GRANULARITY_MX, 1, AG_MX_BLOCK);
    else if (known != AG_GRANULARITY_BLOCK && known != AG_GRANULARITIES)
        set_blocks(scheme, (ag_granularity)known, 0, 0);
    else
        return ag_fail(AG_ERR_INPUT,
                       "there is no granularity '%s'; expected tensor, row, col, <R>x<C> such as "
                       "1x128, mx, nv or nv16x16",
                       word);
    return AG_OK;
}

/* --- the parts of a name */

/* "e8m0floor" and the like; AG_E8M0_RULES where it is no word of E8M0. */
static int e8m0_rule(const char *word)
{
    return strncasecmp(word, "e8m0", 4) == 0 ? word_index(word + 4, ag_e8m0_words, AG_E8M0_RULES)
                                             : AG_E8M0_RULES;
}

/* Scales of mx and nv are what their names say. */
static ag_status check_named(const ag_scheme *scheme, ag_scale_format scale, bool outer,
                             const char *word)
{
    const char *granularity = ag_granularity_words[scheme->granularity];
    bool is_mx = scheme->granularity == AG_GRANULARITY_MX;
    bool is_nv = scheme->granularity == AG_GRANULARITY_NV;
    if ((is_mx && scale != AG_SCALE_E8M0) || (is_nv && (scale != AG_SCALE_E4M3 || !outer)))
        return ag_fail(AG_ERR_INPUT,
                       "granularity '%s' has scales of its own, %s; for scale '%s' say granularity "
                       "'%dx%d'",
                       granularity, is_mx ? "e8m0" : "e4m3+t", word, scheme->block_rows,
                       scheme->block_cols);
    bool has_blocks = is_mx || is_nv || scheme->granularity == AG_GRANULARITY_BLOCK;
    if (!has_blocks && scale != AG_SCALE_FLOAT)
        return ag_fail(AG_ERR_INPUT,
                       "scale '%s' is for blocks: granularity 'mx', '1x16' or the like", word);
    return AG_OK;
}

static ag_status no_scale(const char *word)
{
    return ag_fail(AG_ERR_INPUT,
                   "there is no scale '%s'; expected amax, windowed, delayed (each with or without "
                   "+pow2) or none; for blocks e8m0floor, e8m0rceil, e8m0even, e4m3, ue5m3, e5m2 "
                   "(each of the three with or without +t), fp32, pow2 or absmax",
                   word);
}

/* +t: relative to a scale of the tensor. */
ag_status ag_scheme_set_scale(ag_scheme *scheme, const char *word)
{
    char name[16];
    bool outer = false;
    int rule = e8m0_rule(word);
    bool is_pow2 = strcasecmp(word, "pow2") == 0;
    snprintf(name, sizeof name, "%s", word);
    char *suffix = strchr(name, '+');
    if (suffix != NULL && strcasecmp(suffix, "+t") == 0) {
        *suffix = '\0';
        outer = true;
    }
    int scale = rule < AG_E8M0_RULES ? AG_SCALE_E8M0
                : is_pow2            ? AG_SCALE_FLOAT
                                     : word_index(name, ag_scale_words, AG_SCALE_FORMATS);
    bool needs_rule = scale == AG_SCALE_E8M0 && rule == AG_E8M0_RULES;
    if (scale == AG_SCALE_FORMATS || needs_rule || (outer && scale < AG_SCALE_E4M3))
        return no_scale(word);
    AG_TRY(check_named(scheme, (ag_scale_format)scale, outer, word));
    scheme->scale = (ag_scale_format)scale;
    scheme->outer = outer ? AG_OUTER_TENSOR : AG_OUTER_NONE;
    scheme->e8m0 = rule < AG_E8M0_RULES ? (ag_e8m0)rule : AG_E8M0_FLOOR;
    scheme->pow2 = is_pow2;
    return AG_OK;
}

/* amax[+pow2] and its kin, or how scales of blocks are stored. */
static ag_status parse_scale(ag_scheme *scheme, char *word)
{
    size_t length = strcspn(word, "+");
    const char *suffix = word + length;
    char mode[16];
    snprintf(mode, sizeof mode, "%.*s", (int)length, word);
    int amax = strcasecmp(mode, "amax") == 0 ? AG_AMAX_CURRENT
                                             : word_index(mode, ag_amax_words, AG_AMAX_MODES);
    if (amax == AG_AMAX_MODES)
        return ag_scheme_set_scale(scheme, word);
    if (*suffix != '\0' && strcasecmp(suffix, "+pow2") != 0)
        return no_scale(word);
    if (amax == AG_AMAX_NONE && *suffix != '\0')
        return ag_fail(AG_ERR_INPUT, "scale 'none' has no power of two to be rounded to");
    scheme->amax = (ag_amax_mode)amax;
    scheme->history = ag_scheme_keeps_history(scheme) ? AG_DEFAULT_HISTORY : 0;
    scheme->pow2 = *suffix != '\0';
    return AG_OK;
}

static ag_status parse_rounding(ag_scheme *scheme, const char *word)
{
    int rounding = word_index(word, ag_rounding_words, AG_ROUNDINGS);
    if (rounding == AG_ROUNDINGS)
        return ag_fail(AG_ERR_INPUT, "there is no rounding '%s'; expected nearest or stochastic",
                       word);
    scheme->rounding = (ag_rounding)rounding;
    return AG_OK;
}

static ag_status parse_hadamard(ag_scheme *scheme, const char *word)
{
    int size = AG_LEAST_HADAMARD;
    char rest;
    if (strcasecmp(word, "hadamard") != 0 &&
        (strncasecmp(word, "hadamard", 8) != 0 || sscanf(word + 8, "%4d%c", &size, &rest) != 1))
        return ag_fail(AG_ERR_INPUT,
                       "'%s' is unknown after the rounding; expected hadamard, or hadamard32, 64 "
                       "or 128",
                       word);
    scheme->hadamard = size;
    return AG_OK;
}

/* A granularity brings its defaults, so it stands before the scale that may change them. */
static ag_status parse_parts(ag_scheme *scheme, char *const part[MAX_PARTS], int count)
{
    ag_format format;
    AG_TRY(ag_element_parse(&format, part[0]));
    *scheme = ag_scheme_plain(&format);
    if (count > 1)
        AG_TRY(ag_scheme_set_granularity(scheme, part[1]));
    if (count > 2)
        AG_TRY(parse_scale(scheme, part[2]));
    if (count > 3)
        AG_TRY(parse_rounding(scheme, part[3]));
    if (count > 4)
        AG_TRY(parse_hadamard(scheme, part[4]));
    return ag_scheme_check(scheme);
}

/* The number of parts of "a/b/c" in `text`, which is cut at its slashes. */
static int split_parts(char *part[MAX_PARTS], char *text)
{
    int count = 0;
    for (char *at = text; at != NULL; count++) {
        if (count < MAX_PARTS)
            part[count] = at;
        at = strchr(at, '/');
        if (at != NULL)
            *at++ = '\0';
    }
    return count;
}

/* Cut at its slashes into a copy; the parts are words of the experiment file. */
ag_status ag_scheme_parse(ag_scheme *scheme, const char *name)
{
    char text[NAME_CAPACITY];
    char *part[MAX_PARTS] = {text};
    snprintf(text, sizeof text, "%s", name);
    int count = split_parts(part, text);
    if (count > MAX_PARTS || strlen(name) >= sizeof text)
        return ag_fail(AG_ERR_INPUT,
                       "'%.80s' is not of the form FORMAT/granularity/scale/rounding/hadamard",
                       name);
    AG_TRY(parse_parts(scheme, part, count));
    ag_scheme_normalise(scheme);
    return AG_OK;
}
