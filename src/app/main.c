/* altgrad: a table of subcommands, and what all of them need before they start: streams that are
 * open, signals that are errors, a child process where libhdf5 may crash. */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/commands.h"
#include "base/log.h"
#include "base/text.h"
#include "build_facts.h"
#include "farm/post.h"
#include "proc/child.h"
#include "products/products.h"
#include "results/guard.h"
#include "run/run.h"

/* One row is all that the program, its help and the manual pages know of a command. */
typedef struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    bool is_guarded;  /* done in a child, since it opens HDF5 files and those may be damaged */
    const char *help; /* NULL: not for people */
} command;

static const command s_commands[] = {
    {"plan",      ag_cmd_plan,      true,  "the grid of an experiment file: runs, models, cost"        },
    {"run",       ag_cmd_run,       false, "train what is missing; mpirun -n N for N at a time"        },
    {"status",    ag_cmd_status,    true,  "where an experiment stands, beside it or afterwards"       },
    {"stop",      ag_cmd_stop,      false, "ask a running experiment to stop; run continues it"        },
    {"summary",   ag_cmd_summary,   true,  "format by layer config: means, differences to the baseline"},
    {"report",    ag_cmd_report,    false, "a page of figures and tables, with the numbers behind them"},
    {"reproduce", ag_cmd_reproduce, true,  "train completed runs again: are the bits the same?"        },
    {"export",    ag_cmd_export,    false, "a run's weights, or all tables, for other programs"        },
    {"sample",    ag_cmd_sample,    true,  "text or tokens that a run's model generates"               },
    {"check",     ag_cmd_check,     true,  "are the results of an experiment damaged or incomplete?"   },
    {"pack",      ag_cmd_pack,      false, "one self-contained results file out of the run files"      },
    {"merge",     ag_cmd_merge,     true,  "join the shards of an experiment into one results file"    },
    {"adopt",     ag_cmd_adopt,     true,  "take runs that other experiments have trained already"     },
    {"prune",     ag_cmd_prune,     true,  "remove what of the results nobody needs any more"          },
    {"bench",     ag_cmd_bench,     true,  "what a training step's time goes into, format by format"   },
    {"params",    ag_cmd_params,    false, "every key of the experiment file, with default and range"  },
    {"formats",   ag_cmd_formats,   false, "number formats: range, precision, the value of every code" },
    {"quantize",  ag_cmd_quantize,  false, "a filter: float32 in, rounded to a format, float32 out"    },
    {"helper",    ag_cmd_helper,    false, NULL                                                        },
    {"help",      NULL,             false, "this list, or the help of a COMMAND"                       },
};

enum { N_COMMANDS = sizeof s_commands / sizeof s_commands[0] };

/* From the table, so that a command cannot be forgotten. make_man.sh reads these lines. */
static void print_help(FILE *out)
{
    fputs("altgrad: what training loses, layer by layer, in a low-precision number format\n\n"
          "usage: altgrad COMMAND ... ('altgrad help COMMAND' tells more)\n\n",
          out);
    for (size_t i = 0; i < N_COMMANDS; i++) {
        if (s_commands[i].help != NULL)
            fprintf(out, "  %-10s %s\n", s_commands[i].name, s_commands[i].help);
    }
    fputs("\n  --version  this program's version, products, compiler and libraries\n", out);
    fputs("\nexample: mpirun -n 2 altgrad run jobs/quickstart.yaml\n", out);
}

/* All that decides a bit, and the libraries that a bug report needs. */
static ag_status print_version(void)
{
    char mpi[128];
    AG_TRY(ag_products_init());
    ag_post_library(mpi, sizeof mpi);
    printf("altgrad " ALTGRAD_VERSION "\nproducts by %s, numerics %d\n", ag_products_engine(),
           AG_NUMERICS_VERSION);
    printf("built by " AG_BUILT_BY ", " AG_BUILD_TYPE " (" AG_BUILD_FLAGS "), %s%s\n",
           AG_SANITIZERS[0] != '\0' ? "sanitizers " : "no sanitizers", AG_SANITIZERS);
    printf("libraries: %s, " AG_LIBRARIES "\n", mpi);
    return AG_OK;
}

/* Hidden ones are not offered. */
static int unknown_command(const char *name)
{
    const char *names[N_COMMANDS];
    size_t count = 0;
    for (size_t i = 0; i < N_COMMANDS; i++) {
        if (s_commands[i].help != NULL)
            names[count++] = s_commands[i].name;
    }
    const char *nearest = ag_nearest_word(name, names, count);
    ag_log(AG_LOG_ERROR, "there is no command '%s'%s%s%s ('altgrad --help' lists them)", name,
           nearest != NULL ? "; did you mean '" : "", nearest != NULL ? nearest : "",
           nearest != NULL ? "'?" : "");
    return AG_EXIT_INPUT;
}

/* A command line on its way into a child. */
typedef struct call {
    const command *command;
    int argc;
    char **argv;
    int *code; /* shared with the child */
} call;

/* Output is flushed here, in the process that has written it. */
static ag_status do_call(void *context)
{
    const call *c = context;
    *c->code = ag_app_close_output(c->command->run(c->argc, c->argv));
    return AG_OK;
}

/* The code comes back through shared memory: exit codes of the child are taken for crashes. */
static int run_guarded(call *c)
{
    c->code = ag_guard_share(sizeof *c->code);
    if (c->code == NULL)
        return ag_app_exit(ag_fail_errno("cannot share memory with a child process"));
    ag_status status = ag_guard(do_call, c);
    int code = status == AG_OK ? *c->code : ag_app_exit(status);
    ag_guard_unshare(c->code, sizeof *c->code);
    return code;
}

/* Commands that use MPI, or that start children of their own, must not be forked. */
static int run_command(const command *chosen, int argc, char **argv)
{
    if (chosen->is_guarded)
        return run_guarded(&(call){chosen, argc, argv, NULL});
    return ag_app_close_output(chosen->run(argc, argv));
}

/* Without `help`, which has no function of its own. */
static const command *find_command(const char *name)
{
    for (size_t i = 0; i < N_COMMANDS; i++) {
        if (s_commands[i].run != NULL && strcmp(s_commands[i].name, name) == 0)
            return &s_commands[i];
    }
    return NULL;
}

/* A child of `altgrad run` ends with it, so that no two ever write the same results. Its number may
 * be another process's by now, which proc/child.c looks into. */
static bool follow_parent(void)
{
    const char *parent = getenv(AG_PARENT_VARIABLE);
    return parent == NULL || ag_child_follow_parent((pid_t)strtol(parent, NULL, 10));
}

int main(int argc, char **argv)
{
    ag_app_hold_streams();
    (void)signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error like a full disk */
    (void)signal(SIGCHLD, SIG_DFL); /* where a parent ignores it, so would we, and no end of a
                                       child could be waited for */
    if (!follow_parent())
        return AG_EXIT_SYSTEM;
    if (argc < 2) {
        print_help(stderr);
        return AG_EXIT_INPUT;
    }
    const char *name = argv[1];
    char help[] = "--help";
    if (strcmp(name, "help") == 0 && argc == 3) { /* as 'altgrad run --help' */
        name = argv[1] = argv[2];
        argv[2] = help;
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        print_help(stdout);
        return ag_app_close_output(AG_EXIT_OK);
    }
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0)
        return ag_app_close_output(ag_app_exit(print_version()));
    const command *chosen = find_command(name);
    return chosen != NULL ? run_command(chosen, argc - 1, argv + 1) : unknown_command(name);
}
