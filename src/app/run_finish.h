/* The end of the work of rank 0. */
#ifndef AG_APP_RUN_FINISH_H
#define AG_APP_RUN_FINISH_H

#include "run_session.h"

/* Publishes what is complete, and waits for it. */
ag_status ag_run_publish(ag_run_session *session);

/* After the coordinator's work: packs or publishes, and gives the results back. */
ag_status ag_run_session_finish(ag_run_session *session);
void ag_run_session_deinit(ag_run_session *session);

#endif
