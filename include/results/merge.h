/* What `altgrad merge` takes out of one results file to put it into another. */
#ifndef AG_RESULTS_MERGE_H
#define AG_RESULTS_MERGE_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/status.h"
#include "base/text.h"
#include "results/check.h"
#include "results/results.h"
#include "spool/store.h"

/* Whether there is a packed file at `path` that is not as it was written. */
bool ag_results_are_damaged(const char *path);

/* Opens such a file for the runs that `check` found good: no other checksum covers its tables. */
ag_status ag_results_salvage(ag_results *results, const char *path, const ag_check *check);

/* Appends the bytes of a completed run of the results at `path`, spooled or packed, as a run file.
 * AG_ERR_FILE where one of its checksums does not match. */
ag_status ag_results_run_bytes(ag_text *bytes, const char *path, const char *id);

/* The facts of the job that the results at `path` were made by; texts go to the arena. Of a damaged
 * file those that lie beside it, if any. */
ag_status ag_results_facts(ag_job_facts *facts, const char *path, ag_arena *arena);

#endif
