/* A run file in the making. */
#ifndef AG_RESULTS_RUN_WRITER_H
#define AG_RESULTS_RUN_WRITER_H

#include "fields.h"
#include "h5.h"
#include "record/record.h"

typedef struct ag_run_writer {
    ag_h5 h5;
    hid_t run; /* the group /runs/<id> */
    const ag_record *record;
    ag_arena arena;
    ag_table tensors; /* a row a dataset */
} ag_run_writer;

/* Writes a dataset and notes it in the table of checksums; the second with its attributes. */
void ag_run_add_plain(ag_run_writer *writer, const char *path, const ag_array *array);
void ag_run_add(ag_run_writer *writer, const char *path, const ag_array *array, const char *units,
                const char *long_name);

/* Arrays in the layout of the record's table, tensor by tensor, in a group of their own. */
void ag_run_add_tensors(ag_run_writer *writer, const char *group, const float *values);

/* The states that the run has kept; how many datasets they are, and at most how many copies of the
 * weights. */
void ag_run_add_states(ag_run_writer *writer);
size_t ag_run_state_datasets(const ag_record *record);
size_t ag_run_state_copies(const ag_record *record);

/* The sampled series, and how many datasets they are at most. */
void ag_run_add_samples(ag_run_writer *writer);
size_t ag_run_sample_datasets(const ag_samples *samples);

#endif
