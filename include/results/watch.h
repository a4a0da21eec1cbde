/* An experiment seen from another shell: what is complete, what runs, who writes it. Read from
 * plain files beside the results, so that the owner does not notice; HDF5 is opened for a packed
 * file alone.
 *
 *   OUT.h5.d/plan       the runs of the grid, a line each
 *           /live.json  what the owner does now: renamed into place every few seconds, gone at its
 *                       end
 *           /stop       the token of an owner that is asked to stop */
#ifndef AG_RESULTS_WATCH_H
#define AG_RESULTS_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "base/text.h"
#include "results/results.h"
#include "spool/live.h"
#include "spool/owner.h"

typedef struct ag_watch_run {
    char id[AG_ID_LENGTH + 1];
    ag_run_status status;
    bool elsewhere;     /* another shard's */
    const char *name;   /* "" where it is not known */
    const char *reason; /* of a failure; NULL: ag_watch_reason reads it */
    int64_t step;       /* where the checkpoint of a pending run stands; 0 where it has none */
    int64_t steps;      /* of the whole run, where `step` is told; 0 where it is not known */
} ag_watch_run;

/* An unfinished run, which goes on from its checkpoint. */
typedef struct ag_begun {
    char id[AG_ID_LENGTH + 1];
    int64_t step; /* steps behind it, 1 or more */
} ag_begun;

/* The checkpoints beside the results at `path`, whether those exist or not, by id. In the arena. */
ag_status ag_watch_begun(const ag_begun **begun, size_t *count, const char *path, ag_arena *arena);

typedef struct ag_watch_orphan {
    char id[AG_ID_LENGTH + 1];
    const char *name; /* what it was called last; "" where that is not known */
} ag_watch_orphan;

typedef struct ag_watch {
    const char *path;       /* borrowed */
    const char *experiment; /* its name */
    bool packed;
    size_t n_runs;
    ag_watch_run *runs; /* in the grid's order */
    size_t n_orphans;   /* complete, but no run of the grid */
    const ag_watch_orphan *orphans;
    ag_owner_view owner;
    ag_live *live;  /* NULL where there is no living owner that tells */
    ag_text events; /* JSON objects, a line each; the last may be cut off */
    ag_arena arena;
} ag_watch;

/* AG_ERR_INPUT where there is nothing at `path`. */
ag_status ag_watch_open(ag_watch *watch, const char *path);
void ag_watch_close(ag_watch *watch);

/* Why a failed run failed. */
const char *ag_watch_reason(ag_watch *watch, const ag_watch_run *run);

/* The log that a run left; false where it left none. */
bool ag_watch_log(char *path, size_t size, const ag_watch *watch, const char *id);

/* Who writes the results at `path`. */
ag_status ag_watch_owner_read(ag_owner_view *owner, const char *path);

/* Asks that owner to stop; it looks every few seconds. */
ag_status ag_watch_ask_stop(const ag_owner_view *owner, const char *path);

#endif
