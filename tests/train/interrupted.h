/* Runs that are stopped and go on from their checkpoint, which lies in a folder of its own. */
#ifndef AG_TESTS_INTERRUPTED_H
#define AG_TESTS_INTERRUPTED_H

#include "resume.h"
#include "scenarios.h"

enum {
    FILE_BYTES = 1 << 18, /* more than a checkpoint of these runs has */
    NEVER = 1 << 30
};

extern tiny run_a; /* large; undisturbed */
extern tiny run_b; /* the one that things happen to */

extern char checkpoint_path[64];
extern char checkpoint_aside[80]; /* where one that is no good is put */

/* What the trainer said, and when it is stopped. */
typedef struct watch {
    int calls;
    int stop_at; /* the call of should_stop that says yes */
    int warnings;
    int64_t first_step;
    char said[4096];
} watch;

ag_train_hooks watch_hooks(watch *w, double every_s);

/* run_a from beginning to end. */
void undisturbed(scenario *set_up);

/* One attempt at run_b: true when it came to its end, with its record in run_b. */
bool attempt(scenario *set_up, watch *w, double every_s);

void clear_files(void);

/* Around a program's tests. */
int folder_setup(void **state);
int folder_teardown(void **state);

#endif
