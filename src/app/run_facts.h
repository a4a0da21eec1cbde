/* The job's facts that the results keep. */
#ifndef AG_APP_RUN_FACTS_H
#define AG_APP_RUN_FACTS_H

#include "run_session.h"

/* Texts are in the arena. */
ag_status ag_run_facts(ag_job_facts *facts, const ag_run_session *session, ag_arena *arena);

#endif
