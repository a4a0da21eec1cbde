/* The subcommands of altgrad: one cmd_*.c each. argv[0] is the command's name; each returns the
 * program's exit code. */
#ifndef AG_APP_COMMANDS_H
#define AG_APP_COMMANDS_H

#include "base/arena.h"
#include "base/status.h"
#include "run/grid.h"

enum {
    AG_EXIT_OK = 0,
    AG_EXIT_FAILED = 1,
    AG_EXIT_INPUT = 2,
    AG_EXIT_SYSTEM = 3,
    AG_EXIT_AGAIN = 75,
    AG_EXIT_INTERRUPTED = 130
};

int ag_cmd_adopt(int argc, char **argv);
int ag_cmd_bench(int argc, char **argv);
int ag_cmd_check(int argc, char **argv);
int ag_cmd_export(int argc, char **argv);
int ag_cmd_formats(int argc, char **argv);
int ag_cmd_helper(int argc, char **argv);
int ag_cmd_merge(int argc, char **argv);
int ag_cmd_pack(int argc, char **argv);
int ag_cmd_params(int argc, char **argv);
int ag_cmd_plan(int argc, char **argv);
int ag_cmd_prune(int argc, char **argv);
int ag_cmd_quantize(int argc, char **argv);
int ag_cmd_report(int argc, char **argv);
int ag_cmd_reproduce(int argc, char **argv);
int ag_cmd_run(int argc, char **argv);
int ag_cmd_sample(int argc, char **argv);
int ag_cmd_status(int argc, char **argv);
int ag_cmd_stop(int argc, char **argv);
int ag_cmd_summary(int argc, char **argv);

/* The variable by which `run` tells a child of the same program whom to die with: its own pid. */
#define AG_PARENT_VARIABLE "ALTGRAD_PARENT"

/* Where the results of a grid lie: what -o said, else output.file, else the experiment's name and
 * ".h5", where '/' becomes '_' and a name too long for a file system is cut and gets a digest.
 * AG_ERR_INPUT where the path holds control characters. ~ and variables are
 * expanded (base/path.h). In the arena, or borrowed. */
ag_status ag_app_results_path(const char **out, const char *option, const ag_grid *grid,
                              ag_arena *arena);

/* Takes the place of a closed standard input, output or error, so that no file that is opened later
 * gets its number and a message is written into it; reading or writing there still fails. First. */
void ag_app_hold_streams(void);

/* Output that did not reach its place (a full disk, a closed pipe) is a failure of any command.
 * Returns the exit code, which was `code`. Last. */
int ag_app_close_output(int code);

/* Prints the recorded error message, if any, and returns the exit code of `status`. */
int ag_app_exit(ag_status status);

/* Says what is wrong with the command line and how to get help; returns AG_EXIT_INPUT. */
int ag_app_usage(const char *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
