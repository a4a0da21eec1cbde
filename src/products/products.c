/* Which engine multiplies, and how a product is shared among threads. */
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/clones.h"
#include "base/pool.h"
#include "products_internal.h"

_Thread_local struct ag_room ag_room;

/* In the order of preference. An engine without pairs takes BF16 operands as float32. */
typedef struct engine {
    const char *name; /* as ag_products_init takes it */
    const char *title;
    ag_engine_fn *multiply;
    ag_spin_fn *spin;
    ag_engine_fn *pairs; /* NULL: none, like the next */
    ag_spin_fn *spin_pairs;
} engine;

static const engine s_engines[] = {
#if defined(__x86_64__)
    {"pairs",  "pairs (AVX-512 BF16)", ag_avx512_product, ag_avx512_spin, ag_pairs_product,
                           ag_pairs_spin                                                                              },
    {"avx512", "AVX-512",              ag_avx512_product, ag_avx512_spin, NULL,             NULL},
    {"avx2",   "AVX2",                 ag_avx2_product,   ag_avx2_spin,   NULL,             NULL},
#elif defined(__aarch64__)
    {"neon", "NEON", ag_neon_product, ag_neon_spin, NULL, NULL},
#endif
    {"scalar", "scalar",               ag_scalar_product, ag_scalar_spin, NULL,             NULL},
};
enum { N_ENGINES = sizeof s_engines / sizeof s_engines[0] };

static const engine *s_engine = &s_engines[N_ENGINES - 1];

static bool can_run(const engine *e)
{
#if defined(__x86_64__)
    bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
    if (e->pairs != NULL)
        return avx512 && __builtin_cpu_supports("avx512bf16") && ag_pairs_probe();
    if (e->multiply == ag_avx512_product)
        return avx512;
    if (e->multiply == ag_avx2_product)
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
    (void)e;
    return true;
}

static const engine *best(void)
{
    const engine *e = s_engines;
    while (!can_run(e))
        e++;
    return e;
}

bool ag_products_init(const char *name)
{
    if (name == NULL)
        name = getenv("ALTGRAD_PRODUCTS");
    s_engine = best();
    for (size_t i = 0; name != NULL && i < N_ENGINES; i++) {
        if (strcmp(s_engines[i].name, name) != 0 || !can_run(&s_engines[i]))
            continue;
        s_engine = &s_engines[i];
        return true;
    }
    return name == NULL;
}

const char *ag_products_engine(void)
{
    return s_engine->title;
}

bool ag_products_have_pairs(void)
{
    return s_engine->pairs != NULL;
}

/* --- sharing */

typedef struct shared_product {
    float *c;
    size_t stride;
    const ag_product_spec *spec;
    ag_engine_fn *multiply;
} shared_product;

static void some_rows(void *context, size_t begin, size_t end)
{
    const shared_product *p = context;
    p->multiply(p->c, p->stride, p->spec, begin, end - begin, 0, p->spec->N);
}

static void some_columns(void *context, size_t begin, size_t end)
{
    const shared_product *p = context;
    p->multiply(p->c, p->stride, p->spec, 0, p->spec->M, begin, end - begin);
}

static size_t rounded_up(size_t count, size_t unit)
{
    return (count + unit - 1) / unit * unit;
}

static void fill_zero(float *c, size_t stride, const ag_product_spec *spec)
{
    for (size_t m = 0; m < spec->M; m++)
        memset(c + m * stride, 0, spec->N * sizeof *c);
    if (spec->finish != NULL)
        spec->finish(spec->context, 0, spec->M, 0, spec->N);
}

/* Shares of columns pack b's panels once; where there are too few columns, shares of rows. */
void ag_product(float *c, size_t stride, const ag_product_spec *spec)
{
    enum { PANEL = 64, TILES = 24 };
    const size_t threads = (size_t)ag_pool_threads();
    bool pairs = spec->kind == AG_PRODUCT_BF16 && s_engine->pairs != NULL;
    shared_product p = {c, stride, spec, pairs ? s_engine->pairs : s_engine->multiply};
    if (spec->M == 0 || spec->N == 0)
        return;
    if (spec->K == 0)
        fill_zero(c, stride, spec);
    else if (threads == 1)
        p.multiply(c, stride, spec, 0, spec->M, 0, spec->N);
    else if (spec->N >= 2 * PANEL * threads)
        ag_pool_share(spec->N, rounded_up(spec->N / (2 * threads), PANEL), some_columns, &p);
    else
        ag_pool_share(spec->M, rounded_up((spec->M + threads - 1) / threads, TILES), some_rows, &p);
}

/* --- blocks of integers with scales of any kind */

typedef struct scaling {
    float *c;
    const float *sums;
    const float *a_scales; /* [M], of this block */
    const float *b_scales; /* [N] */
    size_t N;
} scaling;

AG_CLONES static void scale_row(float *c, const float *sums, float a, const float *b, size_t N)
{
    for (size_t n = 0; n < N; n++)
        c[n] = fmaf(sums[n], a * b[n], c[n]);
}

static void scale_rows(void *context, size_t begin, size_t end)
{
    const scaling *s = context;
    for (size_t m = begin; m < end; m++)
        scale_row(s->c + m * s->N, s->sums + m * s->N, s->a_scales[m], s->b_scales, s->N);
}

void ag_product_of_blocks(float *c, float *sums, const ag_product_spec *spec, const float *a_scales,
                          const float *b_scales)
{
    enum { ROWS = 64 };
    memset(c, 0, spec->M * spec->N * sizeof *c);
    for (size_t k = 0, j = 0; k < spec->K; k += spec->block, j++) {
        ag_product_spec block = *spec; /* its sum is exact in any order */
        block.block = 0;
        block.K = spec->K - k < spec->block ? spec->K - k : spec->block;
        block.a.at += k * block.a.k_step;
        block.b.at += k * block.b.k_step;
        ag_product(sums, spec->N, &block);
        scaling s = {c, sums, a_scales + j * spec->M, b_scales + j * spec->N, spec->N};
        ag_pool_share(spec->M, ROWS, scale_rows, &s);
    }
}

/* --- the guard */

enum { PIECE = 16384 };

/* The smallest magnitude's bits less 1: zero is the largest then. */
AG_CLONES static uint32_t smallest_less_one(const word *bits, size_t count)
{
    uint32_t smallest = 0xffffffffu;
    for (size_t i = 0; i < count; i++) {
        uint32_t magnitude = (bits[i] & 0x7fffffffu) - 1;
        smallest = magnitude < smallest ? magnitude : smallest;
    }
    return smallest;
}

typedef struct search {
    const float *x;
    atomic_uint smallest;
} search;

static void search_piece(void *context, size_t begin, size_t end)
{
    search *s = context;
    unsigned found = smallest_less_one((const word *)s->x + begin, end - begin);
    unsigned seen = atomic_load(&s->smallest);
    while (found < seen && !atomic_compare_exchange_weak(&s->smallest, &seen, found))
        ;
}

int ag_smallest_exponent(const float *x, size_t count)
{
    search s = {.x = x, .smallest = 0xffffffffu};
    ag_pool_share(count, PIECE, search_piece, &s);
    unsigned smallest = atomic_load(&s.smallest);
    return smallest == 0xffffffffu ? 255 : (int)((smallest + 1) >> 23);
}

/* --- what bounds a product */

typedef struct spinning {
    ag_spin_fn *spin;
    size_t rounds;
    atomic_size_t done; /* multiply-adds */
} spinning;

static void spin_piece(void *context, size_t begin, size_t end)
{
    static const word zeros[AG_CHAINS];
    float sums[AG_CHAINS];
    spinning *s = context;
    for (size_t i = begin; i < end; i++)
        atomic_fetch_add(&s->done, s->spin(sums, zeros, s->rounds));
}

/* The best of some tries, each twice as long as the one before, until one takes milliseconds. */
double ag_products_peak(ag_product_kind kind)
{
    const double enough_s = 4e-3;
    bool pairs = kind == AG_PRODUCT_BF16 && s_engine->pairs != NULL;
    spinning s = {pairs ? s_engine->spin_pairs : s_engine->spin, 1000, 0};
    double peak = 0;
    for (double seconds = 0; seconds < enough_s; s.rounds *= 2) {
        atomic_store(&s.done, 0);
        double start_s = ag_clock_s();
        ag_pool_share((size_t)ag_pool_threads(), 1, spin_piece, &s);
        seconds = ag_clock_s() - start_s;
        peak = fmax(peak, (double)atomic_load(&s.done) / seconds);
    }
    return peak;
}
