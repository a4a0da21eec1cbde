/* What rank 0 learns of every rank before the queue opens. */
#ifndef AG_APP_RUN_PREFLIGHT_H
#define AG_APP_RUN_PREFLIGHT_H

#include <stdbool.h>

#include "base/text.h"
#include "farm/job.h"
#include "proc/memory.h"
#include "run/run.h"

typedef struct ag_run_session ag_run_session;

/* What a rank says of itself: the first four with its greeting, the rest by its trainer. */
typedef struct ag_rank_report {
    const char *host;
    const char *build;
    int bound;           /* cores of its own, as ag_cores_bound counts them */
    int allowed;         /* cores that it may use, perhaps with other ranks */
    const char *failure; /* why its trainer cannot work; NULL: it can */
    int code; /* of that trainer: exit code, or 128 and the signal; 0: none was started */
    char trainer_build[64];
    char hdf5[32];
    ag_memory_limit memory;
} ag_rank_report;

typedef struct ag_preflight {
    ag_rank_report *reports; /* [ranks] */
    int ranks;
    bool *pending; /* [n_runs]: it will be trained now */
    size_t n_pending;
    const ag_run *asked;   /* the run that the ranks are asked about */
    const char *libraries; /* for the results; NULL: nothing is to be trained */
} ag_preflight;

/* A supervisor's greeting; `bound` is what ag_cores_bound says. */
void ag_preflight_greet(char *text, size_t size, int bound);
ag_status ag_preflight_greeted(ag_run_session *session, int rank, const char *greeting);

/* The job AG_JOB_SURVEY: its assignment and its result. */
void ag_preflight_ask(ag_text *bytes, const ag_run_session *session);
ag_status ag_preflight_answer(ag_run_session *session, const ag_job_result *result);

/* Has every rank show that it can train what is missing. The one error names rank and host, what
 * was seen, what was expected, and what to do. */
ag_status ag_preflight_run(ag_run_session *session);

/* Whether the trainers of each host have room beside each other. */
ag_status ag_run_check_memory(ag_run_session *session);

/* Warns of each host whose ranks ask for more threads than they have cores. */
void ag_run_check_cores(const ag_run_session *session);

/* The most threads that a run to be trained has on that rank. */
int64_t ag_run_threads(const ag_run_session *session, int rank);

/* "rank 3 on n2" */
const char *ag_preflight_rank(const ag_run_session *session, int rank);

#endif
