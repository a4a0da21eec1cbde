/* Which run of a results file is meant: by its labels, or because there is no other. Whoever
 * quantises trained models names a run of another experiment from memory; most of this file is what
 * to answer where that names none or several. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/printable.h"
#include "config/select.h"
#include "init_digest.h"
#include "results/results.h"
#include "run_names.h"

enum { SHOWN_RUNS = 8 };

/* The results that were named, with everything that messages may want to say of them. */
typedef struct source {
    const char *path;
    ag_results results;
    const char **names; /* [grid.n_runs] */
    bool *selected;     /* [grid.n_runs] */
    ag_arena arena;
} source;

static ag_status no_memory(void)
{
    return ag_fail(AG_ERR_SYSTEM, "out of memory for the labels of model.init");
}

static ag_status open_source(source *s, const char *path)
{
    *s = (source){.path = path};
    AG_TRY(ag_results_open(&s->results, path));
    ag_arena_init_growing(&s->arena);
    const ag_grid *grid = &s->results.grid;
    s->names = ag_run_names(grid, &s->arena);
    s->selected = ag_arena_alloc(&s->arena, (grid->n_runs + 1) * sizeof *s->selected);
    return s->names != NULL && s->selected != NULL ? AG_OK : no_memory();
}

static void close_source(source *s)
{
    if (s->results.rows != NULL) { /* it was opened */
        ag_arena_deinit(&s->arena);
        ag_results_close(&s->results);
    }
}

/* --- what there is, for the messages */

/* Name and id: one is recognised, the other can be pasted into the file. */
static void add_run(ag_text *text, size_t shown, const char *id, const char *name)
{
    ag_text_printf(text, "%s%s", shown > 0 ? ", " : "", id);
    if (name[0] == '\0' || strcmp(name, id) == 0)
        return;
    ag_text_add(text, " (");
    ag_text_add_printable(text, name);
    ag_text_add(text, ")");
}

/* Messages are read on a terminal. */
static void add_rest(ag_text *text, size_t count)
{
    if (count > SHOWN_RUNS)
        ag_text_printf(text, " and %zu more", count - SHOWN_RUNS);
}

/* "0f8a42c19d03 (BF16 seed=0), ... and 4 more": those that are selected. */
static void add_selected(ag_text *text, const source *s)
{
    size_t count = 0;
    for (size_t i = 0; i < s->results.grid.n_runs; i++) {
        if (s->selected[i] && count++ < SHOWN_RUNS)
            add_run(text, count - 1, s->results.rows[i].id, s->names[i]);
    }
    add_rest(text, count);
}

/* "optimizer.lr (1e-3, 3e-3), seed (0, 1)": the points of each axis that has several. */
static void add_points(ag_text *text, const ag_grid *grid, size_t axis)
{
    enum { SHOWN_POINTS = 6 };
    size_t count = 0;
    for (size_t i = 0; i < grid->n_labels; i++) {
        const char *point = grid->labels[i].values[axis].text;
        size_t before = 0;
        while (before < i && strcmp(grid->labels[before].values[axis].text, point) != 0)
            before++;
        if (before == i && count++ < SHOWN_POINTS) {
            ag_text_add(text, count > 1 ? ", " : "");
            ag_text_add_printable(text, point);
        }
    }
    ag_text_add(text, count > SHOWN_POINTS ? ", ..." : "");
}

/* What could have been asked for. */
static void add_axes(ag_text *text, const ag_grid *grid)
{
    for (size_t axis = 0; axis < grid->n_axes; axis++) {
        ag_text_add(text, axis > 0 ? ", " : "");
        ag_text_add_printable(text, grid->axes[axis].name);
        ag_text_add(text, " (");
        add_points(text, grid, axis);
        ag_text_add(text, ")");
    }
}

/* The labels as the experiment file has them. */
static void add_where(ag_text *text, const char *where)
{
    ag_text_add(text, "{");
    for (const char *line = where; *line != '\0';) {
        size_t length = strcspn(line, "\n");
        size_t key = strcspn(line, "=");
        ag_text_printf(text, "%s%.*s: %.*s", line > where ? ", " : "", (int)key, line,
                       (int)(length - key - 1), line + key + 1);
        line += length + (line[length] != '\0');
    }
    ag_text_add(text, "}");
}

/* The axes on which labels of the selected runs differ. More labels than those could not tell the
 * runs apart. */
static void add_varying(ag_text *text, const source *s)
{
    const ag_grid *grid = &s->results.grid;
    size_t shown = 0;
    for (size_t axis = 0; axis < grid->n_axes; axis++) {
        const char *first = NULL;
        bool varies = false;
        for (size_t i = 0; i < grid->n_labels; i++) {
            const char *point = grid->labels[i].values[axis].text;
            if (!s->selected[grid->labels[i].run])
                continue;
            first = first == NULL ? point : first;
            varies |= strcmp(first, point) != 0;
        }
        if (varies) {
            ag_text_add(text, shown++ > 0 ? ", " : "");
            ag_text_add_printable(text, grid->axes[axis].name);
        }
    }
}

/* --- by labels */

/* One label alone, so that a misspelt one is told with what was meant. The selector's own message
 * says which values there are. */
static ag_status check_label(source *s, const char *label)
{
    if (ag_select_runs(s->selected, &s->results.grid, &label, 1) == AG_OK)
        return AG_OK;
    bool is_seed = strncmp(label, "seed=", 5) == 0;
    const char *why = ag_arena_strdup(&s->arena, ag_error_message());
    ag_error_clear();
    return ag_fail(AG_ERR_INPUT, "model.init.where: %s: %.600s%s", s->path, why != NULL ? why : "",
                   is_seed ? "; a run starts from the source's run of its own seed, unless 'where' "
                             "names another, such as seed: 0"
                           : "");
}

/* Each label by itself first, since together they only say that nothing matches. */
static ag_status select_where(source *s, const char *where)
{
    size_t count = 0;
    char *lines = ag_arena_strdup(&s->arena, where);
    const char **labels = ag_arena_alloc(&s->arena, (strlen(where) + 1) * sizeof *labels);
    if (lines == NULL || labels == NULL)
        return no_memory();
    for (char *left = NULL, *line = strtok_r(lines, "\n", &left); line != NULL;
         line = strtok_r(NULL, "\n", &left)) {
        labels[count++] = line;
        AG_TRY(check_label(s, line));
    }
    return ag_select_runs(s->selected, &s->results.grid, labels, count);
}

/* Every label is known, and no run has all of them: excluded combinations are the usual reason. */
static ag_status tell_none(const source *s, const char *where)
{
    ag_text text;
    ag_text_init(&text);
    add_where(&text, where);
    ag_text_add(&text, "; its axes are ");
    add_axes(&text, &s->results.grid);
    ag_status status =
        ag_fail(AG_ERR_INPUT, "model.init.where: %s: no run has all of %.700s", s->path, text.data);
    ag_text_deinit(&text);
    return status;
}

/* Says which axes would settle it, and what there is to choose from. */
static ag_status tell_several(const source *s, size_t count, const char *where)
{
    ag_text text;
    ag_text_init(&text);
    add_where(&text, where);
    ag_text_add(&text, "; say which one by ");
    add_varying(&text, s);
    ag_text_add(&text, ": ");
    add_selected(&text, s);
    ag_status status = ag_fail(AG_ERR_INPUT, "model.init.where: %s: %zu runs have %.800s", s->path,
                               count, text.data);
    ag_text_deinit(&text);
    return status;
}

/* Weights of a run that diverged exist, and nobody who quantises trained models wants them. */
static ag_status check_done(const source *s, size_t run)
{
    static const char *const states[] = {[AG_RUN_DIVERGED] = "diverged",
                                         [AG_RUN_FAILED] = "failed",
                                         [AG_RUN_PENDING] = "is pending"};
    static const char *const cures[] = {
        [AG_RUN_DIVERGED] = "its weights are no trained model; name another run",
        [AG_RUN_FAILED] = "run its experiment again, or name another run",
        [AG_RUN_PENDING] = "run its experiment to the end, or name another run"};
    ag_run_status status = s->results.rows[run].status;
    if (status == AG_RUN_DONE)
        return AG_OK;
    return ag_fail(AG_ERR_INPUT, "model.init.where: %s: run %s (%.200s) %s: %s", s->path,
                   s->results.rows[run].id, s->names[run], states[status], cures[status]);
}

/* Exactly one: anything else is a question for the user. */
static ag_status find_where(char id[AG_ID_LENGTH + 1], source *s, const char *where)
{
    size_t count = 0;
    size_t run = 0;
    AG_TRY(select_where(s, where));
    for (size_t i = 0; i < s->results.grid.n_runs; i++) {
        count += s->selected[i];
        run = s->selected[i] ? i : run;
    }
    if (count != 1)
        return count == 0 ? tell_none(s, where) : tell_several(s, count, where);
    AG_TRY(check_done(s, run));
    snprintf(id, AG_ID_LENGTH + 1, "%s", s->results.rows[run].id);
    return AG_OK;
}

ag_status ag_init_run_where(char id[AG_ID_LENGTH + 1], const char *path, const char *where)
{
    source s;
    ag_status status = open_source(&s, path);
    if (status == AG_OK)
        status = find_where(id, &s, where);
    close_source(&s);
    return status;
}

/* --- the only one */

static ag_status tell_which(const source *s, size_t count)
{
    const ag_results *results = &s->results;
    size_t shown = 0;
    ag_text text;
    ag_text_init(&text);
    for (size_t i = 0; i < results->n_rows && shown < SHOWN_RUNS; i++) {
        const ag_result_row *row = &results->rows[i];
        if (ag_run_status_is_complete(row->status))
            add_run(&text, shown++, row->id, i < results->grid.n_runs ? s->names[i] : row->name);
    }
    add_rest(&text, count);
    ag_status status = ag_fail(AG_ERR_INPUT,
                               "%s holds %zu runs; say which one is meant by 'model.init.run: ID', "
                               "or by its labels, as in 'model.init.where: {format: BF16}': %.800s",
                               s->path, count, text.data);
    ag_text_deinit(&text);
    return status;
}

/* A run file has one run and no grid; it is not results, and is left to the reader of weights. */
ag_status ag_init_expect_one(const char *path)
{
    source s;
    size_t count = 0;
    ag_status status = open_source(&s, path);
    for (size_t i = 0; status == AG_OK && i < s.results.n_rows; i++)
        count += ag_run_status_is_complete(s.results.rows[i].status);
    if (status == AG_OK && count > 1)
        status = tell_which(&s, count);
    else if (status != AG_ERR_SYSTEM) {
        ag_error_clear(); /* one that is no results file may be a run file */
        status = AG_OK;
    }
    close_source(&s);
    return status;
}
