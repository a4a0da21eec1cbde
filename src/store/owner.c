/* Who may write: a file made by link(2), which is atomic on NFS too, where locks may be missing.
 * It says host, process and job; its modification time is the heartbeat. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "store_internal.h"

enum { STALE_S = 300 }; /* without a heartbeat, an owner on another host is taken for dead */

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

static ag_status describe_self(ag_owner *owner, const char *job)
{
    *owner = (ag_owner){.pid = (long)getpid()};
    if (gethostname(owner->host, sizeof owner->host - 1) != 0)
        return ag_fail_errno("cannot tell the name of this host");
    start_of(owner->pid, owner->started, sizeof owner->started);
    snprintf(owner->job, sizeof owner->job, "%s", job[0] != '\0' ? job : "-");
    return make_token(owner->token);
}

/* False where there is no owner, or no readable one. */
static bool read_owner(ag_owner *owner, const char *path)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    *owner = (ag_owner){0};
    int count = fscanf(file, "host %255s pid %ld started %31s token %32s job %63[^\n]", owner->host,
                       &owner->pid, owner->started, owner->token, owner->job);
    (void)fclose(file);
    return count == 5;
}

static ag_status write_owner(const ag_owner *owner, const char *path)
{
    char text[1024];
    int length = snprintf(text, sizeof text, "host %s\npid %ld\nstarted %s\ntoken %s\njob %s\n",
                          owner->host, owner->pid, owner->started, owner->token, owner->job);
    return ag_write_whole(path, text, (size_t)length);
}

static bool is_on(const ag_owner *owner, const char *host)
{
    return strcmp(owner->host, host) == 0;
}

/* Seconds since the last heartbeat. Both times are the file server's. */
static double silence_s(const char *owner, const char *just_written)
{
    struct stat old;
    struct stat now;
    if (stat(owner, &old) != 0 || stat(just_written, &now) != 0)
        return 0;
    return difftime(now.st_mtime, old.st_mtime);
}

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
    char started[sizeof other->started];
    if (is_earlier_life(other, self))
        return true;
    if (!is_on(other, self->host))
        return silence > STALE_S;
    start_of(other->pid, started, sizeof started);
    return strcmp(started, other->started) != 0;
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

static ag_status refuse(const ag_places *places, const ag_owner *other, double silence)
{
    if (other->host[0] == '\0')
        return ag_fail(AG_ERR_SYSTEM,
                       "%s: who writes it cannot be told: %s is damaged, and was written %.0f s "
                       "ago. It counts as left after %d s; or take over with --take-over if no "
                       "altgrad writes there",
                       places->results, places->owner, silence, STALE_S);
    return ag_fail(AG_ERR_SYSTEM,
                   "%s is being written by another altgrad: host %s, pid %ld, job %s, last sign of "
                   "life %.0f s ago. Wait for it, end it, or take over with --take-over if it is "
                   "surely dead",
                   places->results, other->host, other->pid, other->job, silence);
}

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
            return refuse(places, &other, silence);
        set_aside(&other, places, own);
    }
    return refuse(places, &other, 0);
}

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

ag_status ag_owner_beat(const ag_owner *owner, const ag_places *places)
{
    AG_TRY(ag_owner_check(owner, places));
    return utimensat(AT_FDCWD, places->owner, NULL, 0) == 0
               ? AG_OK
               : ag_fail_errno("cannot touch %s", places->owner);
}

void ag_owner_leave(const ag_owner *owner, const ag_places *places)
{
    ag_owner now;
    if (read_owner(&now, places->owner) && strcmp(now.token, owner->token) == 0)
        unlink(places->owner);
}

void ag_owner_look(ag_watch_owner *seen, const ag_places *places)
{
    ag_owner owner;
    struct stat facts;
    char started[sizeof owner.started];
    char host[sizeof owner.host] = "";
    *seen = (ag_watch_owner){.life = AG_LIFE_NONE};
    if (stat(places->owner, &facts) != 0 || !read_owner(&owner, places->owner) ||
        gethostname(host, sizeof host - 1) != 0)
        return;
    seen->pid = owner.pid;
    seen->silence_s = difftime(time(NULL), facts.st_mtime);
    memcpy(seen->host, owner.host, sizeof seen->host);
    memcpy(seen->job, owner.job, sizeof seen->job);
    memcpy(seen->token, owner.token, sizeof seen->token);
    start_of(owner.pid, started, sizeof started);
    if (is_on(&owner, host))
        seen->life = strcmp(started, owner.started) == 0 ? AG_LIFE_HERE : AG_LIFE_DEAD;
    else
        seen->life = seen->silence_s > STALE_S ? AG_LIFE_SILENT : AG_LIFE_ELSEWHERE;
}

ag_status ag_owner_adopt(bool *adopted, ag_owner *owner, const ag_places *places, const char *token)
{
    char host[sizeof owner->host] = "";
    bool found = read_owner(owner, places->owner);
    *adopted = false;
    if (token != NULL) {
        snprintf(owner->token, sizeof owner->token, "%s", token);
        AG_TRY(ag_owner_check(owner, places));
        *adopted = true;
    } else if (found && gethostname(host, sizeof host - 1) == 0) {
        *adopted = is_on(owner, host) && owner->pid == (long)getpid();
    }
    return AG_OK;
}
