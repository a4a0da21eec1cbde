/* Looks at every byte of an experiment's results, and at everything beside them. */
#ifndef AG_RESULTS_CHECK_H
#define AG_RESULTS_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/status.h"

typedef enum ag_finding_kind {
    AG_FINDING_DAMAGED,    /* not as it was written */
    AG_FINDING_UNREADABLE, /* no permission, an I/O error: perhaps as good as ever */
    AG_FINDING_NOTE        /* no harm: leftovers, files set aside, somebody writes */
} ag_finding_kind;

typedef struct ag_finding {
    ag_finding_kind kind;
    const char *run;  /* its id; "" where it is not about a run */
    const char *text; /* one line, with the file's path */
} ag_finding;

typedef struct ag_check {
    bool packed;
    bool heals;      /* something of it is damaged that `altgrad run` mends */
    size_t n_runs;   /* of the grid; the next five add up to it */
    size_t complete; /* and good */
    size_t diverged; /* of the complete ones */
    size_t damaged;
    size_t unreadable;
    size_t failed;
    size_t pending;
    size_t orphans; /* complete and good, but no run of the grid */
    size_t n_findings;
    const ag_finding *findings;
    size_t capacity;
    ag_arena arena;
} ag_check;

/* Of the results at `path`; to be released also after a failure. AG_ERR_INPUT where there is
 * nothing, AG_ERR_FILE where it is not ours. Forks: not for a process that uses MPI. */
ag_status ag_check_results(ag_check *check, const char *path);
void ag_check_deinit(ag_check *check);

#endif
