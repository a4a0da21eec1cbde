/* The work on results that needs libhdf5. It is done in children that libhdf5 may crash; this
 * process only looks at plain files, and renames when it still may.
 *
 * Whatever is there is judged before it is replaced. What is ours and whole is extended, what is
 * ours and damaged is set aside and made anew from what is good, and what is not ours is refused:
 * no file of another program is ever overwritten. */
#include "results/publish.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/files.h"
#include "base/log.h"
#include "h5.h"
#include "results/guard.h"
#include "results_write.h"
#include "run/grid.h"
#include "spool/damage.h"
#include "spool/former.h"
#include "spool/ids.h"
#include "spool/live.h"
#include "spool/notes.h"
#include "spool/owner.h"
#include "spool/places.h"
#include "spool/seal.h"
#include "spool/store.h"
#include "state.h"

enum { BEAT_MS = 30 * 1000 };

/* The whole task, in memory that the child inherits. */
typedef struct work {
    ag_places places;
    ag_owner owner;
    ag_store_task task;
    bool with_weights; /* of the file to be written */
} work;

/* --- what lies there */

/* Said of a file where it would have been replaced. */
static ag_status leave_it(ag_status status)
{
    char message[AG_MESSAGE_SIZE];
    if (status != AG_ERR_FILE)
        return status;
    ag_error_take(message, sizeof message);
    return ag_fail(status, "%s; it is left as it is", message);
}

/* Between its run files OUT.h5 is only a copy: a damaged one is set aside and written anew. One of
 * another program is left alone, and the user is told. It may be somebody's only copy. */
static ag_status check_published(const work *w)
{
    char reason[2048];
    bool damaged;
    if (access(w->places.results, F_OK) != 0)
        return AG_OK;
    AG_TRY(leave_it(ag_judge_results(&damaged, reason, sizeof reason, &w->places)));
    return damaged ? ag_set_aside(&w->places, w->places.results, reason) : AG_OK;
}

/* --- writing OUT.h5 anew */

static ag_status write_results(void *context)
{
    const work *w = context;
    return ag_results_write(&w->places, w->with_weights);
}

/* Written by a child, judged and renamed by its parent: a crash leaves a file in the making, which
 * goes. The seal comes after the last byte of HDF5's. */
static ag_status write_sealed(work *w)
{
    const ag_places *places = &w->places;
    AG_TRY(ag_guard(write_results, w));
    AG_TRY(ag_seal_file(places->unfinished));
    AG_TRY(ag_owner_check(&w->owner, places));
    return ag_rename_synced(places->unfinished, places->results);
}

static ag_status write_and_rename(work *w)
{
    AG_TRY(check_published(w));
    ag_status status = write_sealed(w);
    if (status != AG_OK)
        unlink(w->places.unfinished);
    return status;
}

/* Run files are not read whole each time, so a damaged one is looked for when publishing failed. */
static ag_status publish(work *w)
{
    char message[AG_MESSAGE_SIZE];
    size_t damaged = 0;
    w->with_weights = false;
    ag_status status = write_and_rename(w);
    if (status == AG_OK)
        return AG_OK;
    ag_error_take(message, sizeof message);
    AG_TRY(ag_set_runs_aside(&damaged, &w->places));
    return damaged > 0 ? write_and_rename(w) : ag_fail(status, "%s", message);
}

/* The rename of the folder is what makes the packed file the truth. Every byte of every run is
 * checked before the run files go: after that there is one copy. */
static ag_status pack(work *w)
{
    const ag_places *places = &w->places;
    size_t damaged = 0;
    AG_TRY(ag_set_runs_aside(&damaged, places));
    if (damaged > 0) {
        AG_TRY(publish(w));
        return ag_fail(AG_ERR_FILE,
                       "%s is not packed: %zu of its runs were damaged and are pending again. "
                       "'altgrad run' on the experiment trains them; a second 'altgrad pack' packs "
                       "the others",
                       places->results, damaged);
    }
    w->with_weights = true;
    AG_TRY(write_and_rename(w));
    AG_TRY(ag_owner_check(&w->owner, places));
    ag_remove_folder(places->runs_old);
    AG_TRY(ag_rename_synced(places->runs, places->runs_old));
    ag_remove_folder(places->runs_old);
    return AG_OK;
}

/* --- the start */

/* A damaged run file is set aside now, when its run can still be trained again by the command that
 * is about to start. */
static ag_status check_spooled(work *w)
{
    size_t damaged;
    AG_TRY(check_published(w));
    return ag_set_runs_aside(&damaged, &w->places);
}

/* A packed file may have been copied without the folder beside it. */
static ag_status note_packed_labels(const ag_places *places, const char *before,
                                    const ag_grid *grid, ag_arena *arena)
{
    ag_h5 h5;
    ag_h5_open(&h5, places->results, AG_RESULTS_FORMAT, NULL);
    const char *known = ag_packed_labels(&h5, arena);
    AG_TRY(ag_h5_close(&h5));
    return ag_former_note(places, before, grid, known);
}

/* Whether a packed file already is what grid.json asks for. The grid's text and the set of runs:
 * both must be as asked for. Equal texts with a missing run would never be trained. */
static ag_status is_what_is_asked(bool *same, const ag_places *places, ag_arena *arena)
{
    ag_ids packed;
    ag_ids wanted = {0};
    ag_grid grid = {0};
    const char *asked = "";
    const char *stored = "";
    *same = false;
    AG_TRY(ag_packed_ids(&packed, &stored, places, arena));
    AG_TRY(ag_notes_read_grid(&grid, &asked, places->grid, arena));
    AG_TRY(ag_plan_ids(&wanted, &grid, places, arena));
    *same = strcmp(asked, stored) == 0;
    for (size_t i = 0; *same && i < grid.n_runs; i++)
        *same = ag_ids_have(&packed, grid.runs[i].id) == ag_ids_have(&wanted, grid.runs[i].id);
    return note_packed_labels(places, stored, &grid, arena);
}

static ag_status unpack_if_asked(void *context)
{
    const work *w = context;
    bool same = false;
    ag_arena arena;
    ag_state state;
    AG_TRY(ag_state_of(&state, &w->places));
    ag_arena_init_growing(&arena);
    ag_status status = is_what_is_asked(&same, &w->places, &arena);
    ag_arena_deinit(&arena);
    if (status == AG_OK && (!same || w->task == AG_STORE_UNPACK))
        status = ag_unpack(&w->places);
    return status;
}

/* Of orphans, as far as it can still be read. A child does it: the file is damaged. */
static ag_status note_labels(void *context)
{
    const work *w = context;
    bool unused;
    ag_arena arena;
    ag_arena_init_growing(&arena);
    ag_status status = is_what_is_asked(&unused, &w->places, &arena);
    ag_arena_deinit(&arena);
    return status;
}

/* The folder gets its final name when all runs are in it: until then the packed file is the truth.
 */
static ag_status use_new_runs(const work *w)
{
    AG_TRY(ag_owner_check(&w->owner, &w->places));
    return ag_rename_synced(w->places.runs_new, w->places.runs);
}

/* Once its good runs are run files, OUT.h5 is only a copy. The order matters: until the folder has
 * its name, the damaged file is all there is. */
static ag_status heal(work *w, const char *reason)
{
    ag_log(AG_LOG_WARNING, "%s. Its good runs are kept, the others are trained again", reason);
    (void)ag_guard(note_labels, w);
    ag_error_clear();
    AG_TRY(ag_salvage(&w->places));
    AG_TRY(use_new_runs(w));
    return ag_set_aside(&w->places, w->places.results, reason);
}

/* All of the file is read, as all run files are while there are some: a few seconds a GB. */
static ag_status check_packed(work *w)
{
    const ag_places *places = &w->places;
    char reason[2048];
    bool damaged;
    if (access(places->results, F_OK) != 0)
        return AG_OK;
    AG_TRY(leave_it(ag_judge_results(&damaged, reason, sizeof reason, places)));
    if (damaged)
        return heal(w, reason);
    ag_status status = ag_guard(unpack_if_asked, w);
    if (status == AG_OK && ag_is_folder(places->runs_new))
        return use_new_runs(w);
    return status; /* the next one removes what is left in runs_new */
}

/* What a killed process left goes first: it could be taken for the work of this one. */
static ag_status prepare(work *w)
{
    ag_leftovers_remove(&w->places);
    return ag_is_folder(w->places.runs) ? check_spooled(w) : check_packed(w);
}

/* --- for whom */

static ag_status find_state(void *context)
{
    const work *w = context;
    ag_state state;
    return ag_state_of(&state, &w->places);
}

/* The file in the making has the owner's token in its name: one who was taken over while it wrote
 * cannot write into the other's. */
static ag_status do_task(void *context)
{
    work *w = context;
    int length = snprintf(w->places.unfinished, AG_PATH_SIZE, "%s/results.%.8s" AG_TEMPORARY,
                          w->places.folder, w->owner.token);
    if (length >= AG_PATH_SIZE)
        return ag_fail(AG_ERR_INPUT, "the path %.80s... is too long", w->places.folder);
    if (w->task == AG_STORE_PACK)
        return pack(w);
    return w->task == AG_STORE_PUBLISH ? publish(w) : prepare(w);
}

/* Who was taken over learns it before the next rename. */
static void beat(void *context)
{
    const work *w = context;
    (void)ag_owner_beat(&w->owner, &w->places);
    ag_error_clear();
}

/* A damaged packed file is healed by `run`, which knows the experiment, not by `pack`. */
static ag_status with_cure(const ag_places *places, ag_status status)
{
    char message[AG_MESSAGE_SIZE];
    char unused[AG_MESSAGE_SIZE];
    bool damaged = false;
    if (status != AG_ERR_FILE)
        return status;
    ag_error_take(message, sizeof message);
    if (ag_judge_results(&damaged, unused, sizeof unused, places) != AG_OK)
        ag_error_clear();
    return ag_fail(status, "%s; it is left as it is%s", message,
                   damaged ? "\n  'altgrad run' on its experiment keeps the good runs, sets the "
                             "file aside, and trains the others"
                           : "");
}

/* A pack that was killed at its very end leaves the run files that it has packed. The packed file
 * is complete; nothing else may be wrong with it. */
static ag_status tidy_packed(work *w)
{
    AG_TRY(with_cure(&w->places, ag_guard(find_state, w)));
    if (!ag_is_folder(w->places.runs_old))
        return AG_OK;
    AG_TRY(ag_owner_take(&w->owner, &w->places, "pack", false));
    ag_leftovers_remove(&w->places);
    ag_owner_leave(&w->owner, &w->places);
    return AG_OK;
}

/* For an owner that sent its token, as that owner; else as one of its own for the time being. */
static ag_status start_work(work *w, const char *path, const char *token)
{
    bool adopted;
    bool anew = w->task == AG_STORE_PUBLISH || w->task == AG_STORE_PACK;
    const ag_places *places = &w->places;
    AG_TRY(ag_places_of(&w->places, path));
    if (anew && !ag_is_folder(places->runs)) {
        if (access(places->results, F_OK) == 0) /* packed already, or not fit for it */
            return tidy_packed(w);
        return ag_fail(AG_ERR_INPUT, "%s: there is no such results file, nor %s", path,
                       places->runs);
    }
    AG_TRY(ag_owner_adopt(&adopted, &w->owner, places, token));
    if (!adopted) {
        AG_TRY(ag_owner_take(&w->owner, places, "pack", false));
        ag_leftovers_remove(places);
    }
    ag_status status = ag_guard_beating(do_task, w, beat, BEAT_MS);
    if (!adopted)
        ag_owner_leave(&w->owner, places);
    return status;
}

/* On the heap, with all its paths. */
ag_status ag_results_work(ag_store_task task, const char *path, const char *token)
{
    work *w = calloc(1, sizeof *w);
    if (w == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    w->task = task;
    ag_status status = start_work(w, path, token);
    free(w);
    return status;
}

ag_status ag_results_publish(const char *path)
{
    return ag_results_work(AG_STORE_PUBLISH, path, NULL);
}

ag_status ag_results_pack(const char *path)
{
    return ag_results_work(AG_STORE_PACK, path, NULL);
}
