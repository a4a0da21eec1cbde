/* Whose the results were until now. */
#ifndef AG_APP_RUN_FORMER_H
#define AG_APP_RUN_FORMER_H

#include "run_session.h"

/* Refuses results of another experiment with which this one has no run in common; tells which
 * complete runs become orphans. */
ag_status ag_run_check_former(ag_run_session *session);

/* Warns where kept runs recorded less than is asked for now: what decides that is no part of a
 * run's identity. Waits for a child that looks. */
void ag_run_warn_of_less(const ag_run_session *session);

#endif
