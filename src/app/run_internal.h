/* The parts of `altgrad run`.
 *
 *   cmd_run.c      command line; what rank 0 does, what the others do
 *   run_preflight.c  whether every rank can train, asked before any does
 *   run_memory.c   whether the trainers of a host have room beside each other
 *   run_session.c  opens experiment and results, queues what is missing, packs at the end
 *   run_facts.c    the job's facts that the results keep
 *   run_former.c   whose the results were until now
 *   run_client.c   what rank 0 does with each thing that the coordinator tells
 *   run_trainer.c  what a supervisor does with a job: one altgrad-train
 *   run_display.c  progress on a terminal or in a log
 *   run_live.c     what `altgrad status` shows, and the answer to `altgrad stop`
 *   run_curves.c   the curves of runs that are being trained
 *   run_publish.c  when `altgrad pack` is to be run
 *   run_self.c     other commands of altgrad, in child processes
 *   run_shard.c    the part of the grid that --shard means
 *   run_signals.c  signals counted
 *   run_time.c     --max-time
 */
#ifndef AG_APP_RUN_INTERNAL_H
#define AG_APP_RUN_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/text.h"
#include "config/experiment.h"
#include "farm/coordinator.h"
#include "proc/child.h"
#include "run_preflight.h"
#include "spool/notes.h"
#include "spool/store.h"

/* --- signals */

typedef struct ag_run_signals {
    int stops;      /* SIGINT, SIGTERM, SIGUSR1 or 2, SIGHUP: finish what can be finished */
    int interrupts; /* SIGINT alone */
} ag_run_signals;

/* For rank 0, and for every rank until it is known which that is. */
void ag_run_signals_listen(void);

/* For the other ranks: launchers send signals to all, and rank 0 tells what is to be done. */
void ag_run_signals_ignore(void);

ag_run_signals ag_run_signals_seen(void);

/* Until the next look nobody is there to obey: a second Ctrl-C ends the process. */
void ag_run_signals_look_away(void);

/* --- time */

/* A duration: seconds, a number with s, m, h or d behind it, or as SLURM prints what is left of a
 * job: minutes:seconds, hours:minutes:seconds, days-hours:minutes:seconds. */
ag_status ag_run_read_time(double *seconds, const char *text);

/* When to drain so that all is over after `max_s`: trainers end their step and write a checkpoint,
 * and the results are published once more. */
double ag_run_drain_after(double max_s);

/* --- programs beside this one */

enum { AG_PROGRAM_PATH = 4096 };

/* The path of `name` in the folder of the running program. AG_ERR_SYSTEM when it is not there. */
ag_status ag_program_path(char path[AG_PROGRAM_PATH], const char *name);

/* --- display */

typedef enum ag_show { AG_SHOW_AUTO, AG_SHOW_TTY, AG_SHOW_PLAIN, AG_SHOW_NONE } ag_show;

typedef struct ag_run_counts {
    size_t selected;
    size_t kept;          /* complete before this command began */
    size_t kept_diverged; /* of those */
    size_t done;          /* by this command, like the next two */
    size_t diverged;
    size_t failed;
    size_t lost;        /* complete before, found damaged since: to be done again */
    double cost;        /* of all that was to be trained */
    double cost_done;   /* of all that was, and of what stands in checkpoints */
    double cost_before; /* of what stood in checkpoints when this command began */
} ag_run_counts;

typedef struct ag_display ag_display;

ag_status ag_display_create(ag_display **out, ag_show show, const char *experiment, int ranks);
void ag_display_destroy(ag_display *display); /* NULL is fine */

/* A line that stays. Errors are shown whatever was asked for. Several lines are fine. */
void ag_display_event(ag_display *display, ag_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* What the display shows of a run beside its progress. */
typedef struct ag_display_run {
    const char *name;       /* borrowed until the rank's next progress or end */
    double tokens_per_step; /* of one training step */
    double cost;
    double counted; /* the part of the run that counts.cost_done has in it, as a checkpoint */
} ag_display_run;

void ag_display_progress(ag_display *display, const ag_job_progress *progress,
                         const ag_display_run *run);
void ag_display_ended(ag_display *display, int rank);

/* Draws what changed, when it is time to; the second for the last time. */
void ag_display_tick(ag_display *display, const ag_run_counts *counts);
void ag_display_finish(ag_display *display, const ag_run_counts *counts);

/* Where results go that people read: standard output, or standard error where a launcher brings
 * both to one terminal. It reads them from two pipes, in any order, and a last frame of the block
 * would be drawn over what was printed after it. */
int ag_display_output(const ag_display *display);

/* --- the trainer */

/* ag_job_progress.phase and ag_job_result.phase; value is the training loss, at the end val_loss;
 * mark is the step of the newest evaluation (-1: none yet), marked its val_loss and val_loss_hp */
typedef enum ag_trainer_phase {
    AG_TRAINER_TRAINING,
    AG_TRAINER_EVALUATING,
    AG_TRAINER_DIVERGED,
} ag_trainer_phase;

typedef struct ag_trainer ag_trainer;

/* `threads` is what trainers take where run.threads is auto. An assignment is the path of the log
 * file and that of the checkpoint, each closed by a 0, since a path may hold a newline; then what
 * altgrad-train takes on stdin. AG_JOB_SURVEY is altgrad-train --preflight: its result is that
 * report, the phase of a failure the trainer's exit code, or 128 and its signal. */
ag_status ag_trainer_create(ag_trainer **out, int rank, int threads);
void ag_trainer_destroy(ag_trainer *trainer); /* kills what runs; NULL is fine */
ag_worker ag_trainer_worker(ag_trainer *trainer);

/* Appends one of the two texts. */
void ag_assignment_add(ag_text *bytes, const char *text);

/* --- this program as a child process */

/* Starts `altgrad ARGUMENTS`; `arguments` ends in NULL. Its standard output is our descriptor
 * `output`, or /dev/null where that is AG_CHILD_SILENT. */
ag_status ag_run_self_start(ag_child **child, const char *const *arguments, int output);

/* True once it has ended: *status says how, with its own message, and its warnings are appended, a
 * line each. */
bool ag_run_self_ended(ag_status *status, ag_child *child, ag_text *warnings);

enum { AG_TASK_ARGUMENTS = 8 };

/* `altgrad pack` that does a task for the owner with this token. */
void ag_run_task_arguments(const char *arguments[AG_TASK_ARGUMENTS], ag_store_task task,
                           const char *out, const char *token);

/* These three wait for it. The first is an ag_store_worker, the last an ag_init_find. */
ag_status ag_run_store_work(ag_store_task task, const char *path, const char *token);
ag_status ag_run_show_summary(const char *out, int output);

/* The id of each complete run in the results at `out`, a line each. In the arena. */
ag_status ag_run_holdings(const char **lines, const char *out, ag_arena *arena);

/* Whose they are: a line with the number of checkpoints, the version of the numerics and the
 * experiment's name, then one for each run that it names or that is complete: "<id> <state>
 * <name>"; the state is + for done, x for diverged, - for pending, o for an orphan. In the arena.
 */
ag_status ag_run_former(const char **lines, const char *out, ag_arena *arena);

ag_status ag_run_find_init(ag_init_weights *found, const ag_run *run, void *context);

typedef struct ag_run_session ag_run_session;

/* --- publishing */

typedef struct ag_publisher {
    const char *token; /* the owner's; borrowed */
    ag_child *child;   /* NULL while none runs */
    double started_s;
    double due_s; /* when the next may start */
    bool wanted;  /* there is something new to publish */
    bool told;    /* that it fails: once is enough */
} ag_publisher;

/* Starts `altgrad pack` when it is due, and looks after the one that runs. Its failure is told. */
void ag_publisher_tick(ag_publisher *publisher, const char *out, ag_display *display);

/* Waits for the one that runs; then packs, or publishes where runs are `pending`. Tends `session`
 * all the while: packing may take long. */
ag_status ag_publisher_finish(ag_publisher *publisher, ag_run_session *session, bool pending);
void ag_publisher_deinit(ag_publisher *publisher);

/* --- those who watch */

typedef struct ag_run_live ag_run_live;

ag_status ag_run_live_create(ag_run_live **out, int ranks);
void ag_run_live_destroy(ag_run_live *live); /* NULL is fine */

void ag_run_live_progress(ag_run_live *live, const ag_job_progress *progress);
void ag_run_live_ended(ag_run_live *live, int rank);

/* Writes where `session` stands, when it is due. True when somebody asks it to stop. */
bool ag_run_live_tick(ag_run_live *live, const ag_run_session *session);

/* --- curves of runs that are being trained */

typedef struct ag_run_curves ag_run_curves;

ag_status ag_run_curves_create(ag_run_curves **out, int ranks);
void ag_run_curves_destroy(ag_run_curves *curves); /* NULL is fine */

void ag_run_curves_progress(ag_run_curves *curves, const ag_job_progress *progress);

/* Appends what is new to OUT.h5.d/live/<id>.jsonl, when it is due; the second at once, for the run
 * of a rank that ended: a complete one needs no more points. */
void ag_run_curves_tick(ag_run_curves *curves, const ag_run_session *session);
void ag_run_curves_ended(ag_run_curves *curves, const ag_run_session *session, int rank,
                         bool complete);

/* --- shards */

typedef struct ag_shard {
    size_t index; /* from 0, below count */
    size_t count; /* 0: the whole grid is one job's */
    bool is_auto; /* as the batch system says, not the user */
} ag_shard;

/* "2/3", or "auto": as the batch system's job array says. */
ag_status ag_shard_parse(ag_shard *shard, const char *text);

/* Sets mine [n_runs], balanced by cost. */
ag_status ag_shard_choose(bool *mine, const ag_shard *shard, const double *costs, size_t n_runs);

/* Whether beside `path`, as ag_shard_path names it, lie shards of another count: then one of the
 * two trains again what the other has. AG_ERR_INPUT where nobody but the batch system says the
 * count, else a warning. */
ag_status ag_shard_check_others(const char *path, const ag_shard *shard);

/* "OUT-shard2of3.h5" for "OUT.h5"; NULL when memory runs out. */
const char *ag_shard_path(const char *path, const ag_shard *shard, ag_arena *arena);

/* --- the session of rank 0 */

typedef struct ag_run_options {
    const char *file;
    const char *out;   /* NULL: what the experiment says */
    const char **sets; /* [n_sets], likewise `only` and `again` */
    size_t n_sets;
    const char **only;
    size_t n_only;
    const char **again;
    size_t n_again;
    ag_show show;
    bool take_over;
    bool replace;      /* another experiment's results may become orphans */
    double drain_at_s; /* by ag_clock_s(), --max-time; 0: never */
    ag_shard shard;
} ag_run_options;

struct ag_run_session {
    const ag_run_options *options;
    ag_coordinator *coordinator;
    ag_experiment *experiment;
    const ag_grid *grid;
    const char *out;
    bool *selected; /* [n_runs], like the next five */
    bool *mine;     /* of this shard, selected or not; NULL: all are */
    bool *again;    /* trained although complete; the old result stays until then */
    bool *failed;
    bool *was_diverged; /* of those that were complete */
    const char **names; /* for people */
    double *costs;
    double *counted; /* the part of each run that counts.cost_done has in it */
    ag_store *store;
    ag_display *display;
    ag_run_live *live;
    ag_run_curves *curves;
    ag_publisher publisher;
    ag_run_counts counts;
    ag_preflight preflight;
    ag_arena arena;
    double beat_s;
    size_t failures_in_a_row;
    int *rank_failures; /* [ranks], in a row */
    int *suspects;      /* [n_runs]: 1 + the rank on which it failed last; 0: none */
    bool stopping;      /* drained: nothing more starts */
    bool gave_up;       /* after failures in a row */
    bool interrupted;   /* a second time */
};

/* Reads the experiment, opens the results, queues the runs that are missing. */
ag_status ag_run_session_open(ag_run_session *session, int ranks);

/* After the coordinator's work: packs or publishes, and gives the results back. */
ag_status ag_run_session_finish(ag_run_session *session);
void ag_run_session_deinit(ag_run_session *session);

/* Refuses results of another experiment with which this one has no run in common; tells which
 * complete runs become orphans. */
ag_status ag_run_check_former(ag_run_session *session);

/* Warns where kept runs recorded less than is asked for now: what decides that is no part of a
 * run's identity. Waits for a child that looks. */
void ag_run_warn_of_less(const ag_run_options *options, const char *out);

/* Notes that a run has the steps of its checkpoint behind it; or all of them. */
void ag_run_count_checkpoint(ag_run_session *session, size_t run);
void ag_run_count_all(ag_run_session *session, size_t run);

/* Runs that were selected and have no result and no failure. */
size_t ag_run_left(const ag_run_counts *counts);

/* The values that tell the runs apart, one text a run; NULL when memory runs out. */
const char **ag_run_names(const ag_grid *grid, ag_arena *arena);

/* Facts of the job, for the results. Texts are in the arena. */
ag_status ag_run_facts(ag_job_facts *facts, const ag_run_session *session, int ranks,
                       ag_arena *arena);

/* The heartbeat that is due, and the end where somebody pressed Ctrl-C twice: again and again while
 * the results are ours. */
ag_status ag_run_tend(ag_run_session *session);

/* What the coordinator is to call. `session` is the context. */
ag_client ag_run_client(ag_run_session *session);

#endif
