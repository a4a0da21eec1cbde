/* Beginning where another run stood. The state's precision is one more phase before the run's own
 * (ag_trainer_carry), so that a run which goes on as before has the bits of the unbranched one, and
 * one which changes its format those of a run that changes it by a phase. */
#include "take_start.h"

#include <stdlib.h>
#include <string.h>

#include "next_phase.h"
#include "optimizer.h"
#include "record/series.h"
#include "run/layers.h"
#include "run/optimizers.h"
#include "run/sites.h"

/* --- what it was is what it is */

static bool same_scheme(const ag_scheme *a, const ag_scheme *b)
{
    return a == NULL || b == NULL ? a == b : ag_scheme_equal(a, b);
}

static void give_up(bool *goes_on, const ag_tensor_table *tensors, ag_tensor_id id, size_t block)
{
    const ag_tensor *tensor = ag_tensor_find(tensors, id, block);
    if (tensor != NULL)
        goes_on[tensor - tensors->rows] = false;
}

/* Weights on a grid stay where they are while both the grid and its scale are what they were. */
static void compare_grids(bool *goes_on, const ag_trainer *trainer)
{
    const ag_run *now = &trainer->at;
    const ag_run *before = &trainer->run->start->run;
    bool was_grid = ag_optimizer_of(before)->fixes_scale;
    for (size_t i = 0; ag_optimizer_of(now)->fixes_scale && i < ag_layer_count(&now->model); i++) {
        ag_layer layer = ag_layer_at(&now->model, now->facts.vocab_size, i);
        size_t block = layer.kind == AG_LINEAR_LM_HEAD ? 0 : layer.block;
        if (!was_grid || !same_scheme(ag_layer_grid(now, i), ag_layer_grid(before, i)))
            give_up(goes_on, &trainer->state.tensors, ag_linear_tensors[layer.kind][0], block);
    }
}

static const ag_layer_precision *site_of(const ag_run *run, size_t index)
{
    static const ag_layer_precision off;
    return run->sites == NULL ? &off : &run->sites[index];
}

static void compare_stores(bool *goes_on, const ag_trainer *trainer)
{
    const ag_run *now = &trainer->at;
    const ag_run *before = &trainer->run->start->run;
    for (size_t i = 0; i < ag_site_count(&now->model); i++) {
        ag_site site = ag_site_at(&now->model, i);
        size_t block = site.block == (size_t)now->model.n_layer ? 0 : site.block;
        if (site.kind == AG_SITE_OPT_W &&
            !ag_layer_precision_equal(site_of(now, i), site_of(before, i)))
            give_up(goes_on, &trainer->state.tensors, site.weight, block);
    }
}

/* --- taking it */

static ag_status check(const ag_trainer *trainer)
{
    const ag_train_state *state = &trainer->state;
    const ag_start *start = trainer->run->start;
    if (start == NULL || start->state.step != trainer->run->train.start_step ||
        (start->state.v != NULL) != (state->n_v > 0) ||
        (start->state.lost != NULL) != (state->n_lost > 0) ||
        !ag_have_same_layers(&start->run.model, &trainer->run->model))
        return ag_fail(AG_ERR_BUG, "run %s begins with a state that is not its own",
                       trainer->run->id);
    return AG_OK;
}

static void take_arrays(ag_train_state *state, const ag_kept_state *from)
{
    size_t bytes = state->tensors.total * sizeof(float);
    state->step = from->step;
    state->updates = from->updates;
    memcpy(state->weights, from->weights, bytes);
    memcpy(state->m, from->m, bytes);
    if (from->v != NULL)
        memcpy(state->v, from->v, bytes);
    if (from->lost != NULL)
        memcpy(state->lost, from->lost, bytes);
}

/* What storing had lost was about the former format. */
static void forget_lost(ag_train_state *state, const bool *goes_on)
{
    for (size_t i = 0; state->n_lost > 0 && i < state->tensors.count; i++) {
        const ag_tensor *tensor = &state->tensors.rows[i];
        if (!goes_on[i])
            memset(state->lost + tensor->offset, 0, tensor->count * sizeof *state->lost);
    }
}

/* Curves begin with those of the state: a branch is shown from where its trunk began, and
 * loss_ratio is of the loss of step 0. */
static void take_curves(ag_record *record, const ag_start *start)
{
    size_t n = 0;
    for (size_t i = 0; i < AG_RECORD_SERIES; i++) {
        const ag_series *series = &ag_record_series[i];
        void *to = NULL;
        if (series->over != AG_OVER_STEPS)
            continue;
        memcpy(&to, (const char *)record + series->data, sizeof to);
        memcpy(to, start->curves[n++], (size_t)start->state.step * ag_series_size(series));
    }
    record->steps = start->state.step;
}

static void take(ag_trainer *trainer, bool *goes_on)
{
    const ag_start *start = trainer->run->start;
    const ag_kept_state *from = &start->state;
    ag_train_state *state = &trainer->state;
    const ag_scales_of now = {trainer->run, 0, state->scales, state->amaxes};
    const ag_scales_of before = {&start->run, 0, from->scales, from->amaxes};
    compare_grids(goes_on, trainer);
    compare_stores(goes_on, trainer);
    take_arrays(state, from);
    ag_trainer_carry(&now, &before);
    ag_optimizer_begin(state, &trainer->run->optimizer, goes_on, trainer->k);
    forget_lost(state, goes_on);
    take_curves(trainer->record, start);
    trainer->saved_step = trainer->now.step = trainer->now.first_step = from->step;
    trainer->now.loss = trainer->record->loss[from->step - 1];
}

ag_status ag_trainer_take_start(ag_trainer *trainer)
{
    size_t count = trainer->state.tensors.count;
    AG_TRY(check(trainer));
    bool *goes_on = malloc(count * sizeof *goes_on);
    if (goes_on == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory for %zu tensors", count);
    memset(goes_on, true, count * sizeof *goes_on);
    take(trainer, goes_on);
    free(goes_on);
    return AG_OK;
}
