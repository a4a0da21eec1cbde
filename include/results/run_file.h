/* A run file: one completed run as a small HDF5 file. Its bytes travel from the trainer to rank 0
 * and onto the disk unchanged. Layout: /runs/<id> of the results file, at the same path. */
#ifndef AG_RESULTS_RUN_FILE_H
#define AG_RESULTS_RUN_FILE_H

#include "base/arena.h"
#include "base/status.h"
#include "record/record.h"

/* Writes a run file at `path`: whole under that name, or not there. One that was there is
 * replaced. */
ag_status ag_run_file_write(const char *path, const ag_record *record);

/* Writes a run file into the open descriptor `fd`, from its start, through an unlinked temporary in
 * /dev/shm (TMPDIR where that is missing or too small). */
ag_status ag_run_file_write_fd(int fd, const ag_record *record);

/* Whether the two above could write there, as far as that can be known beforehand. */
ag_status ag_run_file_check(const char *path);
ag_status ag_run_file_check_fd(int fd);

/* Version of the HDF5 library that writes it, "1.10.8", cut to `size`. */
void ag_run_file_library(char *text, size_t size);

/* The weights of run `id` (or the only run where `id` is "") of a results file or run file, into
 * weights [tensors->total]. AG_ERR_INPUT when a tensor is missing or has another shape; AG_ERR_FILE
 * when its crc32 does not match. */
ag_status ag_weights_read(float *weights, const ag_tensor_table *tensors, const char *path,
                          const char *id);

#endif
