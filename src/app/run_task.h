/* What rank 0 knows of each run of the grid, and the counts of them all. */
#ifndef AG_APP_RUN_TASK_H
#define AG_APP_RUN_TASK_H

#include <stdbool.h>
#include <stddef.h>

#include "run/run.h"
#include "run/trunk.h"

/* The steps that a run takes over from others (run_trunks.h). */
typedef struct ag_task_trunk {
    int64_t steps;            /* so many; 0: none */
    char name[AG_TRUNK_NAME]; /* of their snapshot; meaningless where there are none */
    struct ag_task *leader;   /* will leave it, and the run waits; NULL: it waits for nobody */
    size_t waiting;           /* runs that wait for this one */
    int64_t reached;          /* steps that this one was last seen to have trained */
} ag_task_trunk;

/* One run of the grid, in this session. */
typedef struct ag_task {
    const ag_run *run;
    const char *name; /* for people */
    double cost;
    double counted; /* the part of the run that counts.cost_done has in it */
    bool mine;      /* of this shard and asked for by a round, selected or not */
    bool wanted;    /* --only names it, or nothing does */
    bool selected;  /* mine and wanted */
    bool queued;    /* counted, and queued where it was not complete */
    bool again;     /* trained although complete; the old result stays until then */
    bool pending;   /* it will be trained now; until the results are ours, as far as can be seen */
    bool was_complete;
    bool was_diverged; /* of those that were complete */
    bool failed;
    ag_task_trunk trunk;
    int suspect; /* 1 + the rank on which it failed last; 0: none */
} ag_task;

typedef struct ag_run_counts {
    size_t selected;
    size_t kept;          /* complete before this command began */
    size_t kept_diverged; /* of those */
    size_t done;          /* by this command, like the next two */
    size_t diverged;
    size_t failed;
    size_t waiting;     /* for another run's first steps */
    size_t lost;        /* complete before, found damaged since: to be done again */
    double cost;        /* of all that was to be trained */
    double cost_done;   /* of all that was, and of what stands in checkpoints */
    double cost_before; /* of what stood in checkpoints when this command began */
} ag_run_counts;

#endif
