/* What the two halves of `altgrad check` share: check.c looks at the results themselves,
 * check_beside.c at everything that lies beside them. */
#ifndef AG_RESULTS_CHECKER_H
#define AG_RESULTS_CHECKER_H

#include <stdbool.h>
#include <stddef.h>

#include "results/check.h"
#include "run/grid.h"
#include "spool/ids.h"
#include "spool/places.h"

/* Fixed in size: it lies in memory that a child shares, and a child that crashed has written all it
 * will. */
typedef struct ag_run_verdict {
    bool bad; /* damaged or unreadable */
    bool diverged;
    ag_finding_kind kind;
    char text[1024];
} ag_run_verdict;

/* Too large for a stack of some threads, with all its paths; made once per command. */
typedef struct ag_checker {
    ag_check *check;
    ag_places places;
    ag_grid grid;
    bool has_grid;
    ag_ids ids;               /* of the runs that there are */
    ag_run_verdict *verdicts; /* [ids.count], shared with children, as is *at */
    size_t *at;               /* the run that is looked at */
} ag_checker;

/* Adds a finding: one line, about a run or "". */
ag_status ag_check_find(ag_checker *c, ag_finding_kind kind, const char *run, const char *format,
                        ...) __attribute__((format(printf, 4, 5)));

/* A failure to read something is a finding, not the end: takes the recorded error over. */
ag_status ag_check_find_failure(ag_checker *c, ag_status status);

/* check_beside.c: facts, notes of failures, checkpoints, events, the owner, leftovers. */
ag_status ag_check_beside(ag_checker *c);

#endif
