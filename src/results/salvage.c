/* A packed file that is damaged: its good runs become run files. Children of this process read it,
 * since libhdf5 may crash on it; each ends at a run that cannot be read, or at the end. */
#include <stdio.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/files.h"
#include "base/log.h"
#include "h5.h"
#include "results/guard.h"
#include "spool/ids.h"
#include "spool/places.h"
#include "state.h"

typedef struct salvage {
    const ag_places *places;
    ag_arena arena;
    ag_ids ids;
    size_t *at; /* the run in hand, shared with children */
} salvage;

static ag_status list_ids(void *context)
{
    salvage *s = context;
    return ag_damaged_ids(&s->ids, s->places, &s->arena);
}

/* The counter is in shared memory, and moves only when a run is safe: the parent then knows which
 * one ended the child. */
static ag_status unpack_runs(void *context)
{
    const salvage *s = context;
    ag_h5 from;
    ag_h5_open(&from, s->places->results, NULL, NULL); /* the mark may be what is damaged */
    ag_status status = from.status;
    while (status == AG_OK && *s->at < s->ids.count) {
        status = ag_unpack_run(&from, s->ids.id[*s->at], s->places->runs_new);
        *s->at += status == AG_OK;
    }
    ag_status closed = ag_h5_close(&from);
    return status != AG_OK ? status : closed;
}

/* What was begun of it goes: a part of a run under its final name would count as complete. */
static void leave_out(const salvage *s)
{
    char path[AG_PATH_SIZE];
    const char *id = s->ids.id[*s->at];
    ag_log(AG_LOG_WARNING, "run %s is pending again: %s", id, ag_error_message());
    ag_error_clear();
    if (ag_places_run(path, s->places->runs_new, id) == AG_OK)
        unlink(path);
    ++*s->at;
}

/* Synced once at the end: before the folder has its final name, nothing of it counts. */
static ag_status unpack_good(const salvage *s)
{
    while (*s->at < s->ids.count) {
        ag_status status = ag_guard(unpack_runs, (void *)s);
        if (status != AG_OK && status != AG_ERR_FILE)
            return status;
        if (*s->at < s->ids.count)
            leave_out(s);
    }
    ag_error_clear();
    return ag_sync_folder(s->places->runs_new);
}

/* What a child could do, this process can do too. Where not even the list can be read the
 * experiment begins anew, and the damaged file is kept. */
static ag_status find_runs(salvage *s)
{
    ag_status status = ag_guard(list_ids, s);
    if (status == AG_OK)
        return list_ids(s);
    s->ids = (ag_ids){0};
    if (status != AG_ERR_FILE)
        return status;
    ag_log(AG_LOG_WARNING, "none of its runs can be read: %s", ag_error_message());
    ag_error_clear();
    return AG_OK;
}

static ag_status unpack_found(salvage *s)
{
    AG_TRY(find_runs(s));
    AG_TRY(ag_unpack_begin(s->places, s->ids.count));
    return unpack_good(s);
}

ag_status ag_salvage(const ag_places *places)
{
    salvage s = {.places = places, .at = ag_guard_share(sizeof *s.at)};
    if (s.at == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    ag_arena_init_growing(&s.arena);
    ag_status status = unpack_found(&s);
    ag_arena_deinit(&s.arena);
    ag_guard_unshare(s.at, sizeof *s.at);
    return status;
}
