/* What a forward pass leaves in the model's buffers: attention, the residual stream, the logits.
 * Sums go over the step's micro-batches. */
#include <math.h>

#include "base/maths.h"
#include "observe.h"
#include "observer.h"

/* --- the residual stream */

static void see_residual(ag_observer *observer, const ag_model *model, const ag_pass *pass)
{
    size_t count = pass->B * model->T * model->C;
    for (size_t i = 0; i < 2 * model->L; i++) {
        const ag_block *block = &model->blocks[i / 2];
        observer->residual[i] +=
            model->k->sum_squares(i % 2 == 0 ? block->x_mid : block->x_end, count);
    }
}

static const ag_metric s_residual[] = {
    {"residual_rms", "1", "root mean square of the residual stream after the branch", false},
};

static void fill_residual(double *row, const ag_trainer *trainer, size_t place)
{
    double count = trainer->observer->tokens * (double)trainer->model.C;
    row[0] = sqrt(trainer->observer->residual[place] / count);
}

const ag_sampler ag_sampler_rms_residual = {AG_BEFORE_UPDATE, "diagnostics/rms", s_residual, 1,
                                            fill_residual};

/* --- the logits */

static const double s_epsilon = 1e-3;

/* With p = exp(-L), the sum of the others' exp is (1 - p) / p times the target's; it grows by
 * exp(2 epsilon) against that. */
double ag_logit_sharpness(double loss, double epsilon)
{
    double p = ag_exp(-loss);
    double rise = ag_ln(1.0 + (ag_exp(2.0 * epsilon) - 1.0) * (1.0 - p));
    return 100.0 * rise / (1.0 + loss);
}

/* The loss of a token is ln sum exp z - z of its target. */
static void see_logits(ag_observer *observer, ag_model *model, const ag_tokens *tokens,
                       const ag_pass *pass)
{
    ag_logits_seen *seen = &observer->logits;
    size_t N = pass->B * model->T;
    ag_model_losses(model, tokens, pass);
    seen->max = fmax(seen->max, (double)model->k->amax(model->logits, N * model->V));
    for (size_t i = 0; i < N; i++) {
        double loss = (double)model->losses[i];
        double logz = loss + (double)model->logits[i * model->V + (size_t)tokens->targets[i]];
        seen->logz += logz;
        seen->logz2 += logz * logz;
        seen->sharpness += ag_logit_sharpness(loss, s_epsilon);
    }
}

static const ag_metric s_logits[] = {
    {"logit_max", "1",      "largest magnitude of a logit",                             false},
    {"logz",      "nats",   "mean over the tokens of ln sum exp of the logits",         false},
    {"logz2",     "nats^2", "mean over the tokens of the square of ln sum exp of them", false},
};

static void fill_logits(double *row, const ag_trainer *trainer, size_t run)
{
    const ag_observer *observer = trainer->observer;
    (void)run;
    row[0] = observer->logits.max;
    row[1] = observer->logits.logz / observer->tokens;
    row[2] = observer->logits.logz2 / observer->tokens;
}

const ag_sampler ag_sampler_logits = {AG_BEFORE_UPDATE, "diagnostics/logits", s_logits,
                                      sizeof s_logits / sizeof s_logits[0], fill_logits};

static const ag_metric s_sharpness[] = {
    {"logit_sharpness", "1",
     "altgrad's own: mean over the tokens of 100 (L* - L) / (1 + L), L* the loss of the worst "
     "logits within 0.001", false},
};

static void fill_sharpness(double *row, const ag_trainer *trainer, size_t run)
{
    (void)run;
    row[0] = trainer->observer->logits.sharpness / trainer->observer->tokens;
}

const ag_sampler ag_sampler_logit_sharpness = {AG_BEFORE_UPDATE, "diagnostics/logit_sharpness",
                                               s_sharpness, 1, fill_sharpness};

/* --- all of it */

void ag_observe_forward(ag_trainer *trainer, const ag_tokens *tokens, const ag_pass *pass)
{
    ag_observer *observer = trainer->observer;
    const ag_run *run = trainer->run;
    if (!observer->sampling)
        return;
    observer->tokens += (double)(pass->B * trainer->model.T);
    for (size_t i = 0; observer->attn != NULL && i < trainer->model.L; i++)
        ag_observe_attention(observer, &trainer->model, i, pass);
    if (observer->residual != NULL)
        see_residual(observer, &trainer->model, pass);
    if (observer->part != NULL)
        ag_observe_noise_before(observer, trainer);
    if (ag_observes(run, AG_OBSERVE_LOGITS) || ag_observes(run, AG_OBSERVE_LOGIT_SHARPNESS))
        see_logits(observer, &trainer->model, tokens, pass);
}
