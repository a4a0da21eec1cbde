/* Who waits for whom. All of it is about time: a trainer checks what it begins with, and a run that
 * waits is queued whatever becomes of the run that it waits for, in the same call in which that is
 * known. So nothing can wait when the queue is empty. */
#include "run_trunks.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/files.h"
#include "run/trunk.h"

/* --- snapshots on disk */

typedef struct snapshot {
    char name[AG_TRUNK_NAME];
    int64_t step;
    bool claimed;
} snapshot;

/* In the order of their steps. */
typedef struct snapshots {
    snapshot *all;
    size_t count;
} snapshots;

static ag_status add_snapshot(snapshots *there, const char *name, int64_t step)
{
    snapshot *all = realloc(there->all, (there->count + 1) * sizeof *all);
    if (all == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    there->all = all;
    snapshot *last = &all[there->count++];
    *last = (snapshot){.step = step};
    snprintf(last->name, sizeof last->name, "%s", name);
    return AG_OK;
}

static int by_step(const void *a, const void *b)
{
    int64_t x = ((const snapshot *)a)->step;
    int64_t y = ((const snapshot *)b)->step;
    return (x > y) - (x < y);
}

/* There are few at a time. Release `all` also after a failure. */
static ag_status list_snapshots(snapshots *there, const ag_run_session *session)
{
    ag_status status = AG_OK;
    DIR *folder = opendir(ag_store_trunks(session->store));
    *there = (snapshots){0};
    for (const struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
        const char *name = entry->d_name;
        int64_t step = strlen(name) < AG_TRUNK_NAME ? ag_trunk_step(name) : 0;
        if (status == AG_OK && step > 0)
            status = add_snapshot(there, name, step);
    }
    if (folder != NULL)
        closedir(folder);
    if (there->count > 0)
        qsort(there->all, there->count, sizeof *there->all, by_step);
    return status;
}

static ag_status path_of(char path[AG_PATH_SIZE], const ag_run_session *session, const char *name)
{
    return ag_path_join(path, ag_store_trunks(session->store), name);
}

static bool is_there(const ag_run_session *session, const char *name)
{
    char path[AG_PATH_SIZE];
    return path_of(path, session, name) == AG_OK && access(path, F_OK) == 0;
}

static void remove_snapshot(const ag_run_session *session, const char *name)
{
    char path[AG_PATH_SIZE];
    if (path_of(path, session, name) == AG_OK)
        unlink(path);
}

/* Marks those that the run can begin with, and returns the step of the newest; 0 where there is
 * none. The run's name for a step is made once, as it takes all steps before it. */
static int64_t claim(snapshots *there, const ag_run *run)
{
    char name[AG_TRUNK_NAME] = "";
    int64_t step = 0;
    int64_t newest = 0;
    for (size_t i = 0; i < there->count && there->all[i].step < run->train.steps; i++) {
        snapshot *it = &there->all[i];
        if (it->step != step && ag_trunk_name(name, run, it->step) != AG_OK)
            name[0] = '\0';
        step = it->step;
        if (strcmp(it->name, name) != 0)
            continue;
        it->claimed = true;
        newest = step;
    }
    return newest;
}

/* Selected or not. */
static bool may_begin(const ag_run_session *session, const ag_task *task)
{
    return task->mine && (task->pending || !ag_store_has(session->store, task->run->id));
}

ag_status ag_run_trunks_sweep(const ag_run_session *session)
{
    snapshots there;
    ag_status status = list_snapshots(&there, session);
    for (size_t i = 0; i < session->grid->n_runs && there.count > 0; i++) {
        if (may_begin(session, &session->tasks[i]))
            claim(&there, session->tasks[i].run);
    }
    for (size_t i = 0; i < there.count && status == AG_OK; i++) {
        if (!there.all[i].claimed)
            remove_snapshot(session, there.all[i].name);
    }
    free(there.all);
    return status;
}

/* --- the queue */

/* Of equal runs those come first for which others wait: their cost is that of all that follows. */
static double cost_with_followers(const ag_run_session *session, const ag_task *task)
{
    double cost = task->cost;
    for (size_t i = 0; i < session->grid->n_runs && task->trunk.waiting > 0; i++) {
        if (session->tasks[i].trunk.leader == task)
            cost += cost_with_followers(session, &session->tasks[i]);
    }
    return cost;
}

static ag_status queue(ag_run_session *session, const ag_task *task)
{
    return ag_coordinator_add(session->coordinator, task - session->tasks, 0,
                              cost_with_followers(session, task));
}

/* Steps that another run trains count as done from the beginning, like those of a checkpoint: they
 * are no measure of this command's speed. */
static void count_trunk(ag_run_session *session, ag_task *task)
{
    double done = session->counts.cost_done;
    ag_run_count_checkpoint(session, task);
    session->counts.cost_before += session->counts.cost_done - done;
}

static void wait_for(ag_run_session *session, ag_task *task, ag_task *leader)
{
    task->trunk.leader = leader;
    leader->trunk.waiting++;
    session->counts.waiting++;
}

static void wait_no_more(ag_run_session *session, ag_task *task)
{
    task->trunk.leader->trunk.waiting--;
    task->trunk.leader = NULL;
    session->counts.waiting--;
}

/* With the snapshot, or without it: where it should be and is not, it is lost. Those that share it
 * are not arranged anew: on disks that rank 0 does not see they would be trained one by one. */
static ag_status let_go(ag_run_session *session, ag_task *task)
{
    wait_no_more(session, task);
    if (!is_there(session, task->trunk.name)) {
        task->trunk.steps = 0;
        count_trunk(session, task);
    }
    return queue(session, task);
}

/* --- who waits for whom */

/* Tasks, and what the tree of their runs is made of. */
typedef struct arrangement {
    size_t count;
    size_t *tasks;
    ag_trunk_leaf *leaves;
    ag_trunk_branch *branches;
    snapshots there;
} arrangement;

static void arrangement_deinit(arrangement *a)
{
    free(a->tasks);
    free(a->leaves);
    free(a->branches);
    free(a->there.all);
}

/* With room for all tasks of the grid. */
static ag_status arrangement_init(arrangement *a, const ag_run_session *session)
{
    const size_t most = session->grid->n_runs + 1;
    *a = (arrangement){.tasks = calloc(most, sizeof *a->tasks),
                       .leaves = calloc(most, sizeof *a->leaves),
                       .branches = calloc(most, sizeof *a->branches)};
    ag_status status = a->tasks != NULL && a->leaves != NULL && a->branches != NULL
                           ? list_snapshots(&a->there, session)
                           : ag_fail(AG_ERR_SYSTEM, "out of memory");
    if (status != AG_OK)
        arrangement_deinit(a);
    return status;
}

static void add_task(arrangement *a, ag_task *task, const ag_run_session *session)
{
    int64_t own = ag_store_checkpoint_step(session->store, task->run->id);
    a->tasks[a->count] = (size_t)(task - session->tasks);
    a->leaves[a->count++] = (ag_trunk_leaf){
        .run = task->run,
        .begun = own > 0 ? own : claim(&a->there, task->run),
        .own = own > 0,
    };
}

static ag_status settle(ag_run_session *session, const arrangement *a, size_t i)
{
    ag_task *task = &session->tasks[a->tasks[i]];
    const ag_trunk_leaf *leaf = &a->leaves[i];
    const ag_trunk_branch *branch = &a->branches[i];
    task->trunk.steps = branch->step > 0 ? branch->step : leaf->own ? 0 : leaf->begun;
    if (branch->step > 0)
        wait_for(session, task, &session->tasks[a->tasks[branch->of]]);
    count_trunk(session, task);
    return task->trunk.steps > 0 ? ag_trunk_name(task->trunk.name, task->run, task->trunk.steps)
                                 : AG_OK;
}

/* The run with the smallest id waits for nobody, so there is always one that can begin. */
static ag_status arrange(ag_run_session *session, const arrangement *a)
{
    AG_TRY(ag_trunk_branches(a->branches, a->leaves, a->count));
    for (size_t i = 0; i < a->count; i++)
        AG_TRY(settle(session, a, i));
    for (size_t i = 0; i < a->count; i++) {
        const ag_task *task = &session->tasks[a->tasks[i]];
        if (task->trunk.leader == NULL)
            AG_TRY(queue(session, task));
    }
    return AG_OK;
}

static ag_status queue_all(ag_run_session *session)
{
    for (size_t i = 0; i < session->grid->n_runs; i++) {
        if (session->tasks[i].pending)
            AG_TRY(queue(session, &session->tasks[i]));
    }
    return AG_OK;
}

ag_status ag_run_trunks_queue(ag_run_session *session)
{
    arrangement a;
    AG_TRY(ag_run_trunks_sweep(session));
    if (!session->grid->runs[0].limits.share_trunks)
        return queue_all(session);
    AG_TRY(arrangement_init(&a, session));
    for (size_t i = 0; i < session->grid->n_runs; i++) {
        if (session->tasks[i].pending)
            add_task(&a, &session->tasks[i], session);
    }
    ag_status status = arrange(session, &a);
    arrangement_deinit(&a);
    return status;
}

/* --- while they train */

/* Each snapshot once, however many wait for it. */
static bool is_among(const ag_run_paths *paths, const char *path)
{
    for (size_t i = 0; i < paths->n_keep; i++) {
        if (strcmp(paths->keep[i], path) == 0)
            return true;
    }
    return false;
}

ag_status ag_run_trunks_paths(ag_run_paths *paths, const ag_run_session *session,
                              const ag_task *task, ag_arena *arena)
{
    const char *folder = ag_store_trunks(session->store);
    const char **keep = ag_arena_alloc(arena, (task->trunk.waiting + 1) * sizeof *keep);
    paths->keep = keep;
    if (task->trunk.steps > 0)
        paths->trunk = ag_arena_printf(arena, "%s/%s", folder, task->trunk.name);
    for (size_t i = 0; i < session->grid->n_runs && keep != NULL && task->trunk.waiting > 0; i++) {
        const ag_task *other = &session->tasks[i];
        if (other->trunk.leader != task)
            continue;
        keep[paths->n_keep] = ag_arena_printf(arena, "%s/%s", folder, other->trunk.name);
        if (keep[paths->n_keep] == NULL)
            return ag_fail(AG_ERR_SYSTEM, "out of memory");
        paths->n_keep += !is_among(paths, keep[paths->n_keep]);
    }
    return keep != NULL && paths->trunk != NULL ? AG_OK : ag_fail(AG_ERR_SYSTEM, "out of memory");
}

/* A trainer leaves the snapshot of a step before it tells of that step. */
void ag_run_trunks_progress(ag_run_session *session, const ag_job_progress *progress)
{
    ag_task *task = &session->tasks[progress->job];
    task->trunk.reached = progress->step;
    session->trunks_moved = session->trunks_moved || task->trunk.waiting > 0;
}

ag_status ag_run_trunks_tick(ag_run_session *session)
{
    if (!session->trunks_moved)
        return AG_OK;
    session->trunks_moved = false;
    for (size_t i = 0; i < session->grid->n_runs; i++) {
        ag_task *task = &session->tasks[i];
        if (task->trunk.leader != NULL && task->trunk.leader->trunk.reached >= task->trunk.steps)
            AG_TRY(let_go(session, task));
    }
    return AG_OK;
}

/* --- at their end */

static ag_status let_all_go(ag_run_session *session, const ag_task *leader)
{
    for (size_t i = 0; i < session->grid->n_runs && leader->trunk.waiting > 0; i++) {
        if (session->tasks[i].trunk.leader == leader)
            AG_TRY(let_go(session, &session->tasks[i]));
    }
    return AG_OK;
}

/* What it has left is used; for the rest another leads. */
static ag_status arrange_anew(ag_run_session *session, const ag_task *leader)
{
    arrangement a;
    AG_TRY(arrangement_init(&a, session));
    for (size_t i = 0; i < session->grid->n_runs && leader->trunk.waiting > 0; i++) {
        ag_task *task = &session->tasks[i];
        if (task->trunk.leader != leader)
            continue;
        wait_no_more(session, task);
        add_task(&a, task, session);
    }
    ag_status status = arrange(session, &a);
    arrangement_deinit(&a);
    return status;
}

/* A snapshot goes with the last run that may begin with it; a run that failed is tried again by the
 * next command. What runs may need that are not selected is known at the end (sweep). */
static void drop(const ag_run_session *session, const ag_task *ended)
{
    for (size_t i = 0; i < session->grid->n_runs; i++) {
        const ag_task *task = &session->tasks[i];
        bool same = task->trunk.steps > 0 && strcmp(task->trunk.name, ended->trunk.name) == 0;
        if ((task->mine && !task->selected) || (same && (task->pending || task->failed)))
            return;
    }
    remove_snapshot(session, ended->trunk.name);
}

ag_status ag_run_trunks_ended(ag_run_session *session, const ag_task *task)
{
    if (task->trunk.waiting > 0)
        AG_TRY(task->failed ? arrange_anew(session, task) : let_all_go(session, task));
    if (task->trunk.steps > 0)
        drop(session, task);
    return AG_OK;
}
