/* The board of who runs what on which rank: the ranks' progress is pinned to it, and
 * whatever shows progress reads it. */
#ifndef AG_APP_RUN_BOARD_H
#define AG_APP_RUN_BOARD_H

#include "base/status.h"
#include "farm/job.h"
#include "run_task.h"

/* One rank's place. */
typedef struct ag_board_row {
    const ag_task *task;   /* what its trainer works on; NULL: nothing */
    ag_job_progress first; /* of this attempt: it may have begun at a checkpoint */
    ag_job_progress now;
    double tokens_per_s; /* over the last second or so; 0 while not known */
    int64_t rate_step;   /* where that last second began */
    double rate_s;
} ag_board_row;

typedef struct ag_board {
    ag_board_row *rows; /* [ranks] */
    int ranks;
} ag_board;

ag_status ag_board_init(ag_board *board, int ranks);
void ag_board_deinit(ag_board *board);

/* A rank tells how far the trainer of `task` is; the task is borrowed until its end. */
void ag_board_progress(ag_board *board, const ag_job_progress *progress, const ag_task *task);
void ag_board_ended(ag_board *board, int rank);

/* Ranks whose trainers are at work. */
int ag_board_running(const ag_board *board);

/* Of the whole cost, from 0 to 1, what is done: also the steps which running trainers have behind
 * them. */
double ag_board_share(const ag_board *board, const ag_run_counts *counts);

/* Of the whole cost, what stood in checkpoints before this command began. */
double ag_board_share_before(const ag_run_counts *counts);

/* Runs that were selected and have no result and no failure. */
size_t ag_run_left(const ag_run_counts *counts);

/* Tokens of one training step. */
double ag_task_step_tokens(const ag_task *task);

#endif
