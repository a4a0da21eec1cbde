/* What the files of this folder share: HDF5 in few calls, and the tables of what is stored. */
#ifndef AG_STORE_STORE_INTERNAL_H
#define AG_STORE_STORE_INTERNAL_H

#include <hdf5.h>
#include <stdbool.h>

#include "store/record.h"

#define AG_RESULTS_FORMAT "altgrad-results"
#define AG_RUN_FORMAT "altgrad-run"
enum { AG_FORMAT_VERSION = 1 };

/* --- h5.c: an open HDF5 file. Calls on a file that has failed do nothing; the first failure is
 * recorded by ag_fail and returned by ag_h5_close. */
typedef struct ag_h5 {
    hid_t id;
    const char *path; /* borrowed */
    ag_status status;
} ag_h5;

typedef enum ag_cell {
    AG_CELL_I8,
    AG_CELL_I64,
    AG_CELL_U32,
    AG_CELL_F32,
    AG_CELL_F64,
    AG_CELL_SHAPE, /* int64_t[2] */
    AG_CELL_TEXT,  /* char[size], closed by a 0 */
    AG_CELLS
} ag_cell;

/* A member of a plain struct as it is stored: an attribute, or a column of a table. */
typedef struct ag_column {
    const char *name;
    ag_cell type;
    size_t offset;
    size_t size; /* bytes; counts for AG_CELL_TEXT only */
} ag_column;

typedef struct ag_table {
    size_t n_columns;
    const ag_column *columns;
    size_t row_size; /* bytes */
    size_t n_rows;
    void *rows;
} ag_table;

/* An array of any rank, contiguous, row-major. */
typedef struct ag_array {
    ag_cell type;
    int n_dims;
    hsize_t dims[2];
    const void *data;
} ag_array;

/* A new file (an old one is overwritten) that every HDF5 from 1.8 on reads, without time stamps. */
void ag_h5_create(ag_h5 *h5, const char *path);

/* Opens a file for reading. Fails with AG_ERR_INPUT when there is none, with AG_ERR_FILE when it is
 * no HDF5 file or its root's attribute "format" is neither `format` nor `other` (may be NULL). */
void ag_h5_open(ag_h5 *h5, const char *path, const char *format, const char *other);
ag_status ag_h5_close(ag_h5 *h5);

/* Records the failure of a call on `name`, with HDF5's own reason. */
void ag_h5_fail(ag_h5 *h5, const char *what, const char *name);

/* Creation properties of a file, group or dataset: no time stamps, attributes in the header. */
hid_t ag_h5_properties(hid_t class);

/* Handles are closed with ag_h5_release; a negative one is fine there. */
hid_t ag_h5_make_group(ag_h5 *h5, hid_t parent, const char *name);
hid_t ag_h5_group(ag_h5 *h5, hid_t parent, const char *name);
void ag_h5_release(hid_t handle);
bool ag_h5_has(const ag_h5 *h5, hid_t parent, const char *name);

/* Datasets. A text is one variable-length UTF-8 string. */
void ag_h5_write(ag_h5 *h5, hid_t parent, const char *name, const ag_array *array);
void ag_h5_write_text(ag_h5 *h5, hid_t parent, const char *name, const char *text);
void ag_h5_write_texts(ag_h5 *h5, hid_t parent, const char *name, const char *const *texts,
                       size_t count);
void ag_h5_write_table(ag_h5 *h5, hid_t parent, const char *name, const ag_table *table);

/* Reads a dataset of one dimension; the elements go to the arena. */
void ag_h5_read(ag_h5 *h5, hid_t parent, const char *name, ag_array *array, ag_arena *arena);
const char *ag_h5_read_text(ag_h5 *h5, hid_t parent, const char *name, ag_arena *arena);

/* Reads the columns that `table` names; rows go to the arena. */
void ag_h5_read_table(ag_h5 *h5, hid_t parent, const char *name, ag_table *table, ag_arena *arena);

/* Attributes of `object`, from and into the members of a struct. */
void ag_h5_put(ag_h5 *h5, hid_t object, const ag_column *columns, size_t count, const void *row);
void ag_h5_get(ag_h5 *h5, hid_t object, const ag_column *columns, size_t count, void *row);
void ag_h5_put_text(ag_h5 *h5, hid_t object, const char *name, const char *text);

/* The attributes that say whose file this is. */
void ag_h5_put_format(ag_h5 *h5, const char *format);

/* --- fields.c: what is stored of a run, as rows. */

/* The attributes of /runs/<id>, which are also columns of /index. */
typedef struct ag_run_summary {
    char id[AG_ID_LENGTH + 1];
    char status[12]; /* done, diverged, failed */
    char reason[256];
    int8_t orphan;
    int64_t seed;
    int64_t steps;
    double loss; /* of the last training step; this and the next two are NaN where there is none */
    double val_loss;
    double val_loss_hp;
    int64_t clipped; /* number of steps */
    int64_t skipped;
    double entropy_rate;
    char weights_digest[AG_DIGEST_LENGTH + 1];
    char initial_digest[AG_DIGEST_LENGTH + 1];
} ag_run_summary;

extern const ag_column ag_summary_columns[];
extern const size_t ag_n_summary_columns;

/* The attributes of /runs/<id>/timing. */
extern const ag_column ag_timing_columns[];
extern const size_t ag_n_timing_columns;

/* A series of a run: where its pointer and its length stand in ag_record. */
typedef struct ag_series {
    const char *path; /* below /runs/<id> */
    ag_cell type;
    size_t data;
    size_t count;
    const char *units;
    const char *long_name;
} ag_series;

extern const ag_series ag_record_series[];
extern const size_t ag_n_record_series;

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

void ag_summary_of(ag_run_summary *summary, const ag_record *record);

/* zlib's crc32, of any length. */
uint32_t ag_crc32(const void *bytes, size_t count);

#endif
