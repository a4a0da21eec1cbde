/* The results of an experiment on disk. Rank 0 alone opens it.
 *
 *   OUT.h5                 always whole, replaced by rename
 *   OUT.h5.d/owner         who may write: host, pid, job, token; its mtime is the heartbeat
 *           /grid.json     the experiment's grid and facts, so that packing needs no YAML
 *           /labels.json   what runs were called that it named once
 *           /runs/<id>.h5  one file a completed run: present = complete
 *           /logs/<id>.log the log of the newest attempt
 *           /checkpoints/<id> where an unfinished run goes on; its trainer writes it
 *           /trunks/<P>-<step> states that runs share (run/trunk.h); trainers write them
 *           /live/<id>.jsonl  points of the curve of an unfinished run, an object per line:
 *                          {"step", "loss"} or {"eval_step", "val_loss", "val_loss_hp"}
 *           /events.jsonl  what happened, for people; never needed to recover results
 *           /damaged/      what was found so and set aside
 *
 * Two states: spooled (the weights are in the run files) and packed (OUT.h5 holds everything). */
#ifndef AG_SPOOL_STORE_H
#define AG_SPOOL_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "run/grid.h"
#include "spool/live.h"
#include "spool/notes.h"

typedef struct ag_store ag_store;

/* Work that needs libhdf5, which crashes on some damaged files and on a full disk, and may take
 * long. */
typedef enum ag_store_task {
    AG_STORE_PREPARE, /* sets aside what is damaged, removes what a kill left; a packed file that is
                       * not what grid.json asks for is written back as run files */
    AG_STORE_UNPACK,  /* the same, and a packed file is written back whatever it holds */
    AG_STORE_PUBLISH, /* OUT.h5 from the run files, weights left out */
    AG_STORE_PACK     /* OUT.h5 with everything; run files removed */
} ag_store_task;

/* Does a task on the results at `path` for the owner with this token (NULL: this process if it is
 * the owner, else it becomes that for the time being). AG_ERR_SYSTEM where somebody else is. */
typedef ag_status ag_store_worker(ag_store_task task, const char *path, const char *token);

typedef struct ag_store_options {
    bool take_over;          /* whoever owns it */
    ag_store_worker *worker; /* rank 0's starts `altgrad pack`; a process without MPI may have
                              * ag_results_work */
} ag_store_options;

/* Opens or creates the results at `path` for this grid, takes ownership, and has them prepared.
 * AG_ERR_SYSTEM when somebody else owns them (says who), AG_ERR_FILE when `path` is not ours or a
 * damaged packed file. */
ag_status ag_store_open(ag_store **out, const char *path, const ag_grid *grid,
                        const ag_job_facts *facts, const ag_store_options *options);

/* The same results for a grid that has more runs. */
ag_status ag_store_extend(ag_store *store, const ag_grid *grid);

/* Says who the owner is; borrowed. */
const char *ag_store_token(const ag_store *store);

/* Gives ownership back. NULL is fine. */
void ag_store_close(ag_store *store);

/* Learns what runs were called that are orphans here: ag_results.labels of other results. */
ag_status ag_store_labels(ag_store *store, const char *labels);

/* The heartbeat: call it every half minute or so. AG_ERR_SYSTEM when somebody took over, and then
 * nothing may be written any more. */
ag_status ag_store_beat(ag_store *store);

/* Whether the run is complete. */
bool ag_store_has(const ag_store *store, const char *id);

/* Whether the results are one packed file now, be it that another process has just made it so. */
bool ag_store_is_packed(const ag_store *store);

/* Keeps a completed run, in the place of an earlier one: temporary, fsync, rename, fsync of the
 * directory. `bytes` are a run file; plain file calls only, so a full disk is an error and nothing
 * worse. */
ag_status ag_store_put(ag_store *store, const char *id, const void *bytes, size_t size);

/* Notes a run that failed; replaces an earlier note, and ag_store_put removes it. */
ag_status ag_store_fail(ag_store *store, const ag_failure *failure);

/* Appends one line to events.jsonl: {"time": ..., "event": `event`, <`members`>}; `members` is JSON
 * without braces, or "". */
ag_status ag_store_event(ag_store *store, const char *event, const char *members);

/* Paths of a run's log file and checkpoint; borrowed until the next call of either. */
const char *ag_store_log_path(ag_store *store, const char *id);
const char *ag_store_checkpoint_path(ag_store *store, const char *id);

/* The folder of trunks' snapshots (run/trunk.h), by their names; borrowed. */
const char *ag_store_trunks(const ag_store *store);

/* The steps that a run's checkpoint has behind it; 0 where it has none. */
int64_t ag_store_checkpoint_step(ag_store *store, const char *id);

/* Appends lines to live/<id>.jsonl, the curve of a run that is being trained. Not synced. */
ag_status ag_store_curve(ag_store *store, const char *id, const char *lines);

/* Removes the checkpoint and the curve of a run that is complete, where they were left;
 * ag_store_put does too. */
void ag_store_forget_progress(ag_store *store, const char *id);

/* Notes the runs of the grid; `names` are for people. Runs that are not `mine` are left to other
 * shards; NULL = all are. */
ag_status ag_store_plan(ag_store *store, const ag_grid *grid, const char *const *names,
                        const bool *mine);

/* Replaces live.json. Not synced: it is worth nothing after a crash. */
ag_status ag_store_live(ag_store *store, const ag_live *live);

/* Whether `altgrad stop` asks this owner to stop. Looks at the disk. */
bool ag_store_stop_asked(const ag_store *store);

#endif
