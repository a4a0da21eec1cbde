/* What nobody needs any more is listed first and removed only on demand, and a run that the
 * experiment names is never among it. Removing is done as the owner: it must not happen beside an
 * `altgrad run` that counts on these files. */
#include "results/prune.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/files.h"
#include "fields.h"
#include "h5.h"
#include "results/merge.h"
#include "results/publish.h"
#include "results/results.h"
#include "run/run.h"
#include "spool/notes.h"
#include "spool/places.h"
#include "spool/store.h"

/* The results as they stand while scraps are looked for. */
typedef struct finder {
    ag_scraps *scraps;
    ag_places places;
    ag_results results;
    size_t capacity;
} finder;

/* --- the list */

/* Names are copied: the folder's entries and the results go before the list does. */
static ag_status add(finder *f, ag_scrap scrap)
{
    ag_scraps *scraps = f->scraps;
    if (scraps->count == f->capacity) {
        size_t capacity = 2 * f->capacity + 16;
        ag_scrap *items = ag_arena_alloc(&scraps->arena, capacity * sizeof *items);
        if (items == NULL)
            return ag_fail(AG_ERR_SYSTEM, "out of memory");
        if (scraps->count > 0)
            memcpy(items, scraps->items, scraps->count * sizeof *items);
        scraps->items = items;
        f->capacity = capacity;
    }
    scrap.name = ag_arena_strdup(&scraps->arena, scrap.name);
    scrap.text = ag_arena_strdup(&scraps->arena, scrap.text);
    if (scrap.name == NULL || scrap.text == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    scraps->items[scraps->count++] = scrap;
    scraps->bytes += scrap.bytes;
    return AG_OK;
}

/* 0 for what has gone meanwhile. */
static double file_bytes(const char *folder, const char *name)
{
    char path[AG_PATH_SIZE];
    struct stat facts;
    bool is_there = ag_path_join(path, folder, name) == AG_OK && stat(path, &facts) == 0;
    return is_there ? (double)facts.st_size : 0.0;
}

/* --- orphans */

/* Of the datasets of a run in a packed file; attributes are small beside them. What removing it
 * would free, about. */
static double packed_bytes(ag_h5 *h5, const char *id, ag_arena *arena)
{
    char name[64];
    ag_table table = {ag_n_tensor_columns, ag_tensor_columns, sizeof(ag_tensor_row), 0, NULL};
    snprintf(name, sizeof name, "runs/%s/tensors", id);
    ag_h5_read_table(h5, h5->id, name, &table, arena);
    const ag_tensor_row *rows = table.rows;
    double bytes = 0.0;
    for (size_t i = 0; h5->status == AG_OK && i < table.n_rows; i++)
        bytes += (double)rows[i].bytes;
    return bytes;
}

static double orphan_bytes(const finder *f, ag_h5 *h5, const char *id)
{
    char name[AG_ID_LENGTH + 4];
    if (f->results.packed)
        return packed_bytes(h5, id, &f->scraps->arena);
    snprintf(name, sizeof name, "%s.h5", id);
    return file_bytes(f->places.runs, name);
}

/* Rows after the grid's are orphans (ag_results). Failed ones have no file that could be removed.
 */
static ag_status find_orphans(finder *f)
{
    ag_h5 h5 = {.id = H5I_INVALID_HID};
    ag_status status = AG_OK;
    if (f->results.packed)
        ag_h5_open(&h5, f->places.results, AG_RESULTS_FORMAT, NULL);
    for (size_t i = f->results.grid.n_runs; i < f->results.n_rows && status == AG_OK; i++) {
        const ag_result_row *row = &f->results.rows[i];
        double bytes = orphan_bytes(f, &h5, row->id);
        if (row->status != AG_RUN_FAILED)
            status = add(f, (ag_scrap){AG_SCRAP_ORPHAN, row->id, row->name, bytes});
    }
    ag_status closed = f->results.packed ? ag_h5_close(&h5) : AG_OK;
    return status != AG_OK ? status : closed;
}

/* --- files of runs that will not go on */

/* Whether the run of a file "<id>..." is one of the grid that may still be trained. Logs and curves
 * of complete runs are of no use, nor are those of runs that nothing names. */
static bool is_wanted(const finder *f, const char *name)
{
    for (size_t i = 0; i < f->results.grid.n_runs; i++) {
        if (strncmp(f->results.rows[i].id, name, AG_ID_LENGTH) == 0)
            return !ag_run_status_is_complete(f->results.rows[i].status);
    }
    return false;
}

/* A folder that is not there holds nothing. */
static ag_status find_files(finder *f, ag_scrap_kind kind, const char *path, bool all)
{
    ag_status status = AG_OK;
    DIR *folder = opendir(path);
    for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
        const char *name = entry->d_name;
        if (status != AG_OK || name[0] == '.' || (!all && is_wanted(f, name)))
            continue;
        status = add(f, (ag_scrap){kind, name, "", file_bytes(path, name)});
    }
    if (folder != NULL)
        closedir(folder);
    return status;
}

static bool is_complete(const finder *f)
{
    for (size_t i = 0; i < f->results.grid.n_runs; i++) {
        if (!ag_run_status_is_complete(f->results.rows[i].status))
            return false;
    }
    return true;
}

/* Which runs they are of only `run` finds out, and removes the others. */
static ag_status find_trunks(finder *f)
{
    return is_complete(f) ? find_files(f, AG_SCRAP_TRUNK, f->places.trunks, true) : AG_OK;
}

/* --- the folder of a packed file */

/* Not what lies in folders below: those were counted one by one. */
static double folder_bytes(const char *path)
{
    double bytes = 0.0;
    DIR *folder = opendir(path);
    for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
        if (entry->d_name[0] != '.')
            bytes += file_bytes(path, entry->d_name);
    }
    if (folder != NULL)
        closedir(folder);
    return bytes;
}

/* All that a folder beside a complete file tells is in the file: grid, facts, events, labels.
 * Complete must mean every run of the grid: with one pending, the folder is where it will go on. */
static ag_status find_folder(finder *f)
{
    if (!f->results.packed || !ag_is_folder(f->places.folder) || !is_complete(f))
        return AG_OK;
    const char *slash = strrchr(f->places.folder, '/');
    const char *name = slash != NULL ? slash + 1 : f->places.folder;
    return add(f, (ag_scrap){AG_SCRAP_FOLDER, name, "", folder_bytes(f->places.folder)});
}

static ag_status find_all(finder *f)
{
    AG_TRY(find_orphans(f));
    AG_TRY(find_files(f, AG_SCRAP_CHECKPOINT, f->places.checkpoints, false));
    AG_TRY(find_files(f, AG_SCRAP_CURVE, f->places.curves, false));
    AG_TRY(find_files(f, AG_SCRAP_LOG, f->places.logs, false));
    AG_TRY(find_trunks(f));
    AG_TRY(find_files(f, AG_SCRAP_DAMAGED, f->places.damaged, true));
    return find_folder(f);
}

ag_status ag_scraps_list(ag_scraps *scraps, const char *path)
{
    finder f = {.scraps = scraps};
    *scraps = (ag_scraps){0};
    ag_arena_init_growing(&scraps->arena);
    ag_status status = ag_places_of(&f.places, path);
    if (status == AG_OK && (status = ag_results_open(&f.results, path)) == AG_OK) {
        status = find_all(&f);
        ag_results_close(&f.results);
    }
    if (status != AG_OK)
        ag_scraps_deinit(scraps);
    return status;
}

void ag_scraps_deinit(ag_scraps *scraps)
{
    ag_arena_deinit(&scraps->arena);
    *scraps = (ag_scraps){0};
}

/* --- removing */

/* Whether there is anything of the kind: unpacking a file for nothing would take minutes. */
static bool holds(const ag_scraps *scraps, ag_scrap_kind kind)
{
    for (size_t i = 0; i < scraps->count; i++) {
        if (scraps->items[i].kind == kind)
            return true;
    }
    return false;
}

/* What has gone already is removed. */
static ag_status remove_file(const char *folder, const char *name)
{
    char path[AG_PATH_SIZE];
    AG_TRY(ag_path_join(path, folder, name));
    if (unlink(path) != 0 && access(path, F_OK) == 0)
        return ag_fail_errno("cannot remove %s", path);
    return AG_OK;
}

/* A packed file becomes run files for it, of which the others are packed again. In this order a
 * kill leaves more than was asked for, never less. */
static ag_status remove_orphans(const ag_scraps *scraps, const ag_places *places, bool packed)
{
    if (!holds(scraps, AG_SCRAP_ORPHAN))
        return AG_OK;
    if (packed)
        AG_TRY(ag_results_work(AG_STORE_UNPACK, places->results, NULL));
    for (size_t i = 0; i < scraps->count; i++) {
        char name[AG_ID_LENGTH + 4];
        snprintf(name, sizeof name, "%.*s.h5", AG_ID_LENGTH, scraps->items[i].name);
        if (scraps->items[i].kind == AG_SCRAP_ORPHAN)
            AG_TRY(remove_file(places->runs, name));
    }
    AG_TRY(ag_sync_folder(places->runs));
    return ag_results_work(packed ? AG_STORE_PACK : AG_STORE_PUBLISH, places->results, NULL);
}

/* After a packing, since a kill in between must leave whole results. */
static ag_status remove_files(const ag_scraps *scraps, const ag_places *places)
{
    const char *const folders[AG_SCRAP_KINDS] = {[AG_SCRAP_CHECKPOINT] = places->checkpoints,
                                                 [AG_SCRAP_CURVE] = places->curves,
                                                 [AG_SCRAP_LOG] = places->logs,
                                                 [AG_SCRAP_TRUNK] = places->trunks,
                                                 [AG_SCRAP_DAMAGED] = places->damaged};
    for (size_t i = 0; i < scraps->count; i++) {
        const ag_scrap *scrap = &scraps->items[i];
        if (folders[scrap->kind] != NULL)
            AG_TRY(remove_file(folders[scrap->kind], scrap->name));
    }
    rmdir(places->damaged);
    return AG_OK;
}

/* By name, and the folder afterwards only while it is empty: what somebody else has put there
 * stays. */
static void remove_the_rest(const ag_places *places)
{
    const char *const folders[] = {places->failed, places->logs, places->checkpoints,
                                   places->trunks, places->curves};
    const char *const files[] = {places->grid, places->labels, places->facts, places->plan,
                                 places->live, places->stop,   places->events};
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++)
        ag_remove_folder(folders[i]);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        unlink(files[i]);
}

static ag_status remove_all(const ag_scraps *scraps, const ag_places *places, bool packed)
{
    AG_TRY(remove_orphans(scraps, places, packed));
    AG_TRY(remove_files(scraps, places));
    if (holds(scraps, AG_SCRAP_FOLDER))
        remove_the_rest(places);
    return AG_OK;
}

/* The grid stays as it is; the store takes care that the folder of a packed file is complete. With
 * the grid that the results have: pruning changes no experiment. */
static ag_status open_store(ag_store **store, bool *packed, const char *path)
{
    ag_results results;
    ag_job_facts facts;
    ag_arena arena;
    ag_arena_init_growing(&arena);
    ag_status status = ag_results_open(&results, path);
    if (status == AG_OK) {
        *packed = results.packed;
        status = ag_results_facts(&facts, path, &arena);
        if (status == AG_OK)
            status = ag_store_open(store, path, &results.grid, &facts,
                                   &(ag_store_options){.worker = ag_results_work});
        ag_results_close(&results);
    }
    ag_arena_deinit(&arena);
    return status;
}

ag_status ag_scraps_remove(const ag_scraps *scraps, const char *path)
{
    ag_places places;
    ag_store *store = NULL;
    bool packed = false;
    AG_TRY(ag_places_of(&places, path));
    AG_TRY(open_store(&store, &packed, path));
    ag_status status = remove_all(scraps, &places, packed);
    ag_store_close(store);
    if (status == AG_OK && holds(scraps, AG_SCRAP_FOLDER))
        rmdir(places.folder); /* unless somebody has begun anew */
    return status;
}
