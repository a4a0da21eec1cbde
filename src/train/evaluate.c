/* Validation losses: with the run's own quantisers, and of the same weights with every role null.
 * Evaluation reads the state and changes none of it. */
#include <string.h>

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

/* The mean losses of a list, with the run's quantisers and without; those of each window go to the
 * record. */
static ag_status evaluate(ag_trainer *trainer, const window_list *list, double means[2])
{
    ag_record *record = trainer->record;
    double start_s = ag_clock_s();
    trainer->now.activity = AG_ACTIVITY_EVALUATING;
    AG_TRY(window_losses(trainer, record->final_windows, list, AG_MODE_EVALUATE));
    if (trainer->quantised)
        AG_TRY(window_losses(trainer, record->final_windows_hp, list, AG_MODE_EVALUATE_HP));
    else
        memcpy(record->final_windows_hp, record->final_windows,
               (size_t)list->count * sizeof *record->final_windows);
    means[0] = mean(record->final_windows, list->count);
    means[1] = mean(record->final_windows_hp, list->count);
    record->timing.eval_s += ag_clock_s() - start_s;
    trainer->now.activity = AG_ACTIVITY_TRAINING;
    return AG_OK;
}

static void add_point(ag_trainer *trainer, const double means[2])
{
    ag_record *record = trainer->record;
    record->eval_step[record->evals] = trainer->state.step;
    record->val_loss[record->evals] = means[0];
    record->val_loss_hp[record->evals] = means[1];
    record->evals++;
    trainer->now.eval_step = trainer->state.step;
    trainer->now.val_loss = means[0];
    trainer->now.val_loss_hp = means[1];
}

ag_status ag_evaluate_periodic(ag_trainer *trainer)
{
    double means[2];
    AG_TRY(evaluate(trainer, &(window_list){trainer->windows, trainer->n_windows}, means));
    add_point(trainer, means);
    return AG_OK;
}

/* The point is added last: a checkpoint that is written meanwhile shows the run before it. */
ag_status ag_evaluate_final(ag_trainer *trainer)
{
    ag_record *record = trainer->record;
    double fixed[2];
    double all[2];
    AG_TRY(evaluate(trainer, &(window_list){trainer->windows, trainer->n_windows}, fixed));
    memcpy(all, fixed, sizeof all);
    if (trainer->n_windows < record->windows) /* else the fixed windows are all there are */
        AG_TRY(evaluate(trainer, &(window_list){NULL, record->windows}, all));
    add_point(trainer, fixed);
    record->final_val_loss = all[0];
    record->final_val_loss_hp = all[1];
    return AG_OK;
}
