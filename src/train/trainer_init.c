/* A trainer before its first step: its memory, measured and then taken, and its weights. */
#include <math.h>
#include <string.h>

#include "data/batch.h"
#include "keep.h"
#include "next_phase.h"
#include "observe.h"
#include "optimizer.h"
#include "run/phases.h"
#include "run/sites.h"
#include "take_start.h"
#include "trainer.h"

/* Periodic evaluations before steps 0, every, 2 every, ..., and one at the end; of a run that
 * begins with a state, those from its step on. */
int64_t ag_evaluations_before(const ag_run *run, int64_t step)
{
    return ag_evaluation_number(run, step) - ag_evaluation_number(run, run->train.start_step);
}

int64_t ag_evaluation_number(const ag_run *run, int64_t step)
{
    int64_t every = run->eval.every;
    return every > 0 ? (step + every - 1) / every : 0;
}

/* The last one, after all steps, takes place whatever `every` says. */
static int64_t max_evals(const ag_run *run)
{
    return ag_evaluations_before(run, run->train.steps) + 1;
}

/* Whether forward passes quantise; dW and moments are no part of them. */
static bool is_quantised(const ag_run *run)
{
    for (size_t i = 0; i < ag_layer_count(&run->model); i++) {
        for (int j = 0; j < AG_ROLES * AG_USES; j++) {
            if (run->layers[i].scheme[j / AG_USES][j % AG_USES].quantised)
                return true;
        }
    }
    for (size_t i = 0; run->sites != NULL && i < ag_site_count(&run->model); i++) {
        if (ag_site_at(&run->model, i).kind >= AG_SITE_PV && ag_site_is_on(&run->sites[i]))
            return true;
    }
    return false;
}

/* Each rank's gradient stays until all are there; the last rank's is the model's. */
static ag_status lay_out_ranks(ag_trainer *trainer, ag_layout *layout)
{
    AG_TRY(ag_reduction_of(&trainer->reduction, &trainer->run->ranks));
    size_t N = trainer->reduction.ranks;
    trainer->rank_grads = ag_layout_table(layout, N * sizeof *trainer->rank_grads);
    trainer->rank_parts = ag_layout_table(layout, N * sizeof *trainer->rank_parts);
    if (trainer->rank_grads == NULL || trainer->rank_parts == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory for %zu ranks", N);
    for (size_t r = 0; r + 1 < N; r++)
        trainer->rank_grads[r] = ag_layout_floats(layout, trainer->state.tensors.total);
    return AG_OK;
}

/* What lasts from the first step to the last. */
static ag_status lay_out_lasting(ag_trainer *trainer, int64_t val_windows, ag_layout *layout)
{
    const ag_run *run = trainer->run;
    size_t tokens = ag_model_sequences(run) * (size_t)run->model.block_size;
    AG_TRY(ag_train_state_lay_out(&trainer->state, run, layout));
    AG_TRY(lay_out_ranks(trainer, layout));
    trainer->tokens.inputs = ag_layout_bytes(layout, tokens * sizeof(int32_t));
    trainer->tokens.targets = ag_layout_bytes(layout, tokens * sizeof(int32_t));
    trainer->windows = ag_layout_bytes(layout, (size_t)run->eval.windows * sizeof(int64_t));
    trainer->batch = ag_layout_bytes(layout, (size_t)run->eval.batch * sizeof(int64_t));
    if (run->output.weights == AG_WEIGHTS_INITIAL_FINAL)
        trainer->initial = ag_layout_floats(layout, trainer->state.tensors.total);
    if (layout->measuring)
        layout->bytes += ag_record_bytes(run, max_evals(run), val_windows);
    else
        AG_TRY(ag_record_make(trainer->record, run, max_evals(run), val_windows, layout->arena));
    ag_trainer_lay_out_ended(trainer, layout);
    AG_TRY(ag_keep_lay_out(trainer, layout));
    return ag_observer_lay_out(trainer, layout);
}

/* Phases follow one another in the same memory: the arena is set back to what lasts, and laid out
 * anew. A layout that takes more than was measured is a fault of ours, and no user can cure it. */
ag_status ag_trainer_lay_out_phase(ag_trainer *trainer, ag_layout *layout)
{
    trainer->at = ag_run_in_phase(trainer->run, trainer->phase);
    trainer->quantised = is_quantised(&trainer->at);
    trainer->model = (ag_model){.k = trainer->k};
    AG_TRY(ag_train_state_enter(&trainer->state, &trainer->at, layout));
    const ag_run_phase of = {trainer->run, trainer->phase};
    AG_TRY(ag_model_lay_out(&trainer->model, &trainer->at, &of, &trainer->state, layout));
    AG_TRY(ag_observer_enter(trainer, layout));
    if (layout->failed)
        return ag_fail(AG_ERR_BUG, "the run's memory was measured too small");
    return AG_OK;
}

/* Bytes of a run in one of its phases; SIZE_MAX, of which no arena can be made, where memory runs
 * out. */
static size_t phase_bytes(const ag_run *run, size_t phase, int64_t val_windows)
{
    ag_arena tables;
    ag_arena_init_growing(&tables);
    ag_layout layout = {.arena = &tables, .measuring = true};
    ag_record record = {.run = run};
    ag_trainer trainer = {.run = run, .record = &record, .phase = phase};
    size_t bytes = SIZE_MAX;
    if (lay_out_lasting(&trainer, val_windows, &layout) == AG_OK &&
        ag_trainer_lay_out_phase(&trainer, &layout) == AG_OK)
        bytes = tables.used + layout.bytes;
    ag_arena_deinit(&tables);
    return bytes;
}

/* The largest phase decides, since the others come in its place. */
size_t ag_train_bytes(const ag_run *run, int64_t val_windows)
{
    size_t most = 0;
    for (size_t phase = 0; phase < ag_phase_count(run); phase++) {
        size_t bytes = phase_bytes(run, phase, val_windows);
        most = bytes > most ? bytes : most;
    }
    return most;
}

/* For the plan of disk space, before any memory of the run is taken. */
size_t ag_train_sampled_bytes(const ag_run *run)
{
    enum { DATASET_BYTES = 600 }; /* its header, name and attributes; a cell of 8 bytes a row */
    ag_arena tables;
    ag_arena_init_growing(&tables);
    ag_layout layout = {.arena = &tables, .measuring = true};
    ag_record record = {.run = run};
    ag_trainer trainer = {.run = run, .record = &record};
    size_t rows = (size_t)ag_samples_before(run, run->train.steps);
    size_t bytes = 0;
    if (rows > 0 && lay_out_lasting(&trainer, 0, &layout) == AG_OK)
        bytes = record.samples.width * (DATASET_BYTES + rows * sizeof(double));
    ag_arena_deinit(&tables);
    return bytes;
}

/* Weights follow from the seed alone, or are handed in: either way everything else starts at zero,
 * so that a run begins with the same bits whatever the process did before. */
ag_status ag_trainer_begin(ag_trainer *trainer, const float *init)
{
    AG_TRY(ag_trainer_enter(trainer, 0));
    const ag_run *run = trainer->run;
    ag_train_state *state = &trainer->state;
    int64_t seed = run->model.init_seed < 0 ? run->seed : run->model.init_seed;
    size_t bytes = state->tensors.total * sizeof(float);
    ag_train_state_reset(state);
    trainer->record->samples.count = 0;
    trainer->keeper.count = 0;
    trainer->record->nonfinite[0] = '\0';
    if (init != NULL)
        memcpy(state->weights, init, bytes);
    else
        ag_weights_init(state->weights, &state->tensors, (uint64_t)seed);
    if (run->train.start_step > 0)
        AG_TRY(ag_trainer_take_start(trainer));
    else
        ag_optimizer_begin(state, &run->optimizer, NULL, trainer->k);
    if (trainer->initial != NULL)
        memcpy(trainer->initial, state->weights, bytes);
    return AG_OK;
}

/* Compute in float32 has no operands to quantise: a format would be ignored in silence. */
ag_status ag_trainer_init(ag_trainer *trainer, const float *init, ag_arena *arena)
{
    const ag_run *run = trainer->run;
    ag_layout layout = {.arena = arena};
    trainer->now.eval_step = -1;
    trainer->now.val_loss = trainer->now.val_loss_hp = NAN;
    trainer->now.loss = NAN;
    if (run->compute == AG_COMPUTE_FP32 &&
        (run->n_phases > 0 || is_quantised(run) || run->sites != NULL))
        return ag_fail(AG_ERR_INPUT,
                       "run %s: in float32 nothing is quantised, but a layer has a "
                       "format; use BF16 compute",
                       run->id);
    AG_TRY(lay_out_lasting(trainer, ag_val_windows(trainer->corpus, run), &layout));
    trainer->arena = arena;
    trainer->lasting = arena->used;
    AG_TRY(ag_trainer_lay_out_phase(trainer, &layout));
    trainer->n_windows = ag_eval_windows(trainer->windows, trainer->corpus, run);
    AG_TRY(ag_trainer_begin(trainer, init));
    return ag_weights_digest(trainer->record->digest_initial, &trainer->state.tensors,
                             trainer->state.weights);
}
