/* Names that an experiment may list: a format, a format with its scaling, or a named recipe. */
#include "numerics/recipe.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

enum { DEFAULT_HISTORY = 16, NAME_CAPACITY = 96, MAX_PARTS = 4 };

static const char s_usable[] =
    "this version scales per tensor: use 'hybrid', 'delayed', or a format such as 'e4m3fn'";

/* Recipes of three formats scaled per tensor. */
static const struct {
    const char *name;
    const char *format[AG_ROLES];
    ag_amax_mode amax;
} s_recipes[] = {
    {"hybrid",  {"e4m3fn", "e4m3fn", "e5m2ieee"}, AG_AMAX_CURRENT},
    {"delayed", {"e4m3fn", "e4m3fn", "e5m2ieee"}, AG_AMAX_DELAYED},
};
enum { N_RECIPES = sizeof s_recipes / sizeof s_recipes[0] };

static const char *const s_recipe_names[N_RECIPES] = {"hybrid", "delayed"};

/* Recipes with scales per row or block, known by name only. */
static const char *const s_refused_names[] = {
    "row",        "row_gw_hp", "block128",   "mxfp8",  "mxfp8_e4m3", "mxfp8_e5m2", "mxfp6_e3m2",
    "mxfp6_e2m3", "mxfp4",     "mxfp4_e2m1", "mxint8", "mxint4",     "nvfp4",      "int8_row",
};
enum { N_REFUSED = sizeof s_refused_names / sizeof s_refused_names[0] };

const char *const *ag_recipe_names(size_t *count)
{
    *count = N_RECIPES;
    return s_recipe_names;
}

static void set_role(ag_layer_precision *precision, ag_role role, const ag_scheme *scheme)
{
    for (int use = 0; use < AG_USES; use++)
        precision->scheme[role][use] = *scheme;
}

static void set_amax(ag_scheme *scheme, ag_amax_mode amax)
{
    scheme->amax = amax;
    scheme->history = amax == AG_AMAX_WINDOWED || amax == AG_AMAX_DELAYED ? DEFAULT_HISTORY : 0;
}

static ag_status set_recipe(ag_layer_precision *precision, size_t index)
{
    for (ag_role role = 0; role < AG_ROLES; role++) {
        ag_format format;
        AG_TRY(ag_format_parse(&format, s_recipes[index].format[role]));
        ag_scheme scheme = ag_scheme_plain(&format);
        set_amax(&scheme, s_recipes[index].amax);
        set_role(precision, role, &scheme);
    }
    return AG_OK;
}

/* The index of `word` in `words`, or `count`. */
static int word_index(const char *word, const char *const *words, int count)
{
    int i = 0;
    while (i < count && strcasecmp(word, words[i]) != 0)
        i++;
    return i;
}

static bool is_block_size(const char *word)
{
    int rows;
    int cols;
    char rest;
    return sscanf(word, "b%4dx%4d%c", &rows, &cols, &rest) == 2;
}

static ag_status parse_granularity(const char *word, const char *name)
{
    int known = word_index(word, ag_granularity_words, AG_GRANULARITIES);
    if (known == AG_GRANULARITY_TENSOR)
        return AG_OK;
    if (is_block_size(word) || (known != AG_GRANULARITIES && known != AG_GRANULARITY_BLOCK))
        return ag_fail(AG_ERR_INPUT, "'%s': granularity '%s' is not available; %s", name, word,
                       s_usable);
    return ag_fail(AG_ERR_INPUT,
                   "'%s': there is no granularity '%s'; expected tensor (row, col, b<R>x<C>, mx "
                   "and nv are not available)",
                   name, word);
}

static ag_status parse_scale(ag_scheme *scheme, char *word, const char *name)
{
    char *suffix = strchr(word, '+');
    if (suffix != NULL)
        *suffix++ = '\0';
    int amax = strcasecmp(word, "amax") == 0 ? AG_AMAX_CURRENT
                                             : word_index(word, ag_amax_words, AG_AMAX_MODES);
    if (strncasecmp(word, "e8m0", 4) == 0)
        return ag_fail(AG_ERR_INPUT, "'%s': scale '%s' is for blocks and not available; %s", name,
                       word, s_usable);
    if (amax == AG_AMAX_MODES || (suffix != NULL && strcasecmp(suffix, "pow2") != 0))
        return ag_fail(AG_ERR_INPUT,
                       "'%s': there is no scale '%s%s%s'; expected amax, windowed, delayed (each "
                       "with or without +pow2) or none",
                       name, word, suffix != NULL ? "+" : "", suffix != NULL ? suffix : "");
    if (amax == AG_AMAX_NONE && suffix != NULL)
        return ag_fail(AG_ERR_INPUT, "'%s': scale 'none' has no power of two to be rounded to",
                       name);
    set_amax(scheme, (ag_amax_mode)amax);
    scheme->pow2 = suffix != NULL;
    return AG_OK;
}

static ag_status parse_rounding(ag_scheme *scheme, const char *word, const char *name)
{
    int rounding = word_index(word, ag_rounding_words, AG_ROUNDINGS);
    if (rounding == AG_ROUNDINGS)
        return ag_fail(AG_ERR_INPUT,
                       "'%s': there is no rounding '%s'; expected nearest or stochastic", name,
                       word);
    scheme->rounding = (ag_rounding)rounding;
    return AG_OK;
}

static ag_status set_all(ag_layer_precision *precision, ag_scheme *scheme)
{
    AG_TRY(ag_scheme_check(scheme));
    ag_scheme_normalise(scheme);
    for (ag_role role = 0; role < AG_ROLES; role++)
        set_role(precision, role, scheme);
    return AG_OK;
}

/* The parts of "a/b/c" in `text`, which is cut at its slashes. */
static int split_parts(char *part[MAX_PARTS], char *text)
{
    int count = 0;
    for (char *at = text; at != NULL && count < MAX_PARTS; count++) {
        part[count] = at;
        at = strchr(at, '/');
        if (at != NULL)
            *at++ = '\0';
        if (at != NULL && count == MAX_PARTS - 1)
            return MAX_PARTS + 1;
    }
    return count;
}

static ag_status parse_parts(ag_layer_precision *precision, const char *name)
{
    char text[NAME_CAPACITY];
    char *part[MAX_PARTS] = {text};
    snprintf(text, sizeof text, "%s", name);
    int count = split_parts(part, text);
    if (count > MAX_PARTS || strlen(name) >= sizeof text)
        return ag_fail(AG_ERR_INPUT, "'%.80s' is not of the form FORMAT/granularity/scale/rounding",
                       name);
    ag_format format;
    AG_TRY(ag_format_parse(&format, part[0]));
    ag_scheme scheme = ag_scheme_plain(&format);
    AG_TRY(parse_granularity(part[1], name));
    if (count > 2)
        AG_TRY(parse_scale(&scheme, part[2], name));
    if (count > 3)
        AG_TRY(parse_rounding(&scheme, part[3], name));
    return set_all(precision, &scheme);
}

static ag_status parse_format(ag_layer_precision *precision, const char *name)
{
    ag_format format;
    AG_TRY(ag_format_parse(&format, name));
    ag_scheme scheme = ag_scheme_plain(&format);
    return set_all(precision, &scheme);
}

/* A misspelt recipe is told apart from a misspelt format by its nearest name. */
static ag_status suggest_recipe(const char *name)
{
    const char *nearest = ag_nearest_word(name, s_recipe_names, N_RECIPES);
    if (nearest == NULL)
        return AG_OK;
    return ag_fail(AG_ERR_INPUT, "there is no format or recipe '%s'; did you mean '%s'?", name,
                   nearest);
}

ag_status ag_recipe_parse(ag_layer_precision *precision, const char *name)
{
    *precision = (ag_layer_precision){0};
    if (strcasecmp(name, "none") == 0)
        return AG_OK;
    int recipe = word_index(name, s_recipe_names, N_RECIPES);
    if (recipe < N_RECIPES)
        return set_recipe(precision, (size_t)recipe);
    if (word_index(name, s_refused_names, N_REFUSED) < N_REFUSED)
        return ag_fail(AG_ERR_INPUT, "the recipe '%s' is not available; %s", name, s_usable);
    if (strchr(name, '/') != NULL)
        return parse_parts(precision, name);
    AG_TRY(suggest_recipe(name));
    return parse_format(precision, name);
}
