/* The kernel sets of OpenBLAS on x86, which it names after processors. It takes one by the CPU when
 * it is loaded, or the one that OPENBLAS_CORETYPE names, without looking whether the CPU can run
 * it. Each gives bits of its own. On other architectures no order among them is known here. */
#ifndef AG_KERNELS_BLAS_CORES_H
#define AG_KERNELS_BLAS_CORES_H

#include <stdint.h>

/* A set of kernel sets: bit i stands for row i of the table, from the oldest to the newest. */
typedef uint32_t ag_blas_cores;

/* Which of them a CPU can run; `flags` is its line of that name in /proc/cpuinfo. */
ag_blas_cores ag_blas_cores_runnable(const char *flags);

/* The row of a name by any letter case, -1 where it is not in the table; and the name of a row,
 * NULL behind the last. */
int ag_blas_core_find(const char *name);
const char *ag_blas_core_name(int row);

/* The newest of `cores` that is no newer than row `limit`; -1 where there is none. */
int ag_blas_core_newest(ag_blas_cores cores, int limit);

#endif
