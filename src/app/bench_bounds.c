/* What the machine at hand could do at most, measured beside what it did: the engine's instruction
 * alone for products, copies of the same size for what moves memory, and OpenBLAS's sgemm in the
 * same shapes. Each is the best of some tries, since a bound is what nothing passes. */
#include "bench.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/pool.h"

/* Tries of a measurement, and the time to spend on each. */
enum { TRIES = 3 };
static const double s_try_s = 4e-3;

/* --- copies */

/* Copies are as large as the part's own arrays, within limits: below them the clock is too coarse,
 * above them memory is what counts, and more would only take time. */
enum { PIECE = 16384, FEWEST_FLOATS = 1024, MOST_FLOATS = 1 << 24 };

typedef struct copy {
    float *to;
    const float *from;
} copy;

/* memcpy is as fast as memory gets without touching altgrad's own loops. */
static void copy_piece(void *context, size_t begin, size_t end)
{
    const copy *c = context;
    memcpy(c->to + begin, c->from + begin, (end - begin) * sizeof(float));
}

/* Seconds of a call of `work`, as often as a try lasts; the best try. A mean would be of the
 * machine's other work. */
static double best_of(void (*work)(void *context), void *context)
{
    double best = INFINITY;
    for (int i = 0; i < TRIES; i++) {
        double start_s = ag_clock_s();
        double spent_s = 0;
        double calls = 0;
        while (spent_s < s_try_s) {
            work(context);
            calls++;
            spent_s = ag_clock_s() - start_s;
        }
        best = fmin(best, spent_s / calls);
    }
    return best;
}

/* The pool's callback knows a range, the timing loop none: hence two contexts. */
typedef struct copying {
    copy copy;
    size_t count;
} copying;

static void copy_all(void *context)
{
    copying *c = context;
    ag_pool_share(c->count, PIECE, copy_piece, &c->copy);
}

/* Bytes a second, read and written, of copies that move `bytes` each. */
static ag_status copy_bandwidth(double *bandwidth, double bytes)
{
    double floats = fmin(fmax(bytes / 2 / sizeof(float), FEWEST_FLOATS), MOST_FLOATS);
    copying c = {.count = (size_t)floats};
    float *room = malloc(2 * c.count * sizeof *room);
    if (room == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory for copies");
    memset(room, 0, 2 * c.count * sizeof *room);
    c.copy = (copy){room, room + c.count};
    *bandwidth = 2 * (double)c.count * sizeof(float) / best_of(copy_all, &c);
    free(room);
    return AG_OK;
}

/* --- products */

/* A build without OpenBLAS has no yardstick, and then says so by leaving the column out. */
typedef struct by_blas {
    ag_product product;
    bool is_there;
} by_blas;

static void multiply(void *context)
{
    by_blas *b = context;
    b->is_there = ag_blas_product(&b->product, ag_pool_threads());
}

/* No zeros: some processors multiply them faster. */
static float *ones(size_t count)
{
    float *x = malloc(count * sizeof *x);
    for (size_t i = 0; x != NULL && i < count; i++)
        x[i] = 1;
    return x;
}

/* Seconds of one product of the shape by sgemm; 0 where there is none. Laid out as linear.c has the
 * operands: products of transposed matrices are slower in some libraries. */
static ag_status sgemm_seconds(double *seconds, const ag_bench_shape *s)
{
    float *a = ones(s->M * s->K);
    float *b = ones(s->N * s->K);
    by_blas work = {
        .product = {.c = ones(s->M * s->N), .c_step = s->N, .M = s->M, .N = s->N, .K = s->K}
    };
    work.product.a =
        s->part == AG_BENCH_WGRAD ? ag_floats_across(a, s->M) : ag_floats_along(a, s->K);
    work.product.b =
        s->part == AG_BENCH_FPROP ? ag_floats_along(b, s->K) : ag_floats_across(b, s->N);
    bool is_room = a != NULL && b != NULL && work.product.c != NULL;
    *seconds = is_room ? best_of(multiply, &work) : 0;
    if (!work.is_there)
        *seconds = 0;
    free(a);
    free(b);
    free(work.product.c);
    return is_room ? AG_OK : ag_fail(AG_ERR_SYSTEM, "out of memory for a product");
}

/* --- a step */

/* Where a part computes and moves, both bounds add up: the kernel may not overlap them. */
static ag_status bound_part(ag_bench_bounds *bounds, const ag_bench_work *work, ag_bench_part part)
{
    double bandwidth = 0;
    for (int kind = 0; kind < AG_BENCH_KINDS; kind++)
        bounds->least_s[part] += work->multiply_adds[kind] / bounds->peak[kind];
    if (work->bytes == 0)
        return AG_OK;
    AG_TRY(copy_bandwidth(&bandwidth, work->bytes / work->calls));
    bounds->least_s[part] += work->bytes / bandwidth;
    return AG_OK;
}

/* Measured in the same process and on the same threads, right after the training: clocks of
 * processors depend on what ran before. */
ag_status ag_bench_bound(ag_bench_bounds *bounds, const ag_bench_record *record,
                         const ag_bench_step *mean)
{
    static const ag_word words[AG_BENCH_KINDS] = {AG_WORD_FLOAT, AG_WORD_PAIR, AG_WORD_CODES};
    *bounds = (ag_bench_bounds){0};
    for (int kind = 0; kind < AG_BENCH_KINDS; kind++)
        bounds->peak[kind] = ag_products_peak(words[kind]);
    for (int part = 0; part < AG_BENCH_PARTS; part++)
        AG_TRY(bound_part(bounds, &mean->parts[part], (ag_bench_part)part));
    for (size_t i = 0; i < record->n_shapes; i++) {
        const ag_bench_shape *shape = &record->shapes[i];
        double seconds = 0;
        AG_TRY(sgemm_seconds(&seconds, shape));
        bounds->sgemm_s[shape->part] += seconds * shape->calls / (double)record->seen;
    }
    return AG_OK;
}
