/* What the owner of the results tells of its work, for those who watch.
 *
 *   OUT.h5.d/plan       the runs of the grid, one line per run
 *           /live.json  what the owner does now: renamed into place every few seconds, gone at its
 *                       end */
#ifndef AG_SPOOL_LIVE_H
#define AG_SPOOL_LIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "run/grid.h"
#include "spool/ids.h"
#include "spool/places.h"

typedef struct ag_live_run {
    int64_t rank;
    const char *id;
    int64_t step;
    int64_t steps; /* 0 while not known */
    double loss;   /* of the last step; NaN before the first */
    double seconds;
    double tokens_per_s; /* 0 while not known */
    bool evaluating;
} ag_live_run;

typedef struct ag_live {
    bool stopping;
    double now_s;   /* seconds since 1970 when it was written */
    double began_s; /* likewise, when this owner began */
    double share;   /* of this owner's work that is done, 0 to 1 */
    double before;  /* the part of it that was done when it began, in checkpoints */
    int64_t ranks;
    int64_t waiting; /* runs that wait for another's first steps */
    size_t n_running;
    const ag_live_run *running;
} ag_live;

/* Notes the runs of the grid; `names` are for people. Runs that are not `mine` are left to other
 * shards; NULL = all are. */
ag_status ag_plan_write(const ag_places *places, const ag_grid *grid, const char *const *names,
                        const bool *mine);

/* A run of the grid, as the owner noted it. */
typedef struct ag_planned_run {
    char id[AG_ID_LENGTH + 1];
    bool elsewhere; /* another shard's */
    const char *name;
} ag_planned_run;

typedef struct ag_planned {
    const char *experiment; /* its name */
    size_t n_runs;
    ag_planned_run *runs; /* in the grid's order */
} ag_planned;

/* Reads the plan into the arena; false where there is no such file. */
ag_status ag_plan_read(bool *found, ag_planned *planned, const ag_places *places, ag_arena *arena);

/* The ids of `grid` that a packed file must hold, and no others, to be what is asked for: all but
 * those that the plan leaves to other shards. Sorted, in the arena. */
ag_status ag_plan_ids(ag_ids *ids, const ag_grid *grid, const ag_places *places, ag_arena *arena);

/* Replaces live.json. Not synced: it is worth nothing after a crash. */
ag_status ag_live_write(const ag_live *live, const ag_places *places, const char *token);

/* NULL where there is none, or one of another owner. */
ag_live *ag_live_read(const ag_places *places, const char *token, ag_arena *arena);

#endif
