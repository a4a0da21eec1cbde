/* The arrays of a run, wherever they lie: in a results file, or in the run file that it names. Each
 * is compared with its checksum as it is read. Calls after a failure do nothing. */
#ifndef AG_RESULTS_RUN_READER_H
#define AG_RESULTS_RUN_READER_H

#include "fields.h"
#include "h5.h"
#include "run/tensors.h"

typedef struct ag_run_reader {
    ag_h5 h5;
    hid_t run;
    ag_table tensors; /* of checksums */
    ag_arena arena;
    char file[4096]; /* the run file; "" where there is none */
} ag_run_reader;

/* Opens run `id`, or the only run where `id` is "". Close it also after a failure. */
void ag_run_reader_open(ag_run_reader *reader, const char *path, const char *id);
ag_status ag_run_reader_close(ag_run_reader *reader);

/* The row of a dataset of that path below the run, or NULL. */
const ag_tensor_row *ag_run_reader_find(const ag_run_reader *reader, const char *path);

/* Fails unless every tensor is in `group` by its name and has its shape. */
void ag_run_read_tensors(ag_run_reader *reader, const char *group, const ag_tensor_table *tensors,
                         float *values);

/* A dataset of one dimension with elements of `size` bytes, of which the first `count` are asked
 * for; in the arena. NULL after a failure. */
void *ag_run_read_array(ag_run_reader *reader, const char *path, size_t size, size_t count,
                        ag_arena *arena);

#endif
