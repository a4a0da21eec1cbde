/* What rank 0 learns of every rank before the queue opens. */
#ifndef AG_APP_RUN_RANKS_H
#define AG_APP_RUN_RANKS_H

#include <stdbool.h>
#include <stddef.h>

#include "proc/memory.h"
#include "run/run.h"

/* One rank: the first four come with its greeting, the next five by its trainer. */
typedef struct ag_rank {
    const char *host; /* "" until it has greeted */
    const char *build;
    int bound;           /* cores of its own, as ag_cores_bound counts them */
    int allowed;         /* cores that it may use, perhaps with other ranks */
    const char *failure; /* why its trainer cannot work; NULL: it can */
    int code; /* of that trainer: exit code, or 128 and the signal; 0: none was started */
    char trainer_build[64];
    char hdf5[32];
    ag_memory_limit memory;
    int failures; /* of the runs that it was given, in a row */
} ag_rank;

typedef struct ag_preflight {
    ag_rank *ranks; /* [n_ranks] */
    int n_ranks;
    size_t n_pending;      /* tasks that will be trained now */
    const ag_run *asked;   /* the run that the ranks are asked about */
    const char *libraries; /* for the results; NULL: nothing is to be trained */
} ag_preflight;

/* "rank 3 on n2"; valid until the next but one call of the thread: a message may name two. */
const char *ag_rank_name(const ag_preflight *preflight, int rank);

#endif
