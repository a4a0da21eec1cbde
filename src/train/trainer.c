/* Training as a recipe: seed -> weights -> steps (batch, forward, backward, update) -> record. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/philox.h"
#include "data/batch.h"
#include "keep.h"
#include "next_phase.h"
#include "observe.h"
#include "optimizer.h"
#include "resume.h"
#include "snapshot.h"
#include "trainer.h"

/* --- one step */

static double sum_of(const float *losses, size_t count)
{
    double sum = 0.0;
    for (size_t i = 0; i < count; i++)
        sum += (double)losses[i];
    return sum;
}

/* What one of N ranks does of a step: its share of every micro-batch, as a batch of its own.
 * Returns the sum of the losses. */
static double rank_gradients(ag_trainer *trainer, ag_mode mode, size_t rank, size_t N)
{
    const ag_train_spec *train = &trainer->run->train;
    ag_model *model = &trainer->model;
    size_t B = (size_t)train->batch_size / N;
    size_t first = rank * B * model->T;
    ag_tokens tokens = {trainer->tokens.inputs + first, trainer->tokens.targets + first};
    double loss = 0.0;
    ag_model_clear_gradients(model);
    for (int64_t micro = 0; micro < train->grad_accum; micro++) {
        uint64_t sample = ((uint64_t)micro * N + rank) * B;
        ag_pass pass = ag_trainer_pass(trainer, mode, B, sample);
        ag_batch_train(trainer->tokens.inputs, trainer->tokens.targets, trainer->corpus,
                       trainer->run, trainer->state.step, micro);
        ag_model_forward(model, &tokens, &pass);
        if (pass.observer != NULL)
            ag_observe_forward(trainer, &tokens, &pass);
        ag_model_backward(model, &tokens, &pass);
        if (pass.observer != NULL)
            ag_observe_backward(trainer, &pass);
        loss += sum_of(model->losses, B * model->T);
    }
    return loss;
}

/* model.grads from all of trainer->rank_grads. */
static void reduce_gradients(ag_trainer *trainer)
{
    float **parts = trainer->rank_parts;
    const ag_tensor_table *tensors = &trainer->state.tensors;
    for (size_t i = 0; i < tensors->count; i++) {
        const ag_tensor *tensor = &tensors->rows[i];
        for (size_t r = 0; r < trainer->reduction.ranks; r++)
            parts[r] = trainer->rank_grads[r] + tensor->offset;
        ag_reduce(trainer->model.grads + tensor->offset, parts, tensor->count, &trainer->reduction,
                  trainer->k);
    }
}

/* Without any rounding, ranks would make no difference: the shadow has none. */
double ag_trainer_gradients(ag_trainer *trainer, ag_mode mode)
{
    const ag_train_spec *train = &trainer->run->train;
    ag_model *model = &trainer->model;
    size_t N = mode == AG_MODE_TRAIN ? trainer->reduction.ranks : 1;
    double loss = 0.0;
    trainer->rank_grads[trainer->reduction.ranks - 1] = model->grads;
    for (size_t rank = 0; rank < N; rank++) {
        loss += rank_gradients(trainer, mode, rank, N);
        if (rank + 1 < N) {
            memcpy(trainer->rank_grads[rank], model->grads,
                   trainer->state.tensors.total * sizeof(float));
            ag_model_end_rank(model);
        }
    }
    if (N > 1)
        reduce_gradients(trainer);
    return loss / (double)(train->grad_accum * train->batch_size * (int64_t)model->T);
}

__attribute__((format(printf, 2, 3))) static void diverge(ag_record *record, const char *format,
                                                          ...)
{
    va_list arguments;
    va_start(arguments, format);
    record->outcome = AG_OUTCOME_DIVERGED;
    vsnprintf(record->reason, sizeof record->reason, format, arguments);
    va_end(arguments);
}

/* Decides whether the run ends with the step just recorded. */
static void judge(ag_record *record, const ag_stop_spec *stop, int64_t step)
{
    double loss = record->loss[step];
    if (record->skipped[step] && stop->on_nonfinite == AG_ON_NONFINITE_STOP)
        diverge(record, "the %s of step %lld is not finite%s%s",
                isfinite(loss) ? "gradient norm" : "loss", (long long)step,
                record->nonfinite[0] != '\0' ? "; the first is " : "", record->nonfinite);
    else if (stop->loss_ratio > 0.0 && loss > stop->loss_ratio * record->loss[0])
        diverge(record, "the loss of step %lld, %.4g, is above %g times that of step 0, %.4g",
                (long long)step, loss, stop->loss_ratio, record->loss[0]);
}

static void update_weights(ag_trainer *trainer, ag_update update)
{
    ag_pass pass = ag_trainer_pass(trainer, AG_MODE_TRAIN, 1, 0);
    update.pass = &pass;
    ag_optimizer_step(&trainer->state, &trainer->run->optimizer, &update, trainer->k);
    ag_model_store_moments(&trainer->model, &pass);
}

void ag_trainer_step(ag_trainer *trainer)
{
    const ag_run *run = trainer->run;
    ag_record *record = trainer->record;
    ag_train_state *state = &trainer->state;
    int64_t step = state->step;
    double start_s = ag_clock_s();

    double lr = ag_schedule_lr(&run->optimizer, run->train.steps, step);
    ag_observe_begin(trainer);
    double loss = ag_trainer_gradients(trainer, AG_MODE_TRAIN);
    double norm = ag_grad_norm(trainer->model.grads, state->tensors.total, trainer->k);
    double factor = ag_clip_factor(norm, run->optimizer.grad_clip);
    bool skipped = !isfinite(loss) || !isfinite(norm);
    uint64_t key = ag_stream_key((uint64_t)run->seed, AG_STREAM_ROUNDING);
    ag_update update = {.grads = trainer->model.grads,
                        .lr = lr,
                        .adamw_lr = ag_schedule_adamw_lr(&run->optimizer, run->train.steps, step),
                        .grad_scale = factor,
                        .rounding_key = key};
    if (skipped)
        ag_observe_failure(trainer);
    ag_observe_gradient(trainer);
    if (!skipped)
        update_weights(trainer, update);
    ag_model_end_step(&trainer->model);
    state->step++;
    ag_observe_update(trainer);

    record->loss[step] = loss;
    record->grad_norm[step] = norm;
    record->lr[step] = lr;
    record->clipped[step] = !skipped && factor < 1.0;
    record->skipped[step] = skipped;
    record->steps = state->step;
    judge(record, &run->stop, step);
    trainer->now.step = state->step;
    trainer->now.loss = loss;
    record->timing.train_s += ag_clock_s() - start_s;
}

ag_pass ag_trainer_pass(const ag_trainer *trainer, ag_mode mode, size_t B, uint64_t sample)
{
    const ag_run *run = trainer->run;
    uint64_t seed = (uint64_t)run->seed;
    bool trains = mode == AG_MODE_TRAIN || mode == AG_MODE_SHADOW;
    size_t step_tokens =
        (size_t)run->train.grad_accum * (size_t)run->train.batch_size * trainer->model.T;
    return (ag_pass){
        .mode = mode,
        .B = B,
        .sample = sample,
        .step = (uint32_t)trainer->state.step,
        .rounding_key = ag_stream_key(seed, AG_STREAM_ROUNDING),
        .dropout_key = ag_stream_key(seed, AG_STREAM_DROPOUT),
        .dropout = trains ? (float)run->model.dropout : 0.0f,
        .loss_scale = (float)(1.0 / (double)step_tokens),
        .observer = mode == AG_MODE_TRAIN ? ag_observer_at_work(trainer) : NULL,
    };
}

void ag_trainer_say(const ag_trainer *trainer, ag_log_level level, const char *format, ...)
{
    char line[2560];
    va_list arguments;
    if (trainer->hooks == NULL || trainer->hooks->say == NULL)
        return;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    trainer->hooks->say(trainer->hooks->context, level, line);
}

ag_status ag_trainer_report(ag_trainer *trainer)
{
    const ag_train_hooks *hooks = trainer->hooks;
    if (hooks == NULL)
        return AG_OK;
    if (hooks->progress != NULL)
        hooks->progress(hooks->context, &trainer->now);
    bool stop = hooks->should_stop != NULL && hooks->should_stop(hooks->context);
    if (stop || ag_trainer_must_save(trainer))
        ag_trainer_save(trainer);
    if (stop)
        return ag_fail(AG_ERR_SYSTEM, "stopped after %lld of %lld steps",
                       (long long)trainer->state.step, (long long)trainer->run->train.steps);
    return AG_OK;
}

/* --- the whole run */

static bool is_evaluation_due(const ag_run *run, int64_t step)
{
    return run->eval.every > 0 && step % run->eval.every == 0;
}

static ag_status finish_record(ag_trainer *trainer)
{
    ag_record *record = trainer->record;
    const ag_train_spec *train = &trainer->run->train;
    double tokens = (double)(record->steps - train->start_step) * (double)train->batch_size *
                    (double)train->grad_accum * (double)trainer->model.T;
    record->tensors = trainer->state.tensors;
    record->weights = trainer->state.weights;
    record->weights_initial = trainer->initial;
    record->n_states = trainer->keeper.count;
    record->states = trainer->keeper.states;
    record->entropy_rate = trainer->corpus->entropy_rate;
    record->timing.total_s = record->timing.train_s + record->timing.eval_s;
    record->timing.tokens_per_s = tokens > 0.0 ? tokens / record->timing.train_s : 0.0;
    return ag_weights_digest(record->digest, &record->tensors, record->weights);
}

ag_status ag_train(ag_record *record, const ag_run *run, const ag_corpus *corpus, const float *init,
                   const ag_kernels *kernels, const ag_train_hooks *hooks, ag_arena *arena)
{
    ag_trainer trainer = {
        .run = run, .corpus = corpus, .k = kernels, .hooks = hooks, .record = record};
    AG_TRY(ag_trainer_init(&trainer, init, arena));
    AG_TRY(ag_trainer_resume(&trainer, init));
    while (trainer.state.step < run->train.steps && record->outcome == AG_OUTCOME_DONE) {
        if (is_evaluation_due(run, trainer.state.step))
            AG_TRY(ag_evaluate_periodic(&trainer));
        ag_trainer_step(&trainer);
        ag_keep_state(&trainer);
        ag_snapshot_keep(&trainer);
        AG_TRY(ag_trainer_follow(&trainer));
        AG_TRY(ag_trainer_report(&trainer));
    }
    AG_TRY(ag_evaluate_final(&trainer));
    ag_record_judge(record);
    return finish_record(&trainer);
}
