/* Work that may crash, in a child. fork and not a thread: a crash of libhdf5 is a signal to the
 * process, and after it nothing of that process can be trusted. Not for a process that uses MPI,
 * which a fork may leave in a state that no standard describes.
 *
 * What the child has to say lies on a page that both share: it is there whatever the child dies of.
 */
#include "results/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/files.h"

/* What a child tells, also when it crashes. */
typedef struct page {
    char reading[AG_PATH_SIZE]; /* the file that was opened last, "" before the first */
    char writing[AG_PATH_SIZE]; /* likewise, and "" again once it is closed */
    ag_status status;
    char message[2048];
} page;

typedef struct task {
    ag_guard_work *work;
    void *context;
    ag_guard_beat *beat; /* or NULL */
    int every_ms;
} task;

/* A plain global: h5.c cannot know for whom it works, and a child does one piece of work in its
 * life. */
static page *s_page; /* of the child that this process is; NULL outside of ag_guard */

void *ag_guard_share(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return memory != MAP_FAILED ? memory : NULL;
}

void ag_guard_unshare(void *memory, size_t size)
{
    if (memory != NULL)
        munmap(memory, size);
}

/* Told before libhdf5 is called: after a crash there is nobody left to tell. */
void ag_guard_reads(const char *path)
{
    if (s_page != NULL)
        snprintf(s_page->reading, sizeof s_page->reading, "%s", path);
}

void ag_guard_writes(const char *path)
{
    if (s_page != NULL)
        snprintf(s_page->writing, sizeof s_page->writing, "%s", path);
}

/* _exit, so that neither buffers of the parent's nor its exit handlers are run twice. */
static _Noreturn void be_child(page *shared, pid_t parent, const task *t)
{
    static const struct rlimit none = {0, 0};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) /* it died before that */
        _exit(1);
    setrlimit(RLIMIT_CORE, &none); /* a crash here is a message, not a bug to look into */
    s_page = shared;
    ag_error_clear();
    shared->status = t->work(t->context);
    snprintf(shared->message, sizeof shared->message, "%s", ag_error_message());
    _exit(0);
}

/* A user's Ctrl-C or kill ends this process as it ended the child. A shell then sees that the
 * command was interrupted, and stops its loop. */
static void follow_signal(int signal_number)
{
    static const int asked[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE};
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
        if (signal_number == asked[i]) {
            (void)signal(signal_number, SIG_DFL);
            (void)raise(signal_number);
        }
    }
}

/* While a file is written, a full disk is by far the most likely cause. A file that was read then
 * may be to blame as well, and both are said. */
static ag_status tell_crash(const page *shared, const char *how)
{
    if (shared->writing[0] != '\0')
        return ag_fail(AG_ERR_SYSTEM,
                       "%s: libhdf5 crashed (%s) while it wrote this file: the disk is full%s%s%s",
                       shared->writing, how, shared->reading[0] != '\0' ? ", or " : "",
                       shared->reading,
                       shared->reading[0] != '\0' ? ", from which it read, is damaged" : "");
    if (shared->reading[0] != '\0')
        return ag_fail(AG_ERR_FILE, "%s: damaged: libhdf5 crashed (%s) when it read this file",
                       shared->reading, how);
    return ag_fail(AG_ERR_SYSTEM, "a child process of altgrad ended early (%s)", how);
}

/* An exit code other than 0 is not the work's, which ends by returning: something else called exit.
 */
static ag_status tell_end(const page *shared, int status)
{
    char code[32];
    if (WIFSIGNALED(status)) {
        follow_signal(WTERMSIG(status));
        return tell_crash(shared, strsignal(WTERMSIG(status)));
    }
    if (WEXITSTATUS(status) != 0) {
        snprintf(code, sizeof code, "exit code %d", WEXITSTATUS(status));
        return tell_crash(shared, code);
    }
    return shared->status == AG_OK ? AG_OK : ag_fail(shared->status, "%s", shared->message);
}

/* `alive` is the end of a pipe whose other end the child holds: it closes when that ends. A child
 * that works for an hour must not cost its owner the results. */
static void beat_until_closed(const task *t, int alive)
{
    struct pollfd end = {.fd = alive};
    int got;
    while ((got = poll(&end, 1, t->every_ms)) == 0 || (got < 0 && errno == EINTR)) {
        if (got == 0)
            t->beat(t->context);
    }
}

/* The pipe is not written to. Its other end closes when the child is gone, which poll sees at once,
 * without a signal handler that would belong to the whole program. */
static ag_status run_child(page *shared, const task *t)
{
    int status = 0;
    int alive[2];
    pid_t self = getpid();
    if (pipe2(alive, O_CLOEXEC) != 0)
        return ag_fail_errno("cannot make a pipe to a child process");
    (void)fflush(stdout); /* else its content would be written twice */
    pid_t child = fork();
    if (child == 0)
        be_child(shared, self, t);
    close(alive[1]);
    if (child > 0 && t->beat != NULL)
        beat_until_closed(t, alive[0]);
    close(alive[0]);
    if (child < 0)
        return ag_fail_errno("cannot start a child process");
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR)
            return ag_fail_errno("cannot wait for a child process");
    }
    return tell_end(shared, status);
}

static ag_status run_task(const task *t)
{
    page *shared = ag_guard_share(sizeof *shared);
    if (shared == NULL)
        return ag_fail_errno("cannot share memory with a child process");
    ag_status status = run_child(shared, t);
    ag_guard_unshare(shared, sizeof *shared);
    return status;
}

ag_status ag_guard(ag_guard_work *work, void *context)
{
    return run_task(&(task){.work = work, .context = context});
}

ag_status ag_guard_beating(ag_guard_work *work, void *context, ag_guard_beat *beat, int every_ms)
{
    return run_task(&(task){.work = work, .context = context, .beat = beat, .every_ms = every_ms});
}
