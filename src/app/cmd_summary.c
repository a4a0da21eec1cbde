/* altgrad summary: the comparison, from a finished or a running experiment. */
#include <string.h>

#include "app/commands.h"
#include "base/arena.h"
#include "base/text.h"
#include "command_line.h"
#include "summary.h"
#include "wrong_file.h"

typedef struct request {
    const char *path;
    ag_summary_view view;
    bool json;
} request;

typedef struct form {
    const char *name;
    void (*write)(ag_text *out, const ag_summary *summary);
} form;

/* A form is a function of the same summary: numbers and verdicts are computed once, whoever reads
 * them. */
static const form s_forms[] = {
    {"text",     ag_summary_table   },
    {"csv",      ag_summary_csv     },
    {"markdown", ag_summary_markdown},
    {"latex",    ag_summary_latex   },
    {"json",     ag_summary_json    },
};

enum { N_FORMS = sizeof s_forms / sizeof s_forms[0] };

/* The nearest word is a guess at a misspelt one. */
static ag_status read_form(void *into, const char *value)
{
    request *asked = into;
    const char *names[N_FORMS];
    for (size_t i = 0; i < N_FORMS; i++) {
        names[i] = s_forms[i].name;
        if (strcmp(value, names[i]) == 0) {
            asked->view.form = s_forms[i].write;
            return AG_OK;
        }
    }
    const char *nearest = ag_nearest_word(value, names, N_FORMS);
    return ag_fail(AG_ERR_INPUT,
                   "--format takes text, csv, markdown, latex or json, not '%.60s'%s%s%s", value,
                   nearest != NULL ? "; did you mean '" : "", nearest != NULL ? nearest : "",
                   nearest != NULL ? "'?" : "");
}

static const ag_option s_options[] = {
    {"--metric M",
     "final_val_loss (the whole validation part after the last step), val_loss\n"
     "(the fixed eval.windows then), either with _hp (the same weights without\n"
     "quantisers), or loss (of the last training step); unless given, what the\n"
     "experiment compares",                                                        AG_TEXT(request,        view.metric)     },
    {"--only SEL",
     "shows the rows of axis=value[,value]; several must all hold. What the\n"
     "verdicts are does not depend on it",                                         AG_TEXTS(request,       view.only)       },
    {"--across AXIS",
     "one table over all points of an axis, such as optimizer.lr, which has a\n"
     "column then",                                                                AG_TEXT(request,        view.across)     },
    {"--best AXIS",
     "each format at its best point of an axis. The first third of the seeds\n"
     "chooses it and the others are judged, so that no format gains by having\n"
     "been tried more often; with fewer than 3 seeds this cannot be, and is told", AG_TEXT(request,        view.best)       },
    {"--spikes N",
     "also the spike score: the share of steps whose loss, and whose gradient\n"
     "norm, is 7 standard deviations or more off the mean of the N steps before.\n"
     "OLMo 2 (arXiv 2501.00656) takes 1000",                                       AG_COUNT(request,       view.spike_window, 1000000000)},
    {"--format F",               "text, csv (every number in full), markdown, latex (booktabs) or json",
     AG_OTHER(read_form)},
    {"--json",        "--format json",                                             AG_FLAG(request,        json)                                                                                                    },
};

static const ag_command_line s_line = {
    .command = "summary",
    .usage =
        "usage: altgrad summary OUT [--metric M] [--only SEL] [--across AXIS] [--best AXIS]\n"
        "                           [--spikes N] [--format F | --json]\n\n"
        "Format by layer config: mean and standard deviation over the seeds, the paired\n"
        "difference to the baseline with its 95 % interval and a verdict beside the margin, and\n"
        "how many runs diverged, failed or are pending. Verdicts hold together (compare.family);\n"
        "docs/statistics.md has their definition. Works beside a running experiment.\n\n",
    .column = 17,
    .n_options = sizeof s_options / sizeof s_options[0],
    .options = s_options,
    .notes = "\nExit codes: 0 shown, 2 bad input or no such file, 3 environment.\n\n"
             "example: altgrad summary results/quickstart.h5 --best optimizer.lr --format latex\n",
};

/* --json is short for --format json, as every command has it. */
static ag_status show(request *asked)
{
    AG_TRY(ag_app_expect_results(asked->path));
    if (asked->view.spike_window == 1)
        return ag_fail(AG_ERR_INPUT,
                       "--spikes takes 2 steps or more: one has no standard deviation");
    if (asked->json)
        asked->view.form = ag_summary_json;
    return ag_summary_show(asked->path, &asked->view);
}

int ag_cmd_summary(int argc, char **argv)
{
    request asked = {0};
    ag_arena arena;
    ag_arena_init_growing(&arena);
    int code = ag_app_read_options(&asked, &s_line, argc, argv, &arena);
    if (code < 0)
        code = ag_app_results_argument(&asked.path, &s_line, argc, argv);
    if (code < 0)
        code = ag_app_exit(show(&asked));
    ag_arena_deinit(&arena);
    return code;
}
