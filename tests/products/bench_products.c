/* bench_products [ROUNDS]: the engines against OpenBLAS's sgemm, in the shapes of training steps of
 * 128, 384 and 768 channels. Calls alternate, so that a machine that changes its speed changes it
 * for both; printed are medians of each call's ratio. OPENBLAS_CORETYPE chooses OpenBLAS's kernels.
 * Pairs are made from float32 within the call. */
#include <cblas.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/philox.h"
#include "products/products.h"

enum { MOST_ROUNDS = 200 };

typedef struct shape {
    size_t N, C, OC; /* tokens, inputs, outputs */
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
enum { SHAPES = sizeof s_shapes / sizeof s_shapes[0] };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static float *bf16s(size_t count, uint64_t seed)
{
    float *x = aligned_alloc(64, (count * sizeof *x + 63) / 64 * 64);
    for (size_t i = 0; i < count; i++) {
        float value = (float)(int32_t)(ag_splitmix64(&seed) >> 32) * 0x1p-31f;
        uint32_t bits;
        memcpy(&bits, &value, sizeof bits);
        bits &= 0xffff0000u;
        memcpy(&x[i], &bits, sizeof bits);
    }
    return x;
}

/* pass 0: c [M, N] = a [M, K] b [N, K]^T; 1: b is [K, N]; 2: a is [K, M] and b [K, N] */
static void by_blas(float *c, const float *a, const float *b, const ag_product_spec *s, int pass)
{
    cblas_sgemm(CblasRowMajor, pass == 2 ? CblasTrans : CblasNoTrans,
                pass == 0 ? CblasTrans : CblasNoTrans, (blasint)s->M, (blasint)s->N, (blasint)s->K,
                1, a, (blasint)(pass == 2 ? s->M : s->K), b, (blasint)(pass == 0 ? s->K : s->N), 0,
                c, (blasint)s->N);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *x, int count)
{
    qsort(x, (size_t)count, sizeof *x, by_value);
    return x[count / 2];
}

static double ratio(const shape *at, int pass, ag_product_kind kind, int rounds, double *gflops)
{
    static double ratios[MOST_ROUNDS];
    static double times[MOST_ROUNDS];
    ag_product_spec s = {.kind = kind};
    s.M = pass == 2 ? at->OC : at->N;
    s.N = pass == 0 ? at->OC : at->C;
    s.K = pass == 0 ? at->C : pass == 1 ? at->OC : at->N;
    float *a = bf16s(s.M * s.K, 1);
    float *b = bf16s(s.N * s.K, 2);
    float *c = bf16s(s.M * s.N, 3);
    s.a = pass == 2 ? (ag_view){a, 1, s.M} : (ag_view){a, s.K, 1};
    s.b = pass == 0 ? (ag_view){b, s.K, 1} : (ag_view){b, 1, s.N};
    int repeats = (int)(3e7 / (double)(s.M * s.N * s.K)) + 1;
    for (int round = 0; round < rounds; round++) {
        double t0 = now();
        for (int i = 0; i < repeats; i++)
            by_blas(c, a, b, &s, pass);
        double t1 = now();
        for (int i = 0; i < repeats; i++)
            ag_product(c, s.N, &s);
        double t2 = now();
        ratios[round] = (t1 - t0) / (t2 - t1);
        times[round] = (t2 - t1) / repeats;
    }
    free(a);
    free(b);
    free(c);
    *gflops = 2e-9 * (double)(s.M * s.N * s.K) / median(times, rounds);
    return median(ratios, rounds);
}

int main(int argc, char **argv)
{
    static const char *const passes[] = {"fprop", "dgrad", "wgrad"};
    static const char *const engines[] = {"avx2", "avx512", "pairs"};
    int rounds = argc > 1 ? atoi(argv[1]) : 15;
    rounds = rounds < 1 ? 1 : rounds > MOST_ROUNDS ? MOST_ROUNDS : rounds;
    openblas_set_num_threads(1);
    printf("OpenBLAS %s; ratio of speeds (GFLOP/s of ours)\n", openblas_get_corename());
    for (size_t e = 0; e < 3; e++) {
        double logs = 0;
        if (!ag_products_init(engines[e]))
            continue;
        ag_product_kind kind = e == 2 ? AG_PRODUCT_BF16 : AG_PRODUCT_FLOAT;
        for (size_t i = 0; i < SHAPES; i++) {
            printf("%-7s N %4zu, %4zu x %4zu ", engines[e], s_shapes[i].N, s_shapes[i].C,
                   s_shapes[i].OC);
            for (int pass = 0; pass < 3; pass++) {
                double gflops = 0;
                double r = ratio(&s_shapes[i], pass, kind, rounds, &gflops);
                logs += log(r);
                printf("  %s %.2f (%.0f)", passes[pass], r, gflops);
            }
            printf("\n");
            (void)fflush(stdout);
        }
        printf("%-7s geometric mean %.3f\n", engines[e], exp(logs / (3 * SHAPES)));
    }
    return 0;
}
