/* What every subcommand does alike: where results lie, how a failure is told, its exit code. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/commands.h"
#include "base/log.h"

const char *ag_app_results_path(const char *option, const ag_grid *grid, ag_arena *arena)
{
    if (option != NULL)
        return option;
    const char *said = grid->runs[0].output.file;
    return said[0] != '\0' ? said : ag_arena_printf(arena, "%s.h5", grid->name);
}

void ag_app_hold_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        bool is_closed = fcntl(fd, F_GETFD) < 0 && errno == EBADF;
        if (is_closed) /* open() returns the lowest free number: this one */
            (void)open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
    }
}

int ag_app_close_output(int code)
{
    bool lost = ferror(stdout) != 0 || fflush(stdout) != 0;
    lost |= fclose(stdout) != 0;
    if (!lost || code != AG_EXIT_OK)
        return code;
    ag_log(AG_LOG_ERROR, "cannot write to standard output: %s", strerror(errno));
    return AG_EXIT_SYSTEM;
}

int ag_app_exit(ag_status status)
{
    if (status == AG_OK)
        return AG_EXIT_OK;
    ag_log(AG_LOG_ERROR, "%s", ag_error_message());
    return status == AG_ERR_INPUT ? AG_EXIT_INPUT : AG_EXIT_SYSTEM;
}

int ag_app_usage(const char *command, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    ag_log(AG_LOG_ERROR, "%s: %s (see 'altgrad %s --help')", command, text, command);
    return AG_EXIT_INPUT;
}

bool ag_app_file_arguments(const char **path, bool *option, int *code,
                           const ag_file_command *command, int argc, char **argv)
{
    const struct option known[] = {
        {command->option, no_argument, NULL, 'o'},
        {"help",          no_argument, NULL, 'h'},
        {NULL,            0,           NULL, 0  }
    };
    *option = false;
    opterr = 0;
    for (int found; (found = getopt_long(argc, argv, "h", known, NULL)) != -1;) {
        if (found == 'h') {
            fputs(command->help, stdout);
            *code = AG_EXIT_OK;
            return false;
        }
        if (found == '?') {
            *code = ag_app_usage(command->name, "'%s' is no option", argv[optind - 1]);
            return false;
        }
        *option = true;
    }
    if (optind + 1 != argc) {
        *code =
            ag_app_usage(command->name, "which results file? One, such as results/quickstart.h5");
        return false;
    }
    *path = argv[optind];
    return true;
}
