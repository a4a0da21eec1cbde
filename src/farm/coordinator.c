/* Rank 0 of the farm: hands out jobs, the longest first, and takes in their results. protocol.h has
 * the messages and their order.
 *
 * Longest first is the rule of Graham (SIAM J. Appl. Math. 17, 1969): it ends within 4/3 of the
 * best schedule, and leaves the short jobs to fill the gaps at the end. Each supervisor holds one
 * job at work and one ahead, so that nobody waits for a message between two jobs.
 *
 * Everything happens in one thread and one loop, without a call that waits: take in a message, let
 * the client look, hand out, nap. State about a rank is its seat; the loop ends when the queue is
 * empty and no job is out. */
#include "farm/coordinator.h"

#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "farm_internal.h"

static const double s_draining_patience_s = 60.0; /* at most, while everybody is to end */

typedef struct held_job {
    int64_t job;
    int32_t attempt;
} held_job;

/* What the coordinator knows of a rank's supervisor. */
typedef struct rank_seat {
    bool joined;
    bool left;
    bool aside;   /* gets no more jobs */
    bool lost;    /* was silent for too long: nothing that it says counts any more */
    double quiet; /* seconds since it was last heard of */
    int host;     /* a number that ranks of one host share */
    int n_held;   /* jobs that it has and has not reported */
    held_job held[AG_MOST_HELD];
} rank_seat;

struct ag_coordinator {
    ag_post *post;
    const ag_client *client;
    ag_supervisor *local;
    ag_job_queue queue;
    ag_intake intake;
    rank_seat *seats; /* [ranks] */
    int ranks;
    int out; /* jobs that were handed out and not reported */
    bool draining;
    double patience_s; /* with a silent rank; 0: for ever */
    double looked;     /* when silence was last counted */
};

/* All seats begin empty; the supervisors' first messages fill them. */
ag_status ag_coordinator_create(ag_coordinator **out, ag_post *post, const ag_client *client,
                                ag_supervisor *local)
{
    int ranks = ag_post_ranks(post);
    ag_coordinator *coordinator = calloc(1, sizeof *coordinator);
    rank_seat *seats = calloc((size_t)ranks, sizeof *seats);
    ag_intake intake = {0};
    if (coordinator == NULL || seats == NULL || ag_intake_init(&intake, post) != AG_OK) {
        free(coordinator);
        free(seats);
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    }
    *coordinator = (ag_coordinator){.post = post,
                                    .client = client,
                                    .local = local,
                                    .seats = seats,
                                    .ranks = ranks,
                                    .looked = ag_clock_s(),
                                    .intake = intake};
    *out = coordinator;
    return AG_OK;
}

void ag_coordinator_destroy(ag_coordinator *coordinator)
{
    if (coordinator == NULL)
        return;
    ag_job_queue_deinit(&coordinator->queue);
    ag_intake_deinit(&coordinator->intake);
    free(coordinator->seats);
    free(coordinator);
}

ag_status ag_coordinator_add(ag_coordinator *coordinator, int64_t job, int32_t attempt, double cost)
{
    const ag_queued item = {
        .job = job, .attempt = attempt, .cost = cost, .avoid_rank = -1, .avoid_host = -1};
    return ag_job_queue_push(&coordinator->queue, &item);
}

/* A run that fails on one host may do well on another: bad memory, a full disk, an older processor.
 */
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

void ag_coordinator_expect(ag_coordinator *coordinator, double patience_s)
{
    coordinator->patience_s = patience_s;
}

bool ag_coordinator_has_lost(const ag_coordinator *coordinator, int rank)
{
    return coordinator->seats[rank].lost;
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

/* Whether a rank of another host could take a job: a host that breaks one run may break the next.
 */
static bool is_elsewhere(const ag_coordinator *coordinator, int host)
{
    for (int rank = 0; rank < coordinator->ranks; rank++) {
        const rank_seat *seat = &coordinator->seats[rank];
        if (seat->joined && !seat->aside && seat->host != host)
            return true;
    }
    return false;
}

/* The client writes the assignment only now, when it is known who does it and what came out of
 * earlier attempts. */
static ag_status assign(ag_coordinator *coordinator, int rank, int64_t job, int32_t attempt)
{
    rank_seat *seat = &coordinator->seats[rank];
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
    seat->held[seat->n_held++] = (held_job){job, attempt};
    coordinator->out++;
    return status;
}

/* A job that failed waits for somebody else while there is somebody. */
static ag_status assign_next(ag_coordinator *coordinator, int rank)
{
    ag_queued next;
    int avoids = count_usable(coordinator) > 1 ? rank : -1;
    int host = coordinator->seats[rank].host;
    host = is_elsewhere(coordinator, host) ? host : -1;
    if (!ag_job_queue_pop(&next, &coordinator->queue, avoids, host))
        return AG_OK;
    return assign(coordinator, rank, next.job, next.attempt);
}

/* Everybody gets one to work on; then one ahead, so that nobody waits for us between two jobs. But
 * not near the end of the queue: there the one ahead could start at once on a rank that falls idle.
 */
static ag_status hand_out(ag_coordinator *coordinator)
{
    for (int held = 0; held < AG_MOST_HELD && !coordinator->draining; held++) {
        size_t spare = held == 0 ? 0 : (size_t)coordinator->ranks;
        for (int rank = 0; rank < coordinator->ranks; rank++) {
            const rank_seat *seat = &coordinator->seats[rank];
            if (ag_job_queue_length(&coordinator->queue) > spare && seat->joined && !seat->aside &&
                seat->n_held == held)
                AG_TRY(assign_next(coordinator, rank));
        }
    }
    return AG_OK;
}

/* For a rank whose host is unfit. The last one is kept: slow is better than nothing. */
ag_status ag_coordinator_set_aside(bool *done, ag_coordinator *coordinator, int rank)
{
    rank_seat *seat = &coordinator->seats[rank];
    *done = !seat->aside && count_usable(coordinator) > 1;
    if (!*done)
        return AG_OK;
    seat->aside = true;
    if (seat->n_held == 0)
        return AG_OK;
    return send_to(coordinator, rank, ag_message_make(AG_MSG_CANCEL, -1, 0));
}

/* What runs is asked to end, with a checkpoint if it can; what is queued stays for the next time.
 */
ag_status ag_coordinator_drain(ag_coordinator *coordinator)
{
    coordinator->draining = true;
    for (int rank = 0; rank < coordinator->ranks; rank++) {
        if (coordinator->seats[rank].n_held > 0)
            AG_TRY(send_to(coordinator, rank, ag_message_make(AG_MSG_CANCEL, -1, 0)));
    }
    return AG_OK;
}

/* --- taking in */

/* An attempt ended, in whatever way: the client learns it. `bytes` are those of one that is done.
 */
static ag_status deliver(ag_coordinator *coordinator, int rank, const ag_message *message,
                         const void *bytes, const char *reason)
{
    bool done = message->end == AG_JOB_DONE;
    const ag_job_result result = {.job = message->job,
                                  .attempt = message->attempt,
                                  .rank = rank,
                                  .end = (ag_job_end)message->end,
                                  .phase = message->phase,
                                  .value = message->value,
                                  .seconds = message->seconds,
                                  .spent_s = message->marked[0],
                                  .reason = reason,
                                  .bytes = done ? bytes : NULL,
                                  .size = done ? (size_t)message->total : 0};
    coordinator->out--;
    return coordinator->client->done(coordinator->client->context, &result);
}

/* Structs travel as they are, so all ranks must be of one build. These three members stand first in
 * every version, so that they can always be read. */
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

/* From the wire's struct to the client's. */
static ag_status on_progress(ag_coordinator *coordinator, const ag_letter *letter)
{
    const ag_message *message = &letter->message;
    ag_job_progress progress = {
        .job = message->job,
        .attempt = message->attempt,
        .rank = letter->from,
        .phase = message->phase,
        .step = message->step,
        .steps = message->steps,
        .value = message->value,
        .mark = message->mark,
        .marked = {message->marked[0], message->marked[1]},
        .seconds = message->seconds
    };
    coordinator->client->progress(coordinator->client->context, &progress);
    return AG_OK;
}

/* Takes an attempt off what a rank holds; false where it does not hold it. */
static bool remove_held(rank_seat *seat, const ag_message *message)
{
    for (int i = 0; i < seat->n_held; i++) {
        if (seat->held[i].job != message->job || seat->held[i].attempt != message->attempt)
            continue;
        seat->held[i] = seat->held[--seat->n_held];
        return true;
    }
    return false;
}

/* A result with bytes waits for its turn to be fetched; any other is complete as it is. */
static ag_status on_result(ag_coordinator *coordinator, const ag_letter *letter)
{
    rank_seat *seat = &coordinator->seats[letter->from];
    if (!remove_held(seat, &letter->message))
        return ag_fail(AG_ERR_BUG, "rank %d reported a job that it does not have", letter->from);
    if (letter->message.end == AG_JOB_DONE && letter->message.total > 0) {
        ag_intake_announce(&coordinator->intake, letter->from, &letter->message);
        return AG_OK;
    }
    return deliver(coordinator, letter->from, &letter->message, NULL, letter->body);
}

/* A piece that was damaged costs the attempt, not the program: the job is tried again. */
static ag_status on_piece(ag_coordinator *coordinator, const ag_letter *letter)
{
    ag_message result;
    bool whole = false;
    ag_intake *intake = &coordinator->intake;
    AG_TRY(ag_intake_add(&whole, intake, letter));
    if (!whole || !ag_intake_take(&result, intake, letter->from))
        return AG_OK;
    if (!intake->damaged)
        return deliver(coordinator, letter->from, &result, intake->bytes, "");
    result.end = AG_JOB_FAILED;
    return deliver(coordinator, letter->from, &result, NULL,
                   "its result was damaged on the way to rank 0");
}

/* That it was heard is all that it says (note_heard). */
static ag_status on_alive(ag_coordinator *coordinator, const ag_letter *letter)
{
    (void)coordinator;
    (void)letter;
    return AG_OK;
}

static ag_status on_bye(ag_coordinator *coordinator, const ag_letter *letter)
{
    coordinator->seats[letter->from].left = true;
    return AG_OK;
}

/* By a table of kinds; a kind that only supervisors get is a fault of the program. */
static ag_status handle(ag_coordinator *coordinator, const ag_letter *letter)
{
    static ag_status (*const handlers[AG_MSG_KINDS])(ag_coordinator *, const ag_letter *) = {
        [AG_MSG_READY] = on_ready,   [AG_MSG_PROGRESS] = on_progress, [AG_MSG_ALIVE] = on_alive,
        [AG_MSG_RESULT] = on_result, [AG_MSG_PIECE] = on_piece,       [AG_MSG_BYE] = on_bye,
    };
    uint32_t kind = letter->message.kind;
    if (kind >= AG_MSG_KINDS || handlers[kind] == NULL)
        return ag_fail(AG_ERR_BUG, "the coordinator got a message of kind %u", (unsigned)kind);
    return handlers[kind](coordinator, letter);
}

/* --- silence */

/* A job of a lost rank counts as cancelled, so that somebody else gets it. */
static ag_status take_back(ag_coordinator *coordinator, int rank, int64_t job, int32_t attempt)
{
    ag_message message = ag_message_make(AG_MSG_RESULT, job, attempt);
    message.end = AG_JOB_CANCELLED;
    return deliver(coordinator, rank, &message, NULL, "its rank fell silent");
}

/* Gives up a rank that was silent for too long. It may come back to life: note_heard() then drops
 * what it says, since its jobs are somebody else's by now. */
static ag_status give_up(ag_coordinator *coordinator, int rank)
{
    rank_seat *seat = &coordinator->seats[rank];
    const ag_client *client = coordinator->client;
    ag_message result;
    seat->lost = seat->left = true;
    seat->joined = false;
    AG_TRY(client->lost(client->context, rank, seat->quiet));
    if (ag_intake_take(&result, &coordinator->intake, rank))
        AG_TRY(take_back(coordinator, rank, result.job, result.attempt));
    while (seat->n_held > 0) {
        const held_job *last = &seat->held[--seat->n_held];
        AG_TRY(take_back(coordinator, rank, last->job, last->attempt));
    }
    return AG_OK;
}

/* Notes that a rank spoke; false where it counts no more. */
static bool note_heard(ag_coordinator *coordinator, int rank)
{
    coordinator->seats[rank].quiet = 0.0;
    return !coordinator->seats[rank].lost;
}

/* Adds what passed since the last look to everybody's silence, but at most a second: time in which
 * rank 0 itself did not run, or was busy, is not the others' silence. */
static ag_status count_silence(ag_coordinator *coordinator)
{
    double now = ag_clock_s();
    double passed = fmin(now - coordinator->looked, 1.0);
    double most = coordinator->patience_s;
    coordinator->looked = now;
    if (coordinator->draining)
        most = fmin(most, s_draining_patience_s);
    for (int rank = coordinator->local != NULL ? 1 : 0; most > 0 && rank < coordinator->ranks;
         rank++) {
        rank_seat *seat = &coordinator->seats[rank];
        seat->quiet += passed;
        if (!seat->left && seat->quiet > most)
            AG_TRY(give_up(coordinator, rank));
    }
    return AG_OK;
}

/* --- the loop */

/* Takes in one message, if there is one, and lets rank 0's own supervisor take a step. With
 * `discard`, at the end, only the last words count. */
static ag_status attend(bool *moved, ag_coordinator *coordinator, bool discard)
{
    ag_letter letter;
    bool got = false;
    AG_TRY(ag_post_receive(&got, &letter, coordinator->post, AG_COORDINATOR));
    if (got && note_heard(coordinator, letter.from) &&
        (!discard || letter.message.kind == AG_MSG_BYE))
        AG_TRY(handle(coordinator, &letter));
    AG_TRY(count_silence(coordinator));
    *moved = *moved || got;
    return coordinator->local != NULL ? ag_supervisor_step(moved, coordinator->local) : AG_OK;
}

static bool is_finished(const ag_coordinator *coordinator)
{
    bool empty = ag_job_queue_length(&coordinator->queue) == 0;
    return (empty || coordinator->draining) && coordinator->out == 0;
}

/* Attend first: results free seats, which the same round can fill. */
ag_status ag_coordinator_run(ag_coordinator *coordinator)
{
    ag_backoff backoff = {0};
    while (!is_finished(coordinator)) {
        bool moved = false;
        AG_TRY(attend(&moved, coordinator, false));
        AG_TRY(coordinator->client->tick(coordinator->client->context));
        AG_TRY(ag_intake_fetch(&coordinator->intake));
        AG_TRY(hand_out(coordinator));
        ag_backoff_wait(&backoff, moved);
    }
    return AG_OK;
}

/* The same question to every rank, under an index that no job has. */
ag_status ag_coordinator_survey(ag_coordinator *coordinator)
{
    for (int rank = 0; rank < coordinator->ranks; rank++) {
        if (!coordinator->seats[rank].lost)
            AG_TRY(assign(coordinator, rank, AG_JOB_SURVEY, 0));
    }
    return ag_coordinator_run(coordinator);
}

static bool all_joined(const ag_coordinator *coordinator)
{
    for (int rank = 0; rank < coordinator->ranks; rank++) {
        if (!coordinator->seats[rank].joined && !coordinator->seats[rank].lost)
            return false;
    }
    return true;
}

/* Waits for all ranks, so that the survey asks every one of them. */
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

/* After this nobody sends: MPI can be ended. */
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
