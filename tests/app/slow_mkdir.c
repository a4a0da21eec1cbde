/* LD_PRELOAD: the mkdir of a folder of results waits until the file SLOW_MKDIR_UNTIL is there, and
 * says by a file with ".waits" behind that name that it does. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void wait_for(const char *file)
{
    char waits[4096];
    snprintf(waits, sizeof waits, "%s.waits", file);
    close(open(waits, O_CREAT | O_WRONLY | O_CLOEXEC, 0666));
    for (int i = 0; i < 6000 && access(file, F_OK) != 0; i++)
        usleep(10 * 1000);
}

int mkdir(const char *path, mode_t mode)
{
    int (*real)(const char *, mode_t) = (int (*)(const char *, mode_t))dlsym(RTLD_NEXT, "mkdir");
    const char *until = getenv("SLOW_MKDIR_UNTIL");
    const char *end = strrchr(path, '.');
    if (until != NULL && end != NULL && strcmp(end, ".d") == 0)
        wait_for(until);
    return real(path, mode);
}
