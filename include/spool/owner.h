/* Who may write the results: one owner at a time, which gives a sign of life. */
#ifndef AG_SPOOL_OWNER_H
#define AG_SPOOL_OWNER_H

#include <stdbool.h>

#include "base/files.h"
#include "base/status.h"
#include "spool/places.h"

typedef struct ag_owner {
    char host[256];
    long pid;
    char started[32]; /* when the process did, as /proc says: a pid may be used again */
    char token[33];
    char job[64];
    char space[64]; /* the PID namespace in which `pid` is one: "pid:[4026531836]" */
    char boot[64];  /* of that host: its boot_id. "-": cannot be told; "": an older altgrad's */
} ag_owner;

/* Takes ownership of the folder. AG_ERR_SYSTEM when somebody else has it. */
ag_status ag_owner_take(ag_owner *owner, const ag_places *places, const char *job, bool take_over);
void ag_owner_leave(const ag_owner *owner, const ag_places *places);

/* Whether the folder is still ours. */
bool ag_owner_is(const ag_owner *owner, const ag_places *places);

/* The same as an error: AG_ERR_SYSTEM says who took it. */
ag_status ag_owner_check(const ag_owner *owner, const ag_places *places);

/* A sign of life. AG_ERR_SYSTEM when another became the owner. */
ag_status ag_owner_beat(const ag_owner *owner, const ag_places *places);

/* Works for the owner with that token, or where `token` is NULL for this process if it is the
 * owner; *adopted is false where it is not. AG_ERR_SYSTEM where the token is no longer the owner's.
 */
ag_status ag_owner_adopt(bool *adopted, ag_owner *owner, const ag_places *places,
                         const char *token);

/* Writes a file whole, and gives it its name if the folder is still ours then. */
ag_status ag_owner_write(const char *path, const ag_piece *piece, const ag_owner *owner,
                         const ag_places *places);

typedef enum ag_life {
    AG_LIFE_NONE,      /* nobody owns the results */
    AG_LIFE_HERE,      /* a process that can be asked here: of this host and PID namespace */
    AG_LIFE_ELSEWHERE, /* on another host, or in a container */
    AG_LIFE_SILENT,    /* the same, without a heartbeat for long: probably dead */
    AG_LIFE_DEAD       /* its process on this host is gone: killed */
} ag_life;

typedef struct ag_owner_view {
    ag_life life;
    char host[256];
    long pid;
    const char *where; /* what else to say of the pid, beginning with a space; or "" */
    char job[64];      /* of the batch system; "pack" or "merge" for those commands; "-" */
    char token[33];
    double silence_s; /* since its last heartbeat, at most half a minute while it is well */
} ag_owner_view;

/* How the owner looks from outside. */
void ag_owner_look(ag_owner_view *seen, const ag_places *places);

/* The same of the results at `path`; AG_ERR_INPUT where there are none. */
ag_status ag_owner_find(ag_owner_view *owner, const char *path);

/* Asks that owner to stop, by a file OUT.h5.d/stop with its token: it looks every few seconds. */
ag_status ag_owner_ask_stop(const ag_owner_view *owner, const char *path);

#endif
