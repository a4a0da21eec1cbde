/* The timed kernels of what follows the gradients: their norm, updates of weights.
 * Each has the signature of its kernel and one line of account (bench_account.h): the third
 * argument of ag_bench_add is how many floats a perfect kernel would read and write. What is timed
 * is what the program trains with; a bench of anything else would measure another program. */
#include "bench_account.h"

#include "base/clock.h"

static double sum_squares(const float *x, size_t count)
{
    double start_s = ag_clock_s();
    double sum = ag_kernels_fast.sum_squares(x, count);
    ag_bench_add(AG_BENCH_OPTIMIZER, start_s, count);
    return sum;
}

/* w, m and v are read and written, the gradient is read. */
static void adamw(float *restrict w, float *restrict m, float *restrict v,
                  const float *restrict grad, size_t count, const ag_adamw_step *step)
{
    double start_s = ag_clock_s();
    ag_kernels_fast.adamw(w, m, v, grad, count, step);
    ag_bench_add(AG_BENCH_OPTIMIZER, start_s, 7 * count);
}

static void manifold_adamw(float *restrict w, float *restrict m, float *restrict v,
                           const float *restrict grad, size_t count, const ag_adamw_step *step,
                           const ag_spacing *spacing)
{
    double start_s = ag_clock_s();
    ag_kernels_fast.manifold_adamw(w, m, v, grad, count, step, spacing);
    ag_bench_add(AG_BENCH_OPTIMIZER, start_s, 7 * count);
}

/* w and v are read and written, the gradient is read; so in the next one. */
static void sgd(float *restrict w, float *restrict v, const float *restrict grad, size_t count,
                const ag_sgd_step *step)
{
    double start_s = ag_clock_s();
    ag_kernels_fast.sgd(w, v, grad, count, step);
    ag_bench_add(AG_BENCH_OPTIMIZER, start_s, 5 * count);
}

static void grid(float *restrict w, float *restrict v, const float *restrict grad, size_t count,
                 const ag_grid_step *step, const ag_rounding_site *where)
{
    double start_s = ag_clock_s();
    ag_kernels_fast.grid(w, v, grad, count, step, where);
    ag_bench_add(AG_BENCH_OPTIMIZER, start_s, 5 * count);
}

static void lion(float *restrict w, float *restrict m, const float *restrict grad, size_t count,
                 const ag_lion_step *step)
{
    double start_s = ag_clock_s();
    ag_kernels_fast.lion(w, m, grad, count, step);
    ag_bench_add(AG_BENCH_OPTIMIZER, start_s, 5 * count);
}

/* The gradient and m are read, m and u written. */
static void momentum(float *restrict u, float *restrict m, const float *restrict grad, size_t count,
                     const ag_momentum_step *step)
{
    double start_s = ag_clock_s();
    ag_kernels_fast.momentum(u, m, grad, count, step);
    ag_bench_add(AG_BENCH_OPTIMIZER, start_s, 4 * count);
}

static void update_product(const ag_product *s)
{
    double start_s = ag_clock_s();
    ag_kernels_fast.update_product(s);
    bool half = s->triangle == AG_TRIANGLE_C_LOWER; /* of a square */
    double wanted = half ? (double)s->M * (double)(s->M + 1) / 2 : (double)s->M * (double)s->N;
    ag_bench_add_product(AG_BENCH_OPTIMIZER, start_s, s, wanted);
}

static void kahan_step(float *restrict w, float *restrict c, const float *restrict before,
                       size_t count, float decay)
{
    double start_s = ag_clock_s();
    ag_kernels_fast.kahan_step(w, c, before, count, decay);
    ag_bench_add(AG_BENCH_OPTIMIZER, start_s, 5 * count);
}

static void kahan_keep(float *restrict c, const float *restrict w, const float *restrict before,
                       size_t count)
{
    double start_s = ag_clock_s();
    ag_kernels_fast.kahan_keep(c, w, before, count);
    ag_bench_add(AG_BENCH_OPTIMIZER, start_s, 4 * count);
}

static void eco(float *restrict m, const float *restrict v, const float *restrict wanted,
                const float *restrict w, size_t count, const ag_eco_step *step)
{
    double start_s = ag_clock_s();
    ag_kernels_fast.eco(m, v, wanted, w, count, step);
    ag_bench_add(AG_BENCH_OPTIMIZER, start_s, (v != NULL ? 5 : 4) * count);
}

static void descend(float *restrict w, const float *restrict u, size_t count, float rate,
                    float decay)
{
    double start_s = ag_clock_s();
    ag_kernels_fast.descend(w, u, count, rate, decay);
    ag_bench_add(AG_BENCH_OPTIMIZER, start_s, 3 * count);
}

void ag_bench_time_updates(ag_kernels *table)
{
    table->sum_squares = sum_squares;
    table->adamw = adamw;
    table->manifold_adamw = manifold_adamw;
    table->sgd = sgd;
    table->grid = grid;
    table->lion = lion;
    table->momentum = momentum;
    table->update_product = update_product;
    table->descend = descend;
    table->kahan_step = kahan_step;
    table->kahan_keep = kahan_keep;
    table->eco = eco;
}
