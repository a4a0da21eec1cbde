/* Writes the results file anew beside the old one, which publish.c then replaces by it. Published
 * (while runs come in) it leaves the weights in the run files; packed it holds all. Always whole
 * and from the beginning: a file that is changed in place is lost when its writer is killed. */
#include "results_write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"
#include "base/text.h"
#include "gather.h"
#include "h5.h"
#include "run/digest.h"
#include "run/run.h"
#include "spool/notes.h"
#include "spool/places.h"
#include "state.h"
#include "verify.h"

typedef struct writer {
    ag_h5 h5;
    const ag_gathered *gathered;
    hid_t runs;
    ag_curves *curves;
    bool with_weights;
} writer;

/* All that is large in a run. */
static bool holds_weights(const char *name)
{
    return strcmp(name, "weights") == 0 || strcmp(name, "weights_initial") == 0 ||
           strcmp(name, "states") == 0;
}

static void copy_member(writer *w, hid_t from, const char *name, hid_t to)
{
    if (w->h5.status == AG_OK && H5Ocopy(from, name, to, name, H5P_DEFAULT, H5P_DEFAULT) < 0)
        ag_h5_fail(&w->h5, "copy", name);
}

/* H5Ocopy of a whole group takes the weights along, and its shallow form breaks the metadata of
 * libhdf5 1.10.8 (a second copy then fails, closing crashes): attributes go one by one ...
 * Attributes of runs are numbers and texts, so that every type there is can be read and written as
 * it lies. */
static herr_t copy_attribute(hid_t from, const char *name, const H5A_info_t *info, void *to)
{
    (void)info;
    hid_t source = H5Aopen(from, name, H5P_DEFAULT);
    hid_t type = H5Aget_type(source);
    hid_t space = H5Aget_space(source);
    hid_t copy = H5Acreate2(*(hid_t *)to, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    size_t bytes = H5Tget_size(type) * (size_t)H5Sget_simple_extent_npoints(space);
    void *value = calloc(1, bytes + 1);
    herr_t result = -1;
    if (value != NULL && H5Aread(source, type, value) >= 0) {
        result = H5Awrite(copy, type, value);
        H5Dvlen_reclaim(type, space, H5P_DEFAULT, value);
    }
    free(value);
    ag_h5_release(copy);
    ag_h5_release(space);
    ag_h5_release(type);
    ag_h5_release(source);
    return result;
}

/* ... and so do the members, but for those that hold weights. */
static hid_t copy_without_weights(writer *w, hid_t from, const char *id)
{
    hid_t to = ag_h5_make_group(&w->h5, w->runs, id);
    H5G_info_t info = {0};
    if (w->h5.status == AG_OK &&
        (H5Aiterate2(from, H5_INDEX_NAME, H5_ITER_INC, NULL, copy_attribute, &to) < 0 ||
         H5Gget_info(from, &info) < 0))
        ag_h5_fail(&w->h5, "copy run", id);
    for (hsize_t i = 0; i < info.nlinks && w->h5.status == AG_OK; i++) {
        char name[256] = "";
        H5Lget_name_by_idx(from, ".", H5_INDEX_NAME, H5_ITER_INC, i, name, sizeof name,
                           H5P_DEFAULT);
        if (!holds_weights(name))
            copy_member(w, from, name, to);
    }
    return to;
}

/* One call for everything, which copies data as they lie in the file, unconverted. */
static hid_t copy_whole(writer *w, hid_t from, const char *id)
{
    if (w->h5.status == AG_OK && H5Ocopy(from, ".", w->runs, id, H5P_DEFAULT, H5P_DEFAULT) < 0)
        ag_h5_fail(&w->h5, "copy run", id);
    return ag_h5_group(&w->h5, w->runs, id);
}

/* The run's file, as seen from the folder of the results file. A notebook opens it by
 * h5py.File(folder / name). */
static void put_file_name(writer *w, hid_t run, const char *id)
{
    char name[AG_PATH_SIZE + 64];
    const char *results = w->gathered->places.results;
    const char *slash = strrchr(results, '/');
    snprintf(name, sizeof name, "%s.d/runs/%s.h5", slash != NULL ? slash + 1 : results, id);
    ag_h5_put_text(&w->h5, run, "file", name);
}

/* A published file says where the weights lie; a packed one holds them. */
static void copy_run(writer *w, const ag_entry *entry, hid_t from)
{
    const char *id = entry->summary.id;
    hid_t to = w->with_weights ? copy_whole(w, from, id) : copy_without_weights(w, from, id);
    if (!w->with_weights)
        put_file_name(w, to, id);
    if (entry->summary.orphan)
        ag_run_mark_orphan(&w->h5, to, true);
    ag_h5_release(to);
}

/* Its file is opened, read and closed before the next: thousands of open files would reach a limit.
 */
static void add_run(writer *w, size_t index)
{
    const ag_entry *entry = &w->gathered->entries[index];
    char path[AG_PATH_SIZE];
    char name[32];
    ag_h5 file;
    if (w->h5.status != AG_OK || !entry->has_file)
        return;
    w->h5.status = ag_places_run(path, w->gathered->places.runs, entry->summary.id);
    ag_h5_open(&file, path, AG_RUN_FORMAT, NULL);
    snprintf(name, sizeof name, "runs/%s", entry->summary.id);
    hid_t run = ag_h5_group(&file, file.id, name);
    if (file.status == AG_OK)
        copy_run(w, entry, run);
    ag_curves_add(w->curves, index, &file, run);
    ag_h5_release(run);
    ag_status status = ag_h5_close(&file);
    if (w->h5.status == AG_OK)
        w->h5.status = status;
}

/* `state` is what tells a reader whether the folder beside it is needed. */
static void put_root(writer *w)
{
    const ag_gathered *g = w->gathered;
    ag_h5_put_format(&w->h5, AG_RESULTS_FORMAT);
    ag_h5_put_text(&w->h5, w->h5.id, "created", g->facts.created);
    ag_h5_put_text(&w->h5, w->h5.id, "experiment", g->grid.name);
    ag_h5_put_text(&w->h5, w->h5.id, "state", w->with_weights ? "packed" : "spooled");
}

/* Into the packed file only: while the experiment runs they are read where they lie. */
static void write_events(writer *w, hid_t group)
{
    ag_text events;
    ag_text_init(&events);
    if (ag_is_file(w->gathered->places.events) &&
        ag_read_whole(&events, w->gathered->places.events) == AG_OK)
        ag_h5_write_text(&w->h5, group, "events", events.data);
    ag_text_deinit(&events);
}

/* With all that packing, merging and the summary need: a packed file stands alone. */
static void write_experiment(writer *w)
{
    static const ag_column ranks = {"ranks", AG_CELL_I64, 0, 0};
    const ag_gathered *g = w->gathered;
    const ag_job_facts *job = &g->facts.job;
    const char *const facts[][2] = {
        {"build",     job->build    },
        {"libraries", job->libraries},
        {"hosts",     job->hosts    },
        {"job",       job->job      }
    };
    char digest[AG_DIGEST_LENGTH + 1] = "";
    int64_t n_ranks = job->ranks;
    hid_t group = ag_h5_make_group(&w->h5, w->h5.id, "experiment");
    ag_h5_write_text(&w->h5, group, "yaml", g->grid.yaml);
    ag_h5_write_text(&w->h5, group, "grid", g->grid_text);
    ag_h5_write_text(&w->h5, group, "labels", g->former_text);
    ag_h5_write_text(&w->h5, group, "vocabulary", job->vocabulary);
    if (ag_sha256_of(digest, g->grid.yaml, strlen(g->grid.yaml)) == AG_OK)
        ag_h5_put_text(&w->h5, group, "yaml_sha256", digest);
    for (size_t i = 0; i < sizeof facts / sizeof facts[0]; i++)
        ag_h5_put_text(&w->h5, group, facts[i][0], facts[i][1]);
    ag_h5_put(&w->h5, group, &ranks, 1, &n_ranks);
    if (w->with_weights)
        write_events(w, group);
    ag_h5_release(group);
}

/* Small things first: a reader of a large file finds them without seeking to its end. */
static ag_status write_results(const ag_gathered *gathered, bool with_weights)
{
    writer w = {.gathered = gathered, .with_weights = with_weights};
    ag_h5_create(&w.h5, gathered->places.unfinished);
    put_root(&w);
    write_experiment(&w);
    ag_results_write_tables(&w.h5, gathered);
    ag_results_write_descriptors(&w.h5, gathered);
    w.curves = ag_curves_begin(&w.h5, gathered);
    w.runs = ag_h5_make_group(&w.h5, w.h5.id, "runs");
    for (size_t i = 0; i < gathered->n_entries; i++)
        add_run(&w, i);
    ag_h5_release(w.runs);
    ag_curves_end(w.curves);
    return ag_h5_close(&w.h5);
}

/* Bytes of the run files and a margin for the tables. Looked for and then reserved: a quota does
 * not show in the free space. */
static ag_status look_for_room(const ag_gathered *gathered, bool with_weights)
{
    enum { MARGIN_BYTES = 4 * 1024 * 1024, RUN_BYTES = 64 * 1024 };
    double needed = MARGIN_BYTES + (double)strlen(gathered->grid_text);
    for (size_t i = 0; i < gathered->n_entries; i++) {
        const ag_entry *entry = &gathered->entries[i];
        char path[AG_PATH_SIZE];
        struct stat facts = {0};
        AG_TRY(ag_places_run(path, gathered->places.runs, entry->summary.id));
        if (with_weights && entry->has_file && stat(path, &facts) == 0)
            needed += (double)facts.st_size;
        needed += RUN_BYTES + 128.0 * (double)entry->summary.steps;
    }
    AG_TRY(ag_room_check(gathered->places.folder, gathered->places.results, needed));
    return ag_reserve(gathered->places.folder, gathered->places.results, needed);
}

/* A packed file is read back before the run files are removed. */
static ag_status write_checked(const ag_gathered *gathered, bool with_weights)
{
    AG_TRY(look_for_room(gathered, with_weights));
    AG_TRY(write_results(gathered, with_weights));
    return with_weights ? ag_results_verify(gathered->places.unfinished) : AG_OK;
}

ag_status ag_results_write(const ag_places *places, bool with_weights)
{
    ag_gathered gathered;
    ag_status status = ag_gather(&gathered, places);
    if (status == AG_OK)
        status = write_checked(&gathered, with_weights);
    ag_gathered_deinit(&gathered);
    return status;
}
