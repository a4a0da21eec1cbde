/* What `altgrad-train --preflight` does once the run's data and initial weights have been found. */
#ifndef AG_APP_TRAIN_PREFLIGHT_H
#define AG_APP_TRAIN_PREFLIGHT_H

#include "base/status.h"

/* Trains a step of a tiny built-in run and writes its run file into `fd`, as a whole run would;
 * then a report, which the coordinator compares among ranks, takes its place:
 *
 *     build 0.1.0+gabc
 *     blas OpenBLAS 0.3.21 Haswell
 *     hdf5 1.10.8
 *     cores 63ff                   bits of ag_blas_cores that the CPU can run */
ag_status ag_train_preflight(int fd);

#endif
