/* The states that a run has kept (output.states), each a group states/<step>: tensor by tensor, as
 * the weights are, so that a notebook finds a moment by the name of its tensor and each has its
 * shape and checksum. They lie in the run's own group and nowhere else: wherever the run goes,
 * packed, merged or copied, they go along, and no state can be without the run that explains it. */
#include <inttypes.h>
#include <stdio.h>

#include "run_writer.h"

enum {
    TENSOR_GROUPS = 4, /* weights, m, v, c */
    ARRAYS = 4         /* standing, and those of the scales */
};

size_t ag_run_state_datasets(const ag_record *record)
{
    return record->n_states * (TENSOR_GROUPS * record->tensors.count + ARRAYS);
}

/* The scales are few beside the weights. */
size_t ag_run_state_copies(const ag_record *record)
{
    return record->n_states * (TENSOR_GROUPS + 1);
}

static void add_tensors(ag_run_writer *w, const char *group, const char *name, const float *values)
{
    char path[64];
    snprintf(path, sizeof path, "%s/%s", group, name);
    if (values != NULL)
        ag_run_add_tensors(w, path, values);
}

static void add_array(ag_run_writer *w, const char *group, const char *name, ag_cell type,
                      size_t count, const void *data)
{
    char path[64];
    snprintf(path, sizeof path, "%s/%s", group, name);
    ag_run_add_plain(w, path, &(ag_array){type, 1, {count}, data});
}

/* As two arrays, which every reader of HDF5 understands. */
static void add_scales(ag_run_writer *w, const char *group, const ag_kept_state *state)
{
    size_t count = state->n_scales;
    float *values = ag_arena_floats(&w->arena, count);
    int64_t *pushed = ag_arena_alloc(&w->arena, (count + 1) * sizeof *pushed);
    if (values == NULL || pushed == NULL) {
        w->h5.status = ag_fail(AG_ERR_SYSTEM, "out of memory for %zu scales", count);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        values[i] = state->scales[i].value;
        pushed[i] = state->scales[i].pushed;
    }
    add_array(w, group, "scales", AG_CELL_F32, count, values);
    add_array(w, group, "pushed", AG_CELL_I64, count, pushed);
    add_array(w, group, "amaxes", AG_CELL_F32, state->n_amaxes, state->amaxes);
}

static void add_state(ag_run_writer *w, const ag_kept_state *state)
{
    char group[40];
    const int64_t standing[] = {state->step, state->updates};
    snprintf(group, sizeof group, "states/%" PRId64, state->step);
    ag_h5_release(ag_h5_make_group(&w->h5, w->run, group));
    add_array(w, group, "standing", AG_CELL_I64, 2, standing);
    add_tensors(w, group, "weights", state->weights);
    add_tensors(w, group, "m", state->m);
    add_tensors(w, group, "v", state->v);
    add_tensors(w, group, "c", state->lost);
    add_scales(w, group, state);
}

void ag_run_add_states(ag_run_writer *w)
{
    if (w->record->n_states > 0)
        ag_h5_release(ag_h5_make_group(&w->h5, w->run, "states"));
    for (size_t i = 0; i < w->record->n_states && w->h5.status == AG_OK; i++)
        add_state(w, &w->record->states[i]);
}
