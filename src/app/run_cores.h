/* Whether the trainers of a host have cores enough. */
#ifndef AG_APP_RUN_CORES_H
#define AG_APP_RUN_CORES_H

#include "run_session.h"

/* Warns of each host whose ranks ask for more threads than they have cores. */
void ag_run_check_cores(const ag_run_session *session);

/* The most threads that a run to be trained has on that rank. */
int64_t ag_run_threads(const ag_run_session *session, int rank);

#endif
