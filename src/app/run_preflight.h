/* Before the queue opens every rank shows that it can train. */
#ifndef AG_APP_RUN_PREFLIGHT_H
#define AG_APP_RUN_PREFLIGHT_H

#include "base/text.h"
#include "farm/job.h"
#include "run_session.h"

/* A supervisor's greeting; `bound` is what ag_cores_bound says. */
void ag_preflight_greet(char *text, size_t size, int bound);
ag_status ag_preflight_greeted(ag_run_session *session, int rank, const char *greeting);

/* The job AG_JOB_SURVEY: its assignment and its result. */
void ag_preflight_ask(ag_text *bytes, const ag_run_session *session);
ag_status ag_preflight_answer(ag_run_session *session, const ag_job_result *result);

/* Has every rank show that it can train what is missing. The one error names rank and host, what
 * was seen, what was expected, and what to do. */
ag_status ag_preflight_run(ag_run_session *session);

#endif
