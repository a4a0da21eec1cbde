/* A trainer that goes from one phase of its run to the next. */
#ifndef AG_TRAIN_NEXT_PHASE_H
#define AG_TRAIN_NEXT_PHASE_H

#include "trainer.h"

/* The scales of two phases, as ag_train_state has them: of each operand whose scheme is the same in
 * both, `to` gets the scale and its history. */
typedef struct ag_scales_of {
    const ag_run *run;
    size_t phase;
    ag_scale *scales;
    float *amaxes;
} ag_scales_of;

void ag_trainer_carry(const ag_scales_of *to, const ag_scales_of *from);

/* Room for the scales of a phase that ends. */
void ag_trainer_lay_out_ended(ag_trainer *trainer, ag_layout *layout);

/* Puts the trainer into the phase of its step, if that is another one: new operands, whose scales
 * begin anew where their scheme changed. Weights, moments and the record stay. */
ag_status ag_trainer_follow(ag_trainer *trainer);

/* Puts it into a phase, with scales as before the first step. */
ag_status ag_trainer_enter(ag_trainer *trainer, size_t phase);

#endif
