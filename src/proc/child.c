/* One child process: a trainer, started and watched without ever waiting for it. Runs are processes
 * of their own so that one that crashes, hangs or runs out of memory takes nothing else along.
 *
 * posix_spawn, not fork: this process may be a rank of MPI, whose registered memory a fork would
 * duplicate, and libraries forbid it. All that passes between the two goes through descriptors. */
#include "proc/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/files.h"
#include "proc_internal.h"

/* Descriptors by the number that the child sees. */
enum { INPUT, OUTPUT, LOG, RESULT = AG_CHILD_RESULT_FD, PROGRESS = AG_CHILD_PROGRESS_FD, FDS };

struct ag_child {
    pid_t pid; /* 0 once it was waited for */
    ag_child_end end;
    int fds[FDS]; /* -1 where closed */
    ag_progress_page *progress;
    double grace_s;
    double kill_at;     /* ag_clock_s(); 0 unless cancelled */
    bool killed;        /* by us */
    uint64_t oom_kills; /* ag_memory_oom_kills() when it started */
    void *result;       /* mapped, or NULL */
    size_t result_size;
};

/* The offset stays 0, where the child begins to read. */
static ag_status write_input(int fd, const void *bytes, size_t size)
{
    return ag_write_at(fd, bytes, size, 0)
               ? AG_OK
               : ag_fail_errno("cannot write the input of a child process");
}

/* A log that cannot be written where it should be is still needed to tell why the child failed. */
static ag_status open_log(int *fd, const char *path)
{
    *fd = path == NULL ? -1 : open(path, O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0666);
    return *fd >= 0 ? ag_fd_keep(fd) : ag_scratch_open(fd, 0);
}

static ag_status open_output(int *fd, int output)
{
    *fd = output != AG_CHILD_SILENT ? dup(output) : open("/dev/null", O_WRONLY | O_CLOEXEC);
    return *fd >= 0 ? ag_fd_keep(fd) : ag_fail_errno("the output of a child process");
}

/* All descriptors before the child starts: a failure then leaves nothing behind. */
static ag_status open_files(ag_child *child, const ag_child_spec *spec)
{
    AG_TRY(ag_scratch_open(&child->fds[INPUT], spec->input_size));
    AG_TRY(write_input(child->fds[INPUT], spec->input, spec->input_size));
    AG_TRY(open_output(&child->fds[OUTPUT], spec->output));
    AG_TRY(open_log(&child->fds[LOG], spec->log_path));
    AG_TRY(ag_scratch_open(&child->fds[RESULT], spec->result_bytes));
    return ag_progress_create(&child->progress, &child->fds[PROGRESS]);
}

/* The child has every signal at its default and none blocked, whatever this process has, and leads
 * its own process group, to which a signal can be sent as a whole. */
static int set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t all;
    sigset_t none;
    sigfillset(&all);
    sigemptyset(&none);
    int error = posix_spawnattr_setsigdefault(attributes, &all);
    if (error == 0)
        error = posix_spawnattr_setsigmask(attributes, &none);
    if (error == 0)
        error = posix_spawnattr_setpgroup(attributes, 0);
    short flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP;
    return error != 0 ? error : posix_spawnattr_setflags(attributes, flags);
}

/* Seals all descriptors first: those that an MPI library left inheritable would keep its sockets
 * open in the child. The five of the child then take their places. */
static ag_status spawn(ag_child *child, const ag_child_spec *spec)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    char **environment = ag_environment_make(spec->environment);
    if (environment == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    ag_fds_seal();
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    int error = set_attributes(&attributes);
    for (int i = 0; error == 0 && i < FDS; i++)
        error = posix_spawn_file_actions_adddup2(&actions, child->fds[i], i);
    if (error == 0)
        error = posix_spawn(&child->pid, spec->argv[0], &actions, &attributes,
                            (char *const *)spec->argv, environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    free(environment);
    errno = error;
    return error == 0 ? AG_OK : ag_fail_errno("cannot start %s", spec->argv[0]);
}

/* Does nothing: the signal itself ends the nap. */
static void wake(int signal)
{
    (void)signal;
}

/* A nap of ours ends when a child does: the next run need not wait for the nap's own end. */
static void wake_when_children_end(void)
{
    const struct sigaction action = {.sa_handler = wake, .sa_flags = SA_RESTART | SA_NOCLDSTOP};
    sigaction(SIGCHLD, &action, NULL);
}

/* When memory runs out the kernel is to take the child, not the rank that tells of it. 500 of at
 * most 1000: half of the memory counts as added to what the child uses. */
static void offer_to_oom_killer(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/oom_score_adj", (int)pid);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    ssize_t ignored = write(fd, "500", 3);
    (void)ignored;
    close(fd);
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* The page of progress stays mapped here; its descriptor is the child's alone from now on. */
ag_status ag_child_start(ag_child **out, const ag_child_spec *spec)
{
    ag_child *child = malloc(sizeof *child);
    if (child == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    *child = (ag_child){
        .grace_s = spec->grace_s,
        .oom_kills = ag_memory_oom_kills(""),
        .fds = {-1, -1, -1, -1, -1}
    };
    wake_when_children_end();
    ag_status status = open_files(child, spec);
    if (status == AG_OK)
        status = spawn(child, spec);
    if (status != AG_OK) {
        child->pid = 0;
        ag_child_destroy(child);
        return status;
    }
    offer_to_oom_killer(child->pid);
    close_fd(&child->fds[INPUT]);
    close_fd(&child->fds[OUTPUT]);
    close_fd(&child->fds[PROGRESS]);
    *out = child;
    return AG_OK;
}

/* Collects the child if it ended. SIGKILL that we did not send, while the kernel's count of
 * processes killed for want of memory grew, means that it was one of them. */
static void reap(ag_child *child, int options)
{
    int status;
    struct rusage usage;
    pid_t pid;
    do {
        pid = wait4(child->pid, &status, options, &usage);
    } while (pid < 0 && errno == EINTR);
    if (pid == 0)
        return;
    child->pid = 0;
    if (pid < 0) /* somebody else waited for it */
        child->end = (ag_child_end){.state = AG_CHILD_EXITED, .code = -1};
    else if (WIFSIGNALED(status))
        child->end = (ag_child_end){.state = AG_CHILD_KILLED, .signal = WTERMSIG(status)};
    else
        child->end = (ag_child_end){.state = AG_CHILD_EXITED, .code = WEXITSTATUS(status)};
    child->end.peak_size = pid > 0 ? (size_t)usage.ru_maxrss * 1024 : 0;
    child->end.out_of_memory = child->end.state == AG_CHILD_KILLED &&
                               child->end.signal == SIGKILL && !child->killed &&
                               ag_memory_oom_kills("") > child->oom_kills;
}

/* Called in a loop, so it is here that an overdue child is killed. */
ag_child_end ag_child_poll(ag_child *child)
{
    if (child->pid != 0)
        reap(child, WNOHANG);
    if (child->pid != 0 && child->kill_at > 0. && ag_clock_s() >= child->kill_at)
        ag_child_kill(child);
    return child->end;
}

size_t ag_child_memory(const ag_child *child)
{
    return child->pid != 0 ? ag_memory_peak(child->pid) : 0;
}

/* To the whole group, as a child may have children. */
void ag_child_cancel(ag_child *child)
{
    if (child->pid == 0 || child->kill_at > 0.)
        return;
    child->kill_at = ag_clock_s() + child->grace_s;
    kill(-child->pid, SIGTERM);
}

void ag_child_kill(ag_child *child)
{
    if (child->pid == 0)
        return;
    child->killed = true;
    kill(-child->pid, SIGKILL);
}

const ag_progress_page *ag_child_progress(const ag_child *child)
{
    return child->progress;
}

/* Mapped, not read: a result may be large, and is sent on in pieces. */
ag_status ag_child_result(const void **bytes, size_t *size, ag_child *child)
{
    struct stat facts;
    *bytes = NULL;
    *size = 0;
    if (fstat(child->fds[RESULT], &facts) != 0)
        return ag_fail_errno("cannot read a child's result");
    if (child->result == NULL && facts.st_size > 0) {
        void *memory =
            mmap(NULL, (size_t)facts.st_size, PROT_READ, MAP_SHARED, child->fds[RESULT], 0);
        if (memory == MAP_FAILED)
            return ag_fail_errno("cannot map a child's result");
        child->result = memory;
        child->result_size = (size_t)facts.st_size;
    }
    *bytes = child->result;
    *size = child->result_size;
    return AG_OK;
}

int ag_child_log_fd(const ag_child *child)
{
    return child->fds[LOG];
}

/* Waits for the kill to be carried out, so that no zombie is left. */
void ag_child_destroy(ag_child *child)
{
    if (child == NULL)
        return;
    if (child->pid != 0) {
        ag_child_kill(child);
        reap(child, 0);
    }
    if (child->result != NULL)
        munmap(child->result, child->result_size);
    ag_progress_close(child->progress);
    for (int i = 0; i < FDS; i++)
        close_fd(&child->fds[i]);
    free(child);
}

bool ag_child_follow_parent(pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    return getppid() == parent; /* it may have died before the request */
}
