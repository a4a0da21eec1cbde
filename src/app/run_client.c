/* What rank 0 does with each thing that the coordinator tells: a result is kept, a failure is tried
 * again elsewhere, a rank that only fails is set aside, a signal drains. The coordinator knows
 * ranks and jobs but no runs; this file knows runs, and sends no message itself. */
#include "run_client.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "run/run_json.h"
#include "run/run_status.h"
#include "run_curves.h"
#include "run_live.h"
#include "run_preflight.h"
#include "run_self.h"
#include "run_signals.h"
#include "run_trainer.h"
#include "run_trunks.h"

/* Ten failures without a success between them are no accident of single runs: somebody should look
 * before hundreds of others fail alike. Three of one rank are its host's. */
enum { MOST_FAILURES_IN_A_ROW = 10, MOST_OF_ONE_RANK = 3 };

/* --- supervisors report, jobs go out */

static ag_status client_joined(void *context, int rank, const char *greeting)
{
    return ag_preflight_greeted(context, rank, greeting);
}

static ag_status assign_run(ag_text *bytes, const ag_run_session *session, const ag_task *task)
{
    char log[AG_PROGRAM_PATH]; /* the store's next path takes the place of its last */
    ag_arena arena;
    ag_run_paths paths = {.log = log, .trunk = ""};
    const char *id = task->run->id;
    ag_arena_init_growing(&arena);
    snprintf(log, sizeof log, "%s", ag_store_log_path(session->store, id));
    paths.checkpoint = ag_store_checkpoint_path(session->store, id);
    ag_status status = ag_run_trunks_paths(&paths, session, task, &arena);
    if (status == AG_OK)
        ag_run_trainer_assignment(bytes, task->run, &paths);
    ag_arena_deinit(&arena);
    return status;
}

/* The attempt is the coordinator's affair: a trainer that is tried again gets the same assignment,
 * and finds its checkpoint if there is one. */
static ag_status client_assign(void *context, ag_text *bytes, int64_t job, int32_t attempt)
{
    const ag_run_session *session = context;
    (void)attempt;
    if (job == AG_JOB_SURVEY) {
        ag_preflight_ask(bytes, session);
        return AG_OK;
    }
    return assign_run(bytes, session, &session->tasks[job]);
}

/* --- events */

/* `event` is a word of ag_run_status_words where the run has ended so, by which `altgrad status`
 * finds it. */
static ag_status note(const ag_run_session *session, const char *event, int64_t job,
                      const ag_job_result *result)
{
    ag_text members;
    ag_text_init(&members);
    ag_text_printf(&members, "\"run\": \"%s\", ", session->grid->runs[job].id);
    if (event == ag_run_status_words[AG_RUN_DONE])
        ag_text_printf(&members, "\"final_val_loss\": %.6g, ", result->value);
    ag_text_printf(&members, "\"rank\": %d, \"attempt\": %d, \"seconds\": %.3f", result->rank,
                   (int)result->attempt, result->seconds);
    if (result->reason[0] != '\0') {
        ag_text_add(&members, ", \"reason\": ");
        ag_json_string(&members, result->reason);
    }
    ag_status status = ag_store_event(session->store, event, members.data);
    ag_text_deinit(&members);
    return status;
}

/* The survey's trainers are no runs, and nobody watches them. */
static void client_progress(void *context, const ag_job_progress *progress)
{
    ag_run_session *session = context;
    if (progress->job == AG_JOB_SURVEY)
        return;
    const ag_task *task = &session->tasks[progress->job];
    ag_board_progress(&session->board, progress, task);
    ag_run_curves_progress(session->curves, progress, task);
    ag_run_trunks_progress(session, progress);
}

/* --- results */

/* What a trainer warned of, such as a layer that is dead, would go with its log, which only
 * failures need. A few are enough: the log of a training may say the same for each layer. */
static void tell_warnings(const ag_run_session *session, const char *log_path)
{
    enum { MOST = 5 };
    static const char mark[] = ": warning: ";
    FILE *log = fopen(log_path, "re");
    char *line = NULL;
    size_t size = 0;
    size_t count = 0;
    while (log != NULL && getline(&line, &size, log) > 0) {
        const char *said = strstr(line, mark);
        if (said == NULL || count++ >= MOST)
            continue;
        said += strlen(mark);
        ag_display_event(session->display, AG_LOG_WARNING, "%.*s", (int)strcspn(said, "\n"), said);
    }
    if (count > MOST)
        ag_display_event(session->display, AG_LOG_WARNING, "and %zu more like these", count - MOST);
    free(line);
    if (log != NULL)
        fclose(log);
}

/* The file first, then everything that speaks of it: killed in between, the run is complete and
 * merely less talked about. */
static ag_status keep(ag_run_session *session, const ag_job_result *result)
{
    ag_task *task = &session->tasks[result->job];
    const char *id = task->run->id;
    bool diverged = result->phase == AG_RUN_TRAINER_DIVERGED;
    const char *word = ag_run_status_words[diverged ? AG_RUN_DIVERGED : AG_RUN_DONE];
    bool named = strcmp(task->name, id) != 0;
    char all[48] = ""; /* where earlier attempts trained a part of it */
    AG_TRY(ag_store_put(session->store, id, result->bytes, result->size));
    AG_TRY(note(session, word, result->job, result));
    tell_warnings(session, ag_store_log_path(session->store, id));
    unlink(ag_store_log_path(session->store, id));
    session->counts.done += !diverged;
    session->counts.diverged += diverged;
    task->pending = false;
    ag_run_count_all(session, task);
    session->failures_in_a_row = 0;
    session->preflight.ranks[result->rank].failures = 0;
    session->publisher.wanted = true;
    if (result->spent_s > result->seconds)
        snprintf(all, sizeof all, " (%.1f s with %s)", result->spent_s,
                 task->trunk.steps > 0 ? "its trunk" : "earlier attempts");
    ag_display_event(session->display, AG_LOG_INFO, "%s%s%s %s: final_val_loss %.4f, %.1f s%s", id,
                     named ? " " : "", named ? task->name : "", word, result->value,
                     result->seconds, all);
    return ag_run_trunks_ended(session, task);
}

/* Keeps the assignment beside the log, so that the failure can be repeated alone. */
static ag_status keep_assignment(char path[AG_PROGRAM_PATH], const ag_run_session *session,
                                 const ag_run *run)
{
    ag_text text;
    const char *log_path = ag_store_log_path(session->store, run->id);
    snprintf(path, AG_PROGRAM_PATH, "%.*s.json", (int)(strlen(log_path) - strlen(".log")),
             log_path);
    FILE *file = fopen(path, "we");
    if (file == NULL)
        return ag_fail_errno("cannot write %s", path);
    ag_text_init(&text);
    ag_run_assignment(&text, run);
    bool written = fwrite(text.data, 1, text.length, file) == text.length;
    ag_text_deinit(&text);
    written = fclose(file) == 0 && written;
    return written ? AG_OK : ag_fail_errno("cannot write %s", path);
}

/* What runs now is finished: it may succeed. */
static ag_status give_up(ag_run_session *session)
{
    ag_display_event(session->display, AG_LOG_ERROR, "%d failures in a row: no further run starts",
                     MOST_FAILURES_IN_A_ROW);
    session->gave_up = true;
    session->stopping = true;
    return ag_coordinator_drain(session->coordinator);
}

/* All that somebody needs to repeat the failure alone: the assignment, the log, the command. */
static ag_status fail(ag_run_session *session, const ag_job_result *result)
{
    char path[AG_PROGRAM_PATH];
    char program[AG_PROGRAM_PATH];
    ag_task *task = &session->tasks[result->job];
    const ag_run *run = task->run;
    const ag_failure failure = {
        .id = run->id, .reason = result->reason, .attempts = (int)result->attempt + 1};
    AG_TRY(ag_store_fail(session->store, &failure));
    AG_TRY(note(session, ag_run_status_words[AG_RUN_FAILED], result->job, result));
    AG_TRY(keep_assignment(path, session, run));
    AG_TRY(ag_program_path(program, "altgrad-train"));
    session->counts.failed++;
    task->failed = true;
    task->pending = false;
    ag_run_count_all(session, task);
    session->publisher.wanted = true;
    ag_display_event(session->display, AG_LOG_ERROR,
                     "run %s (%s) failed on rank %d: %s\n  log:    %s\n  repeat: %s < %s", run->id,
                     task->name, result->rank, result->reason,
                     ag_store_log_path(session->store, run->id), program, path);
    return ag_run_trunks_ended(session, task);
}

/* Before all else: the next attempt tells whether the run is to blame or the rank. INFINITY as its
 * cost puts it before all others. */
static ag_status retry(ag_run_session *session, const ag_job_result *result)
{
    const ag_task *task = &session->tasks[result->job];
    AG_TRY(note(session, "retried", result->job, result));
    ag_display_event(session->display, AG_LOG_WARNING, "run %s (%s): attempt %d %.*s; trying again",
                     task->run->id, task->name, (int)result->attempt + 1,
                     (int)strcspn(result->reason, "\n"), result->reason);
    return ag_coordinator_retry(session->coordinator, result, INFINITY);
}

/* A run that fails on two ranks is to blame itself: the first rank's failure does not count. */
static bool is_forgiven(ag_run_session *session, const ag_job_result *result)
{
    int *suspect = &session->tasks[result->job].suspect;
    ag_rank *ranks = session->preflight.ranks;
    bool forgiven = *suspect != 0 && *suspect != 1 + result->rank;
    if (forgiven && ranks[*suspect - 1].failures > 0)
        ranks[*suspect - 1].failures--;
    *suspect = 1 + result->rank;
    return forgiven;
}

/* A host without memory or data fails whatever it is given: others can do it. */
static ag_status distrust(ag_run_session *session, const ag_job_result *result)
{
    int rank = result->rank;
    bool aside = false;
    if (is_forgiven(session, result))
        return AG_OK;
    if (++session->preflight.ranks[rank].failures < MOST_OF_ONE_RANK || session->stopping)
        return AG_OK;
    AG_TRY(ag_coordinator_set_aside(&aside, session->coordinator, rank));
    if (!aside)
        return AG_OK;
    ag_display_event(session->display, AG_LOG_WARNING,
                     "rank %d failed %d times in a row: it gets no more runs", rank,
                     MOST_OF_ONE_RANK);
    char members[64];
    snprintf(members, sizeof members, "\"rank\": %d, \"reason\": \"%d failures in a row\"", rank,
             MOST_OF_ONE_RANK);
    return ag_store_event(session->store, "aside", members);
}

/* A run that was stopped, with a checkpoint if it could. We stop them all, or somebody else sent
 * its trainer a signal, which should not happen for ever. So it counts towards giving up, but is no
 * failure of the run. */
static ag_status put_back(ag_run_session *session, const ag_job_result *result)
{
    AG_TRY(note(session, "cancelled", result->job, result));
    ag_run_count_checkpoint(session, &session->tasks[result->job]);
    bool lost = ag_coordinator_has_lost(session->coordinator, result->rank);
    if (session->stopping)
        return AG_OK;
    if (!lost && ++session->failures_in_a_row == MOST_FAILURES_IN_A_ROW)
        return give_up(session);
    return ag_coordinator_put_back(session->coordinator, result);
}

/* First the board, which is right whatever follows. */
static ag_status client_done(void *context, const ag_job_result *result)
{
    ag_run_session *session = context;
    if (result->job == AG_JOB_SURVEY)
        return ag_preflight_answer(session, result);
    ag_board_ended(&session->board, result->rank);
    ag_run_curves_ended(session->curves, session->store, result->rank, result->end == AG_JOB_DONE);
    if (result->end == AG_JOB_DONE)
        return keep(session, result);
    if (result->end == AG_JOB_CANCELLED)
        return put_back(session, result);
    bool last = result->attempt >= session->grid->runs[result->job].limits.retries;
    AG_TRY(last ? fail(session, result) : retry(session, result));
    if (++session->failures_in_a_row == MOST_FAILURES_IN_A_ROW && !session->stopping)
        return give_up(session);
    return distrust(session, result);
}

/* Its host hangs, or its disks do. Nobody can tell whether it comes back. Before the results are
 * ours nothing was trained, and the user decides. After that the experiment goes on without the
 * rank. */
static ag_status client_lost(void *context, int rank, double silent_s)
{
    ag_run_session *session = context;
    char members[96];
    const char *name = ag_rank_name(&session->preflight, rank);
    if (session->store == NULL)
        return ag_fail(AG_ERR_SYSTEM,
                       "%s has been silent for %.0f s. Nothing was trained; the same "
                       "command continues without that host, or once it responds again",
                       name, silent_s);
    ag_board_ended(&session->board, rank);
    ag_run_curves_ended(session->curves, session->store, rank, false);
    ag_display_event(session->display, AG_LOG_WARNING,
                     "%s has been silent for %.0f s: it gets no more runs, and other "
                     "ranks take over the ones it has",
                     name, silent_s);
    snprintf(members, sizeof members, "\"rank\": %d, \"reason\": \"silent for %.0f s\"", rank,
             silent_s);
    return ag_store_event(session->store, "lost", members);
}

/* --- time */

/* A signal, `altgrad stop` and --max-time are one thing: drain. Once. */
static ag_status obey(ag_run_session *session, bool asked)
{
    ag_run_signals seen = ag_run_signals_seen();
    bool late = session->options->drain_at_s > 0 && ag_clock_s() >= session->options->drain_at_s;
    if ((seen.stops == 0 && !asked && !late) || session->stopping)
        return AG_OK;
    session->stopping = true;
    ag_display_event(
        session->display, AG_LOG_WARNING,
        "stopping%s: running trainers write their checkpoints; the same command continues",
        late ? " for --max-time" : "");
    AG_TRY(ag_coordinator_drain(session->coordinator));
    return session->store != NULL ? ag_store_event(session->store, "drained", "") : AG_OK;
}

/* Each of these looks at the clock by itself and mostly does nothing. */
static ag_status client_tick(void *context)
{
    ag_run_session *session = context;
    AG_TRY(ag_run_tend(session));
    if (session->store == NULL) /* the ranks are still being asked */
        return obey(session, false);
    AG_TRY(obey(session, ag_run_live_tick(session->live, session)));
    AG_TRY(ag_run_trunks_tick(session));
    ag_run_curves_tick(session->curves, session->store);
    ag_publisher_tick(&session->publisher, session->out, session->display);
    ag_display_tick(session->display, &session->counts);
    return AG_OK;
}

ag_client ag_run_client(ag_run_session *session)
{
    return (ag_client){.context = session,
                       .joined = client_joined,
                       .assign = client_assign,
                       .progress = client_progress,
                       .done = client_done,
                       .lost = client_lost,
                       .tick = client_tick};
}
