/* How much memory the processes of a host may hold together: the host's, or less where a container
 * or a batch system has put them into a control group (cgroup, version 1 or 2) with a limit. Past
 * that limit the kernel kills. */
#ifndef AG_PROC_MEMORY_H
#define AG_PROC_MEMORY_H

#include <stddef.h>
#include <stdint.h>

enum { AG_MEMORY_SOURCE = 512 };

typedef struct ag_memory_limit {
    uint64_t bytes; /* 0: not known */
    uint64_t held;  /* of these, now; without file contents that the kernel would give up first */
    char source[AG_MEMORY_SOURCE]; /* the file that says so: ranks that name the same file on one
                                    * host share its limit */
} ag_memory_limit;

/* The tightest limit that holds for this process. `root` stands before the paths /proc and
 * /sys/fs/cgroup: "" but in tests. */
void ag_memory_limit_read(ag_memory_limit *limit, const char *root);

/* Processes that the kernel killed for want of memory so far: those of this control group where
 * it counts them, else those of this host. */
uint64_t ag_memory_oom_kills(const char *root);

#endif
