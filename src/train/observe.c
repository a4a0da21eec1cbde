/* The observer's memory and its rows: which groups a run samples. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/sizes.h"
#include "observe.h"
#include "observer.h"
#include "run/phases.h"
#include "run/sites.h"

/* Diagnostics are a set of bits, numbered by ag_diagnostic: so checkpoints can hold which ones a
 * run had. */
bool ag_observes(const ag_run *run, ag_diagnostic diagnostic)
{
    return (run->observe.diagnostics >> diagnostic & 1) != 0;
}

/* --- the groups of the samples: those of every phase, of which each fills in its own */

/* What a diagnostic has groups of samples for, one each. */
typedef enum subjects { LAYERS, BLOCKS, RESIDUALS, TENSORS, HEAD, RUN } subjects;

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
    {AG_OBSERVE_NOISE,           RUN,       &ag_sampler_noise          },
    {AG_OBSERVE_SHARPNESS,       RUN,       &ag_sampler_sharpness      },
};

/* One table for all of them: memory, paths and rows follow from it, so a diagnostic that is
 * forgotten in one place cannot be. */
enum { SAMPLED = sizeof s_sampled / sizeof s_sampled[0], NAME_SIZE = 64 /* ag_tensor's */ };

/* How many subjects of a kind the model has. It is the same in all phases: they differ in formats
 * alone. */
static size_t count_of(const ag_trainer *trainer, subjects of)
{
    switch (of) {
    case LAYERS:
        return ag_layer_count(&trainer->run->model);
    case BLOCKS:
        return (size_t)trainer->run->model.n_layer;
    case RESIDUALS:
        return 2 * (size_t)trainer->run->model.n_layer;
    case TENSORS:
        return trainer->state.tensors.count;
    case HEAD:
    case RUN:
        break;
    }
    return 1;
}

/* The name in a path of samples: that of the module in nanoGPT, so that a reader finds the weights
 * of the same name beside it. */
static void name_of(char name[NAME_SIZE], const ag_trainer *trainer, subjects of, size_t index)
{
    static const char *const after[] = {"attn", "mlp"};
    switch (of) {
    case LAYERS:
        snprintf(name, NAME_SIZE, "%s", ag_layer_at(&trainer->run->model, 1, index).name);
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
    case RUN:
        snprintf(name, NAME_SIZE, "run");
        break;
    }
}

/* A subject of a phase and its group: made where there is none yet, then looked up. */
typedef void visit_subject(ag_trainer *trainer, const ag_subject *subject, const char *path);

/* The path "quant/transformer.h.0.attn.c_attn/input" is a key of the results file: changing one
 * hides the samples of older files from whoever asks for it. */
static void visit(ag_trainer *trainer, visit_subject *tell, const ag_sampler *sampler, size_t index,
                  const char *layer, const char *operand)
{
    char path[AG_SAMPLED_PATH];
    snprintf(path, sizeof path, "%s/%s%s%s", sampler->folder, layer, operand[0] != '\0' ? "/" : "",
             operand);
    tell(trainer, &(ag_subject){sampler, index}, path);
}

/* One group an operand; one, a group a product, where a tensor is quantised twice. */
static void visit_layer(ag_trainer *trainer, visit_subject *tell, const ag_run_phase *of,
                        size_t layer)
{
    ag_run run = ag_run_in_phase(of->run, of->phase);
    ag_layer named = ag_layer_at(&run.model, run.facts.vocab_size, layer);
    for (size_t i = 0; i < AG_OPERANDS_PER_LAYER; i++) {
        size_t role = i / AG_USES;
        size_t use = i % AG_USES;
        const ag_scheme *schemes = run.layers[layer].scheme[role];
        bool shares = ag_layer_serves_both(of->run, of->phase, layer, (ag_role)role);
        if (schemes[use].quantised && !(shares && use > 0))
            visit(trainer, tell, &ag_sampler_quant, layer * AG_OPERANDS_PER_LAYER + i, named.name,
                  shares ? ag_role_words[role] : ag_use_words[role][use]);
    }
}

/* `watch` is that of the site's first operand, and becomes that behind its last. */
static void visit_site(ag_trainer *trainer, visit_subject *tell, const ag_run_phase *of,
                       size_t index, size_t *watch)
{
    ag_run run = ag_run_in_phase(of->run, of->phase);
    ag_site site = ag_site_at(&run.model, index);
    for (size_t t = 0; t < site.n_tensors; t++) {
        const ag_site_tensor *tensor = &site.tensors[t];
        const ag_scheme *schemes = run.sites[index].scheme[tensor->role];
        bool shares =
            tensor->uses[1] == NULL || ag_site_serves_both(of->run, of->phase, index, tensor->role);
        for (size_t use = 0; use < (shares ? 1 : AG_USES); use++, ++*watch) {
            if (schemes[use].quantised)
                visit(trainer, tell, &ag_sampler_quant, *watch, site.name,
                      shares ? tensor->name : tensor->uses[use]);
        }
    }
}

/* All subjects of a phase. */
static void visit_phase(ag_trainer *trainer, visit_subject *tell, size_t phase)
{
    const ag_run_phase of = {trainer->run, phase};
    const ag_run in_phase = ag_run_in_phase(trainer->run, phase);
    const ag_run *run = &in_phase;
    size_t layers = ag_layer_count(&run->model);
    size_t watch = layers * AG_OPERANDS_PER_LAYER;
    bool counts = ag_observes(run, AG_OBSERVE_QUANT);
    for (size_t layer = 0; counts && layer < layers; layer++)
        visit_layer(trainer, tell, &of, layer);
    for (size_t i = 0; counts && run->sites != NULL && i < ag_site_count(&run->model); i++)
        visit_site(trainer, tell, &of, i, &watch);
    for (size_t i = 0; i < SAMPLED; i++) {
        size_t count = count_of(trainer, s_sampled[i].of);
        for (size_t j = 0; ag_observes(run, s_sampled[i].diagnostic) && j < count; j++) {
            char name[NAME_SIZE];
            name_of(name, trainer, s_sampled[i].of, j);
            visit(trainer, tell, s_sampled[i].sampler, j, name, "");
        }
    }
}

/* The group of that path; n_groups where there is none. */
static size_t find_group(const ag_samples *samples, const char *path)
{
    size_t i = 0;
    while (i < samples->n_groups && strcmp(samples->groups[i].path, path) != 0)
        i++;
    return i;
}

/* Two phases may have the same group, which then is one column of metrics for both. */
static void add_group(ag_trainer *trainer, const ag_subject *subject, const char *path)
{
    ag_samples *samples = &trainer->record->samples;
    const ag_sampler *sampler = subject->sampler;
    size_t at = find_group(samples, path);
    if (at < samples->n_groups)
        return;
    samples->groups[samples->n_groups++] = (ag_sampled){
        .metrics = sampler->metrics, .n_metrics = sampler->n_metrics, .column = samples->width};
    snprintf(samples->groups[at].path, AG_SAMPLED_PATH, "%s", path);
    samples->width += sampler->n_metrics;
}

/* Operands are counted only where a group asks for it: counting reads every element once more. */
static void set_subject(ag_trainer *trainer, const ag_subject *subject, const char *path)
{
    ag_observer *observer = trainer->observer;
    observer->subjects[find_group(&trainer->record->samples, path)] = *subject;
    if (subject->sampler == &ag_sampler_quant)
        observer->watches[subject->index].counted = true;
}

/* --- memory */

/* Operands that a phase of the run has at most. */
static size_t most_operands(const ag_run *run)
{
    size_t sites = run->sites == NULL ? 0 : ag_site_count(&run->model) * AG_SITE_TENSORS * AG_USES;
    return ag_layer_count(&run->model) * AG_OPERANDS_PER_LAYER + sites;
}

/* Their groups in all phases together, and those of the diagnostics. */
static size_t most_groups(const ag_trainer *trainer)
{
    size_t most = 0;
    for (size_t phase = 0; phase < ag_phase_count(trainer->run); phase++) {
        ag_run one = ag_run_in_phase(trainer->run, phase);
        most += most_operands(&one);
    }
    for (size_t i = 0; i < SAMPLED; i++)
        most += count_of(trainer, s_sampled[i].of);
    return most;
}

/* Both kurtosis and the rms come from one pass over the input. `grad` needs the zeros of
 * grad_output before and after, which the counters have. */
static void watch_layer(const ag_trainer *trainer, size_t layer)
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

/* Behind those of the layers, in the order of visit_site. */
static void watch_sites(const ag_trainer *trainer)
{
    const ag_observer *observer = trainer->observer;
    size_t watch = observer->n_layers * AG_OPERANDS_PER_LAYER;
    for (size_t i = 0; i < trainer->model.n_sites; i++) {
        ag_site_operands *tensor = &trainer->model.sites[i];
        for (int use = 0; use < tensor->copies; use++, watch++)
            tensor->operands[use].watch = &observer->watches[watch];
    }
}

/* Elements of the largest matrix that an operand is made from: of tokens, weights or one head. */
static size_t largest_operand(const ag_run *run)
{
    ag_sizes sizes = ag_sizes_of(&run->model);
    size_t tokens = ag_model_sequences(run) * sizes.T;
    size_t most = sizes.T * ag_larger(sizes.T, sizes.D);
    for (size_t i = 0; i < ag_layer_count(&run->model); i++) {
        ag_layer layer = ag_layer_at(&run->model, run->facts.vocab_size, i);
        size_t widest = ag_larger(layer.inputs, layer.outputs);
        most = ag_larger(most, ag_larger(tokens * widest, layer.inputs * layer.outputs));
    }
    return most;
}

/* Of linear layers alone: nothing else lies on a grid. */
static size_t all_weights(const ag_run *run)
{
    size_t count = 0;
    for (size_t i = 0; i < ag_layer_count(&run->model); i++) {
        ag_layer layer = ag_layer_at(&run->model, run->facts.vocab_size, i);
        count += layer.outputs * layer.inputs;
    }
    return count;
}

/* One layer is decomposed after the other, so the largest need serves all. */
static double *lay_out_singular(const ag_run *run, ag_layout *layout)
{
    size_t most = 0;
    for (size_t i = 0; i < ag_layer_count(&run->model); i++) {
        ag_layer layer = ag_layer_at(&run->model, run->facts.vocab_size, i);
        size_t shorter = layer.outputs < layer.inputs ? layer.outputs : layer.inputs;
        size_t size = shorter + ag_singular_scratch(layer.outputs, layer.inputs);
        most = ag_larger(most, size);
    }
    return ag_layout_bytes(layout, most * sizeof(double));
}

/* What a forward pass is asked for. */
static void lay_out_forward(ag_trainer *trainer, ag_layout *layout)
{
    const ag_run *run = trainer->run;
    size_t blocks = (size_t)run->model.n_layer;
    size_t heads = (size_t)run->model.n_head;
    ag_observer *observer = trainer->observer;
    if (ag_observes(run, AG_OBSERVE_RMS))
        observer->residual = ag_layout_bytes(layout, 2 * blocks * sizeof *observer->residual);
    if (!ag_observes(run, AG_OBSERVE_ATTN))
        return;
    observer->attn = ag_layout_table(layout, blocks * sizeof *observer->attn);
    observer->heads =
        ag_layout_bytes(layout, ag_model_sequences(run) * heads * sizeof *observer->heads);
    for (size_t i = 0; observer->attn != NULL && i < blocks; i++)
        observer->attn[i].entropy = ag_layout_bytes(layout, heads * sizeof(double));
}

/* Each array only where a diagnostic reads it: most are as large as the weights. `copy` is the
 * exception, since a tensor that is quantised in place is needed as it was. */
static void lay_out_arrays(ag_trainer *trainer, ag_layout *layout)
{
    const ag_run *run = trainer->run;
    ag_observer *observer = trainer->observer;
    size_t total = trainer->state.tensors.total;
    if (ag_observes(run, AG_OBSERVE_QUANT) || ag_observes(run, AG_OBSERVE_GRAD))
        observer->copy = ag_layout_floats(layout, largest_operand(run));
    if (ag_observes(run, AG_OBSERVE_GRAD) || ag_observes(run, AG_OBSERVE_SHARPNESS))
        observer->gradient = ag_layout_floats(layout, total);
    if (ag_observes(run, AG_OBSERVE_FLIPS))
        observer->codes = ag_layout_floats(layout, all_weights(run));
    if (ag_observes(run, AG_OBSERVE_FLIPS) || ag_observes(run, AG_OBSERVE_RMS) ||
        ag_observes(run, AG_OBSERVE_SHARPNESS))
        observer->before = ag_layout_floats(layout, total);
    if (ag_observes(run, AG_OBSERVE_NOISE))
        observer->part = ag_layout_floats(layout, total);
    if (ag_observes(run, AG_OBSERVE_SHARPNESS)) {
        observer->direction = ag_layout_floats(layout, total);
        observer->ahead = ag_layout_floats(layout, total);
    }
    if (ag_observes(run, AG_OBSERVE_GRID))
        observer->last = ag_layout_floats(layout, total);
    if (ag_observes(run, AG_OBSERVE_RANK))
        observer->singular = lay_out_singular(run, layout);
}

/* The number of samples follows from the run, so that nothing grows in the step loop. */
static void lay_out_samples(ag_trainer *trainer, ag_layout *layout)
{
    ag_samples *samples = &trainer->record->samples;
    size_t rows = (size_t)ag_samples_before(trainer->run, trainer->run->train.steps);
    samples->step = ag_layout_bytes(layout, rows * sizeof *samples->step);
    samples->values = ag_layout_bytes(layout, rows * samples->width * sizeof *samples->values);
}

/* Groups of all phases are made at once, before the first step: a row of samples has the same
 * columns throughout. */
ag_status ag_observer_lay_out(ag_trainer *trainer, ag_layout *layout)
{
    const ag_run *run = trainer->run;
    ag_observer *observer = ag_layout_table(layout, sizeof *observer);
    trainer->observer = observer;
    if (observer == NULL || run->observe.diagnostics == 0)
        return AG_OK;
    AG_TRY(ag_format_parse(&observer->null, run->compute == AG_COMPUTE_BF16 ? "bf16" : "fp32"));
    observer->n_layers = ag_layer_count(&run->model);
    trainer->record->samples.groups =
        ag_layout_table(layout, most_groups(trainer) * sizeof(ag_sampled));
    if (layout->failed)
        return AG_OK; /* the caller tells */
    for (size_t phase = 0; phase < ag_phase_count(run); phase++)
        visit_phase(trainer, add_group, phase);
    lay_out_arrays(trainer, layout);
    lay_out_forward(trainer, layout);
    lay_out_samples(trainer, layout);
    return AG_OK;
}

/* What a phase has of its own: its operands, and which of the groups are theirs. */
ag_status ag_observer_enter(ag_trainer *trainer, ag_layout *layout)
{
    ag_observer *observer = trainer->observer;
    const ag_samples *samples = &trainer->record->samples;
    if (observer == NULL || trainer->run->observe.diagnostics == 0)
        return AG_OK;
    observer->linears = ag_layout_table(layout, observer->n_layers * sizeof(void *));
    observer->n_watches = most_operands(&trainer->at);
    observer->watches = ag_layout_table(layout, observer->n_watches * sizeof *observer->watches);
    observer->subjects = ag_layout_table(layout, samples->n_groups * sizeof *observer->subjects);
    if (layout->failed)
        return AG_OK; /* the caller tells */
    for (size_t i = 0; i < observer->n_layers; i++) {
        observer->linears[i] = ag_model_linear(&trainer->model, i);
        watch_layer(trainer, i);
    }
    watch_sites(trainer);
    visit_phase(trainer, set_subject, trainer->phase);
    observer->scales.scale = ag_layout_floats(layout, trainer->model.n_groups);
    observer->scales.after = ag_layout_floats(layout, trainer->model.n_groups);
    observer->scales.factors = ag_layout_floats(layout, trainer->model.n_groups);
    return AG_OK;
}
