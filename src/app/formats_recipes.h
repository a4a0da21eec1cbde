/* formats_recipes.c: the part of `altgrad formats` that is about recipes. */
#ifndef AG_APP_FORMATS_RECIPES_H
#define AG_APP_FORMATS_RECIPES_H

#include "base/status.h"
#include "base/text.h"

/* Every recipe with what its operands get. */
void ag_formats_add_recipes(ag_text *out);

/* The products of a layer under a recipe, or under FORMAT/granularity/... AG_ERR_INPUT. */
ag_status ag_formats_add_recipe(ag_text *out, const char *name);

/* All recipes as a JSON list, or one (`name`) as an object. AG_ERR_INPUT when there is none. */
ag_status ag_formats_add_json_recipes(ag_text *out, const char *name);

/* Appends the table of accumulators. */
void ag_formats_add_accumulators(ag_text *out);

/* The same as a JSON list. */
void ag_formats_add_json_accumulators(ag_text *out);

#endif
