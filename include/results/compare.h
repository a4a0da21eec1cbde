/* What `altgrad reproduce` needs of a results file: a completed run as it was asked for, and a
 * comparison, bit for bit, of what it left with what the same run leaves now. */
#ifndef AG_RESULTS_COMPARE_H
#define AG_RESULTS_COMPARE_H

#include "base/arena.h"
#include "base/status.h"
#include "record/record.h"
#include "run/run.h"

/* One dataset or attribute of a run that differs. */
typedef struct ag_difference {
    char name[192];  /* below /runs/<id> */
    char place[64];  /* of its first value that differs: "step 17", "element [3, 5]"; "" = all */
    char stored[80]; /* that value then */
    char fresh[80];  /* and now */
    int64_t count;   /* values that differ */
} ag_difference;

typedef struct ag_comparison {
    size_t n_datasets; /* compared */
    size_t n_differences;
    ag_difference
        *differences; /* datasets in the order in which a run is written, attributes last */
    ag_timing stored;
    ag_timing fresh;
} ag_comparison;

/* The configuration of completed run `id` of the results at `path`, spooled or packed, with the
 * paths and settings it was trained with; timing may be NULL. AG_ERR_FILE when it does not hash to
 * its id. Texts and layers go to the arena. */
ag_status ag_results_run(ag_run *run, ag_timing *timing, const char *path, const char *id,
                         ag_arena *arena);

/* Compares that run with the run file in `bytes`: every dataset of either, and every attribute that
 * the run determines. Differences go to the arena. */
ag_status ag_results_compare(ag_comparison *comparison, const char *path, const char *id,
                             const void *bytes, size_t size, ag_arena *arena);

#endif
