/* The checkpoint that a run goes on from. */
#ifndef AG_TRAIN_RESUME_H
#define AG_TRAIN_RESUME_H

#include <stdbool.h>

#include "trainer.h"

/* Goes on from the hooks' checkpoint where there is a good one. A bad one is said and set aside,
 * and the run begins at its beginning, from `init` (as for ag_trainer_init). AG_ERR_SYSTEM as
 * ag_trainer_report. */
ag_status ag_trainer_resume(ag_trainer *trainer, const float *init);

/* Writes the checkpoint; what fails there is said. The state is between two steps, or in an
 * evaluation, which a resumed run begins again. */
void ag_trainer_save(ag_trainer *trainer);

/* Whether the clock asks for a checkpoint that is newer than the last. */
bool ag_trainer_must_save(const ag_trainer *trainer);

#endif
