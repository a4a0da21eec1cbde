/* `altgrad formats`: the recipes, and what one of them does to each product of a layer. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "formats_recipes.h"
#include "numerics/recipe.h"
#include "run/run_json.h"

/* NULL in the table is an operand that is not quantised. */
static const char *scheme_name(const ag_recipe *recipe, int role, int use)
{
    const char *name = recipe->scheme[role][use];
    return name != NULL ? name : "bf16";
}

/* --- the list */

static bool same_role(const ag_recipe *recipe, int a, int b)
{
    for (int use = 0; use < AG_USES; use++) {
        if (strcmp(scheme_name(recipe, a, use), scheme_name(recipe, b, use)) != 0)
            return false;
    }
    return true;
}

/* The roles from `role` on that are treated alike, "weight, input": their number. Neighbours only,
 * so that the order of roles is the same in every recipe. */
static int join_roles(char *text, size_t size, const ag_recipe *recipe, int role)
{
    int end = role + 1;
    size_t length = (size_t)snprintf(text, size, "%s", ag_role_words[role]);
    for (; end < AG_ROLES && same_role(recipe, role, end); end++)
        length += (size_t)snprintf(text + length, size - length, ", %s", ag_role_words[end]);
    return end - role;
}

/* As few lines as say everything: roles that are alike together, products apart only where they
 * differ. */
static void add_operands(ag_text *out, const ag_recipe *recipe)
{
    char roles[64];
    for (int role = 0; role < AG_ROLES;) {
        const char *first = scheme_name(recipe, role, 0);
        const char *second = scheme_name(recipe, role, 1);
        int alike = join_roles(roles, sizeof roles, recipe, role);
        if (strcmp(first, second) == 0) {
            ag_text_printf(out, "  %-26s %s\n", roles, first);
        } else {
            for (int i = role; i < role + alike; i++) {
                ag_text_printf(out, "  %-26s %s\n", ag_use_words[i][0], scheme_name(recipe, i, 0));
                ag_text_printf(out, "  %-26s %s\n", ag_use_words[i][1], scheme_name(recipe, i, 1));
            }
        }
        role += alike;
    }
}

/* With the publication that each follows. */
void ag_formats_add_recipes(ag_text *out)
{
    size_t count;
    const ag_recipe *recipes = ag_recipe_list(&count);
    ag_text_add(out, "RECIPE, AND WHAT IT FOLLOWS\n  OPERAND                    "
                     "FORMAT/GRANULARITY/SCALE/ROUNDING/HADAMARD\n");
    for (size_t i = 0; i < count; i++) {
        ag_text_printf(out, "%-12s %s\n", recipes[i].name, recipes[i].reference);
        add_operands(out, &recipes[i]);
    }
}

/* --- one recipe */

static const struct {
    const char *name;
    const char *sum; /* what the product sums over: rows and blocks lie along it */
    ag_role role[2];
    int use[2];
} s_products[] = {
    {"fprop  Y = X W^T",   "in-channels",  {AG_ROLE_INPUT, AG_ROLE_WEIGHT},       {0, 0}},
    {"dgrad  dX = dY W",   "out-channels", {AG_ROLE_GRAD_OUTPUT, AG_ROLE_WEIGHT}, {0, 1}},
    {"wgrad  dW = dY^T X", "tokens",       {AG_ROLE_GRAD_OUTPUT, AG_ROLE_INPUT},  {1, 1}},
};

enum { N_PRODUCTS = sizeof s_products / sizeof s_products[0] };

/* By product, as papers describe it, and not by operand: which copy of a tensor goes where is what
 * recipes differ in. */
static void add_products(ag_text *out, const ag_layer_precision *precision)
{
    char text[AG_SCHEME_TEXT];
    ag_text_printf(out, "%-20s %-13s %-12s %s\n", "PRODUCT", "SUMS OVER", "OPERAND",
                   "QUANTISED TO");
    for (int i = 0; i < N_PRODUCTS; i++) {
        for (int j = 0; j < 2; j++) {
            ag_role role = s_products[i].role[j];
            ag_scheme_describe(text, sizeof text, &precision->scheme[role][s_products[i].use[j]]);
            ag_text_printf(out, "%-20s %-13s %-12s %s\n", j == 0 ? s_products[i].name : "",
                           j == 0 ? s_products[i].sum : "", ag_role_words[role], text);
        }
    }
    ag_text_add(out, "\nRows and blocks lie along what the product sums over.");
    for (int role = 0; role < AG_ROLES; role++) {
        if (precision->scheme[role][0].quantised && ag_scheme_serves_both(precision->scheme[role]))
            ag_text_printf(out, " One copy of %s serves both products.", ag_role_words[role]);
    }
    ag_text_add(out, "\n");
}

/* A scheme that somebody wrote down is shown as if it were a recipe. */
ag_status ag_formats_add_recipe(ag_text *out, const char *name)
{
    ag_layer_precision precision;
    const ag_recipe *recipe = ag_recipe_find(name);
    AG_TRY(ag_recipe_parse(&precision, name));
    if (recipe != NULL) {
        ag_text_printf(out, "%s, as %s", recipe->name, recipe->reference);
        if (recipe->alias != NULL)
            ag_text_printf(out, "; also %s", recipe->alias);
        ag_text_add(out, "\n\n");
    }
    add_products(out, &precision);
    return AG_OK;
}

/* --- JSON */

static void add_json_recipe(ag_text *out, const ag_recipe *recipe)
{
    ag_text_printf(out, "{\"name\": \"%s\", \"follows\": \"%s\"", recipe->name, recipe->reference);
    for (int role = 0; role < AG_ROLES; role++) {
        for (int use = 0; use < AG_USES; use++) {
            const char *scheme = recipe->scheme[role][use];
            ag_text_printf(out, ", \"%s\": ", ag_use_words[role][use]);
            ag_text_printf(out, scheme != NULL ? "\"%s\"" : "null", scheme);
        }
    }
    ag_text_add(out, "}");
}

ag_status ag_formats_add_json_recipes(ag_text *out, const char *name)
{
    size_t count;
    const ag_recipe *recipes = ag_recipe_list(&count);
    if (name != NULL) {
        const ag_recipe *recipe = ag_recipe_find(name);
        if (recipe == NULL)
            return ag_fail(AG_ERR_INPUT, "there is no recipe '%s'", name);
        add_json_recipe(out, recipe);
        return AG_OK;
    }
    for (size_t i = 0; i < count; i++) {
        ag_text_add(out, i > 0 ? ",\n " : "[");
        add_json_recipe(out, &recipes[i]);
    }
    ag_text_add(out, "]");
    return AG_OK;
}
