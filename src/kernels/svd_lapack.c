/* What OpenBLAS is used for: singular values by its LAPACK, and sgemm as a yardstick. The only file
 * that knows it. No value of a training run depends on it, since BLAS fixes no order of summation.
 */
#include "kernels_internal.h"

#include <cblas.h>
#include <stdio.h>

/* LAPACK's, by its Fortran name; OpenBLAS comes with no header for it everywhere. */
void dgesdd_(const char *job, const blasint *rows, const blasint *columns, double *a,
             const blasint *lda, double *s, double *u, const blasint *ldu, double *vt,
             const blasint *ldvt, double *work, const blasint *lwork, blasint *iwork, blasint *info,
             size_t job_length);

/* By divide and conquer (dgesdd), without vectors. Row-major [M, N] is Fortran's [N, M], whose
 * singular values are the same, so nothing is transposed. */
bool ag_singular_values_fast(double *restrict values, double *restrict scratch,
                             const float *restrict a, size_t M, size_t N)
{
    size_t S = M < N ? M : N;
    blasint rows = (blasint)N;
    blasint columns = (blasint)M;
    blasint one = 1;
    blasint lwork = (blasint)(10 * S + 64 * (M + N));
    blasint info = 0;
    double *work = scratch + M * N;
    if (!ag_is_finite(a, M * N))
        return false; /* dgesdd may not come back */
    for (size_t i = 0; i < M * N; i++)
        scratch[i] = (double)a[i];
    dgesdd_("N", &rows, &columns, scratch, &rows, values, NULL, &one, NULL, &one, work, &lwork,
            (blasint *)(work + lwork), &info, 1);
    return info == 0;
}

const char *ag_kernels_lapack(void)
{
    static _Thread_local char text[64];
    int length = 0;
    sscanf(openblas_get_config(), "%*s %*s%n", &length); /* "OpenBLAS 0.3.21 DYNAMIC_ARCH ..." */
    snprintf(text, sizeof text, "%.*s", length, openblas_get_config());
    return text;
}

/* Operands are floats with a step of 1, along k or along their rows. */
bool ag_blas_product(const ag_product *p, int threads)
{
    bool a_lies = p->a.k_step == 1;
    bool b_lies = p->b.k_step == 1;
    openblas_set_num_threads(threads);
    cblas_sgemm(CblasRowMajor, a_lies ? CblasNoTrans : CblasTrans,
                b_lies ? CblasTrans : CblasNoTrans, (blasint)p->M, (blasint)p->N, (blasint)p->K, 1,
                p->a.words, (blasint)(a_lies ? p->a.row_step : p->a.k_step), p->b.words,
                (blasint)(b_lies ? p->b.row_step : p->b.k_step), 0, p->c, (blasint)p->c_step);
    openblas_set_num_threads(1);
    return true;
}

const char *ag_blas_set(void)
{
    return openblas_get_corename();
}

/* One thread: altgrad shares work among threads itself, and a pool of BLAS's own would fight for
 * the cores. */
ag_status ag_kernels_init(void)
{
    openblas_set_num_threads(1);
    return ag_products_init();
}
