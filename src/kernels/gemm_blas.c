/* The matrix products by OpenBLAS: the only file that knows it. */
#include "kernels_internal.h"

#include <cblas.h>
#include <stdio.h>

void ag_gemm_nt_fast(float *restrict c, const float *a, const float *b, size_t M, size_t N,
                     size_t K)
{
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (blasint)M, (blasint)N, (blasint)K, 1, a,
                (blasint)K, b, (blasint)K, 0, c, (blasint)N);
}

void ag_gemm_nn_fast(float *restrict c, const float *a, const float *b, size_t M, size_t N,
                     size_t K)
{
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (blasint)M, (blasint)N, (blasint)K, 1, a,
                (blasint)K, b, (blasint)N, 0, c, (blasint)N);
}

void ag_gemm_tn_fast(float *restrict c, const float *a, const float *b, size_t M, size_t N,
                     size_t K)
{
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (blasint)M, (blasint)N, (blasint)K, 1, a,
                (blasint)M, b, (blasint)N, 0, c, (blasint)N);
}

const char *ag_kernels_blas(void)
{
    static _Thread_local char text[64];
    int length = 0;
    sscanf(openblas_get_config(), "%*s %*s%n", &length); /* "OpenBLAS 0.3.21 DYNAMIC_ARCH ..." */
    snprintf(text, sizeof text, "%.*s %s", length, openblas_get_config(), openblas_get_corename());
    return text;
}

void ag_kernels_init(void)
{
    openblas_set_num_threads(1);
}
