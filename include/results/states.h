/* States that runs have kept (output.states), for runs that begin with them. */
#ifndef AG_RESULTS_STATES_H
#define AG_RESULTS_STATES_H

#include "base/arena.h"
#include "base/status.h"
#include "run/kept_state.h"
#include "run/tensors.h"

typedef struct ag_state_named {
    const char *path; /* of results */
    const char *run;  /* the id of a run that is complete */
    int64_t step;     /* 0: its only state */
} ag_state_named;

/* The state, for a run of that model, whose tensors are in the table; all in the arena, where
 * *start must stay where it is. AG_ERR_INPUT where the run has kept no such state (the message
 * lists those that it has), or is of other tensors; AG_ERR_FILE where it was damaged. */
ag_status ag_results_start(ag_start *start, const ag_state_named *named, const ag_model_spec *model,
                           const ag_tensor_table *tensors, ag_arena *arena);

#endif
