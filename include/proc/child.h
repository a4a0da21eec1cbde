/* One child process: started, looked at, cancelled, collected. Nothing here waits for it.
 *
 *   fd 0   input: the bytes given, then end of file
 *   fd 1   /dev/null, unless an output is given
 *   fd 2   the log file
 *   fd 3   AG_CHILD_RESULT_FD: an empty file without a name, in which it leaves its result
 *   fd 4   AG_CHILD_PROGRESS_FD: an ag_progress_page
 *
 * No other descriptor is inherited. The child leads a process group of its own, so that a signal
 * to its parent's group does not look like a crash of the child, has every signal at its default,
 * and has an environment without the variables by which an MPI library would take it for a rank. */
#ifndef AG_PROC_CHILD_H
#define AG_PROC_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/status.h"
#include "proc/progress.h"

enum { AG_CHILD_RESULT_FD = 3, AG_CHILD_PROGRESS_FD = 4, AG_CHILD_SILENT = 0 };

typedef struct ag_child ag_child;

typedef struct ag_child_spec {
    const char *const *argv;        /* argv[0] is the path of the program; ends in NULL */
    const char *const *environment; /* "NAME=value", laid over the inherited one; NULL or ends so */
    const void *input;
    size_t input_size;
    const char *log_path; /* emptied first; NULL, or not writable here: kept without a name */
    size_t result_bytes;  /* about what the result will take: it decides where there is room */
    int output;     /* its standard output is this descriptor, or /dev/null: AG_CHILD_SILENT */
    double grace_s; /* between the SIGTERM and the SIGKILL of ag_child_cancel */
} ag_child_spec;

typedef enum ag_child_state { AG_CHILD_RUNNING, AG_CHILD_EXITED, AG_CHILD_KILLED } ag_child_state;

typedef struct ag_child_end {
    ag_child_state state;
    int code;           /* AG_CHILD_EXITED */
    int signal;         /* AG_CHILD_KILLED */
    bool out_of_memory; /* killed while the kernel of this host killed for want of memory */
    size_t peak_size;   /* bytes of memory that it held at most */
} ag_child_end;

/* Starts the child, whose end will cut a nap of ours short. AG_ERR_SYSTEM when the program cannot
 * be started or there is no room for its files. `spec` is needed during the call only. */
ag_status ag_child_start(ag_child **out, const ag_child_spec *spec);

/* Kills the child if it still runs, and releases its result. NULL is fine. */
void ag_child_destroy(ag_child *child);

/* How the child stands now. Also carries out a cancellation whose grace has passed. */
ag_child_end ag_child_poll(ag_child *child);

/* Bytes of memory that the running child held resident at most. */
size_t ag_child_memory(const ag_child *child);

/* Asks the child to end (SIGTERM); ag_child_poll kills it when it does not. */
void ag_child_cancel(ag_child *child);

/* Kills the child's group at once. */
void ag_child_kill(ag_child *child);

/* The page into which the child writes how far it is; borrowed. */
const ag_progress_page *ag_child_progress(const ag_child *child);

/* The bytes that the child left in its result, after its end; valid until ag_child_destroy. A
 * child that died may have left a part. */
ag_status ag_child_result(const void **bytes, size_t *size, ag_child *child);

/* The last lines of the log, as many whole ones as fit into `size` bytes, without control
 * characters but the newlines between them. */
void ag_child_log_tail(char *text, size_t size, const ag_child *child);

/* "was killed by SIGSEGV (Segmentation fault)", "ended with exit code 7". */
void ag_child_end_text(char *text, size_t size, const ag_child_end *end);

/* For the child itself, first thing in main: asks the kernel to kill it when `parent` dies. False
 * when the parent is gone already. */
bool ag_child_follow_parent(pid_t parent);

#endif
