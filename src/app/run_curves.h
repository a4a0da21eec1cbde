/* The curves of runs that are being trained, for those who watch. */
#ifndef AG_APP_RUN_CURVES_H
#define AG_APP_RUN_CURVES_H

#include "farm/job.h"
#include "run_task.h"
#include "spool/store.h"

typedef struct ag_run_curves ag_run_curves;

ag_status ag_run_curves_create(ag_run_curves **out, int ranks);
void ag_run_curves_destroy(ag_run_curves *curves); /* NULL is fine */

void ag_run_curves_progress(ag_run_curves *curves, const ag_job_progress *progress,
                            const ag_task *task);

/* Appends what is new to OUT.h5.d/live/<id>.jsonl, when it is due; the second at once, for the run
 * of a rank that ended: a complete one needs no more points. */
void ag_run_curves_tick(ag_run_curves *curves, ag_store *store);
void ag_run_curves_ended(ag_run_curves *curves, ag_store *store, int rank, bool complete);

#endif
