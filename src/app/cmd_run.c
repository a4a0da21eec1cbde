/* altgrad run: trains what is missing. Rank 0 coordinates; every rank, rank 0 among them,
 * supervises one trainer at a time.
 *
 * Everything that knows the experiment happens on rank 0. The others know jobs as bytes and start a
 * trainer for each: they read no file but what their trainers read, and a rank that is lost takes
 * one attempt with it. */
#include <getopt.h>
#include <string.h>

#include "app/commands.h"
#include "base/clock.h"
#include "command_line.h"
#include "farm/post.h"
#include "proc/cores.h"
#include "run_client.h"
#include "run_finish.h"
#include "run_open.h"
#include "run_preflight.h"
#include "run_rounds.h"
#include "run_self.h"
#include "run_signals.h"
#include "run_time.h"
#include "run_trainer.h"

/* --- command line */

/* The words of the help. */
static ag_status read_show(void *into, const char *text)
{
    static const char *const words[] = {[AG_SHOW_AUTO] = "auto",
                                        [AG_SHOW_TTY] = "tty",
                                        [AG_SHOW_PLAIN] = "plain",
                                        [AG_SHOW_NONE] = "none"};
    ag_run_options *options = into;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(words[i], text) == 0) {
            options->show = (ag_show)i;
            return AG_OK;
        }
    }
    return ag_fail(AG_ERR_INPUT, "--progress takes auto, tty, plain or none, not '%s'", text);
}

/* Counted from here on: what the batch system has spent before is gone. */
static ag_status read_max_time(void *into, const char *text)
{
    double seconds;
    ag_run_options *options = into;
    AG_TRY(ag_run_read_time(&seconds, text));
    options->drain_at_s = ag_clock_s() + ag_run_drain_after(seconds);
    return AG_OK;
}

/* May ask the batch system's variables. */
static ag_status read_shard(void *into, const char *text)
{
    ag_run_options *options = into;
    return ag_shard_parse(&options->shard, text);
}

#define OPTIONS ag_run_options

static const ag_option s_options[] = {
    {"-o OUT",                                                                "results file; else what output.file says",            AG_TEXT(OPTIONS,                                                               out)},
    {"--set KEY=VALUE",
     "instead of the file's: train.steps=500, seeds=[1, 2], formats=[BF16, E4M3],\n"
     "axes.optimizer.lr=[1e-3, 2e-3] ('altgrad params' lists the keys)",                                                                                                            AG_TEXTS(OPTIONS,                                                                                                                                            sets)},
    {"--only SEL",                                                                  "axis=value[,value] or the beginning of a run id; all must hold",
     AG_TEXTS(OPTIONS,                                              only)},
    {"--again SEL",                                                        "train these again although they are complete: to record more of them",
     AG_TEXTS(OPTIONS,                                                                                                                                        again)},
    {"--max-time D",
     "stop within 90s, 30m, 2h, 1-12:00:00 ...: stops shortly before, like\n"
     "SIGUSR1 does; a number alone is seconds (SLURM takes it for minutes)",                                                                                                               AG_OTHER(read_max_time)                                              },
    {"--shard K/N",
     "part K of N, K from 1, the same work in each: for job arrays. Its results\n"
     "go to OUT-shardKofN.h5 unless -o names another; 'altgrad merge' joins them.\n"
     "auto: as SLURM_ARRAY_TASK_* say; the array may count from any number",                                                         AG_OTHER(read_shard)},
    {"--take-over",                                                           "write the results although another altgrad seems to",
     AG_FLAG(OPTIONS,                                                          take_over)},
    {"--replace",                                                           "OUT may hold results of another experiment, which become orphans",
     AG_FLAG(OPTIONS,                                                                                                                                                                                               replace)},
    {"--progress HOW",                                                                       "auto: a redrawn block on a terminal, else lines in a log",
     AG_OTHER(read_show)                                                                  },
};

static const ag_command_line s_line = {
    .command = "run",
    .usage =
        "usage: altgrad run FILE [-o OUT] [--set KEY=VALUE]... [--only SEL]... [--again SEL]...\n"
        "                   [--shard K/N|auto] [--max-time D] [--take-over] [--replace]\n"
        "                   [--progress auto|tty|plain|none]\n"
        "\n"
        "Trains every run of an experiment file that the results do not hold yet, one at a time "
        "for\n"
        "each rank of mpirun (without mpirun: one at a time), and prints the summary. The same "
        "command\n"
        "continues what was interrupted.\n"
        "\n",
    .column = 19,
    .n_options = sizeof s_options / sizeof s_options[0],
    .options = s_options,
    .notes =
        "\n"
        "Ctrl-C, SIGTERM or SIGUSR1 (kill -USR1 the mpirun): no further run starts; those at work "
        "write a\n"
        "checkpoint, from which the same command continues. A second Ctrl-C ends at once.\n"
        "mpirun kills its ranks one or two seconds after Ctrl-C or SIGTERM and then ends with 1 or "
        "130,\n"
        "whatever altgrad's own exit code was; SIGUSR1 it passes on, and it waits: 75 comes "
        "through.\n"
        "Exit codes: 0 all done (diverged counts as done), 1 some runs failed, 2 bad input,\n"
        "3 environment, 75 stopped with work left, 130 interrupted twice.\n"
        "\n"
        "example: mpirun -n 4 altgrad run jobs/quickstart.yaml\n",
};

/* As an error: rank 0 alone tells it. */
static ag_status parse_options(ag_run_options *options, int argc, char **argv, ag_arena *arena)
{
    bool help; /* ag_cmd_run has answered it */
    AG_TRY(ag_options_read(&help, options, &s_line, argc, argv, arena));
    if (optind == argc)
        return ag_fail(AG_ERR_INPUT, "which experiment file?");
    if (optind + 1 < argc)
        return ag_fail(AG_ERR_INPUT, "one experiment file at a time, not also '%s'",
                       argv[optind + 1]);
    options->file = argv[optind];
    return AG_OK;
}

/* --- rank 0 */

/* A beginning, a middle and an end: all that rank 0 does stands in these three. */
static ag_status do_session(ag_run_session *session, int ranks)
{
    bool more = true;
    AG_TRY(ag_run_session_open(session, ranks));
    while (more) {
        AG_TRY(ag_coordinator_run(session->coordinator));
        AG_TRY(ag_run_rounds_go_on(&more, session));
        if (more)
            AG_TRY(ag_run_queue_missing(session));
        more = more && !session->stopping;
    }
    return ag_run_session_finish(session);
}

/* Work left comes before failures: a script that sees 75 runs the same command again, which tries
 * failed runs once more, too. */
static int exit_code(const ag_run_session *session, ag_status status)
{
    if (session->interrupted)
        return AG_EXIT_INTERRUPTED;
    if (status != AG_OK)
        return ag_app_exit(status);
    if (ag_run_left(&session->counts) > 0 && !session->gave_up)
        return AG_EXIT_AGAIN;
    return session->counts.failed > 0 || session->gave_up ? AG_EXIT_FAILED : AG_EXIT_OK;
}

/* A rank that hangs will never call MPI_Finalize. */
static bool any_lost(const ag_coordinator *coordinator, int ranks)
{
    bool lost = false;
    for (int rank = 0; rank < ranks; rank++)
        lost = lost || ag_coordinator_has_lost(coordinator, rank);
    return lost;
}

/* The summary is shown while the results are still ours, so that it is of what was just done; then
 * the other ranks are told to go home, and only then the results are given back. */
static ag_status coordinate(int *code, const ag_run_options *options, ag_post *post,
                            ag_supervisor *local)
{
    ag_run_session session = {.options = options};
    const ag_client client = ag_run_client(&session);
    ag_status status = ag_coordinator_create(&session.coordinator, post, &client, local);
    if (status != AG_OK)
        return status;
    status = do_session(&session, ag_post_ranks(post));
    *code = exit_code(&session, status);
    ag_error_clear();
    if (status == AG_OK &&
        (status = ag_run_show_summary(session.out, ag_display_output(session.display))) != AG_OK)
        *code = ag_app_exit(status);
    ag_error_clear();
    status = ag_coordinator_stop(session.coordinator);
    ag_run_session_deinit(&session);
    if (any_lost(session.coordinator, ag_post_ranks(post)))
        ag_post_abort(post, *code); /* MPI_Finalize would wait for it */
    ag_coordinator_destroy(session.coordinator);
    return status;
}

/* --- every rank */

/* The same on every rank, up to the one line that tells them apart. */
static ag_status take_part(int *code, const ag_run_options *options, ag_post *post)
{
    char greeting[512];
    ag_run_trainer *trainer = NULL;
    ag_supervisor *supervisor = NULL;
    int threads = ag_cores_bound(ag_post_ranks_here(post));
    ag_status status = ag_run_trainer_create(&trainer, ag_post_rank(post), threads);
    ag_worker worker = ag_run_trainer_worker(trainer);
    ag_preflight_greet(greeting, sizeof greeting, threads);
    if (status != AG_OK ||
        (status = ag_supervisor_create(&supervisor, post, &worker, greeting)) != AG_OK)
        goto cleanup;
    if (ag_post_rank(post) == 0)
        status = coordinate(code, options, post, supervisor);
    else
        status = ag_supervisor_run(supervisor);
cleanup:
    ag_supervisor_destroy(supervisor);
    ag_run_trainer_destroy(trainer);
    return status;
}

/* A rank that fails by itself takes the job with it: the others wait for its messages. Only rank 0
 * tells what is wrong with a command line, which all of them have. */
static int run_on_all_ranks(int argc, char **argv, ag_arena *arena)
{
    ag_run_options options = {0};
    ag_post *post = NULL;
    int code = AG_EXIT_OK;
    ag_run_signals_listen();
    ag_status status = ag_post_open(&post);
    if (status != AG_OK)
        return ag_app_exit(status);
    bool first = ag_post_rank(post) == 0;
    if (!first)
        ag_run_signals_ignore();
    if (parse_options(&options, argc, argv, arena) != AG_OK)
        code = first ? ag_app_usage("run", "%s", ag_error_message()) : AG_EXIT_INPUT;
    else if ((status = take_part(&code, &options, post)) != AG_OK)
        ag_post_abort(post, code = ag_app_exit(status));
    ag_post_close(post);
    return code;
}

/* --help is answered before MPI starts, which takes a second and may not be there. */
int ag_cmd_run(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            ag_options_print_help(&s_line);
            return AG_EXIT_OK;
        }
    }
    ag_arena arena;
    ag_arena_init_growing(&arena);
    int code = run_on_all_ranks(argc, argv, &arena);
    ag_arena_deinit(&arena);
    return code;
}
