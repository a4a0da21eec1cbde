/* How often training jumps: the spike score of each cell, from the curves of its runs. They are
 * read when they are asked for, as they are most of a results file. */
#include <math.h>

#include "base/printable.h"
#include "summary_forms.h"

typedef struct counting {
    ag_summary_spikes *of; /* [n_runs] */
    size_t window;
} counting;

static void count(void *context, size_t run, const ag_step_curves *curves)
{
    counting *c = context;
    c->of[run].loss = ag_count_spikes(curves->loss, curves->steps, c->window);
    c->of[run].grad_norm = ag_count_spikes(curves->grad_norm, curves->steps, c->window);
}

ag_status ag_summary_count_spikes(ag_summary *summary, const char *path, size_t window)
{
    size_t size = summary->results->grid.n_runs * sizeof *summary->spikes;
    counting c = {ag_arena_alloc(&summary->arena, size + 1), window};
    if (c.of == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory for the spikes of the summary");
    AG_TRY(ag_results_curves(summary->results, path, count, &c));
    summary->spikes = c.of;
    summary->spike_window = window;
    return AG_OK;
}

static void add(ag_spikes *sum, ag_spikes more)
{
    sum->steps += more.steps;
    sum->spikes += more.spikes;
}

/* Several labels may stand for one run, which counts once. */
static bool is_new(const ag_summary_cell *cell, size_t i)
{
    for (size_t j = 0; j < i; j++) {
        if (cell->labels[j]->run == cell->labels[i]->run)
            return false;
    }
    return true;
}

/* Over all steps of all its runs, those that diverged included: most of their spikes are there. */
static ag_summary_spikes sum_of(const ag_summary *s, const ag_summary_cell *cell)
{
    ag_summary_spikes sum = {
        {0, 0},
        {0, 0}
    };
    for (size_t i = 0; i < cell->n_labels; i++) {
        if (!is_new(cell, i))
            continue;
        add(&sum.loss, s->spikes[cell->labels[i]->run].loss);
        add(&sum.grad_norm, s->spikes[cell->labels[i]->run].grad_norm);
    }
    return sum;
}

static double share(ag_spikes spikes)
{
    return spikes.steps > 0 ? (double)spikes.spikes / (double)spikes.steps : NAN;
}

ag_summary_spike_scores ag_summary_spike_scores_of(const ag_summary *s, const ag_summary_cell *cell)
{
    ag_summary_spikes sum = sum_of(s, cell);
    return (ag_summary_spike_scores){share(sum.loss), share(sum.grad_norm)};
}

static void add_cell(ag_text *out, const ag_summary *s, const ag_summary_cell *cell,
                     const ag_summary_spikes *sum)
{
    const char *separator = "";
    for (size_t axis = 0; axis < s->results->grid.n_axes; axis++) {
        if (!ag_summary_is_told(s, axis))
            continue;
        ag_text_add(out, separator);
        ag_text_add_printable(out, ag_summary_axis_text(s, cell->label, axis));
        separator = ", ";
    }
    ag_text_printf(out, ": %.3f%% and %.3f%%", 100 * share(sum->loss), 100 * share(sum->grad_norm));
}

/* Rows without a spike are most, and are counted alone. */
void ag_summary_spike_words(ag_text *out, const ag_summary *s)
{
    size_t listed = 0;
    size_t steps = 0;
    if (s->spikes == NULL)
        return;
    ag_text_printf(out,
                   "Spikes: steps whose loss, and whose grad_norm, is %d standard deviations or "
                   "more off the mean of the %zu before. ",
                   AG_SPIKE_DEVIATIONS, s->spike_window);
    for (size_t i = 0; i < s->n_cells; i++) {
        ag_summary_spikes sum = sum_of(s, &s->cells[i]);
        steps += sum.loss.steps;
        if (sum.loss.spikes + sum.grad_norm.spikes == 0)
            continue;
        ag_text_add(out, listed++ > 0 ? "; " : "");
        add_cell(out, s, &s->cells[i], &sum);
    }
    if (steps == 0)
        ag_text_add(out, "No run here has so many.");
    else if (listed == 0)
        ag_text_add(out, "There are none.");
    else
        ag_text_add(out, listed < s->n_cells ? "; none in the other rows." : ".");
}
