/* A library to be preloaded: at the FAULT_AT-th call that changes a file system, of a program and
 * its children, it sends FAULT_SIGNAL (SIGKILL unless given) to the caller's process group; or,
 * where FAULT_ERRNO is set, that call and every later one on a regular file fails with it. The
 * count lies in the file FAULT_COUNTER. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static long *s_count; /* shared by all processes; NULL: nothing is to be done */
static long s_fault_at;
static int s_errno;
static int s_signal = SIGKILL;

__attribute__((constructor)) static void start(void)
{
    const char *path = getenv("FAULT_COUNTER");
    const char *at = getenv("FAULT_AT");
    const char *number = getenv("FAULT_ERRNO");
    const char *signal_number = getenv("FAULT_SIGNAL");
    int fd = path != NULL && at != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    void *memory = mmap(NULL, sizeof *s_count, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    s_count = memory != MAP_FAILED ? memory : NULL;
    s_fault_at = strtol(at, NULL, 10);
    if (signal_number != NULL)
        s_signal = (int)strtol(signal_number, NULL, 10);
    s_errno = number != NULL ? (int)strtol(number, NULL, 10) : 0;
}

/* True where the call is to fail, with errno set. */
static bool fault(void)
{
    if (s_count == NULL)
        return false;
    long count = __atomic_add_fetch(s_count, 1, __ATOMIC_SEQ_CST);
    if (s_errno == 0 && count == s_fault_at)
        kill(0, s_signal);
    if (s_errno == 0 || count < s_fault_at)
        return false;
    errno = s_errno;
    return true;
}

static bool fault_of(int fd)
{
    struct stat facts;
    return fstat(fd, &facts) == 0 && S_ISREG(facts.st_mode) && fault();
}

/* name64, the twin for large files, which are all files where off_t has 64 bits. musl has none. */
#ifdef __GLIBC__
#define TWIN(name) __typeof__(name) name##64 __attribute__((alias(#name)))
#else
#define TWIN(name) _Static_assert(sizeof(off_t) == 8, "all files are large files")
#endif

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int fd, const void *bytes, size_t size)
{
    return fault_of(fd) ? -1 : NEXT(write)(fd, bytes, size);
}

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at)
{
    return fault_of(fd) ? -1 : NEXT(pwrite)(fd, bytes, size, at);
}
TWIN(pwrite);

int ftruncate(int fd, off_t size)
{
    return fault_of(fd) ? -1 : NEXT(ftruncate)(fd, size);
}
TWIN(ftruncate);

int fsync(int fd)
{
    return fault_of(fd) ? -1 : NEXT(fsync)(fd);
}

int rename(const char *from, const char *to)
{
    return fault() ? -1 : NEXT(rename)(from, to);
}

int link(const char *from, const char *to)
{
    return fault() ? -1 : NEXT(link)(from, to);
}

int mkdir(const char *path, mode_t mode)
{
    return fault() ? -1 : NEXT(mkdir)(path, mode);
}

/* A full disk can still remove. */
static void count_removal(void)
{
    if (s_errno == 0)
        (void)fault();
}

int unlink(const char *path)
{
    count_removal();
    return NEXT(unlink)(path);
}

int unlinkat(int folder, const char *path, int flags)
{
    count_removal();
    return NEXT(unlinkat)(folder, path, flags);
}

int rmdir(const char *path)
{
    count_removal();
    return NEXT(rmdir)(path);
}

int open(const char *path, int flags, ...)
{
    mode_t mode = 0;
    if ((flags & O_CREAT) != 0) {
        va_list arguments;
        va_start(arguments, flags);
        mode = va_arg(arguments, mode_t);
        va_end(arguments);
        if (fault())
            return -1;
    }
    return NEXT(open)(path, flags, mode);
}
TWIN(open);
