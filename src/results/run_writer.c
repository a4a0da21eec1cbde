/* One way by which a dataset gets into a run file, so that none is without a row in its table of
 * checksums. */
#include "run_writer.h"

#include <stdio.h>

#include "base/crc32.h"

static size_t cell_size(ag_cell cell)
{
    static const size_t sizes[AG_CELLS] = {[AG_CELL_I8] = 1,
                                           [AG_CELL_I64] = 8,
                                           [AG_CELL_U32] = 4,
                                           [AG_CELL_F32] = 4,
                                           [AG_CELL_F64] = 8};
    return sizes[cell];
}

/* As numpy spells types: readers in Python compare it with dtype.str. */
static const char *numpy_name(ag_cell cell)
{
    static const char *const names[AG_CELLS] = {[AG_CELL_I8] = "|i1",
                                                [AG_CELL_I64] = "<i8",
                                                [AG_CELL_U32] = "<u4",
                                                [AG_CELL_F32] = "<f4",
                                                [AG_CELL_F64] = "<f8"};
    return names[cell];
}

/* The checksum is of the array in memory, not of what HDF5 reads back: it vouches for everything
 * that happens on the way. */
void ag_run_add_plain(ag_run_writer *w, const char *path, const ag_array *array)
{
    ag_h5_write(&w->h5, w->run, path, array);
    ag_tensor_row *row = (ag_tensor_row *)w->tensors.rows + w->tensors.n_rows++;
    *row = (ag_tensor_row){.rank = (int8_t)array->n_dims};
    size_t count = 1;
    for (int i = 0; i < array->n_dims && i < 2; i++) {
        row->shape[i] = (int64_t)array->dims[i];
        count *= (size_t)array->dims[i];
    }
    row->bytes = (int64_t)(count * cell_size(array->type));
    row->crc32 = ag_crc32(array->data, (size_t)row->bytes);
    snprintf(row->name, sizeof row->name, "%s", path);
    snprintf(row->dtype, sizeof row->dtype, "%s", numpy_name(array->type));
}

void ag_run_add_tensors(ag_run_writer *w, const char *group, const float *values)
{
    const ag_tensor_table *table = &w->record->tensors;
    ag_h5_release(ag_h5_make_group(&w->h5, w->run, group));
    for (size_t i = 0; i < table->count; i++) {
        const ag_tensor *tensor = &table->rows[i];
        char path[96];
        snprintf(path, sizeof path, "%s/%s", group, tensor->name);
        ag_array array = {
            .type = AG_CELL_F32,
            .n_dims = (int)tensor->n_dims,
            .dims = {tensor->dims[0], tensor->dims[1]},
            .data = values + tensor->offset
        };
        ag_run_add_plain(w, path, &array);
    }
}

void ag_run_add(ag_run_writer *w, const char *path, const ag_array *array, const char *units,
                const char *long_name)
{
    ag_run_add_plain(w, path, array);
    if (w->h5.status != AG_OK)
        return;
    hid_t set = H5Dopen2(w->run, path, H5P_DEFAULT);
    ag_h5_put_text(&w->h5, set, "units", units);
    ag_h5_put_text(&w->h5, set, "long_name", long_name);
    ag_h5_release(set);
}
