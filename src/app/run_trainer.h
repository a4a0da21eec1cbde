/* What a supervisor does with a job: one altgrad-train. */
#ifndef AG_APP_RUN_TRAINER_H
#define AG_APP_RUN_TRAINER_H

#include "base/status.h"
#include "base/text.h"
#include "farm/supervisor.h"
#include "run/run.h"

/* ag_job_progress.phase and ag_job_result.phase; value is the training loss, at the end val_loss;
 * mark is the step of the newest evaluation (-1: none yet), marked its val_loss and val_loss_hp */
typedef enum ag_run_trainer_phase {
    AG_RUN_TRAINER_TRAINING,
    AG_RUN_TRAINER_EVALUATING,
    AG_RUN_TRAINER_DIVERGED,
} ag_run_trainer_phase;

typedef struct ag_run_trainer ag_run_trainer;

/* `threads` is what trainers take where run.threads is auto. AG_JOB_SURVEY is altgrad-train
 * --preflight: its result is that report (train_preflight.c), the phase of a failure the trainer's
 * exit code, or 128 and its signal. */
ag_status ag_run_trainer_create(ag_run_trainer **out, int rank, int threads);
void ag_run_trainer_destroy(ag_run_trainer *trainer); /* kills what runs; NULL is fine */
ag_worker ag_run_trainer_worker(ag_run_trainer *trainer);

/* Where a run's files are; "" is no path. */
typedef struct ag_run_paths {
    const char *log;
    const char *checkpoint;
    const char *trunk;       /* a snapshot to begin with */
    const char *const *keep; /* [n_keep]: snapshots to leave */
    size_t n_keep;
} ag_run_paths;

extern const ag_run_paths ag_run_no_paths; /* nothing is kept, or gone on with */

/* Appends an assignment: a head, which a supervisor reads, and on the next line what altgrad-train
 * takes on stdin. The head is {"log": PATH, "checkpoint": PATH, "trunk": PATH, "keep": [PATH, ...],
 * "disk": bytes of the result, "limits": {"time_s", "stall_s", "memory"}}. */
void ag_run_trainer_assignment(ag_text *bytes, const ag_run *run, const ag_run_paths *paths);

#endif
