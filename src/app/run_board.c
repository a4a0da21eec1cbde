/* Who runs what on which rank. There is one board and no other note of it, so that the display,
 * `altgrad status` and the estimate of what is left can never disagree. */
#include "run_board.h"

#include <math.h>
#include <stdlib.h>

/* Shorter, and the rate would jump with every step; longer, and it would hide a machine that slows
 * down. */
static const double s_rate_window_s = 1.0;

ag_status ag_board_init(ag_board *board, int ranks)
{
    *board = (ag_board){.rows = calloc((size_t)ranks, sizeof *board->rows), .ranks = ranks};
    return board->rows != NULL ? AG_OK : ag_fail(AG_ERR_SYSTEM, "out of memory");
}

void ag_board_deinit(ag_board *board)
{
    free(board->rows);
    *board = (ag_board){0};
}

/* As doubles: the product of three parameters may pass 2^63. */
double ag_task_step_tokens(const ag_task *task)
{
    const ag_run *run = task->run;
    return (double)(run->train.batch_size * run->train.grad_accum) * (double)run->model.block_size;
}

/* At once when there is none yet, then each second. A first rate soon, even if rough, is what
 * somebody waits for who has just started. */
static void measure_rate(ag_board_row *row)
{
    const ag_job_progress *now = &row->now;
    double span = now->seconds - row->rate_s;
    if (span < s_rate_window_s && row->tokens_per_s > 0.0)
        return;
    double tokens = (double)(now->step - row->rate_step) * ag_task_step_tokens(row->task);
    row->tokens_per_s = span > 0.0 ? tokens / span : 0.0;
    if (span < s_rate_window_s)
        return;
    row->rate_step = now->step;
    row->rate_s = now->seconds;
}

/* Another task or attempt begins a new row: what the one before had done must not be taken for this
 * one's. */
void ag_board_progress(ag_board *board, const ag_job_progress *progress, const ag_task *task)
{
    ag_board_row *row = &board->rows[progress->rank];
    if (row->task != task || row->now.attempt != progress->attempt)
        *row = (ag_board_row){.task = task, .first = *progress, .rate_s = progress->seconds};
    if (row->first.steps == 0) /* its trainer had not told yet where it begins */
        row->first = *progress;
    row->now = *progress;
    measure_rate(row);
}

void ag_board_ended(ag_board *board, int rank)
{
    board->rows[rank].task = NULL;
}

int ag_board_running(const ag_board *board)
{
    int running = 0;
    for (int rank = 0; rank < board->ranks; rank++)
        running += board->rows[rank].task != NULL;
    return running;
}

/* A run that began at a checkpoint has that part in counts.cost_done already (`counted`); only what
 * it did beyond counts here. */
double ag_board_share(const ag_board *board, const ag_run_counts *counts)
{
    double done = counts->cost_done;
    for (int rank = 0; rank < board->ranks; rank++) {
        const ag_board_row *row = &board->rows[rank];
        if (row->task == NULL || row->now.steps == 0)
            continue;
        double part = (double)row->now.step / (double)row->now.steps;
        done += row->task->cost * fmax(part - row->task->counted, 0.0);
    }
    return counts->cost > 0.0 ? fmin(done / counts->cost, 1.0) : 1.0;
}

double ag_board_share_before(const ag_run_counts *counts)
{
    return counts->cost > 0.0 ? counts->cost_before / counts->cost : 0.0;
}

/* What was lost is to be done again, though it was counted before. */
size_t ag_run_left(const ag_run_counts *counts)
{
    return counts->selected - counts->kept - counts->done - counts->diverged - counts->failed +
           counts->lost;
}
