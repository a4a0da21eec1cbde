/* Recipes: names that stand for a whole layer precision. */
#ifndef AG_NUMERICS_RECIPE_H
#define AG_NUMERICS_RECIPE_H

#include <stddef.h>

#include "base/status.h"
#include "numerics/scheme.h"

/* Resolves what an experiment may list by name alone, letter case ignored:
 *   none, bf16                    every operand stays BF16
 *   a format                      that format for weight, input and grad_output, ag_scheme_plain
 *   format/gran[/scale[/round]]   the same with granularity, scale and rounding
 *   hybrid, delayed, mxfp8, ...   a named recipe
 * Every scheme is normalised. AG_ERR_INPUT for an unknown name (with the nearest) and for a recipe
 * that this version cannot run (says so). FP32 is no layer precision: the caller handles it. */
ag_status ag_recipe_parse(ag_layer_precision *precision, const char *name);

/* The named recipes, for listings and suggestions. Borrowed. */
const char *const *ag_recipe_names(size_t *count);

#endif
