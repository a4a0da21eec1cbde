/* libhdf5 crashes its process on some damaged files, and where a disk is full: what may crash runs
 * in a child, so that the command ends with one clear message. Not for a process that uses MPI. */
#ifndef AG_RESULTS_GUARD_H
#define AG_RESULTS_GUARD_H

#include <stddef.h>

#include "base/status.h"

typedef ag_status ag_guard_work(void *context);
typedef void ag_guard_beat(void *context);

/* Runs `work` in a forked child, which dies with this process, and returns its status with its
 * message. Where it crashed: AG_ERR_FILE, with the file that libhdf5 had in hand. What the child
 * writes into memory is lost, but for that of ag_guard_share. */
ag_status ag_guard(ag_guard_work *work, void *context);

/* The same; meanwhile this process calls `beat`, with the same context, every so many milliseconds.
 */
ag_status ag_guard_beating(ag_guard_work *work, void *context, ag_guard_beat *beat, int every_ms);

/* Zeroed memory that a child shares, or NULL; released with ag_guard_unshare (NULL is fine). */
void *ag_guard_share(size_t size);
void ag_guard_unshare(void *memory, size_t size);

/* For h5.c: what libhdf5 has in hand, should it crash; "" once a file is written. */
void ag_guard_reads(const char *path);
void ag_guard_writes(const char *path);

#endif
