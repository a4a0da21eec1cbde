/* What there is at a path: nothing, run files, or a packed file; and the way back from packed. Both
 * ways between the states go through a rename of the folder, so that at every moment exactly one of
 * them is true. */
#include "state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/files.h"
#include "base/text.h"
#include "fields.h"
#include "h5.h"
#include "spool/ids.h"
#include "spool/places.h"
#include "spool/seal.h"
#include "verify.h"

/* Only the attribute: nothing else of the file is looked at here. */
static ag_status read_state(char *state, size_t size, const ag_places *places)
{
    const ag_column column = {"state", AG_CELL_TEXT, 0, size};
    ag_h5 h5;
    ag_h5_open(&h5, places->results, AG_RESULTS_FORMAT, NULL);
    ag_h5_get(&h5, h5.id, &column, 1, state);
    return ag_h5_close(&h5);
}

/* The folder is asked before the file. It is what a rename makes or removes in one moment, and so
 * can never disagree with itself. */
ag_status ag_state_of(ag_state *state, const ag_places *places)
{
    char stored[16] = "";
    *state = AG_STATE_SPOOLED;
    if (ag_is_folder(places->runs))
        return AG_OK;
    *state = AG_STATE_NONE;
    if (access(places->results, F_OK) != 0)
        return AG_OK;
    AG_TRY(read_state(stored, sizeof stored, places));
    if (strcmp(stored, "packed") != 0)
        return ag_fail(AG_ERR_FILE,
                       "%s: the weights of its runs lie in %s, which is missing. Put the folder "
                       "back, or move the file away to begin anew",
                       places->results, places->runs);
    *state = AG_STATE_PACKED;
    return AG_OK;
}

/* For commands that need results: that there are none is an error of the user's. */
ag_status ag_state_find(ag_state *state, ag_places *places, const char *path)
{
    AG_TRY(ag_places_of(places, path));
    AG_TRY(ag_state_of(state, places));
    if (*state == AG_STATE_NONE)
        return ag_fail(AG_ERR_INPUT, "%s: there is no such results file", path);
    return AG_OK;
}

/* One more than the file says, so that an empty file has memory as well. */
static void list_runs(ag_ids *ids, ag_h5 *h5, ag_arena *arena)
{
    H5G_info_t info = {0};
    hid_t runs = ag_h5_group(h5, h5->id, "runs");
    if (h5->status == AG_OK && H5Gget_info(runs, &info) < 0)
        ag_h5_fail(h5, "list", "/runs");
    ids->id = ag_arena_alloc(arena, ((size_t)info.nlinks + 1) * sizeof *ids->id);
    for (hsize_t i = 0; ids->id != NULL && i < info.nlinks && h5->status == AG_OK; i++) {
        H5Lget_name_by_idx(runs, ".", H5_INDEX_NAME, H5_ITER_INC, i, ids->id[i], sizeof *ids->id,
                           H5P_DEFAULT);
        ids->count++;
    }
    ag_ids_sort(ids);
    ag_h5_release(runs);
}

/* Groups under /runs, orphans too: the index has the grid's runs only. `mark`: NULL for any. */
static ag_status find_ids(ag_ids *ids, const char **grid_text, const char *mark,
                          const ag_places *places, ag_arena *arena)
{
    ag_h5 h5;
    *ids = (ag_ids){0};
    ag_h5_open(&h5, places->results, mark, NULL);
    if (grid_text != NULL)
        *grid_text = ag_h5_read_text(&h5, h5.id, "experiment/grid", arena);
    list_runs(ids, &h5, arena);
    return ag_h5_close(&h5);
}

ag_status ag_packed_ids(ag_ids *ids, const char **grid_text, const ag_places *places,
                        ag_arena *arena)
{
    return find_ids(ids, grid_text, AG_RESULTS_FORMAT, places, arena);
}

ag_status ag_damaged_ids(ag_ids *ids, const ag_places *places, ag_arena *arena)
{
    return find_ids(ids, NULL, NULL, places, arena);
}

ag_status ag_packed_grid(ag_grid *grid, const ag_places *places, ag_arena *arena)
{
    ag_ids unused;
    const char *text = "";
    AG_TRY(ag_packed_ids(&unused, &text, places, arena));
    return ag_grid_from_json(grid, text, strlen(text), arena);
}

/* Files of before labels were kept have none, which is no failure. */
const char *ag_packed_labels(ag_h5 *h5, ag_arena *arena)
{
    if (h5->status != AG_OK || !ag_h5_has(h5, h5->id, "experiment/labels"))
        return "{}";
    return ag_h5_read_text(h5, h5->id, "experiment/labels", arena);
}

void ag_run_mark_orphan(ag_h5 *h5, hid_t run, bool is_orphan)
{
    const int8_t value = is_orphan ? 1 : 0;
    if (h5->status != AG_OK)
        return;
    hid_t attribute = H5Aopen(run, "orphan", H5P_DEFAULT);
    if (attribute < 0 || H5Awrite(attribute, H5T_NATIVE_INT8, &value) < 0)
        ag_h5_fail(h5, "write attribute", "orphan");
    if (attribute >= 0)
        H5Aclose(attribute);
}

/* Whether a run is an orphan is decided anew each time the results are written. A run that was an
 * orphan here may be named by the experiment that it goes to. */
static void copy_run_out(ag_h5 *to, const ag_h5 *from, const char *id)
{
    char name[32];
    snprintf(name, sizeof name, "runs/%s", id);
    ag_h5_put_format(to, AG_RUN_FORMAT);
    ag_h5_release(ag_h5_make_group(to, to->id, "runs"));
    if (to->status == AG_OK && H5Ocopy(from->id, name, to->id, name, H5P_DEFAULT, H5P_DEFAULT) < 0)
        ag_h5_fail(to, "copy run", id);
    hid_t run = ag_h5_group(to, to->id, name);
    ag_run_mark_orphan(to, run, false);
    ag_h5_release(run);
}

/* Before the copy: afterwards the damage would have a valid seal. */
static void verify_source(ag_h5 *from, const char *id)
{
    hid_t runs = ag_h5_group(from, from->id, "runs");
    ag_verify_run(from, runs, id);
    ag_h5_release(runs);
}

/* A run file as its trainer would have written it, but for the order of its bytes. */
ag_status ag_unpack_run(ag_h5 *from, const char *id, const char *folder)
{
    char path[AG_PATH_SIZE];
    ag_h5 to;
    AG_TRY(ag_places_run(path, folder, id));
    verify_source(from, id);
    AG_TRY(from->status);
    ag_h5_create(&to, path);
    copy_run_out(&to, from, id);
    AG_TRY(ag_h5_close(&to));
    return ag_seal_file(path);
}

/* Bytes of a run's datasets, and a margin for all else. It is asked for before it is written:
 * libhdf5 must not meet a full disk. */
static size_t bytes_of_run(ag_h5 *h5, const char *id)
{
    enum { MARGIN_BYTES = 1 << 20, DATASET_BYTES = 1024 };
    char name[32];
    ag_arena arena;
    ag_arena_init_growing(&arena);
    ag_table table = {ag_n_tensor_columns, ag_tensor_columns, sizeof(ag_tensor_row), 0, NULL};
    snprintf(name, sizeof name, "runs/%s", id);
    hid_t run = ag_h5_group(h5, h5->id, name);
    ag_h5_read_table(h5, run, "tensors", &table, &arena);
    const ag_tensor_row *rows = table.rows;
    size_t bytes = MARGIN_BYTES;
    for (size_t i = 0; rows != NULL && h5->status == AG_OK && i < table.n_rows; i++)
        bytes += (size_t)rows[i].bytes + DATASET_BYTES;
    ag_h5_release(run);
    ag_arena_deinit(&arena);
    return bytes;
}

/* In memory: `merge` puts them into another store, which writes them itself. */
ag_status ag_unpack_bytes(ag_text *bytes, const char *id, const ag_places *places)
{
    ag_h5 from;
    ag_h5 to = {.id = H5I_INVALID_HID};
    int fd = -1;
    ag_h5_open(&from, places->results, AG_RESULTS_FORMAT, NULL);
    verify_source(&from, id);
    size_t size = bytes_of_run(&from, id);
    ag_status status = from.status;
    if (status == AG_OK && (status = ag_h5_scratch_create(&to, &fd, size)) == AG_OK) {
        copy_run_out(&to, &from, id);
        status = ag_h5_close(&to);
    }
    ag_status closed = ag_h5_close(&from);
    if (status == AG_OK && (status = closed) == AG_OK &&
        (status = ag_seal_fd(fd, "the run file in memory")) == AG_OK)
        status = ag_h5_scratch_read(bytes, fd);
    if (fd >= 0)
        close(fd);
    return status;
}

/* Ends at the first failure: the folder then never gets its final name. */
static ag_status unpack_all(const ag_places *places, const ag_ids *ids)
{
    ag_h5 from;
    ag_h5_open(&from, places->results, AG_RESULTS_FORMAT, NULL);
    ag_status status = from.status;
    for (size_t i = 0; i < ids->count && status == AG_OK; i++)
        status = ag_unpack_run(&from, ids->id[i], places->runs_new);
    ag_status closed = ag_h5_close(&from);
    return status != AG_OK ? status : closed;
}

/* The file's own size, and something for the headers of many files. */
static ag_status check_room(const ag_places *places, size_t n_runs)
{
    enum { RUN_BYTES = 64 * 1024 };
    struct stat facts;
    if (stat(places->results, &facts) != 0)
        return ag_fail_errno("cannot read %s", places->results);
    return ag_room_check(places->folder, places->runs_new,
                         (double)facts.st_size + RUN_BYTES * (double)n_runs);
}

/* What an earlier attempt left would be taken for runs of this one. */
ag_status ag_unpack_begin(const ag_places *places, size_t n_runs)
{
    ag_remove_folder(places->runs_new);
    AG_TRY(check_room(places, n_runs));
    return ag_make_folders(places->runs_new);
}

static ag_status unpack(const ag_places *places, ag_arena *arena)
{
    ag_ids ids;
    AG_TRY(ag_packed_ids(&ids, NULL, places, arena));
    AG_TRY(ag_unpack_begin(places, ids.count));
    AG_TRY(unpack_all(places, &ids));
    return ag_sync_folder(places->runs_new);
}

ag_status ag_unpack(const ag_places *places)
{
    ag_arena arena;
    ag_arena_init_growing(&arena);
    ag_status status = unpack(places, &arena);
    ag_arena_deinit(&arena);
    return status;
}
