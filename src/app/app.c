/* What every subcommand does alike: how a failure is told and which exit code it has. */
#include <stdarg.h>
#include <stdio.h>

#include "app/commands.h"
#include "base/log.h"

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
