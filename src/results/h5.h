/* HDF5 in few calls. Those on a file that has failed do nothing; the first failure is recorded by
 * ag_fail and returned by ag_h5_close. */
#ifndef AG_RESULTS_H5_H
#define AG_RESULTS_H5_H

#include <hdf5.h>
#include <stdbool.h>

#include "base/arena.h"
#include "base/status.h"
#include "base/text.h"

#define AG_RESULTS_FORMAT "altgrad-results"
#define AG_RUN_FORMAT "altgrad-run"

/* 2: /index has every run of the grid, and orphans have a table of their own. Files of 1 are read.
 */
enum { AG_FORMAT_VERSION = 2 };

typedef struct ag_h5 {
    hid_t id;
    const char *path; /* borrowed */
    bool writes;
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

/* The same in an open file, that may have no name; `name` is for messages. */
void ag_h5_create_on(ag_h5 *h5, int fd, const char *name);

/* Opens a file for reading. Fails with AG_ERR_INPUT when there is none, with AG_ERR_FILE when it is
 * no HDF5 file or its root's attribute "format" is neither `format` nor `other` (may be NULL).
 * Where `format` is NULL any HDF5 file will do. */
void ag_h5_open(ag_h5 *h5, const char *path, const char *format, const char *other);
ag_status ag_h5_close(ag_h5 *h5);

/* Opens the bytes of a run file, which stay the caller's and are copied; `name` is for messages. */
void ag_h5_open_bytes(ag_h5 *h5, const char *name, const void *bytes, size_t size);

/* Records the failure of a call on `name`, with HDF5's own reason. */
void ag_h5_fail(ag_h5 *h5, const char *what, const char *name);

/* HDF5's own reason for the call that failed last, one line; "" where it gives none. And whether it
 * passes on what the system refused, which says nothing about the file's content. */
void ag_h5_reason(char *text, size_t size);
bool ag_h5_is_of_system(const char *reason);

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

bool ag_h5_has_column(ag_h5 *h5, hid_t parent, const char *table, const char *column);

/* Reads the columns that `table` names; rows go to the arena. */
void ag_h5_read_table(ag_h5 *h5, hid_t parent, const char *name, ag_table *table, ag_arena *arena);

/* Attributes of `object`, from and into the members of a struct. */
void ag_h5_put(ag_h5 *h5, hid_t object, const ag_column *columns, size_t count, const void *row);
void ag_h5_get(ag_h5 *h5, hid_t object, const ag_column *columns, size_t count, void *row);
void ag_h5_put_text(ag_h5 *h5, hid_t object, const char *name, const char *text);

/* The attributes that say whose file this is. */
void ag_h5_put_format(ag_h5 *h5, const char *format);

/* --- h5_scratch.c: HDF5 in memory */

/* A new file in /dev/shm, or TMPDIR where that has no room for `bytes`: a full disk crashes
 * libhdf5. It has no name any more, so that nothing is left whoever is killed; *fd reads it once
 * `h5` is closed. */
ag_status ag_h5_scratch_create(ag_h5 *h5, int *fd, size_t bytes);

/* Appends what the file holds. */
ag_status ag_h5_scratch_read(ag_text *bytes, int fd);

#endif
