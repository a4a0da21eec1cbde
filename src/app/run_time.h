/* --max-time: durations, and when to drain for them. */
#ifndef AG_APP_RUN_TIME_H
#define AG_APP_RUN_TIME_H

#include "base/status.h"

/* As ag_duration_read, but AG_ERR_INPUT for what is no duration, or not one of a run. */
ag_status ag_run_read_time(double *seconds, const char *text);

/* When to drain so that all is over after `max_s`: trainers end their step and write a checkpoint,
 * and the results are published once more. */
double ag_run_drain_after(double max_s);

#endif
