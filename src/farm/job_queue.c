/* The jobs that wait, and the nap of those who wait. The queue is an array, sorted when something
 * is taken after something was added; what was handed out stays at its beginning, so that an
 * attempt can be put back with all that was known of it. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "farm_internal.h"

/* Seconds. A rank without work must leave its core to a trainer, but a message should not wait
 * long: naps begin short and grow to where even a thousand ranks cost next to nothing. */
static const double s_shortest_nap = 50e-6;
static const double s_longest_nap = 5e-3;
static const double s_nap_growth = 1.3;

/* Something that moved makes the next nap short again. */
void ag_backoff_wait(ag_backoff *backoff, bool moved)
{
    if (moved) {
        backoff->nap_s = s_shortest_nap;
        return;
    }
    ag_clock_nap(backoff->nap_s > 0. ? backoff->nap_s : s_shortest_nap);
    double longer = backoff->nap_s * s_nap_growth;
    backoff->nap_s = longer < s_shortest_nap ? s_shortest_nap : longer;
    if (backoff->nap_s > s_longest_nap)
        backoff->nap_s = s_longest_nap;
}

/* Sorting waits until something is taken: jobs are added by the thousand. */
ag_status ag_job_queue_push(ag_job_queue *queue, const ag_queued *item)
{
    if (queue->count == queue->capacity) {
        size_t capacity = queue->capacity > 0 ? 2 * queue->capacity : 64;
        ag_queued *items = realloc(queue->items, capacity * sizeof *items);
        if (items == NULL)
            return ag_fail(AG_ERR_SYSTEM, "out of memory");
        queue->items = items;
        queue->capacity = capacity;
    }
    queue->items[queue->count] = *item;
    queue->items[queue->count++].order = queue->next_order++;
    queue->sorted = false;
    return AG_OK;
}

/* Longest first; of equals the one that came first, since qsort keeps no order of its own. */
static int compare(const void *left, const void *right)
{
    const ag_queued *a = left;
    const ag_queued *b = right;
    if (a->cost != b->cost)
        return a->cost > b->cost ? -1 : 1;
    return a->order < b->order ? -1 : 1;
}

static bool avoids(const ag_queued *item, int rank, int host)
{
    return item->avoid_rank >= 0 && (item->avoid_rank == rank || item->avoid_host == host);
}

/* The item moves to the end of those handed out; what was passed over keeps its order. */
bool ag_job_queue_pop(ag_queued *out, ag_job_queue *queue, int rank, int host)
{
    ag_queued *items = queue->items;
    if (!queue->sorted && queue->count > queue->first)
        qsort(items + queue->first, queue->count - queue->first, sizeof *items, compare);
    queue->sorted = true;
    size_t at = queue->first;
    while (at < queue->count && avoids(&items[at], rank, host))
        at++;
    if (at == queue->count)
        return false;
    *out = items[at];
    memmove(items + queue->first + 1, items + queue->first, (at - queue->first) * sizeof *items);
    items[queue->first++] = *out;
    return true;
}

ag_status ag_job_queue_put_back(ag_job_queue *queue, int64_t job, int32_t attempt)
{
    for (size_t i = queue->first; i-- > 0;) {
        const ag_queued item = queue->items[i];
        if (item.job == job && item.attempt == attempt)
            return ag_job_queue_push(queue, &item);
    }
    return ag_fail(AG_ERR_BUG, "attempt %d at job %d was never handed out", (int)attempt, (int)job);
}

size_t ag_job_queue_length(const ag_job_queue *queue)
{
    return queue->count - queue->first;
}

void ag_job_queue_deinit(ag_job_queue *queue)
{
    free(queue->items);
    *queue = (ag_job_queue){0};
}
