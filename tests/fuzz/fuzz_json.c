/* Assignments and grids as JSON: a run or grid that is whole, or a message. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/experiment.h"
#include "fuzz.h"
#include "spec/run_json.h"

/* Everything that JSON may hold: shared layers, several models, formats, text and real axes. */
static const char s_experiment[] =
    "altgrad: 1\ndata: {synthetic: markov, vocab: 8, tokens: 4000}\nmodel: {n_embd: 16, n_head: "
    "2}\nformats: [BF16, {name: sr, all: E4M3, rounding: stochastic, scaling: {amax: delayed, "
    "history: 4}}, hybrid]\naxes:\n  optimizer.lr: [1e-3, 2e-3]\n  size:\n    s: {model.n_layer: "
    "1}\n    l: {model.n_layer: 2}\ncompare: {baseline: {format: BF16}}\n";

static ag_experiment *load(void)
{
    ag_text messages;
    ag_experiment *experiment = NULL;
    ag_text_init(&messages);
    fuzz_write("case.yaml", s_experiment, strlen(s_experiment));
    if (ag_experiment_load(&experiment, "case.yaml", NULL, 0, &messages) != AG_OK) {
        fprintf(stderr, "%s%s\n", messages.data, ag_error_message());
        exit(2);
    }
    ag_text_deinit(&messages);
    return experiment;
}

static void prepare_assignments(fuzz_corpus *corpus)
{
    ag_experiment *experiment = load();
    const ag_grid *grid = ag_experiment_grid(experiment);
    for (size_t i = 0; i < grid->n_runs; i++) {
        ag_text text;
        ag_text_init(&text);
        ag_run_assignment(&text, &grid->runs[i]);
        fuzz_add(corpus, grid->runs[i].id, text.data, text.length);
        ag_text_deinit(&text);
    }
    ag_experiment_destroy(experiment);
}

static const char *run_assignment(fuzz_input *input)
{
    ag_arena arena;
    ag_run run;
    const char *complaint = NULL;
    ag_arena_init_growing(&arena);
    ag_status status = ag_run_from_assignment(&run, input->bytes, input->size, &arena);
    input->accepted = status == AG_OK;
    if (status == AG_OK) {
        ag_text text;
        ag_text_init(&text);
        ag_run_assignment(&text, &run);
        if (ag_run_from_assignment(&run, text.data, text.length, &arena) != AG_OK)
            complaint = ag_error_message();
        ag_text_deinit(&text);
    } else if (status != AG_ERR_INPUT || ag_error_message()[0] == '\0') {
        complaint = "a wrong status, or no message";
    }
    ag_arena_deinit(&arena);
    return complaint;
}

static void prepare_grid(fuzz_corpus *corpus)
{
    ag_experiment *experiment = load();
    ag_text text;
    ag_text_init(&text);
    ag_grid_to_json(&text, ag_experiment_grid(experiment));
    fuzz_add(corpus, "a grid", text.data, text.length);
    ag_text_deinit(&text);
    ag_experiment_destroy(experiment);
}

static const char *run_grid(fuzz_input *input)
{
    ag_arena arena;
    ag_grid grid;
    const char *complaint = NULL;
    ag_arena_init_growing(&arena);
    ag_status status = ag_grid_from_json(&grid, input->bytes, input->size, &arena);
    input->accepted = status == AG_OK;
    if (status == AG_OK) {
        ag_text text; /* which reads every run, label and axis */
        ag_text_init(&text);
        ag_grid_to_json(&text, &grid);
        if (ag_grid_from_json(&grid, text.data, text.length, &arena) != AG_OK)
            complaint = ag_error_message();
        ag_text_deinit(&text);
    } else if (ag_error_message()[0] == '\0') {
        complaint = "there is no message";
    }
    ag_arena_deinit(&arena);
    return complaint;
}

const fuzz_target fuzz_assignments = {"assignments", prepare_assignments, run_assignment};
const fuzz_target fuzz_grids = {"grids", prepare_grid, run_grid};
