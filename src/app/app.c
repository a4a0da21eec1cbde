/* What every subcommand does alike: where results lie, how a failure is told, its exit code. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/commands.h"
#include "base/log.h"
#include "base/path.h"
#include "base/printable.h"
#include "run/digest.h"

/* Beside its results file lies its folder, and shards add their number: 255 bytes must hold all. */
enum { LONGEST_STEM = 160 };

/* A file name out of any name. A slash in a name would be a folder that nobody asked for. */
static const char *file_of(const char *name, ag_arena *arena)
{
    char digest[AG_DIGEST_LENGTH + 1] = "";
    size_t length = strlen(name);
    if (length > LONGEST_STEM) {
        if (ag_sha256_of(digest, name, length) != AG_OK)
            return NULL;
        length = LONGEST_STEM;
        while (((unsigned char)name[length] & 0xc0) == 0x80) /* no half characters */
            length--;
    }
    char *path = ag_arena_printf(arena, "%.*s%s%.8s.h5", (int)length, name,
                                 digest[0] != '\0' ? "-" : "", digest);
    for (char *slash = path; slash != NULL && (slash = strchr(slash, '/')) != NULL;)
        *slash = '_';
    return path;
}

/* A path that a user wrote is expanded as a shell would; a name made of the experiment's is taken
 * as it is, since "$" is a letter there. */
ag_status ag_app_results_path(const char **out, const char *option, const ag_grid *grid,
                              ag_arena *arena)
{
    const char *said = grid->runs[0].output.file;
    *out = option;
    if (option == NULL)
        *out = said[0] != '\0' ? said : file_of(grid->name, arena);
    if (*out == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    if (ag_find_control(*out) != NULL)
        return ag_fail(
            AG_ERR_INPUT,
            "the results file '%s' has a control character in its path, such as a line's "
            "end: give it another name or folder",
            *out);
    return option != NULL || said[0] != '\0' ? ag_path_expand(out, *out, arena) : AG_OK;
}

/* /dev/null, opened the wrong way round, so that using it is still the error that a closed stream
 * would be. */
void ag_app_hold_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        bool is_closed = fcntl(fd, F_GETFD) < 0 && errno == EBADF;
        if (is_closed) /* open() returns the lowest free number: this one */
            (void)open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
    }
}

/* A summary that went nowhere must not look like success to a script. Output is buffered, so only
 * the flush at the end tells. */
int ag_app_close_output(int code)
{
    bool lost = ferror(stdout) != 0 || fflush(stdout) != 0;
    lost |= fclose(stdout) != 0;
    if (!lost || code != AG_EXIT_OK)
        return code;
    ag_log(AG_LOG_ERROR, "cannot write to standard output: %s", strerror(errno));
    return AG_EXIT_SYSTEM;
}

/* The only place that turns a status into an exit code: 2 where the user must act, 3 where the
 * environment must change. */
int ag_app_exit(ag_status status)
{
    if (status == AG_OK)
        return AG_EXIT_OK;
    ag_log(AG_LOG_ERROR, "%s", ag_error_message());
    return status == AG_ERR_INPUT ? AG_EXIT_INPUT : AG_EXIT_SYSTEM;
}

/* One line. The whole help after each slip would scroll the reason away. */
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
