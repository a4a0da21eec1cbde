/* The states of a run, back from its results. What is read is checked against its checksums and
 * against what the run's configuration says it must be. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "record/series.h"
#include "results/compare.h"
#include "results/states.h"
#include "run/phases.h"
#include "run/sites.h"
#include "run_reader.h"

enum { GROUP_SIZE = 48, PATH_SIZE = 96 };

/* --- which there are */

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* By the table of datasets, which a checksum covers. */
static void list_states(ag_step_list *kept, const ag_run_reader *reader)
{
    const ag_tensor_row *rows = reader->tensors.rows;
    *kept = (ag_step_list){0};
    for (size_t i = 0; i < reader->tensors.n_rows && kept->count < AG_MOST_STATES; i++) {
        char *end = NULL;
        if (strncmp(rows[i].name, "states/", 7) != 0)
            continue;
        long long step = strtoll(rows[i].name + 7, &end, 10);
        if (strcmp(end, "/standing") == 0)
            kept->at[kept->count++] = step;
    }
    qsort(kept->at, (size_t)kept->count, sizeof kept->at[0], by_value);
}

static const char *listed(const ag_step_list *kept, ag_arena *arena)
{
    const char *text = "";
    for (int64_t i = 0; i < kept->count && text != NULL; i++)
        text = ag_arena_printf(arena, "%s%s%" PRId64, text, i == 0 ? "" : ", ", kept->at[i]);
    return text != NULL ? text : "";
}

/* 0 asks for the only one. */
static ag_status choose(int64_t *step, const ag_run_reader *reader, const char *id, ag_arena *arena)
{
    ag_step_list kept;
    list_states(&kept, reader);
    if (kept.count == 0)
        return ag_fail(AG_ERR_INPUT,
                       "train.start.run: %s: run %s has kept no state. 'output.states' in its "
                       "experiment says after which steps it does; 'altgrad run --again' trains it "
                       "again",
                       reader->h5.path, id);
    if (*step == 0 && kept.count == 1)
        *step = kept.at[0];
    for (int64_t i = 0; i < kept.count; i++) {
        if (kept.at[i] == *step)
            return AG_OK;
    }
    if (*step == 0)
        return ag_fail(AG_ERR_INPUT,
                       "train.start.file: %s: run %s has kept its state after steps %s; say which "
                       "one is meant by train.start.step",
                       reader->h5.path, id, listed(&kept, arena));
    return ag_fail(AG_ERR_INPUT,
                   "train.start.step: %s: run %s has kept no state after step %" PRId64
                   ", but after %s",
                   reader->h5.path, id, *step, listed(&kept, arena));
}

/* --- its arrays */

typedef struct state_reader {
    ag_run_reader *reader;
    const ag_tensor_table *tensors;
    char group[GROUP_SIZE]; /* states/<step> */
    ag_arena *arena;
} state_reader;

static const char *path_of(char path[PATH_SIZE], const state_reader *s, const char *name)
{
    snprintf(path, PATH_SIZE, "%s/%s", s->group, name);
    return path;
}

static void no_memory(const state_reader *s)
{
    if (s->reader->h5.status == AG_OK)
        s->reader->h5.status = ag_fail(AG_ERR_SYSTEM, "out of memory for %s", s->group);
}

static bool has_group(const state_reader *s, const char *name)
{
    char path[PATH_SIZE];
    return s->reader->h5.status == AG_OK &&
           ag_h5_has(&s->reader->h5, s->reader->run, path_of(path, s, name));
}

/* NULL where the state has none. */
static float *read_tensors(const state_reader *s, const char *name)
{
    char path[PATH_SIZE];
    if (!has_group(s, name))
        return NULL;
    float *values = ag_arena_floats(s->arena, s->tensors->total);
    if (values == NULL)
        no_memory(s);
    else
        ag_run_read_tensors(s->reader, path_of(path, s, name), s->tensors, values);
    return values;
}

/* A state of more tensors is that of another model. */
static void check_tensors(const state_reader *s)
{
    char path[PATH_SIZE];
    const ag_tensor_row *rows = s->reader->tensors.rows;
    size_t length = strlen(path_of(path, s, "weights/"));
    for (size_t i = 0; i < s->reader->tensors.n_rows && s->reader->h5.status == AG_OK; i++) {
        size_t at = 0;
        if (strncmp(rows[i].name, path, length) != 0)
            continue;
        while (at < s->tensors->count &&
               strcmp(s->tensors->rows[at].name, rows[i].name + length) != 0)
            at++;
        if (at == s->tensors->count)
            s->reader->h5.status = ag_fail(AG_ERR_INPUT, "%s: has weights '%s', the model has none",
                                           s->reader->h5.path, rows[i].name + length);
    }
}

static void read_scales(ag_kept_state *state, const state_reader *s)
{
    char path[PATH_SIZE];
    size_t count = state->n_scales;
    const float *values =
        ag_run_read_array(s->reader, path_of(path, s, "scales"), sizeof *values, count, s->arena);
    const int64_t *pushed =
        ag_run_read_array(s->reader, path_of(path, s, "pushed"), sizeof *pushed, count, s->arena);
    state->amaxes = ag_run_read_array(s->reader, path_of(path, s, "amaxes"), sizeof(float),
                                      state->n_amaxes, s->arena);
    state->scales = ag_arena_alloc(s->arena, (count + 1) * sizeof *state->scales);
    if (state->scales == NULL) {
        no_memory(s);
        return;
    }
    for (size_t i = 0; i < count && s->reader->h5.status == AG_OK; i++)
        state->scales[i] = (ag_scale){.pushed = pushed[i], .value = values[i]};
}

static void read_state(ag_kept_state *state, const state_reader *s)
{
    char path[PATH_SIZE];
    const int64_t *standing =
        ag_run_read_array(s->reader, path_of(path, s, "standing"), sizeof *standing, 2, s->arena);
    check_tensors(s);
    state->weights = read_tensors(s, "weights");
    state->m = read_tensors(s, "m");
    state->v = read_tensors(s, "v");
    state->lost = read_tensors(s, "c");
    read_scales(state, s);
    if (s->reader->h5.status != AG_OK)
        return;
    state->step = standing[0];
    state->updates = standing[1];
    if (state->weights == NULL || state->m == NULL || state->updates < 0 ||
        state->updates > state->step)
        s->reader->h5.status =
            ag_fail(AG_ERR_FILE, "%s: %s is no state of a run", s->reader->h5.path, s->group);
}

static void read_curves(ag_start *start, const state_reader *s)
{
    size_t n = 0;
    for (size_t i = 0; i < AG_RECORD_SERIES; i++) {
        const ag_series *series = &ag_record_series[i];
        if (series->over == AG_OVER_STEPS)
            start->curves[n++] = ag_run_read_array(s->reader, series->path, ag_series_size(series),
                                                   (size_t)start->state.step, s->arena);
    }
}

/* --- all of it */

static ag_status read_start(ag_start *start, ag_run_reader *reader, const ag_tensor_table *tensors,
                            ag_arena *arena)
{
    state_reader s = {.reader = reader, .tensors = tensors, .arena = arena};
    snprintf(s.group, sizeof s.group, "states/%" PRId64, start->state.step);
    start->run = ag_run_in_phase(&start->run, ag_phase_at(&start->run, start->state.step - 1));
    ag_kept_sizes(&start->state, &start->run);
    read_state(&start->state, &s);
    read_curves(start, &s);
    return reader->h5.status;
}

ag_status ag_results_start(ag_start *start, const ag_state_named *named, const ag_model_spec *model,
                           const ag_tensor_table *tensors, ag_arena *arena)
{
    ag_run_reader *reader = ag_arena_alloc(arena, sizeof *reader);
    *start = (ag_start){.state = {.step = named->step}};
    if (reader == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    AG_TRY(ag_results_run(&start->run, NULL, named->path, named->run, arena));
    ag_run_reader_open(reader, named->path, named->run);
    ag_status status = reader->h5.status;
    if (status == AG_OK)
        status = choose(&start->state.step, reader, named->run, arena);
    if (status == AG_OK)
        status = read_start(start, reader, tensors, arena);
    ag_status closed = ag_run_reader_close(reader);
    AG_TRY(status != AG_OK ? status : closed);
    if (!ag_have_same_layers(&start->run.model, model))
        return ag_fail(AG_ERR_INPUT,
                       "train.start.run: %s: the layers of run %s are not those of "
                       "this model",
                       named->path, named->run);
    return ag_kept_complete(start, arena);
}
