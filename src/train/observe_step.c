/* A sampled step: what the observer forgets before it, keeps, and fills in. */
#include <math.h>
#include <string.h>

#include "observe.h"
#include "observer.h"

void ag_observe_absent(double *row, const ag_sampled *group)
{
    for (size_t metric = 0; metric < group->n_metrics; metric++)
        row[metric] = group->metrics[metric].whole ? 0.0 : NAN;
}

/* Samplers run in one of two moments: before the update they see the gradient, after it what the
 * update did. A NaN gets one sign and payload, since which one arithmetic leaves depends on the
 * processor, and results are compared by their bytes. */
static void fill(const ag_trainer *trainer, ag_when when)
{
    const ag_samples *samples = &trainer->record->samples;
    double *values = samples->values + (size_t)samples->count * samples->width;
    for (size_t i = 0; i < samples->n_groups; i++) {
        const ag_subject *subject = &trainer->observer->subjects[i];
        const ag_sampled *group = &samples->groups[i];
        double *row = values + group->column;
        if (subject->sampler == NULL)
            ag_observe_absent(row, group);
        if (subject->sampler == NULL || subject->sampler->when != when)
            continue;
        subject->sampler->fill(row, trainer, subject->index);
        for (size_t metric = 0; metric < group->n_metrics; metric++)
            row[metric] = isnan(row[metric]) ? NAN : row[metric]; /* of one sign and payload */
    }
}

/* What micro-batches add up begins at nothing; a maximum at minus infinity. */
static void forget_forward(ag_observer *observer, const ag_model *model)
{
    observer->tokens = 0.0;
    observer->logits = (ag_logits_seen){0};
    observer->noise = (ag_noise_seen){0};
    for (size_t i = 0; observer->residual != NULL && i < 2 * model->L; i++)
        observer->residual[i] = 0.0;
    for (size_t i = 0; observer->attn != NULL && i < model->L; i++) {
        ag_attn_seen *seen = &observer->attn[i];
        seen->logit_max = -INFINITY;
        seen->sequences = 0.0;
        memset(seen->entropy, 0, model->H * sizeof *seen->entropy);
    }
}

/* The first value that is not finite is looked for until one is found, then never again: what
 * follows it is its consequence. */
void ag_observe_begin(ag_trainer *trainer)
{
    ag_observer *observer = trainer->observer;
    observer->step = trainer->state.step;
    observer->found = trainer->record->nonfinite;
    observer->sampling = ag_samples_due(trainer->run, trainer->state.step);
    observer->probing = observer->sampling && ag_observes(trainer->run, AG_OBSERVE_NONFINITE) &&
                        trainer->record->nonfinite[0] == '\0';
    if (!observer->sampling)
        return;
    for (size_t i = 0; i < observer->n_watches; i++) {
        ag_counters_reset(&observer->watches[i].counters);
        observer->watches[i].moments = (ag_moments){0};
    }
    forget_forward(observer, &trainer->model);
}

/* NULL in most steps: then a pass asks nothing and costs nothing. */
ag_observer *ag_observer_at_work(const ag_trainer *trainer)
{
    ag_observer *observer = trainer->observer;
    return observer->sampling || observer->probing ? observer : NULL;
}

/* Of the moment before the update, for samplers that compare with it. */
static void keep_weights(const ag_trainer *trainer)
{
    const ag_observer *observer = trainer->observer;
    for (size_t i = 0; observer->codes != NULL && i < observer->n_layers; i++)
        ag_observe_codes(observer, i);
    memcpy(observer->before, trainer->state.weights,
           trainer->state.tensors.total * sizeof *observer->before);
}

/* Other gradients take the place of the run's for a while. */
static void look_further(ag_trainer *trainer)
{
    const ag_observer *observer = trainer->observer;
    if (observer->direction != NULL)
        ag_observe_sharpness(trainer);
    if (ag_observes(trainer->run, AG_OBSERVE_GRAD))
        ag_trainer_gradients(trainer, AG_MODE_SHADOW); /* without any rounding */
}

/* Between backward and update. The gradient is kept aside and put back, since look_further computes
 * others in its place: sampling changes no bit of the run. */
void ag_observe_gradient(ag_trainer *trainer)
{
    ag_observer *observer = trainer->observer;
    float *grads = trainer->model.grads;
    size_t total = trainer->state.tensors.total;
    size_t bytes = total * sizeof *grads;
    if (!observer->sampling)
        return;
    if (observer->before != NULL)
        keep_weights(trainer);
    if (observer->part != NULL)
        observer->noise.big = trainer->k->sum_squares(grads, total);
    if (observer->gradient != NULL)
        memcpy(observer->gradient, grads, bytes);
    look_further(trainer);
    fill(trainer, AG_BEFORE_UPDATE);
    if (observer->gradient != NULL)
        memcpy(trainer->model.grads, observer->gradient, bytes);
    if (observer->last != NULL)
        memcpy(observer->last, trainer->state.weights, bytes);
}

/* The weights' new values on their grid, as the next step will use them. */
static void make_weights(ag_trainer *trainer)
{
    ag_pass pass = ag_trainer_pass(trainer, AG_MODE_TRAIN, trainer->model.B, 0);
    pass.observer = NULL;
    for (size_t i = 0; i < trainer->observer->n_layers; i++)
        ag_linear_prepare(trainer->observer->linears[i], &pass);
}

/* After the update. The sample bears the number of the step that was taken, which the counter has
 * passed by now. */
void ag_observe_update(ag_trainer *trainer)
{
    ag_observer *observer = trainer->observer;
    ag_samples *samples = &trainer->record->samples;
    if (!observer->sampling)
        return;
    if (observer->codes != NULL)
        make_weights(trainer);
    fill(trainer, AG_AFTER_UPDATE);
    samples->step[samples->count++] = trainer->state.step - 1;
    observer->sampling = observer->probing = false;
}

/* After a loss or gradient that is not finite: the step is computed once more, with a look at every
 * tensor on the way, to say where it began. */
void ag_observe_failure(ag_trainer *trainer)
{
    if (trainer->record->nonfinite[0] != '\0')
        return;
    bool sampling = trainer->observer->sampling;
    trainer->observer->sampling = false;
    trainer->observer->probing = true;
    ag_trainer_gradients(trainer, AG_MODE_TRAIN);
    trainer->observer->probing = false;
    trainer->observer->sampling = sampling;
}

/* --- in a checkpoint */

/* Only `last` outlives a step: the change since the previous sample has to be that of a run without
 * a stop. */
size_t ag_observer_sections(ag_section sections[AG_OBSERVER_SECTIONS], const ag_trainer *trainer)
{
    float *last = trainer->observer->last;
    sections[0] = (ag_section){"last_weights", last, trainer->state.tensors.total * sizeof *last};
    return last != NULL ? 1 : 0;
}
