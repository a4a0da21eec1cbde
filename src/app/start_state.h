/* The state that train.start names, in a process that may open HDF5 files. */
#ifndef AG_APP_START_STATE_H
#define AG_APP_START_STATE_H

#include "config/experiment.h"

/* An ag_start_find; `context` is not used. */
ag_status ag_start_find_here(ag_start_found *found, const ag_run *run, void *context);

#endif
