/* A run small enough to train in milliseconds: 2 blocks, 8 channels, a corpus in memory. */
#ifndef AG_TESTS_TINY_H
#define AG_TESTS_TINY_H

#include "support.h"

#include <math.h>
#include <stdlib.h>

#include "base/philox.h"
#include "data/batch.h"
#include "run/params.h"
#include "run/sites.h"
#include "trainer.h"

enum { ALL_DIAGNOSTICS = (1 << AG_DIAGNOSTICS) - 1 };

/* Layers and sites of the blocks that have most; GPT-2's have 9 and 49. */
enum { TINY_LAYERS = 15, TINY_SITES = 81 };

enum { TINY_PHASES = 2 }; /* of the second and third kind of precision */

enum { TINY_TRAIN = 400, TINY_VAL = 90, TINY_VOCAB = 7 };

typedef struct tiny {
    ag_run run;
    ag_layer_precision layers[TINY_LAYERS];
    ag_layer_precision sites[TINY_SITES];
    ag_phase phases[TINY_PHASES]; /* after the first */
    ag_layer_precision phase_layers[TINY_PHASES][TINY_LAYERS];
    ag_layer_precision phase_sites[TINY_PHASES][TINY_SITES];
    uint16_t train[TINY_TRAIN];
    uint16_t val[TINY_VAL];
    ag_corpus corpus;
    ag_arena arena;
    ag_record record;
    ag_trainer trainer;
} tiny;

/* Uniform in (-1, 1), for the element `index` of the array `which`. */
static inline float tiny_noise(uint32_t which, size_t index)
{
    ag_philox_block block = ag_philox(77, (uint32_t)index, which, 0, 0);
    return (float)(2.0 * ag_uniform53(block.word[0], block.word[1]) - 1.0);
}

static inline void tiny_fill(float *x, size_t count, uint32_t which, float size)
{
    for (size_t i = 0; i < count; i++)
        x[i] = size * tiny_noise(which, i);
}

/* Tokens that mostly follow a rule, so that there is something to learn. */
static inline void tiny_tokens(uint16_t *tokens, size_t count, uint32_t which)
{
    unsigned token = 1;
    for (size_t i = 0; i < count; i++) {
        token = tiny_noise(which, i) > 0.6f ? token + 1 : 3 * token + 2;
        token %= TINY_VOCAB;
        tokens[i] = (uint16_t)token;
    }
}

/* A BF16 run of a few steps; tests change what they are about before they start it. */
static inline void tiny_make(tiny *t)
{
    memset(t, 0, sizeof *t);
    ag_run *run = &t->run;
    ag_run_defaults(run);
    run->model.n_layer = 2;
    run->model.n_head = 2;
    run->model.n_embd = 8;
    run->model.block_size = 8;
    run->model.bias = true;
    run->train.steps = 6;
    run->train.batch_size = 3;
    run->optimizer.lr = 1e-2;
    run->optimizer.warmup = 2;
    run->eval = (ag_eval_spec){.every = 0, .windows = 3, .batch = 4};
    run->stop.loss_ratio = 0.0;
    run->layers = t->layers;
    run->seed = 42;
    tiny_tokens(t->train, TINY_TRAIN, 1);
    tiny_tokens(t->val, TINY_VAL, 2);
    ag_data_facts facts = {
        .vocab_size = TINY_VOCAB, .train_tokens = TINY_TRAIN, .val_tokens = TINY_VAL};
    t->corpus = (ag_corpus){.facts = facts, .train = t->train, .val = t->val, .entropy_rate = NAN};
    run->facts = facts;
}

static inline ag_scheme tiny_scheme(const char *name)
{
    ag_format format;
    assert_ok(ag_format_parse(&format, name));
    return ag_scheme_plain(&format);
}

/* One scheme for both uses of a role, in every layer. */
static inline void tiny_quantise(tiny *t, ag_role role, ag_scheme scheme)
{
    ag_scheme_normalise(&scheme);
    for (int i = 0; i < TINY_LAYERS; i++)
        t->layers[i].scheme[role][0] = t->layers[i].scheme[role][1] = scheme;
}

static inline void tiny_quantise_all(tiny *t, ag_scheme scheme)
{
    for (int role = 0; role < AG_ROLES; role++)
        tiny_quantise(t, (ag_role)role, scheme);
}

/* One scheme for both uses of every role of every site of a kind. */
static inline void tiny_quantise_sites(tiny *t, ag_site_kind kind, ag_scheme scheme)
{
    ag_layer_precision format = {0};
    ag_scheme_normalise(&scheme);
    for (int i = 0; i < AG_ROLES * AG_USES; i++)
        format.scheme[i / AG_USES][i % AG_USES] = scheme;
    for (size_t i = 0; i < ag_site_count(&t->run.model); i++) {
        if (ag_site_at(&t->run.model, i).kind == kind)
            t->sites[i] = ag_site_precision(kind, &format);
    }
    t->run.sites = t->sites;
}

/* A further phase from `step` on, with the layers and sites that the run has now; those of the run
 * are then for the phases before to be set anew. */
static inline void tiny_phase(tiny *t, int64_t step)
{
    size_t at = t->run.n_phases++;
    memcpy(t->phase_layers[at], t->layers, sizeof t->layers);
    memcpy(t->phase_sites[at], t->sites, sizeof t->sites);
    t->phases[at] =
        (ag_phase){step, t->phase_layers[at], t->run.sites != NULL ? t->phase_sites[at] : NULL};
    t->run.phases = t->phases;
    t->run.sites = NULL;
}

/* Memory and a trainer before its first step. */
static inline void tiny_start_from(tiny *t, const ag_kernels *k, const float *init)
{
    size_t bytes = ag_train_bytes(&t->run, ag_val_windows(&t->corpus, &t->run));
    assert_ok(ag_arena_init(&t->arena, bytes));
    t->trainer = (ag_trainer){.run = &t->run, .corpus = &t->corpus, .k = k, .record = &t->record};
    assert_ok(ag_trainer_init(&t->trainer, init, &t->arena));
}

static inline void tiny_start(tiny *t)
{
    tiny_start_from(t, &ag_kernels_fast, NULL);
}

static inline void tiny_end(tiny *t)
{
    ag_arena_deinit(&t->arena);
}

/* The whole run through the public door. */
static inline void tiny_train(tiny *t, const ag_kernels *k)
{
    size_t bytes = ag_train_bytes(&t->run, ag_val_windows(&t->corpus, &t->run));
    assert_ok(ag_arena_init(&t->arena, bytes));
    assert_ok(ag_train(&t->record, &t->run, &t->corpus, NULL, k, NULL, &t->arena));
}

static inline float *tiny_weight(tiny *t, ag_tensor_id id, size_t block)
{
    return t->trainer.state.weights + ag_tensor_find(&t->trainer.state.tensors, id, block)->offset;
}

static inline float *tiny_grad(tiny *t, ag_tensor_id id, size_t block)
{
    return t->trainer.model.grads + ag_tensor_find(&t->trainer.state.tensors, id, block)->offset;
}

/* The newest sample of a metric of the group `path`. */
static inline double tiny_sampled(const tiny *t, const char *path, const char *metric)
{
    const ag_samples *samples = &t->record.samples;
    const double *row = samples->values + (size_t)(samples->count - 1) * samples->width;
    for (size_t i = 0; i < samples->n_groups; i++) {
        const ag_sampled *group = &samples->groups[i];
        for (size_t j = 0; strcmp(group->path, path) == 0 && j < group->n_metrics; j++) {
            if (strcmp(group->metrics[j].name, metric) == 0)
                return row[group->column + j];
        }
    }
    fail_msg("there is no %s/%s", path, metric);
    return NAN;
}

#endif
