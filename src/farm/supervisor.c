/* A rank of the farm: takes assignments, has its worker do them one at a time, and hands back
 * results. Nothing here waits: a step looks at messages, at the worker, and at the result that is
 * being handed over, and returns. While a result waits for its turn at rank 0 the next job is
 * already at work. */
#include "farm/supervisor.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/crc32.h"
#include "farm_internal.h"

/* How often progress is sent while something changes, and life is shown while nothing does. */
static const double s_progress_every_s = 0.25;
static const double s_alive_every_s = 1.0;

typedef struct assignment {
    int64_t job;
    int32_t attempt;
    char *bytes;
    size_t size;
} assignment;

struct ag_supervisor {
    ag_post *post;
    const ag_worker *worker;

    assignment held[AG_MOST_HELD]; /* held[0] is the one at work while `working` */
    size_t n_held;
    bool working;
    bool ended; /* the worker is through with held[0]; its result waits for `upload` */
    double began;
    double progress_at;
    ag_job_progress progress; /* as last sent */

    void *upload; /* what holds the result that is being handed over; NULL when none is */
    ag_job_result result;
    bool fetched; /* the coordinator has room for it */
    size_t sent;

    double spoke; /* when it last sent anything */
    bool stopped;
};

static ag_status send_home(ag_supervisor *supervisor, const ag_message *message, const void *body,
                           size_t size)
{
    supervisor->spoke = ag_clock_s();
    return ag_post_send(supervisor->post, AG_COORDINATOR, 0, message, body, size);
}

/* Joins by its first message; until it is answered there is nothing to do. */
ag_status ag_supervisor_create(ag_supervisor **out, ag_post *post, const ag_worker *worker,
                               const char *greeting)
{
    ag_supervisor *supervisor = calloc(1, sizeof *supervisor);
    if (supervisor == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    supervisor->post = post;
    supervisor->worker = worker;
    ag_message ready = ag_message_make(AG_MSG_READY, -1, 0);
    ag_status status = send_home(supervisor, &ready, greeting, strlen(greeting));
    if (status != AG_OK) {
        free(supervisor);
        return status;
    }
    *out = supervisor;
    return AG_OK;
}

/* The worker may let go of the memory that holds the result. */
static void end_upload(ag_supervisor *supervisor)
{
    if (supervisor->upload != NULL)
        supervisor->worker->release(supervisor->worker->context, supervisor->upload);
    supervisor->upload = NULL;
}

void ag_supervisor_destroy(ag_supervisor *supervisor)
{
    if (supervisor == NULL)
        return;
    end_upload(supervisor);
    for (size_t i = 0; i < supervisor->n_held; i++)
        free(supervisor->held[i].bytes);
    free(supervisor);
}

/* --- results */

/* Forgets held[index]; the one behind it moves up. */
static void drop(ag_supervisor *supervisor, size_t index)
{
    free(supervisor->held[index].bytes);
    supervisor->n_held--;
    for (size_t i = index; i < supervisor->n_held; i++)
        supervisor->held[i] = supervisor->held[i + 1];
}

/* The result of held[index], which is dropped: from here on it is the coordinator's. */
static ag_status report(ag_supervisor *supervisor, size_t index, const ag_job_result *result)
{
    const assignment *job = &supervisor->held[index];
    ag_message message = ag_message_make(AG_MSG_RESULT, job->job, job->attempt);
    message.end = (int32_t)result->end;
    message.total = result->size;
    message.phase = result->phase;
    message.value = result->value;
    message.seconds = result->seconds;
    message.marked[0] = result->spent_s;
    drop(supervisor, index);
    return send_home(supervisor, &message, result->reason, strlen(result->reason));
}

/* The next piece, as soon as the last has arrived: at most one is on its way, so that a slow
 * network holds no more than that in memory. */
static ag_status send_piece(bool *moved, ag_supervisor *supervisor)
{
    const ag_job_result *result = &supervisor->result;
    if (supervisor->upload == NULL || !supervisor->fetched || !ag_post_delivered(supervisor->post))
        return AG_OK;
    *moved = true;
    size_t left = result->size - supervisor->sent;
    size_t size = left < AG_PIECE_BYTES ? left : AG_PIECE_BYTES;
    const unsigned char *bytes = (const unsigned char *)result->bytes + supervisor->sent;
    ag_message message = ag_message_make(AG_MSG_PIECE, result->job, result->attempt);
    message.crc = ag_crc32(bytes, size);
    message.offset = supervisor->sent;
    AG_TRY(send_home(supervisor, &message, bytes, size));
    supervisor->sent += size;
    if (supervisor->sent == result->size)
        end_upload(supervisor);
    return AG_OK;
}

/* --- work */

/* A job that cannot start is reported as failed; the supervisor lives on. */
static ag_status begin(ag_supervisor *supervisor)
{
    const assignment *next = &supervisor->held[0];
    ag_job job = {
        .index = next->job, .attempt = next->attempt, .bytes = next->bytes, .size = next->size};
    ag_error_clear(); /* the reason of an earlier job must not stand for this one's */
    supervisor->began = ag_clock_s();
    supervisor->progress = (ag_job_progress){.job = -1};
    if (supervisor->worker->start(supervisor->worker->context, &job) != AG_OK) {
        ag_job_result failed = {.end = AG_JOB_FAILED, .reason = ag_error_message()};
        return report(supervisor, 0, &failed);
    }
    supervisor->working = true;
    return AG_OK;
}

static bool same_progress(const ag_job_progress *a, const ag_job_progress *b)
{
    return a->job == b->job && a->step == b->step && a->steps == b->steps && a->phase == b->phase &&
           a->mark == b->mark;
}

/* At once when a job begins, so that it is seen; then a few times a second, and only what changed.
 */
static ag_status send_progress(ag_supervisor *supervisor, ag_job_progress *progress)
{
    double now = ag_clock_s();
    bool first = supervisor->progress.job < 0;
    progress->job = supervisor->held[0].job;
    if (same_progress(progress, &supervisor->progress) ||
        (!first && now - supervisor->progress_at < s_progress_every_s))
        return AG_OK;
    supervisor->progress = *progress;
    supervisor->progress_at = now;
    ag_message message =
        ag_message_make(AG_MSG_PROGRESS, progress->job, supervisor->held[0].attempt);
    message.step = progress->step;
    message.steps = progress->steps;
    message.value = progress->value;
    message.mark = progress->mark;
    memcpy(message.marked, progress->marked, sizeof message.marked);
    message.phase = progress->phase;
    message.seconds = now - supervisor->began;
    return send_home(supervisor, &message, NULL, 0);
}

/* Hands over what ended; with the result of an earlier job still here it has to wait. */
static ag_status hand_over(ag_supervisor *supervisor)
{
    const ag_worker *worker = supervisor->worker;
    supervisor->result = (ag_job_result){.job = supervisor->held[0].job,
                                         .attempt = supervisor->held[0].attempt,
                                         .seconds = ag_clock_s() - supervisor->began,
                                         .reason = ""};
    supervisor->upload = worker->collect(worker->context, &supervisor->result);
    supervisor->working = false;
    supervisor->ended = false;
    supervisor->fetched = false;
    supervisor->sent = 0;
    ag_status status = report(supervisor, 0, &supervisor->result);
    if (supervisor->result.size == 0)
        end_upload(supervisor);
    return status;
}

/* The worker's turn: look at what runs, hand over what ended, begin what waits. */
static ag_status work(bool *moved, ag_supervisor *supervisor)
{
    ag_job_progress progress = {0};
    if (supervisor->working && !supervisor->ended) {
        bool runs = supervisor->worker->poll(supervisor->worker->context, &progress);
        AG_TRY(send_progress(supervisor, &progress));
        supervisor->ended = !runs;
    }
    if (supervisor->ended && supervisor->upload == NULL) {
        *moved = true;
        AG_TRY(hand_over(supervisor));
    }
    if (!supervisor->working && supervisor->n_held > 0) {
        *moved = true;
        return begin(supervisor);
    }
    return AG_OK;
}

static ag_status show_life(ag_supervisor *supervisor)
{
    if (ag_clock_s() - supervisor->spoke < s_alive_every_s)
        return AG_OK;
    ag_message alive = ag_message_make(AG_MSG_ALIVE, -1, 0);
    return send_home(supervisor, &alive, NULL, 0);
}

/* --- messages */

/* The bytes are copied: a letter is valid until the next one. */
static ag_status on_assign(ag_supervisor *supervisor, const ag_letter *letter)
{
    if (supervisor->n_held == AG_MOST_HELD)
        return ag_fail(AG_ERR_BUG, "a supervisor was given more than %d jobs", AG_MOST_HELD);
    char *bytes = malloc(letter->size + 1);
    if (bytes == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    memcpy(bytes, letter->body, letter->size + 1);
    supervisor->held[supervisor->n_held++] = (assignment){.job = letter->message.job,
                                                          .attempt = letter->message.attempt,
                                                          .bytes = bytes,
                                                          .size = letter->size};
    return AG_OK;
}

static ag_status on_fetch(ag_supervisor *supervisor, const ag_letter *letter)
{
    (void)letter;
    supervisor->fetched = true;
    return AG_OK;
}

/* What is at work ends by itself, perhaps with a checkpoint; what is ahead goes back at once. */
static ag_status on_cancel(ag_supervisor *supervisor, const ag_letter *letter)
{
    (void)letter;
    const ag_job_result given_back = {.end = AG_JOB_CANCELLED, .reason = "not started"};
    if (supervisor->working)
        supervisor->worker->cancel(supervisor->worker->context);
    while (supervisor->n_held > (supervisor->working ? 1 : 0))
        AG_TRY(report(supervisor, supervisor->n_held - 1, &given_back));
    return AG_OK;
}

static ag_status on_stop(ag_supervisor *supervisor, const ag_letter *letter)
{
    ag_message bye = ag_message_make(AG_MSG_BYE, -1, 0);
    supervisor->stopped = true;
    (void)letter;
    return send_home(supervisor, &bye, NULL, 0);
}

static ag_status handle(ag_supervisor *supervisor, const ag_letter *letter)
{
    static ag_status (*const handlers[AG_MSG_KINDS])(ag_supervisor *, const ag_letter *) = {
        [AG_MSG_ASSIGN] = on_assign,
        [AG_MSG_FETCH] = on_fetch,
        [AG_MSG_CANCEL] = on_cancel,
        [AG_MSG_STOP] = on_stop,
    };
    uint32_t kind = letter->message.kind;
    if (kind >= AG_MSG_KINDS || handlers[kind] == NULL)
        return ag_fail(AG_ERR_BUG, "a supervisor got a message of kind %u", (unsigned)kind);
    return handlers[kind](supervisor, letter);
}

/* All messages first: a cancellation should not wait behind a new job. */
ag_status ag_supervisor_step(bool *moved, ag_supervisor *supervisor)
{
    ag_letter letter;
    bool got = true;
    while (!supervisor->stopped) {
        AG_TRY(ag_post_receive(&got, &letter, supervisor->post, AG_SUPERVISOR));
        if (!got)
            break;
        *moved = true;
        AG_TRY(handle(supervisor, &letter));
    }
    if (supervisor->stopped)
        return AG_OK;
    AG_TRY(work(moved, supervisor));
    AG_TRY(send_piece(moved, supervisor));
    return show_life(supervisor);
}

/* Stays after STOP until the last word has been delivered, or MPI would lose it. */
ag_status ag_supervisor_run(ag_supervisor *supervisor)
{
    ag_backoff backoff = {0};
    while (!supervisor->stopped || !ag_post_delivered(supervisor->post)) {
        bool moved = false;
        AG_TRY(ag_supervisor_step(&moved, supervisor));
        ag_backoff_wait(&backoff, moved);
    }
    return AG_OK;
}
