/* The summary as a table for people: one line per format under each layer config, one
 * table for each point of the other axes. What a reader must know to judge a number stands beside
 * it: how many seeds it is of, how many pairs the difference rests on, which runs are missing and
 * why. */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/printable.h"
#include "format_facts.h"
#include "summary_forms.h"

enum { NAME_COLUMNS = 48 };

/* Cells are padded before it is known which of them is the last. */
static void trim(ag_text *out)
{
    while (out->length > 0 && out->data[out->length - 1] == ' ')
        out->data[--out->length] = '\0';
}

/* In columns of a terminal, not bytes: names may be in any script. */
static size_t widest(const ag_summary *s, size_t axis, const char *title)
{
    size_t width = ag_text_width(title);
    for (size_t i = 0; i < s->n_cells; i++) {
        size_t used = ag_text_width(ag_summary_axis_text(s, s->cells[i].label, axis));
        width = used > width ? used : width;
    }
    return width < NAME_COLUMNS ? width : NAME_COLUMNS;
}

/* All but those that a table shows make a table of their own for each point. */
static bool is_group_axis(const ag_summary *s, size_t axis)
{
    return axis != s->format_axis && axis != s->layers_axis && axis != s->seed_axis &&
           axis != s->across_axis && axis != s->best_axis;
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

/* Remarks stand in one line, with commas between them. */
static void add_remark(ag_text *out, size_t start, const char *format, ...)
{
    char text[AG_SUMMARY_FIELD];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    ag_text_add(out, out->length > start ? ", " : "");
    ag_text_add_printable(out, text);
}

/* "1 of 3 diverged, 1 failed": with the seeds that have a value, all of the cell. */
static void add_remarks(ag_text *out, const ag_summary *s, const ag_summary_cell *cell)
{
    size_t start = out->length;
    if (cell->diverged > 0)
        add_remark(out, start, "%zu of %zu diverged", cell->diverged, cell->n_runs);
    if (cell->partner_diverged > 0)
        add_remark(out, start, "baseline diverged in %zu of %zu", cell->partner_diverged,
                   cell->n_compared);
    if (cell->n_values < cell->done)
        add_remark(out, start, "%zu done without %s", cell->done - cell->n_values, s->metric);
    if (cell->failed > 0)
        add_remark(out, start, "%zu failed", cell->failed);
    if (cell->pending > 0)
        add_remark(out, start, "%zu pending", cell->pending);
    if (cell->pairs_needed > 0)
        add_remark(out, start, "%zu pairs might tell", cell->pairs_needed);
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

/* The axes that were asked to be columns. */
static void add_axis_columns(ag_text *out, const ag_summary *s, const ag_label *label)
{
    const size_t axes[] = {s->across_axis, s->best_axis};
    for (size_t i = 0; i < sizeof axes / sizeof axes[0]; i++) {
        if (axes[i] >= s->results->grid.n_axes)
            continue;
        const char *name = s->results->grid.axes[axes[i]].name;
        ag_text_add_cell(out, label != NULL ? ag_summary_axis_text(s, label, axes[i]) : name,
                         widest(s, axes[i], name));
        ag_text_add(out, "  ");
    }
}

/* In the order in which a reader asks: what is it, how many, how good, how much worse, is that
 * certain, what is missing. */
static void add_cell(ag_text *out, const ag_summary *s, const ag_summary_cell *cell,
                     const char *layers)
{
    char field[AG_SUMMARY_FIELD];
    ag_text_add_cell(out, layers, widest(s, s->layers_axis, "layers"));
    ag_text_add(out, "  ");
    ag_text_add_cell(out, ag_summary_axis_text(s, cell->label, s->format_axis),
                     widest(s, s->format_axis, "format"));
    ag_text_add(out, "  ");
    add_axis_columns(out, s, cell->label);
    ag_text_printf(out, "%5zu  ", cell->n_values);
    ag_summary_format_mean(field, &cell->mean, "±");
    ag_text_add_padded(out, field, MEAN_WIDTH);
    ag_summary_format_difference(field, cell, "±");
    ag_text_add_padded(out, field, DIFFERENCE_WIDTH);
    add_pairs(out, s, cell);
    ag_text_add_padded(out,
                       cell->verdict == AG_VERDICT_BASELINE ? "" : ag_verdict_words[cell->verdict],
                       VERDICT_WIDTH);
    add_remarks(out, s, cell);
    trim(out);
    ag_text_add(out, "\n");
}

/* Without titles for verdict and remarks, which speak for themselves. */
static void add_heading(ag_text *out, const ag_summary *s)
{
    ag_text_add_padded(out, "layers", widest(s, s->layers_axis, "layers") + 2);
    ag_text_add_padded(out, "format", widest(s, s->format_axis, "format") + 2);
    add_axis_columns(out, s, NULL);
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
        ag_summary_add_point(out, separator, grid->axes[i].name, cell->label->values[i].text);
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
    const char *layers = ag_summary_axis_text(s, label, s->layers_axis);
    const char *shown = layers;
    for (size_t i = first; i < s->n_cells; i++) {
        const ag_label *other = s->cells[i].label;
        if (!same_group(s, other, label) ||
            strcmp(ag_summary_axis_text(s, other, s->layers_axis), layers) != 0)
            continue;
        add_cell(out, s, &s->cells[i], shown);
        shown = "";
    }
}

/* Among the cells of this group. */
static bool is_first_of_layers(const ag_summary *s, size_t group, size_t cell)
{
    const char *layers = ag_summary_axis_text(s, s->cells[cell].label, s->layers_axis);
    for (size_t i = group; i < cell; i++) {
        if (same_group(s, s->cells[i].label, s->cells[group].label) &&
            strcmp(ag_summary_axis_text(s, s->cells[i].label, s->layers_axis), layers) == 0)
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

/* "9 runs: 7 done, 1 diverged, 1 failed"; nothing where all are done. */
static void add_run_counts(ag_text *out, const ag_summary *s)
{
    ag_summary_runs counts = ag_summary_count_runs(s);
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
    ag_summary_add_notes(out, summary);
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
