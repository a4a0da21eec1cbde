/* The checkpoint that a run goes on from. */
#ifndef AG_TRAIN_RESUME_H
#define AG_TRAIN_RESUME_H

#include <stdbool.h>

#include "record/checkpoint.h"
#include "trainer.h"

/* Goes on from the hooks' checkpoint where there is a good one, else from their trunk. A bad one is
 * said, a checkpoint set aside, and the run begins at its beginning, from `init` (as for
 * ag_trainer_init). AG_ERR_SYSTEM as ag_trainer_report. */
ag_status ag_trainer_resume(ag_trainer *trainer, const float *init);

/* Writes the checkpoint; what fails there is said. The state is between two steps, or in an
 * evaluation, which a resumed run begins again. */
void ag_trainer_save(ag_trainer *trainer);

/* Whether the clock asks for a checkpoint that is newer than the last. */
bool ag_trainer_must_save(const ag_trainer *trainer);

/* --- for checkpoints that are not this run's alone */

/* Whose it is: by the id in the header, which is borrowed. */
ag_checkpoint_key ag_trainer_key(const ag_trainer *trainer, const char *id);

/* Writes the state with `more` sections. */
ag_status ag_trainer_write(const ag_trainer *trainer, const char *path,
                           const ag_checkpoint_key *key, const ag_section *more, size_t n_more);

typedef struct ag_saved_state {
    const char *path;
    ag_checkpoint *checkpoint;
    bool others; /* of another run, before ag_trainer_follow and with other samples: all but those
                    is taken up */
} ag_saved_state;

/* Takes up the state. After a failure it is undefined: ag_trainer_restart. */
ag_status ag_trainer_read(ag_trainer *trainer, const ag_saved_state *from);

/* Puts the trainer, whatever a failed reading left, before its first step. */
ag_status ag_trainer_restart(ag_trainer *trainer, const float *init);

#endif
