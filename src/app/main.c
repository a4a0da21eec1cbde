/* altgrad: a table of subcommands. */
#include <stdio.h>
#include <string.h>

#include "app/commands.h"
#include "base/log.h"
#include "base/text.h"

typedef struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} command;

static const command s_commands[] = {
    {"plan",      ag_cmd_plan,      "the grid of an experiment file: runs, models, cost"        },
    {"run",       ag_cmd_run,       "train what is missing; mpirun -n N for N at a time"        },
    {"status",    ag_cmd_status,    "where an experiment stands, beside it or afterwards"       },
    {"stop",      ag_cmd_stop,      "ask a running experiment to stop; run goes on from there"  },
    {"summary",   ag_cmd_summary,   "format by layer config: means, differences to the baseline"},
    {"reproduce", ag_cmd_reproduce, "train completed runs again and compare them bit for bit"   },
    {"pack",      ag_cmd_pack,      "one self-contained results file out of the run files"      },
    {"merge",     ag_cmd_merge,     "join the shards of an experiment into one results file"    },
    {"params",    ag_cmd_params,    "every key of the experiment file, with default and range"  },
    {"formats",   ag_cmd_formats,   "number formats: range, precision, the value of every code" },
    {"quantize",  ag_cmd_quantize,  "a filter: float32 in, rounded to a format, float32 out"    },
    {"help",      NULL,             "this list"                                                 },
};

enum { N_COMMANDS = sizeof s_commands / sizeof s_commands[0] };

static void print_help(FILE *out)
{
    fputs("altgrad: what training loses, layer by layer, in a low-precision number format\n\n"
          "usage: altgrad COMMAND ... ('altgrad COMMAND --help' tells more)\n\n",
          out);
    for (size_t i = 0; i < N_COMMANDS; i++)
        fprintf(out, "  %-10s %s\n", s_commands[i].name, s_commands[i].help);
    fputs("\nexample: mpirun -n 2 altgrad run jobs/quickstart.yaml\n", out);
}

static int unknown_command(const char *name)
{
    const char *names[N_COMMANDS];
    for (size_t i = 0; i < N_COMMANDS; i++)
        names[i] = s_commands[i].name;
    const char *nearest = ag_nearest_word(name, names, N_COMMANDS);
    ag_log(AG_LOG_ERROR, "there is no command '%s'%s%s%s ('altgrad --help' lists them)", name,
           nearest != NULL ? "; did you mean '" : "", nearest != NULL ? nearest : "",
           nearest != NULL ? "'?" : "");
    return AG_EXIT_INPUT;
}

int main(int argc, char **argv)
{
    ag_app_hold_streams();
    if (argc < 2) {
        print_help(stderr);
        return AG_EXIT_INPUT;
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        print_help(stdout);
        return ag_app_close_output(AG_EXIT_OK);
    }
    if (strcmp(name, "--version") == 0) {
        puts("altgrad " ALTGRAD_VERSION);
        return ag_app_close_output(AG_EXIT_OK);
    }
    for (size_t i = 0; i < N_COMMANDS; i++) {
        if (s_commands[i].run != NULL && strcmp(s_commands[i].name, name) == 0)
            return ag_app_close_output(s_commands[i].run(argc - 1, argv + 1));
    }
    return unknown_command(name);
}
