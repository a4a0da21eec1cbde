/* altgrad status: where an experiment stands, read beside it. Everything that is shown comes from
 * plain files that the owner writes anyway, so that asking costs the experiment nothing, from
 * whatever host; HDF5 is opened only when the results are packed and nobody writes them.
 *
 * Text and JSON are made from one reading (ag_overview), and what both must agree on stands first.
 */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "app/commands.h"
#include "base/clock.h"
#include "base/duration.h"
#include "base/printable.h"
#include "claims.h"
#include "command_line.h"
#include "rounds.h"
#include "status_report.h"
#include "wrong_file.h"

/* A heartbeat comes every half minute: one that is not much older is no news. */
enum {
    SHOWN_FAILURES = 20,
    SHOWN_EVENTS = 5,
    SHOWN_RUNNING = 40,
    LATE_HEARTBEAT_S = 60,
    WATCHED_EVERY_S = 2
};

typedef struct status_options {
    bool json;
    bool watch;
} status_options;

static const ag_option s_options[] = {
    {"--json",  "the same as JSON, with every failure",          AG_FLAG(status_options, json) },
    {"--watch", "again every two seconds, until nobody runs it", AG_FLAG(status_options, watch)},
};

static const ag_command_line s_line = {
    .command = "status",
    .usage = "usage: altgrad status OUT [--json | --watch]\n\n"
             "Where the experiment behind a results file stands, from any shell and any host that\n"
             "sees the file: how many runs are done, what runs now, who runs it, what failed and\n"
             "where its log is. It costs the running experiment nothing.\n\n",
    .column = 11,
    .n_options = sizeof s_options / sizeof s_options[0],
    .options = s_options,
    .notes = "\nExit codes: 0 complete (all done or diverged), 1 complete but some runs failed,\n"
             "75 work left, 2 bad input or no such file, 3 environment.\n\n"
             "example: altgrad status results/quickstart.h5\n",
};

/* --- what text and JSON share */

/* Runs of other shards are counted apart: this file's exit code is about this shard's work. */
ag_status_counts ag_status_count(const ag_overview *watch)
{
    ag_status_counts counts = {.running = watch->live != NULL ? watch->live->n_running : 0};
    for (size_t i = 0; i < watch->n_runs; i++) {
        const ag_overview_run *run = &watch->runs[i];
        counts.elsewhere += run->elsewhere;
        counts.of[run->status] += !run->elsewhere;
        counts.begun += !run->elsewhere && run->status == AG_RUN_PENDING && run->step > 0;
    }
    return counts;
}

/* The codes of `altgrad run`, so that a script may ask either of them whether there is work left.
 */
int ag_status_exit(const ag_status_counts *counts, const char *path)
{
    if (counts->of[AG_RUN_PENDING] > 0 || ag_rounds_go_on(path))
        return AG_EXIT_AGAIN;
    return counts->of[AG_RUN_FAILED] > 0 ? AG_EXIT_FAILED : AG_EXIT_OK;
}

/* "alive" is also said of an owner that cannot be asked but gave a sign of life not long ago. */
const char *ag_status_life(ag_life life)
{
    if (life == AG_LIFE_DEAD)
        return "dead";
    return life == AG_LIFE_SILENT ? "silent" : "alive";
}

/* From what this owner did in its own time: steps that stood in checkpoints say nothing about its
 * speed. */
double ag_status_eta_s(const ag_live *live)
{
    double elapsed = live->now_s - live->began_s;
    double done = live->share - live->before; /* by this owner */
    if (live->share >= 1.0)
        return 0.0;
    return done > 0.0 ? elapsed * (1.0 - live->share) / done : NAN;
}

const char *ag_status_last_events(const ag_overview *watch, size_t count)
{
    const char *text = watch->events.data;
    const char *at = text + watch->events.length;
    while (at > text && (at[-1] != '\n' || count-- > 0)) /* a line cut off at the end is no line */
        at--;
    return at;
}

/* --- as text */

static void add_duration(ag_text *out, double seconds)
{
    char text[AG_DURATION_TEXT];
    ag_text_add(out, ag_duration_short(text, seconds));
}

/* Every status, also with 0, as the numbers add up to the total before them. */
static void add_counts(ag_text *out, const ag_overview *watch)
{
    ag_status_counts counts = ag_status_count(watch);
    ag_text_printf(out, "runs      %zu", watch->n_runs - counts.elsewhere);
    for (size_t status = 0; status < AG_RUN_STATUSES; status++)
        ag_text_printf(out, "%s %zu %s", status == 0 ? ":" : ",", counts.of[status],
                       ag_run_status_words[status]);
    if (counts.running > 0 && watch->live->waiting > 0)
        ag_text_printf(out, " (%zu of them running, %lld waiting for a trunk)", counts.running,
                       (long long)watch->live->waiting);
    else if (counts.running > 0)
        ag_text_printf(out, " (%zu of them running)", counts.running);
    else if (counts.begun > 0)
        ag_text_printf(out, " (%zu of them with a checkpoint)", counts.begun);
    if (counts.elsewhere > 0)
        ag_text_printf(out, "; %zu are other shards'", counts.elsewhere);
    if (watch->n_orphans > 0)
        ag_text_printf(out, "; %zu that the experiment no longer names", watch->n_orphans);
    ag_text_add(out, "\n");
}

/* A few by name: enough to recognise what was edited away. */
static void add_orphans(ag_text *out, const ag_overview *watch)
{
    enum { MOST = 5 };
    for (size_t i = 0; i < watch->n_orphans && i < MOST; i++)
        ag_text_printf(out, "%s%s %s\n", i == 0 ? "orphans   " : "          ", watch->orphans[i].id,
                       watch->orphans[i].name);
    if (watch->n_orphans > MOST)
        ag_text_printf(out, "          and %zu more; 'altgrad prune' lists and removes them\n",
                       watch->n_orphans - MOST);
}

/* Since 1970: the clock of the calendar, as the owner's "began" may be one of another host. */
static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* What somebody needs who wants to find the process, and what to do where it is gone. */
static void add_owner(ag_text *out, const ag_overview *watch)
{
    const ag_owner_view *owner = &watch->owner;
    if (owner->life == AG_LIFE_NONE) {
        ag_text_add(out, "owner     nobody: it is not running\n");
        return;
    }
    ag_text_printf(out, "owner     host %s, pid %ld%s", owner->host, owner->pid, owner->where);
    if (strcmp(owner->job, "-") != 0)
        ag_text_printf(out, ", job %s", owner->job);
    if (owner->life ==
        AG_LIFE_HERE) /* its process is there: how old its heartbeat is says nothing */
        ag_text_add(out, ", alive");
    if (watch->live != NULL) {
        ag_text_add(out, ", running for ");
        add_duration(out, fmax(seconds_now() - watch->live->began_s, 0.0));
    }
    if (owner->life != AG_LIFE_HERE && owner->silence_s >= LATE_HEARTBEAT_S) {
        ag_text_add(out, "; no heartbeat for ");
        add_duration(out, owner->silence_s);
    }
    ag_text_add(out, "\n");
    if (owner->life == AG_LIFE_DEAD)
        ag_text_add(out,
                    "          that process is gone: it was killed. 'altgrad run' goes on from "
                    "what is complete\n");
    else if (owner->life == AG_LIFE_SILENT)
        ag_text_add(out, "          it is probably dead; 'altgrad run' takes over\n");
}

/* The rate is the sum over the ranks: it is the experiment's, and falls when a rank stops. */
static void add_progress(ag_text *out, const ag_live *live)
{
    double eta = ag_status_eta_s(live);
    double rate = 0.0;
    for (size_t i = 0; i < live->n_running; i++)
        rate += live->running[i].tokens_per_s;
    ag_text_printf(out, "progress  %.1f %% of its work, ETA ", 100.0 * live->share);
    if (isnan(eta))
        ag_text_add(out, "?");
    else
        add_duration(out, eta);
    ag_text_printf(out, ", %.0f tokens/s; %lld at a time%s\n", rate, (long long)live->ranks,
                   live->stopping ? "; it is stopping" : "");
}

/* "" for a run that the plan does not have, such as one of an earlier experiment in the events. */
static const char *name_of(const ag_overview *watch, const char *id)
{
    for (size_t i = 0; i < watch->n_runs; i++) {
        if (strcmp(watch->runs[i].id, id) == 0)
            return watch->runs[i].name;
    }
    return "";
}

/* At most so many as fit a screen: a job of a thousand ranks has its JSON. */
static void add_running(ag_text *out, const ag_overview *watch)
{
    const ag_live *live = watch->live;
    ag_text_printf(out, "\n%4s  %-12s  %15s  %8s  %9s  %8s  name\n", "rank", "running", "step",
                   "loss", "tokens/s", "seconds");
    for (size_t i = 0; i < live->n_running && i < SHOWN_RUNNING; i++) {
        const ag_live_run *run = &live->running[i];
        char step[48];
        char loss[32] = "-";
        snprintf(step, sizeof step, "%lld/%lld", (long long)run->step, (long long)run->steps);
        if (!isnan(run->loss))
            snprintf(loss, sizeof loss, "%.4f", run->loss);
        ag_text_printf(out, "%4lld  %-12s  %15s  %8s  %9.0f  %8.1f  %s%s\n", (long long)run->rank,
                       run->id, run->steps > 0 ? step : "starting", loss, run->tokens_per_s,
                       run->seconds, name_of(watch, run->id),
                       run->evaluating ? " (evaluating)" : "");
    }
    if (live->n_running > SHOWN_RUNNING)
        ag_text_printf(out, "      and %zu more (--json shows all)\n",
                       live->n_running - SHOWN_RUNNING);
}

/* The first line of the reason and the log's path: the rest is a look away. */
static void add_failures(ag_text *out, ag_overview *watch)
{
    size_t shown = 0;
    for (size_t i = 0; i < watch->n_runs; i++) {
        const ag_overview_run *run = &watch->runs[i];
        char log[4096];
        if (run->status != AG_RUN_FAILED || ++shown > SHOWN_FAILURES)
            continue;
        const char *reason = ag_overview_reason(watch, run);
        ag_text_printf(out, "%s%s  %s: %.*s\n", shown == 1 ? "\nfailed\n" : "", run->id, run->name,
                       (int)strcspn(reason, "\n"), reason);
        if (ag_overview_log(log, sizeof log, watch, run->id))
            ag_text_printf(out, "              log: %s\n", log);
    }
    if (shown > SHOWN_FAILURES)
        ag_text_printf(out, "and %zu more (--json shows all)\n", shown - SHOWN_FAILURES);
}

/* A run at work has a checkpoint too, which is not what it would go on from now. */
static bool is_running(const ag_overview *watch, const char *id)
{
    for (size_t i = 0; watch->live != NULL && i < watch->live->n_running; i++) {
        if (strcmp(watch->live->running[i].id, id) == 0)
            return true;
    }
    return false;
}

/* Runs that wait with part of their work behind them. They are the reason not to delete anything by
 * hand. */
static void add_begun(ag_text *out, const ag_overview *watch)
{
    size_t shown = 0;
    for (size_t i = 0; i < watch->n_runs; i++) {
        const ag_overview_run *run = &watch->runs[i];
        char steps[32] = "";
        if (run->step == 0 || is_running(watch, run->id) || ++shown > SHOWN_RUNNING)
            continue;
        if (run->steps > 0)
            snprintf(steps, sizeof steps, " of %lld", (long long)run->steps);
        ag_text_printf(out, "%s%s  step %lld%s  %s\n",
                       shown == 1 ? "\ncheckpoints, from which 'altgrad run' continues\n" : "",
                       run->id, (long long)run->step, steps, run->name);
    }
    if (shown > SHOWN_RUNNING)
        ag_text_printf(out, "and %zu more (--json shows all)\n", shown - SHOWN_RUNNING);
}

/* Of a run, a rank, or the whole experiment. A line that cannot be read is left out: events are for
 * people. */
static void add_event(ag_text *out, const ag_overview *watch, const char *line, size_t length)
{
    const char *when = "";
    const char *what = "";
    const char *id = "";
    const char *reason = "";
    int rank = -1;
    json_t *event = json_loadb(line, length, 0, NULL);
    if (event == NULL)
        return;
    json_unpack(event, "{s?s, s?s, s?s, s?i, s?s}", "time", &when, "event", &what, "run", &id,
                "rank", &rank, "reason", &reason);
    if (strcmp(what, "drained") == 0) /* the name that it has in events.jsonl */
        what = "stopping: no further run starts";
    ag_text_printf(out, "%s  %s", when, what);
    if (id[0] != '\0')
        ag_text_printf(out, " %s %s", id, name_of(watch, id));
    else if (rank >= 0)
        ag_text_printf(out, " rank %d", rank);
    ag_text_printf(out, "%s%.*s\n", reason[0] != '\0' ? ": " : "", (int)strcspn(reason, "\n"),
                   reason);
    json_decref(event);
}

/* The last ones, which say why it stands where it stands. */
static void add_events(ag_text *out, const ag_overview *watch)
{
    const char *line = ag_status_last_events(watch, SHOWN_EVENTS);
    const char *title = "\nlast events\n";
    for (const char *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        ag_text_add(out, title);
        add_event(out, watch, line, (size_t)(end - line));
        title = "";
    }
}

/* In the order of the questions: how much is done, who does it, what is wrong, what happened. */
static void add_report(ag_text *out, ag_overview *watch)
{
    ag_text_add_printable(out, watch->experiment);
    ag_text_printf(out, ": %s (%s)\n", watch->path,
                   watch->packed ? "packed" : "weights in its run files");
    add_counts(out, watch);
    add_orphans(out, watch);
    add_owner(out, watch);
    if (watch->live != NULL)
        add_progress(out, watch->live);
    if (watch->live != NULL && watch->live->n_running > 0)
        add_running(out, watch);
    add_begun(out, watch);
    add_failures(out, watch);
    add_events(out, watch);
}

/* --- the command */

/* One that gave no sign for long is not watched: it would be watched in vain. */
static bool is_alive(const ag_owner_view *owner)
{
    return owner->life == AG_LIFE_HERE || owner->life == AG_LIFE_ELSEWHERE;
}

/* In one reading of the results. */
static void add_judged(ag_text *out, const ag_summary *summary)
{
    ag_rounds_text(out, summary);
    ag_claims_text(out, summary);
}

/* Printed whole, after all of it was read: results that change meanwhile do not change half a
 * report. On a terminal one that is watched takes the place of the one before. */
static int show(bool *goes_on, const char *path, const status_options *options)
{
    ag_overview watch;
    ag_text text;
    ag_status status = ag_overview_open(&watch, path);
    *goes_on = false;
    if (status != AG_OK)
        return ag_app_exit(status);
    ag_text_init(&text);
    if (options->watch)
        ag_text_add(&text, isatty(STDOUT_FILENO) ? "\033[H\033[2J" : "\n");
    if (options->json) {
        ag_status_json(&text, &watch);
    } else {
        add_report(&text, &watch);
        ag_claims_of_results(&text, path, add_judged);
    }
    ag_status_counts counts = ag_status_count(&watch);
    int code = ag_status_exit(&counts, path);
    *goes_on = counts.of[AG_RUN_PENDING] > 0 && is_alive(&watch.owner);
    if (!ag_text_print(&text) || fflush(stdout) != 0)
        code = ag_app_exit(ag_fail(AG_ERR_SYSTEM, "cannot write to standard output"));
    ag_text_deinit(&text);
    ag_overview_close(&watch);
    return code;
}

/* Until all is done, or nobody runs it any more. Ctrl-C ends it at once, as it holds nothing. */
static int watch_on(const char *path, const status_options *options)
{
    bool goes_on = true;
    int code = show(&goes_on, path, options);
    while (options->watch && goes_on) {
        ag_clock_nap(WATCHED_EVERY_S);
        code = show(&goes_on, path, options);
    }
    return code;
}

int ag_cmd_status(int argc, char **argv)
{
    const char *path = NULL;
    status_options options = {0};
    int code = ag_app_read_options(&options, &s_line, argc, argv, NULL);
    if (code < 0)
        code = ag_app_results_argument(&path, &s_line, argc, argv);
    if (code >= 0)
        return code;
    if (options.json && options.watch)
        return ag_app_usage(s_line.command, "--json or --watch: one of them");
    ag_status status = ag_app_expect_results(path);
    return status == AG_OK ? watch_on(path, &options) : ag_app_exit(status);
}
