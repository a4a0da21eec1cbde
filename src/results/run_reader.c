/* Arrays back from a results file or a run file, each checked against its checksum. They begin
 * other runs, whose ids hold their digest: a bit that changed on the disk would be another run,
 * silently. */
#include "run_reader.h"

#include <stdio.h>
#include <string.h>

#include "base/crc32.h"
#include "run/run.h"

/* The id of the only run, or a failure that says how many there are. */
static void find_only_run(ag_h5 *h5, hid_t runs, char id[AG_ID_LENGTH + 1])
{
    H5G_info_t info = {0};
    if (H5Gget_info(runs, &info) < 0)
        ag_h5_fail(h5, "list", "/runs");
    else if (info.nlinks != 1)
        h5->status =
            ag_fail(AG_ERR_INPUT, "%s: holds %llu runs; say which one is meant by model.init.run",
                    h5->path, (unsigned long long)info.nlinks);
    else
        H5Lget_name_by_idx(runs, ".", H5_INDEX_NAME, H5_ITER_INC, 0, id, AG_ID_LENGTH + 1,
                           H5P_DEFAULT);
}

/* "" means the only one: people name a file, and mostly there is no choice. */
static hid_t open_run(ag_h5 *h5, const char *id)
{
    char only[AG_ID_LENGTH + 1] = "";
    hid_t runs = ag_h5_group(h5, h5->id, "runs");
    if (h5->status == AG_OK && id[0] == '\0') {
        find_only_run(h5, runs, only);
        id = only;
    }
    hid_t run = H5I_INVALID_HID;
    if (h5->status == AG_OK && !ag_h5_has(h5, runs, id))
        h5->status = ag_fail(AG_ERR_INPUT, "%s: has no run '%s'", h5->path, id);
    else
        run = ag_h5_group(h5, runs, id);
    ag_h5_release(runs);
    return run;
}

/* Where the weights of a spooled run lie: beside the results file. "" in a file that holds them.
 * Relative to the results file, so that both can be moved together. */
static void find_run_file(ag_run_reader *r)
{
    char name[256] = "";
    const ag_column file = {"file", AG_CELL_TEXT, 0, sizeof name};
    r->file[0] = '\0';
    if (r->h5.status != AG_OK || H5Aexists(r->run, "file") <= 0)
        return;
    ag_h5_get(&r->h5, r->run, &file, 1, name);
    const char *slash = strrchr(r->h5.path, '/');
    int folder = slash != NULL ? (int)(slash - r->h5.path) + 1 : 0;
    snprintf(r->file, sizeof r->file, "%.*s%s", folder, r->h5.path, name);
}

static void open_file(ag_run_reader *r, const char *path, const char *id)
{
    ag_h5_open(&r->h5, path, AG_RESULTS_FORMAT, AG_RUN_FORMAT);
    r->run = open_run(&r->h5, id);
}

/* Weights of a spooled run are two files away: the results say where its run file lies. */
void ag_run_reader_open(ag_run_reader *r, const char *path, const char *id)
{
    *r = (ag_run_reader){.run = H5I_INVALID_HID};
    ag_arena_init_growing(&r->arena);
    open_file(r, path, id);
    find_run_file(r);
    if (r->h5.status == AG_OK && r->file[0] != '\0') {
        ag_h5_release(r->run);
        r->run = H5I_INVALID_HID;
        ag_status closed = ag_h5_close(&r->h5);
        open_file(r, r->file, "");
        if (closed != AG_OK)
            r->h5.status = closed;
    }
    r->tensors = (ag_table){.n_columns = ag_n_tensor_columns,
                            .columns = ag_tensor_columns,
                            .row_size = sizeof(ag_tensor_row)};
    ag_h5_read_table(&r->h5, r->run, "tensors", &r->tensors, &r->arena);
}

ag_status ag_run_reader_close(ag_run_reader *r)
{
    ag_arena_deinit(&r->arena);
    ag_h5_release(r->run);
    return ag_h5_close(&r->h5);
}

/* The file's own table says shape and checksum of each dataset. */
const ag_tensor_row *ag_run_reader_find(const ag_run_reader *r, const char *path)
{
    const ag_tensor_row *rows = r->tensors.rows;
    for (size_t i = 0; i < r->tensors.n_rows; i++) {
        if (strcmp(rows[i].name, path) == 0)
            return &rows[i];
    }
    return NULL;
}

/* Names the tensor and both shapes: the usual cause is a model of other sizes. */
static void check_shape(ag_run_reader *r, const ag_tensor *tensor, const ag_tensor_row *row)
{
    if (row == NULL) {
        r->h5.status =
            ag_fail(AG_ERR_INPUT, "%s: the run has no weights '%s'", r->h5.path, tensor->name);
        return;
    }
    bool same = row->rank == (int8_t)tensor->n_dims;
    for (size_t i = 0; i < tensor->n_dims; i++)
        same = same && row->shape[i] == (int64_t)tensor->dims[i];
    if (!same)
        r->h5.status = ag_fail(
            AG_ERR_INPUT, "%s: %s has the shape [%lld%s%.0lld], the model wants [%zu%s%.0zu]",
            r->h5.path, tensor->name, (long long)row->shape[0], row->rank > 1 ? ", " : "",
            (long long)row->shape[1], tensor->dims[0], tensor->n_dims > 1 ? ", " : "",
            tensor->n_dims > 1 ? tensor->dims[1] : 0);
}

/* Whether the dataset has so many elements of that size; H5Dread would write beyond it. */
static bool has_count(hid_t set, size_t count, size_t size)
{
    hid_t space = H5Dget_space(set);
    hid_t type = H5Dget_type(set);
    hssize_t stored = H5Sget_simple_extent_npoints(space);
    size_t element = H5Tget_size(type);
    ag_h5_release(type);
    ag_h5_release(space);
    return stored == (hssize_t)count && element == size;
}

/* As the bytes lie in the file, which is little-endian as everything here. */
static void read_dataset(ag_run_reader *r, const ag_tensor_row *row, void *values, size_t count,
                         size_t size)
{
    hid_t set = H5Dopen2(r->run, row->name, H5P_DEFAULT);
    hid_t type = set >= 0 ? H5Dget_type(set) : H5I_INVALID_HID;
    if (set < 0 || !has_count(set, count, size) ||
        H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) < 0)
        ag_h5_fail(&r->h5, "read", row->name);
    else if (ag_crc32(values, count * size) != row->crc32)
        r->h5.status = ag_fail(AG_ERR_FILE,
                               "%s: %s does not match its crc32: the file was damaged after it "
                               "was written",
                               r->h5.path, row->name);
    ag_h5_release(type);
    ag_h5_release(set);
}

/* By nanoGPT's names: whatever the order in the file, each tensor finds its place. */
static void read_tensor(ag_run_reader *r, const char *group, const ag_tensor *tensor, float *values)
{
    char path[96];
    snprintf(path, sizeof path, "%s/%s", group, tensor->name);
    const ag_tensor_row *row = ag_run_reader_find(r, path);
    check_shape(r, tensor, row);
    if (r->h5.status == AG_OK)
        read_dataset(r, row, values, tensor->count, sizeof *values);
}

void ag_run_read_tensors(ag_run_reader *r, const char *group, const ag_tensor_table *tensors,
                         float *values)
{
    for (size_t i = 0; i < tensors->count && r->h5.status == AG_OK; i++)
        read_tensor(r, group, &tensors->rows[i], values + tensors->rows[i].offset);
}

void *ag_run_read_array(ag_run_reader *r, const char *path, size_t size, size_t count,
                        ag_arena *arena)
{
    if (r->h5.status != AG_OK)
        return NULL;
    const ag_tensor_row *row = ag_run_reader_find(r, path);
    size_t stored = row != NULL ? (size_t)row->bytes / size : 0;
    if (row == NULL || row->rank != 1 || stored < count) {
        r->h5.status = ag_fail(AG_ERR_FILE, "%s: %s has %zu values where %zu are expected",
                               r->h5.path, path, stored, count);
        return NULL;
    }
    void *values = ag_arena_alloc(arena, (stored + 1) * size);
    if (values == NULL)
        r->h5.status = ag_fail(AG_ERR_SYSTEM, "%s: out of memory for %s", r->h5.path, path);
    else
        read_dataset(r, row, values, stored, size);
    return r->h5.status == AG_OK ? values : NULL;
}
