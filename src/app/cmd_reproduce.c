/* altgrad reproduce: completed runs of a results file, trained again by the same altgrad-train and
 * compared bit for bit. The file itself is only read.
 *
 * It trusts nothing but the configuration that the run's id vouches for: data and initial weights
 * are found by it and compared by digest, and the fresh run file is never written to disk. */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/commands.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/printable.h"
#include "command_line.h"
#include "proc/cores.h"
#include "reproduce.h"
#include "results/compare.h"
#include "results/results.h"
#include "run/params.h"
#include "run/run_json.h"
#include "run_self.h"
#include "run_trainer.h"
#include "wrong_file.h"

/* More than any host has cores for. */
enum { MAX_JOBS = 1024 };
/* Trainers are asked a hundred times a second, which costs nothing beside them. */
static const double s_nap_s = 0.01;
static const double s_redraw_s = 0.2;

/* One altgrad-train at a time. */
typedef struct slot {
    ag_run_trainer *trainer;
    ag_worker worker;
    ag_repeat *repeat; /* NULL: idle */
} slot;

typedef struct reproducer {
    const char *out;
    ag_texts sets;
    long sample; /* 0: all */
    long n_slots;
    bool as_json;
    bool draws; /* standard error is a terminal */
    double drawn_s;
    size_t n_repeats;
    ag_repeat *repeats; /* [n_repeats] */
    slot *slots;        /* [n_slots] */
    ag_arena arena;
} reproducer;

/* --- which runs */

static ag_status no_memory(void)
{
    return ag_fail(AG_ERR_SYSTEM, "out of memory");
}

/* Marks the completed runs that begin like this. */
static ag_status choose(bool *chosen, const ag_ids *ids, const char *beginning, const char *out)
{
    size_t found = 0;
    for (size_t i = 0; i < ids->count; i++) {
        if (strncmp(ids->id[i], beginning, strlen(beginning)) != 0)
            continue;
        chosen[i] = true;
        found++;
    }
    if (found > 0 && beginning[0] != '\0')
        return AG_OK;
    return ag_fail(AG_ERR_INPUT,
                   "%s: no completed run has an id that begins with '%s' (the ids are in "
                   "/index)",
                   out, beginning);
}

/* In the order of the ids, which are hashes: the first N are a sample that owes nothing to the
 * grid's order, and is the same next time. */
static ag_status choose_runs(reproducer *r, char **beginnings)
{
    ag_ids ids;
    AG_TRY(ag_results_completed(&ids, r->out, &r->arena));
    const size_t count = ids.count;
    if (count == 0)
        return ag_fail(AG_ERR_INPUT, "%s: no completed run, or no such results file", r->out);
    bool *chosen = ag_arena_alloc(&r->arena, count * sizeof *chosen);
    r->repeats = ag_arena_alloc(&r->arena, count * sizeof *r->repeats);
    if (chosen == NULL || r->repeats == NULL)
        return no_memory();
    const size_t sampled = r->sample > 0 && (size_t)r->sample < count ? (size_t)r->sample : count;
    for (size_t i = 0; beginnings[0] == NULL && i < sampled; i++) /* ids are sorted hashes */
        chosen[i] = true;
    for (size_t i = 0; beginnings[i] != NULL; i++)
        AG_TRY(choose(chosen, &ids, beginnings[i], r->out));
    for (size_t i = 0; i < count; i++) {
        if (chosen[i])
            memcpy(r->repeats[r->n_repeats++].id, ids.id[i], sizeof ids.id[i]);
    }
    return AG_OK;
}

/* --- what they are */

/* Settings that no recorded number depends on. Anything else would make another run under the old
 * name. */
static bool may_be_set(const ag_param *param)
{
    return (param->use == AG_PARAM_USE_DATA && strcmp(param->key, "train.start.step") != 0) ||
           (param->use == AG_PARAM_USE_RUN && strncmp(param->key, "run.", 4) == 0);
}

/* The same text as `run --set`, for the few keys that may be set. */
static ag_status set_one(ag_run *run, const char *set, ag_arena *arena)
{
    const char *equals = strchr(set, '=');
    if (equals == NULL)
        return ag_fail(AG_ERR_INPUT, "--set %s: expected KEY=VALUE, such as data.text=PATH", set);
    const char *key = ag_arena_strndup(arena, set, (size_t)(equals - set));
    if (key == NULL)
        return no_memory();
    const ag_param *param = ag_param_find(key);
    if (param == NULL) {
        const char *nearest = ag_param_nearest(key);
        return ag_fail(AG_ERR_INPUT, "--set %s: there is no such key%s%s%s", key,
                       nearest != NULL ? "; did you mean '" : "", nearest != NULL ? nearest : "",
                       nearest != NULL ? "'?" : "");
    }
    if (!may_be_set(param))
        return ag_fail(AG_ERR_INPUT,
                       "--set %s: the run is repeated as it was; only where its data lie (data.*, "
                       "model.init.*, train.start.*) and its limits (run.*) can be set",
                       key);
    if (strcmp(key, "model.init.where") == 0)
        return ag_fail(AG_ERR_INPUT,
                       "--set %s: a run that is repeated has one source, which "
                       "model.init.run names by its id",
                       key);
    return ag_param_set(run, param, equals + 1, arena);
}

/* Checked like a run that is planned: what --set made of it may be wrong. */
static ag_status prepare(reproducer *r, ag_repeat *repeat)
{
    ag_run *run = &repeat->run;
    AG_TRY(ag_results_run(run, &repeat->stored, r->out, repeat->id, &r->arena));
    for (size_t i = 0; i < r->sets.count; i++)
        AG_TRY(set_one(run, r->sets.items[i], &r->arena));
    AG_TRY(ag_run_check(run));
    ag_text text;
    ag_text_init(&text);
    ag_run_trainer_assignment(&text, run, &ag_run_no_paths); /* from its beginning */
    repeat->assignment = text.failed ? NULL : ag_arena_strndup(&r->arena, text.data, text.length);
    repeat->assignment_size = text.length;
    ag_text_deinit(&text);
    return repeat->assignment != NULL ? AG_OK : no_memory();
}

/* --- training */

/* A run that cannot be repeated does not end the others: the report names it. */
static void fail(reproducer *r, ag_repeat *repeat, const char *reason, int code)
{
    const char *copy = ag_arena_strdup(&r->arena, reason);
    repeat->verdict = AG_REPEAT_FAILED;
    repeat->reason = copy != NULL ? copy : "out of memory";
    repeat->code = code;
}

/* The line that is drawn over goes before one that stays. */
static void tell(const reproducer *r, const ag_repeat *repeat)
{
    ag_text text;
    if (r->draws)
        fputs("\r\033[K", stderr);
    if (r->as_json)
        return;
    ag_text_init(&text);
    ag_reproduce_add_run(&text, repeat);
    ag_text_print(&text);
    ag_text_deinit(&text);
}

static void fail_by_status(reproducer *r, ag_repeat *repeat, ag_status status)
{
    fail(r, repeat, ag_error_message(), status == AG_ERR_INPUT ? AG_EXIT_INPUT : AG_EXIT_SYSTEM);
    ag_error_clear();
    tell(r, repeat);
}

/* Where a run cannot even start, the next one is taken at once. */
static void begin(reproducer *r, slot *s, ag_repeat *repeat)
{
    ag_status status = prepare(r, repeat);
    if (status == AG_OK) {
        const ag_job job = {.bytes = repeat->assignment, .size = repeat->assignment_size};
        status = s->worker.start(s->worker.context, &job);
    }
    if (status == AG_OK)
        s->repeat = repeat;
    else
        fail_by_status(r, repeat, status);
}

/* Data that are no longer what they were are the reason: the trainer's advice is for who plans.
 * Which of the two it is takes reading the data, and is asked only now. */
static void fail_by_trainer(reproducer *r, ag_repeat *repeat, const char *reason)
{
    ag_error_clear();
    ag_status status = ag_reproduce_check_inputs(repeat);
    if (status == AG_ERR_INPUT) {
        fail_by_status(r, repeat, status);
        return;
    }
    ag_error_clear();
    fail(r, repeat, reason, AG_EXIT_SYSTEM);
    tell(r, repeat);
}

/* The result is compared as it came, in memory, before it is released. */
static void end(reproducer *r, slot *s)
{
    ag_job_result result = {0};
    ag_repeat *repeat = s->repeat;
    void *held = s->worker.collect(s->worker.context, &result);
    s->repeat = NULL;
    if (result.end != AG_JOB_DONE) {
        fail_by_trainer(r, repeat, result.reason);
    } else {
        ag_status status = ag_results_compare(&repeat->comparison, r->out, repeat->id, result.bytes,
                                              result.size, &r->arena);
        repeat->verdict =
            repeat->comparison.n_differences == 0 ? AG_REPEAT_SAME : AG_REPEAT_DIFFERENT;
        if (status != AG_OK)
            fail_by_status(r, repeat, status);
        else
            tell(r, repeat);
    }
    s->worker.release(s->worker.context, held);
}

/* One line that is drawn over: a run may take hours. */
static void draw(reproducer *r, const ag_repeat *repeat, const ag_job_progress *progress)
{
    double now = ag_clock_s();
    if (!r->draws || now - r->drawn_s < s_redraw_s)
        return;
    r->drawn_s = now;
    fprintf(stderr, "\r%s step %lld of %lld, run %zu of %zu\033[K", repeat->id,
            (long long)progress->step, (long long)progress->steps,
            (size_t)(repeat - r->repeats) + 1, r->n_repeats);
}

/* Takes what is next where a trainer is idle; how many are not. */
static size_t step(reproducer *r, size_t *next)
{
    size_t busy = 0;
    for (long i = 0; i < r->n_slots; i++) {
        slot *s = &r->slots[i];
        ag_job_progress progress = {0};
        if (s->repeat != NULL && !s->worker.poll(s->worker.context, &progress))
            end(r, s);
        else if (s->repeat != NULL)
            draw(r, s->repeat, &progress);
        while (s->repeat == NULL && *next < r->n_repeats)
            begin(r, s, &r->repeats[(*next)++]);
        busy += s->repeat != NULL;
    }
    return busy;
}

/* Everything in one loop, without threads: trainers are processes, and polling a few of them costs
 * nothing. */
static ag_status train_all(reproducer *r)
{
    r->slots = ag_arena_alloc(&r->arena, (size_t)r->n_slots * sizeof *r->slots);
    if (r->slots == NULL)
        return no_memory();
    for (long i = 0; i < r->n_slots; i++) {
        AG_TRY(ag_run_trainer_create(&r->slots[i].trainer, 0, ag_cores_bound((int)r->n_slots)));
        r->slots[i].worker = ag_run_trainer_worker(r->slots[i].trainer);
    }
    size_t next = 0;
    while (step(r, &next) > 0)
        ag_clock_nap(s_nap_s);
    return AG_OK;
}

/* --- the command */

/* A word that no run takes is told before the first hour of training. A slip would else be found
 * once per run. */
static ag_status check_sets(reproducer *r)
{
    ag_run run;
    ag_run_defaults(&run);
    for (size_t i = 0; i < r->sets.count; i++)
        AG_TRY(set_one(&run, r->sets.items[i], &r->arena));
    return AG_OK;
}

static ag_status report(reproducer *r)
{
    ag_text text;
    ag_text_init(&text);
    if (r->as_json)
        ag_reproduce_json(&text, r->out, r->repeats, r->n_repeats);
    else
        ag_reproduce_add_total(&text, r->repeats, r->n_repeats);
    ag_text_print(&text);
    ag_status status = text.failed ? no_memory() : AG_OK;
    ag_text_deinit(&text);
    return status;
}

/* Differences are not failures of this command: they are what it was asked for, and have an exit
 * code of their own. */
static int reproduce(reproducer *r, char **beginnings)
{
    ag_status status = check_sets(r);
    if (status == AG_OK)
        status = choose_runs(r, beginnings);
    if (status == AG_OK)
        status = train_all(r);
    if (status == AG_OK)
        status = report(r);
    int code = status == AG_OK ? ag_reproduce_exit(r->repeats, r->n_repeats) : ag_app_exit(status);
    for (long i = 0; r->slots != NULL && i < r->n_slots; i++)
        ag_run_trainer_destroy(r->slots[i].trainer);
    return code;
}

static const ag_option s_options[] = {
    {"--sample N",
     "only N runs, the first in the order of their ids (hashes): a random but fixed\n"
     "choice",            AG_COUNT(reproducer,            sample,                 1L << 30)},
    {"--set KEY=VALUE",
     "where the data are now (data.text, data.bin, model.init.file,\n"
     "train.start.file), or a limit (run.*); a run whose data are not the same is\n"
     "refused", AG_TEXTS(reproducer,                                           sets)                                             },
    {"-j, --jobs N",            "N runs at a time (1)",    AG_COUNT(reproducer, n_slots,MAX_JOBS)},
    {"--json",   "every difference, for scripts",        AG_FLAG(reproducer,                               as_json)                                                                },
};

static const ag_command_line s_line = {
    .command = "reproduce",
    .usage =
        "usage: altgrad reproduce OUT [RUN... | --sample N] [--set KEY=VALUE]... [-j N] [--json]\n"
        "\n"
        "Trains completed runs of a results file again, from the configuration that it stores, "
        "and\n"
        "compares bit for bit: weights and their digests, losses, learning rates, every other "
        "series.\n"
        "OUT may be packed or not, and is only read. RUN is the beginning of a run id; the "
        "default is\n"
        "all completed runs.\n"
        "\n",
    .column = 19,
    .n_options = sizeof s_options / sizeof s_options[0],
    .options = s_options,
    .notes = "\n"
             "Bits depend neither on the CPU nor on the number of threads. A run that was made by "
             "another\n"
             "version of the numerics has others, and is refused.\n"
             "Exit codes: 0 all the same, 1 some differ, 2 bad input, 3 environment.\n"
             "\n"
             "example: altgrad reproduce results/quickstart.h5 --sample 3 -j 2\n",
};

/* An exit code, or -1 to go on. */
static int parse_options(reproducer *r, int argc, char **argv)
{
    int code = ag_app_read_options(r, &s_line, argc, argv, &r->arena);
    if (code < 0)
        code = ag_app_results_first(&r->out, &s_line, argc, argv);
    if (code >= 0)
        return code;
    if (r->sample > 0 && optind + 1 < argc)
        return ag_app_usage("reproduce", "either run ids or --sample, not both");
    return -1;
}

int ag_cmd_reproduce(int argc, char **argv)
{
    reproducer r = {.n_slots = 1, .draws = isatty(STDERR_FILENO) == 1};
    ag_arena_init_growing(&r.arena);
    int code = parse_options(&r, argc, argv);
    if (code < 0)
        code = ag_app_exit(ag_app_expect_results(r.out));
    if (code == AG_EXIT_OK && r.out != NULL)
        code = reproduce(&r, argv + optind + 1);
    ag_arena_deinit(&r.arena);
    return code;
}
