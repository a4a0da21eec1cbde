/* The coordinator and its supervisors on jobs that do nothing but count how often they were looked
 * at: what the tests of dist play. */
#ifndef AG_TESTS_DIST_SCENE_H
#define AG_TESTS_DIST_SCENE_H

#include "farm/coordinator.h"
#include "farm/post.h"
#include "support.h"

enum { MOST_JOBS = 200, MOST_RANKS = 16, SURVEY_SIZE = 1000, PATIENCE_S = 4 };

extern ag_post *g_post;
extern int g_sick; /* failures of rank 1, known to rank 0 */

/* A job: "ticks size end attempts", where end is what becomes of the attempts before the last one:
 * f(ails), r(efuses to start) or d(one); s(ick): fails on rank 1; w(aits): fails at first, then
 * does not end on rank 1; h(angs): in its second job, while the result of the first is on its way,
 * rank 1 does nothing any more until all is over; 0 ticks = for ever */
typedef struct fake_job {
    int ticks;
    size_t size;
    char end;
    int attempts;
} fake_job;

typedef struct scene {
    ag_coordinator *coordinator;
    int n_jobs;
    fake_job jobs[MOST_JOBS];
    double costs[MOST_JOBS];
    int joined;
    int surveys;              /* how many come before the jobs */
    int surveyed[MOST_RANKS]; /* how often each rank answered */
    int done[MOST_JOBS];      /* how often */
    int failed[MOST_JOBS];
    int cancelled[MOST_JOBS];
    int failed_on[MOST_JOBS];   /* 1 + the rank of the last failure */
    int rank[MOST_JOBS];        /* that did it */
    int64_t started[MOST_JOBS]; /* progress reports */
    int finished;
    int drain_after; /* finished jobs; 0 = never */
    int fail_after;  /* finished jobs; 0 = never */
    bool two_hosts;  /* even and odd ranks */
    bool drained;
    bool impatient;
    int lost;
    bool waited; /* rank 1 is at a job that does not end there */
    bool aside;
    bool aside_twice;
    double last_cost;
    bool out_of_order;
    char reason[256]; /* of the last failure */
} scene;

extern const scene g_empty;

/* Plays the scene on all ranks; what ag_coordinator_run says comes back on rank 0. */
ag_status play(scene *its);

/* Of the scene that is its context; the tick may be another. */
ag_client scene_client(scene *its);

#endif
