/* The observer's memory and its rows: which groups a run samples, and when they are filled in. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "observe.h"
#include "observer.h"

bool ag_observes(const ag_run *run, ag_diagnostic diagnostic)
{
    return (run->observe.diagnostics >> diagnostic & 1) != 0;
}

/* --- the groups of the samples */

static void add_group(ag_trainer *trainer, const ag_sampler *sampler, size_t index,
                      const char *layer, const char *operand)
{
    ag_samples *samples = &trainer->record->samples;
    ag_sampled *group = &samples->groups[samples->n_groups];
    *group = (ag_sampled){
        .metrics = sampler->metrics, .n_metrics = sampler->n_metrics, .column = samples->width};
    snprintf(group->path, sizeof group->path, "%s/%s%s%s", sampler->folder, layer,
             operand[0] != '\0' ? "/" : "", operand);
    trainer->observer->subjects[samples->n_groups++] = (ag_subject){sampler, index};
    samples->width += sampler->n_metrics;
}

/* Counts an operand; `name` is its group's below that of its layer or site. */
static void add_operand(ag_trainer *trainer, ag_operand *operand, size_t watch, const char *name)
{
    if (!operand->scheme->quantised)
        return;
    operand->watch = &trainer->observer->watches[watch];
    operand->watch->counted = true;
    add_group(trainer, &ag_sampler_quant, watch, operand->layer, name);
}

/* One group an operand; one, a group a product, where a tensor is quantised twice. */
static void add_operands(ag_trainer *trainer, size_t layer)
{
    ag_linear *linear = trainer->observer->linears[layer];
    for (size_t i = 0; i < AG_OPERANDS_PER_LAYER; i++) {
        size_t role = i / AG_USES;
        size_t use = i % AG_USES;
        int copies = linear->copies[role];
        if ((int)use < copies)
            add_operand(trainer, &linear->operands[role][use], layer * AG_OPERANDS_PER_LAYER + i,
                        copies == 1 ? ag_role_words[role] : ag_use_words[role][use]);
    }
}

static void add_sites(ag_trainer *trainer)
{
    size_t watch = trainer->observer->n_layers * AG_OPERANDS_PER_LAYER;
    for (size_t i = 0; i < trainer->model.n_sites; i++) {
        ag_site_operands *tensor = &trainer->model.sites[i];
        for (int use = 0; use < tensor->copies; use++, watch++) {
            ag_operand *operand = &tensor->operands[use];
            add_operand(trainer, operand, watch, operand->role);
        }
    }
}

static void watch_operands(ag_trainer *trainer, size_t layer)
{
    ag_linear *linear = trainer->observer->linears[layer];
    ag_watch *watches = trainer->observer->watches + layer * AG_OPERANDS_PER_LAYER;
    for (size_t i = 0; i < AG_OPERANDS_PER_LAYER; i++)
        linear->operands[i / AG_USES][i % AG_USES].watch = &watches[i];
    if (ag_observes(trainer->run, AG_OBSERVE_KURTOSIS) || ag_observes(trainer->run, AG_OBSERVE_RMS))
        watches[(size_t)AG_ROLE_INPUT * AG_USES].measured = true;
    if (ag_observes(trainer->run, AG_OBSERVE_GRAD))
        watches[(size_t)AG_ROLE_GRAD_OUTPUT * AG_USES].counted = true;
}

/* What a diagnostic has groups of samples for, one each. */
typedef enum subjects { LAYERS, BLOCKS, RESIDUALS, TENSORS, HEAD } subjects;

static const struct {
    ag_diagnostic diagnostic;
    subjects of;
    const ag_sampler *sampler;
} s_sampled[] = {
    {AG_OBSERVE_FLIPS,           LAYERS,    &ag_sampler_flips          },
    {AG_OBSERVE_GRAD,            LAYERS,    &ag_sampler_grad           },
    {AG_OBSERVE_GRID,            LAYERS,    &ag_sampler_grid           },
    {AG_OBSERVE_RANK,            LAYERS,    &ag_sampler_rank           },
    {AG_OBSERVE_KURTOSIS,        LAYERS,    &ag_sampler_kurtosis       },
    {AG_OBSERVE_ATTN,            BLOCKS,    &ag_sampler_attn           },
    {AG_OBSERVE_LOGITS,          HEAD,      &ag_sampler_logits         },
    {AG_OBSERVE_LOGIT_SHARPNESS, HEAD,      &ag_sampler_logit_sharpness},
    {AG_OBSERVE_RMS,             LAYERS,    &ag_sampler_rms_input      },
    {AG_OBSERVE_RMS,             RESIDUALS, &ag_sampler_rms_residual   },
    {AG_OBSERVE_RMS,             TENSORS,   &ag_sampler_rms_tensor     },
};

enum { SAMPLED = sizeof s_sampled / sizeof s_sampled[0], NAME_SIZE = 64 /* ag_tensor's */ };

static size_t count_of(const ag_trainer *trainer, subjects of)
{
    switch (of) {
    case LAYERS:
        return ag_layer_count(&trainer->run->model);
    case BLOCKS:
        return trainer->model.L;
    case RESIDUALS:
        return 2 * trainer->model.L;
    case TENSORS:
        return trainer->state.tensors.count;
    case HEAD:
        break;
    }
    return 1;
}

static void name_of(char name[NAME_SIZE], const ag_trainer *trainer, subjects of, size_t index)
{
    static const char *const after[] = {"attn", "mlp"};
    switch (of) {
    case LAYERS:
        snprintf(name, NAME_SIZE, "%s", trainer->observer->linears[index]->layer.name);
        break;
    case BLOCKS:
        snprintf(name, NAME_SIZE, "transformer.h.%zu.attn", index);
        break;
    case RESIDUALS:
        snprintf(name, NAME_SIZE, "transformer.h.%zu.residual.%s", index / 2, after[index % 2]);
        break;
    case TENSORS:
        snprintf(name, NAME_SIZE, "%s", trainer->state.tensors.rows[index].name);
        break;
    case HEAD:
        snprintf(name, NAME_SIZE, "lm_head");
        break;
    }
}

static size_t most_groups(const ag_trainer *trainer, size_t operands)
{
    size_t most = operands;
    for (size_t i = 0; i < SAMPLED; i++)
        most += count_of(trainer, s_sampled[i].of);
    return most;
}

static void add_groups(ag_trainer *trainer)
{
    const ag_observer *observer = trainer->observer;
    char name[NAME_SIZE];
    for (size_t layer = 0; layer < observer->n_layers; layer++) {
        watch_operands(trainer, layer);
        if (ag_observes(trainer->run, AG_OBSERVE_QUANT))
            add_operands(trainer, layer);
    }
    if (ag_observes(trainer->run, AG_OBSERVE_QUANT))
        add_sites(trainer);
    for (size_t i = 0; i < SAMPLED; i++) {
        size_t count = count_of(trainer, s_sampled[i].of);
        for (size_t j = 0; ag_observes(trainer->run, s_sampled[i].diagnostic) && j < count; j++) {
            name_of(name, trainer, s_sampled[i].of, j);
            add_group(trainer, s_sampled[i].sampler, j, name, "");
        }
    }
}

/* --- memory */

static void find_linears(ag_observer *observer, ag_model *model)
{
    for (size_t i = 0; i < observer->n_layers; i++)
        observer->linears[i] = ag_model_linear(model, i);
}

static size_t max_size(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Elements of the largest matrix that an operand is made from: of tokens, weights or one head. */
static size_t largest_operand(const ag_observer *observer, const ag_model *model)
{
    size_t most = model->T * max_size(model->T, model->D);
    for (size_t i = 0; i < observer->n_layers; i++) {
        const ag_layer *layer = &observer->linears[i]->layer;
        size_t widest = max_size(layer->inputs, layer->outputs);
        most =
            max_size(most, max_size(model->B * model->T * widest, layer->inputs * layer->outputs));
    }
    return most;
}

static size_t all_weights(const ag_observer *observer)
{
    size_t count = 0;
    for (size_t i = 0; i < observer->n_layers; i++)
        count += observer->linears[i]->layer.outputs * observer->linears[i]->layer.inputs;
    return count;
}

static double *lay_out_singular(const ag_observer *observer, ag_layout *layout)
{
    size_t most = 0;
    for (size_t i = 0; i < observer->n_layers; i++) {
        const ag_layer *layer = &observer->linears[i]->layer;
        size_t shorter = layer->outputs < layer->inputs ? layer->outputs : layer->inputs;
        size_t size = shorter + ag_singular_scratch(layer->outputs, layer->inputs);
        most = max_size(most, size);
    }
    return ag_layout_bytes(layout, most * sizeof(double));
}

/* What a forward pass is asked for. */
static void lay_out_forward(ag_trainer *trainer, ag_layout *layout)
{
    const ag_run *run = trainer->run;
    const ag_model *model = &trainer->model;
    ag_observer *observer = trainer->observer;
    if (ag_observes(run, AG_OBSERVE_RMS))
        observer->residual = ag_layout_bytes(layout, 2 * model->L * sizeof *observer->residual);
    if (!ag_observes(run, AG_OBSERVE_ATTN))
        return;
    observer->attn = ag_layout_table(layout, model->L * sizeof *observer->attn);
    observer->heads = ag_layout_bytes(layout, model->B * model->H * sizeof *observer->heads);
    for (size_t i = 0; observer->attn != NULL && i < model->L; i++)
        observer->attn[i].entropy = ag_layout_bytes(layout, model->H * sizeof(double));
}

static void lay_out_arrays(ag_trainer *trainer, ag_layout *layout)
{
    const ag_run *run = trainer->run;
    ag_observer *observer = trainer->observer;
    size_t total = trainer->state.tensors.total;
    if (ag_observes(run, AG_OBSERVE_QUANT) || ag_observes(run, AG_OBSERVE_GRAD))
        observer->copy = ag_layout_floats(layout, largest_operand(observer, &trainer->model));
    if (ag_observes(run, AG_OBSERVE_GRAD))
        observer->gradient = ag_layout_floats(layout, total);
    if (ag_observes(run, AG_OBSERVE_FLIPS))
        observer->codes = ag_layout_floats(layout, all_weights(observer));
    if (ag_observes(run, AG_OBSERVE_FLIPS) || ag_observes(run, AG_OBSERVE_RMS))
        observer->before = ag_layout_floats(layout, total);
    if (ag_observes(run, AG_OBSERVE_GRID))
        observer->last = ag_layout_floats(layout, total);
    observer->scales.scale = ag_layout_floats(layout, trainer->model.n_groups);
    observer->scales.after = ag_layout_floats(layout, trainer->model.n_groups);
    observer->scales.factors = ag_layout_floats(layout, trainer->model.n_groups);
    if (ag_observes(run, AG_OBSERVE_RANK))
        observer->singular = lay_out_singular(observer, layout);
}

static void lay_out_samples(ag_trainer *trainer, ag_layout *layout)
{
    ag_samples *samples = &trainer->record->samples;
    size_t rows = (size_t)ag_samples_before(trainer->run, trainer->run->train.steps);
    samples->step = ag_layout_bytes(layout, rows * sizeof *samples->step);
    samples->values = ag_layout_bytes(layout, rows * samples->width * sizeof *samples->values);
}

ag_status ag_observer_lay_out(ag_trainer *trainer, ag_layout *layout)
{
    ag_observer *observer = ag_layout_table(layout, sizeof *observer);
    size_t layers = ag_layer_count(&trainer->run->model);
    size_t operands = layers * AG_OPERANDS_PER_LAYER + trainer->model.n_sites * AG_USES;
    size_t most = most_groups(trainer, operands);
    trainer->observer = observer;
    if (observer == NULL || trainer->run->observe.diagnostics == 0)
        return AG_OK;
    bool bf16 = trainer->run->compute == AG_COMPUTE_BF16;
    AG_TRY(ag_format_parse(&observer->null, bf16 ? "bf16" : "fp32"));
    observer->n_layers = layers;
    observer->linears = ag_layout_table(layout, layers * sizeof(void *));
    observer->n_watches = operands;
    observer->watches = ag_layout_table(layout, operands * sizeof *observer->watches);
    observer->subjects = ag_layout_table(layout, most * sizeof *observer->subjects);
    trainer->record->samples.groups = ag_layout_table(layout, most * sizeof(ag_sampled));
    if (layout->failed)
        return AG_OK; /* the caller tells */
    find_linears(observer, &trainer->model);
    add_groups(trainer);
    lay_out_arrays(trainer, layout);
    lay_out_forward(trainer, layout);
    lay_out_samples(trainer, layout);
    return AG_OK;
}

/* --- a step */

static void fill(const ag_trainer *trainer, ag_when when)
{
    const ag_samples *samples = &trainer->record->samples;
    double *values = samples->values + (size_t)samples->count * samples->width;
    for (size_t i = 0; i < samples->n_groups; i++) {
        const ag_subject *subject = &trainer->observer->subjects[i];
        const ag_sampled *group = &samples->groups[i];
        double *row = values + group->column;
        if (subject->sampler->when != when)
            continue;
        subject->sampler->fill(row, trainer, subject->index);
        for (size_t metric = 0; metric < group->n_metrics; metric++)
            row[metric] = isnan(row[metric]) ? NAN : row[metric]; /* of one sign and payload */
    }
}

static void forget_forward(ag_observer *observer, const ag_model *model)
{
    observer->tokens = 0.0;
    observer->logits = (ag_logits_seen){0};
    for (size_t i = 0; observer->residual != NULL && i < 2 * model->L; i++)
        observer->residual[i] = 0.0;
    for (size_t i = 0; observer->attn != NULL && i < model->L; i++) {
        ag_attn_seen *seen = &observer->attn[i];
        seen->logit_max = -INFINITY;
        seen->sequences = 0.0;
        memset(seen->entropy, 0, model->H * sizeof *seen->entropy);
    }
}

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

ag_observer *ag_observer_at_work(const ag_trainer *trainer)
{
    ag_observer *observer = trainer->observer;
    return observer->sampling || observer->probing ? observer : NULL;
}

static void keep_weights(const ag_trainer *trainer)
{
    const ag_observer *observer = trainer->observer;
    for (size_t i = 0; observer->codes != NULL && i < observer->n_layers; i++)
        ag_observe_codes(observer, i);
    memcpy(observer->before, trainer->state.weights,
           trainer->state.tensors.total * sizeof *observer->before);
}

void ag_observe_gradient(ag_trainer *trainer)
{
    ag_observer *observer = trainer->observer;
    size_t bytes = trainer->state.tensors.total * sizeof(float);
    if (!observer->sampling)
        return;
    if (observer->before != NULL)
        keep_weights(trainer);
    if (observer->gradient != NULL)
        ag_observe_shadow(trainer);
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

size_t ag_observer_sections(ag_section sections[AG_OBSERVER_SECTIONS], const ag_trainer *trainer)
{
    float *last = trainer->observer->last;
    sections[0] = (ag_section){"last_weights", last, trainer->state.tensors.total * sizeof *last};
    return last != NULL ? 1 : 0;
}
