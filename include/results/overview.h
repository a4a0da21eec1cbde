/* An experiment seen from another shell: what is complete, what runs, who writes it. Read from
 * plain files beside the results, so that the owner does not notice; HDF5 is opened for a packed
 * file alone. See also live.h and owner.h of spool. */
#ifndef AG_RESULTS_OVERVIEW_H
#define AG_RESULTS_OVERVIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "base/text.h"
#include "results/results.h"
#include "spool/live.h"
#include "spool/owner.h"

typedef struct ag_overview_run {
    char id[AG_ID_LENGTH + 1];
    ag_run_status status;
    bool elsewhere;     /* another shard's */
    const char *name;   /* "" where it is not known */
    const char *reason; /* of a failure; NULL: ag_overview_reason reads it */
    int64_t step;       /* where the checkpoint of a pending run stands; 0 where it has none */
    int64_t steps;      /* of the whole run, where `step` is told; 0 where it is not known */
} ag_overview_run;

/* An unfinished run, which goes on from its checkpoint. */
typedef struct ag_begun {
    char id[AG_ID_LENGTH + 1];
    int64_t step; /* steps behind it, 1 or more */
} ag_begun;

/* The checkpoints beside the results at `path`, whether those exist or not, by id. In the arena. */
ag_status ag_begun_find(const ag_begun **begun, size_t *count, const char *path, ag_arena *arena);

typedef struct ag_overview_orphan {
    char id[AG_ID_LENGTH + 1];
    const char *name; /* what it was called last; "" where that is not known */
} ag_overview_orphan;

typedef struct ag_overview {
    const char *path;       /* borrowed */
    const char *experiment; /* its name */
    bool packed;
    size_t n_runs;
    ag_overview_run *runs; /* in the grid's order */
    size_t n_orphans;      /* complete, but no run of the grid */
    const ag_overview_orphan *orphans;
    ag_owner_view owner;
    ag_live *live;  /* NULL where there is no living owner that tells */
    ag_text events; /* JSON objects, a line each; the last may be cut off */
    ag_arena arena;
} ag_overview;

/* AG_ERR_INPUT where there is nothing at `path`. */
ag_status ag_overview_open(ag_overview *watch, const char *path);
void ag_overview_close(ag_overview *watch);

/* Why a failed run failed. */
const char *ag_overview_reason(ag_overview *watch, const ag_overview_run *run);

/* The log that a run left; false where it left none. */
bool ag_overview_log(char *path, size_t size, const ag_overview *watch, const char *id);

#endif
