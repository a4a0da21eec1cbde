/* What of the results at a path nobody needs any more: orphans, and what lies beside them without a
 * run that could go on from it. */
#ifndef AG_RESULTS_PRUNE_H
#define AG_RESULTS_PRUNE_H

#include <stddef.h>

#include "base/arena.h"
#include "base/status.h"

typedef enum ag_scrap_kind {
    AG_SCRAP_ORPHAN,     /* a complete run that the grid no longer names */
    AG_SCRAP_CHECKPOINT, /* of a run that is complete, or not in the grid; likewise the next two */
    AG_SCRAP_CURVE,
    AG_SCRAP_LOG,
    AG_SCRAP_TRUNK,   /* a snapshot of common steps, where no run is left to begin with one */
    AG_SCRAP_DAMAGED, /* a file that was set aside */
    AG_SCRAP_FOLDER,  /* OUT.h5.d, where OUT.h5 is complete and holds everything */
    AG_SCRAP_KINDS
} ag_scrap_kind;

typedef struct ag_scrap {
    ag_scrap_kind kind;
    const char *name; /* of a run: its id; else the file's */
    const char *text; /* of an orphan: what it was called last; "" */
    double bytes;
} ag_scrap;

typedef struct ag_scraps {
    size_t count;
    ag_scrap *items; /* by kind */
    double bytes;    /* of all */
    ag_arena arena;
} ag_scraps;

/* Lists them; nothing is changed. AG_ERR_INPUT where there are no results. */
ag_status ag_scraps_list(ag_scraps *scraps, const char *path);
void ag_scraps_deinit(ag_scraps *scraps);

/* Removes what was listed, as the owner. Killed at any moment it leaves whole results, from which
 * the next one removes the rest. AG_ERR_SYSTEM where somebody else owns them. */
ag_status ag_scraps_remove(const ag_scraps *scraps, const char *path);

#endif
