/* The summary as a table for other programs: one row a cell, in the grid's order. CSV has every
 * number in full, under the names of the JSON; Markdown and LaTeX have what the table for people
 * has. */
#include <math.h>
#include <string.h>

#include "base/printable.h"
#include "run/run_json.h"
#include "summary_forms.h"

/* --- CSV (RFC 4180) */

/* Names may hold anything: a quote is doubled, and a line end stands escaped. */
static void add_quoted(ag_text *out, const char *name)
{
    ag_text shown;
    ag_text_init(&shown);
    ag_text_add_printable(&shown, name);
    const char *text = shown.data != NULL ? shown.data : "";
    if (strpbrk(text, ",\"") == NULL) {
        ag_text_add(out, text);
    } else {
        ag_text_add(out, "\"");
        for (const char *c = text; *c != '\0'; c++)
            ag_text_printf(out, *c == '"' ? "\"\"" : "%c", *c);
        ag_text_add(out, "\"");
    }
    out->failed |= shown.failed;
    ag_text_deinit(&shown);
}

/* Empty where there is none. */
static void add_real(ag_text *out, double value)
{
    char text[32] = "";
    if (isfinite(value))
        ag_json_real(text, value);
    ag_text_printf(out, ",%s", text);
}

/* "2 diverged; 3 baseline pending" */
static void add_missing(ag_text *out, const ag_summary *s, const ag_summary_cell *cell)
{
    ag_text list;
    ag_text_init(&list);
    for (size_t i = 0; i < cell->n_labels; i++) {
        const char *side;
        const char *why = ag_summary_missing(&side, s, cell, i);
        if (why != NULL)
            ag_text_printf(&list, "%s%s %s%s", list.length > 0 ? "; " : "",
                           ag_summary_axis_text(s, cell->labels[i], s->seed_axis), side, why);
    }
    ag_text_add(out, ",");
    add_quoted(out, list.length > 0 ? list.data : "");
    out->failed |= list.failed;
    ag_text_deinit(&list);
}

static void add_csv_row(ag_text *out, const ag_summary *s, const ag_summary_cell *cell)
{
    const ag_estimate *d = &cell->difference;
    const double reals[] = {cell->mean.mean, cell->mean.sd,     d->mean,           d->sd,
                            d->half,         d->mean - d->half, d->mean + d->half, cell->bca.low,
                            cell->bca.high,  cell->floor,       cell->p,           cell->adjusted};
    for (size_t axis = 0; axis < s->results->grid.n_axes; axis++) {
        if (axis == s->seed_axis)
            continue;
        add_quoted(out, cell->label->values[axis].text);
        ag_text_add(out, ",");
    }
    ag_text_printf(out, "%zu,%zu,%zu,%zu,%zu,%zu,%zu,%zu", cell->done, cell->diverged, cell->failed,
                   cell->pending, cell->done - cell->n_values, cell->partner_diverged,
                   cell->n_pairs, cell->n_values);
    for (size_t i = 0; i < sizeof reals / sizeof reals[0]; i++)
        add_real(out, reals[i]);
    add_real(out, cell->pairs_needed > 0 ? (double)cell->pairs_needed : NAN);
    ag_text_printf(out, ",%s,%s", ag_verdict_words[cell->alone], ag_verdict_words[cell->verdict]);
    add_missing(out, s, cell);
    if (s->spikes != NULL) {
        ag_summary_spike_scores scores = ag_summary_spike_scores_of(s, cell);
        add_real(out, scores.loss);
        add_real(out, scores.grad_norm);
    }
    ag_text_add(out, "\n");
}

void ag_summary_csv(ag_text *out, const ag_summary *summary)
{
    const ag_grid *grid = &summary->results->grid;
    for (size_t axis = 0; axis < grid->n_axes; axis++) {
        if (axis == summary->seed_axis)
            continue;
        add_quoted(out, grid->axes[axis].name);
        ag_text_add(out, ",");
    }
    ag_text_add(out, "done,diverged,failed,pending,without_value,baseline_diverged,pairs,n,mean,sd,"
                     "difference,difference_sd,half_width,low,high,bca_low,bca_high,floor,p,"
                     "p_adjusted,pairs_needed,verdict_alone,verdict,missing_pairs");
    ag_text_add(out, summary->spikes != NULL ? ",loss_spikes,grad_norm_spikes\n" : "\n");
    for (size_t i = 0; i < summary->n_cells; i++)
        add_csv_row(out, summary, &summary->cells[i]);
}

/* --- Markdown and LaTeX */

typedef struct dialect {
    const char *special; /* characters that a backslash must stand before */
    const char *plus_minus;
    const char *row;     /* begins a row */
    const char *between; /* two columns */
    const char *end;
} dialect;

static const dialect s_markdown = {"\\`*_{}[]<>#|~$", "±", "| ", " | ", " |\n"};
static const dialect s_latex = {"&%$#_{}", "$\\pm$", "", " & ", " \\\\\n"};

/* A backslash before ~, ^ and \ makes an accent of LaTeX; these have words. */
static const char *latex_word(char c)
{
    switch (c) {
    case '\\':
        return "\\textbackslash{}";
    case '~':
        return "\\textasciitilde{}";
    case '^':
        return "\\textasciicircum{}";
    default:
        return NULL;
    }
}

static void add_escaped(ag_text *out, const dialect *d, const char *name)
{
    ag_text shown;
    ag_text_init(&shown);
    ag_text_add_printable(&shown, name);
    for (const char *c = shown.data; c != NULL && *c != '\0'; c++) {
        const char *word = d == &s_latex ? latex_word(*c) : NULL;
        if (word != NULL)
            ag_text_add(out, word);
        else
            ag_text_printf(out, strchr(d->special, *c) != NULL ? "\\%c" : "%c", *c);
    }
    out->failed |= shown.failed;
    ag_text_deinit(&shown);
}

static void add_row(ag_text *out, const ag_summary *s, const ag_summary_cell *cell,
                    const dialect *d)
{
    char mean[AG_SUMMARY_FIELD];
    char difference[AG_SUMMARY_FIELD];
    ag_summary_format_mean(mean, &cell->mean, d->plus_minus);
    ag_summary_format_difference(difference, cell, d->plus_minus);
    ag_text_add(out, d->row);
    for (size_t axis = 0; axis < s->results->grid.n_axes; axis++) {
        if (!ag_summary_is_told(s, axis))
            continue;
        add_escaped(out, d, cell->label->values[axis].text);
        ag_text_add(out, d->between);
    }
    const char *verdict =
        cell->verdict == AG_VERDICT_BASELINE ? "" : ag_verdict_words[cell->verdict];
    ag_text_printf(out, "%zu%s%s%s%s%s%zu%s%s%s", cell->n_values, d->between, mean, d->between,
                   difference, d->between, cell->n_pairs, d->between, verdict, d->end);
}

/* Returns the number of columns. */
static size_t add_titles(ag_text *out, const ag_summary *s, const dialect *d)
{
    static const char *const last[] = {"difference", "pairs", "verdict"};
    size_t count = 2;
    ag_text_add(out, d->row);
    for (size_t axis = 0; axis < s->results->grid.n_axes; axis++) {
        if (!ag_summary_is_told(s, axis))
            continue;
        add_escaped(out, d, s->results->grid.axes[axis].name);
        ag_text_add(out, d->between);
        count++;
    }
    ag_text_printf(out, "seeds%s", d->between);
    add_escaped(out, d, s->metric);
    for (size_t i = 0; i < sizeof last / sizeof last[0]; i++, count++)
        ag_text_printf(out, "%s%s", d->between, last[i]);
    ag_text_add(out, d->end);
    return count;
}

static void add_rows(ag_text *out, const ag_summary *s, const dialect *d)
{
    for (size_t i = 0; i < s->n_cells; i++)
        add_row(out, s, &s->cells[i], d);
}

void ag_summary_markdown(ag_text *out, const ag_summary *summary)
{
    size_t columns = add_titles(out, summary, &s_markdown);
    for (size_t i = 0; i < columns; i++)
        ag_text_add(out, "|---");
    ag_text_add(out, "|\n");
    add_rows(out, summary, &s_markdown);
    ag_summary_add_notes(out, summary);
}

/* As comments, what the table must be read with: it belongs into the caption. */
static void add_comments(ag_text *out, const ag_summary *s)
{
    ag_text notes;
    ag_text_init(&notes);
    ag_summary_add_notes(&notes, s);
    for (const char *line = notes.data; line != NULL && *line != '\0';) {
        size_t length = strcspn(line, "\n");
        if (length > 0)
            ag_text_printf(out, "%% %.*s\n", (int)length, line);
        line += length + (line[length] == '\n');
    }
    out->failed |= notes.failed;
    ag_text_deinit(&notes);
}

void ag_summary_latex(ag_text *out, const ag_summary *summary)
{
    ag_text titles;
    ag_text_init(&titles);
    size_t columns = add_titles(&titles, summary, &s_latex);
    ag_text_add(out, "% needs \\usepackage{booktabs}\n");
    add_comments(out, summary);
    ag_text_add(out, "\\begin{tabular}{");
    for (size_t i = 0; i < columns; i++)
        ag_text_add(out, i + 5 < columns ? "l" : "r");
    ag_text_printf(out, "}\n\\toprule\n%s\\midrule\n", titles.data != NULL ? titles.data : "");
    add_rows(out, summary, &s_latex);
    ag_text_add(out, "\\bottomrule\n\\end{tabular}\n");
    out->failed |= titles.failed;
    ag_text_deinit(&titles);
}
