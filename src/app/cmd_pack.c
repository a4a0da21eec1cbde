/* altgrad pack: one self-contained results file out of the run files. */
#include <stdbool.h>

#include "app/commands.h"
#include "command_line.h"
#include "results/publish.h"
#include "spool/store.h"
#include "wrong_file.h"

static const ag_option s_options[] = {
    {"--spooled", "everything but the weights, and the run files stay", AG_OPTION_FLAG, 0, 0, NULL},
};

static const ag_command_line s_line = {
    .command = "pack",
    .usage =
        "usage: altgrad pack OUT [--spooled]\n\n"
        "Writes OUT anew with all weights in it, checks every checksum, and removes the run\n"
        "files beside it. 'altgrad run' does so by itself when an experiment is complete; call\n"
        "it to hand on what is there so far. A packed file can still be extended.\n\n",
    .column = 14,
    .n_options = sizeof s_options / sizeof s_options[0],
    .options = s_options,
    .notes = "\nExit codes: 0 packed, 2 bad input or no such file, 3 environment.\n\n"
             "example: altgrad pack results/quickstart.h5\n",
};

/* The work guards itself, so this command is not run in a child (main.c). */
int ag_cmd_pack(int argc, char **argv)
{
    const char *path = NULL;
    bool spooled = false; /* the only option */
    int code = ag_app_read_options(&spooled, &s_line, argc, argv, NULL);
    if (code < 0)
        code = ag_app_results_argument(&path, &s_line, argc, argv);
    if (code >= 0)
        return code;
    ag_status status = ag_app_expect_results(path);
    if (status == AG_OK)
        status = ag_results_work(spooled ? AG_STORE_PUBLISH : AG_STORE_PACK, path, NULL);
    return ag_app_exit(status);
}
