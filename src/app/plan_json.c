/* `altgrad plan --json`: what altgrad-train takes, the labels, and what the results hold. */
#include <inttypes.h>

#include "claims.h"
#include "plan.h"
#include "rounds.h"
#include "run/run_json.h"

/* As the axis's type, so that a script can filter without parsing. */
static void add_value(ag_text *text, const ag_axis *axis, const ag_axis_value *value)
{
    char real[32];
    if (axis->type == AG_AXIS_INT) {
        ag_text_printf(text, "%" PRId64, value->integer);
    } else if (axis->type == AG_AXIS_REAL) {
        ag_json_real(real, value->real);
        ag_text_add(text, real);
    } else {
        ag_json_string(text, value->text);
    }
}

/* By the axes' own names, dots and all. */
static void add_label(ag_text *text, const ag_grid *grid, const ag_label *label)
{
    ag_text_printf(text, "{\"id\":\"%s\"", grid->runs[label->run].id);
    for (size_t a = 0; a < grid->n_axes; a++) {
        ag_text_add(text, ",");
        ag_json_string(text, grid->axes[a].name);
        ag_text_add(text, ":");
        add_value(text, &grid->axes[a], &label->values[a]);
    }
    ag_text_add(text, "}");
}

/* A run per line: one is taken out with sed, and given to altgrad-train. */
void ag_plan_json(ag_text *text, const ag_grid *grid, const bool *selected, const char *out,
                  const ag_holdings *holdings)
{
    const char *comma = "\n";
    ag_text_add(text, "{\"experiment\":");
    ag_json_string(text, grid->name);
    ag_text_add(text, ",\"runs\":[");
    for (size_t r = 0; r < grid->n_runs; r++) {
        if (!selected[r])
            continue;
        ag_text_add(text, comma);
        ag_run_assignment(text, &grid->runs[r]);
        comma = ",\n";
    }
    comma = "\n";
    ag_text_add(text, "\n],\"labels\":[");
    for (size_t i = 0; i < grid->n_labels; i++) {
        if (!selected[grid->labels[i].run])
            continue;
        ag_text_add(text, comma);
        add_label(text, grid, &grid->labels[i]);
        comma = ",\n";
    }
    ag_text_add(text, "\n],\"data\":");
    ag_plan_data_json(text, grid, selected);
    ag_plan_starts_json(text, grid, selected);
    ag_text_add(text, ",\"results\":");
    ag_holdings_json(text, out, holdings, grid, selected);
    ag_plan_trunks_json(text, holdings, grid, selected);
    ag_claims_plan_json(text, grid);
    ag_rounds_plan_json(text, grid);
    ag_text_add(text, "}\n");
}
