/* The coordinator and its supervisors on jobs that do nothing but count how often they were looked
 * at. Runs without mpirun and at any rank count; rank 0 checks, the others work. */
#include "scene.h"

enum { HUGE_RESULT = 100 * 1000 * 1000 };

static bool checks(void)
{
    return ag_post_rank(g_post) == 0;
}

/* True on the rank that checks what came of it. */
static bool play_well(scene *its)
{
    ag_status outcome = play(its);
    if (!checks())
        return false;
    assert_int_equal(outcome, AG_OK);
    return true;
}

static void assert_all_done(const scene *its)
{
    for (int job = 0; job < its->n_jobs; job++)
        assert_int_equal(its->done[job], 1);
}

static void test_every_job_once_longest_first(void **state)
{
    (void)state;
    scene its = g_empty;
    its.n_jobs = MOST_JOBS;
    for (int job = 0; job < its.n_jobs; job++) {
        its.jobs[job] = (fake_job){1 + job * 7 % 5, (size_t)(job * job) % 5000, 'd', 1};
        its.costs[job] = job * 37 % 101;
    }
    if (!play_well(&its))
        return;
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
    scene its = g_empty;
    its.n_jobs = sizeof sizes / sizeof sizes[0];
    for (int job = 0; job < its.n_jobs; job++)
        its.jobs[job] = (fake_job){1, sizes[job], 'd', 1};
    if (!play_well(&its))
        return;
    assert_all_done(&its);
}

static void test_failures_are_told_and_tried_again(void **state)
{
    (void)state;
    scene its = g_empty;
    its.n_jobs = 60;
    for (int job = 0; job < its.n_jobs; job++)
        its.jobs[job] = (fake_job){1, 10, "dfr"[job % 3], 1 + job % 4};
    if (!play_well(&its))
        return;
    for (int job = 0; job < its.n_jobs; job++) {
        assert_int_equal(its.done[job], 1);
        assert_int_equal(its.failed[job], job % 3 == 0 ? 0 : job % 4);
    }
}

static void test_failures_are_tried_again_on_another_host(void **state)
{
    (void)state;
    scene its = g_empty;
    its.n_jobs = 60;
    its.two_hosts = true;
    for (int job = 0; job < its.n_jobs; job++)
        its.jobs[job] = (fake_job){1, 10, "fr"[job % 2], 1 + job % 4};
    if (!play_well(&its))
        return;
    for (int job = 0; job < its.n_jobs; job++) {
        assert_int_equal(its.done[job], 1);
        assert_int_equal(its.failed[job], job % 4);
    }
}

/* Rank 1 fails whatever it is given: after three failures it is left alone. */
static void test_a_sick_rank_is_set_aside(void **state)
{
    (void)state;
    scene its = g_empty;
    if (ag_post_ranks(g_post) == 1)
        return;
    its.n_jobs = 60;
    g_sick = 0;
    for (int job = 0; job < its.n_jobs; job++)
        its.jobs[job] = (fake_job){3, 10, 's', 2};
    if (!play_well(&its))
        return;
    assert_true(g_sick <= 4); /* what it held was at work, or was not */
    assert_true(its.aside == (g_sick >= 3));
    assert_true(its.aside || ag_post_ranks(g_post) > 2);
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
    scene its = g_empty;
    if (ag_post_ranks(g_post) < 3)
        return;
    its.n_jobs = 60;
    its.two_hosts = true;
    g_sick = 0;
    for (int job = 0; job < its.n_jobs; job++)
        its.jobs[job] = (fake_job){3, 10, job % 10 == 9 ? 'f' : 's', 2};
    if (!play_well(&its))
        return;
    assert_all_done(&its);
}

/* Job 0 fails on rank 0, is tried again on rank 1, and given back there: rank 0 is free, but gets
 * it no more, since rank 2 is there too. */
static void test_what_is_given_back_stays_away_from_where_it_failed(void **state)
{
    (void)state;
    scene its = g_empty;
    if (ag_post_ranks(g_post) < 3)
        return;
    its.n_jobs = 1;
    its.jobs[0] = (fake_job){1, 10, 'w', 2};
    if (!play_well(&its))
        return;
    assert_true(its.aside);
    assert_int_equal(its.cancelled[0], 1);
    assert_int_equal(its.rank[0], 2);
}

/* Rank 1 hangs while the result of its first job is on its way: others do what it has, and nobody
 * waits for it. */
static void test_a_silent_rank_is_given_up(void **state)
{
    (void)state;
    scene its = g_empty;
    if (ag_post_ranks(g_post) == 1)
        return;
    its.n_jobs = 60;
    its.impatient = true;
    for (int job = 0; job < its.n_jobs; job++)
        its.jobs[job] = (fake_job){3, AG_PIECE_BYTES / 2, 'h', 1};
    if (!play_well(&its))
        return;
    assert_int_equal(its.lost, 1);
    int cancelled = 0;
    for (int job = 0; job < its.n_jobs; job++) {
        assert_int_equal(its.done[job], 1);
        cancelled += its.cancelled[job];
    }
    assert_in_range(cancelled, 1, 3); /* one on its way, one at work, one ahead */
}

static void test_each_failure_has_its_own_reason(void **state)
{
    (void)state;
    scene its = g_empty;
    its.n_jobs = 2;
    its.jobs[0] = (fake_job){1, 0, 'r', 2};
    its.jobs[1] = (fake_job){1, 0, 'r', 2};
    its.costs[0] = 1; /* on one rank it comes first */
    if (!play_well(&its))
        return;
    if (ag_post_ranks(g_post) == 1)
        assert_string_equal(its.reason, "job 1 does not start");
}

static void test_a_survey_asks_every_rank_once(void **state)
{
    (void)state;
    scene its = g_empty;
    its.surveys = 2;
    its.n_jobs = 5;
    for (int job = 0; job < its.n_jobs; job++)
        its.jobs[job] = (fake_job){1, 10, 'd', 1};
    if (!play_well(&its))
        return;
    for (int rank = 0; rank < ag_post_ranks(g_post); rank++)
        assert_int_equal(its.surveyed[rank], its.surveys);
    assert_int_equal(its.finished, its.n_jobs);
}

static void test_no_jobs(void **state)
{
    (void)state;
    scene its = g_empty;
    ag_status outcome = play(&its);
    if (checks())
        assert_int_equal(outcome, AG_OK);
}

/* Job 0 runs until the others are done: none of them may wait behind it. */
static void test_a_long_job_holds_nobody_up(void **state)
{
    (void)state;
    scene its = g_empty;
    if (ag_post_ranks(g_post) == 1)
        return;
    its.n_jobs = 1 + ag_post_ranks(g_post);
    its.drain_after = its.n_jobs - 1;
    its.costs[0] = 100;
    its.jobs[0] = (fake_job){0, 0, 'd', 1};
    for (int job = 1; job < its.n_jobs; job++)
        its.jobs[job] = (fake_job){1, 5, 'd', 1};
    if (!play_well(&its))
        return;
    assert_int_equal(its.cancelled[0], 1);
    assert_int_equal(its.finished, its.n_jobs - 1);
}

static void test_drain_ends_what_runs_and_starts_nothing(void **state)
{
    (void)state;
    scene its = g_empty;
    its.n_jobs = 100;
    its.drain_after = 10;
    for (int job = 0; job < its.n_jobs; job++) {
        its.jobs[job] = (fake_job){job < 10 ? 1 : 0, 100, 'd', 1};
        its.costs[job] = -job;
    }
    if (!play_well(&its))
        return;
    int touched = 0;
    for (int job = 0; job < its.n_jobs; job++) {
        assert_int_equal(its.done[job], job < 10 ? 1 : 0);
        assert_true(its.cancelled[job] <= 1);
        touched += its.cancelled[job];
    }
    assert_true(touched <= 2 * ag_post_ranks(g_post));
}

static void test_a_client_that_fails_ends_the_run(void **state)
{
    (void)state;
    scene its = g_empty;
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
    AG_TRY(ag_post_receive(&got, &letter, g_post, AG_SUPERVISOR));
    if (!got)
        return AG_OK;
    ag_message answer = letter.message;
    if (letter.message.kind == AG_MSG_ASSIGN) {
        answer.kind = AG_MSG_RESULT;
        answer.end = AG_JOB_DONE;
        answer.total = 1;
        return ag_post_send(g_post, AG_COORDINATOR, 0, &answer, NULL, 0);
    }
    answer.kind = AG_MSG_PIECE;
    answer.crc = its->crc;
    return ag_post_send(g_post, AG_COORDINATOR, 0, &answer, "9", 1);
}

static ag_status listen_to_liar(liar *its, const ag_message *ready)
{
    ag_status outcome = AG_OK;
    ag_client client = scene_client(&its->scene);
    client.tick = liar_tick;
    assert_ok(ag_post_send(g_post, AG_COORDINATOR, 0, ready, "rank 0", 6));
    assert_ok(ag_coordinator_create(&its->scene.coordinator, g_post, &client, NULL));
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
        cmocka_unit_test(test_a_silent_rank_is_given_up),
        cmocka_unit_test(test_a_damaged_piece_is_a_failed_job),
        cmocka_unit_test(test_another_build_is_refused),
    };
    if (ag_post_open(&g_post) != AG_OK) {
        fprintf(stderr, "%s\n", ag_error_message());
        return 1;
    }
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (failed != 0) /* the other ranks may wait for one that left its scene */
        ag_post_abort(g_post, 1);
    ag_post_close(g_post);
    return failed;
}
