/* What the files of proc share. */
#ifndef AG_PROC_INTERNAL_H
#define AG_PROC_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "proc/child.h"
#include "proc/memory.h"

/* Descriptors for children are kept above those numbers that the child sees them by, so that
 * moving one into place never covers another. */
enum { AG_FIRST_KEPT_FD = 16 };

/* An empty file without a name, close-on-exec, numbered from AG_FIRST_KEPT_FD: in /dev/shm where
 * `bytes` fit there with room to spare, else in TMPDIR or /tmp. */
ag_status ag_scratch_open(int *fd, size_t bytes);

/* Moves `fd` to AG_FIRST_KEPT_FD or above and makes it close-on-exec; closes the old one. */
ag_status ag_fd_keep(int *fd);

/* Makes every descriptor but standard input, output and error close-on-exec: those of an MPI
 * library are not. */
void ag_fds_seal(void);

/* The inherited environment without what an MPI launcher put there, with `overlay` ("NAME=value",
 * NULL or ends so) laid over it. Free it; the strings are borrowed. NULL when memory runs out. */
char **ag_environment_make(const char *const *overlay);

/* Bytes that a running process held resident at most; 0 when it is gone. */
size_t ag_memory_peak(pid_t pid);

/* The number behind `name` at the start of a line of a file; false where there is none. */
bool ag_read_number(uint64_t *number, const char *path, const char *name);

/* Lowers the limit to the tightest of the control groups that this process is in. */
void ag_cgroup_limit(ag_memory_limit *limit, const char *root);

/* False where its own control group does not count them. */
bool ag_cgroup_oom_kills(uint64_t *kills, const char *root);

/* The child's log, open for reading. */
int ag_child_log_fd(const ag_child *child);

#endif
