/* Small JSON files beside the runs: facts about the job, why a run failed, the grid. */
#ifndef AG_SPOOL_NOTES_H
#define AG_SPOOL_NOTES_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/status.h"
#include "run/grid.h"

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

typedef struct ag_facts {
    const char *created; /* when the results were begun, UTC */
    ag_job_facts job;    /* its texts are never NULL here */
} ag_facts;

ag_status ag_notes_write_facts(const ag_facts *facts, const char *path);
ag_status ag_notes_read_facts(ag_facts *facts, const char *path, ag_arena *arena);

/* Reads grid.json; the grid goes to the arena, as does its text unless `text` is NULL. AG_ERR_FILE
 * with the path and the cure: "damaged" is what is no JSON; of a grid that this version refuses,
 * the reason is told. */
ag_status ag_notes_read_grid(ag_grid *grid, const char **text, const char *path, ag_arena *arena);

ag_status ag_failure_write(const ag_failure *failure, const char *folder);
void ag_failure_remove(const char *id, const char *folder);

/* False where the run did not fail. The reason goes to the arena. */
bool ag_failure_read(ag_failure *failure, const char *id, const char *folder, ag_arena *arena);

#endif
