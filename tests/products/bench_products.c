/* Times the engines' products beside OpenBLAS's sgemm, call by call in turn, in the shapes of a
 * training step of 128, 384 and 768 channels: medians of OpenBLAS's GF/s and of the ratios to it,
 * then the geometric means. Run by hand, with OpenBLAS's kernels in the environment:
 *
 *   OPENBLAS_CORETYPE=SkylakeX OPENBLAS_NUM_THREADS=1 taskset -c 1 bench_products
 *
 * pairs: as the quantiser leaves them; packed: with packing. vnni: codes, MX blocks of 32, NVFP4
 * blocks of 16, whole K. */
#include <cblas.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "products/engine.h"

enum { ROUNDS = 31, WAYS = 7 };

typedef struct shape {
    size_t tokens, in, out;
} shape;

static const shape s_shapes[] = {
    {768,  128,  384 },
    {768,  128,  128 },
    {768,  128,  512 },
    {768,  512,  128 },
    {768,  128,  65  },
    {1024, 384,  1152},
    {1024, 384,  384 },
    {1024, 384,  1536},
    {1024, 1536, 384 },
    {1024, 384,  65  },
    {1024, 768,  2304},
    {1024, 768,  3072},
    {1024, 3072, 768 },
};

typedef enum direction { FPROP, DGRAD, WGRAD, PASSES } direction;
static const char *const s_pass[] = {"fprop", "dgrad", "wgrad"};

typedef struct job {
    direction pass;
    size_t M, N, K;
    float *a, *b, *c;
    ag_product floats, pairs, mx, nv, whole;
    uint32_t *pair_a, *pair_b;
} job;

static const ag_engine *s_engine;  /* for floats */
static const ag_engine *s_fastest; /* for pairs and codes */

static void *room(size_t bytes)
{
    void *p = aligned_alloc(64, (bytes + 63) / 64 * 64);
    if (p == NULL)
        abort();
    memset(p, 0, bytes);
    return p;
}

static float *values(size_t count, unsigned seed)
{
    float *x = room(count * sizeof *x);
    for (size_t i = 0; i < count; i++) {
        seed = seed * 1664525u + 1013904223u;
        x[i] = (float)((int)(seed >> 24) - 128) / 64;
    }
    return x;
}

/* Whether a, and b, have the summed axis along their rows. */
static bool along_a(direction pass)
{
    return pass != WGRAD;
}

static bool along_b(direction pass)
{
    return pass == FPROP;
}

static ag_words words(const void *x, ag_word word, bool along, size_t rows, size_t per_row)
{
    return (ag_words){
        .words = x, .row_step = along ? per_row : 1, .k_step = along ? 1 : rows, .word = word};
}

static ag_words codes(size_t rows, size_t K, size_t block)
{
    size_t per_row = ag_code_words(K, block);
    int8_t *x = room(rows * K);
    uint32_t *out = room(rows * per_row * sizeof *out);
    float *scales = room(rows * K * sizeof *scales);
    for (size_t i = 0; i < rows * K; i++) {
        x[i] = (int8_t)((int)(i * 2654435761u >> 13) % 25 - 12);
        scales[i] = 0.5f;
    }
    ag_codes_along(out, x, rows, K, block);
    ag_words w = words(out, AG_WORD_CODES, true, rows, per_row);
    w.most_code = 12;
    if (block < K) {
        w.scales = scales;
        w.scale_row_step = (K + block - 1) / block;
        w.scale_step = 1;
    }
    free(x);
    return w;
}

static ag_product coded(const job *j, size_t block)
{
    bool whole = block == 0;
    return (ag_product){.c = j->c,
                        .c_step = j->N,
                        .a = codes(j->M, j->K, whole ? j->K : block),
                        .b = codes(j->N, j->K, whole ? j->K : block),
                        .M = j->M,
                        .N = j->N,
                        .K = j->K,
                        .block = block};
}

static void pack(job *j)
{
    ag_pair_along_fn *const along = s_fastest->pair_along;
    ag_pair_across_fn *const across = s_fastest->pair_across;
    j->pairs.a.range = (along_a(j->pass) ? along : across)(j->pair_a, j->a, j->M, j->K);
    j->pairs.b.range = (along_b(j->pass) ? along : across)(j->pair_b, j->b, j->N, j->K);
}

static job job_of(const shape *s, direction pass)
{
    job j = {.pass = pass};
    j.M = pass == WGRAD ? s->out : s->tokens;
    j.N = pass == FPROP ? s->out : s->in;
    j.K = pass == FPROP ? s->in : pass == DGRAD ? s->out : s->tokens;
    size_t pairs = (j.K + 1) / 2;
    j.a = values(j.M * j.K, 1);
    j.b = values(j.N * j.K, 2);
    j.c = room(j.M * j.N * sizeof *j.c);
    j.pair_a = room(j.M * pairs * sizeof *j.pair_a);
    j.pair_b = room(j.N * pairs * sizeof *j.pair_b);
    j.floats = (ag_product){.c = j.c, .c_step = j.N, .M = j.M, .N = j.N, .K = j.K};
    j.pairs = j.floats;
    j.floats.a = words(j.a, AG_WORD_FLOAT, along_a(pass), j.M, j.K);
    j.floats.b = words(j.b, AG_WORD_FLOAT, along_b(pass), j.N, j.K);
    j.pairs.a = words(j.pair_a, AG_WORD_PAIR, along_a(pass), j.M, pairs);
    j.pairs.b = words(j.pair_b, AG_WORD_PAIR, along_b(pass), j.N, pairs);
    pack(&j);
    j.mx = coded(&j, 32);
    j.nv = coded(&j, 16);
    j.whole = coded(&j, 0);
    return j;
}

static void sgemm(const job *j)
{
    CBLAS_TRANSPOSE a = along_a(j->pass) ? CblasNoTrans : CblasTrans;
    CBLAS_TRANSPOSE b = along_b(j->pass) ? CblasTrans : CblasNoTrans;
    cblas_sgemm(CblasRowMajor, a, b, (blasint)j->M, (blasint)j->N, (blasint)j->K, 1, j->a,
                (blasint)(along_a(j->pass) ? j->K : j->M), j->b,
                (blasint)(along_b(j->pass) ? j->K : j->N), 0, j->c, (blasint)j->N);
}

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void run(job *j, int way)
{
    switch (way) {
    case 0:
        sgemm(j);
        break;
    case 1:
        ag_engine_multiply(s_engine, &j->floats);
        break;
    case 2:
        ag_engine_multiply(s_fastest, &j->pairs);
        break;
    case 3:
        pack(j);
        ag_engine_multiply(s_fastest, &j->pairs);
        break;
    default:
        ag_engine_multiply(s_fastest, way == 4 ? &j->mx : way == 5 ? &j->nv : &j->whole);
    }
}

static int compare(const void *x, const void *y)
{
    double a = *(const double *)x;
    double b = *(const double *)y;
    return (a > b) - (a < b);
}

static double median(double *x, size_t count)
{
    qsort(x, count, sizeof *x, compare);
    return x[count / 2];
}

/* seconds [WAYS]: medians, the ways in turn call by call. */
static void measure(double *seconds, job *j)
{
    static double times[WAYS][ROUNDS];
    for (int round = -2; round < ROUNDS; round++) {
        for (int way = 0; way < WAYS; way++) {
            double begin = now_s();
            run(j, way);
            if (round >= 0)
                times[way][round] = now_s() - begin;
        }
    }
    for (int way = 0; way < WAYS; way++)
        seconds[way] = median(times[way], ROUNDS);
}

static void free_job(job *j)
{
    void *all[] = {j->a, j->b, j->c, j->pair_a, j->pair_b};
    const ag_product *const products[] = {&j->mx, &j->nv, &j->whole};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        free(all[i]);
    for (size_t i = 0; i < 3; i++) {
        free((void *)products[i]->a.words);
        free((void *)products[i]->b.words);
        free((void *)products[i]->a.scales);
        free((void *)products[i]->b.scales);
    }
}

int main(int argc, char **argv)
{
    double logs[WAYS] = {0};
    size_t cases = 0;
    if (ag_engine_choose(&s_engine, argc > 1 ? argv[1] : NULL) != AG_OK ||
        ag_engine_choose(&s_fastest, argc > 2 ? argv[2] : NULL) != AG_OK) {
        fprintf(stderr, "%s\n", ag_error_message());
        return 2;
    }
    printf("floats: %s; pairs and codes: %s\n", s_engine->name, s_fastest->name);
    printf("%-16s %-6s %6s %7s %7s %7s %7s %7s %7s\n", "tokens, in x out", "pass", "GF/s", "floats",
           "pairs", "packed", "mx", "nv", "whole");
    for (size_t i = 0; i < sizeof s_shapes / sizeof s_shapes[0]; i++) {
        for (direction pass = 0; pass < PASSES; pass++, cases++) {
            const shape *s = &s_shapes[i];
            double seconds[WAYS];
            job j = job_of(s, pass);
            measure(seconds, &j);
            printf("%4zu, %4zux%-5zu %-6s %6.0f", s->tokens, s->in, s->out, s_pass[pass],
                   2e-9 * (double)(j.M * j.N * j.K) / seconds[0]);
            for (int way = 1; way < WAYS; way++) {
                printf(" %7.2f", seconds[0] / seconds[way]);
                logs[way] += log(seconds[0] / seconds[way]);
            }
            printf("\n");
            fflush(stdout);
            free_job(&j);
        }
    }
    printf("%-30s", "geometric mean");
    for (int way = 1; way < WAYS; way++)
        printf(" %7.2f", exp(logs[way] / (double)cases));
    printf("\n");
    return 0;
}
