/* Where everything lies beside a results file; see store.h for what it is. */
#ifndef AG_SPOOL_PLACES_H
#define AG_SPOOL_PLACES_H

#include "base/files.h"
#include "base/status.h"

typedef struct ag_places {
    char results[AG_PATH_SIZE]; /* OUT.h5 */
    char folder[AG_PATH_SIZE];  /* OUT.h5.d, which holds the others */
    char owner[AG_PATH_SIZE];
    char grid[AG_PATH_SIZE];
    char labels[AG_PATH_SIZE]; /* of runs that the grid named once */
    char facts[AG_PATH_SIZE];
    char plan[AG_PATH_SIZE];
    char live[AG_PATH_SIZE];
    char curves[AG_PATH_SIZE];
    char stop[AG_PATH_SIZE];
    char events[AG_PATH_SIZE];
    char failed[AG_PATH_SIZE];
    char logs[AG_PATH_SIZE];
    char checkpoints[AG_PATH_SIZE];
    char trunks[AG_PATH_SIZE];     /* states at steps up to which runs agree */
    char runs[AG_PATH_SIZE];       /* there = spooled: its files are the truth */
    char runs_new[AG_PATH_SIZE];   /* of a packed file that is being extended */
    char runs_old[AG_PATH_SIZE];   /* of a file that was packed */
    char damaged[AG_PATH_SIZE];    /* what was found so, to be looked at by somebody */
    char unfinished[AG_PATH_SIZE]; /* the results file that is being written */
} ag_places;

/* AG_ERR_INPUT for a path that cannot be one. */
ag_status ag_places_of(ag_places *places, const char *path);
ag_status ag_places_run(char path[AG_PATH_SIZE], const char *folder, const char *id);

#endif
