/* What `altgrad merge` takes out of one results file to put it into another. */
#ifndef AG_STORE_MERGE_H
#define AG_STORE_MERGE_H

#include "base/arena.h"
#include "base/status.h"
#include "base/text.h"
#include "store/store.h"

/* Appends the bytes of a completed run of the results at `path`, spooled or packed, as a run file.
 * AG_ERR_FILE where one of its checksums does not match. */
ag_status ag_results_run_bytes(ag_text *bytes, const char *path, const char *id);

/* The facts of the job that the results at `path` were made by; texts go to the arena. */
ag_status ag_results_facts(ag_job_facts *facts, const char *path, ag_arena *arena);

#endif
