#include "scene.h"

#include <fcntl.h>
#include <mpi.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "farm/supervisor.h"

enum { LAST_WORD = -77 };

ag_post *g_post;
int g_sick;

/* --- the work */

typedef struct fake_worker {
    fake_job job;
    int64_t index;
    int32_t attempt;
    int ticks;
    bool cancelled;
    int held;    /* results that were not released */
    int started; /* jobs, like the next */
    int released;
} fake_worker;

static unsigned char pattern(int64_t job, size_t i)
{
    return (unsigned char)((i + (size_t)job * 977) * 2654435761u >> 11);
}

static ag_status fake_start(void *context, const ag_job *job)
{
    fake_worker *worker = context;
    fake_job *its = &worker->job;
    if (sscanf(job->bytes, "%d %zu %c %d", &its->ticks, &its->size, &its->end, &its->attempts) != 4)
        return ag_fail(AG_ERR_BUG, "assignment '%s'", job->bytes);
    worker->index = job->index;
    worker->attempt = job->attempt;
    worker->ticks = 0;
    worker->cancelled = false;
    worker->started++;
    if (its->end == 'r' && job->attempt + 1 < its->attempts)
        return ag_fail(AG_ERR_SYSTEM, "job %d does not start", (int)job->index);
    return AG_OK;
}

/* There once all jobs are done. The ranks are children of one launcher. */
static const char *end_marker(void)
{
    static char path[64];
    snprintf(path, sizeof path, "/tmp/altgrad-dist-%d", (int)getppid());
    return path;
}

/* As on a host that hangs: MPI does nothing either, so that what this rank was sending is stuck. */
static void hang(void)
{
    while (access(end_marker(), F_OK) != 0)
        ag_clock_nap(1e-3);
}

static bool fake_poll(void *context, ag_job_progress *progress)
{
    fake_worker *worker = context;
    progress->step = ++worker->ticks;
    progress->steps = worker->job.ticks;
    progress->value = (double)worker->index;
    bool hangs = worker->job.end == 'h' && ag_post_rank(g_post) == 1 && worker->started > 1;
    if (hangs && worker->released == 0)
        return true;
    if (hangs)
        hang();
    if (worker->job.end == 'w' && worker->attempt > 0 && ag_post_rank(g_post) == 1)
        return !worker->cancelled;
    /* of two ranks the healthy one would be through before the other has failed often enough */
    if (worker->job.end == 's' && ag_post_rank(g_post) == 0 && ag_post_ranks(g_post) == 2 &&
        g_sick < 3)
        return true;
    return !worker->cancelled && (worker->job.ticks == 0 || worker->ticks < worker->job.ticks);
}

static void fake_cancel(void *context)
{
    ((fake_worker *)context)->cancelled = true;
}

static void *fake_collect(void *context, ag_job_result *result)
{
    fake_worker *worker = context;
    worker->held++;
    result->phase = 7;
    result->value = (double)worker->index;
    result->reason = "";
    result->end = worker->cancelled ? AG_JOB_CANCELLED : AG_JOB_DONE;
    bool sick = worker->job.end == 's' && ag_post_rank(g_post) == 1 && !worker->cancelled;
    bool fails = worker->job.end == 'f' || worker->job.end == 'w';
    if (sick || (fails && worker->attempt + 1 < worker->job.attempts)) {
        result->end = AG_JOB_FAILED;
        result->reason = "it was to fail";
    }
    unsigned char *bytes = malloc(worker->job.size + 1);
    for (size_t i = 0; bytes != NULL && i < worker->job.size; i++)
        bytes[i] = pattern(worker->index, i);
    if (result->end == AG_JOB_DONE) {
        result->bytes = bytes;
        result->size = worker->job.size;
    }
    return bytes;
}

static void fake_release(void *context, void *held)
{
    fake_worker *worker = context;
    worker->held--;
    worker->released++; /* MPI has the last piece of it */
    free(held);
}

/* --- the client */

static ag_status client_joined(void *context, int rank, const char *greeting)
{
    scene *its = context;
    char expected[32];
    snprintf(expected, sizeof expected, "rank %d", rank);
    its->joined++;
    return strcmp(greeting, expected) == 0 ? AG_OK : ag_fail(AG_ERR_BUG, "'%s'", greeting);
}

static ag_status client_assign(void *context, ag_text *bytes, int64_t job, int32_t attempt)
{
    scene *its = context;
    if (job == AG_JOB_SURVEY) {
        ag_text_printf(bytes, "1 %d d 1", SURVEY_SIZE);
        return AG_OK;
    }
    const fake_job *fake = &its->jobs[job];
    ag_text_printf(bytes, "%d %zu %c %d", fake->ticks, fake->size, fake->end, fake->attempts);
    if (attempt == 0) {
        its->out_of_order |= its->costs[job] > its->last_cost;
        its->last_cost = its->costs[job];
    }
    return AG_OK;
}

static void client_progress(void *context, const ag_job_progress *progress)
{
    scene *its = context;
    if (progress->job >= 0 && progress->value == (double)progress->job)
        its->started[progress->job]++;
    its->waited |= progress->job >= 0 && progress->attempt > 0 && progress->rank == 1 &&
                   its->jobs[progress->job].end == 'w';
}

static bool intact(const ag_job_result *result, const fake_job *job)
{
    const unsigned char *bytes = result->bytes;
    bool same = result->size == job->size;
    for (size_t i = 0; same && i < result->size; i++)
        same = bytes[i] == pattern(result->job, i);
    return same;
}

/* A rank of the other host, unless its only one was set aside; never the same while there are two.
 */
static bool is_wrong_rank(const scene *its, int rank, int failed_on)
{
    bool same_host = its->two_hosts && rank % 2 == failed_on % 2;
    bool alone = its->aside && ag_post_ranks(g_post) == 3;
    return ag_post_ranks(g_post) > 1 && (rank == failed_on || (same_host && !alone));
}

static ag_status take_answer(scene *its, const ag_job_result *result)
{
    const fake_job asked = {.size = SURVEY_SIZE};
    its->surveyed[result->rank]++;
    return result->end == AG_JOB_DONE && intact(result, &asked)
               ? AG_OK
               : ag_fail(AG_ERR_BUG, "the answer of rank %d changed", result->rank);
}

static ag_status client_done(void *context, const ag_job_result *result)
{
    scene *its = context;
    if (result->job == AG_JOB_SURVEY)
        return take_answer(its, result);
    const fake_job *job = &its->jobs[result->job];
    int failed_on = its->failed_on[result->job] - 1;
    if (failed_on >= 0 && is_wrong_rank(its, result->rank, failed_on))
        return ag_fail(AG_ERR_BUG, "rank %d tried job %d again", result->rank, (int)result->job);
    its->rank[result->job] = result->rank;
    if (result->end == AG_JOB_FAILED) {
        its->failed[result->job]++;
        snprintf(its->reason, sizeof its->reason, "%s", result->reason);
        if (result->attempt + 1 < job->attempts)
            AG_TRY(ag_coordinator_retry(its->coordinator, result, its->costs[result->job]));
        its->failed_on[result->job] = 1 + result->rank;
        if (job->end == 's' && ++g_sick == 3) {
            AG_TRY(ag_coordinator_set_aside(&its->aside, its->coordinator, 1));
            return ag_coordinator_set_aside(&its->aside_twice, its->coordinator, 1);
        }
        return AG_OK;
    }
    if (result->end == AG_JOB_CANCELLED) {
        its->cancelled[result->job]++;
        if (!its->drained) /* it was given back by a rank that was set aside */
            return ag_coordinator_put_back(its->coordinator, result);
        return AG_OK;
    }
    if (!intact(result, job))
        return ag_fail(AG_ERR_BUG, "the bytes of job %d changed", (int)result->job);
    if (result->phase != 7 || result->value != (double)result->job)
        return ag_fail(AG_ERR_BUG, "the last word of job %d changed", (int)result->job);
    its->done[result->job]++;
    its->finished++;
    if (its->impatient && its->finished == its->n_jobs)
        assert_int_equal(close(creat(end_marker(), 0600)), 0);
    if (its->finished == its->fail_after)
        return ag_fail(AG_ERR_SYSTEM, "the disk is full");
    return AG_OK;
}

static ag_status client_lost(void *context, int rank, double silent_s)
{
    scene *its = context;
    its->lost++;
    return rank == 1 && silent_s > PATIENCE_S ? AG_OK
                                              : ag_fail(AG_ERR_BUG, "rank %d is lost", rank);
}

static ag_status client_tick(void *context)
{
    scene *its = context;
    if (its->waited && !its->aside)
        AG_TRY(ag_coordinator_set_aside(&its->aside, its->coordinator, 1));
    if (its->drain_after == 0 || its->finished < its->drain_after || its->drained)
        return AG_OK;
    its->drained = true;
    return ag_coordinator_drain(its->coordinator);
}

ag_client scene_client(scene *its)
{
    return (ag_client){.context = its,
                       .joined = client_joined,
                       .assign = client_assign,
                       .progress = client_progress,
                       .done = client_done,
                       .lost = client_lost,
                       .tick = client_tick};
}

/* --- a scene on all ranks */

const scene g_empty;

static ag_supervisor *join(ag_worker *worker, fake_worker *context)
{
    char greeting[32];
    ag_supervisor *supervisor = NULL;
    *context = (fake_worker){0};
    *worker = (ag_worker){context, fake_start, fake_poll, fake_cancel, fake_collect, fake_release};
    snprintf(greeting, sizeof greeting, "rank %d", ag_post_rank(g_post));
    assert_ok(ag_supervisor_create(&supervisor, g_post, worker, greeting));
    return supervisor;
}

/* Reads a message at rank 0; whether it was somebody's last word. */
static bool hears_last_word(void)
{
    bool got;
    ag_letter letter;
    assert_int_equal(ag_post_receive(&got, &letter, g_post, AG_COORDINATOR), AG_OK);
    return got && letter.message.job == LAST_WORD;
}

/* Nothing of this scene may reach the coordinator of the next, not even what a lost rank says when
 * it wakes at last. Nobody says the last word before rank 0's coordinator has ended, and rank 0
 * reads on until it has heard all of them. It reads while it waits, too: a lost rank stays in its
 * loop until the long message that it hung in has been received. */
static void part(void)
{
    const ag_message last = ag_message_make(AG_MSG_ALIVE, LAST_WORD, 0);
    const bool reads = ag_post_rank(g_post) == 0;
    int left = ag_post_ranks(g_post) - 1;
    int started = 0;
    MPI_Request all_here;
    MPI_Initialized(&started);
    if (!started)
        return;
    MPI_Ibarrier(MPI_COMM_WORLD, &all_here);
    for (int passed = 0; !passed;) {
        MPI_Test(&all_here, &passed, MPI_STATUS_IGNORE);
        left -= reads && hears_last_word();
    }
    if (!reads)
        assert_int_equal(ag_post_send(g_post, AG_COORDINATOR, 0, &last, NULL, 0), AG_OK);
    while (reads && left > 0)
        left -= hears_last_word();
    MPI_Barrier(MPI_COMM_WORLD);
    unlink(end_marker());
}

ag_status play(scene *its)
{
    ag_worker worker;
    fake_worker context;
    ag_status outcome = AG_OK;
    ag_supervisor *supervisor = join(&worker, &context);
    if (ag_post_rank(g_post) == 0) {
        const ag_client client = scene_client(its);
        its->last_cost = 1e300;
        assert_ok(ag_coordinator_create(&its->coordinator, g_post, &client, supervisor));
        for (int rank = 0; its->two_hosts && rank < ag_post_ranks(g_post); rank++)
            ag_coordinator_place(its->coordinator, rank, 3 + rank % 2);
        if (its->impatient)
            ag_coordinator_expect(its->coordinator, PATIENCE_S);
        assert_ok(ag_coordinator_gather(its->coordinator));
        assert_int_equal(its->joined, ag_post_ranks(g_post));
        for (int i = 0; i < its->surveys; i++)
            assert_ok(ag_coordinator_survey(its->coordinator));
        for (int job = 0; job < its->n_jobs; job++)
            assert_ok(ag_coordinator_add(its->coordinator, job, 0, its->costs[job]));
        outcome = ag_coordinator_run(its->coordinator);
        char message[256];
        snprintf(message, sizeof message, "%s", ag_error_message());
        assert_ok(ag_coordinator_stop(its->coordinator));
        ag_coordinator_destroy(its->coordinator);
        ag_error_clear();
        ag_fail(outcome, "%s", message);
    } else {
        assert_ok(ag_supervisor_run(supervisor));
    }
    ag_supervisor_destroy(supervisor);
    assert_int_equal(context.held, 0);
    part();
    return outcome;
}
