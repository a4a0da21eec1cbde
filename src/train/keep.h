/* The states that a run keeps (output.states). */
#ifndef AG_TRAIN_KEEP_H
#define AG_TRAIN_KEEP_H

#include "record/checkpoint.h"
#include "trainer.h"

/* Memory for all of them. */
ag_status ag_keep_lay_out(ag_trainer *trainer, ag_layout *layout);

/* Keeps the state after the step just trained, if that is asked for. As ag_snapshot_keep before
 * ag_trainer_follow: scales are those of the phase that ends. */
void ag_keep_state(ag_trainer *trainer);

/* How many of the states that are asked for lie behind the first `step` steps. */
size_t ag_keep_count(const ag_run *run, int64_t step);

enum { AG_KEEP_SECTIONS = 2 };

/* Those states as a section of a checkpoint, and their steps as another, which is written and
 * compared (ag_keep_check) but never read; returns how many sections. */
size_t ag_keep_sections(ag_section sections[AG_KEEP_SECTIONS], const ag_trainer *trainer,
                        int64_t step);

/* AG_ERR_FILE where a checkpoint of that step holds other states than are asked for. */
ag_status ag_keep_check(const ag_trainer *trainer, ag_checkpoint *checkpoint, int64_t step,
                        const char *path);

/* Takes up what was read into those sections. */
void ag_keep_take_up(ag_trainer *trainer, int64_t step);

#endif
