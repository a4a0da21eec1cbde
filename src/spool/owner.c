/* Who may write: a file made by link(2), which is atomic on NFS too, where locks may be missing.
 * It says host, process and job; its modification time is the heartbeat. A pid can be asked only
 * where it is one: on the same host, since the same boot, in the same PID namespace. Of owners
 * elsewhere, such as in a container, the heartbeat tells. */
#include "spool/owner.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/files.h"
#include "spool/places.h"

enum {
    STALE_S = 300, /* without a heartbeat, an owner whose pid cannot be asked is taken for dead */
    OLD_STALE_S = 90, /* the same where an older altgrad did not say in which space its pid is */
    TOGETHER_TICKS = 1000 /* of 10 ms: processes started within are likely one launcher's */
};

/* Field 22 of /proc/PID/stat, in clock ticks since boot; "" when there is no such process, or one
 * that has ended and only waits for its parent to notice (field 3). The name in field 2 may hold
 * spaces and parentheses. */
static void start_of(long pid, char *started, size_t size)
{
    char path[64];
    char line[1024] = "";
    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    started[0] = '\0';
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return;
    const char *at = fgets(line, sizeof line, file) != NULL ? strrchr(line, ')') : NULL;
    if (at != NULL && (strncmp(at, ") Z", 3) == 0 || strncmp(at, ") X", 3) == 0))
        at = NULL;
    for (int field = 2; at != NULL && field < 22; field++)
        at = strchr(at + 1, ' ');
    if (at != NULL)
        snprintf(started, size, "%.*s", (int)strcspn(at + 1, " \n"), at + 1);
    (void)fclose(file);
}

/* 128 random bits: two owners must never have the same, on whatever hosts and however often they
 * are started. */
static ag_status make_token(char token[33])
{
    unsigned char bytes[16];
    int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, bytes, sizeof bytes) != (ssize_t)sizeof bytes) {
        if (fd >= 0)
            close(fd);
        return ag_fail_errno("cannot read /dev/urandom");
    }
    close(fd);
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(token + 2 * i, 3, "%02x", bytes[i]);
    return AG_OK;
}

/* Where this process is, and since when; "-" for what cannot be told. The space is "-" too where
 * /proc is another namespace's: it knows no pid of ours. */
static ag_status place_self(ag_owner *owner)
{
    char shown[32] = "";
    *owner = (ag_owner){.pid = (long)getpid(), .started = "-", .space = "-", .boot = "-"};
    if (gethostname(owner->host, sizeof owner->host - 1) != 0)
        return ag_fail_errno("cannot tell the name of this host");
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
    if (file != NULL) {
        (void)!fscanf(file, "%63s", owner->boot);
        (void)fclose(file);
    }
    if (readlink("/proc/self", shown, sizeof shown - 1) <= 0 ||
        strtol(shown, NULL, 10) != owner->pid)
        return AG_OK;
    start_of(owner->pid, owner->started, sizeof owner->started);
    ssize_t length = readlink("/proc/self/ns/pid", owner->space, sizeof owner->space - 1);
    if (length > 0)
        owner->space[length] = '\0'; /* over the rest of "-" */
    return AG_OK;
}

static ag_status describe_self(ag_owner *owner, const char *job)
{
    AG_TRY(place_self(owner));
    snprintf(owner->job, sizeof owner->job, "%s", job[0] != '\0' ? job : "-");
    return make_token(owner->token);
}

/* False where there is no owner, or no readable one. As words, in the order in which versions added
 * them: a file of an earlier version ends sooner and is still an owner's. */
static bool read_owner(ag_owner *owner, const char *path)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    *owner = (ag_owner){0};
    int count =
        fscanf(file, "host %255s pid %ld started %31s token %32s job %63[^\n] space %63s boot %63s",
               owner->host, &owner->pid, owner->started, owner->token, owner->job, owner->space,
               owner->boot);
    (void)fclose(file);
    return count >= 5; /* older versions say no more */
}

/* Under a name of its own first; link(2) then gives it the name that counts, or fails because there
 * is one. */
static ag_status write_owner(const ag_owner *owner, const char *path)
{
    char text[1024];
    int length =
        snprintf(text, sizeof text,
                 "host %s\npid %ld\nstarted %s\ntoken %s\njob %s\nspace %s\nboot %s\n", owner->host,
                 owner->pid, owner->started, owner->token, owner->job, owner->space, owner->boot);
    return ag_write_whole(path, text, (size_t)length);
}

/* Whether /proc here can tell of the other's process. */
typedef enum reach {
    REACH_NONE, /* another host, boot or PID namespace */
    REACH_OLD,  /* the same host, by the word of a version that says no more */
    REACH_PID
} reach;

/* A host's name is no proof: in a container it may be the same while pids are others. Boot and PID
 * namespace settle it. */
static reach reach_of(const ag_owner *other, const ag_owner *self)
{
    if (strcmp(other->host, self->host) != 0 || strcmp(self->space, "-") == 0)
        return REACH_NONE;
    if (other->space[0] == '\0')
        return REACH_OLD;
    return strcmp(other->space, self->space) == 0 && strcmp(other->boot, self->boot) == 0
               ? REACH_PID
               : REACH_NONE;
}

/* Where /proc hides the processes of other users. There, no process in /proc does not mean that
 * there is none. */
static bool is_hidden(long pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld", pid);
    return access(path, F_OK) != 0 && (kill((pid_t)pid, 0) == 0 || errno == EPERM);
}

/* The pid alone may have been given to another process since; the time at which that started has
 * not. */
static bool is_running(const ag_owner *other)
{
    char started[sizeof other->started];
    start_of(other->pid, started, sizeof started);
    return strcmp(started, other->started) == 0;
}

/* As far as can be seen from where `self` is. */
static ag_life life_of(const ag_owner *other, const ag_owner *self, double silence)
{
    reach reached = reach_of(other, self);
    if (reached != REACH_NONE && is_running(other))
        return AG_LIFE_HERE;
    if (reached == REACH_PID && !is_hidden(other->pid))
        return AG_LIFE_DEAD;
    return silence > (reached == REACH_OLD ? OLD_STALE_S : STALE_S) ? AG_LIFE_SILENT
                                                                    : AG_LIFE_ELSEWHERE;
}

/* Seconds since the last heartbeat. Both times are the file server's. The host's own clock may be
 * minutes off. */
static double silence_s(const char *owner, const char *just_written)
{
    struct stat old;
    struct stat now;
    if (stat(owner, &old) != 0 || stat(just_written, &now) != 0)
        return 0;
    return difftime(now.st_mtime, old.st_mtime);
}

/* 0 for a job that was never restarted. */
static long restarts_of(const char *job)
{
    static const char mark[] = ", restart ";
    const char *at = strstr(job, mark);
    return at != NULL ? strtol(at + strlen(mark), NULL, 10) : 0;
}

/* Whether `other` is an earlier life of the batch job that `self` is. A batch system restarts a job
 * when nothing of it is left, so that its owner is dead, on whatever host it was. A job's text is
 * "NAME ID, ...", and ", restart N" at its end from the first restart on. */
static bool is_earlier_life(const ag_owner *other, const ag_owner *self)
{
    size_t length = strcspn(self->job, ",");
    if (length <= 1 || length != strcspn(other->job, ",") ||
        strncmp(self->job, other->job, length) != 0)
        return false;
    return restarts_of(self->job) > restarts_of(other->job);
}

static bool is_dead(const ag_owner *other, const ag_owner *self, double silence)
{
    ag_life life = life_of(other, self, silence);
    return is_earlier_life(other, self) || life == AG_LIFE_DEAD || life == AG_LIFE_SILENT;
}

/* Whether one command may have started both: copies that MPI did not make ranks of one job. It
 * happens to everybody once who starts altgrad with another MPI's mpirun. */
static bool began_together(const ag_owner *a, const ag_owner *b)
{
    if (strncmp(a->job, "SLURM ", strlen("SLURM ")) == 0 && strcmp(a->job, b->job) == 0)
        return true;
    if (strcmp(a->boot, "-") == 0 || strcmp(a->boot, b->boot) != 0)
        return false;
    return llabs(strtoll(a->started, NULL, 10) - strtoll(b->started, NULL, 10)) < TOGETHER_TICKS;
}

/* Moves the file of a dead owner aside. Of several that try, rename lets one succeed; should a new
 * owner have come in between, its file is put back. */
static void set_aside(const ag_owner *dead, const ag_places *places, const char *own)
{
    char aside[2 * AG_PATH_SIZE];
    ag_owner moved = {0};
    snprintf(aside, sizeof aside, "%s.aside", own);
    if (rename(places->owner, aside) != 0)
        return;
    if (read_owner(&moved, aside) && strcmp(moved.token, dead->token) != 0)
        (void)link(aside, places->owner);
    unlink(aside);
}

static const char *where_of(const ag_owner *other, const ag_owner *self)
{
    return strcmp(other->host, self->host) == 0 && reach_of(other, self) == REACH_NONE
               ? " of another PID namespace (a container's)"
               : "";
}

/* Says all that somebody needs to find out whether the other is alive, and the three things that
 * can be done. */
static ag_status refuse(const ag_places *places, const ag_owner *other, const ag_owner *self,
                        double silence)
{
    static const char copies[] =
        ".\nIt began when this one did: where one command was to start both as ranks, they are "
        "copies that do not know each other. Use the mpirun of the MPI library that altgrad was "
        "built with, or 'srun --mpi=pmix'";
    if (other->host[0] == '\0')
        return ag_fail(AG_ERR_SYSTEM,
                       "%s: who writes it cannot be told: %s is damaged, and was written %.0f s "
                       "ago. It counts as left after %d s; or take over with --take-over if no "
                       "altgrad writes there",
                       places->results, places->owner, silence, STALE_S);
    return ag_fail(
        AG_ERR_SYSTEM,
        "%s is being written by another altgrad: host %s, pid %ld%s, job %s, last sign "
        "of life %.0f s ago. Wait for it, end it, or take over with --take-over if it is "
        "surely dead%s",
        places->results, other->host, other->pid, where_of(other, self), other->job, silence,
        began_together(other, self) ? copies : "");
}

/* Several may find the same dead owner at once. Each attempt either wins, or sees who did; the
 * number of attempts only bounds a race that goes on and on. */
static ag_status compete(const ag_owner *self, const ag_places *places, const char *own,
                         bool take_over)
{
    enum { ATTEMPTS = 8 };
    ag_owner other = {0};
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        if (link(own, places->owner) == 0)
            return AG_OK;
        if (errno != EEXIST)
            return ag_fail_errno("cannot take ownership by %s", places->owner);
        double silence = silence_s(places->owner, own);
        if (!read_owner(&other, places->owner))
            other = (ag_owner){0};
        if (!take_over && !is_dead(&other, self, silence))
            return refuse(places, &other, self, silence);
        set_aside(&other, places, own);
    }
    return refuse(places, &other, self, 0);
}

/* The claim is written and synced before it is linked: whoever wins is readable from that moment.
 */
ag_status ag_owner_take(ag_owner *owner, const ag_places *places, const char *job, bool take_over)
{
    char own[AG_PATH_SIZE + 64];
    AG_TRY(describe_self(owner, job));
    snprintf(own, sizeof own, "%s.%s", places->owner, owner->token);
    AG_TRY(write_owner(owner, own));
    ag_status status = compete(owner, places, own, take_over);
    unlink(own);
    return status;
}

bool ag_owner_is(const ag_owner *owner, const ag_places *places)
{
    ag_owner now;
    return read_owner(&now, places->owner) && strcmp(now.token, owner->token) == 0;
}

/* Asked before every rename. Between the check and the rename there is a gap of microseconds, which
 * no file system can close; five minutes without a heartbeat must have passed before it could
 * matter. */
ag_status ag_owner_check(const ag_owner *owner, const ag_places *places)
{
    ag_owner now = {0};
    if (read_owner(&now, places->owner) && strcmp(now.token, owner->token) == 0)
        return AG_OK;
    if (now.host[0] == '\0')
        return ag_fail(AG_ERR_SYSTEM,
                       "%s, which says that this altgrad writes there, was removed or damaged by "
                       "somebody; it stops writing",
                       places->owner);
    return ag_fail(
        AG_ERR_SYSTEM,
        "%s was taken over by another altgrad (host %s, pid %ld); this one stops writing",
        places->results, now.host, now.pid);
}

/* The modification time is the heartbeat: it is the file server's clock for all who look, and takes
 * no write to the file, which could fail half-way. */
ag_status ag_owner_beat(const ag_owner *owner, const ag_places *places)
{
    AG_TRY(ag_owner_check(owner, places));
    return utimensat(AT_FDCWD, places->owner, NULL, 0) == 0
               ? AG_OK
               : ag_fail_errno("cannot touch %s", places->owner);
}

/* Only its own: after a take-over the file is the other's. */
void ag_owner_leave(const ag_owner *owner, const ag_places *places)
{
    if (ag_owner_is(owner, places))
        unlink(places->owner);
}

/* For those who only watch: nothing is written, so that looking costs the owner nothing and needs
 * no permission to write. */
void ag_owner_look(ag_owner_view *seen, const ag_places *places)
{
    ag_owner owner;
    ag_owner self;
    struct stat facts;
    *seen = (ag_owner_view){.life = AG_LIFE_NONE};
    if (stat(places->owner, &facts) != 0 || !read_owner(&owner, places->owner))
        return;
    if (place_self(&self) != AG_OK)
        ag_error_clear(); /* then nobody is on our host */
    seen->pid = owner.pid;
    seen->silence_s = difftime(time(NULL), facts.st_mtime);
    memcpy(seen->host, owner.host, sizeof seen->host);
    memcpy(seen->job, owner.job, sizeof seen->job);
    memcpy(seen->token, owner.token, sizeof seen->token);
    seen->where = where_of(&owner, &self);
    seen->life = life_of(&owner, &self, seen->silence_s);
}

/* With a token this is a child that the owner sent. Without one it is the owner itself if the
 * process is the same, which `altgrad merge` is: it opens the store and packs in one process. */
ag_status ag_owner_adopt(bool *adopted, ag_owner *owner, const ag_places *places, const char *token)
{
    ag_owner self;
    bool found = read_owner(owner, places->owner);
    *adopted = false;
    if (token != NULL) {
        snprintf(owner->token, sizeof owner->token, "%s", token);
        AG_TRY(ag_owner_check(owner, places));
        *adopted = true;
    } else if (found) {
        AG_TRY(place_self(&self));
        *adopted = owner->pid == self.pid && strcmp(owner->started, self.started) == 0 &&
                   strcmp(owner->host, self.host) == 0 && strcmp(owner->boot, self.boot) == 0 &&
                   strcmp(owner->space, self.space) == 0;
    }
    return AG_OK;
}

/* The context of ag_write_checked, which knows no owner. */
typedef struct claim {
    const ag_owner *owner;
    const ag_places *places;
} claim;

static ag_status check_claim(void *context)
{
    const claim *c = context;
    return ag_owner_check(c->owner, c->places);
}

ag_status ag_owner_write(const char *path, const ag_piece *piece, const ag_owner *owner,
                         const ag_places *places)
{
    return ag_write_checked(path, piece, 1, check_claim, &(claim){owner, places});
}

/* --- for those who do not own */

ag_status ag_owner_find(ag_owner_view *owner, const char *path)
{
    ag_places places;
    AG_TRY(ag_places_of(&places, path));
    if (access(places.results, F_OK) != 0 && !ag_is_folder(places.folder))
        return ag_fail(AG_ERR_INPUT, "%s: there is no such results file", path);
    ag_owner_look(owner, &places);
    return AG_OK;
}

ag_status ag_owner_ask_stop(const ag_owner_view *owner, const char *path)
{
    ag_places places;
    AG_TRY(ag_places_of(&places, path));
    return ag_write_whole(places.stop, owner->token, strlen(owner->token));
}
