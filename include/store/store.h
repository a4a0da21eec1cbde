/* The results of an experiment on disk. Rank 0 alone opens it.
 *
 *   OUT.h5                 always whole, replaced by rename
 *   OUT.h5.d/owner         who may write: host, pid, job, token; its mtime is the heartbeat
 *           /grid.json     the experiment's grid and facts, so that packing needs no YAML
 *           /runs/<id>.h5  one file a completed run: present = complete
 *           /logs/<id>.log the log of the newest attempt
 *           /checkpoints/<id> where an unfinished run goes on; its trainer writes it
 *           /events.jsonl  what happened, for people; never needed to recover results
 *
 * Two states: spooled (the weights are in the run files) and packed (OUT.h5 holds everything). */
#ifndef AG_STORE_STORE_H
#define AG_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "spec/grid.h"

typedef struct ag_store ag_store;

/* Facts about the job that are stored in /experiment. Texts may be NULL. */
typedef struct ag_job_facts {
    const char *build;      /* altgrad's version and git revision */
    const char *libraries;  /* "HDF5 1.10.8, Open MPI 4.1.4, OpenBLAS 0.3.21 SkylakeX, ..." */
    const char *hosts;      /* comma-separated, one a rank */
    const char *job;        /* of the batch system: "SLURM 1234, 2 nodes" */
    const char *vocabulary; /* JSON array of the tokens' texts, where data.text has characters */
    int ranks;
} ag_job_facts;

/* How a run that did not complete ended, for the index. */
typedef struct ag_failure {
    const char *id;
    const char *reason;
    int attempts;
} ag_failure;

/* Opens or creates the results at `path` for this grid, takes ownership, and writes the runs of a
 * packed file back as run files where the grid has runs that it lacks. AG_ERR_SYSTEM when somebody
 * else owns it (says who), AG_ERR_FILE when `path` is not ours. `take_over` ignores the owner. */
ag_status ag_store_open(ag_store **out, const char *path, const ag_grid *grid,
                        const ag_job_facts *facts, bool take_over);

/* Gives ownership back. NULL is fine. */
void ag_store_close(ag_store *store);

/* The heartbeat: call it every half minute or so. AG_ERR_SYSTEM when somebody took over, and then
 * nothing may be written any more. */
ag_status ag_store_beat(ag_store *store);

/* Whether the run is complete. */
bool ag_store_has(const ag_store *store, const char *id);

/* Keeps a completed run: temporary, fsync, rename, fsync of the directory. `bytes` are a run file;
 * plain file calls only, so a full disk is an error and nothing worse. */
ag_status ag_store_put(ag_store *store, const char *id, const void *bytes, size_t size);

/* Notes a run that failed; replaces an earlier note, and ag_store_put removes it. */
ag_status ag_store_fail(ag_store *store, const ag_failure *failure);

/* Forgets a completed run (run --again). */
ag_status ag_store_forget(ag_store *store, const char *id);

/* Appends one line to events.jsonl: {"time": ..., "event": `event`, <`members`>}; `members` is JSON
 * without braces, or "". */
ag_status ag_store_event(ag_store *store, const char *event, const char *members);

/* Paths of a run's log file and checkpoint; borrowed until the next call of either. */
const char *ag_store_log_path(ag_store *store, const char *id);
const char *ag_store_checkpoint_path(ag_store *store, const char *id);

/* Removes the checkpoint of a run that is complete, where one was left; ag_store_put does too. */
void ag_store_forget_checkpoint(ag_store *store, const char *id);

/* The work of publishing and packing needs libhdf5 and may take long: rank 0 runs it in a child
 * process (`altgrad pack OUT`, with --spooled while runs come in). These two do the work here. */
ag_status ag_store_publish(const char *path); /* OUT.h5 from the run files, weights left out */
ag_status ag_store_pack(const char *path);    /* OUT.h5 with everything; spooled files removed */

#endif
