/* The one completed run of a results file that a command is about. */
#ifndef AG_APP_CHOSEN_RUN_H
#define AG_APP_CHOSEN_RUN_H

#include "base/arena.h"
#include "base/status.h"
#include "run/run.h"
#include "run/tensors.h"

/* Finds it by selectors [count]: the beginning of its id, or labels "axis=value"; none where there
 * is one run only. AG_ERR_INPUT names the candidates where several are meant. */
ag_status ag_chosen_run(char id[AG_ID_LENGTH + 1], const char *path, const char *const *selectors,
                        size_t count);

/* A trained model. */
typedef struct ag_trained {
    ag_run run;
    ag_tensor_table tensors;
    float *weights; /* [tensors.total] */
} ag_trained;

/* That run with its final weights, in the arena. */
ag_status ag_chosen_model(ag_trained *trained, const char *path, const char *const *selectors,
                          size_t count, ag_arena *arena);

#endif
