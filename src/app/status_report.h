/* The parts of `altgrad status`. */
#ifndef AG_APP_STATUS_REPORT_H
#define AG_APP_STATUS_REPORT_H

#include "results/overview.h"
#include "spool/live.h"
#include "spool/owner.h"

typedef struct ag_status_counts {
    size_t of[AG_RUN_STATUSES]; /* running ones are pending */
    size_t begun;               /* pending ones with a checkpoint */
    size_t running;
    size_t elsewhere; /* of other shards; not in the others */
} ag_status_counts;

ag_status_counts ag_status_count(const ag_overview *watch);

/* Of the exit codes: 0 complete, 1 complete with failures, 75 work left, be it that of a round
 * which the results at `path` have not begun. */
int ag_status_exit(const ag_status_counts *counts, const char *path);

/* "alive", "silent", "dead" */
const char *ag_status_life(ag_life life);

/* Seconds until this owner's work is done; NaN where nobody can say. */
double ag_status_eta_s(const ag_live *live);

/* The last `count` lines of the events, whole ones. */
const char *ag_status_last_events(const ag_overview *watch, size_t count);

void ag_status_json(ag_text *out, ag_overview *watch);

#endif
