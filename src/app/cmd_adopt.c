/* altgrad adopt: complete runs that an experiment names, out of results of other experiments. It is
 * a merge whose grid is always the target's. */
#include <getopt.h>

#include "app/commands.h"
#include "command_line.h"
#include "merge_parts.h"

static const ag_option s_options[] = {
    {"--experiment FILE", "whose runs are taken, where OUT is not there yet", AG_OPTION_TEXT, 0, 0,
     NULL},
};

static const ag_command_line s_line = {
    .command = "adopt",
    .usage =
        "usage: altgrad adopt OUT [--experiment FILE] OTHER...\n\n"
        "Takes complete runs that the experiment of OUT names from any other results files, which\n"
        "stay as they are: what was trained for another experiment need not be trained again.\n"
        "A run is known by its id, that is by all that its result depends on. Where OUT or two\n"
        "others hold a run with different weights, this is reported as broken determinism (exit\n"
        "code 1) and nothing is written; damaged runs are named and left out. Runs that failed\n"
        "elsewhere are not taken: 'altgrad run' trains them, and whatever else is missing.\n\n",
    .column = 21,
    .n_options = sizeof s_options / sizeof s_options[0],
    .options = s_options,
    .notes = "\n"
             "Exit codes: 0 taken, 1 broken determinism, 2 bad input, 3 environment.\n\n"
             "example: altgrad adopt more_seeds.h5 --experiment more_seeds.yaml first.h5\n",
};

int ag_cmd_adopt(int argc, char **argv)
{
    const char *file = NULL;
    int code = ag_app_read_options(&file, &s_line, argc, argv, NULL);
    if (code >= 0)
        return code;
    if (optind + 2 > argc)
        return ag_app_usage("adopt", "into which file, and from which?");
    return ag_adopt_runs(argv[optind], file, argv + optind + 1, (size_t)(argc - optind - 1));
}
