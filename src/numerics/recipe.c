/* Names that an experiment may list: a format, a format with its scaling, or a named recipe. */
#include "numerics/recipe.h"

#include <string.h>
#include <strings.h>

#include "base/text.h"

/* A row a recipe: weight in fprop, dgrad; input in fprop, wgrad; grad_output in dgrad, wgrad.
 * Granularities are meant along the sum of each product (scheme.h): equal words are different
 * copies unless the groups are square. */
/* clang-format off */
#define ALL(scheme) {{scheme, scheme}, {scheme, scheme}, {scheme, scheme}}
static const ag_recipe s_recipes[] = {
    {"hybrid", NULL, "torchao TENSORWISE, Transformer Engine Float8CurrentScaling",
     {{"e4m3fn", "e4m3fn"},
      {"e4m3fn", "e4m3fn"},
      {"e5m2ieee", "e5m2ieee"}}},
    {"delayed", NULL, "Transformer Engine DelayedScaling, with a shorter history",
     {{"e4m3fn/tensor/delayed", "e4m3fn/tensor/delayed"},
      {"e4m3fn/tensor/delayed", "e4m3fn/tensor/delayed"},
      {"e5m2ieee/tensor/delayed", "e5m2ieee/tensor/delayed"}}},
    {"row", NULL, "torchao ROWWISE",
     ALL("e4m3fn/row/amax+pow2")},
    {"row_gw_hp", NULL, "torchao ROWWISE_WITH_GW_HP",
     {{"e4m3fn/row/amax+pow2", "e4m3fn/tensor/amax+pow2"},
      {"e4m3fn/row/amax+pow2", NULL},
      {"e4m3fn/row/amax+pow2", NULL}}},
    {"block128", NULL, "DeepSeek-V3, Transformer Engine Float8BlockScaling",
     {{"e4m3fn/128x128", "e4m3fn/128x128"},
      {"e4m3fn/1x128", "e4m3fn/1x128"},
      {"e4m3fn/1x128", "e4m3fn/1x128"}}},
    {"mxfp8", "mxfp8_e4m3", "OCP MX 1.0, Transformer Engine MXFP8BlockScaling, torchao",
     ALL("e4m3fn/mx/e8m0rceil")},
    {"mxfp8_e5m2", NULL, "OCP MX 1.0",
     ALL("e5m2ieee/mx/e8m0rceil")},
    {"mxfp6_e3m2", NULL, "OCP MX 1.0, microxcaling",
     ALL("e3m2f/mx/e8m0rceil")},
    {"mxfp6_e2m3", NULL, "OCP MX 1.0, microxcaling",
     ALL("e2m3f/mx/e8m0rceil")},
    {"mxfp4", "mxfp4_e2m1", "OCP MX 1.0, microxcaling",
     {{"e2m1f/mx/e8m0rceil", "e2m1f/mx/e8m0rceil"},
      {"e2m1f/mx/e8m0rceil", "e2m1f/mx/e8m0rceil"},
      {"e2m1f/mx/e8m0rceil/stochastic", "e2m1f/mx/e8m0rceil/stochastic"}}},
    {"mxint8", NULL, "OCP MX 1.0, microxcaling",
     ALL("e0m7b0f/mx/e8m0floor")},
    {"mxint4", NULL, "microxcaling",
     ALL("e0m3b0f/mx/e8m0floor")},
    {"nvfp4", NULL, "Transformer Engine NVFP4BlockScaling",
     {{"e2m1f/nv16x16", "e2m1f/nv16x16"},
      {"e2m1f/nv", "e2m1f/nv/amax/nearest/hadamard"},
      {"e2m1f/nv/amax/stochastic", "e2m1f/nv/amax/stochastic/hadamard"}}},
    {"int8_row", NULL, "torchao int8 mixed precision",
     ALL("int8/row")},
};
/* clang-format on */

enum { N_RECIPES = sizeof s_recipes / sizeof s_recipes[0] };

const ag_recipe *ag_recipe_list(size_t *count)
{
    *count = N_RECIPES;
    return s_recipes;
}

const ag_recipe *ag_recipe_find(const char *name)
{
    for (size_t i = 0; i < N_RECIPES; i++) {
        const ag_recipe *recipe = &s_recipes[i];
        if (strcasecmp(name, recipe->name) == 0 ||
            (recipe->alias != NULL && strcasecmp(name, recipe->alias) == 0))
            return recipe;
    }
    return NULL;
}

static ag_status set_recipe(ag_layer_precision *precision, const ag_recipe *recipe)
{
    for (int i = 0; i < AG_ROLES * AG_USES; i++) {
        const char *scheme = recipe->scheme[i / AG_USES][i % AG_USES];
        if (scheme != NULL)
            AG_TRY(ag_scheme_parse(&precision->scheme[i / AG_USES][i % AG_USES], scheme));
    }
    return AG_OK;
}

/* A misspelt recipe is told apart from a misspelt format by its nearest name. */
static ag_status suggest_recipe(const char *name, ag_status failed)
{
    const char *names[N_RECIPES];
    for (size_t i = 0; i < N_RECIPES; i++)
        names[i] = s_recipes[i].name;
    const char *nearest =
        strchr(name, '/') == NULL ? ag_nearest_word(name, names, N_RECIPES) : NULL;
    if (nearest == NULL)
        return failed;
    ag_error_clear();
    return ag_fail(AG_ERR_INPUT, "there is no format or recipe '%s'; did you mean '%s'?", name,
                   nearest);
}

ag_status ag_recipe_parse(ag_layer_precision *precision, const char *name)
{
    *precision = (ag_layer_precision){0};
    if (strcasecmp(name, "none") == 0)
        return AG_OK;
    const ag_recipe *recipe = ag_recipe_find(name);
    if (recipe != NULL)
        return set_recipe(precision, recipe);
    ag_scheme scheme;
    ag_status status = ag_scheme_parse(&scheme, name);
    if (status != AG_OK)
        return suggest_recipe(name, status);
    for (int i = 0; i < AG_ROLES * AG_USES; i++)
        precision->scheme[i / AG_USES][i % AG_USES] = scheme;
    return ag_layer_precision_check(precision);
}
