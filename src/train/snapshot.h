/* A run that begins where another one stood, and one that leaves its state for others. */
#ifndef AG_TRAIN_SNAPSHOT_H
#define AG_TRAIN_SNAPSHOT_H

#include "record/checkpoint.h"
#include "trainer.h"

/* What a run owes to another, as its own checkpoints remember it. */
#define AG_SNAPSHOT_ORIGIN "origin"

typedef struct ag_snapshot_origin {
    int64_t steps;
    char run[16];
} ag_snapshot_origin;

ag_snapshot_origin ag_snapshot_origin_of(const ag_timing *timing);

/* Puts it into the record's timing. AG_ERR_FILE where it cannot be. */
ag_status ag_snapshot_note_origin(ag_trainer *trainer, const ag_snapshot_origin *origin);

/* Begins with the hooks' trunk. One that is of no use is said, and the run begins at its beginning,
 * from `init` (as for ag_trainer_init). */
ag_status ag_snapshot_begin(ag_trainer *trainer, const float *init);

/* Leaves the snapshot that the hooks ask for at this step, if they do; what fails there is said.
 * Between a step and ag_trainer_follow: scales and histories are still those of the phase that
 * ends, which all runs of the trunk share. */
void ag_snapshot_keep(ag_trainer *trainer);

#endif
