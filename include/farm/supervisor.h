/* One per rank: takes assignments, has a worker do them one at a time, hands back results. */
#ifndef AG_FARM_SUPERVISOR_H
#define AG_FARM_SUPERVISOR_H

#include <stdbool.h>

#include "base/status.h"
#include "farm/job.h"
#include "farm/post.h"

/* Does the work of jobs, one at a time. No call may block. */
typedef struct ag_worker {
    void *context;
    /* Begins a job; its failure is the job's, with the recorded message as reason. */
    ag_status (*start)(void *context, const ag_job *job);
    /* Whether the job still runs. Sets phase, step, steps and value. */
    bool (*poll)(void *context, ag_job_progress *progress);
    /* Asks the job to end soon; may be called again and again. */
    void (*cancel)(void *context);
    /* After poll said that it ended: sets end, reason, phase, value, bytes and size, and returns
     * what holds them until release. The next job may start before that. */
    void *(*collect)(void *context, ag_job_result *result);
    void (*release)(void *context, void *held);
} ag_worker;

typedef struct ag_supervisor ag_supervisor;

/* Reports to the coordinator with `greeting`, a text that it passes to its client. `worker` is
 * borrowed. */
ag_status ag_supervisor_create(ag_supervisor **out, ag_post *post, const ag_worker *worker,
                               const char *greeting);

/* Releases a result that was not handed over. NULL is fine. */
void ag_supervisor_destroy(ag_supervisor *supervisor);

/* One look at messages, worker and result. *moved: something happened. */
ag_status ag_supervisor_step(bool *moved, ag_supervisor *supervisor);

/* Works until the coordinator says stop. For ranks other than 0. */
ag_status ag_supervisor_run(ag_supervisor *supervisor);

#endif
