/* altgrad summary: the comparison, from a finished or a running experiment. */
#include "app/commands.h"
#include "command_line.h"
#include "summary.h"
#include "wrong_file.h"

typedef struct request {
    const char *path;
    const char *metric; /* NULL: what the experiment compares */
    bool json;
} request;

static const ag_option s_options[] = {
    {"--metric M",
     "final_val_loss (the whole validation part after the last step), val_loss\n"
     "(the fixed eval.windows then), either with _hp (the same weights without\n"
     "quantisers), or loss (of the last training step); unless given, what the\n"
     "experiment compares",            AG_TEXT(request, metric)},
    {"--json",     "the same as JSON", AG_FLAG(request, json)  },
};

static const ag_command_line s_line = {
    .command = "summary",
    .usage =
        "usage: altgrad summary OUT [--metric M] [--json]\n\n"
        "Format by layer config: mean and standard deviation over the seeds, the paired\n"
        "difference to the baseline with its 95 % interval, and how many runs diverged, failed\n"
        "or are pending. Works beside a running experiment.\n\n",
    .column = 15,
    .n_options = sizeof s_options / sizeof s_options[0],
    .options = s_options,
    .notes = "\nExit codes: 0 shown, 2 bad input or no such file, 3 environment.\n\n"
             "example: altgrad summary results/quickstart.h5 --metric final_val_loss_hp\n",
};

int ag_cmd_summary(int argc, char **argv)
{
    request asked = {0};
    int code = ag_app_read_options(&asked, &s_line, argc, argv, NULL);
    if (code < 0)
        code = ag_app_results_argument(&asked.path, &s_line, argc, argv);
    if (code >= 0)
        return code;
    ag_status status = ag_app_expect_results(asked.path);
    if (status == AG_OK)
        status = ag_summary_show(asked.path, asked.metric, asked.json);
    return ag_app_exit(status);
}
