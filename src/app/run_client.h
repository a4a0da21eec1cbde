/* What rank 0 does with each thing that the coordinator tells. */
#ifndef AG_APP_RUN_CLIENT_H
#define AG_APP_RUN_CLIENT_H

#include "farm/coordinator.h"
#include "run_session.h"

/* What the coordinator is to call. `session` is the context. */
ag_client ag_run_client(ag_run_session *session);

#endif
