/* One job at a time: the caller opens it and raises `generation`; every thread that sees it takes
 * pieces until none is left; then the caller closes it and waits for those that are still inside.
 *
 *   caller   job, open, generation++   pieces ...                       close, waits for inside = 0
 *   others   see a new generation      inside++, pieces if it is open ..., inside--
 *
 * Each thread has a lane, an equal run of the job's pieces, and begins with its own: the same rows
 * of one tensor after another meet the same core, whose caches hold them. Between two cores a line
 * that one has written travels so slowly that passes over memory gained nothing from a second core
 * before there were lanes. A thread whose lane is empty goes on with the others', so that one that
 * has no core at the moment is not waited for. Kernels follow each other within microseconds, so a
 * thread without work looks for a while before it sleeps; a sleeping one is woken through the
 * condition variable. */
#include "base/pool.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
    LOOKS = 4000, /* at the next job before a thread sleeps: some 20 to 50 microseconds */
    LINE = 64     /* bytes that caches move at once, on most processors */
};

/* Pieces of a job that are still to be taken: begin <= next < end. */
typedef struct lane {
    _Alignas(LINE) atomic_size_t next;
    size_t end;
} lane;

typedef struct worker {
    pthread_t id;
    int number;
} worker;

static struct {
    int threads;     /* 0: never started */
    worker *workers; /* all but the caller */
    lane *lanes;     /* of each thread */
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    atomic_uint generation;
    atomic_int sleepers;
    atomic_int inside;
    atomic_bool open;
    atomic_bool ends;

    /* the job */
    ag_pool_body *body;
    void *context;
    size_t count;
    size_t grain;
    bool in_runs;
} s_pool = {.mutex = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};

/* Whether this thread is inside a body: what that shares, it does alone. */
static _Thread_local bool s_inside;

static _Thread_local int s_thread;

/* Tells the processor that this is a waiting loop: it then leaves the core to the other hardware
 * thread. */
static inline void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("yield");
#endif
}

/* How many pieces to take at once: of runs half of what the lane still has, since what a run reads
 * for all its pieces it reads anew. */
static size_t pieces_at_once(lane *from)
{
    enum { PART = 2 };
    const size_t next = atomic_load(&from->next);
    const size_t left = s_pool.in_runs && next < from->end ? from->end - next : 0;
    return left > PART ? left / PART : 1;
}

/* Pieces are taken by an atomic addition, so that fast threads take more of them. */
static void take_pieces_of(lane *from)
{
    const size_t count = s_pool.count;
    const size_t grain = s_pool.grain;
    size_t taken = pieces_at_once(from);
    size_t piece = 0;
    while ((piece = atomic_fetch_add(&from->next, taken)) < from->end) {
        const size_t after = piece + taken < from->end ? piece + taken : from->end;
        s_pool.body(s_pool.context, piece * grain, after * grain < count ? after * grain : count);
        taken = pieces_at_once(from);
    }
}

static void take_pieces(void)
{
    s_inside = true;
    for (int i = 0; i < s_pool.threads; i++)
        take_pieces_of(&s_pool.lanes[(s_thread + i) % s_pool.threads]);
    s_inside = false;
}

static void fill_lanes(size_t pieces)
{
    const size_t threads = (size_t)s_pool.threads;
    for (size_t i = 0; i < threads; i++) {
        atomic_store(&s_pool.lanes[i].next, pieces * i / threads);
        s_pool.lanes[i].end = pieces * (i + 1) / threads;
    }
}

/* The generation is read again under the mutex, or a broadcast in between would be missed. */
static void sleep_until_after(unsigned seen)
{
    pthread_mutex_lock(&s_pool.mutex);
    atomic_fetch_add(&s_pool.sleepers, 1);
    while (atomic_load(&s_pool.generation) == seen)
        pthread_cond_wait(&s_pool.wake, &s_pool.mutex);
    atomic_fetch_sub(&s_pool.sleepers, 1);
    pthread_mutex_unlock(&s_pool.mutex);
}

/* A thread of the pool: waits for a generation that it has not seen, then takes pieces while the
 * job is open. */
static void *work(void *context)
{
    unsigned seen = 0;
    s_thread = ((const worker *)context)->number;
    for (;;) {
        for (int look = 0; look < LOOKS && atomic_load(&s_pool.generation) == seen; look++)
            relax();
        if (atomic_load(&s_pool.generation) == seen)
            sleep_until_after(seen);
        seen = atomic_load(&s_pool.generation);
        if (atomic_load(&s_pool.ends))
            return NULL;
        atomic_fetch_add(&s_pool.inside, 1);
        if (atomic_load(&s_pool.open))
            take_pieces();
        atomic_fetch_sub(&s_pool.inside, 1);
    }
}

/* What the caller wrote before is seen by whoever sees the job open, or the new generation. */
static void announce(void)
{
    atomic_fetch_add(&s_pool.generation, 1);
    if (atomic_load(&s_pool.sleepers) == 0)
        return;
    pthread_mutex_lock(&s_pool.mutex);
    pthread_cond_broadcast(&s_pool.wake);
    pthread_mutex_unlock(&s_pool.mutex);
}

/* Alone, or inside of a body, the pieces are done in order. Else the job is published, the caller
 * works too, and no thread may still be inside when the next job is written. */
static void share(size_t count, size_t grain, bool in_runs, ag_pool_body *body, void *context)
{
    if (s_pool.threads <= 1 || count <= grain || s_inside) {
        for (size_t begin = 0; begin < count; begin += grain)
            body(context, begin, count - begin < grain ? count : begin + grain);
        return;
    }
    s_pool.body = body;
    s_pool.context = context;
    s_pool.count = count;
    s_pool.grain = grain;
    s_pool.in_runs = in_runs;
    fill_lanes((count + grain - 1) / grain);
    atomic_store(&s_pool.open, true);
    announce();
    take_pieces();
    atomic_store(&s_pool.open, false);
    for (int look = 0; atomic_load(&s_pool.inside) > 0; look++) {
        if (look < LOOKS)
            relax();
        else
            sched_yield(); /* another process may hold the core that we wait for */
    }
}

void ag_pool_share(size_t count, size_t grain, ag_pool_body *body, void *context)
{
    share(count, grain, false, body, context);
}

void ag_pool_share_runs(size_t count, size_t grain, ag_pool_body *body, void *context)
{
    share(count, grain, true, body, context);
}

int ag_pool_thread(void)
{
    return s_thread;
}

bool ag_pool_inside(void)
{
    return s_inside;
}

int ag_pool_threads(void)
{
    return s_pool.threads > 1 ? s_pool.threads : 1;
}

/* Engines of products keep megabytes per thread, which glibc takes from the stack. */
static int start_thread(int number)
{
    enum { STACK = 16 << 20 };
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK);
    worker *new = &s_pool.workers[number - 1];
    new->number = number;
    int error = pthread_create(&new->id, &attributes, work, new);
    pthread_attr_destroy(&attributes);
    return error;
}

/* A thread that the system refuses ends the others too: fewer than asked for would be a silent
 * surprise. */
ag_status ag_pool_start(int threads)
{
    s_pool.threads = 1;
    atomic_store(&s_pool.ends, false);
    atomic_store(&s_pool.generation, 0);
    s_pool.workers = calloc((size_t)threads, sizeof *s_pool.workers);
    s_pool.lanes = aligned_alloc(LINE, (size_t)threads * sizeof *s_pool.lanes);
    if (s_pool.workers == NULL || s_pool.lanes == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory for %d threads", threads);
    while (s_pool.threads < threads) {
        int error = start_thread(s_pool.threads);
        if (error != 0) {
            ag_pool_stop();
            return ag_fail(AG_ERR_SYSTEM,
                           "the system starts no more than %d of the %d threads that run.threads "
                           "asks for: %s",
                           s_pool.threads, threads, strerror(error));
        }
        s_pool.threads++;
    }
    return AG_OK;
}

/* A new generation wakes those that sleep; they see that it is the end. */
void ag_pool_stop(void)
{
    if (s_pool.workers == NULL)
        return;
    atomic_store(&s_pool.ends, true);
    announce();
    for (int i = 0; i < s_pool.threads - 1; i++)
        pthread_join(s_pool.workers[i].id, NULL);
    free(s_pool.workers);
    free(s_pool.lanes);
    s_pool.workers = NULL;
    s_pool.lanes = NULL;
    s_pool.threads = 1;
}
