/* altgrad plan: the grid of an experiment file, before anything is trained. It reads with the very
 * code of `run`, down to the ids: what it shows is what `run` would do, and what it refuses `run`
 * would refuse. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/commands.h"
#include "base/arena.h"
#include "base/log.h"
#include "base/printable.h"
#include "claims.h"
#include "command_line.h"
#include "config/select.h"
#include "format_facts.h"
#include "init_digest.h"
#include "plan.h"
#include "rounds.h"
#include "start_state.h"
#include "wrong_file.h"

#define OPTIONS ag_plan_options

static const ag_option s_options[] = {
    {"-o OUT",          "results file to compare with; else what output.file says",       AG_TEXT(OPTIONS,  out)                                                                },
    {"--set KEY=VALUE",
     "instead of the file's: train.steps=500, seeds=[1, 2], formats=[BF16, E4M3],\n"
     "axes.optimizer.lr=[1e-3, 2e-3] ('altgrad params' lists the keys)",                  AG_TEXTS(OPTIONS, sets)                                                               },
    {"--only SEL",      "axis=value[,value] or the beginning of a run id; all must hold",
     AG_TEXTS(OPTIONS,                                                                                      only)                                                               },
    {"--ranks N",       "time for N runs in parallel (1)",                                AG_COUNT(OPTIONS, ranks,                                                                1000000)},
    {"--layers",                 "the format of each layer and role, per layer config",                                                                        AG_FLAG(OPTIONS,                   layers)},
    {"--json",
     "the runs as altgrad-train takes them, their labels, and which are kept,\n"
     "recorded less than now asked, failed, new or orphaned",                                                                          AG_FLAG(OPTIONS,                                               json)                          },
};

static const ag_command_line s_line = {
    .command = "plan",
    .usage =
        "usage: altgrad plan FILE [-o OUT] [--set KEY=VALUE]... [--only SEL]... [--ranks N]\n"
        "                    [--layers] [--json]\n"
        "\n"
        "Reads and checks an experiment file and shows the grid: points per axis, runs, models, "
        "what\n"
        "they need, and what of it the results already hold. Nothing is trained or written.\n"
        "\n",
    .column = 19,
    .n_options = sizeof s_options / sizeof s_options[0],
    .options = s_options,
    .notes =
        "\n"
        "Left out, formats is [BF16], layer_configs is {uniform: {format: $format}} and seeds is "
        "[0];\n"
        "a layer that no rule matches stays in BF16 unless default_format says another. Order of "
        "the\n"
        "axes: format, layers, those under axes, seed. Runs in which no random number has a part "
        "are one\n"
        "run whatever their seed; to quantise trained models: 'altgrad params model.init'.\n"
        "Exit codes: 0 the file is good, 2 it has errors, 3 environment.\n"
        "\n"
        "example: altgrad plan jobs/quickstart.yaml --only format=E5M2 --layers\n",
};

/* Returns -1 when the command shall go on, else its exit code. */
static int parse_options(ag_plan_options *options, int argc, char **argv, ag_arena *arena)
{
    int code = ag_app_read_options(options, &s_line, argc, argv, arena);
    if (code >= 0)
        return code;
    if (optind == argc)
        return ag_app_usage("plan", "which experiment file?");
    if (optind + 1 < argc)
        return ag_app_usage("plan", "one experiment file at a time, not also '%s'",
                            argv[optind + 1]);
    options->file = argv[optind];
    return -1;
}

/* --- the report */

/* The first ones and the last: that is how a user knows an axis. */
enum { SHOWN_POINTS = 8 };

/* As the file writes the points, and not as numbers that were read from them. */
static void add_axis(ag_text *text, const ag_experiment *experiment, size_t axis, ag_arena *arena)
{
    const ag_axis_value *values = NULL;
    size_t count = ag_experiment_axis_points(experiment, axis, &values, arena);
    ag_text_add(text, "  ");
    ag_text_add_padded(text, ag_experiment_grid(experiment)->axes[axis].name, 16);
    ag_text_printf(text, " %4zu  ", count);
    for (size_t i = 0; i < count; i++) {
        if (count > SHOWN_POINTS && i == SHOWN_POINTS - 2) {
            ag_text_add(text, ", ...");
            i = count - 1;
        }
        ag_text_add(text, i > 0 ? ", " : "");
        ag_text_add_printable(text, values[i].text);
    }
    ag_text_add(text, "\n");
}

/* Every number that led from the product of the axes to the runs, so that a grid of another size
 * than expected explains itself. */
static void add_grid(ag_text *text, const ag_experiment *experiment, const ag_plan_options *options,
                     size_t n_selected, ag_arena *arena)
{
    const ag_grid *grid = ag_experiment_grid(experiment);
    ag_experiment_counts counts = ag_experiment_counted(experiment);
    ag_text_add(text, "experiment ");
    ag_text_add_printable(text, grid->name);
    ag_text_add(text, " (");
    ag_text_add_printable(text, options->file);
    ag_text_add(text, ")\n\ngrid\n");
    for (size_t a = 0; a < grid->n_axes; a++)
        add_axis(text, experiment, a, arena);
    ag_text_printf(text, "\nruns\n  %zu combinations", counts.multiplied);
    if (counts.excluded > 0)
        ag_text_printf(text, " - %zu excluded", counts.excluded);
    if (counts.included > 0)
        ag_text_printf(text, " + %zu included", counts.included);
    if (counts.folded > counts.seeds)
        ag_text_printf(text, " - %zu that resolve to the same run as another",
                       counts.folded - counts.seeds);
    if (counts.seeds > 0)
        ag_text_printf(text, " - %zu that differ in the seed alone", counts.seeds);
    ag_text_printf(text, " = %zu runs\n", grid->n_runs);
    if (counts.seeds > 0)
        ag_text_add(text,
                    "  seeds fold: no random number has a part in these runs, so each is trained "
                    "and counted once\n");
    ag_rounds_plan_text(text, grid);
    if (options->only.count > 0)
        ag_text_printf(text, "  %zu of them selected by --only\n", n_selected);
}

/* For a helper nothing is printed but the warning. */
static ag_status add_report(ag_text *text, const ag_experiment *experiment,
                            const ag_plan_options *options, const bool *selected, const char *out,
                            ag_holdings *holdings)
{
    const ag_grid *grid = ag_experiment_grid(experiment);
    size_t n_selected = 0;
    for (size_t r = 0; r < grid->n_runs; r++)
        n_selected += selected[r];
    if (options->less) {
        ag_text warning;
        ag_text_init(&warning);
        ag_holdings_warn(&warning, holdings, grid, selected);
        if (warning.length > 0)
            ag_log(AG_LOG_WARNING, "%s", warning.data);
        ag_text_deinit(&warning);
        return AG_OK;
    }
    AG_TRY(ag_holdings_find_trunks(holdings, grid, selected));
    if (options->json) {
        ag_plan_json(text, grid, selected, out, holdings);
        return AG_OK;
    }
    add_grid(text, experiment, options, n_selected, &holdings->arena);
    ag_holdings_text(text, out, holdings, grid, selected);
    ag_plan_trunks(text, holdings, grid, selected);
    ag_claims_plan_text(text, grid);
    ag_format_facts(text, grid, selected, true);
    ag_plan_data(text, grid, selected);
    ag_plan_starts(text, grid, selected);
    AG_TRY(ag_plan_models(text, grid, selected, (int)options->ranks, holdings));
    return options->layers ? ag_plan_layers(text, grid, selected) : AG_OK;
}

/* The results are read after the experiment is known to be good: its errors come first. */
static ag_status report(ag_text *text, const ag_experiment *experiment,
                        const ag_plan_options *options, const bool *selected)
{
    const ag_grid *grid = ag_experiment_grid(experiment);
    ag_holdings holdings;
    ag_arena arena;
    ag_arena_init_growing(&arena);
    const char *out = options->out; /* `run` has expanded it */
    ag_status status =
        options->less ? AG_OK : ag_app_results_path(&out, options->out, grid, &arena);
    if (status == AG_OK) {
        status = ag_holdings_read(&holdings, out, grid);
        if (status == AG_OK)
            status = add_report(text, experiment, options, selected, out, &holdings);
        ag_holdings_close(&holdings);
    }
    ag_arena_deinit(&arena);
    return status;
}

/* Diagnostics go to standard error as the reader gave them, with lines and columns of the file; the
 * plan is printed only when all of it is made. */
ag_status ag_plan_show(const ag_plan_options *options)
{
    ag_text text;
    AG_TRY(ag_app_expect_experiment(options->file));
    ag_text_init(&text);
    ag_experiment *experiment = NULL;
    bool *selected = NULL;
    const ag_experiment_options how = {.sets = options->sets.items,
                                       .n_sets = options->sets.count,
                                       .find_init = ag_init_find_here,
                                       .find_start = ag_start_find_here};
    ag_status status = ag_experiment_load(&experiment, options->file, &how, &text);
    if (!options->less)
        fputs(text.data, stderr);
    ag_text_deinit(&text);
    if (status != AG_OK)
        goto cleanup;
    const ag_grid *grid = ag_experiment_grid(experiment);
    selected = calloc(grid->n_runs, sizeof *selected);
    if (selected == NULL) {
        status = ag_fail(AG_ERR_SYSTEM, "out of memory");
        goto cleanup;
    }
    status = ag_select_runs(selected, grid, options->only.items, options->only.count);
    if (status != AG_OK || (status = report(&text, experiment, options, selected)) != AG_OK)
        goto cleanup;
    if (text.failed)
        status = ag_fail(AG_ERR_SYSTEM, "out of memory");
    else if (!ag_text_print(&text))
        status = ag_fail(AG_ERR_SYSTEM, "cannot write to standard output");
cleanup:
    free(selected);
    ag_text_deinit(&text);
    ag_experiment_destroy(experiment);
    return status;
}

int ag_cmd_plan(int argc, char **argv)
{
    ag_plan_options options = {.ranks = 1};
    ag_arena arena;
    ag_arena_init_growing(&arena);
    int code = parse_options(&options, argc, argv, &arena);
    if (code < 0)
        code = ag_app_exit(ag_plan_show(&options));
    ag_arena_deinit(&arena);
    return code;
}
