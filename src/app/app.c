/* What every subcommand does alike: where results lie, how a failure is told, its exit code. */
#include <stdarg.h>
#include <stdio.h>

#include "app/commands.h"
#include "base/log.h"

const char *ag_app_results_path(const char *option, const ag_grid *grid, ag_arena *arena)
{
    if (option != NULL)
        return option;
    const char *said = grid->runs[0].output.file;
    return said[0] != '\0' ? said : ag_arena_printf(arena, "%s.h5", grid->name);
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
