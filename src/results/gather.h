/* Everything that a results file is made of. */
#ifndef AG_RESULTS_GATHER_H
#define AG_RESULTS_GATHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fields.h"
#include "h5.h"
#include "run/grid.h"
#include "run/run_status.h"
#include "spool/notes.h"
#include "spool/places.h"

typedef struct ag_entry {
    ag_run_summary summary;
    ag_timing timing;
    const ag_label *label; /* the first; of an orphan its last, in ag_gathered.former */
    bool has_file;         /* neither failed nor pending */
    int64_t evals;
    const int64_t *eval_step;
} ag_entry;

typedef struct ag_gathered {
    ag_places places;
    ag_facts facts;
    ag_grid grid;
    const char *grid_text; /* grid.json */
    size_t n_entries;
    ag_entry *entries; /* [grid.n_runs] runs of the grid in its order, then orphans by id */
    ag_grid former;    /* axes and labels of the orphans, and nothing else; a label's run is the
                        * orphan's number */
    const char *former_text; /* labels.json */
    ag_arena arena;
} ag_gathered;

/* The attributes of a run; a file of version 1 is read as if this version had written it. */
void ag_run_summary_read(ag_run_summary *summary, ag_h5 *h5, hid_t run, ag_arena *arena);

/* Version 1 may say that a run is done whose result is not finite: it has diverged. */
void ag_run_summary_judge(ag_run_summary *summary);

/* Whether the group of a run tells its final evaluation apart, as files of version 2 do. */
bool ag_run_has_final(const ag_h5 *h5, hid_t run);

/* Summary, timing and evaluation steps of a run of an open file, or of a run file; the label is not
 * set. */
void ag_entry_read_from(ag_entry *entry, const char *id, ag_h5 *h5, ag_arena *arena);
ag_status ag_entry_read(ag_entry *entry, const char *id, const ag_places *places, ag_arena *arena);

/* False, without an error, for a run file that is damaged, which `run` will set aside: libhdf5 may
 * crash on it, and is not asked. */
bool ag_entry_read_whole(ag_entry *entry, const char *id, const ag_places *places, ag_arena *arena);

/* Summary and timing of a run that failed or is pending: NaN and "" in every cell, so that a table
 * with a row for each run of the grid can be grouped and plotted without asking first which runs
 * are there. */
void ag_entry_without_result(ag_entry *entry, const ag_run *run, ag_run_status status,
                             const char *reason);

ag_status ag_gather(ag_gathered *gathered, const ag_places *places);
void ag_gathered_deinit(ag_gathered *gathered);

#endif
