/* Rank 0: hands out jobs, the longest first, and takes in their results. */
#ifndef AG_FARM_COORDINATOR_H
#define AG_FARM_COORDINATOR_H

#include <stdbool.h>

#include "base/status.h"
#include "base/text.h"
#include "farm/job.h"
#include "farm/supervisor.h"

/* Whom the coordinator works for. A failure of any of these ends ag_coordinator_run with it. */
typedef struct ag_client {
    void *context;
    /* A supervisor reports, with its greeting. */
    ag_status (*joined)(void *context, int rank, const char *greeting);
    /* Appends the bytes of an assignment that is about to be sent. */
    ag_status (*assign)(void *context, ag_text *bytes, int64_t job, int32_t attempt);
    /* First when a job begins. */
    void (*progress)(void *context, const ag_job_progress *progress);
    /* An attempt ended; bytes and reason are borrowed for the call. */
    ag_status (*done)(void *context, const ag_job_result *result);
    /* A rank was silent for too long (ag_coordinator_expect). What it had is then `done`, as
     * cancelled; it gets nothing more, and nothing that it says counts. */
    ag_status (*lost)(void *context, int rank, double silent_s);
    /* Called all the time, a few hundred times a second when nothing happens. */
    ag_status (*tick)(void *context);
} ag_client;

typedef struct ag_coordinator ag_coordinator;

/* `local` is rank 0's own supervisor, or NULL; all three are borrowed. */
ag_status ag_coordinator_create(ag_coordinator **out, ag_post *post, const ag_client *client,
                                ag_supervisor *local);
void ag_coordinator_destroy(ag_coordinator *coordinator);

/* Queues an attempt at a job; `cost` is how long it will take, in any unit. Also from within
 * `done`, to try again. */
ag_status ag_coordinator_add(ag_coordinator *coordinator, int64_t job, int32_t attempt,
                             double cost);

/* Ranks of one `host` (any number) break together. Until told otherwise all are of host 0. */
void ag_coordinator_place(ag_coordinator *coordinator, int rank, int host);

/* Queues the attempt after one that failed: for a rank of another host where there is one that is
 * not set aside, however busy; else for another rank; else for the same. */
ag_status ag_coordinator_retry(ag_coordinator *coordinator, const ag_job_result *failed,
                               double cost);

/* Queues the same attempt again after one that was cancelled: at its cost, and still not for whom
 * ag_coordinator_retry kept it from. */
ag_status ag_coordinator_put_back(ag_coordinator *coordinator, const ag_job_result *cancelled);

/* How long a rank may be silent; 0, as at first: for ever. Supervisors show life every second, so
 * that one which does not hangs, or its host does. While draining it is a minute at most. */
void ag_coordinator_expect(ag_coordinator *coordinator, double patience_s);
bool ag_coordinator_has_lost(const ag_coordinator *coordinator, int rank);

/* Hands this rank nothing more and cancels what it holds, unless it is the last that is left: then
 * *done is false and nothing changes. */
ag_status ag_coordinator_set_aside(bool *done, ag_coordinator *coordinator, int rank);

/* Hands out nothing more and cancels what runs: ag_coordinator_run returns when all have ended. */
ag_status ag_coordinator_drain(ag_coordinator *coordinator);

/* Waits until every supervisor has reported. */
ag_status ag_coordinator_gather(ag_coordinator *coordinator);

/* Has every supervisor do job AG_JOB_SURVEY and waits for their results: `assign` and `done` are
 * called once for each. After ag_coordinator_gather, while no job is queued. */
ag_status ag_coordinator_survey(ag_coordinator *coordinator);

/* Works until no job is queued (unless draining) and none is out. */
ag_status ag_coordinator_run(ag_coordinator *coordinator);

/* Sends every supervisor home and waits for the last word of those that are not lost. Jobs still
 * out are lost. Until then supervisors without work sleep. */
ag_status ag_coordinator_stop(ag_coordinator *coordinator);

#endif
