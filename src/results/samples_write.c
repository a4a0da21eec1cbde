/* The sampled series in the run file. */
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "h5.h"
#include "record/samples.h"
#include "run_writer.h"

size_t ag_run_sample_datasets(const ag_samples *samples)
{
    return samples->n_groups > 0 ? samples->width + 2 : 0;
}

/* The groups on the way to `path`, those that are missing. Each part of the path; HDF5 makes
 * intermediate groups too, but without our creation properties. */
static void make_groups(ag_run_writer *w, const char *path)
{
    char part[AG_SAMPLED_PATH];
    for (const char *end = path; *end != '\0'; end++) {
        size_t length = (size_t)(end - path) + 1;
        if (end[1] != '/' && end[1] != '\0')
            continue;
        memcpy(part, path, length);
        part[length] = '\0';
        if (!ag_h5_has(&w->h5, w->run, part))
            ag_h5_release(ag_h5_make_group(&w->h5, w->run, part));
    }
}

/* The steps are one dataset of quant and one of diagnostics, linked into each group below. Each
 * group then has a `step` beside its metrics, as `metrics` and `val` have. */
static void write_steps(ag_run_writer *w, const char *path)
{
    static const ag_metric metric = {"step", "1", "steps trained before the sampled one", true};
    const ag_samples *samples = &w->record->samples;
    char top[AG_SAMPLED_PATH + 8];
    char link[AG_SAMPLED_PATH + 8];
    snprintf(top, sizeof top, "%.*s/step", (int)strcspn(path, "/"), path);
    snprintf(link, sizeof link, "%s/step", path);
    if (!ag_h5_has(&w->h5, w->run, top)) {
        ag_array array = {AG_CELL_I64, 1, {(hsize_t)samples->count}, samples->step};
        ag_run_add(w, top, &array, metric.units, metric.long_name);
    }
    if (w->h5.status == AG_OK &&
        H5Lcreate_hard(w->run, top, w->run, link, H5P_DEFAULT, H5P_DEFAULT) < 0)
        ag_h5_fail(&w->h5, "link", link);
}

/* A column of the table becomes an array: readers want one metric of one operand. */
static void write_column(ag_run_writer *w, const ag_sampled *group, size_t index, void *cells)
{
    const ag_samples *samples = &w->record->samples;
    const ag_metric *metric = &group->metrics[index];
    const double *value = samples->values + group->column + index;
    char path[2 * AG_SAMPLED_PATH];
    for (size_t i = 0; i < (size_t)samples->count; i++, value += samples->width) {
        if (metric->whole)
            ((int64_t *)cells)[i] = (int64_t)*value;
        else
            ((double *)cells)[i] = *value;
    }
    ag_array array = {
        metric->whole ? AG_CELL_I64 : AG_CELL_F64, 1, {(hsize_t)samples->count}, cells};
    snprintf(path, sizeof path, "%s/%s", group->path, metric->name);
    ag_run_add(w, path, &array, metric->units, metric->long_name);
}

/* One buffer for all columns, of either type, which are equally wide. */
void ag_run_add_samples(ag_run_writer *w)
{
    const ag_samples *samples = &w->record->samples;
    size_t cells = (size_t)samples->count;
    void *column = ag_arena_alloc(&w->arena, cells * sizeof(double));
    if (column == NULL)
        w->h5.status = ag_fail(AG_ERR_SYSTEM, "out of memory for %zu samples", cells);
    for (size_t i = 0; i < samples->n_groups; i++) {
        const ag_sampled *group = &samples->groups[i];
        make_groups(w, group->path);
        write_steps(w, group->path);
        for (size_t metric = 0; metric < group->n_metrics && w->h5.status == AG_OK; metric++)
            write_column(w, group, metric, column);
    }
}
