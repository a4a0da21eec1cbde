/* What the models of a plan cost: parameters, tokens, disk and time. Estimated from shapes alone,
 * in a moment, for grids of thousands of runs; where the results hold runs of the grid, time is
 * told by what those took. */
#include <math.h>
#include <string.h>

#include "base/arena.h"
#include "base/duration.h"
#include "data/batch.h"
#include "plan.h"
#include "record/series.h"
#include "run/layers.h"
#include "run/model_spec.h"
#include "run/optimizers.h"
#include "run/phases.h"
#include "run/sites.h"
#include "run/tensors.h"
#include "train/train.h"

/* Multiplications and additions of one token's forward pass: every linear layer, and attention over
 * the whole window. The backward pass takes twice as many. */
static double forward_flops(const ag_run *run)
{
    const ag_model_spec *model = &run->model;
    double flops = 0;
    for (size_t i = 0; i < ag_layer_count(model); i++) {
        ag_layer layer = ag_layer_at(model, run->facts.vocab_size, i);
        flops += 2.0 * (double)layer.inputs * (double)layer.outputs;
    }
    ag_sizes sizes = ag_sizes_of(model);
    return flops + 4.0 * (double)(sizes.L * ag_query_width(&sizes) * sizes.T);
}

/* Tokens of all evaluations; each is done with and without quantisers. */
static double eval_tokens(const ag_run *run)
{
    ag_corpus corpus = {.facts = run->facts};
    double all = (double)ag_val_windows(&corpus, run);
    double some = (double)run->eval.windows < all ? (double)run->eval.windows : all;
    int64_t every = run->eval.every;
    int64_t evals = every > 0 ? run->train.steps / every - run->train.start_step / every : 0;
    return 2 * ((double)evals * some + all) * (double)run->model.block_size;
}

/* Of a training of so many tokens and its evaluations, which are forward passes: half of their
 * tokens meet quantisers and accumulators. */
static double phase_accumulated(const ag_run *run, double tokens, double evaluated)
{
    double flops = 0;
    for (size_t i = 0; i < ag_layer_count(&run->model); i++) {
        const ag_accumulator *accumulate = run->layers[i].accumulate;
        if (ag_accumulates_by_default(&run->layers[i]))
            continue;
        ag_layer layer = ag_layer_at(&run->model, run->facts.vocab_size, i);
        const double per_token = 2.0 * (double)layer.inputs * (double)layer.outputs;
        for (int product = 0; product < AG_LINEAR_PRODUCTS; product++) {
            if (accumulate[product].kind != AG_ACCUMULATE_SEGMENTS)
                flops += per_token * (tokens + (product == AG_FPROP ? evaluated : 0));
        }
    }
    return flops;
}

/* Each phase has its share of the tokens. */
static double accumulated_flops(const ag_run *run, double tokens)
{
    double flops = 0;
    for (size_t phase = 0; phase < ag_phase_count(run); phase++) {
        ag_run one = ag_run_in_phase(run, phase);
        double share = ag_phase_share(run, phase);
        flops += phase_accumulated(&one, share * tokens, share * eval_tokens(run) / 2);
    }
    return flops;
}

/* By the table of tensors that the model is made of. 0 where memory runs out: it is a figure in a
 * report. */
static size_t count_parameters(const ag_run *run)
{
    ag_arena arena;
    ag_tensor_table table;
    ag_arena_init_growing(&arena);
    size_t count = 0;
    if (ag_tensor_table_make(&table, &run->model, run->facts.vocab_size, &arena) == AG_OK)
        count = ag_tensor_parameters(&table);
    ag_arena_deinit(&arena);
    return count;
}

/* A state is weights, moments and what storing the weights lost: so many copies of the weights. */
static double copies_of_state(const ag_run *run)
{
    bool keeps_lost =
        ag_run_stores_weights(run) && run->optimizer.store_error == AG_STORE_ERROR_KAHAN;
    return 2.0 + ag_optimizer_of(run)->has_variance + keeps_lost;
}

/* A backward pass is two products for each of the forward pass, hence 3. The unit is operations,
 * not seconds: it also decides which run starts first and how shards are balanced, where only
 * proportions count. */
ag_plan_cost ag_plan_run_cost(const ag_run *run)
{
    ag_plan_cost cost = {.parameters = count_parameters(run)};
    double forward = forward_flops(run);
    double copies = run->output.weights == AG_WEIGHTS_INITIAL_FINAL ? 2
                    : run->output.weights == AG_WEIGHTS_FINAL       ? 1
                                                                    : 0;
    ag_corpus corpus = {.facts = run->facts};
    cost.tokens = (double)ag_run_own_steps(run) * (double)run->train.batch_size *
                  (double)run->train.grad_accum * (double)run->model.block_size;
    cost.flops = 3 * forward * cost.tokens + forward * eval_tokens(run);
    cost.accumulated = accumulated_flops(run, cost.tokens);
    cost.memory = (double)ag_train_bytes(run, ag_val_windows(&corpus, run)) +
                  (double)ag_corpus_token_bytes(&run->facts) *
                      (double)(run->facts.train_tokens + run->facts.val_tokens);
    if (run->train.start_step > 0) /* the trainer holds the state that it begins with */
        cost.memory += copies_of_state(run) * 4.0 * (double)cost.parameters;
    cost.disk =
        (copies + (double)run->output.states.count * copies_of_state(run)) * 4.0 *
            (double)cost.parameters +
        (double)ag_series_row_bytes(AG_OVER_STEPS) * (double)run->train.steps +
        (double)ag_series_row_bytes(AG_OVER_WINDOWS) * (double)ag_val_windows(&corpus, run) +
        (double)ag_train_sampled_bytes(run);
    return cost;
}

double ag_plan_guess_s(const ag_plan_cost *cost)
{
    return (cost->flops - cost->accumulated) / (1e9 * AG_PLAN_GFLOPS) +
           cost->accumulated / (1e9 * AG_PLAN_ACCUMULATED_GFLOPS);
}

/* --- distinct models */

typedef struct model_row {
    const ag_run *run;  /* the first that has it */
    const ag_run *last; /* the one looked at last */
    ag_plan_cost cost; /* of the first, but the most memory of all, and `accumulated` of the last */
    double guess_s;    /* of all its runs */
    size_t runs;
} model_row;

/* What a row of the table shows, and what its cost depends on. */
static bool same_shape(const ag_run *a, const ag_run *b)
{
    return ag_spec_same_shape(&a->model, &b->model) &&
           strcmp(a->facts.digest, b->facts.digest) == 0 && a->train.steps == b->train.steps &&
           a->train.start_step == b->train.start_step &&
           a->train.batch_size == b->train.batch_size &&
           a->train.grad_accum == b->train.grad_accum &&
           a->output.states.count == b->output.states.count;
}

/* Copies of tensors, one for each scheme, take memory, and accumulators take time: both may differ
 * among runs of one shape. Runs that share their layers follow each other. */
static void add_run(model_row *row, const ag_run *run)
{
    if (!ag_phases_shared(run, row->last)) {
        const ag_plan_cost cost = ag_plan_run_cost(run);
        row->cost.memory = fmax(row->cost.memory, cost.memory);
        row->cost.accumulated = cost.accumulated;
    }
    row->last = run;
    row->runs++;
    row->guess_s += ag_plan_guess_s(&row->cost);
}

/* The longest run bounds the wall time, whatever the number of ranks. */
typedef struct totals {
    double guess_s;     /* seconds of one core */
    double longest_s;   /* of one run */
    double accumulated; /* operations */
    double disk;
    double memory;   /* of the run that needs most */
    int64_t threads; /* of the run that has most; 0: as the launcher binds cores to its rank */
} totals;

/* Of its steps, those that no other run trains for it. */
static double own_share(const ag_run *run, int64_t trunk)
{
    double shared = (double)(trunk - run->train.start_step);
    return trunk > 0 ? 1.0 - shared / (double)ag_run_own_steps(run) : 1.0;
}

/* From the first row on: a grid has few shapes. */
static size_t collect(model_row *rows, totals *sum, const ag_grid *grid, const bool *selected,
                      const ag_holdings *holdings)
{
    size_t count = 0;
    for (size_t r = 0; r < grid->n_runs; r++) {
        if (!selected[r])
            continue;
        size_t at = 0;
        const ag_run *run = &grid->runs[r];
        while (at < count && !same_shape(rows[at].run, run))
            at++;
        if (at == count)
            rows[count++] = (model_row){.run = run, .last = run, .cost = ag_plan_run_cost(run)};
        add_run(&rows[at], run);
        const ag_plan_cost *cost = &rows[at].cost;
        sum->guess_s += own_share(run, holdings->runs[r].trunk) * ag_plan_guess_s(cost);
        sum->accumulated += cost->accumulated;
        if (run->limits.threads > sum->threads)
            sum->threads = run->limits.threads;
        sum->disk += cost->disk;
        if (cost->memory > sum->memory)
            sum->memory = cost->memory;
        sum->longest_s = fmax(sum->longest_s, ag_plan_guess_s(cost));
    }
    return count;
}

/* 1234567 as "1.23 M". Two decimals of the largest unit below it, as models are talked about. */
static void add_amount(ag_text *text, double amount, int width)
{
    static const char units[] = " kMGTP";
    size_t unit = 0;
    while (amount >= 1000 && unit + 2 < sizeof units) {
        amount /= 1000;
        unit++;
    }
    ag_text_printf(text, "%*.*f %c", width - 2, unit > 0 ? 2 : 0, amount, units[unit]);
}

/* 1572864 as "1.5 MiB". Powers of 1024, as file managers and `ls -h` count. */
static void add_bytes(ag_text *text, double bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    size_t unit = 0;
    while (bytes >= 1024 && unit + 1 < sizeof units / sizeof units[0]) {
        bytes /= 1024;
        unit++;
    }
    ag_text_printf(text, "%.*f %s\n", unit > 0 && bytes < 100 ? 1 : 0, bytes, units[unit]);
}

static void add_time(ag_text *text, double seconds)
{
    char shown[AG_DURATION_TEXT];
    ag_text_add(text, ag_duration_rough(shown, seconds));
}

/* Tokens per parameter, because that is by what a training is called long or short. */
static void add_row(ag_text *text, const model_row *row, double scale)
{
    const ag_run *run = row->run;
    ag_text_printf(text, "  %6lld %6lld %6lld %6lld %7zu", (long long)run->model.n_layer,
                   (long long)run->model.n_head, (long long)run->model.n_embd,
                   (long long)run->model.block_size, row->runs);
    add_amount(text, (double)row->cost.parameters, 12);
    add_amount(text, row->cost.tokens, 12);
    double epochs = row->cost.tokens / (double)run->facts.train_tokens;
    double per_parameter = row->cost.tokens / (double)row->cost.parameters;
    ag_text_printf(text, " %8.2f %11.2f   ", epochs, per_parameter);
    add_time(text, scale * row->guess_s / (double)row->runs);
    ag_text_add(text, "\n");
}

/* What a rank holds while it trains: two programs, and the run. */
static void add_memory_needs(ag_text *text, double run_bytes)
{
    const double trainer = ceil(run_bytes / 0x1p20) + AG_PLAN_TRAINER_MIB;
    ag_text_printf(text,
                   "  memory     %.0f MiB per rank at most: %.0f for its trainer, %d for altgrad\n",
                   trainer + AG_PLAN_RANK_MIB, trainer, AG_PLAN_RANK_MIB);
}

/* How much longer runs of this grid took than was guessed; 1 while none has been timed. */
static double time_scale(const ag_holdings *holdings)
{
    return holdings->n_timed > 0 ? holdings->timed_s / holdings->timed_guess_s : 1;
}

/* Said even where it is one: users of clusters must ask for cores. */
static void add_core_needs(ag_text *text, int64_t threads, int ranks)
{
    const char *plural = ranks == 1 ? "" : "s";
    if (threads == 0)
        ag_text_printf(text,
                       "  cores      %d with %d rank%s, or as many as the launcher binds to each "
                       "(run.threads: auto)\n",
                       ranks, ranks, plural);
    else
        ag_text_printf(text, "  cores      %lld with %d rank%s of %lld thread%s\n",
                       (long long)threads * ranks, ranks, plural, (long long)threads,
                       threads == 1 ? "" : "s");
}

static void add_guess(ag_text *text, const totals *sum)
{
    ag_text_printf(text, " (a rough guess at %d GFLOP/s per core", AG_PLAN_GFLOPS);
    if (sum->accumulated > 0)
        ag_text_printf(text, ", %d where a product\n             has an accumulator of its own",
                       AG_PLAN_ACCUMULATED_GFLOPS);
    ag_text_add(text, ", up to 3 times too\n"
                      "             long or too short; completed runs will make it better)");
}

static void add_time_needs(ag_text *text, const totals *sum, int ranks, const ag_holdings *holdings)
{
    const double scale = time_scale(holdings);
    ag_text_add(text, "  core time  ");
    add_time(text, scale * sum->guess_s);
    if (holdings->n_timed > 0)
        ag_text_printf(text, " (by %zu of the runs in the results: %.3g GFLOP/s per core)",
                       holdings->n_timed, holdings->timed_flops / holdings->timed_s / 1e9);
    else
        add_guess(text, sum);
    ag_text_add(text, "\n  wall time  ");
    add_time(text, scale * fmax(sum->guess_s / ranks, sum->longest_s));
    ag_text_printf(text, " with %d rank%s\n", ranks, ranks == 1 ? "" : "s");
}

ag_status ag_plan_models(ag_text *text, const ag_grid *grid, const bool *selected, int ranks,
                         const ag_holdings *holdings)
{
    ag_arena arena;
    ag_arena_init_growing(&arena);
    model_row *rows = ag_arena_alloc(&arena, (grid->n_runs + 1) * sizeof *rows);
    if (rows == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    totals sum = {0};
    size_t count = collect(rows, &sum, grid, selected, holdings);
    ag_text_add(text, "\nmodels\n  layers  heads  width  block    runs  parameters      tokens   "
                      "epochs  tok/param   time each\n");
    for (size_t i = 0; i < count; i++)
        add_row(text, &rows[i], time_scale(holdings));
    ag_arena_deinit(&arena);
    ag_text_add(text, "\nneeds\n  disk       ");
    add_bytes(text, sum.disk);
    add_memory_needs(text, sum.memory);
    add_core_needs(text, sum.threads, ranks);
    add_time_needs(text, &sum, ranks, holdings);
    return AG_OK;
}
