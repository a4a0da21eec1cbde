/* Compares every dataset of every run with the checksum that was taken when it was made. */
#include <stdio.h>
#include <stdlib.h>

#include "store_internal.h"

static void damaged(ag_h5 *h5, const char *id, const char *name)
{
    h5->status = ag_fail(AG_ERR_FILE,
                         "%s: run %s: %s does not match its crc32: it was damaged "
                         "after it was written",
                         h5->path, id, name);
}

static void verify_dataset(ag_h5 *h5, hid_t run, const char *id, const ag_tensor_row *row)
{
    hid_t set = H5Dopen2(run, row->name, H5P_DEFAULT);
    hid_t type = set >= 0 ? H5Dget_type(set) : H5I_INVALID_HID;
    hid_t space = set >= 0 ? H5Dget_space(set) : H5I_INVALID_HID;
    hssize_t size = set < 0 ? 0 : H5Sget_simple_extent_npoints(space) * (hssize_t)H5Tget_size(type);
    void *bytes = size == row->bytes ? malloc((size_t)size + 1) : NULL;
    if (set < 0)
        ag_h5_fail(h5, "open", row->name);
    else if (size == row->bytes && bytes == NULL)
        h5->status = ag_fail(AG_ERR_SYSTEM, "%s: out of memory for %s", h5->path, row->name);
    else if (bytes != NULL && H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes) < 0)
        ag_h5_fail(h5, "read", row->name);
    else if (bytes == NULL || ag_crc32(bytes, (size_t)size) != row->crc32)
        damaged(h5, id, row->name);
    free(bytes);
    ag_h5_release(space);
    ag_h5_release(type);
    ag_h5_release(set);
}

static void verify_run(ag_h5 *h5, hid_t runs, const char *id)
{
    ag_arena arena;
    ag_arena_init_growing(&arena);
    ag_table table = {.n_columns = ag_n_tensor_columns,
                      .columns = ag_tensor_columns,
                      .row_size = sizeof(ag_tensor_row)};
    hid_t run = ag_h5_group(h5, runs, id);
    ag_h5_read_table(h5, run, "tensors", &table, &arena);
    const ag_tensor_row *rows = table.rows;
    for (size_t i = 0; i < table.n_rows && h5->status == AG_OK; i++)
        verify_dataset(h5, run, id, &rows[i]);
    ag_h5_release(run);
    ag_arena_deinit(&arena);
}

ag_status ag_results_verify(const char *path)
{
    ag_h5 h5;
    H5G_info_t info = {0};
    ag_h5_open(&h5, path, AG_RESULTS_FORMAT, AG_RUN_FORMAT);
    hid_t runs = ag_h5_group(&h5, h5.id, "runs");
    if (h5.status == AG_OK && H5Gget_info(runs, &info) < 0)
        ag_h5_fail(&h5, "list", "/runs");
    for (hsize_t i = 0; i < info.nlinks && h5.status == AG_OK; i++) {
        char id[64] = "";
        H5Lget_name_by_idx(runs, ".", H5_INDEX_NAME, H5_ITER_INC, i, id, sizeof id, H5P_DEFAULT);
        verify_run(&h5, runs, id);
    }
    ag_h5_release(runs);
    return ag_h5_close(&h5);
}
