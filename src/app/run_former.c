/* Whose results these are: no experiment takes over another's file unasked, and runs that an edited
 * experiment no longer names are told before anything is trained. Results are found by the names of
 * files, and names are easily mistyped or reused: this is where a wrong -o is noticed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "run/run_json.h"
#include "run/run_status.h"
#include "run_former.h"
#include "run_self.h"

/* What lies at the path, as a helper tells it. Its texts are borrowed from the answer. */
typedef struct former {
    const char *experiment; /* "" where there is nothing */
    long checkpoints;
    long numerics; /* of the runs that were named then */
    size_t complete;
    size_t common;       /* runs that this experiment names too */
    size_t n_left;       /* complete, named then, and not named now */
    const char *left[4]; /* what the first of them are called */
} former;

enum { SHOWN = sizeof((former *)0)->left / sizeof((former *)0)->left[0] };

/* n_runs where there is none. Linear: asked once per run at the start. */
static size_t find_run(const ag_grid *grid, const char *id)
{
    size_t run = 0;
    while (run < grid->n_runs && strncmp(grid->runs[run].id, id, AG_ID_LENGTH) != 0)
        run++;
    return run;
}

/* Also notes which of this experiment's runs diverged before, for the counts that are shown. */
static void take_run(former *f, const json_t *object, ag_run_session *session)
{
    const char *id = json_string_value(json_object_get(object, "id"));
    const char *state = json_string_value(json_object_get(object, "state"));
    const char *name = json_string_value(json_object_get(object, "name"));
    if (id == NULL || state == NULL || name == NULL)
        return;
    size_t run = find_run(session->grid, id);
    bool is_named = run < session->grid->n_runs;
    ag_run_status status = ag_run_status_of(state); /* of an orphan: none of ours */
    f->complete += status != AG_RUN_PENDING;
    f->common += is_named;
    if (is_named)
        session->tasks[run].was_complete = status != AG_RUN_PENDING;
    if (is_named)
        session->tasks[run].was_diverged = status == AG_RUN_DIVERGED;
    if (!ag_run_status_is_complete(status) || is_named)
        return;
    if (f->n_left < SHOWN)
        f->left[f->n_left] = name;
    f->n_left++;
}

/* What is missing in the answer counts as nothing: this is for warnings. */
static void take(former *f, const json_t *value, ag_run_session *session)
{
    const json_t *runs = json_object_get(value, "runs");
    const char *experiment = json_string_value(json_object_get(value, "experiment"));
    f->checkpoints = (long)json_integer_value(json_object_get(value, "checkpoints"));
    f->numerics = (long)json_integer_value(json_object_get(value, "numerics"));
    f->experiment = experiment != NULL ? experiment : "";
    for (size_t i = 0; i < json_array_size(runs); i++)
        take_run(f, json_array_get(runs, i), session);
}

/* Then every id is another, whatever the experiment says. */
static bool is_older(const former *f)
{
    return f->numerics < AG_NUMERICS_VERSION;
}

/* Names the experiment that is there, how much would be orphaned, and both ways out. */
static ag_status refuse(const ag_run_session *session, const former *f)
{
    return ag_fail(AG_ERR_INPUT,
                   "%s holds the results of the experiment '%s' (%zu complete run%s), and '%s' has "
                   "no run in common with it. Give this experiment a file of its own: -o OUT, or "
                   "output.file in %s. Or let it take this one with --replace: the runs of '%s' "
                   "stay in it as orphans until 'altgrad prune'",
                   session->out, f->experiment, f->complete, f->complete == 1 ? "" : "s",
                   session->grid->name, session->options->file, f->experiment);
}

/* Why they are orphans now. */
static void add_reason(ag_text *text, const ag_run_session *session, const former *f)
{
    bool one = f->n_left == 1;
    ag_text_printf(text, "%zu complete run%s of %s %s ", f->n_left, one ? "" : "s", session->out,
                   is_older(f) ? (one ? "was" : "were") : (one ? "is" : "are"));
    if (is_older(f))
        ag_text_printf(text, "made by numerics %ld", f->numerics);
    else
        ag_text_add(text, "no longer named by the experiment");
    for (size_t i = 0; i < f->n_left && i < SHOWN; i++)
        ag_text_printf(text, "%s%s", i > 0 ? ", " : " (", f->left[i]);
    if (f->n_left > SHOWN)
        ag_text_printf(text, " and %zu more", f->n_left - SHOWN);
    ag_text_add(text, ")");
    if (is_older(f))
        ag_text_printf(text,
                       "; this altgrad computes numerics %d, with other bits, so what the "
                       "experiment names is trained again",
                       AG_NUMERICS_VERSION);
}

/* Before anything is trained: whoever edited the file by mistake can still stop. */
static void tell(const ag_run_session *session, const former *f)
{
    ag_text text;
    ag_text_init(&text);
    bool one = f->n_left == 1;
    add_reason(&text, session, f);
    ag_text_printf(&text, ": %s as %s, apart from the others, until 'altgrad prune %s' removes %s",
                   one ? "it stays" : "they stay", one ? "an orphan" : "orphans", session->out,
                   one ? "it" : "them");
    if (is_older(f))
        ag_text_printf(&text,
                       ". To leave %s as it is, stop this and give the new runs a file of their "
                       "own: -o OUT",
                       session->out);
    ag_display_event(session->display, AG_LOG_WARNING, "%s", text.data);
    ag_text_deinit(&text);
}

/* Nothing goes on with them: the ids are others. They would be refused one by one, hours later. */
static void tell_checkpoints(const ag_run_session *session, const former *f)
{
    ag_display_event(session->display, AG_LOG_WARNING,
                     "%ld checkpoint%s of %s %s made by numerics %ld; this altgrad computes "
                     "numerics %d, with other bits: those runs begin anew, and 'altgrad prune %s' "
                     "removes the checkpoint%s",
                     f->checkpoints, f->checkpoints == 1 ? "" : "s", session->out,
                     f->checkpoints == 1 ? "was" : "were", f->numerics, AG_NUMERICS_VERSION,
                     session->out, f->checkpoints == 1 ? "" : "s");
}

/* Whether there is anything at the path: no child need look for nothing. Starting one takes as long
 * as all else before the ranks are asked. */
static bool is_new(const char *out)
{
    char grid[AG_PROGRAM_PATH];
    snprintf(grid, sizeof grid, "%.*s.d/grid.json", AG_PROGRAM_PATH - 16, out);
    return access(out, F_OK) != 0 && access(grid, F_OK) != 0;
}

/* One run in common is enough: then it is this experiment, edited. None in common under the same
 * name is it too, as when a parameter of all runs was changed. */
static ag_status judge(ag_run_session *session, const former *f)
{
    bool holds = f->complete > 0 || f->checkpoints > 0;
    if (holds && f->common == 0 && strcmp(f->experiment, session->grid->name) != 0 &&
        !session->options->replace)
        return refuse(session, f);
    if (f->n_left > 0)
        tell(session, f);
    if (f->checkpoints > 0 && is_older(f))
        tell_checkpoints(session, f);
    return AG_OK;
}

/* Before the ranks are asked, so that a wrong -o costs no survey. */
ag_status ag_run_check_former(ag_run_session *session)
{
    json_t *value = NULL;
    former f = {.experiment = ""};
    if (is_new(session->out))
        return AG_OK;
    if (ag_helper_of_results(&value, "former", session->out, AG_CHILD_SILENT) != AG_OK) {
        ag_error_clear(); /* what cannot be read is told by the store */
        return AG_OK;
    }
    take(&f, value, session);
    ag_status status = judge(session, &f);
    json_decref(value);
    return status;
}

/* Selectors and settings hold anything. */
static void ask_list(ag_text *asked, const char *key, const ag_texts *texts)
{
    ag_text_printf(asked, ", \"%s\": [", key);
    for (size_t i = 0; i < texts->count; i++) {
        ag_text_add(asked, i > 0 ? ", " : "");
        ag_json_string(asked, texts->items[i]);
    }
    ag_text_add(asked, "]");
}

/* No trouble with it is worth an error: it warns of something that is allowed. */
void ag_run_warn_of_less(const ag_run_session *session)
{
    const ag_run_options *options = session->options;
    ag_text asked;
    ag_text_init(&asked);
    ag_text_add(&asked, "{");
    ag_helper_ask(&asked, "file", options->file);
    ag_helper_ask(&asked, "out", session->out);
    ask_list(&asked, "sets", &options->sets);
    ask_list(&asked, "only", &options->only);
    ag_text_add(&asked, "}");
    if (ag_helper_do(NULL, "less", &asked, AG_CHILD_SILENT) != AG_OK)
        ag_error_clear();
    ag_text_deinit(&asked);
}
