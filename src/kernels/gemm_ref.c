/* The matrix products as their formulas. */
#include "kernels_internal.h"

void ag_gemm_nt_ref(float *restrict c, const float *a, const float *b, size_t M, size_t N, size_t K)
{
    for (size_t m = 0; m < M; m++) {
        for (size_t n = 0; n < N; n++) {
            float sum = 0;
            for (size_t k = 0; k < K; k++)
                sum += a[m * K + k] * b[n * K + k];
            c[m * N + n] = sum;
        }
    }
}

void ag_gemm_nn_ref(float *restrict c, const float *a, const float *b, size_t M, size_t N, size_t K)
{
    for (size_t m = 0; m < M; m++) {
        for (size_t n = 0; n < N; n++) {
            float sum = 0;
            for (size_t k = 0; k < K; k++)
                sum += a[m * K + k] * b[k * N + n];
            c[m * N + n] = sum;
        }
    }
}

void ag_gemm_tn_ref(float *restrict c, const float *a, const float *b, size_t M, size_t N, size_t K)
{
    for (size_t m = 0; m < M; m++) {
        for (size_t n = 0; n < N; n++) {
            float sum = 0;
            for (size_t k = 0; k < K; k++)
                sum += a[k * M + m] * b[k * N + n];
            c[m * N + n] = sum;
        }
    }
}
