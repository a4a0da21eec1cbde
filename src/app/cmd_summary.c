/* altgrad summary: the comparison, from a finished or a running experiment. */
#include <getopt.h>
#include <stdio.h>

#include "app/commands.h"
#include "summary.h"
#include "wrong_file.h"

static void print_help(void)
{
    fputs(
        "usage: altgrad summary OUT [--metric M] [--json]\n\n"
        "Format by layer config: mean and standard deviation over the seeds, the paired\n"
        "difference to the baseline with its 95 % interval, and how many runs diverged, failed\n"
        "or are pending. Works beside a running experiment.\n\n"
        "  --metric M   final_val_loss (the whole validation part after the last step), val_loss\n"
        "               (the fixed eval.windows then), either with _hp (the same weights without\n"
        "               quantisers), or loss (of the last training step); unless given, what the\n"
        "               experiment compares\n"
        "  --json       the same as JSON\n\n"
        "Exit codes: 0 shown, 2 bad input or no such file, 3 environment.\n\n"
        "example: altgrad summary results/quickstart.h5 --metric final_val_loss_hp\n",
        stdout);
}

int ag_cmd_summary(int argc, char **argv)
{
    static const struct option options[] = {
        {"metric", required_argument, NULL, 'm'},
        {"json",   no_argument,       NULL, 'j'},
        {"help",   no_argument,       NULL, 'h'},
        {NULL,     0,                 NULL, 0  }
    };
    const char *metric = NULL;
    bool as_json = false;
    for (int option; (option = ag_app_next_option(argc, argv, ":h", options)) != -1;) {
        if (option == 'h') {
            print_help();
            return AG_EXIT_OK;
        }
        if (option == '?')
            return ag_app_usage("summary", "%s", ag_error_message());
        if (option == 'm')
            metric = optarg;
        else
            as_json = true;
    }
    if (optind + 1 != argc)
        return ag_app_usage("summary", "which results file? One, such as results/quickstart.h5");
    ag_status status = ag_app_expect_results(argv[optind]);
    if (status == AG_OK)
        status = ag_summary_show(argv[optind], metric, as_json);
    return ag_app_exit(status);
}
