/* What the forms of a summary have in common: numbers as people read them, and what stands below
 * the tables, that is which pairs are missing and how the numbers are to be understood. */
#include <math.h>
#include <stdio.h>

#include "base/printable.h"
#include "claims.h"
#include "rounds.h"
#include "summary_forms.h"

enum { TEXT_COLUMNS = 80, MOST_LISTED = 8 };

/* Names and values are the user's: control characters in them must not reach a terminal. */
void ag_summary_add_point(ag_text *out, const char *separator, const char *axis, const char *value)
{
    ag_text_add(out, separator);
    ag_text_add_printable(out, axis);
    ag_text_add(out, " = ");
    ag_text_add_printable(out, value);
}

void ag_summary_add_points(ag_text *out, const ag_grid *grid, const ag_axis_value *point)
{
    const char *separator = "";
    for (size_t i = 0; i < grid->n_axes; i++) {
        if (point[i].text == NULL)
            continue;
        ag_summary_add_point(out, separator, grid->axes[i].name, point[i].text);
        separator = ", ";
    }
}

/* What would be printed as -0.0000 is 0. */
static double without_sign(double value)
{
    return fabs(value) < 0.00005 ? 0.0 : value;
}

/* One value has no spread, and none has no mean. */
void ag_summary_format_mean(char text[AG_SUMMARY_FIELD], const ag_estimate *mean, const char *sign)
{
    if (mean->n == 0)
        snprintf(text, AG_SUMMARY_FIELD, "-");
    else if (mean->n == 1)
        snprintf(text, AG_SUMMARY_FIELD, "%.4f", mean->mean);
    else
        snprintf(text, AG_SUMMARY_FIELD, "%.4f %s %.4f", mean->mean, sign, mean->sd);
}

/* With a sign: what it is about is whether it is above or below. */
void ag_summary_format_difference(char text[AG_SUMMARY_FIELD], const ag_summary_cell *cell,
                                  const char *sign)
{
    const ag_estimate *difference = &cell->difference;
    if (cell->verdict == AG_VERDICT_BASELINE)
        snprintf(text, AG_SUMMARY_FIELD, "baseline");
    else if (difference->n == 0)
        snprintf(text, AG_SUMMARY_FIELD, "-");
    else if (difference->n == 1)
        snprintf(text, AG_SUMMARY_FIELD, "%+.4f", without_sign(difference->mean));
    else
        snprintf(text, AG_SUMMARY_FIELD, "%+.4f %s %.4f", without_sign(difference->mean), sign,
                 difference->half);
}

ag_summary_runs ag_summary_count_runs(const ag_summary *s)
{
    ag_summary_runs counts = {.total = s->results->grid.n_runs};
    for (size_t i = 0; i < counts.total; i++)
        counts.of[s->results->rows[i].status]++;
    return counts;
}

/* An axis of one point says nothing in a column of its own. */
bool ag_summary_is_told(const ag_summary *s, size_t axis)
{
    if (axis == s->seed_axis)
        return false;
    for (size_t i = 1; i < s->n_cells; i++) {
        if (!ag_label_value_is(&s->cells[i].label->values[axis], &s->cells[0].label->values[axis]))
            return true;
    }
    return axis == s->format_axis;
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

/* One sentence on what the verdicts are worth together. */
static void add_family_words(ag_text *out, const ag_summary *s)
{
    if (s->n_comparisons < 2)
        return;
    if (s->results->grid.compare.family == AG_FAMILY_ALL)
        ag_text_printf(
            out,
            "Verdicts hold for %zu comparisons together (Holm): the chance that any is false "
            "is at most 5 %%, so an interval beyond the margin may still be open. ",
            s->n_comparisons);
    else
        ag_text_printf(out,
                       "Each of %zu verdicts stands for itself (compare.family: none): the chance "
                       "of a false one is at most 5 %% for each. ",
                       s->n_comparisons);
}

static void add_best_words(ag_text *out, const ag_summary *s)
{
    if (s->best_axis >= s->results->grid.n_axes)
        return;
    ag_text_add(out, "Each format at its best ");
    ag_text_add_printable(out, s->results->grid.axes[s->best_axis].name);
    ag_text_add(out, s->optimistic
                         ? ", chosen on the very seeds that are shown, which is optimistic: with 3 "
                           "seeds or more a third would choose. "
                         : ", chosen on the first third of the seeds and judged on the others. ");
}

/* One paragraph. */
static void add_legend_words(ag_text *out, const ag_summary *s)
{
    const ag_grid *grid = &s->results->grid;
    if (!s->has_baseline) {
        ag_text_printf(out,
                       "no differences: no format leaves everything in BF16, and compare.baseline "
                       "names none to compare with, such as {format: %s}. ",
                       ag_summary_axis_text(s, s->cells[0].label, s->format_axis));
    } else {
        ag_text_add(out, "difference: to ");
        ag_summary_add_points(out, grid, grid->compare.baseline);
        ag_text_printf(out,
                       " at the same other axes, mean of pairs ± 95 %% interval (Student's t). "
                       "worse, better: the interval lies beyond the margin of %g; same: within "
                       "it; open: more seeds would tell. ",
                       grid->compare.margin);
        add_family_words(out, s);
    }
    ag_rounds_words(out, s);
    add_best_words(out, s);
    ag_text_printf(out, "%s: mean ± sd over seeds, nats per token.", s->metric);
    if (s->has_baseline && has_diverged(s))
        ag_text_add(out, " diverged: a seed did, and mean and difference are of the others alone.");
}

/* "E4M3, uniform: seed 2 diverged, seed 3 baseline pending" */
static bool add_missing_of(ag_text *out, const ag_summary *s, const ag_summary_cell *cell)
{
    size_t found = 0;
    for (size_t i = 0; i < cell->n_labels; i++) {
        const char *side;
        const char *why = ag_summary_missing(&side, s, cell, i);
        if (why == NULL)
            continue;
        if (found++ == 0) {
            ag_text_add_printable(out, ag_summary_axis_text(s, cell->label, s->format_axis));
            ag_text_add(out, ", ");
            ag_text_add_printable(out, ag_summary_axis_text(s, cell->label, s->layers_axis));
        }
        if (found > MOST_LISTED)
            continue;
        ag_text_add(out, found == 1 ? ": seed " : ", seed ");
        ag_text_add_printable(out, ag_summary_axis_text(s, cell->labels[i], s->seed_axis));
        ag_text_printf(out, " %s%s", side, why);
    }
    if (found > MOST_LISTED)
        ag_text_printf(out, ", %zu more", found - MOST_LISTED);
    return found > 0;
}

/* Which seeds have no difference: how many failed or are pending does not tell that. */
static void add_missing_words(ag_text *out, const ag_summary *s)
{
    size_t cells = 0;
    for (size_t i = 0; i < s->n_cells; i++) {
        size_t before = out->length;
        ag_text_add(out, cells == 0 ? "Missing pairs: " : "; ");
        bool is_missing = add_missing_of(out, s, &s->cells[i]);
        cells += is_missing;
        if (out->length > before && (!is_missing || cells > MOST_LISTED))
            out->data[out->length = before] = '\0';
    }
    if (cells > MOST_LISTED)
        ag_text_printf(out, "; and in %zu more rows (summary --json lists all)",
                       cells - MOST_LISTED);
    ag_text_add(out, cells > 0 ? "." : "");
}

/* Wrapped, since paragraphs stand below a table that fits 80 columns where names allow. */
static void add_paragraph(ag_text *out, const ag_summary *s,
                          void (*add_words)(ag_text *out, const ag_summary *s))
{
    ag_text words;
    ag_text_init(&words);
    add_words(&words, s);
    if (words.length > 0) {
        ag_text_add(out, "\n");
        ag_text_add_wrapped(out, words.data, TEXT_COLUMNS, 0);
        ag_text_add(out, "\n");
    }
    out->failed |= words.failed;
    ag_text_deinit(&words);
}

void ag_summary_add_notes(ag_text *out, const ag_summary *summary)
{
    add_paragraph(out, summary, add_missing_words);
    add_paragraph(out, summary, ag_summary_spike_words);
    ag_claims_text(out, summary);
    add_paragraph(out, summary, add_legend_words);
}
