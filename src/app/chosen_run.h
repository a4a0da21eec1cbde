/* The one completed run of a results file that a command is about. */
#ifndef AG_APP_CHOSEN_RUN_H
#define AG_APP_CHOSEN_RUN_H

#include "base/arena.h"
#include "base/status.h"
#include "command_line.h"
#include "run/run.h"
#include "run/tensors.h"

/* What a command line says of it, `OUT [RUN...]`: the beginning of its id, or labels "axis=value";
 * none where there is one run only. */
typedef struct ag_run_choice {
    const char *path;
    const char *const *selectors; /* [count] */
    size_t count;
} ag_run_choice;

/* Reads the arguments that follow the options. Returns -1, or the exit code where there are none.
 */
int ag_run_choice_read(ag_run_choice *choice, const ag_command_line *line, int argc, char **argv);

/* Its id. AG_ERR_INPUT names the candidates where several runs are meant. */
ag_status ag_chosen_run_id(char id[AG_ID_LENGTH + 1], const ag_run_choice *choice);

/* The id of the completed run of the results at `path` that is called exactly `name`; *is_one says
 * whether there is one. */
ag_status ag_chosen_run_named(bool *is_one, char id[AG_ID_LENGTH + 1], const char *path,
                              const char *name);

/* A trained model. */
typedef struct ag_trained {
    ag_run run;
    ag_tensor_table tensors;
    float *weights; /* [tensors.total] */
} ag_trained;

/* That run with its final weights, in the arena. AG_ERR_INPUT names the candidates where several
 * runs are meant. */
ag_status ag_chosen_model(ag_trained *trained, const ag_run_choice *choice, ag_arena *arena);

#endif
