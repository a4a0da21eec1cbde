/* Validation losses: with the run's own quantisers, and of the same weights with every role null.
 * Evaluation reads the state and changes none of it. */
#include "base/clock.h"
#include "data/batch.h"
#include "trainer.h"

/* The windows of an evaluation: `fixed` ones, or all from 0 on where that is NULL. */
typedef struct window_list {
    const int64_t *fixed;
    int64_t count;
} window_list;

static double mean(const double *x, int64_t count)
{
    double sum = 0.0;
    for (int64_t i = 0; i < count; i++)
        sum += x[i];
    return sum / (double)count;
}

/* losses [B]: the mean over the T tokens of each window of a batch. */
static void batch_losses(ag_trainer *trainer, double *losses, const ag_pass *pass)
{
    ag_model *model = &trainer->model;
    ag_model_forward(model, &trainer->tokens, pass);
    ag_model_losses(model, &trainer->tokens, pass);
    for (size_t b = 0; b < pass->B; b++) {
        double sum = 0.0;
        for (size_t t = 0; t < model->T; t++)
            sum += (double)model->losses[b * model->T + t];
        losses[b] = sum / (double)model->T;
    }
}

/* losses [list->count], one a window. */
static ag_status window_losses(ag_trainer *trainer, double *losses, const window_list *list,
                               ag_mode mode)
{
    const ag_run *run = trainer->run;
    for (int64_t first = 0; first < list->count; first += run->eval.batch) {
        int64_t left = list->count - first;
        int64_t count = left < run->eval.batch ? left : run->eval.batch;
        for (int64_t i = 0; i < count; i++)
            trainer->batch[i] = list->fixed == NULL ? first + i : list->fixed[first + i];
        ag_batch_val(trainer->tokens.inputs, trainer->tokens.targets, trainer->corpus, run,
                     trainer->batch, count);
        ag_pass pass = ag_trainer_pass(trainer, mode, (size_t)count, (uint64_t)first);
        batch_losses(trainer, losses + first, &pass);
        AG_TRY(ag_trainer_report(trainer));
    }
    return AG_OK;
}

static ag_status evaluate(ag_trainer *trainer, const window_list *list)
{
    ag_record *record = trainer->record;
    double start_s = ag_clock_s();
    trainer->now.phase = AG_PHASE_EVALUATING;
    AG_TRY(window_losses(trainer, record->final_windows, list, AG_MODE_EVALUATE));
    double val_loss = mean(record->final_windows, list->count);
    double val_loss_hp = val_loss;
    if (trainer->quantised) {
        AG_TRY(window_losses(trainer, record->final_windows_hp, list, AG_MODE_EVALUATE_HP));
        val_loss_hp = mean(record->final_windows_hp, list->count);
    } else {
        for (int64_t i = 0; i < list->count; i++)
            record->final_windows_hp[i] = record->final_windows[i];
    }
    record->eval_step[record->evals] = trainer->state.step;
    record->val_loss[record->evals] = val_loss;
    record->val_loss_hp[record->evals] = val_loss_hp;
    record->evals++;
    record->timing.eval_s += ag_clock_s() - start_s;
    trainer->now.eval_step = trainer->state.step;
    trainer->now.val_loss = val_loss;
    trainer->now.val_loss_hp = val_loss_hp;
    trainer->now.phase = AG_PHASE_TRAINING;
    return AG_OK;
}

ag_status ag_evaluate_periodic(ag_trainer *trainer)
{
    return evaluate(trainer, &(window_list){trainer->windows, trainer->n_windows});
}

ag_status ag_evaluate_final(ag_trainer *trainer)
{
    return evaluate(trainer, &(window_list){NULL, trainer->record->windows});
}
