/* Takes the place of svd_lapack.c in a build without OpenBLAS (ALTGRAD_BLAS=OFF): singular values
 * are those of the Jacobi iteration, and there is no yardstick. */
#include "kernels_internal.h"

bool ag_singular_values_fast(double *restrict values, double *restrict scratch,
                             const float *restrict a, size_t M, size_t N)
{
    return ag_singular_values_plain(values, scratch, a, M, N);
}

const char *ag_kernels_lapack(void)
{
    return "no LAPACK";
}

bool ag_blas_product(const ag_product *product, int threads)
{
    (void)product;
    (void)threads;
    return false;
}

const char *ag_blas_set(void)
{
    return NULL;
}

ag_status ag_kernels_init(void)
{
    return ag_products_init();
}
