/* `altgrad status --json`, for scripts: the same reading as the text's, with everything that the
 * text cuts. Members are added and never renamed; what is not known is null. */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "claims.h"
#include "rounds.h"
#include "status_report.h"

/* More than the text shows: a script may look for one. */
enum { EVENTS = 20 };

/* JSON has no NaN. */
static json_t *number_of(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

/* A text as JSON can hold it. Hosts and names come from elsewhere. */
static json_t *text_of(const char *text)
{
    json_t *value = json_string(text);
    return value != NULL ? value : json_string("(not UTF-8)");
}

static json_t *counts_of(const ag_overview *watch)
{
    ag_status_counts counts = ag_status_count(watch);
    json_t *object = json_pack("{s:I}", "total", (json_int_t)(watch->n_runs - counts.elsewhere));
    for (size_t status = 0; status < AG_RUN_STATUSES; status++)
        json_object_set_new(object, ag_run_status_words[status],
                            json_integer((json_int_t)counts.of[status]));
    json_t *rest =
        json_pack("{s:I, s:I, s:I}", "running", (json_int_t)counts.running, "other_shards",
                  (json_int_t)counts.elsewhere, "orphans", (json_int_t)watch->n_orphans);
    json_object_update(object, rest);
    json_decref(rest);
    return object;
}

/* null where nobody writes, so that a script has one question to ask. */
static json_t *owner_of(const ag_overview *watch)
{
    const ag_owner_view *owner = &watch->owner;
    if (owner->life == AG_LIFE_NONE)
        return json_null();
    return json_pack("{s:o, s:I, s:o, s:s, s:f}", "host", text_of(owner->host), "pid",
                     (json_int_t)owner->pid, "job", text_of(owner->job), "life",
                     ag_status_life(owner->life), "heartbeat_age_s", owner->silence_s);
}

static json_t *running_of(const ag_live *live)
{
    json_t *list = json_array();
    for (size_t i = 0; i < live->n_running; i++) {
        const ag_live_run *run = &live->running[i];
        json_array_append_new(
            list, json_pack("{s:I, s:o, s:I, s:I, s:o, s:f, s:o, s:b}", "rank",
                            (json_int_t)run->rank, "run", text_of(run->id), "step",
                            (json_int_t)run->step, "steps", (json_int_t)run->steps, "loss",
                            number_of(run->loss), "seconds", run->seconds, "tokens_per_s",
                            number_of(run->tokens_per_s), "evaluating", (int)run->evaluating));
    }
    return list;
}

static json_t *live_of(const ag_live *live)
{
    if (live == NULL)
        return json_null();
    return json_pack("{s:b, s:f, s:f, s:f, s:o, s:I, s:I, s:o}", "stopping", (int)live->stopping,
                     "written_s", live->now_s, "began_s", live->began_s, "share", live->share,
                     "eta_s", number_of(ag_status_eta_s(live)), "ranks", (json_int_t)live->ranks,
                     "waiting", (json_int_t)live->waiting, "running", running_of(live));
}

/* All of them, unlike the text. */
static json_t *failures_of(ag_overview *watch)
{
    json_t *list = json_array();
    for (size_t i = 0; i < watch->n_runs; i++) {
        const ag_overview_run *run = &watch->runs[i];
        char log[4096];
        if (run->status != AG_RUN_FAILED)
            continue;
        bool logged = ag_overview_log(log, sizeof log, watch, run->id);
        json_array_append_new(list, json_pack("{s:o, s:o, s:o, s:o}", "run", text_of(run->id),
                                              "name", text_of(run->name), "reason",
                                              text_of(ag_overview_reason(watch, run)), "log",
                                              logged ? text_of(log) : json_null()));
    }
    return list;
}

static json_t *checkpoints_of(const ag_overview *watch)
{
    json_t *list = json_array();
    for (size_t i = 0; i < watch->n_runs; i++) {
        const ag_overview_run *run = &watch->runs[i];
        if (run->step > 0)
            json_array_append_new(
                list, json_pack("{s:o, s:o, s:I, s:o}", "run", text_of(run->id), "name",
                                text_of(run->name), "step", (json_int_t)run->step, "steps",
                                run->steps > 0 ? json_integer(run->steps) : json_null()));
    }
    return list;
}

/* As they stand in the file; a line that is no JSON is left out. */
static json_t *events_of(const ag_overview *watch)
{
    json_t *list = json_array();
    const char *line = ag_status_last_events(watch, EVENTS);
    for (const char *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        json_t *event = json_loadb(line, (size_t)(end - line), 0, NULL);
        if (event != NULL)
            json_array_append_new(list, event);
    }
    return list;
}

/* In one reading of the results. */
static void add_judged(ag_text *out, const ag_summary *summary)
{
    ag_claims_json(out, summary);
    ag_rounds_json(out, summary);
}

/* The exit code is in it too: through a pipe it would be lost. Claims and rounds are a text, the
 * same as in `summary --json`: they go in before the object's last brace. */
void ag_status_json(ag_text *out, ag_overview *watch)
{
    ag_status_counts counts = ag_status_count(watch);
    json_t *object =
        json_pack("{s:o, s:o, s:s, s:i, s:o, s:o, s:o, s:o, s:o, s:o}", "experiment",
                  text_of(watch->experiment), "results", text_of(watch->path), "state",
                  watch->packed ? "packed" : "spooled", "exit_code",
                  ag_status_exit(&counts, watch->path), "runs", counts_of(watch), "owner",
                  owner_of(watch), "live", live_of(watch->live), "checkpoints",
                  checkpoints_of(watch), "failed", failures_of(watch), "events", events_of(watch));
    char *text =
        object != NULL ? json_dumps(object, JSON_INDENT(1) | JSON_REAL_PRECISION(12)) : NULL;
    if (text != NULL) {
        ag_text_add_n(out, text, strlen(text) - strlen("\n}"));
        ag_claims_of_results(out, watch->path, add_judged);
        ag_text_add(out, "\n}\n");
    }
    out->failed = out->failed || text == NULL;
    free(text);
    json_decref(object);
}
