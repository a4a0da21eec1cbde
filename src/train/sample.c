/* Generation: a forward pass of one window for each token. There is no cache of keys and values, so
 * that what is computed is what was evaluated after training, quantisers included. */
#include "train/sample.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/philox.h"
#include "data/batch.h"
#include "run/layers.h"
#include "run/phases.h"
#include "run/sites.h"
#include "trainer.h"

typedef struct sampler {
    ag_run run; /* of the last phase throughout, a window at a time, unobserved */
    ag_record record;
    ag_trainer trainer;
    ag_arena arena;
    const ag_sampling *how;
    uint64_t key;
    double *shares;  /* [V]: of the distribution, not normalised */
    double *largest; /* [V]: logits in order, for top_k */
} sampler;

static const ag_train_hooks s_no_hooks;

/* The scales that training has left are no part of its results. */
static ag_status check_precision(const ag_run *run, const ag_layer_precision *precision)
{
    for (ag_role role = AG_ROLE_WEIGHT; role <= AG_ROLE_INPUT; role++) {
        const ag_scheme *scheme = &precision->scheme[role][0]; /* forward is the first use */
        if (scheme->quantised && ag_scheme_keeps_history(scheme))
            return ag_fail(AG_ERR_INPUT,
                           "run %s: its scales follow amaxes of earlier steps (%s), which are not "
                           "kept; --hp samples from the same weights unquantised",
                           run->id, ag_amax_words[scheme->amax]);
    }
    return AG_OK;
}

/* Of what a forward pass has: dW and moments are no part of it. */
static ag_status check_scales(const ag_run *run)
{
    for (size_t i = 0; i < ag_layer_count(&run->model); i++)
        AG_TRY(check_precision(run, &run->layers[i]));
    for (size_t i = 0; run->sites != NULL && i < ag_site_count(&run->model); i++) {
        if (ag_site_at(&run->model, i).kind >= AG_SITE_PV)
            AG_TRY(check_precision(run, &run->sites[i]));
    }
    return AG_OK;
}

/* Projecting weights onto a grid has been done: they are taken as they are. */
static ag_status make(sampler *s, const ag_corpus *corpus, const float *weights,
                      const ag_kernels *kernels)
{
    ag_trainer *trainer = &s->trainer;
    size_t V = (size_t)s->run.facts.vocab_size;
    s->record.run = &s->run;
    *trainer = (ag_trainer){
        .run = &s->run, .corpus = corpus, .k = kernels, .hooks = &s_no_hooks, .record = &s->record};
    AG_TRY(ag_arena_init(&s->arena, ag_train_bytes(&s->run, ag_val_windows(corpus, &s->run))));
    AG_TRY(ag_trainer_init(trainer, weights, &s->arena));
    memcpy(trainer->state.weights, weights, trainer->state.tensors.total * sizeof *weights);
    trainer->state.step = s->run.train.steps;
    s->shares = malloc(V * sizeof *s->shares);
    s->largest = malloc(V * sizeof *s->largest);
    if (s->shares == NULL || s->largest == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory for %zu logits", V);
    return AG_OK;
}

/* Without a difference of doubles, which as an int would lose small ones. */
static int falling(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x < y) - (x > y);
}

/* The least logit that is among the likeliest: equals of it are, too. */
static double least_logit(const sampler *s, const float *logits, size_t V)
{
    int64_t top_k = s->how->top_k;
    if (top_k == 0 || (size_t)top_k >= V)
        return -INFINITY;
    for (size_t i = 0; i < V; i++)
        s->largest[i] = (double)logits[i];
    qsort(s->largest, V, sizeof *s->largest, falling);
    return s->largest[top_k - 1];
}

/* Of equals the first, so that greedy sampling has one answer. */
static size_t likeliest(const float *logits, size_t V)
{
    size_t best = 0;
    for (size_t i = 1; i < V; i++)
        best = logits[i] > logits[best] ? i : best;
    return best;
}

/* The first token at which the sum of shares, in the order of tokens, passes u of their sum. */
static size_t draw(const sampler *s, const float *logits, size_t V, uint64_t number)
{
    size_t best = likeliest(logits, V);
    if (s->how->temperature == 0.0)
        return best;
    double least = least_logit(s, logits, V);
    double sum = 0.0;
    for (size_t i = 0; i < V; i++) {
        double behind = ((double)logits[i] - (double)logits[best]) / s->how->temperature;
        s->shares[i] = (double)logits[i] >= least ? exp(behind) : 0.0;
        sum += s->shares[i];
    }
    ag_philox_block block = ag_philox(s->key, (uint32_t)number, (uint32_t)(number >> 32), 0, 0);
    double left = ag_uniform53(block.word[1], block.word[0]) * sum;
    for (size_t i = 0; i < V; i++) {
        left -= s->shares[i];
        if (left < 0.0)
            return i;
    }
    return best; /* by rounding alone */
}

/* The token after the n of `tokens`. */
static int32_t next_token(sampler *s, const int32_t *tokens, size_t n, uint64_t number)
{
    ag_trainer *trainer = &s->trainer;
    ag_model *model = &trainer->model;
    size_t seen = n < model->T ? n : model->T;
    const int32_t *first = tokens + (n - seen);
    ag_mode mode = s->how->hp ? AG_MODE_EVALUATE_HP : AG_MODE_EVALUATE;
    ag_pass pass = ag_trainer_pass(trainer, mode, 1, 0);
    for (size_t i = 0; i < model->T; i++)
        trainer->tokens.inputs[i] = first[i % seen];
    ag_model_forward(model, &trainer->tokens, &pass);
    return (int32_t)draw(s, model->logits + (seen - 1) * model->V, model->V, number);
}

/* Trained with the formats of the last phase, weights are sampled with those. Everything that a
 * trainer would do besides is turned off, and with it the memory that it takes. */
ag_status ag_sample(int32_t *tokens, size_t n, size_t count, const ag_sampling *how,
                    const ag_run *run, const ag_corpus *corpus, const float *weights,
                    const ag_kernels *kernels)
{
    sampler s = {.run = ag_run_in_phase(run, ag_phase_count(run) - 1), .how = how};
    s.run.eval.batch = 1;
    s.run.observe.quant_every = 0;
    s.run.output.weights = AG_WEIGHTS_NONE;
    s.run.output.states = (ag_step_list){0};
    s.run.train.start_step = 0; /* the weights at hand are all of its state */
    s.key = ag_stream_key(how->seed, AG_STREAM_SAMPLE);
    ag_status status = how->hp ? AG_OK : check_scales(&s.run);
    if (status == AG_OK)
        status = make(&s, corpus, weights, kernels);
    for (size_t i = 0; status == AG_OK && i < count; i++)
        tokens[n + i] = next_token(&s, tokens, n + i, i);
    ag_arena_deinit(&s.arena);
    free(s.shares);
    free(s.largest);
    return status;
}
