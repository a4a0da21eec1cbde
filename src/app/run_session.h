/* The session of rank 0, which the parts of `altgrad run` share.
 *
 *   cmd_run.c        command line; what rank 0 does, what the others do
 *   run_open.c       reads the experiment, opens the results, queues what is missing
 *   run_preflight.c  whether every rank can train (run_memory.c, run_cores.c), before any does
 *   run_former.c     whose the results were until now
 *   run_facts.c      the job's facts that the results keep
 *   run_trunks.c     steps that several runs have in common are trained once
 *   run_client.c     what rank 0 does with each thing that the coordinator tells
 *   run_rounds.c     seeds that are added while verdicts are open
 *   run_finish.c     packs or publishes at the end
 *   run_session.c    what all of these need: counting what is done, the heartbeat
 *   run_board.c      who runs what on which rank; read by
 *   run_display.c      progress on a terminal or in a log
 *   run_live.c         what `altgrad status` shows, and the answer to `altgrad stop`
 *   run_curves.c     the curves of runs that are being trained
 *   run_publish.c    when `altgrad pack` is to be run
 *   run_self.c       other commands of altgrad, in child processes
 *   run_trainer.c    what a supervisor does with a job: one altgrad-train
 *
 * run_names.c, run_ranks.c, run_shard.c, run_signals.c and run_time.c each answer one question.
 * Whoever needs the session includes this; nothing that this includes knows the session. */
#ifndef AG_APP_RUN_SESSION_H
#define AG_APP_RUN_SESSION_H

#include "config/experiment.h"
#include "farm/coordinator.h"
#include "run_options.h"
#include "run_publish.h"
#include "run_ranks.h"
#include "spool/notes.h"
#include "spool/store.h"

typedef struct ag_run_live ag_run_live;
typedef struct ag_run_curves ag_run_curves;

typedef struct ag_run_session {
    const ag_run_options *options;
    ag_coordinator *coordinator;
    ag_experiment *experiment;
    const ag_grid *grid;
    const ag_grid *held; /* what the results are told of: the grid, or what rounds ask for */
    bool *asked;         /* [grid->n_labels]; where seeds come in rounds */
    const char *out;
    ag_task *tasks; /* [grid->n_runs] */
    ag_board board;
    ag_store *store; /* NULL while the ranks are still being asked */
    ag_display *display;
    ag_run_live *live;
    ag_run_curves *curves;
    ag_publisher publisher;
    ag_run_counts counts;
    ag_preflight preflight;
    ag_arena arena;
    double beat_s;
    size_t failures_in_a_row;
    bool trunks_moved; /* a run has got further for which others wait */
    bool stopping;     /* drained: nothing more starts */
    bool gave_up;      /* after failures in a row */
    bool interrupted;  /* a second time */
} ag_run_session;

/* Notes that a run has the steps of its checkpoint or trunk behind it; or all of them. */
void ag_run_count_checkpoint(ag_run_session *session, ag_task *task);
void ag_run_count_all(ag_run_session *session, ag_task *task);

/* The heartbeat that is due, and the end where somebody pressed Ctrl-C twice: again and again while
 * the results are ours. */
ag_status ag_run_tend(ag_run_session *session);

#endif
