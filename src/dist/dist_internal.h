/* What the files of dist share. */
#ifndef AG_DIST_INTERNAL_H
#define AG_DIST_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

/* Whether a launcher told this process that it is a rank. */
bool ag_launcher_present(void);

/* MPI_Init, with a warning first where srun may have been given the wrong --mpi. */
void ag_launcher_start_mpi(void);

/* AG_ERR_SYSTEM when MPI sees one rank although the launcher started several processes, which
 * would each take themselves for the coordinator. */
ag_status ag_launcher_check(int ranks);

/* Naps that grow while nothing happens: a rank that waits must leave its core to a trainer. */
typedef struct ag_backoff {
    double nap_s;
} ag_backoff;

/* Naps unless something happened since the last call. */
void ag_backoff_wait(ag_backoff *backoff, bool moved);

/* Jobs that wait: the longest comes out first, of equals the one that came first. */
typedef struct ag_queued {
    int64_t job;
    int32_t attempt;
    double cost;
    int avoid_rank; /* that failed at it, like its host; -1 */
    int avoid_host;
    uint64_t order;
} ag_queued;

typedef struct ag_job_queue {
    ag_queued *items; /* items[first..count) wait; those before were handed out */
    size_t first;
    size_t count;
    size_t capacity;
    uint64_t next_order;
    bool sorted;
} ag_job_queue;

/* `order` of the item is set here. */
ag_status ag_job_queue_push(ag_job_queue *queue, const ag_queued *item);

/* The next for a rank of a host, less what avoids them; -1: avoided by none. */
bool ag_job_queue_pop(ag_queued *out, ag_job_queue *queue, int rank, int host);

/* An attempt that was handed out waits again, with all that was known of it. */
ag_status ag_job_queue_put_back(ag_job_queue *queue, int64_t job, int32_t attempt);
size_t ag_job_queue_length(const ag_job_queue *queue);
void ag_job_queue_deinit(ag_job_queue *queue);

#endif
