/* Assignments and grids as JSON: a run or grid that is whole, or a message. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/experiment.h"
#include "fuzz.h"
#include "run/run_json.h"

/* Everything that JSON may hold: shared layers, several models, formats, text and real axes. */
static const char s_experiment[] =
    "altgrad: 1\ndata: {synthetic: markov, vocab: 8, tokens: 4000}\nmodel: {n_embd: 16, n_head: "
    "2}\nformats: [BF16, {name: sr, all: E4M3, rounding: stochastic, scaling: {amax: delayed, "
    "history: 4}}, hybrid, {name: p, phases: [{until: 3, all: null}, {until: 50%, all: E5M2}, "
    "{all: mxfp8}]}]\naxes:\n  optimizer.lr: [1e-3, 2e-3]\n  size:\n    s: {model.n_layer: "
    "1}\n    l: {model.n_layer: 2}\ncompare: {baseline: {format: BF16}}\n";

static ag_experiment *load(void)
{
    ag_text messages;
    ag_experiment *experiment = NULL;
    ag_text_init(&messages);
    fuzz_write("case.yaml", s_experiment, strlen(s_experiment));
    if (ag_experiment_load(&experiment, "case.yaml", NULL, &messages) != AG_OK) {
        fprintf(stderr, "%s%s\n", messages.data, ag_error_message());
        exit(2);
    }
    ag_text_deinit(&messages);
    return experiment;
}

/* --- what has a text */

typedef union content {
    ag_run run;
    ag_grid grid;
} content;

typedef struct text_form {
    ag_status (*read)(void *out, const char *bytes, size_t size, ag_arena *arena);
    void (*write)(ag_text *out, const void *content);
    const char *altered; /* the complaint where another text comes back */
} text_form;

static ag_status read_run(void *run, const char *bytes, size_t size, ag_arena *arena)
{
    return ag_run_from_assignment(run, bytes, size, arena);
}

static void write_run(ag_text *out, const void *run)
{
    ag_run_assignment(out, run);
}

static ag_status read_grid(void *grid, const char *bytes, size_t size, ag_arena *arena)
{
    return ag_grid_from_json(grid, bytes, size, arena);
}

static void write_grid(ag_text *out, const void *grid)
{
    ag_grid_to_json(out, grid);
}

static const text_form s_assignment = {read_run, write_run,
                                       "an assignment is another when it was read"};
static const text_form s_grid = {read_grid, write_grid, "a grid is another when it was read"};

static const char *check(const text_form *form, const void *it)
{
    ag_text text;
    ag_text again;
    ag_arena arena;
    content read;
    const char *complaint = NULL;
    ag_text_init(&text);
    ag_text_init(&again);
    ag_arena_init_growing(&arena);
    form->write(&text, it);
    if (form->read(&read, text.data, text.length, &arena) != AG_OK)
        complaint = ag_error_message();
    else if (form->write(&again, &read), strcmp(text.data, again.data) != 0)
        complaint = form->altered;
    ag_arena_deinit(&arena);
    ag_text_deinit(&again);
    ag_text_deinit(&text);
    return complaint;
}

const char *fuzz_check_run(const ag_run *run)
{
    return check(&s_assignment, run);
}

const char *fuzz_check_grid(const ag_grid *grid)
{
    return check(&s_grid, grid);
}

/* --- the targets */

static void add(fuzz_corpus *corpus, const char *name, const text_form *form, const void *it)
{
    ag_text text;
    ag_text_init(&text);
    form->write(&text, it);
    fuzz_add(corpus, name, text.data, text.length);
    ag_text_deinit(&text);
}

static void prepare_assignments(fuzz_corpus *corpus)
{
    ag_experiment *experiment = load();
    const ag_grid *grid = ag_experiment_grid(experiment);
    for (size_t i = 0; i < grid->n_runs; i++)
        add(corpus, grid->runs[i].id, &s_assignment, &grid->runs[i]);
    ag_experiment_destroy(experiment);
}

static void prepare_grid(fuzz_corpus *corpus)
{
    ag_experiment *experiment = load();
    add(corpus, "a grid", &s_grid, ag_experiment_grid(experiment));
    ag_experiment_destroy(experiment);
}

static const char *run(fuzz_input *input, const text_form *form)
{
    content read;
    ag_arena arena;
    const char *complaint = NULL;
    ag_arena_init_growing(&arena);
    ag_status status = form->read(&read, input->bytes, input->size, &arena);
    input->accepted = status == AG_OK;
    if (status == AG_OK)
        complaint = check(form, &read);
    else if (status != AG_ERR_INPUT || ag_error_message()[0] == '\0')
        complaint = "a wrong status, or no message";
    ag_arena_deinit(&arena);
    return complaint;
}

static const char *run_assignment(fuzz_input *input)
{
    return run(input, &s_assignment);
}

static const char *run_grid(fuzz_input *input)
{
    return run(input, &s_grid);
}

const fuzz_target fuzz_assignments = {"assignments", prepare_assignments, run_assignment};
const fuzz_target fuzz_grids = {"grids", prepare_grid, run_grid};
