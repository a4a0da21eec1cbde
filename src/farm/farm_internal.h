/* What the files of the farm share. */
#ifndef AG_FARM_INTERNAL_H
#define AG_FARM_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "farm/post.h"
#include "farm/protocol.h"

/* Whether a launcher told this process that it is a rank. */
bool ag_launcher_present(void);

/* Collective. MPI_Init, with a warning first where srun may have been given the wrong --mpi.
 * Returns how many of the ranks are on this host. */
int ag_launcher_start_mpi(void);

/* AG_ERR_SYSTEM when MPI sees one rank although the launcher started several processes, which
 * would each take themselves for the coordinator. */
ag_status ag_launcher_check(int ranks);

/* Naps that grow while nothing happens: a rank that waits must leave its core to a trainer. */
typedef struct ag_backoff {
    double nap_s;
} ag_backoff;

/* Naps unless something happened since the last call. */
void ag_backoff_wait(ag_backoff *backoff, bool moved);

/* --- coordinator.c, job_queue.c */

enum { AG_MOST_HELD = 2 }; /* jobs that a supervisor has: one at work, one ahead */

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

/* The next job for a rank of a host, passing over those that avoid the rank or the host; with -1
 * for one of them, nothing is passed over for its sake. False where no job is left. */
bool ag_job_queue_pop(ag_queued *out, ag_job_queue *queue, int rank, int host);

/* An attempt that was handed out waits again, with its cost and what it avoids. */
ag_status ag_job_queue_put_back(ag_job_queue *queue, int64_t job, int32_t attempt);
size_t ag_job_queue_length(const ag_job_queue *queue);
void ag_job_queue_deinit(ag_job_queue *queue);

/* --- intake.c */

typedef struct ag_announced {
    uint64_t turn; /* in the order of arrival; 0: none */
    ag_message result;
} ag_announced;

/* Results come in one at a time: rank 0 needs memory for one result, however many ranks end a job
 * at once. */
typedef struct ag_intake {
    ag_post *post;
    int ranks;
    ag_announced *announced; /* [ranks], one each at most */
    uint64_t turns;
    int from;             /* the rank whose result is coming in; -1: none */
    unsigned char *bytes; /* of it; kept warm */
    size_t capacity;
    size_t received;
    bool damaged; /* a piece is not what was sent */
} ag_intake;

ag_status ag_intake_init(ag_intake *intake, ag_post *post);
void ag_intake_deinit(ag_intake *intake);
void ag_intake_announce(ag_intake *intake, int rank, const ag_message *result);

/* Sends for the result that waited longest, unless one is coming in. */
ag_status ag_intake_fetch(ag_intake *intake);

/* Adds a piece to the result that is coming in; *whole: it was the last one. AG_ERR_BUG for a piece
 * that was not fetched. */
ag_status ag_intake_add(bool *whole, ag_intake *intake, const ag_letter *piece);

/* Takes out what the rank has announced, whether it has come in or not; false where it announced
 * nothing. */
bool ag_intake_take(ag_message *result, ag_intake *intake, int rank);

#endif
