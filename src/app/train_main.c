/* altgrad-train: one run. An assignment comes in on standard input, a run file goes out. Knows no
 * MPI and no YAML, so that a run that fails can be repeated alone, under a debugger if need be.
 *
 * The assignment is the text whose hash is the run's id, and the only thing that decides a bit of
 * the result: options say where things go and how often to save, never what is computed. A process
 * per run: whatever becomes of it, the supervisor lives, and sees how it ended. */
#include <getopt.h>
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/commands.h"
#include "base/log.h"
#include "base/path.h"
#include "base/pool.h"
#include "base/text.h"
#include "command_line.h"
#include "data/batch.h"
#include "init_weights.h"
#include "proc/child.h"
#include "proc/cores.h"
#include "record/record.h"
#include "results/run_file.h"
#include "run/run_json.h"
#include "run/trunk.h"
#include "start_read.h"
#include "train/train.h"
#include "train_preflight.h"
#include "train_progress.h"

/* What an option does not say the assignment does. */
typedef struct options {
    const char *output; /* NULL: <run id>.h5 */
    long result_fd;     /* -1: none */
    long progress_fd;   /* -1: none */
    long rank;
    long threads;              /* 0: as the assignment says */
    long parent;               /* 0: none to follow */
    const char *checkpoint;    /* NULL: none */
    double checkpoint_every_s; /* negative: as the assignment says */
    const char *trunk;         /* NULL: none */
    ag_texts keep;
    bool preflight;
    bool quiet;
} options;

/* What one run needs, from the assignment to the record. */
typedef struct train_job {
    options options;
    char default_output[AG_ID_LENGTH + sizeof ".h5"];
    ag_text assignment;
    ag_arena texts; /* strings and layers of `run` */
    ag_run run;
    ag_corpus corpus;
    ag_arena init_memory;
    float *init; /* NULL: random */
    ag_arena memory;
    ag_record record;
} train_job;

/* Looked at between two steps, where the run can be left and gone on with. */
static volatile sig_atomic_t s_stop_signal;

static void note_signal(int signal)
{
    s_stop_signal = signal;
}

/* SIGTERM from the supervisor or a batch system, SIGUSR1 from people. SIGINT is not among them: a
 * Ctrl-C reaches the whole group, and the supervisor decides what it means. */
static void listen_for_signals(void)
{
    struct sigaction action = {.sa_handler = note_signal, .sa_flags = SA_RESTART};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGUSR1, &action, NULL);
    signal(SIGXFSZ, SIG_IGN); /* a file too large is a write that fails */
}

/* A hook of the training, which knows no signals. */
static bool should_stop(void *context)
{
    (void)context;
    return s_stop_signal != 0;
}

/* --- command line */

static ag_status read_every(void *into, const char *text)
{
    char *end = NULL;
    options *out = into;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || !isfinite(value) || value < 0.0)
        return ag_fail(AG_ERR_INPUT, "--checkpoint-every %s: a number of seconds was expected",
                       text);
    out->checkpoint_every_s = value;
    return AG_OK;
}

static const ag_option s_options[] = {
    {"-o, --output FILE",                                            "write the run file here (default: <run id>.h5)",
     AG_TEXT(options,                                                                                                                                                                                output)},
    {"    --result-fd N",                                                              "write the run file into open descriptor N instead",
     AG_WHOLE(options,                                                        result_fd)},
    {"    --progress-fd N",                                                    "keep the progress page of descriptor N up to date",
     AG_WHOLE(options,                                                                                                     progress_fd)},
    {"    --rank N",                                               "the rank to store with the timings",                                                                                   AG_WHOLE(options,                                                           rank)},
    {"    --threads N",
     "threads that share the work, where the assignment leaves them to the\n"
     "launcher (run.threads: auto; default: the cores bound to this process)",AG_WHOLE(options,threads)},
    {"    --parent PID",                                              "end at once when that process, which started this one, ends",
     AG_WHOLE(options,                                                                                                                                                                            parent)},
    {"    --checkpoint FILE",
     "go on from the checkpoint FILE if it is there, and write it when\n"
     "stopped and every so often; whoever has the run file removes it",                                                                                             AG_TEXT(options,                                                               checkpoint)},
    {"    --checkpoint-every SECONDS",
     "how often (0: only when stopped; default: the assignment's\n"
     "run.checkpoint_every)",                                                                                                       AG_OTHER(read_every)},
    {"    --trunk FILE",
     "begin with the snapshot FILE, which another run has left at a step up to\n"
     "which both are the same; a checkpoint of its own comes first",AG_TEXT(options,      trunk)},
    {"    --keep FILE",
     "leave a snapshot for others; the step is the last number of its name,\n"
     "<digest>-<step>; any number of times",AG_TEXTS(options,                                                         keep)},
    {"    --preflight",
     "train nothing: see whether this host could, and report it into the\n"
     "descriptor of --result-fd",                                           AG_FLAG(options,                                                                                                            preflight)},
    {"-q, --quiet",                                              "no progress on standard error",                                                                           AG_FLAG(options,                                                                                                                                                                          quiet)},
    {"-h, --help",                                                              "this text",                                                                                              AG_NO_OPTION                                                                                                                                                                   },
};

static const ag_command_line s_line = {
    .command = "altgrad-train",
    .usage =
        "altgrad-train: trains one run\n"
        "\n"
        "usage: altgrad-train [OPTION...] < ASSIGNMENT\n"
        "\n"
        "ASSIGNMENT is a run as JSON, from 'altgrad plan FILE --json'. The result is a run file "
        "(HDF5).\n"
        "\n",
    .column = 22,
    .n_options = sizeof s_options / sizeof s_options[0],
    .options = s_options,
    .notes =
        "\n"
        "exit codes: 0 trained (also a run that diverged), 2 bad input, 3 environment,\n"
        "            75 stopped by SIGTERM or SIGUSR1: with --checkpoint, the same command "
        "continues\n"
        "\n"
        "example: altgrad plan jobs/quickstart.yaml --json | sed -n '2s/,$//p' | altgrad-train\n",
};

/* A name that says no step could never be of use. */
static ag_status check_snapshot(const char *option, const char *path)
{
    if (path == NULL || ag_trunk_step(path) > 0)
        return AG_OK;
    return ag_fail(AG_ERR_INPUT,
                   "%s %s: the name of a snapshot is the digest of its steps (64 hexadecimal "
                   "digits), '-' and their number",
                   option, path);
}

static ag_status parse_options(bool *help, options *out, int argc, char **argv, ag_arena *arena)
{
    char why[AG_MESSAGE_SIZE];
    *out = (options){.result_fd = -1, .progress_fd = -1, .checkpoint_every_s = -1.0};
    if (ag_options_read(help, out, &s_line, argc, argv, arena) != AG_OK)
        return ag_fail(AG_ERR_INPUT, "%.1000s (altgrad-train --help)",
                       ag_error_take(why, sizeof why));
    if (*help)
        return AG_OK;
    if (optind < argc)
        return ag_fail(AG_ERR_INPUT,
                       "unexpected argument '%s': the assignment comes on standard input "
                       "(altgrad-train --help)",
                       argv[optind]);
    if (out->preflight && out->result_fd < 0)
        return ag_fail(AG_ERR_INPUT, "--preflight needs --result-fd");
    for (size_t i = 0; i < out->keep.count; i++)
        AG_TRY(check_snapshot("--keep", out->keep.items[i]));
    return check_snapshot("--trunk", out->trunk);
}

/* --- the job, in its order */

/* Whole, before anything else: the supervisor need not wait for a slow corpus to get rid of it. */
static ag_status read_assignment(train_job *job)
{
    char buffer[4096];
    size_t count = 0;
    if (isatty(STDIN_FILENO))
        return ag_fail(AG_ERR_INPUT, "an assignment is expected on standard input, but that is a "
                                     "terminal (altgrad-train --help has an example)");
    while ((count = fread(buffer, 1, sizeof buffer, stdin)) > 0)
        ag_text_add_n(&job->assignment, buffer, count);
    if (ferror(stdin))
        return ag_fail_errno("standard input");
    if (job->assignment.failed)
        return ag_fail(AG_ERR_SYSTEM, "out of memory for the assignment");
    if (job->assignment.length == 0)
        return ag_fail(AG_ERR_INPUT, "standard input is empty, but an assignment is expected there "
                                     "(altgrad-train --help has an example)");
    return ag_run_from_assignment(&job->run, job->assignment.data, job->assignment.length,
                                  &job->texts);
}

/* Paths go into the run file, which is read in other folders. What is not there is told later. A
 * relative path would mean something else there. */
static ag_status settle_path(const char **path, ag_arena *arena)
{
    char *whole = (*path)[0] != '\0' ? realpath(*path, NULL) : NULL;
    if (whole == NULL)
        return AG_OK;
    *path = ag_arena_strdup(arena, whole);
    free(whole);
    return *path != NULL ? AG_OK : ag_fail(AG_ERR_SYSTEM, "out of memory for a path");
}

/* A pattern names no file of its own: its folder of now is put before it. realpath cannot look it
 * up. */
static ag_status settle_pattern(const char **pattern, ag_arena *arena)
{
    char folder[PATH_MAX];
    if ((*pattern)[0] == '\0' || (*pattern)[0] == '/' || getcwd(folder, sizeof folder) == NULL)
        return AG_OK;
    *pattern = ag_path_after(folder, *pattern, true, arena);
    return *pattern != NULL ? AG_OK : ag_fail(AG_ERR_SYSTEM, "out of memory for a path");
}

static ag_status settle_paths(train_job *job)
{
    AG_TRY(settle_pattern(&job->run.data.bin_train, &job->texts));
    AG_TRY(settle_pattern(&job->run.data.bin_val, &job->texts));
    AG_TRY(settle_path(&job->run.data.text, &job->texts));
    AG_TRY(settle_path(&job->run.data.bin, &job->texts));
    AG_TRY(settle_path(&job->run.train.start_file, &job->texts));
    return settle_path(&job->run.model.init_file, &job->texts);
}

/* The id holds the data's digest: other data would be another run. */
static ag_status open_corpus(train_job *job)
{
    const ag_run *run = &job->run;
    const ag_data_facts *facts = &job->corpus.facts;
    AG_TRY(ag_corpus_open(&job->corpus, &run->data, run->model.block_size));
    if (strcmp(facts->digest, run->facts.digest) != 0 ||
        facts->vocab_size != run->facts.vocab_size ||
        facts->train_tokens != run->facts.train_tokens ||
        facts->val_tokens != run->facts.val_tokens)
        return ag_fail(AG_ERR_INPUT,
                       "run %s: the data have changed since the run was planned (digest %.12s, "
                       "planned %.12s): plan again",
                       run->id, facts->digest, run->facts.digest);
    return AG_OK;
}

/* Their digest is part of the id, as that of the data. */
static ag_status read_init(train_job *job)
{
    const ag_run *run = &job->run;
    ag_tensor_table tensors;
    char digest[AG_DIGEST_LENGTH + 1];
    if (run->model.init_file[0] == '\0')
        return AG_OK;
    AG_TRY(ag_tensor_table_make(&tensors, &run->model, run->facts.vocab_size, &job->init_memory));
    job->init = ag_arena_floats(&job->init_memory, tensors.total);
    if (job->init == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory for the initial weights");
    AG_TRY(ag_init_read_weights(job->init, &tensors, run));
    AG_TRY(ag_weights_digest(digest, &tensors, job->init));
    if (strcmp(digest, run->init_digest) != 0)
        return ag_fail(AG_ERR_INPUT,
                       "%s: the weights have changed since run %s was planned (digest %.12s, "
                       "planned %.12s): plan again",
                       run->model.init_file, run->id, digest, run->init_digest);
    return AG_OK;
}

/* Likewise; it lies as long as the run. */
static ag_status read_start(train_job *job)
{
    ag_run *run = &job->run;
    char digest[AG_DIGEST_LENGTH + 1];
    if (run->start_digest[0] == '\0' && run->train.start_file[0] == '\0')
        return AG_OK;
    ag_start *start = ag_arena_alloc(&job->init_memory, sizeof *start);
    if (start == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory for the state to begin with");
    AG_TRY(ag_start_read(start, digest, run, &job->init_memory));
    if (strcmp(digest, run->start_digest) != 0)
        return ag_fail(AG_ERR_INPUT,
                       "%s: the state after step %lld of run %s has changed since run %s was "
                       "planned (digest %.12s, planned %.12s): plan again",
                       run->train.start_file, (long long)run->train.start_step,
                       run->train.start_run, run->id, digest, run->start_digest);
    run->start = start;
    return AG_OK;
}

/* The experiment's number, else the supervisor's, who knows how many ranks share the host. */
static ag_status start_threads(const train_job *job)
{
    int64_t threads = job->run.limits.threads;
    if (threads == 0)
        threads = job->options.threads;
    if (threads == 0)
        threads = ag_cores_bound(1);
    return ag_pool_start(threads < AG_POOL_MOST_THREADS ? (int)threads : AG_POOL_MOST_THREADS);
}

/* What others begin with; in the job's arena. */
static ag_status find_snapshots(ag_train_hooks *hooks, train_job *job)
{
    const options *asked = &job->options;
    ag_snapshot *keep = ag_arena_alloc(&job->texts, (asked->keep.count + 1) * sizeof *keep);
    if (keep == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    for (size_t i = 0; i < asked->keep.count; i++)
        keep[i] = (ag_snapshot){asked->keep.items[i], ag_trunk_step(asked->keep.items[i])};
    hooks->keep = keep;
    hooks->n_keep = asked->keep.count;
    if (asked->trunk != NULL)
        hooks->trunk = (ag_snapshot){asked->trunk, ag_trunk_step(asked->trunk)};
    return AG_OK;
}

/* One arena for all memory of the training, of a size that is known before: what does not fit fails
 * now and not in the last step. */
static ag_status train(train_job *job)
{
    const options *asked = &job->options;
    double every_s = asked->checkpoint_every_s;
    ag_train_view view;
    ag_train_hooks hooks = {
        .context = &view,
        .progress = ag_train_view_progress,
        .should_stop = should_stop,
        .say = ag_train_view_say,
        .checkpoint = asked->checkpoint,
        .checkpoint_every_s = every_s >= 0.0 ? every_s : job->run.limits.checkpoint_every_s,
    };
    AG_TRY(find_snapshots(&hooks, job));
    AG_TRY(ag_arena_init(&job->memory,
                         ag_train_bytes(&job->run, ag_val_windows(&job->corpus, &job->run))));
    AG_TRY(ag_train_view_open(&view, &job->run, (int)asked->progress_fd, asked->quiet));
    ag_status status = ag_train(&job->record, &job->run, &job->corpus, job->init, &ag_kernels_fast,
                                &hooks, &job->memory);
    ag_train_view_close(&view, status == AG_OK ? &job->record : NULL);
    return status;
}

/* Apart from what the run determines: this is the only part of a run file in which two machines
 * differ. */
static void describe_machine(train_job *job)
{
    ag_timing *timing = &job->record.timing;
    timing->rank = job->options.rank;
    if (gethostname(timing->host, sizeof timing->host - 1) != 0)
        timing->host[0] = '\0';
    snprintf(timing->blas, sizeof timing->blas, "%s", ag_products_engine());
    snprintf(timing->build, sizeof timing->build, "%s", ALTGRAD_VERSION);
}

/* Before the training, whose hours would be lost for a wrong path. An hour of training for a
 * misspelt folder is the kind of thing that people remember. */
static ag_status check_output(train_job *job)
{
    options *asked = &job->options;
    if (asked->result_fd >= 0)
        return ag_run_file_check_fd((int)asked->result_fd);
    if (asked->output == NULL) {
        snprintf(job->default_output, sizeof job->default_output, "%s.h5", job->run.id);
        asked->output = job->default_output;
    }
    return ag_run_file_check(asked->output);
}

/* To the supervisor's descriptor, or to a file that somebody has named. */
static ag_status write_result(train_job *job)
{
    const options *asked = &job->options;
    bool to_fd = asked->result_fd >= 0;
    describe_machine(job);
    AG_TRY(to_fd ? ag_run_file_write_fd((int)asked->result_fd, &job->record)
                 : ag_run_file_write(asked->output, &job->record));
    if (!asked->quiet)
        ag_train_print_end(&job->run, &job->record, to_fd ? NULL : asked->output);
    return AG_OK;
}

/* What can be found wrong is found wrong before the first step. */
static ag_status do_job(train_job *job)
{
    if (job->options.parent > 0 && !ag_child_follow_parent((pid_t)job->options.parent))
        return ag_fail(AG_ERR_SYSTEM, "process %ld, which was to be followed, is not the parent",
                       job->options.parent);
    AG_TRY(read_assignment(job));
    AG_TRY(settle_paths(job));
    AG_TRY(check_output(job));
    AG_TRY(open_corpus(job));
    AG_TRY(read_init(job));
    AG_TRY(read_start(job));
    AG_TRY(start_threads(job));
    if (job->options.preflight)
        return ag_train_preflight((int)job->options.result_fd);
    AG_TRY(train(job));
    return write_result(job);
}

/* Everything may be empty: the job may have ended anywhere. */
static void release(train_job *job)
{
    ag_pool_stop();
    ag_arena_deinit(&job->memory);
    ag_arena_deinit(&job->init_memory);
    ag_corpus_close(&job->corpus);
    ag_arena_deinit(&job->texts);
    ag_text_deinit(&job->assignment);
}

int main(int argc, char **argv)
{
    train_job job = {0};
    ag_app_hold_streams();
    ag_log_program("altgrad-train");
    listen_for_signals();
    ag_text_init(&job.assignment);
    ag_arena_init_growing(&job.texts);
    ag_arena_init_growing(&job.init_memory);
    bool help = false;
    ag_status status = parse_options(&help, &job.options, argc, argv, &job.texts);
    if (help) {
        ag_options_print_help(&s_line);
        return ag_app_close_output(AG_EXIT_OK);
    }
    if (status == AG_OK)
        status = ag_kernels_init();
    if (status == AG_OK)
        status = do_job(&job);
    release(&job);
    if (status != AG_OK && s_stop_signal != 0) {
        ag_log(AG_LOG_INFO, "%s", ag_error_message());
        return AG_EXIT_AGAIN;
    }
    return ag_app_exit(status);
}
