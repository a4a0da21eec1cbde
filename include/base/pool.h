/* The threads that share the work inside one run.
 *
 * Work is cut into pieces that depend on shapes alone, and each piece writes results of its own, so
 * no bit depends on how many threads there are or which of them takes which piece. The pool belongs
 * to the process, as its memory allocator does: kernels stay pure functions of their arguments.
 * Without ag_pool_start there is one thread, the caller. */
#ifndef AG_BASE_POOL_H
#define AG_BASE_POOL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

enum { AG_POOL_MOST_THREADS = 1024 };

/* Starts `threads` - 1 threads beside the caller. Called once, before any work; AG_ERR_SYSTEM where
 * the system refuses them, and nothing is left running then. */
ag_status ag_pool_start(int threads);

/* Ends them; nothing may be running. Fine without a start. */
void ag_pool_stop(void);

/* Threads that share the work, the caller included. */
int ag_pool_threads(void);

/* The number of the calling thread among them, from 0; 0 outside a body. */
int ag_pool_thread(void);

/* Whether the calling thread is inside of a body, and so alone. */
bool ag_pool_inside(void);

/* Work on the elements [begin, end) of what `context` describes. */
typedef void ag_pool_body(void *context, size_t begin, size_t end);

/* Calls the body for pieces of at most `grain` elements that together cover [0, count) once, and
 * returns when all are done. Pieces run at the same time, in any order. A body that shares work
 * itself does all of it alone. */
void ag_pool_share(size_t count, size_t grain, ag_pool_body *body, void *context);

/* The same, but one call may be given many pieces that follow each other: many at first, single
 * ones at the end. For work that a long run serves better, while the threads still end together. */
void ag_pool_share_runs(size_t count, size_t grain, ag_pool_body *body, void *context);

#endif
