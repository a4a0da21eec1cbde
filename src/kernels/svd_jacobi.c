/* Singular values by one-sided Jacobi rotations (Hestenes, J. SIAM 6, 1958; Demmel and Veselic,
 * SIAM J. Matrix Anal. 13, 1992): pairs of rows are turned until all are orthogonal; the singular
 * values are then the rows' norms. Slow beside LAPACK, but short, accurate for small values, and
 * the same on every machine. */
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "kernels_internal.h"

enum { MOST_SWEEPS = 60 }; /* far more than are needed: convergence is quadratic in the end */

static double dot(const double *a, const double *b, size_t count)
{
    double sum = 0.0;
    for (size_t i = 0; i < count; i++)
        sum += a[i] * b[i];
    return sum;
}

/* Makes the rows p and q orthogonal; false when they were, or when one of them is no more than the
 * rounding errors of the others: its squared norm is below `floor`. t is the smaller root of t^2 +
 * 2 zeta t - 1 = 0, the tangent of the smaller angle, for which the iteration converges. */
static bool rotate(double *p, double *q, size_t count, double floor)
{
    double pp = dot(p, p, count);
    double qq = dot(q, q, count);
    double pq = dot(p, q, count);
    if (fabs(pq) <= DBL_EPSILON * sqrt(pp) * sqrt(qq) || fmin(pp, qq) <= floor)
        return false;
    double zeta = (qq - pp) / (2.0 * pq);
    double t = copysign(1.0, zeta) / (fabs(zeta) + sqrt(1.0 + zeta * zeta));
    double c = 1.0 / sqrt(1.0 + t * t);
    double s = c * t;
    for (size_t i = 0; i < count; i++) {
        double x = p[i];
        p[i] = c * x - s * q[i];
        q[i] = s * x + c * q[i];
    }
    return true;
}

/* Every pair of rows once. The floor is that of the whole matrix, whose rounding errors any row may
 * hold. */
static bool sweep(double *rows, size_t n_rows, size_t length)
{
    bool turned = false;
    double floor = DBL_EPSILON * DBL_EPSILON * dot(rows, rows, n_rows * length);
    for (size_t i = 0; i < n_rows; i++)
        for (size_t j = i + 1; j < n_rows; j++)
            turned |= rotate(rows + i * length, rows + j * length, length, floor);
    return turned;
}

static int descending(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x < y) - (x > y);
}

/* The shorter side of the matrix as rows: fewer pairs. */
static void copy_rows(double *rows, const float *a, size_t M, size_t N)
{
    for (size_t m = 0; m < M; m++)
        for (size_t n = 0; n < N; n++)
            rows[M <= N ? m * N + n : n * M + m] = (double)a[m * N + n];
}

/* Converged when a whole sweep turned no pair. */
bool ag_singular_values_plain(double *restrict values, double *restrict scratch,
                              const float *restrict a, size_t M, size_t N)
{
    size_t n_rows = M <= N ? M : N;
    size_t length = M <= N ? N : M;
    int sweeps = 0;
    if (!ag_is_finite(a, M * N))
        return false;
    copy_rows(scratch, a, M, N);
    while (sweeps < MOST_SWEEPS && sweep(scratch, n_rows, length))
        sweeps++;
    for (size_t i = 0; i < n_rows; i++)
        values[i] = sqrt(dot(scratch + i * length, scratch + i * length, length));
    qsort(values, n_rows, sizeof *values, descending);
    return sweeps < MOST_SWEEPS;
}
