/* train.start: the state that a run begins with. The caller reads the file that holds it; runs that
 * begin with the same state ask once. */
#include <string.h>

#include "config_internal.h"
#include "run/model_spec.h"
#include "run/optimizers.h"
#include "run/params.h"
#include "run/phases.h"
#include "run/sites.h"

/* A state that was asked for. */
struct ag_asked_state {
    ag_run run; /* the first that asked */
    ag_start_found found;
    bool ok;
    const ag_asked_state *next;
};

static bool asks_the_same(const ag_run *a, const ag_run *b)
{
    return ag_spec_same_shape(&a->model, &b->model) && ag_have_same_layers(&a->model, &b->model) &&
           a->facts.vocab_size == b->facts.vocab_size &&
           strcmp(a->train.start_file, b->train.start_file) == 0 &&
           strcmp(a->train.start_run, b->train.start_run) == 0 &&
           a->train.start_step == b->train.start_step;
}

/* Notes the answer, good or bad: thousands of runs ask the same. A bad one is told by the first. */
static const ag_asked_state *ask(ag_experiment *experiment, const ag_run *run)
{
    const ag_experiment_options *options = &experiment->options;
    ag_asked_state *asked = ag_config_alloc(&experiment->findings, 1, sizeof *asked);
    if (asked == NULL)
        return NULL;
    *asked = (ag_asked_state){.run = *run, .next = experiment->begun};
    experiment->begun = asked;
    asked->ok = (options->find_start == NULL
                     ? ag_fail(AG_ERR_INPUT, "train.start.file: cannot be used here")
                     : options->find_start(&asked->found, run, options->context)) == AG_OK;
    return asked;
}

static const char *optimizer_word(int64_t type)
{
    return ag_param_find("optimizer.type")->words[type];
}

/* Moments mean something to the rule that made them, and to those that derive from it. */
static ag_status check_optimizer(const ag_run *run, const ag_start_found *found)
{
    bool keeps_lost =
        ag_run_stores_weights(run) && run->optimizer.store_error == AG_STORE_ERROR_KAHAN;
    if (ag_optimizers[found->optimizer].plain != ag_optimizer_of(run)->plain)
        return ag_fail(AG_ERR_INPUT,
                       "train.start.run: run %s was trained by %s, whose moments are not those of "
                       "optimizer.type %s; take %s, or begin with its weights alone "
                       "(model.init.file)",
                       found->run, optimizer_word(found->optimizer),
                       optimizer_word(run->optimizer.type), optimizer_word(found->optimizer));
    if (found->has_lost != keeps_lost)
        return ag_fail(AG_ERR_INPUT,
                       "train.start.run: %s of run %s %s what storing its weights has lost "
                       "(optimizer.store_error kahan), and this run %s; both must, or neither",
                       "the state", found->run, found->has_lost ? "has" : "does not have",
                       keeps_lost ? "goes on with it" : "has no use for it");
    return AG_OK;
}

bool ag_config_start(bool *is_told, ag_run *run, ag_experiment *experiment)
{
    const ag_asked_state *asked = experiment->begun;
    *is_told = false;
    while (asked != NULL && !asks_the_same(&asked->run, run))
        asked = asked->next;
    *is_told = asked != NULL && !asked->ok;
    if (asked == NULL)
        asked = ask(experiment, run);
    if (asked == NULL || !asked->ok || check_optimizer(run, &asked->found) != AG_OK)
        return false;
    memcpy(run->start_digest, asked->found.digest, sizeof run->start_digest);
    run->train.start_run = asked->found.run;
    run->train.start_step = asked->found.step;
    if (ag_run_check(run) != AG_OK)
        return false;
    ag_run_drop_phases(run);
    return true;
}
