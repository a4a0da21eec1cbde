/* A run that begins with the state of another (train.start). */
#ifndef AG_TRAIN_TAKE_START_H
#define AG_TRAIN_TAKE_START_H

#include "trainer.h"

/* Puts a trainer that is before its first step into run->start, whose steps become part of the
 * record. Operands meet it as at the start of a phase: those whose scheme is another begin without
 * a history. So do weights that are stored or lie on a grid: where that is another, they are
 * rounded as before a first step. AG_ERR_BUG where the state is not of this run's tensors. */
ag_status ag_trainer_take_start(ag_trainer *trainer);

#endif
