/* Steps that several runs have in common (run/trunk.h) are trained once: the run with the smallest
 * id leaves its state where the others branch off, and they wait for it. A snapshot that is lost
 * costs its steps and nothing else. */
#ifndef AG_APP_RUN_TRUNKS_H
#define AG_APP_RUN_TRUNKS_H

#include "farm/job.h"
#include "run_session.h"
#include "run_trainer.h"

/* Queues the pending tasks, but for those that wait for another; removes snapshots that no run of
 * the grid needs. */
ag_status ag_run_trunks_queue(ag_run_session *session);

/* Adds what the task begins with and what it is to leave; in the arena. */
ag_status ag_run_trunks_paths(ag_run_paths *paths, const ag_run_session *session,
                              const ag_task *task, ag_arena *arena);

/* Notes how far a task is; the tick that follows queues those that waited for that step. */
void ag_run_trunks_progress(ag_run_session *session, const ag_job_progress *progress);
ag_status ag_run_trunks_tick(ag_run_session *session);

/* A task that is complete, or has failed for good, leaves nothing more. */
ag_status ag_run_trunks_ended(ag_run_session *session, const ag_task *task);

/* Removes snapshots that no run needs which is still to be trained. */
ag_status ag_run_trunks_sweep(const ag_run_session *session);

#endif
