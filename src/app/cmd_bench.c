/* altgrad bench: what the time of a training step goes into, format by format. The steps are those
 * of the real trainer with the real kernels, wrapped so that each keeps account (bench_parts.c);
 * the bounds beside them are measured in the same process (bench_bounds.c). Nothing is written, and
 * nothing is random but the weights. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/commands.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/pool.h"
#include "base/unnamed.h"
#include "bench.h"
#include "command_line.h"
#include "config/select.h"
#include "data/batch.h"
#include "data/corpus.h"
#include "init_digest.h"
#include "plan.h"
#include "proc/cores.h"
#include "run/model_spec.h"
#include "start_state.h"
#include "train/train.h"
#include "wrong_file.h"

/* Small enough to be measured in seconds, with a vocabulary of characters. */
static const char s_small_model[] =
    "altgrad: 1\n"
    "name: bench\n"
    "model: {n_layer: 4, n_head: 4, n_embd: 128, block_size: 64, bias: false}\n"
    "data: {synthetic: markov, vocab: 65, order: 2, tokens: 100000, seed: 1}\n"
    "train: {batch_size: 12}\n"
    "formats: [FP32, BF16, E4M3, mxfp8, mxfp4, mxint8, nvfp4]\n";

/* So many are kept in memory, with all their parts. */
enum { MOST_STEPS = 100000 };

typedef struct request {
    const char *file; /* NULL: the small model */
    ag_texts sets;
    ag_texts formats; /* none: all */
    long threads;     /* 0: as run.threads says */
    long steps;
    bool json;
} request;

/* --- command line */

static const ag_option s_options[] = {
    {"FILE",
     "an experiment: its model, data and formats, each with the first of the\n"
     "layer configs, other axes and seeds that has it. Default: a small model",                                            AG_NO_OPTION                         },
    {                      "--format F", "this format of FILE; without FILE any that 'altgrad formats' knows",
     AG_TEXTS(request,                                                                                                                                  formats)},
    {                      "--threads N",         "threads that share the work (default: as run.threads says)",
     AG_COUNT(request,                                                                                                                                   threads, AG_POOL_MOST_THREADS)},
    { "--steps N",                                                           "steps to measure (20), after 2 that warm up",
     AG_COUNT(request,                                                                                                                                            steps, MOST_STEPS)},
    {                 "--set KEY=VALUE",                                                                     "instead of the file's, or of the small model's: model.n_embd=384",
     AG_TEXTS(request, sets)},
    {                                                                                                                                                                   "--json",                                                                     "the same as JSON",                                                                                                           AG_FLAG(request,                                                          json)},
};

static const ag_command_line s_line = {
    .command = "bench",
    .usage =
        "usage: altgrad bench [FILE] [--format F]... [--threads N] [--steps N] [--set "
        "KEY=VALUE]...\n"
        "                     [--json]\n"
        "\n"
        "Trains some steps in each format and shows what their time goes into, part by part, each\n"
        "beside a bound that is measured in the same process: the engine's multiply-add "
        "instruction\n"
        "alone for products and attention, copies of as many bytes for what moves memory; and "
        "beside\n"
        "OpenBLAS's sgemm in the same shapes where it is built in. Nothing is written.\n"
        "\n",
    .column = 19,
    .n_options = sizeof s_options / sizeof s_options[0],
    .options = s_options,
    .notes = "\n"
             "A figure is the mean over the steps of middle duration, half of all. Evaluation, "
             "diagnostics\n"
             "and model.init are left out: the weights are random.\n"
             "Exit codes: 0 done, 2 the file or the command line has errors, 3 environment.\n"
             "\n"
             "example: altgrad bench jobs/quickstart.yaml --format BF16 --format E4M3\n",
};

/* Returns -1 when the command shall go on, else its exit code. */
static int parse_options(request *asked, int argc, char **argv, ag_arena *arena)
{
    int code = ag_app_read_options(asked, &s_line, argc, argv, arena);
    if (code >= 0)
        return code;
    if (optind + 1 < argc)
        return ag_app_usage("bench", "one experiment file at a time, not also '%s'",
                            argv[optind + 1]);
    asked->file = argv[optind];
    return -1;
}

/* --- the experiment */

/* formats=[F, F] of the small model, as a further --set. */
static ag_status add_format_list(request *asked, ag_arena *arena)
{
    if (asked->formats.count == 0)
        return AG_OK;
    const char *list = "formats=[";
    for (size_t i = 0; list != NULL && i < asked->formats.count; i++)
        list = ag_arena_printf(arena, "%s%s%s", list, i > 0 ? ", " : "", asked->formats.items[i]);
    list = list != NULL ? ag_arena_printf(arena, "%s]", list) : NULL;
    const char **sets = ag_arena_alloc(arena, (asked->sets.count + 1) * sizeof *sets);
    if (list == NULL || sets == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    for (size_t i = 0; i < asked->sets.count; i++)
        sets[i] = asked->sets.items[i];
    sets[asked->sets.count] = list;
    asked->sets = (ag_texts){sets, asked->sets.count + 1};
    return AG_OK;
}

/* With everything that the reader has to say, as `plan` prints it. */
static ag_status read_experiment(ag_experiment **out, const char *path, const request *asked)
{
    const ag_experiment_options how = {.sets = asked->sets.items,
                                       .n_sets = asked->sets.count,
                                       .find_init = ag_init_find_here,
                                       .find_start = ag_start_find_here};
    ag_text diagnostics;
    ag_text_init(&diagnostics);
    ag_status status = ag_experiment_load(out, path, &how, &diagnostics);
    fputs(diagnostics.data, stderr);
    ag_text_deinit(&diagnostics);
    return status;
}

/* The small model as a file, which goes when it is read. The reader of experiments reads files, and
 * messages name lines of one. */
static ag_status read_small_model(ag_experiment **out, request *asked, ag_arena *arena)
{
    const size_t length = sizeof s_small_model - 1;
    AG_TRY(add_format_list(asked, arena));
    char *path = ag_arena_printf(arena, "%s/altgrad-bench-XXXXXX", ag_temporary_folder());
    if (path == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    int fd = mkstemp(path);
    if (fd < 0)
        return ag_fail_errno("%s", path);
    ag_status status = ag_write_at(fd, s_small_model, length, 0) ? read_experiment(out, path, asked)
                                                                 : ag_fail_errno("%s", path);
    close(fd);
    unlink(path);
    if (status == AG_ERR_INPUT) { /* which names a file that nobody knows */
        ag_error_clear();
        return ag_fail(AG_ERR_INPUT, "the built-in model cannot be what --format or --set says");
    }
    return status;
}

/* A results file in its place is told before YAML is blamed. */
static ag_status load(ag_experiment **out, request *asked, ag_arena *arena)
{
    if (asked->file == NULL)
        return read_small_model(out, asked, arena);
    AG_TRY(ag_app_expect_experiment(asked->file));
    return read_experiment(out, asked->file, asked);
}

/* --- the formats to measure, each by its first run */

/* Without a file the formats were made the grid's, so that all of it is asked for. */
static bool is_asked(const request *asked, const char *format)
{
    for (size_t i = 0; asked->file != NULL && i < asked->formats.count; i++) {
        if (strcmp(asked->formats.items[i], format) == 0)
            return true;
    }
    return asked->file == NULL || asked->formats.count == 0;
}

/* One label per format is enough: the others differ in what a step's time does not depend on. */
static bool is_listed(const ag_bench_result *results, size_t count, const char *format)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(results[i].format, format) == 0)
            return true;
    }
    return false;
}

/* Every grid has one; the last axis stands for a grid that would not. */
static size_t format_axis(const ag_grid *grid)
{
    size_t axis = 0;
    while (axis + 1 < grid->n_axes && strcmp(grid->axes[axis].name, "format") != 0)
        axis++;
    return axis;
}

/* results [n_labels] at most. */
static size_t list_results(ag_bench_result *results, const ag_grid *grid, const request *asked)
{
    const size_t axis = format_axis(grid);
    size_t count = 0;
    for (size_t i = 0; i < grid->n_labels; i++) {
        const char *format = grid->labels[i].values[axis].text;
        if (is_asked(asked, format) && !is_listed(results, count, format))
            results[count++] =
                (ag_bench_result){.format = format, .run = &grid->runs[grid->labels[i].run]};
    }
    return count;
}

/* A format that FILE does not have is told as --only tells it. */
static ag_status check_formats(const ag_grid *grid, const request *asked, ag_arena *arena)
{
    bool *selected = ag_arena_alloc(arena, grid->n_runs * sizeof *selected);
    if (selected == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    for (size_t i = 0; asked->file != NULL && i < asked->formats.count; i++) {
        const char *selector = ag_arena_printf(arena, "format=%s", asked->formats.items[i]);
        if (selector == NULL)
            return ag_fail(AG_ERR_SYSTEM, "out of memory");
        AG_TRY(ag_select_runs(selected, grid, &selector, 1));
    }
    return AG_OK;
}

/* --- measuring */

/* "rest" is what is left of the step, so that the parts always add up to it. */
static void keep_step(ag_bench_record *record, double now_s)
{
    bool warms_up = record->seen < AG_BENCH_WARM_UP;
    record->seen++;
    if (warms_up || record->count == record->n_steps)
        return;
    ag_bench_step *step = &record->steps[record->count++];
    ag_bench_work *rest = &record->now.parts[AG_BENCH_REST];
    record->now.seconds = rest->seconds = now_s - record->since_s;
    for (int part = 0; part < AG_BENCH_REST; part++)
        rest->seconds -= record->now.parts[part].seconds;
    *step = record->now;
}

/* Called between two steps. */
static void note_step(void *context, const ag_train_progress *progress)
{
    ag_bench_record *record = context;
    if (progress->activity == AG_ACTIVITY_TRAINING)
        keep_step(record, ag_clock_s());
    record->now = (ag_bench_step){0};
    record->since_s = ag_clock_s();
}

/* Asked between two steps, and so the training ends with a whole one. */
static bool has_enough(void *context)
{
    const ag_bench_record *record = context;
    return record->count == record->n_steps;
}

/* The same training without what is no part of a step, which ends by being stopped. A step of the
 * bench is then a step of any training of this model. */
static ag_run stripped(const ag_run *run, size_t n_steps)
{
    ag_run only = *run;
    const int64_t needed = (int64_t)n_steps + AG_BENCH_WARM_UP + 1;
    only.train.steps = run->train.steps > needed ? run->train.steps : needed;
    only.eval.every = 0;
    only.observe.diagnostics = 0;
    only.stop = (ag_stop_spec){.on_nonfinite = AG_ON_NONFINITE_SKIP};
    only.output.weights = AG_WEIGHTS_NONE;
    only.output.states = (ag_step_list){0};
    only.train.start_step = 0;
    return only;
}

/* It ends by being stopped, which is an error to whoever did not want it. */
static ag_status train(ag_bench_record *record, const ag_run *run, const ag_corpus *corpus)
{
    ag_arena memory;
    ag_record trained = {0};
    const ag_train_hooks hooks = {
        .context = record, .progress = note_step, .should_stop = has_enough};
    AG_TRY(ag_arena_init(&memory, ag_train_bytes(run, ag_val_windows(corpus, run))));
    ag_status status =
        ag_train(&trained, run, corpus, NULL, ag_bench_kernels(record), &hooks, &memory);
    ag_arena_deinit(&memory);
    if (has_enough(record)) {
        ag_error_clear();
        return AG_OK;
    }
    return status != AG_OK ? status : ag_fail(AG_ERR_BUG, "the training ended by itself");
}

/* For the middle half: a step that was interrupted by another process is at the end. */
static int by_seconds(const void *a, const void *b)
{
    const ag_bench_step *x = a;
    const ag_bench_step *y = b;
    return (x->seconds > y->seconds) - (x->seconds < y->seconds);
}

static void add_work(ag_bench_work *sum, const ag_bench_work *work, double share)
{
    sum->seconds += share * work->seconds;
    sum->calls += share * work->calls;
    sum->bytes += share * work->bytes;
    for (int kind = 0; kind < AG_BENCH_KINDS; kind++)
        sum->multiply_adds[kind] += share * work->multiply_adds[kind];
}

/* Of the middle half of the steps, so that parts add up to the step. Parts of single steps may be
 * slow for reasons of the machine. */
static ag_bench_step middle_mean(ag_bench_record *record)
{
    ag_bench_step mean = {0};
    const size_t first = record->count / 4;
    const size_t end = record->count - first;
    const double share = 1 / (double)(end - first);
    qsort(record->steps, record->count, sizeof *record->steps, by_seconds);
    for (size_t i = first; i < end; i++) {
        mean.seconds += share * record->steps[i].seconds;
        for (int part = 0; part < AG_BENCH_PARTS; part++)
            add_work(&mean.parts[part], &record->steps[i].parts[part], share);
    }
    return mean;
}

/* Parameters by the plan's own count, so that both commands say the same. */
static ag_status measure_with(ag_bench_result *result, ag_bench_record *record)
{
    const ag_run run = stripped(result->run, record->n_steps);
    ag_corpus corpus;
    AG_TRY(ag_corpus_open(&corpus, &run.data, run.model.block_size));
    ag_status status = train(record, &run, &corpus);
    ag_corpus_close(&corpus);
    if (status != AG_OK)
        return status;
    result->n_steps = record->count;
    result->parameters = ag_plan_run_cost(result->run).parameters;
    result->tokens =
        (double)run.train.grad_accum * (double)run.train.batch_size * (double)run.model.block_size;
    result->mean = middle_mean(record);
    return ag_bench_bound(&result->bounds, record, &result->mean);
}

/* Room for every step before the first: a measurement allocates nothing. */
static ag_status measure(ag_bench_result *result, size_t n_steps)
{
    const ag_model_spec *model = &result->run->model;
    ag_bench_record record = {
        .n_steps = n_steps, .T = (size_t)model->block_size, .D = ag_sizes_of(model).D};
    record.steps = calloc(n_steps, sizeof *record.steps);
    if (record.steps == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory for %zu steps", n_steps);
    ag_status status = measure_with(result, &record);
    free(record.steps);
    return status;
}

/* --- the command */

/* As a trainer would: the option, else the experiment, else the cores that the launcher bound. */
static ag_status start_threads(const request *asked, const ag_run *run)
{
    int64_t threads = asked->threads > 0 ? asked->threads : run->limits.threads;
    if (threads == 0)
        threads = ag_cores_bound(1);
    return ag_pool_start(threads < AG_POOL_MOST_THREADS ? (int)threads : AG_POOL_MOST_THREADS);
}

/* Formats one after another, each with a trainer of its own, so that none finds the caches as the
 * other left them. */
static ag_status measure_all(const request *asked, const ag_grid *grid, ag_arena *arena)
{
    ag_text text;
    ag_bench_result *results = ag_arena_alloc(arena, grid->n_labels * sizeof *results);
    if (results == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    AG_TRY(check_formats(grid, asked, arena));
    const size_t count = list_results(results, grid, asked);
    AG_TRY(start_threads(asked, results[0].run));
    for (size_t i = 0; i < count; i++)
        AG_TRY(measure(&results[i], (size_t)asked->steps));
    ag_text_init(&text);
    if (asked->json)
        ag_bench_json(&text, results, count);
    else
        ag_bench_text(&text, results, count);
    ag_status status = text.failed ? ag_fail(AG_ERR_SYSTEM, "out of memory") : AG_OK;
    if (status == AG_OK)
        fputs(text.data, stdout);
    ag_text_deinit(&text);
    return status;
}

static ag_status bench(request *asked, ag_arena *arena)
{
    ag_experiment *experiment = NULL;
    AG_TRY(ag_kernels_init());
    ag_status status = load(&experiment, asked, arena);
    if (status == AG_OK)
        status = measure_all(asked, ag_experiment_grid(experiment), arena);
    ag_pool_stop();
    ag_experiment_destroy(experiment);
    return status;
}

int ag_cmd_bench(int argc, char **argv)
{
    request asked = {.steps = 20};
    ag_arena arena;
    ag_arena_init_growing(&arena);
    int code = parse_options(&asked, argc, argv, &arena);
    if (code < 0)
        code = ag_app_exit(bench(&asked, &arena));
    ag_arena_deinit(&arena);
    return code;
}
