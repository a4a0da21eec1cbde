/* What training changes and a checkpoint holds; and the weights it begins with. */
#include <math.h>
#include <string.h>

#include "base/maths.h"
#include "base/philox.h"
#include "run/layers.h"
#include "run/optimizers.h"
#include "run/sites.h"
#include "run/streams.h"
#include "train_state.h"

/* Layers first, then sites: the order in which a checkpoint stores them. */
ag_scale_cursor ag_all_scales(const ag_run *run)
{
    size_t per_layer = (size_t)AG_ROLES * AG_USES;
    ag_scale_cursor sum = ag_sites_scales(run);
    for (size_t i = 0; i < ag_layer_count(&run->model) * per_layer; i++) {
        const ag_layer_precision *layer = &run->layers[i / per_layer];
        sum.scales++;
        sum.amaxes += (size_t)layer->scheme[i / AG_USES % AG_ROLES][i % AG_USES].history;
    }
    return sum;
}

/* The optimizers that follow a grid look at the format of the weights in fprop, which is what the
 * model computes with. */
static void find_grids(ag_train_state *state, const ag_run *run)
{
    for (size_t i = 0; i < ag_layer_count(&run->model); i++) {
        const ag_scheme *scheme = ag_layer_grid(run, i);
        if (scheme == NULL)
            continue;
        ag_layer layer = ag_layer_at(&run->model, run->facts.vocab_size, i);
        size_t block = layer.kind == AG_LINEAR_LM_HEAD ? 0 : layer.block;
        ag_tensor_id id = ag_linear_tensors[layer.kind][0];
        const ag_tensor *tensor = ag_tensor_find(&state->tensors, id, block);
        ag_tensor_grid *grid = &state->grids[tensor - state->tensors.rows];
        grid->scheme = scheme;
        grid->place = layer.place + AG_ROLE_WEIGHT;
        if (state->scales != NULL)
            grid->scale = &state->scales[(i * AG_ROLES + AG_ROLE_WEIGHT) * AG_USES];
    }
}

/* The most groups with a scale that a tensor's weights have, where the optimizer looks at them. */
static size_t most_groups(const ag_train_state *state, const ag_run *run)
{
    size_t most = 0;
    if (!ag_optimizer_of(run)->has_moving_spacing)
        return 0;
    for (size_t i = 0; i < state->tensors.count; i++) {
        const ag_scheme *scheme = state->grids[i].scheme;
        const size_t *dims = state->tensors.rows[i].dims;
        if (scheme == NULL || scheme->granularity == AG_GRANULARITY_TENSOR)
            continue;
        ag_matrix matrix = {.rows = dims[0], .cols = dims[1]};
        ag_groups groups = ag_groups_of(scheme, &matrix);
        size_t count = ag_groups_count(&groups);
        most = count > most ? count : most;
    }
    return most;
}

/* Elements of the largest tensor that is stored in a format: at most those of any matrix. */
static size_t most_stored(const ag_train_state *state)
{
    size_t most = 0;
    for (size_t i = 0; i < state->tensors.count; i++) {
        const ag_tensor *tensor = &state->tensors.rows[i];
        most = tensor->n_dims == 2 && tensor->count > most ? tensor->count : most;
    }
    return most;
}

/* What kahan and eco need beyond the weights that are stored. */
static void lay_out_stored(ag_train_state *state, const ag_run *run, ag_layout *layout)
{
    int64_t rule = run->optimizer.store_error;
    if (!ag_run_stores_weights(run) || rule == AG_STORE_ERROR_DROP)
        return;
    state->n_lost = rule == AG_STORE_ERROR_KAHAN ? state->tensors.total : 0;
    state->lost = ag_layout_floats(layout, state->n_lost);
    state->unstored = ag_layout_floats(layout, most_stored(state));
}

ag_status ag_train_state_lay_out(ag_train_state *state, const ag_run *run, ag_layout *layout)
{
    *state = (ag_train_state){.model = &run->model};
    AG_TRY(
        ag_tensor_table_make(&state->tensors, &run->model, run->facts.vocab_size, layout->arena));
    state->n_v = ag_optimizer_of(run)->has_variance ? state->tensors.total : 0;
    state->weights = ag_layout_floats(layout, state->tensors.total);
    state->m = ag_layout_floats(layout, state->tensors.total);
    state->v = ag_layout_floats(layout, state->n_v);
    lay_out_stored(state, run, layout);
    return AG_OK;
}

/* 1 until an amax is known, as docs/numerics.md says of delayed scales. */
void ag_train_state_reset_scales(ag_train_state *state)
{
    memset(state->scales, 0, state->n_scales * sizeof *state->scales);
    memset(state->amaxes, 0, state->n_amaxes * sizeof *state->amaxes);
    for (size_t i = 0; i < state->n_scales; i++)
        state->scales[i].value = 1.0f;
}

ag_status ag_train_state_enter(ag_train_state *state, const ag_run *run, ag_layout *layout)
{
    size_t grid_bytes = state->tensors.count * sizeof *state->grids;
    state->grids = ag_layout_table(layout, grid_bytes);
    if (state->grids == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory for %zu tensors", state->tensors.count);
    memset(state->grids, 0, grid_bytes);
    ag_scale_cursor all = ag_all_scales(run);
    state->n_scales = all.scales;
    state->n_amaxes = all.amaxes;
    state->scales = ag_layout_bytes(layout, state->n_scales * sizeof *state->scales);
    state->amaxes = ag_layout_floats(layout, state->n_amaxes);
    find_grids(state, run);
    if (ag_optimizer_of(run)->orthogonalises)
        ag_muon_lay_out(&state->muon, &run->model, &state->tensors, layout);
    size_t groups = most_groups(state, run);
    state->groups.scales.scale = ag_layout_floats(layout, groups);
    state->groups.scales.factors = ag_layout_floats(layout, groups);
    state->groups.scales.after = ag_layout_floats(layout, groups);
    state->groups.amaxes = ag_layout_floats(layout, groups);
    if (state->scales != NULL)
        ag_train_state_reset_scales(state);
    return AG_OK;
}

/* Not the weights: those are drawn or handed in afterwards. */
void ag_train_state_reset(ag_train_state *state)
{
    state->step = state->updates = 0;
    memset(state->m, 0, state->tensors.total * sizeof *state->m);
    memset(state->v, 0, state->n_v * sizeof *state->v);
    if (state->n_lost > 0)
        memset(state->lost, 0, state->n_lost * sizeof *state->lost);
    ag_train_state_reset_scales(state);
}

/* Two independent standard normal numbers (Box and Muller, 1958):
 *
 *   r = sqrt(-2 ln(1 - u1)), z0 = r cos(2 pi u2), z1 = r sin(2 pi u2)
 *
 * u1 and u2 have 53 bits, from words 0-1 and 2-3 of Philox(key, pair, tensor, 0). */
static void normal_pair(double z[2], uint64_t key, uint64_t pair, uint32_t tensor)
{
    static const double two_pi = 6.283185307179586;
    ag_philox_block block = ag_philox(key, (uint32_t)pair, (uint32_t)(pair >> 32), tensor, 0);
    double u1 = ag_uniform53(block.word[0], block.word[1]);
    double u2 = ag_uniform53(block.word[2], block.word[3]);
    double r = sqrt(-2.0 * ag_ln(1.0 - u1));
    z[0] = r * ag_cos(two_pi * u2);
    z[1] = r * ag_sin(two_pi * u2);
}

/* Elements [begin, end) of the words of a number into w. Element e comes from pair e / 2. */
static void draw(float *w, uint64_t key, uint32_t number, uint64_t begin, uint64_t end, double std)
{
    for (uint64_t pair = begin / 2; 2 * pair < end; pair++) {
        double z[2];
        normal_pair(z, key, pair, number);
        for (uint64_t e = 2 * pair; e < 2 * pair + 2; e++) {
            if (e >= begin && e < end)
                w[e - begin] = (float)(std * z[e % 2]);
        }
    }
}

/* A tensor's number (run/streams.h) makes it start alike whether or not the model has biases, tied
 * weights or more layers. */
static void fill_normal(float *w, const ag_tensor *tensor, uint64_t key)
{
    uint32_t first = (uint32_t)(tensor->block * AG_PLACES_PER_BLOCK);
    draw(w, key, first + tensor->init_id, tensor->init_first,
         tensor->init_first + tensor->init_count, tensor->init_std);
    draw(w + tensor->init_count, key, first + tensor->id, 0, tensor->count - tensor->init_count,
         tensor->init_std);
}

/* Every element is drawn by its own number, so that no order and no thread matters. */
void ag_weights_init(float *weights, const ag_tensor_table *tensors, uint64_t seed)
{
    uint64_t key = ag_stream_key(seed, AG_STREAM_INIT);
    for (size_t i = 0; i < tensors->count; i++) {
        const ag_tensor *tensor = &tensors->rows[i];
        float *w = weights + tensor->offset;
        if (tensor->init == AG_INIT_NORMAL)
            fill_normal(w, tensor, key);
        for (size_t j = 0; tensor->init != AG_INIT_NORMAL && j < tensor->count; j++)
            w[j] = tensor->init == AG_INIT_GAIN ? (float)tensor->init_gain : 0.0f;
    }
}
