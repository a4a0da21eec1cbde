/* The summary as a table for people and as JSON: one line per format under each layer config, one
 * table for each point of the other axes. What a reader must know to judge a number stands beside
 * it: how many seeds it is of, how many pairs the difference rests on, which runs are missing and
 * why. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/printable.h"
#include "format_facts.h"
#include "run/run_json.h"
#include "summary.h"

enum { FIELD_SIZE = 96, NAME_COLUMNS = 48, TEXT_COLUMNS = 80 };

/* Names and values are the user's: control characters in them must not reach a terminal. */
static void add_point(ag_text *out, const char *separator, const char *axis, const char *value)
{
    ag_text_add(out, separator);
    ag_text_add_printable(out, axis);
    ag_text_add(out, " = ");
    ag_text_add_printable(out, value);
}

/* Cells are padded before it is known which of them is the last. */
static void trim(ag_text *out)
{
    while (out->length > 0 && out->data[out->length - 1] == ' ')
        out->data[--out->length] = '\0';
}

/* "" for an axis that the grid does not have. */
static const char *axis_text(const ag_summary *s, const ag_label *label, size_t axis)
{
    return axis < s->results->grid.n_axes ? label->values[axis].text : "";
}

/* In columns of a terminal, not bytes: names may be in any script. */
static size_t widest(const ag_summary *s, size_t axis, const char *title)
{
    size_t width = ag_text_width(title);
    for (size_t i = 0; i < s->n_cells; i++) {
        size_t used = ag_text_width(axis_text(s, s->cells[i].label, axis));
        width = used > width ? used : width;
    }
    return width < NAME_COLUMNS ? width : NAME_COLUMNS;
}

/* All but the three that a table shows make a table of their own for each point. */
static bool is_group_axis(const ag_summary *s, size_t axis)
{
    return axis != s->format_axis && axis != s->layers_axis && axis != s->seed_axis;
}

static bool same_group(const ag_summary *s, const ag_label *a, const ag_label *b)
{
    for (size_t i = 0; i < s->results->grid.n_axes; i++) {
        if (is_group_axis(s, i) && strcmp(a->values[i].text, b->values[i].text) != 0)
            return false;
    }
    return true;
}

/* A group is printed where its first cell stands, in the grid's order. */
static bool is_first_of_group(const ag_summary *s, size_t cell)
{
    for (size_t i = 0; i < cell; i++) {
        if (same_group(s, s->cells[i].label, s->cells[cell].label))
            return false;
    }
    return true;
}

/* What would be printed as -0.0000 is 0. */
static double without_sign(double value)
{
    return fabs(value) < 0.00005 ? 0.0 : value;
}

/* One value has no spread, and none has no mean. */
static void format_mean(char text[FIELD_SIZE], const ag_estimate *mean)
{
    if (mean->n == 0)
        snprintf(text, FIELD_SIZE, "-");
    else if (mean->n == 1)
        snprintf(text, FIELD_SIZE, "%.4f", mean->mean);
    else
        snprintf(text, FIELD_SIZE, "%.4f ± %.4f", mean->mean, mean->sd);
}

/* With a sign: what it is about is whether it is above or below. */
static void format_difference(char text[FIELD_SIZE], const ag_summary_cell *cell)
{
    const ag_estimate *difference = &cell->difference;
    if (cell->verdict == AG_VERDICT_BASELINE)
        snprintf(text, FIELD_SIZE, "baseline");
    else if (difference->n == 0)
        snprintf(text, FIELD_SIZE, "-");
    else if (difference->n == 1)
        snprintf(text, FIELD_SIZE, "%+.4f", without_sign(difference->mean));
    else
        snprintf(text, FIELD_SIZE, "%+.4f ± %.4f", without_sign(difference->mean),
                 difference->half);
}

/* "1 of 3 diverged, 1 failed": with the seeds that have a value, all of the cell. */
static void add_missing(ag_text *out, const ag_summary *s, const ag_summary_cell *cell)
{
    const char *separator = "";
    if (cell->diverged > 0) {
        ag_text_printf(out, "%zu of %zu diverged", cell->diverged, cell->n_runs);
        separator = ", ";
    }
    if (cell->partner_diverged > 0) {
        ag_text_printf(out, "%sbaseline diverged in %zu of %zu", separator, cell->partner_diverged,
                       cell->n_compared);
        separator = ", ";
    }
    if (cell->n_values < cell->done) {
        ag_text_printf(out, "%s%zu done without %s", separator, cell->done - cell->n_values,
                       s->metric);
        separator = ", ";
    }
    if (cell->failed > 0) {
        ag_text_printf(out, "%s%zu failed", separator, cell->failed);
        separator = ", ";
    }
    if (cell->pending > 0)
        ag_text_printf(out, "%s%zu pending", separator, cell->pending);
}

enum { MEAN_WIDTH = 18, DIFFERENCE_WIDTH = 19, PAIRS_WIDTH = 5, VERDICT_WIDTH = 10 };

/* How many pairs the difference rests on. */
static void add_pairs(ag_text *out, const ag_summary *s, const ag_summary_cell *cell)
{
    if (!s->has_baseline)
        return;
    if (cell->verdict == AG_VERDICT_BASELINE)
        ag_text_printf(out, "%*s  ", PAIRS_WIDTH, "");
    else
        ag_text_printf(out, "%*zu  ", PAIRS_WIDTH, cell->n_pairs);
}

/* In the order in which a reader asks: what is it, how many, how good, how much worse, is that
 * certain, what is missing. */
static void add_cell(ag_text *out, const ag_summary *s, const ag_summary_cell *cell,
                     const char *layers)
{
    char field[FIELD_SIZE];
    ag_text_add_cell(out, layers, widest(s, s->layers_axis, "layers"));
    ag_text_add(out, "  ");
    ag_text_add_cell(out, axis_text(s, cell->label, s->format_axis),
                     widest(s, s->format_axis, "format"));
    ag_text_add(out, "  ");
    ag_text_printf(out, "%5zu  ", cell->n_values);
    format_mean(field, &cell->mean);
    ag_text_add_padded(out, field, MEAN_WIDTH);
    format_difference(field, cell);
    ag_text_add_padded(out, field, DIFFERENCE_WIDTH);
    add_pairs(out, s, cell);
    ag_text_add_padded(out,
                       cell->verdict == AG_VERDICT_BASELINE ? "" : ag_verdict_words[cell->verdict],
                       VERDICT_WIDTH);
    add_missing(out, s, cell);
    trim(out);
    ag_text_add(out, "\n");
}

/* Without titles for verdict and remarks, which speak for themselves. */
static void add_heading(ag_text *out, const ag_summary *s)
{
    ag_text_add_padded(out, "layers", widest(s, s->layers_axis, "layers") + 2);
    ag_text_add_padded(out, "format", widest(s, s->format_axis, "format") + 2);
    ag_text_add(out, "seeds  ");
    ag_text_add_padded(out, s->metric, MEAN_WIDTH);
    ag_text_add_padded(out, "difference", DIFFERENCE_WIDTH);
    ag_text_add(out, s->has_baseline ? "pairs" : "");
    trim(out);
    ag_text_add(out, "\n");
}

static void add_floor(ag_text *out, const ag_summary_cell *cell)
{
    if (isfinite(cell->floor))
        ag_text_printf(out, "floor %.4f (entropy rate of the source)\n", cell->floor);
}

/* Told once then, above the tables. */
static bool has_one_floor(const ag_summary *s)
{
    for (size_t i = 1; i < s->n_cells; i++) {
        if (s->cells[i].floor != s->cells[0].floor)
            return false;
    }
    return true;
}

/* The other axes, by name. */
static void add_group_title(ag_text *out, const ag_summary *s, const ag_summary_cell *cell)
{
    const ag_grid *grid = &s->results->grid;
    const char *separator = "\n";
    for (size_t i = 0; i < grid->n_axes; i++) {
        if (!is_group_axis(s, i))
            continue;
        add_point(out, separator, grid->axes[i].name, cell->label->values[i].text);
        separator = ", ";
    }
    ag_text_add(out, "\n");
    if (!has_one_floor(s))
        add_floor(out, cell);
}

/* The formats of one layer config stand together. */
static void add_layers(ag_text *out, const ag_summary *s, size_t first)
{
    const ag_label *label = s->cells[first].label;
    const char *layers = axis_text(s, label, s->layers_axis);
    const char *shown = layers;
    for (size_t i = first; i < s->n_cells; i++) {
        const ag_label *other = s->cells[i].label;
        if (!same_group(s, other, label) ||
            strcmp(axis_text(s, other, s->layers_axis), layers) != 0)
            continue;
        add_cell(out, s, &s->cells[i], shown);
        shown = "";
    }
}

/* Among the cells of this group. */
static bool is_first_of_layers(const ag_summary *s, size_t group, size_t cell)
{
    const char *layers = axis_text(s, s->cells[cell].label, s->layers_axis);
    for (size_t i = group; i < cell; i++) {
        if (same_group(s, s->cells[i].label, s->cells[group].label) &&
            strcmp(axis_text(s, s->cells[i].label, s->layers_axis), layers) == 0)
            return false;
    }
    return true;
}

/* Cells of a group need not be neighbours in the grid. */
static void add_group(ag_text *out, const ag_summary *s, size_t first)
{
    add_group_title(out, s, &s->cells[first]);
    add_heading(out, s);
    for (size_t i = first; i < s->n_cells; i++) {
        if (same_group(s, s->cells[i].label, s->cells[first].label) &&
            is_first_of_layers(s, first, i))
            add_layers(out, s, i);
    }
}

/* --- the whole */

/* As the experiment file says it. */
static void add_baseline(ag_text *out, const ag_grid *grid)
{
    const char *separator = "";
    for (size_t i = 0; i < grid->n_axes; i++) {
        if (grid->compare.baseline[i].text == NULL)
            continue;
        add_point(out, separator, grid->axes[i].name, grid->compare.baseline[i].text);
        separator = ", ";
    }
}

/* Then the legend explains the word. */
static bool has_diverged(const ag_summary *s)
{
    for (size_t i = 0; i < s->n_cells; i++) {
        if (s->cells[i].verdict == AG_VERDICT_DIVERGED)
            return true;
    }
    return false;
}

/* One paragraph. */
static void add_legend_words(ag_text *out, const ag_summary *s)
{
    const ag_grid *grid = &s->results->grid;
    if (!s->has_baseline) {
        ag_text_printf(out,
                       "no differences: no format leaves everything in BF16, and compare.baseline "
                       "names none to compare with, such as {format: %s}. ",
                       axis_text(s, s->cells[0].label, s->format_axis));
    } else {
        ag_text_add(out, "difference: to ");
        add_baseline(out, grid);
        ag_text_printf(out,
                       " at the same other axes, mean of pairs ± 95 %% interval (Student's t). "
                       "worse, better: the interval lies beyond the margin of %g; same: within "
                       "it; open: more seeds would tell. ",
                       grid->compare.margin);
    }
    ag_text_printf(out, "%s: mean ± sd over seeds, nats per token.", s->metric);
    if (s->has_baseline && has_diverged(s))
        ag_text_add(out, " diverged: a seed did, and mean and difference are of the others alone.");
}

/* Wrapped, since it stands below a table that fits 80 columns where names allow. */
static void add_legend(ag_text *out, const ag_summary *s)
{
    ag_text words;
    ag_text_init(&words);
    add_legend_words(&words, s);
    ag_text_add(out, "\n");
    ag_text_add_wrapped(out, words.data, TEXT_COLUMNS, 0);
    ag_text_add(out, "\n");
    out->failed |= words.failed;
    ag_text_deinit(&words);
}

/* --- how many runs there are */

typedef struct run_counts {
    size_t of[AG_RUN_STATUSES];
    size_t total;
} run_counts;

/* Of the grid, each once. */
static run_counts count_runs(const ag_summary *s)
{
    run_counts counts = {.total = s->results->grid.n_runs};
    for (size_t i = 0; i < counts.total; i++)
        counts.of[s->results->rows[i].status]++;
    return counts;
}

/* "9 runs: 7 done, 1 diverged, 1 failed"; nothing where all are done. */
static void add_run_counts(ag_text *out, const ag_summary *s)
{
    run_counts counts = count_runs(s);
    const char *separator = ": ";
    if (counts.of[AG_RUN_DONE] == counts.total)
        return;
    ag_text_printf(out, "%zu run%s", counts.total, counts.total == 1 ? "" : "s");
    for (size_t status = 0; status < AG_RUN_STATUSES; status++) {
        if (counts.of[status] == 0)
            continue;
        ag_text_printf(out, "%s%zu %s", separator, counts.of[status], ag_run_status_words[status]);
        separator = ", ";
    }
    ag_text_add(out, "\n");
}

/* A table of nothing but "-" would say less. */
static bool is_all_pending(const ag_summary *s)
{
    for (size_t i = 0; i < s->n_cells; i++) {
        if (s->cells[i].pending < s->cells[i].n_runs)
            return false;
    }
    return true;
}

/* Everything that somebody needs to read the tables stands with them: they are copied into notes
 * and mails. */
static void add_tables(ag_text *out, const ag_summary *summary)
{
    add_run_counts(out, summary);
    if (has_one_floor(summary))
        add_floor(out, &summary->cells[0]);
    for (size_t i = 0; i < summary->n_cells; i++) {
        if (is_first_of_group(summary, i))
            add_group(out, summary, i);
    }
    add_legend(out, summary);
    ag_text_add(out, "\n");
    ag_format_facts(out, &summary->results->grid, NULL, false);
}

void ag_summary_table(ag_text *out, const ag_summary *summary)
{
    const ag_results *results = summary->results;
    size_t orphans = results->n_rows - results->grid.n_runs;
    ag_text_add_printable(out, results->grid.name);
    ag_text_add(out, "\n");
    if (is_all_pending(summary))
        ag_text_printf(out, "no run is complete yet; %zu pending\n", results->grid.n_runs);
    else
        add_tables(out, summary);
    if (orphans > 0)
        ag_text_printf(out, "\n%zu more run%s of earlier versions of the experiment %s kept.\n",
                       orphans, orphans > 1 ? "s" : "", orphans > 1 ? "are" : "is");
}

/* JSON has no NaN. */
static void add_number(ag_text *out, const char *key, double value)
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
    add_number(out, "mean", cell->mean.mean);
    add_number(out, "sd", cell->mean.sd);
    add_number(out, "difference", cell->difference.mean);
    add_number(out, "half_width", cell->difference.half);
    add_number(out, "floor", cell->floor);
    ag_text_printf(out, ", \"verdict\": \"%s\"}", ag_verdict_words[cell->verdict]);
}

/* By the words of the results, so that a script has one set of names. */
static void add_run_counts_json(ag_text *out, const ag_summary *s)
{
    run_counts counts = count_runs(s);
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
    add_number(out, "margin", summary->results->grid.compare.margin);
    add_run_counts_json(out, summary);
    ag_text_add(out, ", \"cells\": [");
    for (size_t i = 0; i < summary->n_cells; i++) {
        ag_text_add(out, i > 0 ? ",\n  " : "\n  ");
        add_cell_json(out, summary, &summary->cells[i]);
    }
    ag_text_add(out, "]}\n");
}
