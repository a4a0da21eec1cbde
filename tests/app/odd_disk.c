/* LD_PRELOAD: a disk with its own ways. Each is asked for by a variable:
 *   ODD_MKDIR_UNTIL=FILE  the mkdir of a folder of results waits until FILE is there, and says by a
 *                         file with ".waits" behind that name that it does
 *   ODD_FLOCK=ERRNO       flock fails so, as on NFS without lockd or on some Lustre
 *   ODD_READ=TEXT         what is read of a file whose path holds TEXT is an I/O error */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The C library's own, as the type of the function `like`. */
#define REAL(like) ((__typeof__(like) *)dlsym(RTLD_NEXT, #like))

int mkdir(const char *path, mode_t mode)
{
    char waits[4096];
    const char *until = getenv("ODD_MKDIR_UNTIL");
    const char *end = strrchr(path, '.');
    if (until != NULL && end != NULL && strcmp(end, ".d") == 0) {
        snprintf(waits, sizeof waits, "%s.waits", until);
        close(open(waits, O_CREAT | O_WRONLY | O_CLOEXEC, 0666));
        for (int i = 0; i < 6000 && access(until, F_OK) != 0; i++)
            usleep(10 * 1000);
    }
    return REAL(mkdir)(path, mode);
}

int flock(int fd, int operation);

int flock(int fd, int operation)
{
    const char *code = getenv("ODD_FLOCK");
    if (code == NULL)
        return REAL(flock)(fd, operation);
    errno = atoi(code);
    return -1;
}

static bool is_unreadable(int fd)
{
    char link[64];
    char path[4096] = "";
    const char *text = getenv("ODD_READ");
    if (text == NULL)
        return false;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    bool is = readlink(link, path, sizeof path - 1) > 0 && strstr(path, text) != NULL;
    if (is)
        errno = EIO;
    return is;
}

ssize_t read(int fd, void *bytes, size_t size)
{
    return is_unreadable(fd) ? -1 : REAL(read)(fd, bytes, size);
}

ssize_t pread(int fd, void *bytes, size_t size, off_t at)
{
    return is_unreadable(fd) ? -1 : REAL(pread)(fd, bytes, size, at);
}

#ifdef __GLIBC__ /* elsewhere it is pread */
ssize_t pread64(int fd, void *bytes, size_t size, off64_t at)
{
    return is_unreadable(fd) ? -1 : REAL(pread64)(fd, bytes, size, at);
}
#endif
