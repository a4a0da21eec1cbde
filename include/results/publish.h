/* OUT.h5 from the run files, and the other work on results that needs libhdf5. */
#ifndef AG_RESULTS_PUBLISH_H
#define AG_RESULTS_PUBLISH_H

#include "spool/store.h"

/* An ag_store_worker that works in forked children of this process, which must not use MPI: rank 0
 * has another worker, which starts `altgrad pack`. */
ag_status ag_results_work(ag_store_task task, const char *path, const char *token);

/* AG_STORE_PUBLISH and AG_STORE_PACK by ag_results_work. */
ag_status ag_results_publish(const char *path);
ag_status ag_results_pack(const char *path);

#endif
