/* The accumulators' part of altgrad formats. */
#include <stdio.h>

#include "formats_recipes.h"
#include "numerics/accumulator.h"

/* By hand padded after the name, which may have an alias behind it. */
static void add_model(ag_text *out, const ag_accumulator_model *model)
{
    enum { MOST = sizeof model->operands / sizeof model->operands[0] };
    char floor[16] = "-";
    size_t width = out->length;
    ag_text_printf(out, "%s%s%s", model->name, model->alias != NULL ? ", " : "",
                   model->alias != NULL ? model->alias : "");
    width = out->length - width;
    if (model->floor != AG_NO_FLOOR)
        snprintf(floor, sizeof floor, "%d", model->floor);
    ag_text_printf(out, "%*s %5d %8d %5s  %-6s %-8s %7d  %s: ", (int)(15 - width), "", model->terms,
                   model->fraction, floor, model->into, model->toward_zero ? "zero" : "nearest",
                   model->promote, model->what);
    for (size_t i = 0; i < MOST && model->operands[i] != NULL; i++)
        ag_text_printf(out, "%s%s", i > 0 ? ", " : "", model->operands[i]);
    ag_text_add(out, "\n");
}

/* The last lines say what else is understood: the table lists models of hardware, and anything can
 * be described. */
void ag_formats_add_accumulators(ag_text *out)
{
    size_t count;
    const ag_accumulator_model *models = ag_accumulator_list(&count);
    ag_text_add(out, "ACCUMULATE      TERMS FRACTION FLOOR  INTO   ROUND    PROMOTE  MODELS: "
                     "OPERANDS\n");
    for (size_t i = 0; i < count; i++)
        add_model(out, &models[i]);
    ag_text_add(
        out, "fp32, bf16, any format: products are added one by one, each sum rounded to it.\n"
             "Without accumulate: float32, in segments of 512. Any other one, say by its parts:\n"
             "{terms: 16, fraction: 13, into: e8m13, round: zero, floor: -133, promote: 128, "
             "outer: fp32}\n");
}

static void add_json_model(ag_text *out, const ag_accumulator_model *model)
{
    enum { MOST = sizeof model->operands / sizeof model->operands[0] };
    ag_text_printf(out, "{\"name\": \"%s\", \"models\": \"%s\", \"terms\": %d, ", model->name,
                   model->what, model->terms);
    ag_text_printf(out, "\"fraction\": %d, \"floor\": ", model->fraction);
    ag_text_printf(out, model->floor == AG_NO_FLOOR ? "null" : "%d", model->floor);
    ag_text_printf(out, ", \"into\": \"%s\", \"round\": \"%s\", \"promote\": %d, \"operands\": [",
                   model->into, model->toward_zero ? "zero" : "nearest", model->promote);
    for (size_t i = 0; i < MOST && model->operands[i] != NULL; i++)
        ag_text_printf(out, "%s\"%s\"", i > 0 ? ", " : "", model->operands[i]);
    ag_text_add(out, "], \"aliases\": [");
    if (model->alias != NULL)
        ag_text_printf(out, "\"%s\"", model->alias);
    ag_text_add(out, "]}");
}

void ag_formats_add_json_accumulators(ag_text *out)
{
    size_t count;
    const ag_accumulator_model *models = ag_accumulator_list(&count);
    for (size_t i = 0; i < count; i++) {
        ag_text_add(out, i > 0 ? ",\n " : "[");
        add_json_model(out, &models[i]);
    }
    ag_text_add(out, "]");
}
