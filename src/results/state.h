/* What there is at a path, and the way back from packed to spooled. */
#ifndef AG_RESULTS_STATE_H
#define AG_RESULTS_STATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"
#include "h5.h"
#include "run/grid.h"
#include "spool/ids.h"
#include "spool/places.h"

typedef enum ag_state {
    AG_STATE_NONE,    /* neither results file nor run files */
    AG_STATE_SPOOLED, /* the run files are the truth */
    AG_STATE_PACKED   /* OUT.h5 is */
} ag_state;

/* AG_ERR_FILE where OUT.h5 is not ours, damaged, or lacks the run files that it speaks of. */
ag_status ag_state_of(ag_state *state, const ag_places *places);

/* Both for a path where something must be. */
ag_status ag_state_find(ag_state *state, ag_places *places, const char *path);

/* The labels of orphans as labels.json has them, "{}" where the file is older than that. */
const char *ag_packed_labels(ag_h5 *h5, ag_arena *arena);

/* The ids in a results file that have results, and the text of its grid (unless NULL). Sorted, in
 * the arena. */
ag_status ag_packed_ids(ag_ids *ids, const char **grid_text, const ag_places *places,
                        ag_arena *arena);

/* The ids alone, of a file that was judged to be ours, whatever it says itself. */
ag_status ag_damaged_ids(ag_ids *ids, const ag_places *places, ag_arena *arena);

/* The grid that a packed file holds. */
ag_status ag_packed_grid(ag_grid *grid, const ag_places *places, ag_arena *arena);

/* Sets the attribute of a run's group that says whether it is an orphan. The trainer writes 0,
 * which cannot know; whoever copies the run knows. */
void ag_run_mark_orphan(ag_h5 *h5, hid_t run, bool is_orphan);

/* Writes the runs of a packed file as run files into runs_new; or appends the bytes of one run. */
ag_status ag_unpack(const ag_places *places);

/* The same of one that is damaged: what is good of it. Each run that is not is named on standard
 * error; a file that cannot be opened has none. Forks. */
ag_status ag_salvage(const ag_places *places);

/* What both are made of: an empty runs_new with room for that many runs, and one run into it,
 * AG_ERR_FILE where that is damaged. */
ag_status ag_unpack_begin(const ag_places *places, size_t n_runs);
ag_status ag_unpack_run(ag_h5 *from, const char *id, const char *folder);
ag_status ag_unpack_bytes(ag_text *bytes, const char *id, const ag_places *places);

/* --- judge.c */

/* Whether OUT.h5 is altgrad's and not as it was written; `reason` says how. Reads all of it. Fails
 * with AG_ERR_FILE for a file of another program, with AG_ERR_SYSTEM for one that cannot be read:
 * neither is to be touched. Forks. */
ag_status ag_judge_results(bool *damaged, char *reason, size_t size, const ag_places *places);

#endif
