/* Datasets, tables and attributes: the cells of fields.c as HDF5 types. The file's types are the
 * same on every machine, whatever the compiler makes of a struct: a results file must be the same
 * bytes wherever it was written. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/crc32.h"
#include "h5.h"

/* UTF-8 always: readers that are told ASCII refuse a format's name with an accent. */
static hid_t string_type(size_t size, H5T_str_t padding)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, size);
    H5Tset_strpad(type, padding);
    H5Tset_cset(type, H5T_CSET_UTF8);
    return type;
}

/* Type of a cell, in memory (the machine's) or in the file (the same on every machine). */
static hid_t cell_type(ag_cell cell, size_t size, bool in_file)
{
    static const hsize_t two[] = {2};
    switch (cell) {
    case AG_CELL_I8:
        return H5Tcopy(in_file ? H5T_STD_I8LE : H5T_NATIVE_INT8);
    case AG_CELL_I64:
        return H5Tcopy(in_file ? H5T_STD_I64LE : H5T_NATIVE_INT64);
    case AG_CELL_U32:
        return H5Tcopy(in_file ? H5T_STD_U32LE : H5T_NATIVE_UINT32);
    case AG_CELL_F32:
        return H5Tcopy(in_file ? H5T_IEEE_F32LE : H5T_NATIVE_FLOAT);
    case AG_CELL_F64:
        return H5Tcopy(in_file ? H5T_IEEE_F64LE : H5T_NATIVE_DOUBLE);
    case AG_CELL_SHAPE:
        return H5Tarray_create2(in_file ? H5T_STD_I64LE : H5T_NATIVE_INT64, 1, two);
    case AG_CELL_TEXT:
        return string_type(size, in_file ? H5T_STR_NULLPAD : H5T_STR_NULLTERM);
    case AG_CELLS:
        break;
    }
    return H5I_INVALID_HID;
}

/* In memory as the struct lies; in the file the columns in their order, without gaps. Gaps would
 * hold whatever was in memory, and equal results would be different files. */
static hid_t row_type(const ag_table *table, bool in_file)
{
    hid_t type = H5Tcreate(H5T_COMPOUND, table->row_size);
    size_t end = 0;
    for (size_t i = 0; i < table->n_columns; i++) {
        const ag_column *column = &table->columns[i];
        hid_t member = cell_type(column->type, column->size, in_file);
        H5Tinsert(type, column->name, in_file ? end : column->offset, member);
        end += H5Tget_size(member);
        ag_h5_release(member);
    }
    if (in_file)
        H5Tset_size(type, end);
    return type;
}

/* --- checksums: of texts, and of tables as they lie in the file. Arrays have theirs in /tensors.
 */

/* An attribute of the dataset, so that it travels with it when runs are copied. */
static const char s_crc[] = "crc32";

/* Of all bytes of a table, whatever its columns are. In the file's own type, for the machine that
 * checks may lay out a row otherwise. */
static bool table_crc(uint32_t *crc, hid_t set)
{
    hid_t type = H5Dget_type(set);
    hid_t space = H5Dget_space(set);
    size_t size = (size_t)H5Sget_simple_extent_npoints(space) * H5Tget_size(type);
    void *bytes = malloc(size + 1);
    bool read = bytes != NULL && H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes) >= 0;
    *crc = read ? ag_crc32(bytes, size) : 0;
    free(bytes);
    ag_h5_release(space);
    ag_h5_release(type);
    return read;
}

/* Read back from the file, so that what is summed is what was stored, after libhdf5 has converted
 * it. */
static void put_crc(ag_h5 *h5, hid_t parent, const char *name, const char *text)
{
    static const ag_column column = {s_crc, AG_CELL_U32, 0, 0};
    uint32_t crc = text != NULL ? ag_crc32(text, strlen(text)) : 0;
    if (h5->status != AG_OK)
        return;
    hid_t set = H5Dopen2(parent, name, H5P_DEFAULT);
    if (set < 0 || (text == NULL && !table_crc(&crc, set)))
        ag_h5_fail(h5, "read back", name);
    ag_h5_put(h5, set, &column, 1, &crc);
    ag_h5_release(set);
}

/* No checksum is no failure: somebody may have added a table with another tool. */
static void check_crc(ag_h5 *h5, hid_t set, const char *name, const char *text)
{
    static const ag_column column = {s_crc, AG_CELL_U32, 0, 0};
    uint32_t stored = 0;
    uint32_t crc = text != NULL ? ag_crc32(text, strlen(text)) : 0;
    if (h5->status != AG_OK || H5Aexists(set, s_crc) <= 0) /* written by somebody else */
        return;
    ag_h5_get(h5, set, &column, 1, &stored);
    if (text == NULL && !table_crc(&crc, set))
        ag_h5_fail(h5, "read", name);
    if (h5->status == AG_OK && crc != stored)
        h5->status = ag_fail(AG_ERR_FILE,
                             "%s: %s does not match its crc32: it was damaged after it was written",
                             h5->path, name);
}

/* What ag_h5_write and its like have in common. */
typedef struct content {
    hid_t file_type;
    hid_t memory_type;
    int n_dims;
    const hsize_t *dims;
    const void *data;
} content;

/* Where types differ between memory and file, libhdf5 converts through two zeroed buffers of 1 MiB
 * unless told otherwise: for each small table longer than all the rest takes. A row must fit, or
 * HDF5 refuses the buffer. */
static hid_t make_transfer(const content *from)
{
    enum { BUFFER_BYTES = 64 * 1024 };
    size_t row = H5Tget_size(from->memory_type);
    hid_t transfer = H5Pcreate(H5P_DATASET_XFER);
    H5Pset_buffer(transfer, row > BUFFER_BYTES ? row : BUFFER_BYTES, NULL, NULL);
    return transfer;
}

/* Contiguous and whole: a run's series are small, and every reader can map them. */
static void write_content(ag_h5 *h5, hid_t parent, const char *name, const content *from)
{
    if (h5->status != AG_OK)
        return;
    hid_t creation = ag_h5_properties(H5P_DATASET_CREATE);
    hid_t space =
        from->n_dims > 0 ? H5Screate_simple(from->n_dims, from->dims, NULL) : H5Screate(H5S_SCALAR);
    hid_t set =
        H5Dcreate2(parent, name, from->file_type, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    hid_t transfer = make_transfer(from);
    if (set < 0 || H5Dwrite(set, from->memory_type, H5S_ALL, H5S_ALL, transfer, from->data) < 0)
        ag_h5_fail(h5, "write", name);
    ag_h5_release(transfer);
    ag_h5_release(set);
    ag_h5_release(space);
    ag_h5_release(creation);
}

void ag_h5_write(ag_h5 *h5, hid_t parent, const char *name, const ag_array *array)
{
    content from = {cell_type(array->type, 0, true), cell_type(array->type, 0, false),
                    array->n_dims, array->dims, array->data};
    write_content(h5, parent, name, &from);
    ag_h5_release(from.file_type);
    ag_h5_release(from.memory_type);
}

void ag_h5_write_table(ag_h5 *h5, hid_t parent, const char *name, const ag_table *table)
{
    const hsize_t rows[] = {table->n_rows};
    content from = {row_type(table, true), row_type(table, false), 1, rows, table->rows};
    write_content(h5, parent, name, &from);
    put_crc(h5, parent, name, NULL);
    ag_h5_release(from.file_type);
    ag_h5_release(from.memory_type);
}

/* Without a checksum of its own: /curves can be made anew from the runs, whose texts have theirs.
 */
void ag_h5_write_texts(ag_h5 *h5, hid_t parent, const char *name, const char *const *texts,
                       size_t count)
{
    const hsize_t length[] = {count};
    hid_t type = string_type(H5T_VARIABLE, H5T_STR_NULLTERM);
    content from = {type, type, 1, length, texts};
    write_content(h5, parent, name, &from);
    ag_h5_release(type);
}

void ag_h5_write_text(ag_h5 *h5, hid_t parent, const char *name, const char *text)
{
    hid_t type = string_type(H5T_VARIABLE, H5T_STR_NULLTERM);
    content from = {type, type, 0, NULL, &text};
    write_content(h5, parent, name, &from);
    put_crc(h5, parent, name, text);
    ag_h5_release(type);
}

/* --- reading */

static hid_t open_dataset(ag_h5 *h5, hid_t parent, const char *name)
{
    if (h5->status != AG_OK)
        return H5I_INVALID_HID;
    hid_t set = H5Dopen2(parent, name, H5P_DEFAULT);
    if (set < 0)
        ag_h5_fail(h5, "open", name);
    return set;
}

/* Elements of a one-dimensional dataset; 0 when it has another rank. The length is the file's word:
 * what is read into memory is sized by it, so the rank must be what the caller expects. */
static size_t length_of(ag_h5 *h5, hid_t set, const char *name)
{
    if (set < 0)
        return 0;
    hsize_t dims[1] = {0};
    hid_t space = H5Dget_space(set);
    if (H5Sget_simple_extent_ndims(space) != 1)
        ag_h5_fail(h5, "read (it has more than one dimension)", name);
    else
        H5Sget_simple_extent_dims(space, dims, NULL);
    ag_h5_release(space);
    return (size_t)dims[0];
}

/* The product of a length and a size may overflow where a header is damaged. */
static void *read_elements(ag_h5 *h5, hid_t set, const char *name, hid_t type, size_t count,
                           ag_arena *arena)
{
    if (h5->status != AG_OK)
        return NULL;
    size_t size = H5Tget_size(type);
    void *data = count < SIZE_MAX / size ? ag_arena_alloc(arena, count * size) : NULL;
    if (data == NULL)
        h5->status = ag_fail(AG_ERR_SYSTEM, "%s: out of memory for the %zu elements of %s",
                             h5->path, count, name);
    else if (H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0)
        ag_h5_fail(h5, "read", name);
    return data;
}

void ag_h5_read(ag_h5 *h5, hid_t parent, const char *name, ag_array *array, ag_arena *arena)
{
    hid_t set = open_dataset(h5, parent, name);
    hid_t type = cell_type(array->type, 0, false);
    size_t count = length_of(h5, set, name);
    array->n_dims = 1;
    array->dims[0] = count;
    array->data = read_elements(h5, set, name, type, count, arena);
    ag_h5_release(type);
    ag_h5_release(set);
}

/* For files of earlier versions, which lack some. */
bool ag_h5_has_column(ag_h5 *h5, hid_t parent, const char *table, const char *column)
{
    hid_t set = open_dataset(h5, parent, table);
    if (set < 0)
        return false;
    hid_t type = H5Dget_type(set);
    bool has = H5Tget_class(type) == H5T_COMPOUND && H5Tget_member_index(type, column) >= 0;
    ag_h5_release(type);
    ag_h5_release(set);
    return has;
}

/* By name: columns that the file has and nobody asks for are left out, whatever their order. */
void ag_h5_read_table(ag_h5 *h5, hid_t parent, const char *name, ag_table *table, ag_arena *arena)
{
    hid_t set = open_dataset(h5, parent, name);
    hid_t type = row_type(table, false);
    table->n_rows = length_of(h5, set, name);
    check_crc(h5, set, name, NULL);
    table->rows = read_elements(h5, set, name, type, table->n_rows, arena);
    ag_h5_release(type);
    ag_h5_release(set);
}

/* "" and never NULL, so that callers can go on to the file's end and look at its status there. */
const char *ag_h5_read_text(ag_h5 *h5, hid_t parent, const char *name, ag_arena *arena)
{
    hid_t set = open_dataset(h5, parent, name);
    if (set < 0)
        return "";
    char *text = NULL;
    hid_t type = string_type(H5T_VARIABLE, H5T_STR_NULLTERM);
    if (H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, (void *)&text) < 0 || text == NULL)
        ag_h5_fail(h5, "read", name);
    check_crc(h5, set, name, text);
    const char *copy = text != NULL ? ag_arena_strdup(arena, text) : "";
    if (copy == NULL)
        h5->status = ag_fail(AG_ERR_SYSTEM, "%s: out of memory for %s", h5->path, name);
    H5free_memory(text);
    ag_h5_release(type);
    ag_h5_release(set);
    return copy != NULL ? copy : "";
}

/* --- attributes: numbers as they are, texts of variable length (h5py then gives a str) */

/* In the machine's type: attributes are few, and HDF5 stores which it is. */
static void put_value(ag_h5 *h5, hid_t object, const char *name, hid_t type, const void *value)
{
    if (h5->status != AG_OK)
        return;
    hid_t space = H5Screate(H5S_SCALAR);
    hid_t attribute = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    if (attribute < 0 || H5Awrite(attribute, type, value) < 0)
        ag_h5_fail(h5, "write attribute", name);
    if (attribute >= 0)
        H5Aclose(attribute);
    ag_h5_release(space);
}

void ag_h5_put_text(ag_h5 *h5, hid_t object, const char *name, const char *text)
{
    hid_t type = string_type(H5T_VARIABLE, H5T_STR_NULLTERM);
    put_value(h5, object, name, type, &text);
    ag_h5_release(type);
}

void ag_h5_put(ag_h5 *h5, hid_t object, const ag_column *columns, size_t count, const void *row)
{
    for (size_t i = 0; i < count; i++) {
        const void *value = (const char *)row + columns[i].offset;
        if (columns[i].type == AG_CELL_TEXT) {
            ag_h5_put_text(h5, object, columns[i].name, value);
            continue;
        }
        hid_t type = cell_type(columns[i].type, 0, false);
        put_value(h5, object, columns[i].name, type, value);
        ag_h5_release(type);
    }
}

/* A text attribute, of fixed or variable length, cut to `size`. The caller's cell has its size from
 * the table of columns. */
static void get_text(ag_h5 *h5, hid_t attribute, const char *name, char *out, size_t size)
{
    hid_t stored = H5Aget_type(attribute);
    bool varies = H5Tis_variable_str(stored) > 0;
    char *text = NULL;
    hid_t type = string_type(varies ? H5T_VARIABLE : size, H5T_STR_NULLTERM);
    void *to = varies ? (void *)&text : (void *)out;
    if (H5Tget_class(stored) != H5T_STRING || H5Aread(attribute, type, to) < 0)
        ag_h5_fail(h5, "read attribute", name);
    if (text != NULL)
        snprintf(out, size, "%s", text);
    H5free_memory(text);
    ag_h5_release(type);
    ag_h5_release(stored);
}

/* A missing attribute is a failure: which ones a run has is fixed by its version. */
static void get_cell(ag_h5 *h5, hid_t object, const ag_column *column, void *out)
{
    hid_t attribute = H5Aopen(object, column->name, H5P_DEFAULT);
    if (attribute < 0) {
        ag_h5_fail(h5, "find attribute", column->name);
        return;
    }
    if (column->type == AG_CELL_TEXT) {
        get_text(h5, attribute, column->name, out, column->size);
    } else {
        hid_t type = cell_type(column->type, 0, false);
        if (H5Aread(attribute, type, out) < 0)
            ag_h5_fail(h5, "read attribute", column->name);
        ag_h5_release(type);
    }
    H5Aclose(attribute);
}

void ag_h5_get(ag_h5 *h5, hid_t object, const ag_column *columns, size_t count, void *row)
{
    for (size_t i = 0; i < count && h5->status == AG_OK; i++)
        get_cell(h5, object, &columns[i], (char *)row + columns[i].offset);
}

/* First in every file: whatever else is damaged, it says whose it is. */
void ag_h5_put_format(ag_h5 *h5, const char *format)
{
    static const ag_column version = {"format_version", AG_CELL_I64, 0, 0};
    static const int64_t number = AG_FORMAT_VERSION;
    ag_h5_put_text(h5, h5->id, "format", format);
    ag_h5_put(h5, h5->id, &version, 1, &number);
}
