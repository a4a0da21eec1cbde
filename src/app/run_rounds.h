/* `altgrad run` of an experiment whose seeds are added in rounds. The session's grid has all seeds
 * that there may be; the results are told of those alone that are asked for. Where seeds do not
 * come in rounds, all of these do nothing. */
#ifndef AG_APP_RUN_ROUNDS_H
#define AG_APP_RUN_ROUNDS_H

#include "run_session.h"

/* Which runs are asked for at first; fails for a shard, which does not see the others' results. */
ag_status ag_run_rounds_begin(ag_run_session *session);

/* What was complete before is asked for, too, so that nothing of it becomes an orphan: once the
 * former results are known. From here on session->held is what the results hold. */
ag_status ag_run_rounds_keep(ag_run_session *session);

/* Tells that this is only the beginning. */
void ag_run_rounds_announce(const ag_run_session *session);

/* Leaves with the results which runs they have; once the store is open. */
ag_status ag_run_rounds_plan(ag_run_session *session);

/* Judges what is complete, in a helper, and asks for the seeds of the next round where one is due:
 * *more where runs were added, whose tasks are `selected` then. */
ag_status ag_run_rounds_go_on(bool *more, ag_run_session *session);

#endif
