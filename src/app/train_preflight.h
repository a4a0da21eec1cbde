/* What `altgrad-train --preflight` does once the run's data and initial weights have been found. */
#ifndef AG_APP_TRAIN_PREFLIGHT_H
#define AG_APP_TRAIN_PREFLIGHT_H

#include "base/status.h"

/* Trains a step of a tiny built-in run and writes its run file into `fd`, as a whole run would;
 * then a report, which the coordinator compares among ranks, takes its place:
 *
 *     build 0.2.0+gabc
 *     hdf5 1.10.8
 *     memory 8589934592 1048576 /sys/fs/cgroup/memory.max
 *                                  what ag_memory_limit_read says: limit, held of it, source */
ag_status ag_train_preflight(int fd);

#endif
