/* /curves: each metric of all runs as one array over named coordinates, for xarray in one line.
 * Rows are the complete runs of the grid in its order; what a run did not reach is NaN.
 *
 * The layout is that of netCDF-4 (dimension scales, _FillValue, CF's `coordinates`), which is HDF5
 * with conventions: xarray, ncview and the like open it without knowing altgrad. Labels of runs are
 * coordinates, so that selecting a format or seed is one call there. */
#include <hdf5_hl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/text.h"
#include "fields.h"
#include "gather.h"
#include "h5.h"
#include "results_write.h"
#include "run/grid.h"

/* More than there are series; choose_variables asks. */
enum { MOST_VARIABLES = 16 };

typedef struct variable {
    const ag_series *series;
    const char *name; /* without the folder */
    hid_t set;
} variable;

struct ag_curves {
    ag_h5 *h5;
    size_t n_runs;
    const ag_entry **runs; /* [n_runs] */
    size_t *rows;          /* [grid->n_runs]: where a run stands in `runs`, SIZE_MAX: nowhere */
    const ag_grid *grid;
    hid_t group;
    const char *coordinates; /* names of the variables over runs */
    size_t n_steps;
    size_t n_evals;
    const int64_t *eval_steps; /* all that any run has, ascending */
    size_t n_variables;
    variable variables[MOST_VARIABLES];
    double *row; /* of the longer kind */
    ag_arena arena;
};

static const ag_series s_step = {
    "step", AG_SERIES_WHOLE, AG_OVER_STEPS, 0, "1", "steps trained before this one"};
static const ag_series s_eval_step = {
    "eval_step", AG_SERIES_WHOLE, AG_OVER_EVALS, 0, "1", "steps trained before the evaluation"};

static bool is_metric(const ag_series *series)
{
    return series->over == AG_OVER_STEPS;
}

/* eval_step is what they are over. */
static bool is_validation(const ag_series *series)
{
    return series->over == AG_OVER_EVALS && series->type == AG_SERIES_REAL;
}

static int ascending(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a;
    int64_t right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

/* The union of the runs' evaluation steps; it is short, as most runs share theirs. An evaluation
 * that a run did not make is NaN there, like all else that it did not reach. */
static bool unite_evals(ag_curves *c)
{
    size_t most = 0;
    for (size_t i = 0; i < c->n_runs; i++)
        most += (size_t)c->runs[i]->evals;
    int64_t *steps = ag_arena_alloc(&c->arena, most * sizeof *steps);
    if (steps == NULL)
        return false;
    size_t used = 0;
    for (size_t i = 0; i < c->n_runs; i++) {
        const ag_entry *entry = c->runs[i];
        for (int64_t j = 0; j < entry->evals; j++)
            steps[used++] = entry->eval_step[j];
    }
    qsort(steps, used, sizeof *steps, ascending);
    for (size_t i = 0; i < used; i++) {
        if (i == 0 || steps[i] != steps[i - 1])
            steps[c->n_evals++] = steps[i];
    }
    c->eval_steps = steps;
    return true;
}

/* The attributes by which xarray and ncdump label an axis of a plot. */
static void annotate(ag_h5 *h5, hid_t set, const ag_series *series)
{
    ag_h5_put_text(h5, set, "units", series->units);
    ag_h5_put_text(h5, set, "long_name", series->long_name);
}

/* A dimension scale is what makes two arrays share a coordinate for netCDF. */
static void make_scale(ag_curves *c, const ag_series *series, const int64_t *values, size_t count)
{
    const ag_array array = {AG_CELL_I64, 1, {count}, values};
    ag_h5_write(c->h5, c->group, series->path, &array);
    hid_t set = H5Dopen2(c->group, series->path, H5P_DEFAULT);
    annotate(c->h5, set, series);
    if (c->h5->status == AG_OK && H5DSset_scale(set, series->path) < 0)
        ag_h5_fail(c->h5, "make a dimension scale of", series->path);
    ag_h5_release(set);
}

/* In full, though it is 0, 1, 2, ...: a coordinate that is a dataset needs no convention. */
static void make_steps(ag_curves *c)
{
    int64_t *steps = ag_arena_alloc(&c->arena, c->n_steps * sizeof *steps);
    for (size_t i = 0; steps != NULL && i < c->n_steps; i++)
        steps[i] = (int64_t)i;
    if (steps != NULL && c->n_steps > 0)
        make_scale(c, &s_step, steps, c->n_steps);
    if (c->n_evals > 0)
        make_scale(c, &s_eval_step, c->eval_steps, c->n_evals);
}

/* By name: handles of scales are not kept. */
static void attach(ag_curves *c, hid_t set, const char *scale, unsigned dimension)
{
    if (c->h5->status != AG_OK)
        return;
    hid_t scale_set = H5Dopen2(c->group, scale, H5P_DEFAULT);
    if (H5DSattach_scale(set, scale_set, dimension) < 0)
        ag_h5_fail(c->h5, "attach the dimension", scale);
    ag_h5_release(scale_set);
}

/* A text for each run: variable length, because netCDF cannot read arrays of fixed-length strings.
 * They are few, and not compressed anyway. */
static void make_texts(ag_curves *c, const char *name, const char *const *texts)
{
    ag_h5_write_texts(c->h5, c->group, name, texts, c->n_runs);
    if (c->h5->status != AG_OK)
        return;
    hid_t set = H5Dopen2(c->group, name, H5P_DEFAULT);
    if (strcmp(name, "run") != 0)
        attach(c, set, "run", 0);
    else if (H5DSset_scale(set, name) < 0)
        ag_h5_fail(c->h5, "make a dimension scale of", name);
    ag_h5_release(set);
}

/* As the axis's own type, so that ds.sel(seed=3) finds it. */
static void make_numbers(ag_curves *c, const char *name, size_t axis)
{
    bool whole = c->grid->axes[axis].type == AG_AXIS_INT;
    int64_t *integers = ag_arena_alloc(&c->arena, c->n_runs * sizeof *integers);
    double *reals = ag_arena_alloc(&c->arena, c->n_runs * sizeof *reals);
    for (size_t i = 0; integers != NULL && reals != NULL && i < c->n_runs; i++) {
        integers[i] = c->runs[i]->label->values[axis].integer;
        reals[i] = c->runs[i]->label->values[axis].real;
    }
    const ag_array array = {
        whole ? AG_CELL_I64 : AG_CELL_F64, 1, {c->n_runs}, whole ? (void *)integers : reals};
    if (array.data == NULL)
        c->h5->status = ag_fail(AG_ERR_SYSTEM, "%s: out of memory for its curves", c->h5->path);
    ag_h5_write(c->h5, c->group, name, &array);
    if (c->h5->status != AG_OK)
        return;
    hid_t set = H5Dopen2(c->group, name, H5P_DEFAULT);
    attach(c, set, "run", 0);
    ag_h5_release(set);
}

static void make_axis(ag_curves *c, const char *name, size_t axis, const char **texts)
{
    if (c->grid->axes[axis].type != AG_AXIS_TEXT) {
        make_numbers(c, name, axis);
        return;
    }
    for (size_t i = 0; i < c->n_runs; i++)
        texts[i] = c->runs[i]->label->values[axis].text;
    make_texts(c, name, texts);
}

/* CF conventions: by this attribute xarray knows that they are coordinates. */
static void name_coordinates(ag_curves *c, const ag_column *axes)
{
    ag_text names;
    ag_text_init(&names);
    ag_text_add(&names, "id");
    for (size_t axis = 0; axis < c->grid->n_axes; axis++)
        ag_text_printf(&names, " %s", axes[axis].name);
    ag_text_add(&names, " status");
    c->coordinates = names.failed ? NULL : ag_arena_strdup(&c->arena, names.data);
    ag_text_deinit(&names);
}

/* The runs' ids, states and the values of each axis, by which a user selects. An axis that a user
 * named like one of our variables gets another name, as it does in the tables. */
static void make_labels(ag_curves *c)
{
    const char **texts = ag_arena_alloc(&c->arena, c->n_runs * sizeof *texts);
    ag_column own[MOST_VARIABLES + 8] = {{.name = "run"},
                                         {.name = "id"},
                                         {.name = "status"},
                                         {.name = "step"},
                                         {.name = "eval_step"}};
    ag_table taken = {.columns = own, .n_columns = 5};
    for (size_t i = 0; i < c->n_variables; i++)
        own[taken.n_columns++].name = c->variables[i].name;
    size_t unused;
    const ag_column *axes = ag_results_axis_columns(&unused, c->grid, 0, &taken, &c->arena);
    if (axes != NULL)
        name_coordinates(c, axes);
    if (texts == NULL || axes == NULL || c->coordinates == NULL) {
        c->h5->status = ag_fail(AG_ERR_SYSTEM, "%s: out of memory for its curves", c->h5->path);
        return;
    }
    for (size_t i = 0; i < c->n_runs; i++)
        texts[i] = c->runs[i]->summary.id;
    make_texts(c, "run", texts);
    make_texts(c, "id", texts);
    for (size_t i = 0; i < c->n_runs; i++)
        texts[i] = c->runs[i]->summary.status;
    make_texts(c, "status", texts);
    for (size_t axis = 0; axis < c->grid->n_axes; axis++)
        make_axis(c, axes[axis].name, axis, texts);
}

/* Filled with NaN: what a run did not reach is written by nobody. _FillValue says so to netCDF;
 * HDF5's own fill value makes it true without a byte being written. */
static void create_variable(ag_curves *c, variable *v)
{
    static const ag_column fill = {"_FillValue", AG_CELL_F64, 0, 0};
    const double missing = NAN;
    if (c->h5->status != AG_OK)
        return;
    const bool by_step = is_metric(v->series);
    const hsize_t dims[] = {c->n_runs, by_step ? c->n_steps : c->n_evals};
    hid_t space = H5Screate_simple(2, dims, NULL);
    hid_t creation = ag_h5_properties(H5P_DATASET_CREATE);
    H5Pset_fill_value(creation, H5T_NATIVE_DOUBLE, &missing);
    v->set =
        H5Dcreate2(c->group, v->name, H5T_IEEE_F64LE, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    if (v->set < 0)
        ag_h5_fail(c->h5, "create", v->name);
    annotate(c->h5, v->set, v->series);
    ag_h5_put_text(c->h5, v->set, "coordinates", c->coordinates);
    ag_h5_put(c->h5, v->set, &fill, 1, &missing);
    attach(c, v->set, "run", 0);
    attach(c, v->set, by_step ? "step" : "eval_step", 1);
    ag_h5_release(creation);
    ag_h5_release(space);
}

static void choose_variables(ag_curves *c)
{
    for (size_t i = 0; i < AG_RECORD_SERIES; i++) {
        const ag_series *series = &ag_record_series[i];
        bool wanted =
            (is_metric(series) && c->n_steps > 0) || (is_validation(series) && c->n_evals > 0);
        if (wanted && c->n_variables < MOST_VARIABLES)
            c->variables[c->n_variables++] =
                (variable){series, ag_series_name(series), H5I_INVALID_HID};
    }
}

/* False when memory runs out. Pending and failed runs have no curve: a row of NaN for each would
 * say less than /index does. */
static bool choose_runs(ag_curves *c, const ag_gathered *gathered)
{
    size_t count = gathered->grid.n_runs;
    c->runs = ag_arena_alloc(&c->arena, (count + 1) * sizeof(ag_entry *));
    c->rows = ag_arena_alloc(&c->arena, (count + 1) * sizeof *c->rows);
    if (c->runs == NULL || c->rows == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        const ag_entry *entry = &gathered->entries[i];
        c->rows[i] = entry->has_file ? c->n_runs : SIZE_MAX;
        if (entry->has_file)
            c->runs[c->n_runs++] = entry;
    }
    return true;
}

/* The longest run's, so that all fit one array. */
static bool measure(ag_curves *c)
{
    for (size_t i = 0; i < c->n_runs; i++) {
        size_t steps = (size_t)c->runs[i]->summary.steps;
        c->n_steps = steps > c->n_steps ? steps : c->n_steps;
    }
    if (!unite_evals(c))
        return false;
    size_t longest = c->n_steps > c->n_evals ? c->n_steps : c->n_evals;
    c->row = ag_arena_alloc(&c->arena, longest * sizeof *c->row);
    return c->row != NULL;
}

/* Made while the runs are copied one after another: each file is opened once. */
ag_curves *ag_curves_begin(ag_h5 *h5, const ag_gathered *gathered)
{
    if (h5->status != AG_OK)
        return NULL;
    ag_curves *c = calloc(1, sizeof *c);
    if (c != NULL) {
        *c = (ag_curves){.h5 = h5, .grid = &gathered->grid, .group = H5I_INVALID_HID};
        ag_arena_init_growing(&c->arena);
    }
    if (c == NULL || !choose_runs(c, gathered) || !measure(c)) {
        h5->status = ag_fail(AG_ERR_SYSTEM, "%s: out of memory for its curves", h5->path);
        ag_curves_end(c);
        return NULL;
    }
    if (c->n_runs == 0) { /* netCDF refuses files with empty dimensions */
        ag_curves_end(c);
        return NULL;
    }
    c->group = ag_h5_make_group(h5, h5->id, "curves");
    choose_variables(c);
    make_labels(c);
    make_steps(c);
    for (size_t i = 0; i < c->n_variables; i++)
        create_variable(c, &c->variables[i]);
    return c;
}

/* Where the run's element `index` stands in the row. The union of all runs' steps has each of them.
 */
static size_t place_of(const ag_curves *c, const variable *v, const ag_entry *entry, size_t index)
{
    if (is_metric(v->series))
        return index;
    const int64_t *at = bsearch(&entry->eval_step[index], c->eval_steps, c->n_evals,
                                sizeof *c->eval_steps, ascending);
    return (size_t)(at - c->eval_steps);
}

/* A row at a time: the whole array of thousands of runs need not fit into memory. */
static void write_row(ag_curves *c, variable *v, size_t entry, size_t length)
{
    const hsize_t start[] = {entry, 0};
    const hsize_t count[] = {1, length};
    hid_t file = H5Dget_space(v->set);
    hid_t memory = H5Screate_simple(2, count, NULL);
    H5Sselect_hyperslab(file, H5S_SELECT_SET, start, NULL, count, NULL);
    if (H5Dwrite(v->set, H5T_NATIVE_DOUBLE, memory, file, H5P_DEFAULT, c->row) < 0)
        ag_h5_fail(c->h5, "write", v->name);
    ag_h5_release(memory);
    ag_h5_release(file);
}

/* A row whole, NaN first: what is in the buffer is of the run before. */
static void add_row(ag_curves *c, variable *v, size_t index, ag_array *values)
{
    const ag_entry *entry = c->runs[index];
    const double *from = values->data;
    size_t length = is_metric(v->series) ? c->n_steps : c->n_evals;
    size_t stored = (size_t)values->dims[0];
    size_t most = is_metric(v->series) ? c->n_steps : (size_t)entry->evals;
    for (size_t i = 0; i < length; i++)
        c->row[i] = NAN;
    for (size_t i = 0; i < stored && i < most; i++)
        c->row[place_of(c, v, entry, i)] = from[i];
    write_row(c, v, index, length);
}

/* Memory of one run at a time: curves of a large grid are larger than the rest of the file. */
void ag_curves_add(ag_curves *curves, size_t entry, ag_h5 *from, hid_t run)
{
    if (curves == NULL || entry >= curves->grid->n_runs || curves->rows[entry] == SIZE_MAX)
        return;
    for (size_t i = 0; i < curves->n_variables; i++) {
        ag_arena arena;
        ag_array values = {.type = AG_CELL_F64};
        ag_arena_init_growing(&arena);
        ag_h5_read(from, run, curves->variables[i].series->path, &values, &arena);
        if (from->status == AG_OK && curves->h5->status == AG_OK)
            add_row(curves, &curves->variables[i], curves->rows[entry], &values);
        ag_arena_deinit(&arena);
    }
}

/* Handles before the file: HDF5 keeps a file open while any of its objects is. */
void ag_curves_end(ag_curves *curves)
{
    if (curves == NULL)
        return;
    for (size_t i = 0; i < curves->n_variables; i++)
        ag_h5_release(curves->variables[i].set);
    ag_h5_release(curves->group);
    ag_arena_deinit(&curves->arena);
    free(curves);
}
