/* Whether the trainers of a host have room beside each other. */
#ifndef AG_APP_RUN_MEMORY_H
#define AG_APP_RUN_MEMORY_H

#include "run_session.h"

/* AG_ERR_SYSTEM, with the sizes, for the first host where they have not. */
ag_status ag_run_check_memory(ag_run_session *session);

#endif
