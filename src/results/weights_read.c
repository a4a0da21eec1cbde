/* Weights back from a results file or a run file, each tensor checked against its checksum. They
 * begin other runs (model.init), whose ids hold their digest: a bit that changed on the disk would
 * be another run, silently. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/crc32.h"
#include "fields.h"
#include "h5.h"
#include "results/run_file.h"
#include "run/run.h"
#include "run/tensors.h"

typedef struct reader {
    ag_h5 h5;
    hid_t run;
    ag_table tensors;
    ag_arena arena;
} reader;

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
static void spooled_path(reader *r, char *path, size_t size)
{
    char name[256] = "";
    const ag_column file = {"file", AG_CELL_TEXT, 0, sizeof name};
    path[0] = '\0';
    if (r->h5.status != AG_OK || H5Aexists(r->run, "file") <= 0)
        return;
    ag_h5_get(&r->h5, r->run, &file, 1, name);
    const char *slash = strrchr(r->h5.path, '/');
    int folder = slash != NULL ? (int)(slash - r->h5.path) + 1 : 0;
    snprintf(path, size, "%.*s%s", folder, r->h5.path, name);
}

/* The file's own table says shape and checksum of each dataset. */
static const ag_tensor_row *find_row(const reader *r, const char *path)
{
    const ag_tensor_row *rows = r->tensors.rows;
    for (size_t i = 0; i < r->tensors.n_rows; i++) {
        if (strcmp(rows[i].name, path) == 0)
            return &rows[i];
    }
    return NULL;
}

/* Names the tensor and both shapes: the usual cause is a model of other sizes. */
static void check_shape(reader *r, const ag_tensor *tensor, const ag_tensor_row *row)
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

/* Whether the dataset holds as many elements as the tensor; H5Dread would write beyond it. */
static bool has_count(hid_t set, size_t count)
{
    hid_t space = H5Dget_space(set);
    hssize_t stored = H5Sget_simple_extent_npoints(space);
    ag_h5_release(space);
    return stored == (hssize_t)count;
}

/* By nanoGPT's names: whatever the order in the file, each tensor finds its place. */
static void read_tensor(reader *r, const ag_tensor *tensor, float *weights)
{
    char path[96];
    snprintf(path, sizeof path, "weights/%s", tensor->name);
    const ag_tensor_row *row = find_row(r, path);
    check_shape(r, tensor, row);
    if (r->h5.status != AG_OK)
        return;
    hid_t set = H5Dopen2(r->run, path, H5P_DEFAULT);
    if (set < 0 || !has_count(set, tensor->count) ||
        H5Dread(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, weights) < 0)
        ag_h5_fail(&r->h5, "read", path);
    else if (ag_crc32(weights, tensor->count * sizeof *weights) != row->crc32)
        r->h5.status = ag_fail(AG_ERR_FILE,
                               "%s: %s does not match its crc32: the file was damaged after it "
                               "was written",
                               r->h5.path, path);
    ag_h5_release(set);
}

/* Opens the run; `next` is the file to look into instead, or "". */
static void open_reader(reader *r, const char *path, const char *id, char *next, size_t size)
{
    ag_h5_open(&r->h5, path, AG_RESULTS_FORMAT, AG_RUN_FORMAT);
    r->run = open_run(&r->h5, id);
    spooled_path(r, next, size);
}

static ag_status read_all(reader *r, float *weights, const ag_tensor_table *tensors)
{
    ag_arena_init_growing(&r->arena);
    r->tensors = (ag_table){.n_columns = ag_n_tensor_columns,
                            .columns = ag_tensor_columns,
                            .row_size = sizeof(ag_tensor_row)};
    ag_h5_read_table(&r->h5, r->run, "tensors", &r->tensors, &r->arena);
    for (size_t i = 0; i < tensors->count && r->h5.status == AG_OK; i++)
        read_tensor(r, &tensors->rows[i], weights + tensors->rows[i].offset);
    ag_arena_deinit(&r->arena);
    ag_h5_release(r->run);
    return ag_h5_close(&r->h5);
}

/* Weights of a spooled run are two files away: the results say where its run file lies. */
ag_status ag_weights_read(float *weights, const ag_tensor_table *tensors, const char *path,
                          const char *id)
{
    char spooled[4096];
    char unused[4096];
    reader results = {0};
    open_reader(&results, path, id, spooled, sizeof spooled);
    if (spooled[0] == '\0')
        return read_all(&results, weights, tensors);
    ag_h5_release(results.run);
    AG_TRY(ag_h5_close(&results.h5));
    reader run = {0};
    open_reader(&run, spooled, "", unused, sizeof unused);
    return read_all(&run, weights, tensors);
}
