/* The parts of `altgrad reproduce`. */
#ifndef AG_APP_REPRODUCE_H
#define AG_APP_REPRODUCE_H

#include <stddef.h>

#include "base/text.h"
#include "record/record.h"
#include "results/compare.h"
#include "run/run.h"

typedef enum ag_repeat_outcome {
    AG_REPEAT_SAME,
    AG_REPEAT_DIFFERENT,
    AG_REPEAT_FAILED /* to train again, or to compare */
} ag_repeat_outcome;

/* A completed run that is trained again. */
typedef struct ag_repeat {
    char id[AG_ID_LENGTH + 1];
    ag_run run;             /* as it was, with what --set says */
    const char *assignment; /* a job of the trainer's */
    size_t assignment_size; /* bytes */
    ag_timing stored;       /* of the machine that trained it first */
    ag_repeat_outcome verdict;
    const char *reason;       /* of a failure, "" else; the first line says it all */
    int code;                 /* exit code that a failure asks for */
    ag_comparison comparison; /* where there was no failure */
} ag_repeat;

/* AG_ERR_INPUT where the data or the initial weights are not there or not those that the run was
 * trained on: says what is wrong, then what was expected and what can be done. Reads all of them.
 */
ag_status ag_reproduce_check_inputs(const ag_repeat *repeat);

/* What to print of one run, and of all. */
void ag_reproduce_add_run(ag_text *text, const ag_repeat *repeat);
void ag_reproduce_add_total(ag_text *text, const ag_repeat *repeats, size_t count);
void ag_reproduce_json(ag_text *text, const char *path, const ag_repeat *repeats, size_t count);

/* 0 all the same, 1 some differ, else the code of the first failure. */
int ag_reproduce_exit(const ag_repeat *repeats, size_t count);

#endif
