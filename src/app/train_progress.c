/* What a run tells while it trains: numbers on a page of memory for the supervisor, which looks
 * when it likes and costs the training nothing; a line now and then for people. */
#include "train_progress.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

/* A line of a terminal of 80 columns, which is drawn over. */
enum { LINE_WIDTH = 78 };
static const double s_redraw_s = 0.1; /* on a terminal */
static const double s_line_s = 10.0;  /* in a log */

/* The number of steps is told at once: until then the display says "starting". */
ag_status ag_train_view_open(ag_train_view *view, const ag_run *run, int fd, bool quiet)
{
    double now_s = ag_clock_s();
    *view = (ag_train_view){
        .run = run,
        .quiet = quiet,
        .terminal = isatty(STDERR_FILENO) == 1,
        .called_s = now_s,
        .drawn_s = now_s,
    };
    if (fd < 0)
        return AG_OK;
    AG_TRY(ag_progress_map(&view->page, fd));
    atomic_store(&view->page->steps, run->train.steps);
    return AG_OK;
}

/* The page holds words that are atomic on every machine. */
static uint64_t bits_of(double value)
{
    uint64_t bits = 0;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* An odd edition says that the page is being written: who reads one, or two different ones, reads
 * again (run_trainer.c). The beat comes last, as a sign of life of a whole page. */
static void store_page(ag_progress_page *page, const ag_train_progress *now)
{
    atomic_fetch_add(&page->edition, 1);
    atomic_store(&page->step, now->step);
    atomic_store(&page->loss_bits, bits_of(now->loss));
    atomic_store(&page->evaluating, now->activity == AG_ACTIVITY_EVALUATING);
    atomic_store(&page->eval_step, now->eval_step);
    atomic_store(&page->eval_bits[0], bits_of(now->val_loss));
    atomic_store(&page->eval_bits[1], bits_of(now->val_loss_hp));
    atomic_fetch_add(&page->edition, 1);
    atomic_fetch_add(&page->beats, 1);
}

/* What the supervisor tells of the run, which cannot read its run file. Rank 0 shows it in the
 * moment in which the run ends. */
static void store_end(ag_progress_page *page, const ag_record *record)
{
    atomic_store(&page->val_loss_bits, bits_of(record->final_val_loss));
    atomic_store(&page->spent_bits, bits_of(record->timing.total_s));
    atomic_store(&page->diverged, record->outcome == AG_OUTCOME_DIVERGED);
}

/* The rate is of the training alone: evaluation has another speed, and would make it jump. */
static void print_line(const ag_train_view *view, const ag_train_progress *now)
{
    const ag_run *run = view->run;
    int64_t steps = now->step - now->first_step;
    double tokens = (double)(steps * run->train.batch_size * run->train.grad_accum) *
                    (double)run->model.block_size;
    char line[160];
    int length = snprintf(line, sizeof line, "%s step %lld/%lld", run->id, (long long)now->step,
                          (long long)run->train.steps);
    if (steps > 0)
        length += snprintf(line + length, sizeof line - (size_t)length,
                           "  loss %.4f  %.0f tokens/s", now->loss, tokens / view->train_s);
    if (!isnan(now->val_loss))
        length +=
            snprintf(line + length, sizeof line - (size_t)length, "  val %.4f", now->val_loss);
    if (now->activity == AG_ACTIVITY_EVALUATING)
        snprintf(line + length, sizeof line - (size_t)length, "  evaluating");
    if (view->terminal)
        fprintf(stderr, "\r%-*.*s", LINE_WIDTH, LINE_WIDTH, line);
    else
        ag_log(AG_LOG_INFO, "%s", line);
}

/* Called between steps. The clock is asked each time, a line is written seldom. */
void ag_train_view_progress(void *context, const ag_train_progress *now)
{
    ag_train_view *view = context;
    if (view->page != NULL)
        store_page(view->page, now);
    double now_s = ag_clock_s();
    if (now->activity == AG_ACTIVITY_TRAINING)
        view->train_s += now_s - view->called_s;
    view->called_s = now_s;
    if (view->quiet || now_s - view->drawn_s < (view->terminal ? s_redraw_s : s_line_s))
        return;
    view->drawn_s = now_s;
    print_line(view, now);
}

/* Only where something may have been drawn. */
static void clear_line(void)
{
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r%-*s\r", LINE_WIDTH, "");
}

void ag_train_view_say(void *context, ag_log_level level, const char *line)
{
    const ag_train_view *view = context;
    if (!view->quiet)
        clear_line();
    ag_log(level, "%s %s", view->run->id, line);
}

void ag_train_view_close(ag_train_view *view, const ag_record *record)
{
    if (view->page != NULL && record != NULL)
        store_end(view->page, record);
    ag_progress_close(view->page);
}

/* The last line of a log: everything about the run that is compared by eye. */
void ag_train_print_end(const ag_run *run, const ag_record *record, const char *where)
{
    clear_line();
    if (record->outcome == AG_OUTCOME_DIVERGED)
        ag_log(AG_LOG_INFO, "%s diverged: %s", run->id, record->reason);
    ag_log(AG_LOG_INFO, "%s %lld steps, final_val_loss %.4f (hp %.4f), %.0f tokens/s, %.1f s%s%s",
           run->id, (long long)record->steps, record->final_val_loss, record->final_val_loss_hp,
           record->timing.tokens_per_s, record->timing.total_s, where != NULL ? ": " : "",
           where != NULL ? where : "");
}
