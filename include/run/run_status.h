/* How a run of a grid stands: the one list of states. Results, events, helpers, reports and --json
 * all say them by these words, which are part of the file formats. */
#ifndef AG_RUN_RUN_STATUS_H
#define AG_RUN_RUN_STATUS_H

#include <stdbool.h>

typedef enum ag_run_status {
    AG_RUN_DONE,
    AG_RUN_DIVERGED, /* trained, but its loss is not finite or grew out of bounds: a result too */
    AG_RUN_FAILED,   /* no result, however often it was tried: `altgrad run` tries again */
    AG_RUN_PENDING,
    AG_RUN_STATUSES
} ag_run_status;

/* "done", "diverged", "failed", "pending", by ag_run_status. */
extern const char *const ag_run_status_words[AG_RUN_STATUSES];

/* The status of a word; AG_RUN_FAILED for one that is none, such as that of a later version:
 * nothing is then taken for a result that is not known to be one. */
ag_run_status ag_run_status_of(const char *word);

/* Whether the run has a result. */
static inline bool ag_run_status_is_complete(ag_run_status status)
{
    return status == AG_RUN_DONE || status == AG_RUN_DIVERGED;
}

#endif
