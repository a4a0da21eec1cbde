#include "made_up.h"

#include "support.h"

void made_up_run(ag_run *run, int64_t seed, const ag_layer_precision *precision)
{
    ag_run_defaults(run);
    run->model.n_layer = 1;
    run->model.n_head = 2;
    run->model.n_embd = 8;
    run->model.block_size = 4;
    run->data.synthetic = AG_SYNTHETIC_MARKOV;
    run->data.vocab = 7;
    run->train.steps = MADE_UP_STEPS;
    run->facts = (ag_data_facts){.vocab_size = 7, .train_tokens = 900, .val_tokens = 100};
    memset(run->facts.digest, 'a', AG_DIGEST_LENGTH);
    run->layers = precision;
    run->seed = seed;
    assert_ok(ag_run_identify(run));
}

static float *made_up_weights(const ag_tensor_table *tensors, float start, ag_arena *arena)
{
    float *weights = ag_arena_floats(arena, tensors->total);
    for (size_t i = 0; i < tensors->total; i++)
        weights[i] = start + (float)i / 1000.0F;
    return weights;
}

/* Samples of steps 0 and 4: n = 10 + step, sqnr = 30.5 - step, cosine = 1 / (1 + step). */
static void made_up_samples(ag_samples *samples, ag_arena *arena)
{
    static const ag_metric counters[] = {
        {"n",    "1",  "elements",                           true },
        {"sqnr", "dB", "signal to quantisation noise ratio", false}
    };
    static const ag_metric grad[] = {
        {"cosine", "1", "of the gradient and its shadow", false}
    };
    samples->groups = ag_arena_alloc(arena, 2 * sizeof *samples->groups);
    samples->groups[0] = (ag_sampled){"quant/lm_head/weight", counters, 2, 0};
    samples->groups[1] = (ag_sampled){"diagnostics/grad/lm_head", grad, 1, 2};
    samples->n_groups = 2;
    samples->count = 2;
    samples->width = 3;
    samples->step = ag_arena_alloc(arena, 2 * sizeof *samples->step);
    samples->values = ag_arena_alloc(arena, 6 * sizeof *samples->values);
    for (int i = 0; i < 2; i++) {
        double *row = samples->values + i * 3;
        samples->step[i] = i * 4;
        row[0] = 10 + i * 4;
        row[1] = 30.5 - i * 4;
        row[2] = 1.0 / (1 + i * 4);
    }
}

void made_up_record(ag_record *record, const ag_run *run, ag_arena *arena)
{
    double seed = (double)run->seed;
    assert_ok(ag_record_make(record, run, 2, MADE_UP_WINDOWS, arena));
    record->steps = MADE_UP_STEPS;
    for (int i = 0; i < MADE_UP_STEPS; i++) {
        record->loss[i] = 4 - i / 10.0 + seed;
        record->grad_norm[i] = 1 + i / 100.0;
        record->lr[i] = run->optimizer.lr * (i + 1);
        record->clipped[i] = i == 1;
    }
    record->evals = 2;
    for (int i = 0; i < 2; i++) {
        record->eval_step[i] = i == 0 ? 2 : MADE_UP_STEPS;
        record->val_loss[i] = 3 - i + seed;
        record->val_loss_hp[i] = 2.5 - i + seed;
    }
    record->final_val_loss = 2.25 + seed;
    record->final_val_loss_hp = 1.75 + seed;
    for (int i = 0; i < MADE_UP_WINDOWS; i++) {
        record->final_windows[i] = 2 + i / 8.0;
        record->final_windows_hp[i] = 1.5 + i / 8.0;
    }
    assert_ok(ag_tensor_table_make(&record->tensors, &run->model, run->facts.vocab_size, arena));
    record->weights = made_up_weights(&record->tensors, (float)seed, arena);
    assert_ok(ag_weights_digest(record->digest, &record->tensors, record->weights));
    assert_ok(ag_weights_digest(record->digest_initial, &record->tensors, record->weights));
    made_up_samples(&record->samples, arena);
    record->entropy_rate = 1.25;
    record->timing =
        (ag_timing){.train_s = 12.5, .eval_s = 0.5, .total_s = 13, .tokens_per_s = 700};
    snprintf(record->timing.host, sizeof record->timing.host, "node-%lld", (long long)run->seed);
}

void made_up_grid(ag_grid *grid, ag_run *runs, size_t n_runs, ag_arena *arena)
{
    static const ag_axis axes[] = {
        {"format",       AG_AXIS_TEXT},
        {"layers",       AG_AXIS_TEXT},
        {"seed",         AG_AXIS_INT },
        {"optimizer.lr", AG_AXIS_REAL}
    };
    static ag_layer_precision precision[MADE_UP_LAYERS];
    static const ag_axis_value baseline[4] = {{.text = "E4M3"}};
    ag_label *labels = ag_arena_alloc(arena, n_runs * sizeof *labels);
    ag_format format;
    assert_ok(ag_format_parse(&format, "E4M3"));
    precision[0].scheme[AG_ROLE_WEIGHT][0] = ag_scheme_plain(&format);
    precision[0].scheme[AG_ROLE_WEIGHT][1] = ag_scheme_plain(&format);
    for (size_t i = 0; i < n_runs; i++) {
        ag_axis_value *values = ag_arena_alloc(arena, 4 * sizeof *values);
        made_up_run(&runs[i], (int64_t)i, precision);
        values[0] = (ag_axis_value){.text = "E4M3"};
        values[1] = (ag_axis_value){.text = "uniform"};
        values[2] =
            (ag_axis_value){.text = ag_arena_printf(arena, "%zu", i), .integer = (int64_t)i};
        values[3] = (ag_axis_value){.text = "1e-3", .real = 1e-3};
        labels[i] = (ag_label){i, values};
    }
    *grid = (ag_grid){
        .name = "made up",
        .yaml = "altgrad: 1\nname: made up\n",
        .n_axes = 4,
        .axes = axes,
        .n_runs = n_runs,
        .runs = runs,
        .n_labels = n_runs,
        .labels = labels,
        .compare = {.baseline = baseline, .metric = "val_loss", .margin = 0.01},
        .numerics = AG_NUMERICS_VERSION,
    };
}
