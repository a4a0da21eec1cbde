/* Lines to standard error. Each is one write(2), so that lines of several ranks on one terminal do
 * not mix within a line. A display that owns the terminal takes them over as a sink, and shows them
 * above itself. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/printable.h"

static const char *s_program = "altgrad";
static ag_log_sink *s_sink; /* NULL: standard error */

void ag_log_program(const char *name)
{
    s_program = name;
}

void ag_log_to(ag_log_sink *sink)
{
    s_sink = sink;
}

/* Where a sink is set, it gets the text alone: it knows how to show names and levels. */
void ag_log(ag_log_level level, const char *format, ...)
{
    static const char *const prefixes[] = {
        [AG_LOG_ERROR] = "error: ", [AG_LOG_WARNING] = "warning: ", [AG_LOG_INFO] = ""};
    char line[4096];
    int used = snprintf(line, sizeof line, "%s: %s", s_program, prefixes[level]);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line + used, sizeof line - (size_t)used, format, arguments);
    va_end(arguments);
    if (s_sink != NULL) {
        s_sink(level, line + used);
        return;
    }
    ag_text shown;
    ag_text_init(&shown);
    ag_text_add_printable_n(&shown, line, strlen(line), "\n\t");
    ag_text_add(&shown, "\n");
    const char *next = shown.data;
    size_t length = shown.length;
    ssize_t written = 0;
    for (; length > 0 && (written = write(STDERR_FILENO, next, length)) > 0; next += written)
        length -= (size_t)written;
    ag_text_deinit(&shown);
}
