/* A summary as it was asked for, from the file to standard output. */
#include <stdlib.h>
#include <string.h>

#include "base/printable.h"
#include "config/select.h"
#include "run/grid.h"
#include "summary.h"

/* An axis that has a column already, or over which a cell is the mean, cannot be meant. */
static ag_status find_axis(size_t *axis, const ag_summary *s, const char *option, const char *name)
{
    const ag_grid *grid = &s->results->grid;
    *axis = grid->n_axes;
    if (name == NULL)
        return AG_OK;
    *axis = ag_summary_axis(grid, name);
    if (*axis < grid->n_axes && *axis != s->format_axis && *axis != s->seed_axis)
        return AG_OK;
    ag_text known;
    ag_text_init(&known);
    for (size_t i = 0; i < grid->n_axes; i++) {
        if (i != s->format_axis && i != s->seed_axis)
            ag_text_printf(&known, "%s%s", known.length > 0 ? ", " : "", grid->axes[i].name);
    }
    ag_status status = ag_fail(
        AG_ERR_INPUT,
        "%s takes an axis of this grid other than format and "
        "seed, not '%.60s'; there %s %s",
        option, name, strchr(known.data != NULL ? known.data : "", ',') != NULL ? "are" : "is",
        known.length > 0 ? known.data : "none");
    ag_text_deinit(&known);
    return status;
}

/* A cell is the mean over its seeds, so one of them cannot be looked at. */
static ag_status restrict_to(ag_summary *s, const ag_texts *only)
{
    if (only->count == 0)
        return AG_OK;
    for (size_t i = 0; i < only->count; i++) {
        if (strncmp(only->items[i], "seed=", 5) == 0)
            return ag_fail(AG_ERR_INPUT,
                           "--only %.60s: the summary is of all seeds; it takes other "
                           "axes, such as format=E4M3",
                           only->items[i]);
    }
    bool *labels = malloc(s->results->grid.n_labels + 1);
    if (labels == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory for the summary");
    ag_status status = ag_select_labels(labels, &s->results->grid, only->items, only->count);
    if (status == AG_OK)
        ag_summary_restrict(s, labels);
    free(labels);
    if (status == AG_OK && s->n_cells == 0)
        return ag_fail(AG_ERR_INPUT, "--only: no row of the summary is left");
    return status;
}

static ag_status arrange(ag_summary *s, const ag_summary_view *view)
{
    size_t best;
    AG_TRY(find_axis(&s->across_axis, s, "--across", view->across));
    if (s->across_axis == s->layers_axis) /* has a column already */
        s->across_axis = s->results->grid.n_axes;
    AG_TRY(find_axis(&best, s, "--best", view->best));
    if (view->best != NULL)
        AG_TRY(ag_summary_take_best(s, best));
    return restrict_to(s, &view->only);
}

/* Printed when all of it is made. */
ag_status ag_summary_show(const char *path, const ag_summary_view *view)
{
    ag_results results;
    ag_summary summary;
    ag_text text;
    AG_TRY(ag_results_open(&results, path));
    ag_text_init(&text);
    ag_status status = ag_summary_make(&summary, &results, view->metric);
    if (status == AG_OK) {
        status = arrange(&summary, view);
        if (status == AG_OK && view->spike_window > 0)
            status = ag_summary_count_spikes(&summary, path, (size_t)view->spike_window);
        if (status == AG_OK)
            (view->form != NULL ? view->form : ag_summary_table)(&text, &summary);
        ag_summary_deinit(&summary);
    }
    if (status == AG_OK && !ag_text_print(&text))
        status = ag_fail(AG_ERR_SYSTEM, "cannot write the summary to standard output");
    ag_text_deinit(&text);
    ag_results_close(&results);
    return status;
}
