/* Two records of one run, bit for bit. What there is to compare stands in the records themselves:
 * the table of datasets of each, and the columns of fields.c. So whatever a run leaves behind is
 * compared, also what was added since this file was written.
 *
 * What depends on the machine (timing) is reported and not compared. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/files.h"
#include "fields.h"
#include "gather.h"
#include "h5.h"
#include "record/record.h"
#include "results/compare.h"
#include "run/run.h"
#include "run/run_json.h"
#include "spool/places.h"
#include "state.h"

/* One of the two records, open. */
typedef struct side {
    char path[AG_PATH_SIZE];
    ag_h5 h5;
    hid_t run;
    hid_t timing;
    ag_table tensors;
    ag_run_summary summary;
    char nonfinite[AG_NONFINITE_SIZE];
} side;

/* A dataset in memory, as the machine's own type. */
typedef struct values {
    hid_t type;
    size_t size; /* bytes of an element */
    int rank;
    hsize_t dims[2];
    size_t count;
    char *bytes;
} values;

/* Both sides, and where differences go. */
typedef struct comparer {
    ag_comparison *out;
    side stored;
    side fresh;
} comparer;

/* --- open */

/* The timing apart: it is the only part of a run that another machine may have otherwise. */
static void open_run(side *s, const char *id)
{
    char name[64];
    snprintf(name, sizeof name, "runs/%s", id);
    s->run = ag_h5_group(&s->h5, s->h5.id, name);
    s->timing = ag_h5_group(&s->h5, s->run, "timing");
}

/* A spooled run lies in a file of its own, at the same path inside. */
static ag_status open_stored(side *s, const char *path, const char *id)
{
    ag_places places;
    ag_state state;
    *s = (side){.run = H5I_INVALID_HID, .timing = H5I_INVALID_HID};
    AG_TRY(ag_state_find(&state, &places, path));
    if (state == AG_STATE_SPOOLED)
        AG_TRY(ag_places_run(s->path, places.runs, id));
    else
        snprintf(s->path, sizeof s->path, "%s", places.results);
    ag_h5_open(&s->h5, s->path, AG_RESULTS_FORMAT, AG_RUN_FORMAT);
    open_run(s, id);
    return AG_OK;
}

static ag_status close_side(side *s)
{
    ag_h5_release(s->timing);
    ag_h5_release(s->run);
    return ag_h5_close(&s->h5);
}

/* --- the configuration */

/* The very text that altgrad-train takes, so that the id guards all of it. A run file that was
 * changed by hand would be trained as something else. */
static ag_status parse(ag_run *run, side *s, const char *id, ag_arena *arena)
{
    const char *config = ag_h5_read_text(&s->h5, s->run, "config", arena);
    const char *local = ag_h5_read_text(&s->h5, s->timing, "local", arena);
    if (s->h5.status != AG_OK)
        return s->h5.status;
    const char *text =
        ag_arena_printf(arena, "{\"id\":\"%s\",\"local\":%s,\"run\":%s}", id, local, config);
    if (text == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory for the configuration of run %s", id);
    return ag_run_from_assignment(run, text, strlen(text), arena) == AG_OK ? AG_OK : AG_ERR_FILE;
}

ag_status ag_results_run(ag_run *run, ag_timing *timing, const char *path, const char *id,
                         ag_arena *arena)
{
    side stored;
    AG_TRY(open_stored(&stored, path, id));
    if (timing != NULL)
        ag_h5_get(&stored.h5, stored.timing, ag_timing_columns, ag_n_timing_columns, timing);
    ag_status status = parse(run, &stored, id, arena);
    ag_status closed = close_side(&stored);
    return status != AG_OK ? status : closed;
}

/* --- single values */

/* With all digits that the type has, so that two different numbers never print alike but for the
 * two cases below. */
static const char *print_number(char text[80], hid_t type, const void *at)
{
    int64_t whole = 0;
    double real = 0;
    float single = 0;
    size_t size = H5Tget_size(type);
    if (H5Tget_class(type) == H5T_FLOAT && size == sizeof real) {
        memcpy(&real, at, sizeof real);
        snprintf(text, 80, "%.17g", real);
    } else if (H5Tget_class(type) == H5T_FLOAT && size == sizeof single) {
        memcpy(&single, at, sizeof single);
        snprintf(text, 80, "%.9g", (double)single);
    } else if (H5Tget_class(type) == H5T_INTEGER && size <= sizeof whole) {
        memcpy(&whole, at, size); /* little-endian, as everything here */
        whole = (int64_t)((uint64_t)whole << (64 - 8 * size)) >> (64 - 8 * size);
        snprintf(text, 80, "%" PRId64, whole);
    } else {
        snprintf(text, 80, "(bytes)");
    }
    return text;
}

/* Zeros of either sign and NaNs of any kind print alike: their bits tell them apart. A user who
 * sees two equal numbers called different would doubt the tool. */
static void print_both(ag_difference *difference, const values *stored, const values *fresh,
                       size_t i)
{
    const char *a = stored->bytes + i * stored->size;
    const char *b = fresh->bytes + i * fresh->size;
    print_number(difference->stored, stored->type, a);
    print_number(difference->fresh, fresh->type, b);
    if (strcmp(difference->stored, difference->fresh) != 0)
        return;
    uint64_t bits[2] = {0};
    memcpy(&bits[0], a, stored->size < 8 ? stored->size : 8);
    memcpy(&bits[1], b, fresh->size < 8 ? fresh->size : 8);
    snprintf(difference->stored, sizeof difference->stored, "0x%" PRIx64, bits[0]);
    snprintf(difference->fresh, sizeof difference->fresh, "0x%" PRIx64, bits[1]);
}

/* --- datasets */

/* Only what is compared: datasets of runs have one or two dimensions. */
static void read_shape(values *v, hid_t set)
{
    hid_t stored = H5Dget_type(set);
    hid_t space = H5Dget_space(set);
    v->type = H5Tget_native_type(stored, H5T_DIR_ASCEND);
    v->size = v->type >= 0 ? H5Tget_size(v->type) : 0;
    v->rank = H5Sget_simple_extent_ndims(space);
    hssize_t count = H5Sget_simple_extent_npoints(space);
    v->count = count > 0 ? (size_t)count : 0;
    if (v->rank == 1 || v->rank == 2)
        H5Sget_simple_extent_dims(space, v->dims, NULL);
    ag_h5_release(space);
    ag_h5_release(stored);
}

/* One byte more, so that an empty dataset has memory too and NULL always is a failure. */
static void read_values(values *v, ag_h5 *h5, hid_t run, const char *name)
{
    *v = (values){.type = H5I_INVALID_HID};
    if (h5->status != AG_OK)
        return;
    hid_t set = H5Dopen2(run, name, H5P_DEFAULT);
    if (set < 0) {
        ag_h5_fail(h5, "open", name);
        return;
    }
    read_shape(v, set);
    v->bytes = v->count < SIZE_MAX / (v->size + 1) ? malloc(v->count * v->size + 1) : NULL;
    if (v->bytes == NULL)
        h5->status = ag_fail(AG_ERR_SYSTEM, "%s: out of memory for %s", h5->path, name);
    else if (H5Dread(set, v->type, H5S_ALL, H5S_ALL, H5P_DEFAULT, v->bytes) < 0)
        ag_h5_fail(h5, "read", name);
    ag_h5_release(set);
}

static void release_values(values *v)
{
    ag_h5_release(v->type);
    free(v->bytes);
}

/* There is room for every dataset and attribute of either side. */
static ag_difference *add_difference(comparer *c, const char *name)
{
    ag_difference *difference = &c->out->differences[c->out->n_differences++];
    *difference = (ag_difference){.count = 1};
    snprintf(difference->name, sizeof difference->name, "%s", name);
    return difference;
}

/* The step that element `i` of a series belongs to, from the dataset beside it that says so. A
 * difference at step 17 of a curve can be looked into; "element 17" could be anything. */
static bool find_step(char *place, size_t size, side *s, const char *name, size_t i)
{
    static const char *const beside[] = {"step", "eval_step"};
    const char *slash = strrchr(name, '/');
    bool found = false;
    for (size_t k = 0; slash != NULL && k < 2 && !found; k++) {
        char path[256];
        values steps;
        snprintf(path, sizeof path, "%.*s/%s", (int)(slash - name), name, beside[k]);
        if (!ag_h5_has(&s->h5, s->run, path))
            continue;
        read_values(&steps, &s->h5, s->run, path);
        found = s->h5.status == AG_OK && steps.size == sizeof(int64_t) && i < steps.count;
        if (found)
            snprintf(place, size, "step %" PRId64, ((const int64_t *)(void *)steps.bytes)[i]);
        release_values(&steps);
    }
    return found;
}

/* A step says more than an index: it is where a user looks into the curve. */
static void tell_place(ag_difference *difference, side *s, const values *v, size_t i)
{
    char *place = difference->place;
    const size_t size = sizeof difference->place;
    if (v->rank == 2 && v->dims[1] > 0)
        snprintf(place, size, "element [%zu, %zu]", i / (size_t)v->dims[1], i % (size_t)v->dims[1]);
    else if (v->rank != 1 || !find_step(place, size, s, difference->name, i))
        snprintf(place, size, "element %zu", i);
}

static void print_shape(char *text, size_t size, const values *v)
{
    snprintf(text, size, "%zu values of %zu bytes", v->count, v->size);
}

/* Bits are compared, never numbers: 0 and -0 are different results, and a NaN is equal to itself.
 * Of many differences the first is told, since what follows in a training follows from it. */
static void compare_values(comparer *c, const char *name, const values *stored, const values *fresh)
{
    if (stored->size != fresh->size || stored->rank != fresh->rank ||
        memcmp(stored->dims, fresh->dims, sizeof stored->dims) != 0 ||
        stored->count != fresh->count || H5Tequal(stored->type, fresh->type) <= 0) {
        ag_difference *difference = add_difference(c, name);
        print_shape(difference->stored, sizeof difference->stored, stored);
        print_shape(difference->fresh, sizeof difference->fresh, fresh);
        return;
    }
    size_t size = stored->size;
    if (memcmp(stored->bytes, fresh->bytes, stored->count * size) == 0)
        return;
    ag_difference *difference = add_difference(c, name);
    difference->count = 0;
    for (size_t i = 0; i < stored->count; i++) {
        if (memcmp(stored->bytes + i * size, fresh->bytes + i * size, size) == 0)
            continue;
        if (difference->count++ > 0)
            continue;
        tell_place(difference, &c->fresh, fresh, i);
        print_both(difference, stored, fresh, i);
    }
}

/* The curve of a run file of version 1 ends with the pass over the whole validation part, which has
 * no equal in the fresh one. The rest of the two curves can still be compared. */
static void leave_final(const comparer *c, const char *name, values *stored, values *fresh)
{
    if (ag_run_has_final(&c->stored.h5, c->stored.run) || strncmp(name, "val/val_loss", 12) != 0 ||
        stored->count == 0 || stored->count != fresh->count)
        return;
    stored->count--;
    fresh->count--;
}

static void compare_dataset(comparer *c, const char *name)
{
    values stored;
    values fresh;
    read_values(&stored, &c->stored.h5, c->stored.run, name);
    read_values(&fresh, &c->fresh.h5, c->fresh.run, name);
    bool both = stored.bytes != NULL && fresh.bytes != NULL;
    leave_final(c, name, &stored, &fresh);
    if (both && c->stored.h5.status == AG_OK && c->fresh.h5.status == AG_OK)
        compare_values(c, name, &stored, &fresh);
    c->out->n_datasets++;
    release_values(&fresh);
    release_values(&stored);
}

/* By the runs' own tables of datasets, which their checksums cover. */
static bool has_dataset(const side *s, const char *name)
{
    const ag_tensor_row *rows = s->tensors.rows;
    for (size_t i = 0; i < s->tensors.n_rows; i++) {
        if (strcmp(rows[i].name, name) == 0)
            return true;
    }
    return false;
}

/* Both ways: a series that one of the two lacks is a difference too, such as when another version
 * recorded less. */
static void compare_datasets(comparer *c)
{
    const ag_tensor_row *rows = c->fresh.tensors.rows;
    for (size_t i = 0; i < c->fresh.tensors.n_rows; i++) {
        if (has_dataset(&c->stored, rows[i].name)) {
            compare_dataset(c, rows[i].name);
            continue;
        }
        ag_difference *difference = add_difference(c, rows[i].name);
        snprintf(difference->stored, sizeof difference->stored, "missing");
        snprintf(difference->fresh, sizeof difference->fresh, "recorded");
    }
    rows = c->stored.tensors.rows;
    for (size_t i = 0; i < c->stored.tensors.n_rows; i++) {
        if (has_dataset(&c->fresh, rows[i].name))
            continue;
        ag_difference *difference = add_difference(c, rows[i].name);
        snprintf(difference->stored, sizeof difference->stored, "recorded");
        snprintf(difference->fresh, sizeof difference->fresh, "missing");
    }
}

/* --- attributes */

/* As the member lies in memory. */
static hid_t number_type(ag_cell cell)
{
    if (cell == AG_CELL_I8)
        return H5T_NATIVE_INT8;
    return cell == AG_CELL_I64 ? H5T_NATIVE_INT64 : H5T_NATIVE_DOUBLE;
}

/* `in_stored` and `in_fresh` are the structs that the column speaks of. */
static void compare_attribute(comparer *c, const ag_column *column, void *in_stored, void *in_fresh)
{
    char *a = (char *)in_stored + column->offset;
    char *b = (char *)in_fresh + column->offset;
    bool is_text = column->type == AG_CELL_TEXT;
    bool same = is_text ? strcmp(a, b) == 0 : memcmp(a, b, column->size) == 0;
    if (same)
        return;
    ag_difference *difference = add_difference(c, column->name);
    if (is_text) {
        snprintf(difference->stored, sizeof difference->stored, "%.79s", a);
        snprintf(difference->fresh, sizeof difference->fresh, "%.79s", b);
        return;
    }
    const values stored = {number_type(column->type), column->size, 0, {0}, 1, a};
    const values fresh = {number_type(column->type), column->size, 0, {0}, 1, b};
    print_both(difference, &stored, &fresh, 0);
}

static const ag_column s_nonfinite = {"nonfinite", AG_CELL_TEXT, 0, AG_NONFINITE_SIZE};

/* Whether a run is an orphan is a fact of the experiment. A run file of version 1 has no evaluation
 * on the fixed windows after the last step. Neither says anything about what was computed. */
static bool is_compared(const comparer *c, const char *column)
{
    if (strncmp(column, "val_loss", 8) == 0)
        return ag_run_has_final(&c->stored.h5, c->stored.run);
    return strcmp(column, "orphan") != 0;
}

/* By the table of columns, so that a new attribute is compared by itself. */
static void compare_attributes(comparer *c)
{
    for (size_t i = 0; i < ag_n_summary_columns; i++) {
        if (is_compared(c, ag_summary_columns[i].name))
            compare_attribute(c, &ag_summary_columns[i], &c->stored.summary, &c->fresh.summary);
    }
    compare_attribute(c, &s_nonfinite, c->stored.nonfinite, c->fresh.nonfinite);
}

/* --- all of it */

static void read_tables(side *s, ag_timing *timing, ag_arena *arena)
{
    s->tensors = (ag_table){ag_n_tensor_columns, ag_tensor_columns, sizeof(ag_tensor_row), 0, NULL};
    ag_h5_read_table(&s->h5, s->run, "tensors", &s->tensors, arena);
    ag_run_summary_read(&s->summary, &s->h5, s->run, arena);
    ag_h5_get(&s->h5, s->run, &s_nonfinite, 1, s->nonfinite);
    ag_h5_get(&s->h5, s->timing, ag_timing_columns, ag_n_timing_columns, timing);
}

static ag_status compare(comparer *c, ag_arena *arena)
{
    ag_comparison *out = c->out;
    read_tables(&c->stored, &out->stored, arena);
    read_tables(&c->fresh, &out->fresh, arena);
    AG_TRY(c->stored.h5.status);
    AG_TRY(c->fresh.h5.status);
    size_t most = c->stored.tensors.n_rows + c->fresh.tensors.n_rows + ag_n_summary_columns + 1;
    out->differences = ag_arena_alloc(arena, most * sizeof *out->differences);
    if (out->differences == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory for %zu datasets", most);
    compare_datasets(c);
    compare_attributes(c);
    return AG_OK;
}

/* The struct holds two open files with their paths: too large for a stack, and in the caller's
 * arena. */
ag_status ag_results_compare(ag_comparison *comparison, const char *path, const char *id,
                             const void *bytes, size_t size, ag_arena *arena)
{
    *comparison = (ag_comparison){0};
    comparer *c = ag_arena_alloc(arena, sizeof *c);
    if (c == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory for the comparison of run %s", id);
    c->out = comparison;
    AG_TRY(open_stored(&c->stored, path, id));
    ag_h5_open_bytes(&c->fresh.h5, "the run trained again", bytes, size);
    open_run(&c->fresh, id);
    ag_status status = compare(c, arena);
    ag_status fresh = close_side(&c->fresh);
    ag_status stored = close_side(&c->stored);
    if (status != AG_OK)
        return status;
    return stored != AG_OK ? stored : fresh;
}
