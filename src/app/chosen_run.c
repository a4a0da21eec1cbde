/* One run out of many, by whatever tells it from the others: what export and sample are about. */
#include "chosen_run.h"

#include <getopt.h>
#include <string.h>

#include "base/printable.h"
#include "base/text.h"
#include "config/select.h"
#include "results/compare.h"
#include "results/results.h"
#include "results/run_file.h"
#include "run_names.h"

enum { SHOWN_RUNS = 6 };

typedef struct search {
    const ag_run_choice *choice;
    ag_results results;
    const char **names; /* [grid.n_runs] */
    bool *labelled;     /* [grid.n_runs]: has the labels that were given */
    ag_arena arena;
} search;

static ag_status no_memory(void)
{
    return ag_fail(AG_ERR_SYSTEM, "out of memory");
}

/* No run id has a "=". */
static bool is_label(const char *selector)
{
    return strchr(selector, '=') != NULL;
}

/* Labels go to the selector of --only, which knows axes and answers misspelt ones. */
static ag_status select_labelled(search *c)
{
    const char *const *selectors = c->choice->selectors;
    size_t count = c->choice->count;
    const char **labels = ag_arena_alloc(&c->arena, (count + 1) * sizeof *labels);
    size_t n_labels = 0;
    if (labels == NULL)
        return no_memory();
    for (size_t i = 0; i < count; i++) {
        if (is_label(selectors[i]))
            labels[n_labels++] = selectors[i];
    }
    return ag_select_runs(c->labelled, &c->results.grid, labels, n_labels);
}

/* A run that the grid no longer names has no label to be found by. */
static bool is_meant(const search *c, size_t row)
{
    const char *const *selectors = c->choice->selectors;
    const ag_result_row *found = &c->results.rows[row];
    bool is_orphan = row >= c->results.grid.n_runs;
    if (!ag_run_status_is_complete(found->status))
        return false;
    for (size_t i = 0; i < c->choice->count; i++) {
        if (is_label(selectors[i]) ? is_orphan || !c->labelled[row]
                                   : strncmp(found->id, selectors[i], strlen(selectors[i])) != 0)
            return false;
    }
    return true;
}

/* Its id, and the labels by which a user knows it; of a run that the grid has lost, the last ones.
 */
static void add_run(ag_text *text, const search *c, size_t row)
{
    const ag_result_row *found = &c->results.rows[row];
    bool is_orphan = row >= c->results.grid.n_runs;
    ag_text_printf(text, "%s (", found->id);
    ag_text_add_printable(text, is_orphan ? found->name : c->names[row]);
    ag_text_add(text, ")");
}

/* Some of them by name: the user sees what would tell them apart. */
static ag_status tell_several(const search *c, const bool *meant, size_t count)
{
    ag_text text;
    size_t shown = 0;
    ag_text_init(&text);
    for (size_t i = 0; i < c->results.n_rows && shown < SHOWN_RUNS; i++) {
        if (!meant[i])
            continue;
        ag_text_add(&text, shown++ > 0 ? ", " : "");
        add_run(&text, c, i);
    }
    ag_status status = ag_fail(
        AG_ERR_INPUT,
        "%s: %zu completed runs are meant; name one, by the beginning of its id or by its labels, "
        "such as format=BF16 seed=0: %.800s%s",
        c->choice->path, count, text.data, count > shown ? ", ..." : "");
    ag_text_deinit(&text);
    return status;
}

/* Every selector must hold, so that each one given makes the choice smaller. */
static ag_status find_run(char id[AG_ID_LENGTH + 1], search *c)
{
    const ag_run_choice *choice = c->choice;
    size_t found = 0;
    bool *meant = ag_arena_alloc(&c->arena, (c->results.n_rows + 1) * sizeof *meant);
    c->names = ag_run_names(&c->results.grid, &c->arena);
    c->labelled = ag_arena_alloc(&c->arena, (c->results.grid.n_runs + 1) * sizeof *c->labelled);
    if (meant == NULL || c->names == NULL || c->labelled == NULL)
        return no_memory();
    AG_TRY(select_labelled(c));
    for (size_t i = 0; i < c->results.n_rows; i++) {
        meant[i] = is_meant(c, i);
        if (meant[i] && found++ == 0)
            memcpy(id, c->results.rows[i].id, AG_ID_LENGTH + 1);
    }
    if (found == 0)
        return ag_fail(AG_ERR_INPUT,
                       "%s: no completed run%s%s ('altgrad summary' and /index list "
                       "them)",
                       choice->path, choice->count > 0 ? " is meant by " : "",
                       choice->count > 0 ? choice->selectors[0] : "");
    return found == 1 ? AG_OK : tell_several(c, meant, found);
}

/* The results are closed again before the weights are read, which may be large. */
ag_status ag_chosen_run_id(char id[AG_ID_LENGTH + 1], const ag_run_choice *choice)
{
    search c = {.choice = choice};
    AG_TRY(ag_results_open(&c.results, choice->path));
    ag_arena_init_growing(&c.arena);
    ag_status status = find_run(id, &c);
    ag_arena_deinit(&c.arena);
    ag_results_close(&c.results);
    return status;
}

static ag_status find_named(bool *is_one, char id[AG_ID_LENGTH + 1], const ag_results *results,
                            const char *name, ag_arena *arena)
{
    const char **names = ag_run_names(&results->grid, arena);
    size_t count = 0;
    if (names == NULL)
        return no_memory();
    for (size_t i = 0; i < results->grid.n_runs; i++) {
        if (!ag_run_status_is_complete(results->rows[i].status) || strcmp(names[i], name) != 0)
            continue;
        memcpy(id, results->rows[i].id, AG_ID_LENGTH + 1);
        count++;
    }
    *is_one = count == 1;
    return AG_OK;
}

ag_status ag_chosen_run_named(bool *is_one, char id[AG_ID_LENGTH + 1], const char *path,
                              const char *name)
{
    ag_results results;
    ag_arena arena;
    *is_one = false;
    AG_TRY(ag_results_open(&results, path));
    ag_arena_init_growing(&arena);
    ag_status status = find_named(is_one, id, &results, name, &arena);
    ag_arena_deinit(&arena);
    ag_results_close(&results);
    return status;
}

/* OUT comes first, then selectors in any order. */
int ag_run_choice_read(ag_run_choice *choice, const ag_command_line *line, int argc, char **argv)
{
    int code = ag_app_results_first(&choice->path, line, argc, argv);
    if (code >= 0)
        return code;
    choice->selectors = (const char *const *)argv + optind + 1;
    choice->count = (size_t)(argc - optind - 1);
    return -1;
}

/* A run is rebuilt from what the file recorded of it, not from the experiment, which may have
 * changed. */
ag_status ag_chosen_model(ag_trained *trained, const ag_run_choice *choice, ag_arena *arena)
{
    char id[AG_ID_LENGTH + 1];
    const ag_run *run = &trained->run;
    AG_TRY(ag_chosen_run_id(id, choice));
    AG_TRY(ag_results_run(&trained->run, NULL, choice->path, id, arena));
    if (run->output.weights == AG_WEIGHTS_NONE)
        return ag_fail(AG_ERR_INPUT,
                       "%s: run %s was trained with output.weights: none, and its weights are "
                       "gone; train it again with final",
                       choice->path, id);
    AG_TRY(ag_tensor_table_make(&trained->tensors, &run->model, run->facts.vocab_size, arena));
    trained->weights = ag_arena_floats(arena, trained->tensors.total);
    if (trained->weights == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory for the weights");
    return ag_weights_read(trained->weights, &trained->tensors, choice->path, id);
}
