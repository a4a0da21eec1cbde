#include "dist/coordinator.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "dist_internal.h"

/* What the coordinator knows of a rank's supervisor. */
typedef struct seat {
    bool joined;
    bool left;
    bool aside;        /* gets no more jobs */
    int host;          /* a number that ranks of one host share */
    int held;          /* jobs that it has and has not reported */
    uint64_t turn;     /* of its result in the order of arrival; 0 when none waits */
    ag_message result; /* that waits to be fetched, or is */
} seat;

struct ag_coordinator {
    ag_post *post;
    const ag_client *client;
    ag_supervisor *local;
    ag_job_queue queue;
    seat *seats; /* [ranks] */
    int ranks;
    int out; /* jobs that were handed out and not reported */
    bool draining;

    uint64_t turns;
    int fetching;          /* rank whose result is coming in; -1 when none is */
    unsigned char *buffer; /* the result; kept warm */
    size_t capacity;
    size_t received;
    bool damaged; /* a piece was not what was sent */
};

ag_status ag_coordinator_create(ag_coordinator **out, ag_post *post, const ag_client *client,
                                ag_supervisor *local)
{
    int ranks = ag_post_ranks(post);
    ag_coordinator *coordinator = calloc(1, sizeof *coordinator);
    seat *seats = calloc((size_t)ranks, sizeof *seats);
    if (coordinator == NULL || seats == NULL) {
        free(coordinator);
        free(seats);
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    }
    *coordinator = (ag_coordinator){.post = post,
                                    .client = client,
                                    .local = local,
                                    .seats = seats,
                                    .ranks = ranks,
                                    .fetching = -1};
    *out = coordinator;
    return AG_OK;
}

void ag_coordinator_destroy(ag_coordinator *coordinator)
{
    if (coordinator == NULL)
        return;
    ag_job_queue_deinit(&coordinator->queue);
    free(coordinator->seats);
    free(coordinator->buffer);
    free(coordinator);
}

ag_status ag_coordinator_add(ag_coordinator *coordinator, int64_t job, int32_t attempt, double cost)
{
    const ag_queued item = {
        .job = job, .attempt = attempt, .cost = cost, .avoid_rank = -1, .avoid_host = -1};
    return ag_job_queue_push(&coordinator->queue, &item);
}

ag_status ag_coordinator_retry(ag_coordinator *coordinator, const ag_job_result *failed,
                               double cost)
{
    const ag_queued item = {.job = failed->job,
                            .attempt = failed->attempt + 1,
                            .cost = cost,
                            .avoid_rank = failed->rank,
                            .avoid_host = coordinator->seats[failed->rank].host};
    return ag_job_queue_push(&coordinator->queue, &item);
}

ag_status ag_coordinator_put_back(ag_coordinator *coordinator, const ag_job_result *cancelled)
{
    return ag_job_queue_put_back(&coordinator->queue, cancelled->job, cancelled->attempt);
}

void ag_coordinator_place(ag_coordinator *coordinator, int rank, int host)
{
    coordinator->seats[rank].host = host;
}

static ag_status send_to(ag_coordinator *coordinator, int rank, ag_message message)
{
    return ag_post_send(coordinator->post, AG_SUPERVISOR, rank, &message, NULL, 0);
}

/* --- handing out */

static int count_usable(const ag_coordinator *coordinator)
{
    int count = 0;
    for (int rank = 0; rank < coordinator->ranks; rank++)
        count += coordinator->seats[rank].joined && !coordinator->seats[rank].aside;
    return count;
}

static bool is_elsewhere(const ag_coordinator *coordinator, int host)
{
    for (int rank = 0; rank < coordinator->ranks; rank++) {
        const seat *its = &coordinator->seats[rank];
        if (its->joined && !its->aside && its->host != host)
            return true;
    }
    return false;
}

/* The next job for a rank. One that failed waits for somebody else while there is somebody. */
static bool pop_for(ag_queued *next, ag_coordinator *coordinator, int rank)
{
    int host = coordinator->seats[rank].host;
    return ag_job_queue_pop(next, &coordinator->queue, count_usable(coordinator) > 1 ? rank : -1,
                            is_elsewhere(coordinator, host) ? host : -1);
}

static ag_status assign(ag_coordinator *coordinator, int rank, int64_t job, int32_t attempt)
{
    ag_text bytes;
    ag_text_init(&bytes);
    const ag_client *client = coordinator->client;
    ag_message message = ag_message_make(AG_MSG_ASSIGN, job, attempt);
    ag_status status = client->assign(client->context, &bytes, job, attempt);
    if (status == AG_OK && bytes.failed)
        status = ag_fail(AG_ERR_SYSTEM, "out of memory");
    if (status == AG_OK)
        status = ag_post_send(coordinator->post, AG_SUPERVISOR, rank, &message, bytes.data,
                              bytes.length);
    ag_text_deinit(&bytes);
    coordinator->seats[rank].held++;
    coordinator->out++;
    return status;
}

static ag_status assign_next(ag_coordinator *coordinator, int rank)
{
    ag_queued next;
    if (!pop_for(&next, coordinator, rank))
        return AG_OK;
    return assign(coordinator, rank, next.job, next.attempt);
}

/* Everybody gets one to work on; then one ahead, so that nobody waits for us between two jobs. Not
 * near the end of the queue: there the one ahead could start elsewhere at once. */
static ag_status hand_out(ag_coordinator *coordinator)
{
    for (int held = 0; held < 2 && !coordinator->draining; held++) {
        size_t spare = held == 0 ? 0 : (size_t)coordinator->ranks;
        for (int rank = 0; rank < coordinator->ranks; rank++) {
            const seat *its = &coordinator->seats[rank];
            if (ag_job_queue_length(&coordinator->queue) > spare && its->joined && !its->aside &&
                its->held == held)
                AG_TRY(assign_next(coordinator, rank));
        }
    }
    return AG_OK;
}

ag_status ag_coordinator_set_aside(bool *done, ag_coordinator *coordinator, int rank)
{
    seat *its = &coordinator->seats[rank];
    *done = !its->aside && count_usable(coordinator) > 1;
    if (!*done)
        return AG_OK;
    its->aside = true;
    if (its->held == 0)
        return AG_OK;
    return send_to(coordinator, rank, ag_message_make(AG_MSG_CANCEL, -1, 0));
}

ag_status ag_coordinator_drain(ag_coordinator *coordinator)
{
    coordinator->draining = true;
    for (int rank = 0; rank < coordinator->ranks; rank++) {
        if (coordinator->seats[rank].held > 0)
            AG_TRY(send_to(coordinator, rank, ag_message_make(AG_MSG_CANCEL, -1, 0)));
    }
    return AG_OK;
}

/* --- taking in */

static ag_status deliver(ag_coordinator *coordinator, int rank, const ag_message *message,
                         const char *reason)
{
    ag_job_result result = {.job = message->job,
                            .attempt = message->attempt,
                            .rank = rank,
                            .end = (ag_job_end)message->end,
                            .phase = message->phase,
                            .value = message->value,
                            .seconds = message->seconds,
                            .reason = reason};
    if (result.end == AG_JOB_DONE) {
        result.bytes = coordinator->buffer;
        result.size = (size_t)message->total;
    }
    return coordinator->client->done(coordinator->client->context, &result);
}

static ag_status deliver_failed(ag_coordinator *coordinator, int rank, const char *reason)
{
    ag_message message = coordinator->seats[rank].result;
    message.end = AG_JOB_FAILED;
    return deliver(coordinator, rank, &message, reason);
}

/* Sends for the result that waited longest, unless one is coming in: rank 0 holds one at a time. */
static ag_status fetch_next(ag_coordinator *coordinator)
{
    int first = -1;
    for (int rank = 0; rank < coordinator->ranks && coordinator->fetching < 0; rank++) {
        uint64_t turn = coordinator->seats[rank].turn;
        if (turn > 0 && (first < 0 || turn < coordinator->seats[first].turn))
            first = rank;
    }
    if (first < 0)
        return AG_OK;
    seat *its = &coordinator->seats[first];
    size_t total = (size_t)its->result.total;
    if (total > coordinator->capacity) {
        free(coordinator->buffer);
        coordinator->buffer = malloc(total);
        coordinator->capacity = coordinator->buffer != NULL ? total : 0;
        if (coordinator->buffer == NULL)
            return ag_fail(AG_ERR_SYSTEM, "out of memory: a result of %zu MiB", total >> 20);
    }
    its->turn = 0;
    coordinator->fetching = first;
    coordinator->received = 0;
    coordinator->damaged = false;
    return send_to(coordinator, first,
                   ag_message_make(AG_MSG_FETCH, its->result.job, its->result.attempt));
}

static ag_status on_ready(ag_coordinator *coordinator, const ag_letter *letter)
{
    const ag_message *message = &letter->message;
    if (message->magic != AG_PROTOCOL_MAGIC || message->version != AG_PROTOCOL_VERSION ||
        message->size != sizeof *message)
        return ag_fail(AG_ERR_SYSTEM,
                       "rank %d runs another build of altgrad than rank 0: start the same one on "
                       "every host",
                       letter->from);
    coordinator->seats[letter->from].joined = true;
    return coordinator->client->joined(coordinator->client->context, letter->from, letter->body);
}

static ag_status on_progress(ag_coordinator *coordinator, const ag_letter *letter)
{
    const ag_message *message = &letter->message;
    ag_job_progress progress = {.job = message->job,
                                .attempt = message->attempt,
                                .rank = letter->from,
                                .phase = message->phase,
                                .step = message->step,
                                .steps = message->steps,
                                .value = message->value,
                                .seconds = message->seconds};
    coordinator->client->progress(coordinator->client->context, &progress);
    return AG_OK;
}

static ag_status on_result(ag_coordinator *coordinator, const ag_letter *letter)
{
    seat *its = &coordinator->seats[letter->from];
    if (its->held == 0)
        return ag_fail(AG_ERR_BUG, "rank %d reported a job that it does not have", letter->from);
    its->held--;
    if (letter->message.end == AG_JOB_DONE && letter->message.total > 0) {
        its->result = letter->message;
        its->turn = ++coordinator->turns;
        return AG_OK;
    }
    coordinator->out--;
    return deliver(coordinator, letter->from, &letter->message, letter->body);
}

static ag_status on_piece(ag_coordinator *coordinator, const ag_letter *letter)
{
    int rank = letter->from;
    const ag_message *message = &letter->message;
    const ag_message *result = &coordinator->seats[rank].result;
    size_t total = (size_t)result->total;
    if (rank != coordinator->fetching || message->offset != coordinator->received ||
        letter->size == 0 || letter->size > total - coordinator->received)
        return ag_fail(AG_ERR_BUG, "rank %d sent a piece that nobody asked for", rank);
    memcpy(coordinator->buffer + coordinator->received, letter->body, letter->size);
    coordinator->received += letter->size;
    uLong crc = crc32(0, (const unsigned char *)letter->body, (uInt)letter->size);
    if (crc != message->crc || message->job != result->job)
        coordinator->damaged = true;
    if (coordinator->received < total)
        return AG_OK;
    coordinator->fetching = -1;
    coordinator->out--;
    if (coordinator->damaged)
        return deliver_failed(coordinator, rank, "its result was damaged on the way to rank 0");
    return deliver(coordinator, rank, result, "");
}

static ag_status on_bye(ag_coordinator *coordinator, const ag_letter *letter)
{
    coordinator->seats[letter->from].left = true;
    return AG_OK;
}

static ag_status handle(ag_coordinator *coordinator, const ag_letter *letter)
{
    static ag_status (*const handlers[AG_MSG_KINDS])(ag_coordinator *, const ag_letter *) = {
        [AG_MSG_READY] = on_ready, [AG_MSG_PROGRESS] = on_progress, [AG_MSG_RESULT] = on_result,
        [AG_MSG_PIECE] = on_piece, [AG_MSG_BYE] = on_bye,
    };
    uint32_t kind = letter->message.kind;
    if (kind >= AG_MSG_KINDS || handlers[kind] == NULL)
        return ag_fail(AG_ERR_BUG, "the coordinator got a message of kind %u", (unsigned)kind);
    return handlers[kind](coordinator, letter);
}

/* --- the loop */

/* Takes in one message, if there is one, and lets rank 0's own supervisor take a step. */
static ag_status attend(bool *moved, ag_coordinator *coordinator, bool discard)
{
    ag_letter letter;
    bool got = false;
    AG_TRY(ag_post_receive(&got, &letter, coordinator->post, AG_COORDINATOR));
    if (got && (!discard || letter.message.kind == AG_MSG_BYE))
        AG_TRY(handle(coordinator, &letter));
    *moved = *moved || got;
    return coordinator->local != NULL ? ag_supervisor_step(moved, coordinator->local) : AG_OK;
}

static bool is_finished(const ag_coordinator *coordinator)
{
    bool empty = ag_job_queue_length(&coordinator->queue) == 0;
    return (empty || coordinator->draining) && coordinator->out == 0;
}

ag_status ag_coordinator_run(ag_coordinator *coordinator)
{
    ag_backoff backoff = {0};
    while (!is_finished(coordinator)) {
        bool moved = false;
        AG_TRY(attend(&moved, coordinator, false));
        AG_TRY(coordinator->client->tick(coordinator->client->context));
        AG_TRY(fetch_next(coordinator));
        AG_TRY(hand_out(coordinator));
        ag_backoff_wait(&backoff, moved);
    }
    return AG_OK;
}

ag_status ag_coordinator_survey(ag_coordinator *coordinator)
{
    for (int rank = 0; rank < coordinator->ranks; rank++)
        AG_TRY(assign(coordinator, rank, AG_JOB_SURVEY, 0));
    return ag_coordinator_run(coordinator);
}

static bool all_joined(const ag_coordinator *coordinator)
{
    for (int rank = 0; rank < coordinator->ranks; rank++) {
        if (!coordinator->seats[rank].joined)
            return false;
    }
    return true;
}

ag_status ag_coordinator_gather(ag_coordinator *coordinator)
{
    ag_backoff backoff = {0};
    while (!all_joined(coordinator)) {
        bool moved = false;
        AG_TRY(attend(&moved, coordinator, false));
        ag_backoff_wait(&backoff, moved);
    }
    return AG_OK;
}

static bool all_left(const ag_coordinator *coordinator)
{
    for (int rank = coordinator->local != NULL ? 0 : 1; rank < coordinator->ranks; rank++) {
        if (!coordinator->seats[rank].left)
            return false;
    }
    return true;
}

ag_status ag_coordinator_stop(ag_coordinator *coordinator)
{
    ag_backoff backoff = {0};
    for (int rank = coordinator->local != NULL ? 0 : 1; rank < coordinator->ranks; rank++)
        AG_TRY(send_to(coordinator, rank, ag_message_make(AG_MSG_STOP, -1, 0)));
    while (!all_left(coordinator)) {
        bool moved = false;
        AG_TRY(attend(&moved, coordinator, true));
        ag_backoff_wait(&backoff, moved);
    }
    return AG_OK;
}
