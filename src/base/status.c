/* The message of a failure, one per thread. The first message stands until it is cleared: it was
 * made where the failure happened and knows most; what the callers would add is less. */
#include "base/status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char s_message[AG_MESSAGE_SIZE];

static void record(const char *format, va_list arguments)
{
    if (s_message[0] == '\0')
        vsnprintf(s_message, sizeof s_message, format, arguments);
}

ag_status ag_fail(ag_status status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    record(format, arguments);
    va_end(arguments);
    return status;
}

/* errno is read first: formatting may change it. */
ag_status ag_fail_errno(const char *format, ...)
{
    int error = errno;
    if (s_message[0] != '\0')
        return AG_ERR_SYSTEM;
    va_list arguments;
    va_start(arguments, format);
    record(format, arguments);
    va_end(arguments);
    size_t used = strlen(s_message);
    snprintf(s_message + used, sizeof s_message - used, ": %s", strerror(error));
    return AG_ERR_SYSTEM;
}

const char *ag_error_message(void)
{
    return s_message;
}

void ag_error_clear(void)
{
    s_message[0] = '\0';
}

const char *ag_error_take(char *text, size_t size)
{
    snprintf(text, size, "%s", s_message);
    ag_error_clear();
    return text;
}
