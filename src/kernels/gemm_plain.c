/* The products and singular values of the fast table where no BLAS library is built in: those of
 * the reference. */
#include "kernels_internal.h"

void ag_gemm_nt_fast(float *restrict c, const float *a, const float *b, size_t M, size_t N,
                     size_t K)
{
    ag_gemm_nt_ref(c, a, b, M, N, K);
}

void ag_gemm_nn_fast(float *restrict c, const float *a, const float *b, size_t M, size_t N,
                     size_t K)
{
    ag_gemm_nn_ref(c, a, b, M, N, K);
}

void ag_gemm_tn_fast(float *restrict c, const float *a, const float *b, size_t M, size_t N,
                     size_t K)
{
    ag_gemm_tn_ref(c, a, b, M, N, K);
}

bool ag_singular_values_fast(double *restrict values, double *restrict scratch,
                             const float *restrict a, size_t M, size_t N)
{
    return ag_singular_values_ref(values, scratch, a, M, N);
}

const char *ag_kernels_blas(void)
{
    return "no BLAS";
}

void ag_kernels_init(void)
{
}
