/* The beginning of the work of rank 0. */
#ifndef AG_APP_RUN_OPEN_H
#define AG_APP_RUN_OPEN_H

#include "run_session.h"

/* Reads the experiment, opens the results, queues the runs that are missing. */
ag_status ag_run_session_open(ag_run_session *session, int ranks);

/* Queues what is selected and was not queued before. */
ag_status ag_run_queue_missing(ag_run_session *session);

#endif
