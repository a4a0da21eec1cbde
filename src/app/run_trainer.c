/* What a supervisor does with a job: it starts altgrad-train, watches it, and tells how it ended.
 * The supervisor's loop is the farm's; here are the five things that it calls. Nothing here waits:
 * a rank that blocks would give no sign of life, and be counted as lost. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/commands.h"
#include "base/clock.h"
#include "plan.h"
#include "run/run_json.h"
#include "run_self.h"
#include "run_trainer.h"

/* A reason is a line and the end of a log: it is stored with the failure, and goes into a message.
 */
enum { REASON_SIZE = 2048, TAIL_SIZE = 1024 };

static const double s_grace_s = 60.0; /* a trainer that is to end has for a step and a checkpoint */
static const double s_weigh_every_s = 0.05;
static const double s_longest_s = 1.0; /* counted between two looks: we may have been suspended */
static const double s_survey_limit_s = 600.0; /* to read the data, perhaps over a slow network */

/* One at a time: a rank has one seat. */
struct ag_run_trainer {
    char program[AG_PROGRAM_PATH];
    char rank[16];
    char threads[16];
    char parent[16];
    ag_child *child;
    ag_limits_spec limits;
    bool is_survey;
    bool cancelled;
    char verdict[128]; /* why we killed it; "" */
    double looked_s;
    double weighed_s;
    size_t held; /* bytes, as last weighed */
    double ran_s;
    double idle_s; /* since the last sign of life */
    uint64_t beats;
};

/* What rank 0 sends. */
typedef struct assignment {
    const char *log; /* path, like the next; "": none */
    const char *checkpoint;
    const char *trunk;
    const json_t *keep; /* paths */
    size_t disk;        /* bytes that the result will take, about */
    ag_limits_spec limits;
    const char *json; /* for altgrad-train */
    size_t size;
} assignment;

/* A trainer that ended, until its result is handed over. */
typedef struct ended_trainer {
    ag_child *child;
    char reason[REASON_SIZE];
} ended_trainer;

/* Numbers that every trainer gets are made texts once. */
ag_status ag_run_trainer_create(ag_run_trainer **out, int rank, int threads)
{
    ag_run_trainer *trainer = calloc(1, sizeof *trainer);
    if (trainer == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    snprintf(trainer->rank, sizeof trainer->rank, "%d", rank);
    snprintf(trainer->threads, sizeof trainer->threads, "%d", threads);
    snprintf(trainer->parent, sizeof trainer->parent, "%d", (int)getpid());
    *out = trainer;
    return AG_OK;
}

void ag_run_trainer_destroy(ag_run_trainer *trainer)
{
    if (trainer == NULL)
        return;
    ag_child_destroy(trainer->child);
    free(trainer);
}

/* --- start */

const ag_run_paths ag_run_no_paths = {.log = "", .checkpoint = "", .trunk = ""};

void ag_run_trainer_assignment(ag_text *bytes, const ag_run *run, const ag_run_paths *paths)
{
    const ag_limits_spec *limits = &run->limits;
    ag_text_add(bytes, "{\"log\": ");
    ag_json_string(bytes, paths->log);
    ag_text_add(bytes, ", \"checkpoint\": ");
    ag_json_string(bytes, paths->checkpoint);
    ag_text_add(bytes, ", \"trunk\": ");
    ag_json_string(bytes, paths->trunk);
    ag_text_add(bytes, ", \"keep\": [");
    for (size_t i = 0; i < paths->n_keep; i++) {
        ag_text_add(bytes, i > 0 ? ", " : "");
        ag_json_string(bytes, paths->keep[i]);
    }
    ag_text_printf(bytes, "], \"disk\": %.0f, \"limits\": ", ag_plan_run_cost(run).disk);
    ag_text_printf(bytes, "{\"time_s\": %.17g, \"stall_s\": %.17g, \"memory\": %lld}}\n",
                   limits->time_limit_s, limits->stall_limit_s, (long long)limits->memory_limit);
    ag_run_assignment(bytes, run);
}

/* The strings of `given` are the head's. Without parsing the run, which may have thousands of
 * layers: that is the trainer's affair. */
static ag_status read_head(assignment *given, json_t **head, const ag_job *job)
{
    const char *end = memchr(job->bytes, '\n', job->size);
    *head = end != NULL ? json_loadb(job->bytes, (size_t)(end - job->bytes), 0, NULL) : NULL;
    const json_t *limits = json_object_get(*head, "limits");
    given->log = json_string_value(json_object_get(*head, "log"));
    given->checkpoint = json_string_value(json_object_get(*head, "checkpoint"));
    given->trunk = json_string_value(json_object_get(*head, "trunk"));
    given->keep = json_object_get(*head, "keep");
    given->disk = (size_t)json_number_value(json_object_get(*head, "disk"));
    given->limits = (ag_limits_spec){
        .time_limit_s = json_number_value(json_object_get(limits, "time_s")),
        .stall_limit_s = json_number_value(json_object_get(limits, "stall_s")),
        .memory_limit = json_integer_value(json_object_get(limits, "memory")),
    };
    if (given->log == NULL || given->checkpoint == NULL || given->trunk == NULL || limits == NULL)
        return ag_fail(AG_ERR_BUG, "an assignment has no head");
    given->json = end + 1;
    given->size = job->size - (size_t)(given->json - job->bytes);
    return AG_OK;
}

/* Rank 0 has made the checkpoint's folder. A host that does not see it shares no disk with rank 0:
 * a checkpoint there would be lost to whoever goes on with the run, so none is made. Its runs are
 * trained all the same, from the beginning. */
static bool sees_folder_of(const char *checkpoint)
{
    char folder[AG_PROGRAM_PATH];
    const char *slash = strrchr(checkpoint, '/');
    if (slash == NULL)
        return false;
    snprintf(folder, sizeof folder, "%.*s", (int)(slash - checkpoint), checkpoint);
    return access(folder, W_OK | X_OK) == 0;
}

/* The options that name files which only a host that sees rank 0's disk can use. */
static void add_files(const char **argv, const assignment *given)
{
    size_t count = 0;
    size_t i;
    const json_t *path;
    if (!sees_folder_of(given->checkpoint))
        return;
    argv[count++] = "--checkpoint";
    argv[count++] = given->checkpoint;
    if (given->trunk[0] != '\0' && sees_folder_of(given->trunk)) {
        argv[count++] = "--trunk";
        argv[count++] = given->trunk;
    }
    json_array_foreach(given->keep, i, path)
    {
        argv[count++] = "--keep";
        argv[count++] = json_string_value(path);
    }
}

/* To be released by the caller. */
static ag_status make_arguments(const char ***out, const ag_run_trainer *trainer,
                                const char *result_fd, const char *progress_fd,
                                const assignment *given)
{
    const char *const first[] = {trainer->program, "--result-fd", result_fd,      "--progress-fd",
                                 progress_fd,      "--rank",      trainer->rank,  "--threads",
                                 trainer->threads, "--parent",    trainer->parent};
    enum { FIRST = sizeof first / sizeof first[0], FILES = 5 };
    const char **argv = calloc(FIRST + FILES + 2 * json_array_size(given->keep), sizeof *argv);
    if (argv == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    memcpy(argv, first, sizeof first);
    if (trainer->is_survey)
        argv[FIRST] = "--preflight";
    else
        add_files(argv + FIRST, given);
    *out = argv;
    return AG_OK;
}

/* As little environment as needed: threads of libraries would fight with ours, and no bit may
 * depend on them. */
static ag_status start_child(ag_run_trainer *trainer, const assignment *given)
{
    char result_fd[8];
    char progress_fd[8];
    AG_TRY(ag_program_path(trainer->program, "altgrad-train"));
    snprintf(result_fd, sizeof result_fd, "%d", AG_CHILD_RESULT_FD);
    snprintf(progress_fd, sizeof progress_fd, "%d", AG_CHILD_PROGRESS_FD);
    const char **argv = NULL;
    AG_TRY(make_arguments(&argv, trainer, result_fd, progress_fd, given));
    /* the last: a UCX that comes with an MPI library would catch the trainer's crashes */
    const char *environment[] = {"OPENBLAS_NUM_THREADS=1", "OMP_NUM_THREADS=1",
                                 "UCX_HANDLE_ERRORS=none", NULL};
    ag_child_spec spec = {.argv = argv,
                          .environment = environment,
                          .input = given->json,
                          .input_size = given->size,
                          .log_path = given->log[0] != '\0' ? given->log : NULL,
                          .result_bytes = given->disk,
                          .grace_s = s_grace_s};
    ag_status status = ag_child_start(&trainer->child, &spec);
    free(argv);
    return status;
}

/* The survey has a limit of its own, as the run's would be for training. */
static ag_status trainer_start(void *context, const ag_job *job)
{
    ag_run_trainer *trainer = context;
    assignment given = {0};
    json_t *head;
    trainer->is_survey = job->index == AG_JOB_SURVEY;
    ag_status status = read_head(&given, &head, job);
    if (status == AG_OK)
        status = start_child(trainer, &given);
    if (status == AG_OK)
        trainer->limits =
            trainer->is_survey ? (ag_limits_spec){.time_limit_s = s_survey_limit_s} : given.limits;
    json_decref(head);
    trainer->cancelled = false;
    trainer->verdict[0] = '\0';
    trainer->looked_s = ag_clock_s();
    trainer->ran_s = trainer->idle_s = 0.0;
    trainer->beats = 0;
    trainer->weighed_s = 0.0;
    trainer->held = 0;
    return status;
}

/* --- watch */

/* Doubles travel as bits, since C has no atomic double that is surely free of locks between
 * processes. */
static double value_of(_Atomic uint64_t const *bits_there)
{
    uint64_t bits = atomic_load(bits_there);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Looking at memory takes the kernel some 20 us. */
static void weigh(ag_run_trainer *trainer, double now)
{
    if (now - trainer->weighed_s < s_weigh_every_s)
        return;
    trainer->weighed_s = now;
    trainer->held = ag_child_memory(trainer->child);
}

/* A trainer that is killed by us says why; the kernel would only say that it was. */
static void enforce_limits(ag_run_trainer *trainer)
{
    char *verdict = trainer->verdict;
    const size_t size = sizeof trainer->verdict;
    const ag_limits_spec *limits = &trainer->limits;
    if (limits->time_limit_s > 0.0 && trainer->ran_s > limits->time_limit_s)
        snprintf(verdict, size, "passed its time limit of %g s", limits->time_limit_s);
    else if (limits->memory_limit > 0 && trainer->held > (size_t)limits->memory_limit)
        snprintf(verdict, size, "passed its memory limit of %g MiB",
                 (double)limits->memory_limit / 0x1p20);
    else if (limits->stall_limit_s > 0.0 && trainer->idle_s > limits->stall_limit_s)
        snprintf(verdict, size, "made no progress for %g s", limits->stall_limit_s);
    if (verdict[0] != '\0')
        ag_child_kill(trainer->child);
}

/* Time is counted in slices of a second at most: a laptop that slept has not trained, and its run
 * must not fail for that. */
static void watch(ag_run_trainer *trainer, uint64_t beats)
{
    double now = ag_clock_s();
    double slice = now - trainer->looked_s;
    trainer->looked_s = now;
    slice = slice < s_longest_s ? slice : s_longest_s;
    trainer->ran_s += slice;
    trainer->idle_s = beats != trainer->beats ? 0.0 : trainer->idle_s + slice;
    trainer->beats = beats;
    weigh(trainer, now);
    enforce_limits(trainer);
}

static void read_page(ag_job_progress *progress, const ag_progress_page *page)
{
    progress->step = atomic_load(&page->step);
    progress->steps = atomic_load(&page->steps);
    progress->phase =
        atomic_load(&page->evaluating) != 0 ? AG_RUN_TRAINER_EVALUATING : AG_RUN_TRAINER_TRAINING;
    progress->value = value_of(&page->loss_bits);
    progress->mark = atomic_load(&page->eval_step);
    progress->marked[0] = value_of(&page->eval_bits[0]);
    progress->marked[1] = value_of(&page->eval_bits[1]);
}

/* A step and its loss belong together. A trainer that was killed between them leaves them so. An
 * even edition that did not change while it was read says that nothing was written meanwhile. */
static void read_whole_page(ag_job_progress *progress, const ag_progress_page *page)
{
    enum { MOST_TRIES = 100 };
    for (int i = 0; i < MOST_TRIES; i++) {
        uint64_t edition = atomic_load(&page->edition);
        read_page(progress, page);
        if (edition % 2 == 0 && atomic_load(&page->edition) == edition)
            return;
    }
}

/* The page before the state: after its end the trainer's last step is there to be read. */
static bool trainer_poll(void *context, ag_job_progress *progress)
{
    ag_run_trainer *trainer = context;
    const ag_progress_page *page = ag_child_progress(trainer->child);
    read_whole_page(progress, page);
    if (ag_child_poll(trainer->child).state != AG_CHILD_RUNNING)
        return false;
    watch(trainer, atomic_load(&page->beats));
    return true;
}

/* SIGTERM: the trainer ends its step and writes a checkpoint. */
static void trainer_cancel(void *context)
{
    ag_run_trainer *trainer = context;
    trainer->cancelled = true;
    if (trainer->child != NULL)
        ag_child_cancel(trainer->child);
}

/* --- collect */

/* One line, then the end of the log. The reason is shown in one line of a table, the rest where
 * there is room. */
static void explain(char reason[REASON_SIZE], const ag_run_trainer *trainer,
                    const ag_child_end *end)
{
    char how[128];
    char tail[TAIL_SIZE];
    const ag_progress_page *page = ag_child_progress(trainer->child);
    ag_child_end_text(how, sizeof how, end);
    if (end->state == AG_CHILD_EXITED && end->code == 0)
        snprintf(how, sizeof how, "ended without a result");
    ag_child_log_tail(tail, sizeof tail, trainer->child);
    if (trainer->is_survey) {
        snprintf(reason, REASON_SIZE, "altgrad-train %s%s%s",
                 trainer->verdict[0] != '\0' ? trainer->verdict : how, tail[0] != '\0' ? "\n" : "",
                 tail);
        return;
    }
    snprintf(reason, REASON_SIZE, "%s at step %lld of %lld, using %zu MiB%s%s",
             trainer->verdict[0] != '\0' ? trainer->verdict : how,
             (long long)atomic_load(&page->step), (long long)atomic_load(&page->steps),
             (trainer->held > 0 ? trainer->held : end->peak_size) >> 20,
             tail[0] != '\0' ? "\n" : "", tail);
}

/* Done means all three: it exited by itself, with 0, and left a result. Stopped by somebody else's
 * signal (exit code 75) is no failure of the run. */
static void describe_end(ag_job_result *result, ended_trainer *ended, const ag_run_trainer *trainer)
{
    ag_child_end end = ag_child_poll(trainer->child);
    const ag_progress_page *page = ag_child_progress(trainer->child);
    if (ag_child_result(&result->bytes, &result->size, trainer->child) != AG_OK)
        result->size = 0;
    result->phase =
        atomic_load(&page->diverged) != 0 ? AG_RUN_TRAINER_DIVERGED : AG_RUN_TRAINER_TRAINING;
    result->value = value_of(&page->val_loss_bits);
    result->spent_s = value_of(&page->spent_bits);
    result->end = AG_JOB_DONE;
    if (end.state == AG_CHILD_EXITED && end.code == 0 && result->size > 0)
        return;
    bool stopped = end.state == AG_CHILD_EXITED && end.code == AG_EXIT_AGAIN;
    bool cancelled = trainer->verdict[0] == '\0' && (trainer->cancelled || stopped);
    result->end = cancelled ? AG_JOB_CANCELLED : AG_JOB_FAILED;
    result->bytes = NULL;
    result->size = 0;
    explain(ended->reason, trainer, &end);
    if (trainer->is_survey)
        result->phase = (uint32_t)(end.state == AG_CHILD_KILLED ? 128 + end.signal : end.code);
}

/* The child stays until its result is handed over: the bytes are its file's. */
static void *trainer_collect(void *context, ag_job_result *result)
{
    ag_run_trainer *trainer = context;
    ended_trainer *ended = calloc(1, sizeof *ended);
    if (ended == NULL) {
        result->end = AG_JOB_FAILED;
        result->reason = "out of memory for its result";
        ag_child_destroy(trainer->child);
    } else {
        ended->child = trainer->child;
        describe_end(result, ended, trainer);
        result->reason = ended->reason;
    }
    trainer->child = NULL;
    return ended;
}

static void trainer_release(void *context, void *held)
{
    ended_trainer *ended = held;
    (void)context;
    ag_child_destroy(ended->child);
    free(ended);
}

ag_worker ag_run_trainer_worker(ag_run_trainer *trainer)
{
    return (ag_worker){.context = trainer,
                       .start = trainer_start,
                       .poll = trainer_poll,
                       .cancel = trainer_cancel,
                       .collect = trainer_collect,
                       .release = trainer_release};
}
