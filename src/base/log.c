#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *s_program = "altgrad";

void ag_log_program(const char *name)
{
    s_program = name;
}

void ag_log(ag_log_level level, const char *format, ...)
{
    static const char *const prefixes[] = {
        [AG_LOG_ERROR] = "error: ", [AG_LOG_WARNING] = "warning: ", [AG_LOG_INFO] = ""};
    char line[4096];
    int used = snprintf(line, sizeof line, "%s: %s", s_program, prefixes[level]);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line + used, sizeof line - (size_t)used - 1, format, arguments);
    va_end(arguments);
    size_t length = strlen(line);
    line[length++] = '\n';
    const char *next = line;
    while (length > 0) {
        ssize_t written = write(STDERR_FILENO, next, length);
        if (written <= 0)
            return;
        next += written;
        length -= (size_t)written;
    }
}
