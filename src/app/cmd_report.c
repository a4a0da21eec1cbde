/* altgrad report: a page of the results for people. Python draws it (analysis/altgrad_analysis/
 * report); here the command line is checked, so that help and messages are as those of every other
 * command. */
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "analysis.h"
#include "app/commands.h"
#include "command_line.h"
#include "wrong_file.h"

typedef struct report_options {
    const char *folder;
    const char *metric;
    ag_texts select;
    bool live;
    long every_s; /* 0: as Python has it */
} report_options;

/* Not AG_TEXT and its like: clang-format 14 crashes on this table with them. */
#define AT(member) offsetof(report_options, member)

static const ag_option s_options[] = {
    {"-o, --output DIR",
     "the folder of report.html and its CSV files (default: OUT\nwithout .h5, and .report)", AG_OPTION_TEXT,  AT(folder),  0,     NULL},
    {"--select AXIS=VALUE",
     "draw these values of an axis alone; may be given several\ntimes; verdicts and claims stay "
     "those of all seeds",                                                                   AG_OPTION_TEXTS, AT(select),  0,     NULL},
    {"--metric METRIC",     "what is compared (default: compare.metric)",                    AG_OPTION_TEXT,  AT(metric),  0,
     NULL                                                                                                                             },
    {"--live",
     "draw runs that still train, too, and write the page again and\nagain while somebody trains; "
     "it loads itself anew",                                                                 AG_OPTION_FLAG,  AT(live),    0,     NULL},
    {"--every SECONDS",     "with --live: how often (10)",                                   AG_OPTION_COUNT, AT(every_s), 86400, NULL},
};

static const ag_command_line s_line = {
    .command = "report",
    .usage =
        "usage: altgrad report OUT [-o DIR] [options]\n\n"
        "Writes one HTML page that needs no network, with the figures of the experiment inside "
        "and\n"
        "a CSV file behind each: losses over the steps and their paired differences, final losses\n"
        "with intervals and verdicts, every seed, maps of formats, layers and roles, learning\n"
        "rates, scaling, what quantisation did to each layer, and what was left out and why.\n"
        "Python draws it: $ALTGRAD_PYTHON or python3, with h5py, numpy, pandas and scipy.\n\n",
    .column = 23,
    .n_options = sizeof s_options / sizeof s_options[0],
    .options = s_options,
    .notes = "\nExit codes: 0 written; 1 written, but a fault of altgrad cost a figure; 2 bad\n"
             "input or no such file; 3 environment.\n\n"
             "example: altgrad report results/quickstart.h5 -o report\n",
};

/* What is handed on. */
typedef struct call {
    const char **arguments;
    size_t count;
    ag_arena *arena;
} call;

/* "--output=DIR": a value may begin with a dash. */
static ag_status add(call *to, const char *option, const char *value)
{
    if (value == NULL)
        return AG_OK;
    char *text = ag_arena_printf(to->arena, "%s=%s", option, value);
    if (text == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    to->arguments[to->count++] = text;
    return AG_OK;
}

/* The file stands behind "--", as its name may begin with a dash, too. */
static ag_status report(const char *path, const report_options *options, ag_arena *arena)
{
    call to = {.arena = arena};
    char every[32];
    to.arguments = ag_arena_alloc(arena, (options->select.count + 8) * sizeof *to.arguments);
    if (to.arguments == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    to.arguments[to.count++] = "report";
    snprintf(every, sizeof every, "%ld", options->every_s);
    AG_TRY(add(&to, "--output", options->folder));
    AG_TRY(add(&to, "--metric", options->metric));
    AG_TRY(add(&to, "--every", options->every_s > 0 ? every : NULL));
    for (size_t i = 0; i < options->select.count; i++)
        AG_TRY(add(&to, "--select", options->select.items[i]));
    if (options->live)
        to.arguments[to.count++] = "--live";
    to.arguments[to.count++] = "--";
    to.arguments[to.count++] = path;
    to.arguments[to.count] = NULL;
    return ag_analysis_become(to.arguments, arena);
}

int ag_cmd_report(int argc, char **argv)
{
    const char *path = NULL;
    report_options options = {0};
    ag_arena arena;
    ag_arena_init_growing(&arena);
    int code = ag_app_read_options(&options, &s_line, argc, argv, &arena);
    if (code < 0)
        code = ag_app_results_argument(&path, &s_line, argc, argv);
    if (code < 0) {
        ag_status status = ag_app_expect_results(path);
        if (status == AG_OK)
            status = report(path, &options, &arena);
        code = ag_app_exit(status);
    }
    ag_arena_deinit(&arena);
    return code;
}
