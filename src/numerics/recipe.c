/* Names that an experiment may list: a format, a format with its scaling, or a named recipe, which
 * says what a published training method quantises how. A recipe's name may gain an alias, but its
 * schemes never change: runs are known by them.
 *
 * The sources are implementations rather than papers, as papers leave details open that change
 * results: torchao's float8 and MX recipes, NVIDIA's Transformer Engine, Microsoft's microxcaling.
 * Where they differ among each other, the table says which one is followed. */
#include "numerics/recipe.h"

#include <string.h>
#include <strings.h>

#include "base/text.h"

/* One row per recipe: the schemes of weight in fprop and dgrad; of input in fprop and wgrad; of
 * grad_output in dgrad and wgrad. Granularities are meant along the sum of each product (scheme.h),
 * so that equal words are different copies unless the groups are square. */
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

/* By name or alias; recipes are few, so a walk is enough. */
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

/* A role without a scheme keeps BF16, as the recipe means it. */
static ag_status set_recipe(ag_layer_precision *precision, const ag_recipe *recipe)
{
    for (int i = 0; i < AG_ROLES * AG_USES; i++) {
        const char *scheme = recipe->scheme[i / AG_USES][i % AG_USES];
        if (scheme != NULL)
            AG_TRY(ag_scheme_parse(&precision->scheme[i / AG_USES][i % AG_USES], scheme));
    }
    return AG_OK;
}

/* A name as other libraries have it, or with spaces around it. */
static ag_status suggest_shorter(const char *name)
{
    static const char *const prefixes[] = {"torch.",     "jnp.", "jax.numpy.", "np.",
                                           "ml_dtypes.", "tl.",  "tf.",        "mx."};
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        size_t length = strlen(prefixes[i]);
        if (strncasecmp(name, prefixes[i], length) == 0)
            return ag_fail(AG_ERR_INPUT, "there is no format '%s'; did you mean '%s'?", name,
                           name + length);
    }
    size_t length = strlen(name);
    if (length > 0 && (name[0] == ' ' || name[length - 1] == ' '))
        return ag_fail(AG_ERR_INPUT, "there is no format '%s': take the spaces around it away",
                       name);
    return AG_OK;
}

/* Words that mean several formats, or what another name means here. */
static ag_status suggest_word(const char *name)
{
    static const struct {
        const char *word;
        const char *meant;
    } words[] = {
        {"fp8",        "'E4M3' or 'E5M2'"                              },
        {"float8",     "'E4M3' or 'E5M2'"                              },
        {"fp6",        "'E3M2' or 'E2M3'"                              },
        {"float6",     "'E3M2' or 'E2M3'"                              },
        {"fp4",        "'E2M1', or with its scales 'mxfp4' or 'nvfp4'" },
        {"float4",     "'E2M1', or with its scales 'mxfp4' or 'nvfp4'" },
        {"mx",         "'mxfp8', 'mxfp6_e3m2', 'mxfp6_e2m3' or 'mxfp4'"},
        {"mxfp6",      "'mxfp6_e3m2' or 'mxfp6_e2m3'"                  },
        {"mx_fp6",     "'mxfp6_e3m2' or 'mxfp6_e2m3'"                  },
        {"mx_fp8",     "'mxfp8'"                                       },
        {"mx_fp4",     "'mxfp4'"                                       },
        {"mxint",      "'mxint8' or 'mxint4'"                          },
        {"nv_fp4",     "'nvfp4'"                                       },
        {"nvfp4_e2m1", "'nvfp4'"                                       },
        {"half",       "'fp16'"                                        },
        {"float",      "'fp32'"                                        },
        {"double",     "'fp32'"                                        },
        {"tf32",       "'fp32' or 'e8m10'"                             },
        {"bfloat",     "'bf16'"                                        },
        {"default",    "'BF16'"                                        },
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcasecmp(name, words[i].word) == 0)
            return ag_fail(AG_ERR_INPUT,
                           "there is no format '%s'; did you mean %s? ('altgrad formats' lists "
                           "them)",
                           name, words[i].meant);
    }
    return suggest_shorter(name);
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

/* A recipe's name wins over a format's; none of them is a format's name. */
ag_status ag_recipe_parse(ag_layer_precision *precision, const char *name)
{
    *precision = (ag_layer_precision){0};
    if (strcasecmp(name, "none") == 0)
        return AG_OK;
    const ag_recipe *recipe = ag_recipe_find(name);
    if (recipe != NULL)
        return set_recipe(precision, recipe);
    ag_scheme scheme;
    AG_TRY(suggest_word(name));
    ag_status status = ag_scheme_parse(&scheme, name);
    if (status != AG_OK)
        return suggest_recipe(name, status);
    for (int i = 0; i < AG_ROLES * AG_USES; i++)
        precision->scheme[i / AG_USES][i % AG_USES] = scheme;
    return ag_layer_precision_check(precision);
}
