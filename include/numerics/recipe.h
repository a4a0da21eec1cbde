/* Recipes: names that stand for a whole layer precision. */
#ifndef AG_NUMERICS_RECIPE_H
#define AG_NUMERICS_RECIPE_H

#include <stddef.h>

#include "base/status.h"
#include "numerics/layer_precision.h"

/* Resolves what an experiment may list by name alone, letter case ignored:
 *   none, bf16                    every operand stays BF16
 *   a format                      that format for weight, input and grad_output, ag_scheme_plain
 *   format/gran[/scale[/round]]   the same with granularity, scale and rounding: ag_scheme_parse
 *   hybrid, delayed, mxfp8, ...   a named recipe
 * Every scheme is normalised. AG_ERR_INPUT for an unknown name (with the nearest). FP32 is no layer
 * precision: the caller handles it. */
ag_status ag_recipe_parse(ag_layer_precision *precision, const char *name);

typedef struct ag_recipe {
    const char *name;
    const char *alias;                     /* or NULL */
    const char *reference;                 /* the implementation that is followed */
    const char *scheme[AG_ROLES][AG_USES]; /* as ag_scheme_parse reads it; NULL: BF16 */
} ag_recipe;

/* The named recipes, in the order of listings. Borrowed. */
const ag_recipe *ag_recipe_list(size_t *count);

/* The recipe of that name or alias (mxfp8_e4m3, mxfp4_e2m1), letter case ignored; NULL: none. */
const ag_recipe *ag_recipe_find(const char *name);

#endif
