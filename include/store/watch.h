/* An experiment seen from another shell: what is complete, what runs, who writes it. Read from
 * plain files beside the results, so that the owner does not notice; HDF5 is opened for a packed
 * file alone.
 *
 *   OUT.h5.d/plan       the runs of the grid, a line each
 *           /live.json  what the owner does now: renamed into place every few seconds, gone at its
 *                       end
 *           /stop       the token of an owner that is asked to stop */
#ifndef AG_STORE_WATCH_H
#define AG_STORE_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "base/text.h"
#include "store/results.h"
#include "store/store.h"

/* --- what the owner tells */

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
    size_t n_running;
    const ag_live_run *running;
} ag_live;

/* Notes the runs of the grid; `names` are for people. Runs that are not `mine` are left to other
 * shards; NULL = all are. */
ag_status ag_store_plan(ag_store *store, const ag_grid *grid, const char *const *names,
                        const bool *mine);

/* Replaces live.json. Not synced: it is worth nothing after a crash. */
ag_status ag_store_live(ag_store *store, const ag_live *live);

/* Whether `altgrad stop` asks this owner to stop. Looks at the disk. */
bool ag_store_stop_asked(const ag_store *store);

/* --- what others see */

typedef enum ag_life {
    AG_LIFE_NONE,      /* nobody owns the results */
    AG_LIFE_HERE,      /* a process that can be asked here: of this host and PID namespace */
    AG_LIFE_ELSEWHERE, /* on another host, or in a container */
    AG_LIFE_SILENT,    /* the same, without a heartbeat for long: probably dead */
    AG_LIFE_DEAD       /* its process on this host is gone: killed */
} ag_life;

typedef struct ag_watch_owner {
    ag_life life;
    char host[256];
    long pid;
    const char *where; /* what else to say of the pid, beginning with a space; or "" */
    char job[64];      /* of the batch system; "pack" or "merge" for those commands; "-" */
    char token[33];
    double silence_s; /* since its last heartbeat, at most half a minute while it is well */
} ag_watch_owner;

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
    ag_watch_owner owner;
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
ag_status ag_watch_owner_read(ag_watch_owner *owner, const char *path);

/* Asks that owner to stop; it looks every few seconds. */
ag_status ag_watch_ask_stop(const ag_watch_owner *owner, const char *path);

#endif
