/* What `altgrad status` shows, and the answer to `altgrad stop`. */
#ifndef AG_APP_RUN_LIVE_H
#define AG_APP_RUN_LIVE_H

#include "run_session.h"

ag_status ag_run_live_create(ag_run_live **out, int ranks);
void ag_run_live_destroy(ag_run_live *live); /* NULL is fine */

/* Writes where `session` stands, when it is due. True when somebody asks it to stop. */
bool ag_run_live_tick(ag_run_live *live, const ag_run_session *session);

#endif
