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
#include "run_cores.h"
#include "run_memory.h"
#include "run_self.h"
#include "run_signals.h"
#include "run_trainer.h"

/* --- greetings */

/* With everything that must agree among ranks before they may work together. */
void ag_preflight_greet(char *text, size_t size, int bound)
{
    char host[256] = "unknown";
    gethostname(host, sizeof host - 1);
    ag_text greeting;
    ag_text_init(&greeting);
    ag_text_printf(&greeting, "{\"bound\": %d, \"allowed\": %d, \"host\": ", bound,
                   ag_cores_allowed());
    ag_json_string(&greeting, host);
    ag_text_add(&greeting, ", \"build\": ");
    ag_json_string(&greeting, ALTGRAD_VERSION);
    ag_text_add(&greeting, "}");
    snprintf(text, size, "%s", greeting.data);
    ag_text_deinit(&greeting);
}

/* "" for what an older build's greeting does not have: check_builds then tells that. */
static const char *copy_text(const json_t *object, const char *key, ag_arena *arena)
{
    const char *text = json_string_value(json_object_get(object, key));
    return ag_arena_strdup(arena, text != NULL ? text : "");
}

/* A greeting that cannot be read leaves an empty build, which is no build of ours. */
ag_status ag_preflight_greeted(ag_run_session *session, int rank, const char *greeting)
{
    ag_rank *told = &session->preflight.ranks[rank];
    json_t *object = json_loads(greeting, 0, NULL);
    told->bound = (int)json_integer_value(json_object_get(object, "bound"));
    told->allowed = (int)json_integer_value(json_object_get(object, "allowed"));
    told->host = copy_text(object, "host", &session->arena);
    told->build = copy_text(object, "build", &session->arena);
    json_decref(object);
    return told->host != NULL && told->build != NULL ? AG_OK
                                                     : ag_fail(AG_ERR_SYSTEM, "out of memory");
}

/* Two builds may compute other bits, and would not say so. */
static ag_status check_builds(const ag_run_session *session)
{
    const ag_preflight *preflight = &session->preflight;
    for (int rank = 1; rank < preflight->n_ranks; rank++) {
        if (strcmp(preflight->ranks[rank].build, ALTGRAD_VERSION) != 0)
            return ag_fail(AG_ERR_SYSTEM,
                           "%s runs altgrad %s, %s %s: start the same build on every host, such as "
                           "one on a file system that all of them see",
                           ag_rank_name(preflight, rank), preflight->ranks[rank].build,
                           ag_rank_name(preflight, 0), ALTGRAD_VERSION);
    }
    return AG_OK;
}

/* Tells the coordinator which ranks share a host. A run that failed is tried again on another host:
 * the coordinator must know which that is. */
static void place_ranks(const ag_run_session *session)
{
    const ag_preflight *preflight = &session->preflight;
    for (int rank = 0; rank < preflight->n_ranks; rank++) {
        int first = 0;
        while (strcmp(preflight->ranks[first].host, preflight->ranks[rank].host) != 0)
            first++;
        ag_coordinator_place(session->coordinator, rank, first);
    }
}

/* --- the question and the answers */

void ag_preflight_ask(ag_text *bytes, const ag_run_session *session)
{
    ag_run_trainer_assignment(bytes, session->preflight.asked, &ag_run_no_paths);
}

/* False for a report of another build. */
static bool copy_word(char *copy, size_t size, const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    snprintf(copy, size, "%s", text != NULL ? text : "");
    return text != NULL;
}

/* What train_preflight.c writes. */
static bool read_report(ag_rank *rank, const char *text, size_t size)
{
    json_t *object = json_loadb(text, size, 0, NULL);
    const json_t *memory = json_object_get(object, "memory");
    ag_memory_limit *limit = &rank->memory;
    bool whole = copy_word(rank->trainer_build, sizeof rank->trainer_build, object, "build") &&
                 copy_word(rank->hdf5, sizeof rank->hdf5, object, "hdf5") &&
                 copy_word(limit->source, sizeof limit->source, memory, "source");
    limit->bytes = (size_t)json_integer_value(json_object_get(memory, "limit"));
    limit->held = (size_t)json_integer_value(json_object_get(memory, "held"));
    json_decref(object);
    return whole;
}

/* Kept until all have answered: the message names the first rank and counts the others. */
ag_status ag_preflight_answer(ag_run_session *session, const ag_job_result *result)
{
    ag_rank *report = &session->preflight.ranks[result->rank];
    ag_arena *arena = &session->arena;
    report->failure = NULL;
    report->code = (int)result->phase;
    if (result->end == AG_JOB_FAILED) {
        report->failure = ag_arena_strdup(arena, result->reason);
    } else if (result->end == AG_JOB_DONE) {
        if (!read_report(report, result->bytes, result->size))
            report->failure = "its altgrad-train reports something else: another build?";
    }
    return AG_OK;
}

/* What usually stands behind a trainer that ended so. */
static const char *advice(const ag_rank *report)
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

/* One message for all: a hundred ranks that miss the same file have one cause. */
static ag_status check_answers(const ag_run_session *session)
{
    const ag_preflight *preflight = &session->preflight;
    int first = -1;
    int failed = 0;
    char others[64] = "";
    for (int rank = preflight->n_ranks; rank-- > 0;) {
        if (preflight->ranks[rank].failure != NULL) {
            first = rank;
            failed++;
        }
    }
    if (failed == 0)
        return AG_OK;
    if (failed > 1)
        snprintf(others, sizeof others, ", nor can %d other%s", failed - 1, failed > 2 ? "s" : "");
    const ag_rank *report = &preflight->ranks[first];
    return ag_fail(AG_ERR_SYSTEM, "%s cannot train%s: %s\n%s", ag_rank_name(preflight, first),
                   others, report->failure, advice(report));
}

/* While the ranks are being asked nobody looks at signals; a second Ctrl-C then ends the process at
 * once. */
static ag_status survey(ag_run_session *session, const ag_run *run)
{
    session->preflight.asked = run;
    AG_TRY(ag_coordinator_survey(session->coordinator));
    ag_run_signals_look_away();
    ag_error_clear(); /* rank 0's own failure is among the answers */
    return session->stopping ? AG_OK : check_answers(session);
}

/* --- what is to be trained */

/* As far as can be seen before the results are ours. What cannot be read is told by the store.
 * `run` decides anew once it owns them. */
static void find_pending(ag_run_session *session)
{
    json_t *ids = NULL;
    (void)ag_helper_of_results(&ids, "holdings", session->out, AG_CHILD_SILENT);
    ag_error_clear();
    session->preflight.n_pending = 0;
    for (size_t i = 0; i < session->grid->n_runs; i++) {
        ag_task *task = &session->tasks[i];
        task->pending =
            task->selected && (task->again || json_object_get(ids, task->run->id) == NULL);
        session->preflight.n_pending += task->pending;
    }
    json_decref(ids);
}

/* What decides whether another run tests anything new: its files. */
static bool reads_the_same(const ag_run *a, const ag_run *b)
{
    return strcmp(a->data.text, b->data.text) == 0 && strcmp(a->data.bin, b->data.bin) == 0 &&
           strcmp(a->data.bin_train, b->data.bin_train) == 0 &&
           strcmp(a->data.bin_val, b->data.bin_val) == 0 &&
           strcmp(a->model.init_file, b->model.init_file) == 0 &&
           strcmp(a->train.start_file, b->train.start_file) == 0;
}

/* One run for each set of files that runs read: of those the one that leaves most. It tries the
 * disk hardest. */
static size_t choose_examples(size_t *examples, const ag_run_session *session)
{
    size_t count = 0;
    const ag_run *runs = session->grid->runs;
    for (size_t i = 0; i < session->grid->n_runs; i++) {
        size_t at = 0;
        if (!session->tasks[i].pending)
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

/* altgrad-train is found beside altgrad, but a copied folder may hold another build's. */
static ag_status check_trainers(const ag_run_session *session)
{
    const ag_preflight *preflight = &session->preflight;
    for (int rank = 0; rank < preflight->n_ranks; rank++) {
        const ag_rank *report = &preflight->ranks[rank];
        if (strcmp(report->trainer_build, ALTGRAD_VERSION) != 0)
            return ag_fail(AG_ERR_SYSTEM,
                           "%s has an altgrad-train of build %s beside its altgrad %s: install "
                           "both from one build",
                           ag_rank_name(preflight, rank), report->trainer_build, ALTGRAD_VERSION);
    }
    return AG_OK;
}

/* As the first rank has them: all have one build. */
static ag_status describe_libraries(ag_run_session *session)
{
    char mpi[128];
    ag_preflight *preflight = &session->preflight;
    ag_post_library(mpi, sizeof mpi);
    preflight->libraries =
        ag_arena_printf(&session->arena, "HDF5 %s, %s", preflight->ranks[0].hdf5, mpi);
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

/* Nothing to train asks for no proof: `altgrad run` on complete results ends in a moment. */
ag_status ag_preflight_run(ag_run_session *session)
{
    place_ranks(session);
    AG_TRY(check_builds(session));
    find_pending(session);
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
