/* The pool: every element once, by any number of threads, job after job, nested and asleep. */
#include "support.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "base/pool.h"

enum { MOST = 100000 };

static atomic_int s_visits[MOST];
static atomic_size_t s_largest;

static void visit(void *context, size_t begin, size_t end)
{
    (void)context;
    size_t seen = atomic_load(&s_largest);
    while (end - begin > seen && !atomic_compare_exchange_weak(&s_largest, &seen, end - begin))
        ;
    for (size_t i = begin; i < end; i++)
        atomic_fetch_add(&s_visits[i], 1);
}

typedef void share_fn(size_t count, size_t grain, ag_pool_body *body, void *context);

static void check_visits(share_fn *share, size_t count, size_t grain)
{
    for (size_t i = 0; i < MOST; i++)
        atomic_store(&s_visits[i], 0);
    atomic_store(&s_largest, 0);
    share(count, grain, visit, NULL);
    for (size_t i = 0; i < MOST; i++)
        assert_int_equal(atomic_load(&s_visits[i]), i < count ? 1 : 0);
}

static void test_every_element_once(void **state)
{
    (void)state;
    static const size_t counts[] = {0, 1, 2, 63, 64, 65, 4099, MOST};
    static const int threads[] = {1, 2, 3, 8};
    for (size_t t = 0; t < 4; t++) {
        assert_ok(ag_pool_start(threads[t]));
        assert_int_equal(ag_pool_threads(), threads[t]);
        for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
            check_visits(ag_pool_share, counts[i], 1000);
            assert_true(atomic_load(&s_largest) <= 1000);
            check_visits(ag_pool_share, counts[i], 64);
            assert_true(atomic_load(&s_largest) <= 64);
            check_visits(ag_pool_share_runs, counts[i], 64);
        }
        ag_pool_stop();
        assert_int_equal(ag_pool_threads(), 1);
    }
}

/* The longest run is half of a thread's lane: the others' ends are not waited for long. */
static void test_runs_are_longer_than_pieces(void **state)
{
    (void)state;
    enum { THREADS = 4, GRAIN = 24, COUNT = GRAIN * 400 };
    assert_ok(ag_pool_start(THREADS));
    check_visits(ag_pool_share_runs, COUNT, GRAIN);
    assert_in_range(atomic_load(&s_largest), GRAIN + 1, COUNT / THREADS / 2 + GRAIN);
    ag_pool_stop();
}

/* A sum of squares in pieces of fixed size: the same whoever computes which. */
typedef struct sums {
    const double *x;
    double part[MOST / 100];
} sums;

static void add_squares(void *context, size_t begin, size_t end)
{
    sums *s = context;
    double sum = 0;
    for (size_t i = begin; i < end; i++)
        sum += s->x[i] * s->x[i];
    s->part[begin / 100] = sum;
}

static void test_many_short_jobs(void **state)
{
    (void)state;
    static double x[MOST];
    static sums alone;
    static sums shared;
    for (size_t i = 0; i < MOST; i++)
        x[i] = 1.0 / (double)(i + 3);
    alone.x = shared.x = x;
    ag_pool_share(MOST, 100, add_squares, &alone);
    assert_ok(ag_pool_start(4));
    for (int job = 0; job < 300; job++) {
        memset(shared.part, 0, sizeof shared.part);
        ag_pool_share(MOST, 100, add_squares, &shared);
        assert_memory_equal(shared.part, alone.part, sizeof alone.part);
    }
    ag_pool_stop();
}

/* Threads that have gone to sleep are woken by the next job. */
static void test_wakes_sleepers(void **state)
{
    (void)state;
    const struct timespec long_enough = {.tv_nsec = 20 * 1000 * 1000};
    assert_ok(ag_pool_start(3));
    for (int job = 0; job < 5; job++) {
        nanosleep(&long_enough, NULL);
        check_visits(ag_pool_share, 4099, 64);
    }
    ag_pool_stop();
}

static void share_again(void *context, size_t begin, size_t end)
{
    ag_pool_share(end - begin, 8, visit, context);
}

static void test_a_body_that_shares_works_alone(void **state)
{
    (void)state;
    assert_ok(ag_pool_start(2));
    for (size_t i = 0; i < MOST; i++)
        atomic_store(&s_visits[i], 0);
    ag_pool_share(1000, 100, share_again, NULL);
    for (size_t i = 0; i < MOST; i++)
        assert_int_equal(atomic_load(&s_visits[i]), i < 100 ? 10 : 0);
    ag_pool_stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_element_once),
        cmocka_unit_test(test_runs_are_longer_than_pieces),
        cmocka_unit_test(test_many_short_jobs),
        cmocka_unit_test(test_wakes_sleepers),
        cmocka_unit_test(test_a_body_that_shares_works_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
