/* The curves of runs that are being trained, for those who watch: rank 0 appends to a small file
 * for each run what the ranks tell of it. A curve is whole only in the run's own file. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "run_curves.h"

/* A plot is not wider. The file of a long run stays small enough to be read again and again while
 * it grows. */
enum { MOST_POINTS = 1000 }; /* of each kind, for one attempt at a run */

static const double s_every_s = 1.0;
static const double s_share = 0.01; /* of the time, at most, is spent on it */

/* A trainer's run, and what of its curve is not written yet. Lines are gathered in memory and
 * written when due: an open, write and close per step of each rank would be felt on a network file
 * system. */
typedef struct pen {
    const ag_task *task; /* NULL: none */
    int64_t next_step;   /* the first that is far enough from the last that was taken */
    int64_t next_eval;
    ag_text lines;
} pen;

struct ag_run_curves {
    pen *pens; /* [ranks] */
    int ranks;
    double due_s;
};

/* A pen per rank: a rank has one run at a time. */
ag_status ag_run_curves_create(ag_run_curves **out, int ranks)
{
    ag_run_curves *curves = calloc(1, sizeof *curves);
    pen *pens = calloc((size_t)ranks, sizeof *pens);
    if (curves == NULL || pens == NULL) {
        free(curves);
        free(pens);
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    }
    for (int rank = 0; rank < ranks; rank++)
        ag_text_init(&pens[rank].lines);
    *curves = (ag_run_curves){.pens = pens, .ranks = ranks};
    *out = curves;
    return AG_OK;
}

void ag_run_curves_destroy(ag_run_curves *curves)
{
    if (curves == NULL)
        return;
    for (int rank = 0; rank < curves->ranks; rank++)
        ag_text_deinit(&curves->pens[rank].lines);
    free(curves->pens);
    free(curves);
}

/* JSON has no word for what is not finite. */
static void add_number(ag_text *text, const char *key, double value)
{
    if (isfinite(value))
        ag_text_printf(text, ", \"%s\": %.10g", key, value);
    else
        ag_text_printf(text, ", \"%s\": null", key);
}

/* Points of an attempt that failed and were not written are worth nothing to the next. */
static void begin(pen *curve, const ag_task *task)
{
    ag_text_deinit(&curve->lines);
    ag_text_init(&curve->lines);
    curve->task = task;
    curve->next_step = 1;
    curve->next_eval = 0;
}

/* A step is known by how many came before it, as in the results. */
void ag_run_curves_progress(ag_run_curves *curves, const ag_job_progress *progress,
                            const ag_task *task)
{
    pen *curve = &curves->pens[progress->rank];
    int64_t stride = progress->steps / MOST_POINTS + 1;
    if (curve->task != task)
        begin(curve, task);
    if (progress->step >= curve->next_step) {
        ag_text_printf(&curve->lines, "{\"step\": %" PRId64, progress->step - 1);
        add_number(&curve->lines, "loss", progress->value);
        ag_text_add(&curve->lines, "}\n");
        curve->next_step = progress->step + stride;
    }
    if (progress->mark >= curve->next_eval) {
        ag_text_printf(&curve->lines, "{\"eval_step\": %" PRId64, progress->mark);
        add_number(&curve->lines, "val_loss", progress->marked[0]);
        add_number(&curve->lines, "val_loss_hp", progress->marked[1]);
        ag_text_add(&curve->lines, "}\n");
        curve->next_eval = progress->mark + stride;
    }
}

/* A disk that refuses this will be told by those that matter. */
static void write_out(pen *curve, ag_store *store)
{
    if (curve->task == NULL || curve->lines.length == 0)
        return;
    if (ag_store_curve(store, curve->task->run->id, curve->lines.data) != AG_OK)
        ag_error_clear();
    ag_text_deinit(&curve->lines);
    ag_text_init(&curve->lines);
}

/* What a slow disk takes is made up for by waiting longer. */
void ag_run_curves_tick(ag_run_curves *curves, ag_store *store)
{
    double now = ag_clock_s();
    if (now < curves->due_s)
        return;
    for (int rank = 0; rank < curves->ranks; rank++)
        write_out(&curves->pens[rank], store);
    double after = ag_clock_s();
    curves->due_s = after + fmax(s_every_s, (after - now) / s_share);
}

/* The curve of a complete run is in its run file, and its live file goes. */
void ag_run_curves_ended(ag_run_curves *curves, ag_store *store, int rank, bool complete)
{
    if (!complete)
        write_out(&curves->pens[rank], store);
    curves->pens[rank].task = NULL;
}
