/* Compares every dataset of every run with the checksum that was taken when it was made, and its
 * configuration with its id. HDF5's own checksums cover headers, the seal covers the file: these
 * cover the content, and go with a run from file to file. */
#include "verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/crc32.h"
#include "fields.h"
#include "h5.h"
#include "run/digest.h"
#include "run/run.h"

static void damaged(ag_h5 *h5, const char *id, const char *name)
{
    h5->status = ag_fail(AG_ERR_FILE,
                         "%s: run %s: %s does not match its crc32: it was damaged "
                         "after it was written",
                         h5->path, id, name);
}

/* Whether the table says of a dataset what it is. Type and shape before the bytes: a dataset of
 * another shape with the right sum is not what was written. */
static bool is_as_said(hid_t space, hid_t type, const ag_tensor_row *row)
{
    char dtype[sizeof row->dtype];
    hsize_t dims[2] = {0};
    size_t size = H5Tget_size(type);
    int rank = H5Sget_simple_extent_ndims(space);
    const char *whole = H5Tget_sign(type) == H5T_SGN_2 ? "i" : "u";
    const char *kind = H5Tget_class(type) == H5T_FLOAT ? "f" : whole;
    snprintf(dtype, sizeof dtype, "%s%s%zu", size > 1 ? "<" : "|", kind, size % 100);
    if (rank != row->rank || rank > 2 || strcmp(dtype, row->dtype) != 0 ||
        H5Sget_simple_extent_dims(space, dims, NULL) < 0)
        return false;
    return (int64_t)dims[0] == row->shape[0] && (int64_t)dims[1] == row->shape[1] &&
           row->bytes == H5Sget_simple_extent_npoints(space) * (hssize_t)size;
}

/* One reason at a time, the most telling one: what cannot be opened has no shape, what has the
 * wrong shape needs no sum. */
static void verify_dataset(ag_h5 *h5, hid_t run, const char *id, const ag_tensor_row *row)
{
    hid_t set = H5Dopen2(run, row->name, H5P_DEFAULT);
    hid_t type = set >= 0 ? H5Dget_type(set) : H5I_INVALID_HID;
    hid_t space = set >= 0 ? H5Dget_space(set) : H5I_INVALID_HID;
    bool as_said = set >= 0 && is_as_said(space, type, row);
    size_t size = as_said ? (size_t)row->bytes : 0;
    void *bytes = as_said ? malloc(size + 1) : NULL;
    if (set < 0)
        ag_h5_fail(h5, "open", row->name);
    else if (as_said && bytes == NULL)
        h5->status = ag_fail(AG_ERR_SYSTEM, "%s: out of memory for %s", h5->path, row->name);
    else if (bytes != NULL && H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes) < 0)
        ag_h5_fail(h5, "read", row->name);
    else if (bytes == NULL || ag_crc32(bytes, size) != row->crc32)
        damaged(h5, id, row->name);
    free(bytes);
    ag_h5_release(space);
    ag_h5_release(type);
    ag_h5_release(set);
}

/* --- texts: variable-length ones lie in heaps that have no checksum */

static bool is_fleeting(const char *name)
{
    return strcmp(name, "file") == 0; /* where a published run's weights lie */
}

/* A sum of sums, with a factor, so that two texts that change places are seen. */
static herr_t add_text(hid_t object, const char *name, const H5A_info_t *info, void *crc)
{
    (void)info;
    hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);
    hid_t type = attribute >= 0 ? H5Aget_type(attribute) : H5I_INVALID_HID;
    herr_t result = type >= 0 ? 0 : -1;
    char *text = NULL;
    if (result == 0 && H5Tis_variable_str(type) > 0 && !is_fleeting(name)) {
        result = H5Aread(attribute, type, (void *)&text) < 0 || text == NULL ? -1 : 0;
        if (result == 0)
            *(uint32_t *)crc = *(uint32_t *)crc * 31 + ag_crc32(text, strlen(text));
        H5free_memory(text);
    }
    ag_h5_release(type);
    if (attribute >= 0)
        H5Aclose(attribute);
    return result;
}

/* Of the texts among the attributes of the run and of its timing, in the order of their names. Both
 * groups have a fixed place in the run, and names do not repeat. */
static uint32_t texts_crc(ag_h5 *h5, hid_t run)
{
    uint32_t crc = 0;
    hid_t timing = ag_h5_group(h5, run, "timing");
    if (h5->status == AG_OK &&
        (H5Aiterate2(run, H5_INDEX_NAME, H5_ITER_INC, NULL, add_text, &crc) < 0 ||
         H5Aiterate2(timing, H5_INDEX_NAME, H5_ITER_INC, NULL, add_text, &crc) < 0))
        ag_h5_fail(h5, "read the attributes of", "the run");
    ag_h5_release(timing);
    return crc;
}

static const ag_column s_texts_crc = {"texts_crc32", AG_CELL_U32, 0, 0};

/* After all other attributes, whose texts it covers. */
void ag_put_texts_crc(ag_h5 *h5, hid_t run)
{
    uint32_t crc = texts_crc(h5, run);
    ag_h5_put(h5, run, &s_texts_crc, 1, &crc);
}

/* The id is the first digits of the configuration's SHA-256: it guards what the run is against any
 * change. */
static void verify_texts(ag_h5 *h5, hid_t run, const char *id, ag_arena *arena)
{
    char digest[AG_DIGEST_LENGTH + 1] = "";
    uint32_t stored = 0;
    const char *config = ag_h5_read_text(h5, run, "config", arena);
    ag_h5_get(h5, run, &s_texts_crc, 1, &stored);
    if (h5->status == AG_OK && texts_crc(h5, run) != stored)
        damaged(h5, id, "a text among its attributes");
    if (h5->status == AG_OK)
        h5->status = ag_sha256_of(digest, config, strlen(config));
    if (h5->status == AG_OK && strncmp(digest, id, AG_ID_LENGTH) != 0)
        h5->status = ag_fail(AG_ERR_FILE,
                             "%s: run %s: config is not what its id stands for: it was damaged "
                             "after it was written",
                             h5->path, id);
}

/* --- a run */

/* The table of datasets is covered by a checksum of its own, which reading it has compared. */
void ag_verify_run(ag_h5 *h5, hid_t runs, const char *id)
{
    ag_arena arena;
    ag_arena_init_growing(&arena);
    ag_table table = {.n_columns = ag_n_tensor_columns,
                      .columns = ag_tensor_columns,
                      .row_size = sizeof(ag_tensor_row)};
    hid_t run = ag_h5_group(h5, runs, id);
    verify_texts(h5, run, id, &arena);
    ag_h5_read_table(h5, run, "tensors", &table, &arena);
    const ag_tensor_row *rows = table.rows;
    for (size_t i = 0; i < table.n_rows && h5->status == AG_OK; i++)
        verify_dataset(h5, run, id, &rows[i]);
    ag_h5_release(run);
    ag_arena_deinit(&arena);
}

/* Ends at the first run that is damaged: callers who want all of them ask run by run. */
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
        ag_verify_run(&h5, runs, id);
    }
    ag_h5_release(runs);
    return ag_h5_close(&h5);
}
