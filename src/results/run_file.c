/* A run file: the record as HDF5. It is written in /dev/shm, where a full disk cannot crash
 * libhdf5, and handed on as bytes. Everything about a run is in it: what it was asked to be, every
 * series, weights, who computed it. OUT.h5 is made of these files and can be made of them again.
 *
 * The content depends on the run alone, but for the group `timing`: so two machines write the same
 * file, and `reproduce` can compare. */
#include "results/run_file.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/files.h"
#include "base/text.h"
#include "fields.h"
#include "h5.h"
#include "record/record.h"
#include "record/samples.h"
#include "record/series.h"
#include "run/params.h"
#include "run/run.h"
#include "run/run_json.h"
#include "run/tensors.h"
#include "run_writer.h"
#include "spool/seal.h"
#include "verify.h"

/* By the table of the record: a new series is written by being a row there. */
static void write_series(ag_run_writer *w)
{
    const ag_record *record = w->record;
    const int64_t lengths[AG_OVERS] = {record->steps, record->evals, record->windows};
    for (size_t i = 0; i < AG_RECORD_SERIES; i++) {
        const ag_series *series = &ag_record_series[i];
        ag_array array = {ag_cell_of_series(series), 1, {(hsize_t)lengths[series->over]}, NULL};
        memcpy(&array.data, (const char *)record + series->data, sizeof array.data);
        ag_run_add(w, series->path, &array, series->units, series->long_name);
    }
}

/* metrics/step is what the other series are over; the record need not hold it. A curve needs its
 * abscissa beside it: readers plot one dataset over another. */
static void write_steps(ag_run_writer *w)
{
    size_t count = (size_t)w->record->steps;
    int64_t *steps = ag_arena_alloc(&w->arena, count * sizeof *steps);
    if (steps == NULL) {
        w->h5.status = ag_fail(AG_ERR_SYSTEM, "out of memory for %zu steps", count);
        return;
    }
    for (size_t i = 0; i < count; i++)
        steps[i] = (int64_t)i;
    ag_run_add(w, "metrics/step", &(ag_array){AG_CELL_I64, 1, {count}, steps}, "1",
               "steps trained before this one");
}

/* nanoGPT's lm_head shares its tensor with the embedding: a second name for it here too, so that a
 * strict load_state_dict finds all that it asks for. Tables and sums count it once. A hard link
 * takes no room. */
static void link_head(ag_run_writer *w, const char *group)
{
    if (!w->record->run->model.tie_weights || w->h5.status != AG_OK)
        return;
    hid_t weights = ag_h5_group(&w->h5, w->run, group);
    if (ag_h5_has(&w->h5, weights, "transformer.wte.weight") &&
        H5Lcreate_hard(weights, "transformer.wte.weight", weights, "lm_head.weight", H5P_DEFAULT,
                       H5P_DEFAULT) < 0)
        ag_h5_fail(&w->h5, "link", "lm_head.weight");
    ag_h5_release(weights);
}

/* No group where nothing was kept, so that its presence says it. */
static void write_weights(ag_run_writer *w, const char *group, const float *weights)
{
    if (weights == NULL)
        return;
    ag_run_add_tensors(w, group, weights);
    link_head(w, group);
}

/* The parameters that make the run's identity, and what it was asked to sample, each as an
 * attribute of its own type. */
static bool is_shown(const ag_param *param)
{
    return param->use == AG_PARAM_USE_IDENTITY || strncmp(param->key, "observe.", 8) == 0;
}

/* Numbers as numbers and all else as the user would write it: readers filter by these attributes.
 */
static void put_parameters(ag_run_writer *w)
{
    size_t count;
    const ag_param *params = ag_params(&count);
    for (size_t i = 0; i < count; i++) {
        const ag_param *param = &params[i];
        if (!is_shown(param))
            continue;
        bool whole = param->type == AG_PARAM_INT || param->type == AG_PARAM_STEPS;
        const ag_column number = {param->key, whole ? AG_CELL_I64 : AG_CELL_F64, param->offset, 0};
        const char *text = ag_param_get(w->record->run, param, &w->arena);
        if (whole || param->type == AG_PARAM_REAL)
            ag_h5_put(&w->h5, w->run, &number, 1, w->record->run);
        else
            ag_h5_put_text(&w->h5, w->run, param->key, text != NULL ? text : "");
    }
}

/* What nanoGPT's configuration asks for, by its names and as numbers. So a script can build the
 * module that these weights fit. */
static void put_model(ag_run_writer *w)
{
    typedef struct model_row {
        int64_t vocab_size;
        int8_t bias;
        int8_t tie_weights;
    } model_row;
    static const ag_column columns[] = {
        {"vocab_size",  AG_CELL_I64, offsetof(model_row, vocab_size),  0},
        {"bias",        AG_CELL_I8,  offsetof(model_row, bias),        0},
        {"tie_weights", AG_CELL_I8,  offsetof(model_row, tie_weights), 0},
    };
    const ag_run *run = w->record->run;
    const model_row row = {run->facts.vocab_size, (int8_t)run->model.bias,
                           (int8_t)run->model.tie_weights};
    ag_h5_put(&w->h5, w->run, columns, sizeof columns / sizeof columns[0], &row);
}

/* A run as text: what its id covers, or the rest. As texts and not as attributes of their own: the
 * first is what the id is the hash of, byte for byte. */
static void write_config(ag_run_writer *w, hid_t group, const char *name,
                         void (*add)(ag_text *text, const ag_run *run))
{
    ag_text text;
    ag_text_init(&text);
    add(&text, w->record->run);
    ag_h5_write_text(&w->h5, group, name, text.data);
    ag_text_deinit(&text);
}

/* The attributes that /index copies, then what only this run's reader needs. */
static void write_facts(ag_run_writer *w)
{
    ag_run_summary summary;
    ag_run_summary_of(&summary, w->record);
    ag_h5_put(&w->h5, w->run, ag_summary_columns, ag_n_summary_columns, &summary);
    ag_h5_put_text(&w->h5, w->run, "nonfinite", w->record->nonfinite);
    put_parameters(w);
    put_model(w);
    write_config(w, w->run, "config", ag_run_canonical);
    hid_t timing = ag_h5_make_group(&w->h5, w->run, "timing");
    ag_h5_put(&w->h5, timing, ag_timing_columns, ag_n_timing_columns, &w->record->timing);
    ag_h5_put(&w->h5, timing, ag_trunk_columns, ag_n_trunk_columns, &w->record->timing);
    write_config(w, timing, "local", ag_run_local);
    ag_h5_release(timing);
}

/* In the order in which somebody lists it: facts, curves, samples, weights, and last the table of
 * checksums over all of them. */
static void write_run(ag_run_writer *w)
{
    hid_t runs = ag_h5_make_group(&w->h5, w->h5.id, "runs");
    w->run = ag_h5_make_group(&w->h5, runs, w->record->run->id);
    ag_h5_release(ag_h5_make_group(&w->h5, w->run, "metrics"));
    ag_h5_release(ag_h5_make_group(&w->h5, w->run, "val"));
    write_facts(w);
    write_steps(w);
    write_series(w);
    ag_run_add_samples(w);
    int64_t keep = w->record->run->output.weights;
    write_weights(w, "weights", keep == AG_WEIGHTS_NONE ? NULL : w->record->weights);
    write_weights(w, "weights_initial", w->record->weights_initial);
    ag_run_add_states(w);
    ag_h5_write_table(&w->h5, w->run, "tensors", &w->tensors);
    ag_put_texts_crc(&w->h5, w->run);
    ag_h5_release(w->run);
    ag_h5_release(runs);
}

/* A row per dataset; counted, since the table is written after the last of them. */
static ag_status make_tensor_rows(ag_run_writer *w)
{
    size_t most = 2 * w->record->tensors.count + AG_RECORD_SERIES + 1 +
                  ag_run_sample_datasets(&w->record->samples) + ag_run_state_datasets(w->record);
    w->tensors = (ag_table){.n_columns = ag_n_tensor_columns,
                            .columns = ag_tensor_columns,
                            .row_size = sizeof(ag_tensor_row),
                            .rows = ag_arena_alloc(&w->arena, most * sizeof(ag_tensor_row))};
    if (w->tensors.rows == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory for the table of %zu tensors", most);
    return AG_OK;
}

void ag_run_file_library(char *text, size_t size)
{
    unsigned version[3] = {0};
    H5get_libversion(&version[0], &version[1], &version[2]);
    snprintf(text, size, "%u.%u.%u", version[0], version[1], version[2]);
}

/* --- can it be written? */

/* A wrong path is told before the hours of training whose result it would lose. */
ag_status ag_run_file_check(const char *path)
{
    char folder[AG_PATH_SIZE];
    struct stat facts;
    if (path[0] == '\0')
        return ag_fail(AG_ERR_INPUT, "the run file has no name");
    AG_TRY(ag_temporary_path(folder, path));
    ag_folder_of(folder, path);
    if (stat(path, &facts) == 0 && !S_ISREG(facts.st_mode))
        return ag_fail(AG_ERR_INPUT, "%s is %s; a run file needs a path of its own", path,
                       S_ISDIR(facts.st_mode) ? "a folder" : "not a regular file");
    if (access(folder, W_OK | X_OK) != 0)
        return ag_fail_errno("cannot write the run file %s", path);
    return AG_OK;
}

/* A pipe will not do: HDF5 seeks. */
ag_status ag_run_file_check_fd(int fd)
{
    struct stat facts;
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fstat(fd, &facts) != 0)
        return ag_fail_errno("descriptor %d, which is to take the run file", fd);
    if (!S_ISREG(facts.st_mode) || (flags & O_ACCMODE) == O_RDONLY)
        return ag_fail(AG_ERR_INPUT,
                       "descriptor %d is to take the run file, but is not a regular file open for "
                       "writing",
                       fd);
    return AG_OK;
}

/* --- through a temporary */

/* Bytes of the finished file, rounded up generously: a full file system crashes libhdf5. Too much
 * is only room that is asked for; too little would be a crash. */
static size_t expected_bytes(const ag_record *record)
{
    enum { STEP_BYTES = 48, EVAL_BYTES = 32, WINDOW_BYTES = 16, TENSOR_BYTES = 1024 };
    const ag_samples *samples = &record->samples;
    size_t copies = (record->weights_initial != NULL ? 2 : 1) + ag_run_state_copies(record);
    size_t series = (size_t)record->steps * STEP_BYTES + (size_t)record->evals * EVAL_BYTES +
                    (size_t)record->windows * WINDOW_BYTES;
    size_t tensors = record->tensors.total * sizeof(float) + record->tensors.count * TENSOR_BYTES;
    size_t sampled =
        ag_run_sample_datasets(samples) * (TENSOR_BYTES + (size_t)samples->count * sizeof(double));
    return copies * tensors + series + sampled + (size_t)1024 * 1024;
}

/* By the kernel, without a copy in this process. */
static ag_status copy_all(int to, int from)
{
    struct stat facts;
    if (ftruncate(to, 0) != 0 || lseek(to, 0, SEEK_SET) != 0 || fstat(from, &facts) != 0)
        return ag_fail_errno("cannot rewind the run file");
    for (off_t left = facts.st_size; left > 0;) {
        ssize_t moved = sendfile(to, from, NULL, (size_t)left);
        if (moved < 0 && errno == EINTR)
            continue;
        if (moved <= 0)
            return ag_fail_errno("cannot hand the run file over");
        left -= moved;
    }
    return AG_OK;
}

/* *fd is the caller's to close, also after a failure; -1: there is none. */
static ag_status write_scratch(ag_run_writer *w, int *fd)
{
    AG_TRY(make_tensor_rows(w));
    AG_TRY(ag_h5_scratch_create(&w->h5, fd, expected_bytes(w->record)));
    ag_h5_put_format(&w->h5, AG_RUN_FORMAT);
    write_run(w);
    AG_TRY(ag_h5_close(&w->h5));
    return ag_seal_fd(*fd, "the run file in memory");
}

/* HDF5 writes a file of its own, whose room was reserved beforehand, and the bytes are handed over:
 * libhdf5 never meets a disk that is full, and the supervisor's file is written by plain calls. */
ag_status ag_run_file_write_fd(int fd, const ag_record *record)
{
    ag_run_writer w = {.record = record, .run = H5I_INVALID_HID};
    int from = -1;
    ag_arena_init_growing(&w.arena);
    ag_status status = write_scratch(&w, &from);
    if (status == AG_OK)
        status = copy_all(fd, from);
    if (from >= 0)
        close(from);
    ag_arena_deinit(&w.arena);
    return status;
}

/* By hand, under its own name: renamed and synced like all files. */
ag_status ag_run_file_write(const char *path, const ag_record *record)
{
    char part[AG_PATH_SIZE];
    AG_TRY(ag_temporary_path(part, path));
    int fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
        return ag_fail_errno("cannot create %s", part);
    ag_status status = ag_run_file_write_fd(fd, record);
    if (status == AG_OK && fsync(fd) != 0)
        status = ag_fail_errno("cannot write %s", part);
    close(fd);
    if (status == AG_OK)
        status = ag_rename_synced(part, path);
    if (status != AG_OK)
        unlink(part);
    return status;
}
