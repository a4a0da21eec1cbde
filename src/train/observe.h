/* Where the trainer lets its observer look. */
#ifndef AG_TRAIN_OBSERVE_H
#define AG_TRAIN_OBSERVE_H

#include <stddef.h>

#include "trainer.h"

/* The observer and what it needs, with the groups of the record's samples: those of all phases. */
ag_status ag_observer_lay_out(ag_trainer *trainer, ag_layout *layout);

/* What it watches in the phase at hand. */
ag_status ag_observer_enter(ag_trainer *trainer, ag_layout *layout);

/* Around a step, in this order; they return at once where it is not sampled. The second is called
 * with the gradient, the third after ag_model_end_step and before the next step. */
void ag_observe_begin(ag_trainer *trainer);
void ag_observe_gradient(ag_trainer *trainer);
void ag_observe_update(ag_trainer *trainer);

/* Between the halves of a pass that is observed, and behind them. */
void ag_observe_forward(ag_trainer *trainer, const ag_tokens *tokens, const ag_pass *pass);
void ag_observe_backward(ag_trainer *trainer, const ag_pass *pass);

/* The observer while it wants to look, or NULL. */
ag_observer *ag_observer_at_work(const ag_trainer *trainer);

/* A step is not finite: does it again to see where that began, if it is the first such step. */
void ag_observe_failure(ag_trainer *trainer);

/* What a checkpoint holds of the observer beside the record's samples; returns the number of
 * sections. */
enum { AG_OBSERVER_SECTIONS = 1 };
size_t ag_observer_sections(ag_section sections[AG_OBSERVER_SECTIONS], const ag_trainer *trainer);

#endif
