/* altgrad pack: one self-contained results file out of the run files. */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>

#include "app/commands.h"
#include "results/publish.h"
#include "spool/store.h"
#include "wrong_file.h"

static void print_help(void)
{
    fputs("usage: altgrad pack OUT [--spooled]\n\n"
          "Writes OUT anew with all weights in it, checks every checksum, and removes the run\n"
          "files beside it. 'altgrad run' does so by itself when an experiment is complete; call\n"
          "it to hand on what is there so far. A packed file can still be extended.\n\n"
          "  --spooled   everything but the weights, and the run files stay\n\n"
          "Exit codes: 0 packed, 2 bad input or no such file, 3 environment.\n\n"
          "example: altgrad pack results/quickstart.h5\n",
          stdout);
}

int ag_cmd_pack(int argc, char **argv)
{
    static const struct option options[] = {
        {"spooled", no_argument, NULL, 's'},
        {"help",    no_argument, NULL, 'h'},
        {NULL,      0,           NULL, 0  }
    };
    ag_store_task task = AG_STORE_PACK;
    for (int option; (option = ag_app_next_option(argc, argv, ":h", options)) != -1;) {
        if (option == 'h') {
            print_help();
            return AG_EXIT_OK;
        }
        if (option == '?')
            return ag_app_usage("pack", "%s", ag_error_message());
        task = AG_STORE_PUBLISH;
    }
    if (optind + 1 != argc)
        return ag_app_usage("pack", "which results file? One, such as results/quickstart.h5");
    ag_status status = ag_app_expect_results(argv[optind]);
    if (status == AG_OK)
        status = ag_results_work(task, argv[optind], NULL);
    return ag_app_exit(status);
}
