/* What is told of a child that ended: its signal or exit code, and the end of its log. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proc/child.h"
#include "proc_internal.h"

/* Names are what people search for; strsignal() alone gives a description. */
static const char *signal_name(int signal)
{
    static const struct {
        int signal;
        const char *name;
    } names[] = {
        {SIGABRT, "SIGABRT"},
        {SIGBUS,  "SIGBUS" },
        {SIGFPE,  "SIGFPE" },
        {SIGHUP,  "SIGHUP" },
        {SIGILL,  "SIGILL" },
        {SIGINT,  "SIGINT" },
        {SIGKILL, "SIGKILL"},
        {SIGPIPE, "SIGPIPE"},
        {SIGQUIT, "SIGQUIT"},
        {SIGSEGV, "SIGSEGV"},
        {SIGSYS,  "SIGSYS" },
        {SIGTERM, "SIGTERM"},
        {SIGTRAP, "SIGTRAP"},
        {SIGXCPU, "SIGXCPU"},
        {SIGXFSZ, "SIGXFSZ"},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (names[i].signal == signal)
            return names[i].name;
    }
    return "a signal";
}

/* The kernel does not tell whose limit it was; the tightest is the likely one, so that it is named.
 */
static void out_of_memory_text(char *text, size_t size)
{
    ag_memory_limit limit;
    ag_memory_limit_read(&limit, "");
    snprintf(text, size,
             "was killed by the kernel for want of memory (SIGKILL; %" PRIu64
             " MiB are there for all, says %s)",
             limit.bytes >> 20, limit.source);
}

/* A part of a sentence, whose subject the caller knows. */
void ag_child_end_text(char *text, size_t size, const ag_child_end *end)
{
    if (end->out_of_memory)
        out_of_memory_text(text, size);
    else if (end->state == AG_CHILD_KILLED)
        snprintf(text, size, "was killed by %s (%s)", signal_name(end->signal),
                 strsignal(end->signal));
    else if (end->state == AG_CHILD_EXITED)
        snprintf(text, size, "ended with exit code %d", end->code);
    else
        snprintf(text, size, "is running");
}

/* Drops the first line where it was cut, and the newlines at the end. */
static void keep_whole_lines(char *text, bool cut)
{
    const char *first = cut ? strchr(text, '\n') : NULL;
    if (first != NULL && first[1] != '\0')
        memmove(text, first + 1, strlen(first + 1) + 1);
    size_t length = strlen(text);
    while (length > 0 && text[length - 1] == '\n')
        text[--length] = '\0';
}

/* Control characters become spaces: the text goes to terminals and into results. */
void ag_child_log_tail(char *text, size_t size, const ag_child *child)
{
    struct stat facts;
    int fd = ag_child_log_fd(child);
    text[0] = '\0';
    if (fstat(fd, &facts) != 0 || facts.st_size <= 0)
        return;
    off_t from = facts.st_size > (off_t)(size - 1) ? facts.st_size - (off_t)(size - 1) : 0;
    ssize_t got = pread(fd, text, size - 1, from);
    size_t length = got > 0 ? (size_t)got : 0;
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)text[i] < ' ' && text[i] != '\n')
            text[i] = ' ';
    }
    text[length] = '\0';
    keep_whole_lines(text, from > 0);
}
