/* The summary as JSON: the numbers that the table shows, and those behind them. */
#include <math.h>

#include "claims.h"
#include "rounds.h"
#include "run/run_json.h"
#include "summary_forms.h"

/* JSON has no NaN. */
void ag_summary_add_number(ag_text *out, const char *key, double value)
{
    char text[32] = "null";
    if (isfinite(value))
        ag_json_real(text, value);
    ag_text_printf(out, ", \"%s\": %s", key, text);
}

/* Without the seed, over which a cell is the mean. */
static void add_axes_json(ag_text *out, const ag_summary *s, const ag_label *label)
{
    const ag_grid *grid = &s->results->grid;
    const char *separator = "";
    for (size_t i = 0; i < grid->n_axes; i++) {
        if (i == s->seed_axis)
            continue;
        ag_text_add(out, separator);
        ag_json_string(out, grid->axes[i].name);
        ag_text_add(out, ": ");
        ag_json_string(out, label->values[i].text);
        separator = ", ";
    }
}

static void add_difference(ag_text *out, const ag_estimate *difference)
{
    ag_summary_add_number(out, "difference", difference->mean);
    ag_summary_add_number(out, "difference_sd", difference->sd);
    ag_summary_add_number(out, "half_width", difference->half);
    ag_summary_add_number(out, "low", difference->mean - difference->half);
    ag_summary_add_number(out, "high", difference->mean + difference->half);
}

/* [{"seed": "3", "why": "baseline pending"}] */
static void add_missing_pairs(ag_text *out, const ag_summary *s, const ag_summary_cell *cell)
{
    const char *separator = "";
    ag_text_add(out, ", \"missing_pairs\": [");
    for (size_t i = 0; i < cell->n_labels; i++) {
        const char *side;
        const char *why = ag_summary_missing(&side, s, cell, i);
        if (why == NULL)
            continue;
        ag_text_printf(out, "%s{\"seed\": ", separator);
        ag_json_string(out, ag_summary_axis_text(s, cell->labels[i], s->seed_axis));
        ag_text_printf(out, ", \"why\": \"%s%s\"}", side, why);
        separator = ", ";
    }
    ag_text_add(out, "]");
}

/* "best": {"axis", "value", "choosers", "optimistic"} */
static void add_best(ag_text *out, const ag_summary *s, const ag_summary_cell *cell)
{
    const ag_grid *grid = &s->results->grid;
    if (s->best_axis >= grid->n_axes)
        return;
    ag_text_add(out, ", \"best\": {\"axis\": ");
    ag_json_string(out, grid->axes[s->best_axis].name);
    ag_text_add(out, ", \"value\": ");
    ag_json_string(out, cell->label->values[s->best_axis].text);
    ag_text_printf(out, ", \"choosers\": %zu, \"optimistic\": %s}", cell->choosers,
                   cell->choosers == 0 ? "true" : "false");
}

/* The numbers that the text shows and those behind them. */
static void add_cell_json(ag_text *out, const ag_summary *s, const ag_summary_cell *cell)
{
    ag_text_add(out, "{\"axes\": {");
    add_axes_json(out, s, cell->label);
    ag_text_printf(out,
                   "}, \"done\": %zu, \"diverged\": %zu, \"failed\": %zu, \"pending\": %zu, "
                   "\"without_value\": %zu, \"baseline_diverged\": %zu, \"pairs\": %zu",
                   cell->done, cell->diverged, cell->failed, cell->pending,
                   cell->done - cell->n_values, cell->partner_diverged, cell->n_pairs);
    ag_text_printf(out, ", \"n\": %zu", cell->n_values);
    ag_summary_add_number(out, "mean", cell->mean.mean);
    ag_summary_add_number(out, "sd", cell->mean.sd);
    add_difference(out, &cell->difference);
    ag_summary_add_number(out, "bca_low", cell->bca.low);
    ag_summary_add_number(out, "bca_high", cell->bca.high);
    ag_summary_add_number(out, "floor", cell->floor);
    ag_summary_add_number(out, "p", cell->p);
    ag_summary_add_number(out, "p_adjusted", cell->adjusted);
    ag_summary_add_number(out, "pairs_needed",
                          cell->pairs_needed > 0 ? (double)cell->pairs_needed : NAN);
    add_missing_pairs(out, s, cell);
    add_best(out, s, cell);
    if (s->spikes != NULL) {
        ag_summary_spike_scores scores = ag_summary_spike_scores_of(s, cell);
        ag_summary_add_number(out, "loss_spikes", scores.loss);
        ag_summary_add_number(out, "grad_norm_spikes", scores.grad_norm);
    }
    ag_text_printf(out, ", \"verdict_alone\": \"%s\", \"verdict\": \"%s\"}",
                   ag_verdict_words[cell->alone], ag_verdict_words[cell->verdict]);
}

/* By the words of the results, so that a script has one set of names. */
static void add_run_counts_json(ag_text *out, const ag_summary *s)
{
    ag_summary_runs counts = ag_summary_count_runs(s);
    ag_text_printf(out, ", \"runs\": {\"total\": %zu", counts.total);
    for (size_t status = 0; status < AG_RUN_STATUSES; status++)
        ag_text_printf(out, ", \"%s\": %zu", ag_run_status_words[status], counts.of[status]);
    ag_text_add(out, "}");
}

void ag_summary_json(ag_text *out, const ag_summary *summary)
{
    ag_text_add(out, "{\"experiment\": ");
    ag_json_string(out, summary->results->grid.name);
    ag_text_printf(out, ", \"metric\": \"%s\", \"packed\": %s", summary->metric,
                   summary->results->packed ? "true" : "false");
    ag_summary_add_number(out, "margin", summary->results->grid.compare.margin);
    ag_summary_add_number(out, "level", ag_summary_level);
    ag_text_printf(out, ", \"family\": \"%s\", \"comparisons\": %zu",
                   ag_family_words[summary->results->grid.compare.family], summary->n_comparisons);
    if (summary->spikes != NULL)
        ag_text_printf(out, ", \"spike_window\": %zu", summary->spike_window);
    add_run_counts_json(out, summary);
    ag_text_add(out, ", \"cells\": [");
    for (size_t i = 0; i < summary->n_cells; i++) {
        ag_text_add(out, i > 0 ? ",\n  " : "\n  ");
        add_cell_json(out, summary, &summary->cells[i]);
    }
    ag_text_add(out, "]");
    ag_claims_json(out, summary);
    ag_rounds_json(out, summary);
    ag_text_add(out, "}\n");
}
