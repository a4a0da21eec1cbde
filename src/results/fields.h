/* What is stored of a run, as rows: writer, reader and index all go by these tables. */
#ifndef AG_RESULTS_FIELDS_H
#define AG_RESULTS_FIELDS_H

#include <stddef.h>
#include <stdint.h>

#include "h5.h"
#include "record/record.h"
#include "record/series.h"

/* The attributes of /runs/<id>, which are also columns of /index. */
typedef struct ag_run_summary {
    char id[AG_ID_LENGTH + 1];
    char status[12]; /* of ag_run_status_words */
    char reason[256];
    int8_t orphan;
    int64_t seed;
    int64_t steps;
    double loss; /* of the last training step; this and the next four are NaN where there is none */
    double val_loss; /* of the last step's evaluation on the fixed windows */
    double val_loss_hp;
    double final_val_loss; /* of the whole validation part */
    double final_val_loss_hp;
    int64_t clipped; /* number of steps */
    int64_t skipped;
    double entropy_rate;
    char recorded[256]; /* JSON: see ag_run_recorded */
    char weights_digest[AG_DIGEST_LENGTH + 1];
    char initial_digest[AG_DIGEST_LENGTH + 1];
} ag_run_summary;

extern const ag_column ag_summary_columns[];
extern const size_t ag_n_summary_columns;

/* The attributes of /runs/<id>/timing. */
extern const ag_column ag_timing_columns[];
extern const size_t ag_n_timing_columns;
extern const ag_column ag_trunk_columns[];
extern const size_t ag_n_trunk_columns;

/* How the elements of a series are stored. */
ag_cell ag_cell_of_series(const ag_series *series);

/* /runs/<id>/tensors: one row a numeric dataset of the run. */
typedef struct ag_tensor_row {
    char name[96]; /* path below /runs/<id> */
    char dtype[8]; /* as numpy writes it: "<f4" */
    int8_t rank;
    int64_t shape[2]; /* 0 beyond the rank */
    int64_t bytes;
    uint32_t crc32;
} ag_tensor_row;

extern const ag_column ag_tensor_columns[];
extern const size_t ag_n_tensor_columns;

void ag_run_summary_of(ag_run_summary *summary, const ag_record *record);

/* Copies a text into `size` bytes; one that is too long ends with a whole character of UTF-8. */
void ag_copy_text(char *to, size_t size, const char *text);

#endif
