/* Before the queue opens every rank shows that it can train: it starts a real trainer, which finds
 * the data, takes a step of a tiny run and writes its run file. A host that cannot is better found
 * now. */
#include "run_preflight.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/commands.h"
#include "farm/post.h"
#include "plan.h"
#include "proc/cores.h"
#include "run/run_json.h"
#include "run_internal.h"

/* --- greetings */

void ag_preflight_greet(char *text, size_t size, int bound)
{
    char host[256] = "unknown";
    gethostname(host, sizeof host - 1);
    snprintf(text, size, "%d %d %s %s", bound, ag_cores_allowed(), host, ALTGRAD_VERSION);
}

ag_status ag_preflight_greeted(ag_run_session *session, int rank, const char *greeting)
{
    ag_rank_report *report = &session->preflight.reports[rank];
    char *at = NULL;
    report->bound = (int)strtol(greeting, &at, 10);
    report->allowed = (int)strtol(at, &at, 10);
    at += strspn(at, " ");
    size_t host = strcspn(at, " ");
    report->host = ag_arena_strndup(&session->arena, at, host);
    report->build = ag_arena_strdup(&session->arena, at + host + (at[host] != '\0'));
    return report->host != NULL && report->build != NULL ? AG_OK
                                                         : ag_fail(AG_ERR_SYSTEM, "out of memory");
}

const char *ag_preflight_rank(const ag_run_session *session, int rank)
{
    static _Thread_local char text[2][300]; /* a message may name two */
    static _Thread_local int turn;
    char *name = text[turn ^= 1];
    const char *host = session->preflight.reports[rank].host; /* "" until it has greeted */
    snprintf(name, sizeof text[0], "rank %d%s%s", rank, host[0] != '\0' ? " on " : "", host);
    return name;
}

static ag_status check_builds(const ag_run_session *session)
{
    const ag_preflight *preflight = &session->preflight;
    for (int rank = 1; rank < preflight->ranks; rank++) {
        if (strcmp(preflight->reports[rank].build, ALTGRAD_VERSION) != 0)
            return ag_fail(AG_ERR_SYSTEM,
                           "%s runs altgrad %s, %s %s: start the same build on every host, such as "
                           "one on a file system that all of them see",
                           ag_preflight_rank(session, rank), preflight->reports[rank].build,
                           ag_preflight_rank(session, 0), ALTGRAD_VERSION);
    }
    return AG_OK;
}

/* Tells the coordinator which ranks share a host. */
static void place_ranks(const ag_run_session *session)
{
    const ag_preflight *preflight = &session->preflight;
    for (int rank = 0; rank < preflight->ranks; rank++) {
        int first = 0;
        while (strcmp(preflight->reports[first].host, preflight->reports[rank].host) != 0)
            first++;
        ag_coordinator_place(session->coordinator, rank, first);
    }
}

/* --- the question and the answers */

void ag_preflight_ask(ag_text *bytes, const ag_run_session *session)
{
    ag_assignment_add(bytes, "");
    ag_assignment_add(bytes, "");
    ag_run_assignment(bytes, session->preflight.asked);
}

static bool read_report(ag_rank_report *report, const char *text)
{
    unsigned long long limit = 0;
    unsigned long long held = 0;
    int count = sscanf(text, "build %63s\nhdf5 %31s\nmemory %llu %llu %511[^\n]",
                       report->trainer_build, report->hdf5, &limit, &held, report->memory.source);
    report->memory.bytes = limit;
    report->memory.held = held;
    return count >= 4; /* the source may be empty */
}

ag_status ag_preflight_answer(ag_run_session *session, const ag_job_result *result)
{
    ag_rank_report *report = &session->preflight.reports[result->rank];
    ag_arena *arena = &session->arena;
    report->failure = NULL;
    report->code = (int)result->phase;
    if (result->end == AG_JOB_FAILED) {
        report->failure = ag_arena_strdup(arena, result->reason);
    } else if (result->end == AG_JOB_DONE) {
        const char *text = ag_arena_strndup(arena, result->bytes, result->size);
        if (text != NULL && !read_report(report, text))
            report->failure = "its altgrad-train reports something else: another build?";
    }
    return AG_OK;
}

/* What usually stands behind a trainer that ended so. */
static const char *advice(const ag_rank_report *report)
{
    if (report->code == AG_EXIT_INPUT)
        return "every rank needs the experiment's data, under the same path: put them where all "
               "hosts see them";
    if (report->code == 127)
        return "the libraries that altgrad was built with must be found on every host: load the "
               "same modules there";
    if (report->code == 128 + SIGILL)
        return "that CPU cannot run what it was given: a build with -march=native for another?";
    return "nothing was trained; the same command goes on once that host is well, or without it";
}

static ag_status check_answers(const ag_run_session *session)
{
    const ag_preflight *preflight = &session->preflight;
    int first = -1;
    int failed = 0;
    char others[64] = "";
    for (int rank = preflight->ranks; rank-- > 0;) {
        if (preflight->reports[rank].failure != NULL) {
            first = rank;
            failed++;
        }
    }
    if (failed == 0)
        return AG_OK;
    if (failed > 1)
        snprintf(others, sizeof others, ", nor can %d other%s", failed - 1, failed > 2 ? "s" : "");
    const ag_rank_report *report = &preflight->reports[first];
    return ag_fail(AG_ERR_SYSTEM, "%s cannot train%s: %s\n%s", ag_preflight_rank(session, first),
                   others, report->failure, advice(report));
}

static ag_status survey(ag_run_session *session, const ag_run *run)
{
    session->preflight.asked = run;
    AG_TRY(ag_coordinator_survey(session->coordinator));
    ag_run_signals_look_away();
    ag_error_clear(); /* rank 0's own failure is among the answers */
    return session->stopping ? AG_OK : check_answers(session);
}

/* --- what is to be trained */

/* Lines of sorted ids. */
static int by_id(const void *a, const void *b)
{
    return strncmp(a, b, AG_ID_LENGTH);
}

/* As far as can be seen before the results are ours. What cannot be read is told by the store. */
static ag_status find_pending(ag_run_session *session)
{
    const ag_grid *grid = session->grid;
    const char *held = "";
    bool *pending = ag_arena_alloc(&session->arena, grid->n_runs * sizeof *pending);
    if (pending == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    if (ag_run_holdings(&held, session->out, &session->arena) != AG_OK)
        held = "";
    ag_error_clear();
    enum { LINE = AG_ID_LENGTH + 1 };
    size_t n_ids = strlen(held) / LINE;
    session->preflight.n_pending = 0;
    for (size_t i = 0; i < grid->n_runs; i++) {
        bool is_complete = bsearch(grid->runs[i].id, held, n_ids, LINE, by_id) != NULL;
        pending[i] = session->selected[i] && (session->again[i] || !is_complete);
        session->preflight.n_pending += pending[i];
    }
    session->preflight.pending = pending;
    return AG_OK;
}

static bool reads_the_same(const ag_run *a, const ag_run *b)
{
    return strcmp(a->data.text, b->data.text) == 0 && strcmp(a->data.bin, b->data.bin) == 0 &&
           strcmp(a->data.bin_train, b->data.bin_train) == 0 &&
           strcmp(a->data.bin_val, b->data.bin_val) == 0 &&
           strcmp(a->model.init_file, b->model.init_file) == 0;
}

/* One run for each set of files that runs read: of those the one that leaves most. */
static size_t choose_examples(size_t *examples, const ag_run_session *session)
{
    size_t count = 0;
    const ag_run *runs = session->grid->runs;
    for (size_t i = 0; i < session->grid->n_runs; i++) {
        size_t at = 0;
        if (!session->preflight.pending[i])
            continue;
        while (at < count && !reads_the_same(&runs[examples[at]], &runs[i]))
            at++;
        if (at == count)
            examples[count++] = i;
        else if (ag_plan_run_cost(&runs[i]).disk > ag_plan_run_cost(&runs[examples[at]]).disk)
            examples[at] = i;
    }
    return count;
}

/* --- what the ranks must have in common */

static ag_status check_trainers(const ag_run_session *session)
{
    const ag_preflight *preflight = &session->preflight;
    for (int rank = 0; rank < preflight->ranks; rank++) {
        const ag_rank_report *report = &preflight->reports[rank];
        if (strcmp(report->trainer_build, ALTGRAD_VERSION) != 0)
            return ag_fail(AG_ERR_SYSTEM,
                           "%s has an altgrad-train of build %s beside its altgrad %s: install "
                           "both from one build",
                           ag_preflight_rank(session, rank), report->trainer_build,
                           ALTGRAD_VERSION);
    }
    return AG_OK;
}

static ag_status describe_libraries(ag_run_session *session)
{
    char mpi[128];
    ag_preflight *preflight = &session->preflight;
    ag_post_library(mpi, sizeof mpi);
    preflight->libraries =
        ag_arena_printf(&session->arena, "HDF5 %s, %s", preflight->reports[0].hdf5, mpi);
    return preflight->libraries != NULL ? AG_OK : ag_fail(AG_ERR_SYSTEM, "out of memory");
}

/* --- all of it */

static ag_status survey_all(ag_run_session *session)
{
    const ag_grid *grid = session->grid;
    size_t *examples = ag_arena_alloc(&session->arena, grid->n_runs * sizeof *examples);
    if (examples == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    size_t count = choose_examples(examples, session);
    for (size_t i = 0; i < count && !session->stopping; i++)
        AG_TRY(survey(session, &grid->runs[examples[i]]));
    return AG_OK;
}

ag_status ag_preflight_run(ag_run_session *session)
{
    place_ranks(session);
    AG_TRY(check_builds(session));
    AG_TRY(find_pending(session));
    if (session->preflight.n_pending == 0)
        return AG_OK;
    AG_TRY(survey_all(session));
    if (session->stopping)
        return AG_OK;
    AG_TRY(check_trainers(session));
    AG_TRY(ag_run_check_memory(session));
    ag_run_check_cores(session);
    return describe_libraries(session);
}
