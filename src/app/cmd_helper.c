/* altgrad helper WORK: what `altgrad run` has done by another process (helper.h). */
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/commands.h"
#include "base/log.h"
#include "base/printable.h"
#include "helper.h"
#include "init_digest.h"
#include "plan.h"
#include "proc/child.h"
#include "results/guard.h"
#include "results/overview.h"
#include "results/publish.h"
#include "results/results.h"
#include "rounds.h"
#include "run/params.h"
#include "run/run_json.h"
#include "run_names.h"
#include "start_state.h"
#include "summary.h"
#include "wrong_file.h"

/* What is asked, and where what is found goes. One piece of work, from what was asked to what is
 * found. */
typedef struct errand {
    const char *name; /* of the work */
    const json_t *asked;
    ag_text value; /* JSON; empty: none */
    ag_arena arena;
} errand;

/* --- the line out */

/* In one write each: a crash cuts none, and children of ours write there too. A line in two writes
 * could be mixed with a child's. */
static bool write_line(ag_text *line)
{
    ag_text_add(line, "\n");
    bool written = !line->failed &&
                   write(AG_CHILD_RESULT_FD, line->data, line->length) == (ssize_t)line->length;
    ag_text_deinit(line);
    return written;
}

/* Messages may hold bytes of somebody else's file, and JSON is UTF-8. */
static void add_message(ag_text *line, const char *message)
{
    ag_text shown;
    ag_text_init(&shown);
    ag_text_add_printable_n(&shown, message, strlen(message), "\n\t");
    ag_json_string(line, shown.data);
    ag_text_deinit(&shown);
}

/* At once and not at the end: a crash that follows must not swallow the warning that explains it.
 */
static void take_log_line(ag_log_level level, const char *text)
{
    ag_text line;
    if (level == AG_LOG_ERROR) /* goes with the status */
        return;
    ag_text_init(&line);
    ag_text_add(&line, "{\"warning\": ");
    add_message(&line, text);
    ag_text_add(&line, "}");
    (void)write_line(&line);
}

/* Without this line the caller knows that the helper died, whatever its exit code says. */
static bool write_end(ag_status status)
{
    ag_text line;
    ag_text_init(&line);
    ag_text_printf(&line, "{\"status\": \"%s\", \"message\": ", ag_helper_status_words[status]);
    add_message(&line, ag_error_message());
    ag_text_add(&line, "}");
    return write_line(&line);
}

/* --- what is asked */

/* AG_ERR_BUG: only this program asks, and a missing key is its own fault. */
static ag_status get_text(const char **text, const errand *e, const char *key)
{
    *text = json_string_value(json_object_get(e->asked, key));
    return *text != NULL
               ? AG_OK
               : ag_fail(AG_ERR_BUG, "altgrad helper %s: no text '%s' is given", e->name, key);
}

static ag_status get_texts(ag_texts *texts, errand *e, const char *key)
{
    const json_t *array = json_object_get(e->asked, key);
    texts->count = json_array_size(array);
    texts->items = ag_arena_alloc(&e->arena, (texts->count + 1) * sizeof *texts->items);
    if (texts->items == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    for (size_t i = 0; i < texts->count; i++) {
        texts->items[i] = json_string_value(json_array_get(array, i));
        if (texts->items[i] == NULL)
            return ag_fail(AG_ERR_BUG, "altgrad helper %s: '%s' holds something else than texts",
                           e->name, key);
    }
    return AG_OK;
}

/* --- the work */

/* The name of the work is that of the task: helper.c has both. */
static ag_status do_store_work(errand *e)
{
    const char *out;
    const char *token;
    size_t task = 0;
    AG_TRY(get_text(&out, e, "out"));
    AG_TRY(get_text(&token, e, "token"));
    while (strcmp(ag_helper_task_names[task], e->name) != 0)
        task++;
    AG_TRY(ag_app_expect_results(out));
    return ag_results_work((ag_store_task)task, out, token);
}

/* Ids as keys, so that the caller looks them up in a hash table instead of searching a list for
 * each run. */
static ag_status list_holdings(errand *e)
{
    const char *out;
    ag_ids complete = {0};
    AG_TRY(get_text(&out, e, "out"));
    ag_status status = ag_results_completed(&complete, out, &e->arena);
    if (status != AG_OK && status != AG_ERR_FILE)
        return status;
    ag_error_clear(); /* of a damaged file `run` takes what is good, and tells */
    ag_text_add(&e->value, "{");
    for (size_t i = 0; i < complete.count; i++)
        ag_text_printf(&e->value, "%s\"%s\": true", i > 0 ? ", " : "", complete.id[i]);
    ag_text_add(&e->value, "}");
    return AG_OK;
}

/* `watch` where it could be read: else a run that is complete counts as done. */
static ag_run_status status_of(const ag_ids *complete, const ag_overview *watch, const char *id)
{
    if (!ag_ids_have(complete, id))
        return AG_RUN_PENDING;
    for (size_t i = 0; watch != NULL && i < watch->n_runs; i++) {
        if (strcmp(watch->runs[i].id, id) == 0)
            return watch->runs[i].status == AG_RUN_DIVERGED ? AG_RUN_DIVERGED : AG_RUN_DONE;
    }
    return AG_RUN_DONE;
}

/* Names are the user's, and may hold anything. */
static void add_former_run(ag_text *text, const char *id, const char *state, const char *name)
{
    bool first = text->data[text->length - 1] == '[';
    ag_text_printf(text, "%s{\"id\": \"%s\", \"state\": \"%s\", \"name\": ", first ? "" : ", ", id,
                   state);
    add_message(text, name);
    ag_text_add(text, "}");
}

/* As much as can be read: where the overview fails, states are guessed and nothing is refused. */
static ag_status list_former(errand *e)
{
    const char *out;
    ag_inventory held;
    ag_overview watch;
    ag_ids orphans;
    ag_text *text = &e->value;
    AG_TRY(get_text(&out, e, "out"));
    AG_TRY(ag_results_inventory(&held, out, &e->arena));
    AG_TRY(ag_ids_orphans(&orphans, &held.complete, &held.grid, &e->arena));
    const char **runs = ag_run_names(&held.grid, &e->arena);
    if (runs == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    bool watched = ag_overview_open(&watch, out) == AG_OK;
    ag_error_clear();
    ag_text_printf(text, "{\"checkpoints\": %zu, \"numerics\": %lld, \"experiment\": ",
                   held.n_checkpoints, (long long)held.grid.numerics);
    add_message(text, held.grid.name);
    ag_text_add(text, ", \"runs\": [");
    for (size_t i = 0; i < held.grid.n_runs; i++) {
        const char *id = held.grid.runs[i].id;
        ag_run_status status = status_of(&held.complete, watched ? &watch : NULL, id);
        add_former_run(text, id, ag_run_status_words[status], runs[i]);
    }
    for (size_t i = 0; i < orphans.count; i++)
        add_former_run(text, orphans.id[i], "orphan", "");
    ag_text_add(text, "]}");
    if (watched)
        ag_overview_close(&watch);
    return AG_OK;
}

/* The very code of `altgrad plan`, so that both commands judge alike. */
static ag_status warn_of_less(errand *e)
{
    ag_plan_options options = {.ranks = 1, .less = true};
    AG_TRY(get_text(&options.file, e, "file"));
    AG_TRY(get_text(&options.out, e, "out"));
    AG_TRY(get_texts(&options.sets, e, "sets"));
    AG_TRY(get_texts(&options.only, e, "only"));
    return ag_plan_show(&options);
}

/* Flushed here: a child leaves by _exit. */
static ag_status show_summary(errand *e)
{
    const char *out;
    AG_TRY(get_text(&out, e, "out"));
    AG_TRY(ag_app_expect_results(out));
    AG_TRY(ag_summary_show(out, &(ag_summary_view){0}));
    return fflush(stdout) == 0 ? AG_OK : ag_fail_errno("cannot write to standard output");
}

/* What the next round takes. */
static ag_status find_rounds(errand *e)
{
    const char *out;
    ag_results results;
    ag_summary summary;
    AG_TRY(get_text(&out, e, "out"));
    AG_TRY(ag_results_open(&results, out));
    ag_status status = ag_summary_make(&summary, &results, NULL);
    if (status == AG_OK) {
        ag_text_add(&e->value, "{\"experiment\": ");
        ag_json_string(&e->value, results.grid.name);
        ag_rounds_json(&e->value, &summary);
        ag_text_add(&e->value, "}");
        ag_summary_deinit(&summary);
    }
    ag_results_close(&results);
    return status;
}

/* A run of which nothing is set but the model, which is what the tensors depend on, and where they
 * are. */
static ag_status get_model(ag_run *run, errand *e)
{
    const char *key;
    const json_t *setting;
    ag_run_defaults(run);
    run->facts.vocab_size = json_integer_value(json_object_get(e->asked, "vocab_size"));
    json_object_foreach((json_t *)json_object_get(e->asked, "settings"), key, setting)
    {
        const ag_param *param = ag_param_find(key);
        if (param == NULL || !json_is_string(setting))
            return ag_fail(AG_ERR_BUG, "altgrad helper %s: '%s' sets no parameter", e->name, key);
        AG_TRY(ag_param_set(run, param, json_string_value(setting), &e->arena));
    }
    return AG_OK;
}

static ag_status find_start(errand *e)
{
    ag_run run;
    ag_start_found found;
    AG_TRY(get_model(&run, e));
    AG_TRY(ag_start_find_here(&found, &run, NULL));
    ag_text_printf(&e->value,
                   "{\"digest\": \"%s\", \"run\": \"%s\", \"step\": %lld, "
                   "\"optimizer\": %lld, \"has_lost\": %s}",
                   found.digest, found.run, (long long)found.step, (long long)found.optimizer,
                   found.has_lost ? "true" : "false");
    return AG_OK;
}

static ag_status find_weights(errand *e)
{
    ag_run run;
    ag_init_weights found;
    AG_TRY(get_model(&run, e));
    AG_TRY(ag_init_find_here(&found, &run, NULL));
    ag_text_printf(&e->value, "{\"digest\": \"%s\", \"run\": \"%s\"}", found.digest, found.run);
    return AG_OK;
}

static const struct work {
    const char *name;
    ag_status (*run)(errand *e);
    bool is_guarded; /* done in a child: libhdf5 may crash. Work of the store guards itself */
} s_works[] = {
    {"prepare",  do_store_work, false},
    {"unpack",   do_store_work, false},
    {"publish",  do_store_work, false},
    {"pack",     do_store_work, false},
    {"holdings", list_holdings, true },
    {"former",   list_former,   true },
    {"rounds",   find_rounds,   true },
    {"less",     warn_of_less,  true },
    {"summary",  show_summary,  true },
    {"weights",  find_weights,  true },
    {"start",    find_start,    true },
};

/* --- all of it */

/* By the word in argv, which `ps` shows. */
static const struct work *find_work(const char *name)
{
    for (size_t i = 0; i < sizeof s_works / sizeof s_works[0]; i++) {
        if (strcmp(s_works[i].name, name) == 0)
            return &s_works[i];
    }
    return NULL;
}

typedef struct call {
    const struct work *work;
    const json_t *asked;
} call;

/* In the process that does the work: what a guarded child has in memory is lost. So the value is
 * written there, too. */
static ag_status do_work(void *context)
{
    const call *c = context;
    errand e = {.name = c->work->name, .asked = c->asked};
    ag_text_init(&e.value);
    ag_arena_init_growing(&e.arena);
    ag_status status = c->work->run(&e);
    if (status == AG_OK && e.value.length > 0) {
        ag_text line;
        ag_text_init(&line);
        ag_text_printf(&line, "{\"value\": %s}", e.value.data);
        line.failed = line.failed || e.value.failed;
        if (!write_line(&line))
            status = ag_fail_errno("cannot hand over what altgrad helper %s found", e.name);
    }
    ag_arena_deinit(&e.arena);
    ag_text_deinit(&e.value);
    return status;
}

/* Not for people: started by hand, it says so instead of waiting for input. */
int ag_cmd_helper(int argc, char **argv)
{
    json_error_t error;
    const struct work *work = argc == 2 ? find_work(argv[1]) : NULL;
    if (work == NULL || fcntl(AG_CHILD_RESULT_FD, F_GETFL) < 0) /* nowhere to answer */
        return ag_app_usage("helper", "'altgrad run' starts it");
    json_t *asked = json_loadf(stdin, 0, &error);
    call c = {.work = work, .asked = asked};
    ag_log_to(take_log_line);
    ag_status status;
    if (asked == NULL)
        status = ag_fail(AG_ERR_BUG, "altgrad helper %s: what is asked is no JSON: %s", work->name,
                         error.text);
    else
        status = work->is_guarded ? ag_guard(do_work, &c) : do_work(&c);
    json_decref(asked);
    if (write_end(status))
        return AG_EXIT_OK;
    ag_log_to(NULL);
    return ag_app_exit(
        ag_fail_errno("altgrad helper %s: cannot hand over how it ended", work->name));
}
