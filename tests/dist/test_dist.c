/* The coordinator and its supervisors on jobs that do nothing but count how often they were looked
 * at. Runs without mpirun and at any rank count; rank 0 checks, the others work. */
#include "support.h"

#include <mpi.h>
#include <stdlib.h>

#include "base/clock.h"
#include "dist/coordinator.h"
#include "dist/post.h"
#include "dist/supervisor.h"

enum { MOST_JOBS = 200, HUGE_RESULT = 100 * 1000 * 1000, MOST_RANKS = 16, SURVEY_SIZE = 1000 };

static ag_post *s_post;
static int s_sick; /* failures of rank 1, known to rank 0 */

/* --- the work: "ticks size end attempts", where end is what becomes of the attempts before the
 * last one: f(ails), r(efuses to start) or d(one); s(ick): fails on rank 1; w(aits): fails at
 * first, then does not end on rank 1; 0 ticks = for ever */

typedef struct fake_job {
    int ticks;
    size_t size;
    char end;
    int attempts;
} fake_job;

typedef struct fake_worker {
    fake_job job;
    int64_t index;
    int32_t attempt;
    int ticks;
    bool cancelled;
    int held; /* results that were not released */
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
    if (its->end == 'r' && job->attempt + 1 < its->attempts)
        return ag_fail(AG_ERR_SYSTEM, "job %d does not start", (int)job->index);
    return AG_OK;
}

static bool fake_poll(void *context, ag_job_progress *progress)
{
    fake_worker *worker = context;
    progress->step = ++worker->ticks;
    progress->steps = worker->job.ticks;
    progress->value = (double)worker->index;
    if (worker->job.end == 'w' && worker->attempt > 0 && ag_post_rank(s_post) == 1)
        return !worker->cancelled;
    /* of two ranks the healthy one would be through before the other has failed often enough */
    if (worker->job.end == 's' && ag_post_rank(s_post) == 0 && ag_post_ranks(s_post) == 2 &&
        s_sick < 3)
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
    bool sick = worker->job.end == 's' && ag_post_rank(s_post) == 1 && !worker->cancelled;
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
    ((fake_worker *)context)->held--;
    free(held);
}

/* --- the client */

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
    bool waited; /* rank 1 is at a job that does not end there */
    bool aside;
    bool aside_twice;
    double last_cost;
    bool out_of_order;
    char reason[256]; /* of the last failure */
} scene;

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
    bool alone = its->aside && ag_post_ranks(s_post) == 3;
    return ag_post_ranks(s_post) > 1 && (rank == failed_on || (same_host && !alone));
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
        if (job->end == 's' && ++s_sick == 3) {
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
    if (its->finished == its->fail_after)
        return ag_fail(AG_ERR_SYSTEM, "the disk is full");
    return AG_OK;
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

/* --- a scene on all ranks */

static const scene s_empty;

static ag_supervisor *join(ag_worker *worker, fake_worker *context)
{
    char greeting[32];
    ag_supervisor *supervisor = NULL;
    *context = (fake_worker){0};
    *worker = (ag_worker){context, fake_start, fake_poll, fake_cancel, fake_collect, fake_release};
    snprintf(greeting, sizeof greeting, "rank %d", ag_post_rank(s_post));
    assert_ok(ag_supervisor_create(&supervisor, s_post, worker, greeting));
    return supervisor;
}

/* Plays the scene; what ag_coordinator_run says comes back on rank 0. */
static ag_status play(scene *its)
{
    ag_worker worker;
    fake_worker context;
    ag_status outcome = AG_OK;
    ag_supervisor *supervisor = join(&worker, &context);
    if (ag_post_rank(s_post) == 0) {
        const ag_client client = {its,         client_joined, client_assign, client_progress,
                                  client_done, client_tick};
        its->last_cost = 1e300;
        assert_ok(ag_coordinator_create(&its->coordinator, s_post, &client, supervisor));
        for (int rank = 0; its->two_hosts && rank < ag_post_ranks(s_post); rank++)
            ag_coordinator_place(its->coordinator, rank, 3 + rank % 2);
        assert_ok(ag_coordinator_gather(its->coordinator));
        assert_int_equal(its->joined, ag_post_ranks(s_post));
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
    int started = 0;
    MPI_Initialized(&started);
    if (started) /* a supervisor of the next scene must not meet the coordinator of this one */
        MPI_Barrier(MPI_COMM_WORLD);
    return outcome;
}

static bool checks(void)
{
    return ag_post_rank(s_post) == 0;
}

static void test_every_job_once_longest_first(void **state)
{
    (void)state;
    scene its = s_empty;
    its.n_jobs = MOST_JOBS;
    for (int job = 0; job < its.n_jobs; job++) {
        its.jobs[job] = (fake_job){1 + job * 7 % 5, (size_t)(job * job) % 5000, 'd', 1};
        its.costs[job] = job * 37 % 101;
    }
    ag_status outcome = play(&its);
    if (!checks())
        return;
    assert_int_equal(outcome, AG_OK);
    assert_int_equal(its.finished, its.n_jobs);
    assert_false(its.out_of_order);
    for (int job = 0; job < its.n_jobs; job++) {
        assert_int_equal(its.done[job], 1);
        assert_true(its.started[job] >= 1);
    }
}

static void test_results_of_all_sizes_arrive_intact(void **state)
{
    (void)state;
    static const size_t sizes[] = {0,
                                   1,
                                   AG_PIECE_BYTES - 1,
                                   AG_PIECE_BYTES,
                                   AG_PIECE_BYTES + 1,
                                   (size_t)2 * AG_PIECE_BYTES,
                                   HUGE_RESULT};
    scene its = s_empty;
    its.n_jobs = sizeof sizes / sizeof sizes[0];
    for (int job = 0; job < its.n_jobs; job++)
        its.jobs[job] = (fake_job){1, sizes[job], 'd', 1};
    ag_status outcome = play(&its);
    if (!checks())
        return;
    assert_int_equal(outcome, AG_OK);
    for (int job = 0; job < its.n_jobs; job++)
        assert_int_equal(its.done[job], 1);
}

static void test_failures_are_told_and_tried_again(void **state)
{
    (void)state;
    scene its = s_empty;
    its.n_jobs = 60;
    for (int job = 0; job < its.n_jobs; job++)
        its.jobs[job] = (fake_job){1, 10, "dfr"[job % 3], 1 + job % 4};
    ag_status outcome = play(&its);
    if (!checks())
        return;
    assert_int_equal(outcome, AG_OK);
    for (int job = 0; job < its.n_jobs; job++) {
        assert_int_equal(its.done[job], 1);
        assert_int_equal(its.failed[job], job % 3 == 0 ? 0 : job % 4);
    }
}

static void test_failures_are_tried_again_on_another_host(void **state)
{
    (void)state;
    scene its = s_empty;
    its.n_jobs = 60;
    its.two_hosts = true;
    for (int job = 0; job < its.n_jobs; job++)
        its.jobs[job] = (fake_job){1, 10, "fr"[job % 2], 1 + job % 4};
    ag_status outcome = play(&its);
    if (!checks())
        return;
    assert_int_equal(outcome, AG_OK);
    for (int job = 0; job < its.n_jobs; job++) {
        assert_int_equal(its.done[job], 1);
        assert_int_equal(its.failed[job], job % 4);
    }
}

/* Rank 1 fails whatever it is given: after three failures it is left alone. */
static void test_a_sick_rank_is_set_aside(void **state)
{
    (void)state;
    scene its = s_empty;
    if (ag_post_ranks(s_post) == 1)
        return;
    its.n_jobs = 60;
    s_sick = 0;
    for (int job = 0; job < its.n_jobs; job++)
        its.jobs[job] = (fake_job){3, 10, 's', 2};
    ag_status outcome = play(&its);
    if (!checks())
        return;
    assert_int_equal(outcome, AG_OK);
    assert_true(s_sick <= 4); /* what it held was at work, or was not */
    assert_true(its.aside == (s_sick >= 3));
    assert_true(its.aside || ag_post_ranks(s_post) > 2);
    assert_false(its.aside_twice);
    for (int job = 0; job < its.n_jobs; job++) {
        assert_int_equal(its.done[job], 1);
        assert_int_not_equal(its.rank[job], 1);
    }
}

/* Rank 1, alone on its host with three ranks: what fails there is done on the other host, and what
 * fails on the other host by another rank of it. */
static void test_a_sick_host_is_done_without(void **state)
{
    (void)state;
    scene its = s_empty;
    if (ag_post_ranks(s_post) < 3)
        return;
    its.n_jobs = 60;
    its.two_hosts = true;
    s_sick = 0;
    for (int job = 0; job < its.n_jobs; job++)
        its.jobs[job] = (fake_job){3, 10, job % 10 == 9 ? 'f' : 's', 2};
    ag_status outcome = play(&its);
    if (!checks())
        return;
    assert_int_equal(outcome, AG_OK);
    for (int job = 0; job < its.n_jobs; job++)
        assert_int_equal(its.done[job], 1);
}

/* Job 0 fails on rank 0, is tried again on rank 1, and given back there: rank 0 is free, but gets
 * it no more, since rank 2 is there too. */
static void test_what_is_given_back_stays_away_from_where_it_failed(void **state)
{
    (void)state;
    scene its = s_empty;
    if (ag_post_ranks(s_post) < 3)
        return;
    its.n_jobs = 1;
    its.jobs[0] = (fake_job){1, 10, 'w', 2};
    ag_status outcome = play(&its);
    if (!checks())
        return;
    assert_int_equal(outcome, AG_OK);
    assert_true(its.aside);
    assert_int_equal(its.cancelled[0], 1);
    assert_int_equal(its.rank[0], 2);
}

static void test_each_failure_has_its_own_reason(void **state)
{
    (void)state;
    scene its = s_empty;
    its.n_jobs = 2;
    its.jobs[0] = (fake_job){1, 0, 'r', 2};
    its.jobs[1] = (fake_job){1, 0, 'r', 2};
    its.costs[0] = 1; /* on one rank it comes first */
    ag_status outcome = play(&its);
    if (!checks())
        return;
    assert_int_equal(outcome, AG_OK);
    if (ag_post_ranks(s_post) == 1)
        assert_string_equal(its.reason, "job 1 does not start");
}

static void test_a_survey_asks_every_rank_once(void **state)
{
    (void)state;
    scene its = s_empty;
    its.surveys = 2;
    its.n_jobs = 5;
    for (int job = 0; job < its.n_jobs; job++)
        its.jobs[job] = (fake_job){1, 10, 'd', 1};
    ag_status outcome = play(&its);
    if (!checks())
        return;
    assert_int_equal(outcome, AG_OK);
    for (int rank = 0; rank < ag_post_ranks(s_post); rank++)
        assert_int_equal(its.surveyed[rank], its.surveys);
    assert_int_equal(its.finished, its.n_jobs);
}

static void test_no_jobs(void **state)
{
    (void)state;
    scene its = s_empty;
    ag_status outcome = play(&its);
    if (checks())
        assert_int_equal(outcome, AG_OK);
}

/* Job 0 runs until the others are done: none of them may wait behind it. */
static void test_a_long_job_holds_nobody_up(void **state)
{
    (void)state;
    scene its = s_empty;
    if (ag_post_ranks(s_post) == 1)
        return;
    its.n_jobs = 1 + ag_post_ranks(s_post);
    its.drain_after = its.n_jobs - 1;
    its.costs[0] = 100;
    its.jobs[0] = (fake_job){0, 0, 'd', 1};
    for (int job = 1; job < its.n_jobs; job++)
        its.jobs[job] = (fake_job){1, 5, 'd', 1};
    ag_status outcome = play(&its);
    if (!checks())
        return;
    assert_int_equal(outcome, AG_OK);
    assert_int_equal(its.cancelled[0], 1);
    assert_int_equal(its.finished, its.n_jobs - 1);
}

static void test_drain_ends_what_runs_and_starts_nothing(void **state)
{
    (void)state;
    scene its = s_empty;
    its.n_jobs = 100;
    its.drain_after = 10;
    for (int job = 0; job < its.n_jobs; job++) {
        its.jobs[job] = (fake_job){job < 10 ? 1 : 0, 100, 'd', 1};
        its.costs[job] = -job;
    }
    ag_status outcome = play(&its);
    if (!checks())
        return;
    assert_int_equal(outcome, AG_OK);
    int touched = 0;
    for (int job = 0; job < its.n_jobs; job++) {
        assert_int_equal(its.done[job], job < 10 ? 1 : 0);
        assert_true(its.cancelled[job] <= 1);
        touched += its.cancelled[job];
    }
    assert_true(touched <= 2 * ag_post_ranks(s_post));
}

static void test_a_client_that_fails_ends_the_run(void **state)
{
    (void)state;
    scene its = s_empty;
    its.n_jobs = 50;
    its.fail_after = 3;
    for (int job = 0; job < its.n_jobs; job++)
        its.jobs[job] = (fake_job){job % 3, 3 * AG_PIECE_BYTES / 2, 'd', 1};
    for (int job = 0; job < its.n_jobs; job++) /* the endless ones come last */
        its.costs[job] = job % 3 == 0 ? 0 : 1;
    ag_status outcome = play(&its);
    if (!checks())
        return;
    assert_int_equal(outcome, AG_ERR_SYSTEM);
    assert_string_equal(ag_error_message(), "the disk is full");
    assert_int_equal(its.finished, 3);
}

/* --- a supervisor that lies: the test plays it, within rank 0 */

typedef struct liar {
    scene scene;
    uint32_t crc;
} liar;

static ag_status liar_tick(void *context)
{
    liar *its = context;
    ag_letter letter;
    bool got;
    AG_TRY(ag_post_receive(&got, &letter, s_post, AG_SUPERVISOR));
    if (!got)
        return AG_OK;
    ag_message answer = letter.message;
    if (letter.message.kind == AG_MSG_ASSIGN) {
        answer.kind = AG_MSG_RESULT;
        answer.end = AG_JOB_DONE;
        answer.total = 1;
        return ag_post_send(s_post, AG_COORDINATOR, 0, &answer, NULL, 0);
    }
    answer.kind = AG_MSG_PIECE;
    answer.crc = its->crc;
    return ag_post_send(s_post, AG_COORDINATOR, 0, &answer, "9", 1);
}

static ag_status listen_to_liar(liar *its, const ag_message *ready)
{
    ag_status outcome = AG_OK;
    const ag_client client = {its,         client_joined, client_assign, client_progress,
                              client_done, liar_tick};
    assert_ok(ag_post_send(s_post, AG_COORDINATOR, 0, ready, "rank 0", 6));
    assert_ok(ag_coordinator_create(&its->scene.coordinator, s_post, &client, NULL));
    assert_ok(ag_coordinator_add(its->scene.coordinator, 0, 0, 1));
    ag_error_clear();
    outcome = ag_coordinator_run(its->scene.coordinator);
    ag_coordinator_destroy(its->scene.coordinator);
    return outcome;
}

static void test_a_damaged_piece_is_a_failed_job(void **state)
{
    (void)state;
    liar its = {.crc = 0xbad};
    its.scene.jobs[0] = (fake_job){1, 1, 'd', 1};
    ag_message ready = ag_message_make(AG_MSG_READY, -1, 0);
    if (!checks())
        return;
    assert_int_equal(listen_to_liar(&its, &ready), AG_OK);
    assert_int_equal(its.scene.failed[0], 1);
    assert_string_equal(its.scene.reason, "its result was damaged on the way to rank 0");
}

static void test_another_build_is_refused(void **state)
{
    (void)state;
    liar its = {.crc = 0};
    ag_message ready = ag_message_make(AG_MSG_READY, -1, 0);
    ready.version++;
    if (!checks())
        return;
    assert_int_equal(listen_to_liar(&its, &ready), AG_ERR_SYSTEM);
    assert_string_equal(ag_error_message(), "rank 0 runs another build of altgrad than rank 0: "
                                            "start the same one on every host");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_job_once_longest_first),
        cmocka_unit_test(test_results_of_all_sizes_arrive_intact),
        cmocka_unit_test(test_failures_are_told_and_tried_again),
        cmocka_unit_test(test_failures_are_tried_again_on_another_host),
        cmocka_unit_test(test_a_sick_host_is_done_without),
        cmocka_unit_test(test_a_sick_rank_is_set_aside),
        cmocka_unit_test(test_what_is_given_back_stays_away_from_where_it_failed),
        cmocka_unit_test(test_each_failure_has_its_own_reason),
        cmocka_unit_test(test_a_survey_asks_every_rank_once),
        cmocka_unit_test(test_no_jobs),
        cmocka_unit_test(test_a_long_job_holds_nobody_up),
        cmocka_unit_test(test_drain_ends_what_runs_and_starts_nothing),
        cmocka_unit_test(test_a_client_that_fails_ends_the_run),
        cmocka_unit_test(test_a_damaged_piece_is_a_failed_job),
        cmocka_unit_test(test_another_build_is_refused),
    };
    if (ag_post_open(&s_post) != AG_OK) {
        fprintf(stderr, "%s\n", ag_error_message());
        return 1;
    }
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (failed != 0) /* the other ranks may wait for one that left its scene */
        ag_post_abort(s_post, 1);
    ag_post_close(s_post);
    return failed;
}
