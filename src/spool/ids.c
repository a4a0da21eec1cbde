/* Sets of run ids as sorted arrays: a grid has thousands of runs, and each of them is looked up in
 * several of these sets. */
#include "spool/ids.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "run/grid.h"
#include "run/run.h"

static int by_id(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* Strict, because anything may lie in a user's folder: an editor's backup or a file copied as "x
 * (1).h5" is no run. */
static bool id_of_name(char id[AG_ID_LENGTH + 1], const char *name, const char *suffix)
{
    if (strspn(name, "0123456789abcdef") != AG_ID_LENGTH ||
        strcmp(name + AG_ID_LENGTH, suffix) != 0)
        return false;
    memcpy(id, name, AG_ID_LENGTH);
    id[AG_ID_LENGTH] = '\0';
    return true;
}

/* Counted first, so that one allocation holds all. Another process may add files in between; what
 * comes too late is seen the next time. */
static size_t count_entries(DIR *folder)
{
    size_t count = 0;
    while (readdir(folder) != NULL)
        count++;
    rewinddir(folder);
    return count;
}

/* No folder is an empty set: results that were never spooled have none. */
ag_status ag_list_ids(ag_ids *ids, const char *folder, const char *suffix, ag_arena *arena)
{
    *ids = (ag_ids){0};
    DIR *entries = opendir(folder);
    if (entries == NULL)
        return errno == ENOENT ? AG_OK : ag_fail_errno("cannot list %s", folder);
    size_t most = count_entries(entries);
    ids->id = ag_arena_alloc(arena, most * sizeof *ids->id);
    if (ids->id == NULL) {
        closedir(entries);
        return ag_fail(AG_ERR_SYSTEM, "out of memory for the names in %s", folder);
    }
    for (struct dirent *entry; ids->count < most && (entry = readdir(entries)) != NULL;)
        ids->count += id_of_name(ids->id[ids->count], entry->d_name, suffix);
    closedir(entries);
    ag_ids_sort(ids);
    return AG_OK;
}

void ag_ids_sort(ag_ids *ids)
{
    if (ids->count > 0)
        qsort(ids->id, ids->count, sizeof *ids->id, by_id);
}

bool ag_ids_have(const ag_ids *ids, const char *id)
{
    return ids->count > 0 && bsearch(id, ids->id, ids->count, sizeof *ids->id, by_id) != NULL;
}

/* Makes room for one more than there can be: none would be no allocation. */
static bool allocate(ag_ids *ids, size_t most, ag_arena *arena)
{
    *ids = (ag_ids){.id = ag_arena_alloc(arena, (most + 1) * sizeof *ids->id)};
    return ids->id != NULL;
}

static ag_status no_memory(size_t most)
{
    return ag_fail(AG_ERR_SYSTEM, "out of memory for %zu runs", most);
}

ag_status ag_ids_of_grid(ag_ids *ids, const ag_grid *grid, ag_arena *arena)
{
    if (!allocate(ids, grid->n_runs, arena))
        return no_memory(grid->n_runs);
    for (size_t i = 0; i < grid->n_runs; i++)
        memcpy(ids->id[ids->count++], grid->runs[i].id, sizeof *ids->id);
    ag_ids_sort(ids);
    return AG_OK;
}

ag_status ag_ids_without(ag_ids *left, const ag_ids *all, const ag_ids *others, ag_arena *arena)
{
    if (!allocate(left, all->count, arena))
        return no_memory(all->count);
    for (size_t i = 0; i < all->count; i++) {
        if (!ag_ids_have(others, all->id[i]))
            memcpy(left->id[left->count++], all->id[i], sizeof *left->id);
    }
    return AG_OK;
}

ag_status ag_ids_orphans(ag_ids *orphans, const ag_ids *complete, const ag_grid *grid,
                         ag_arena *arena)
{
    ag_ids named;
    AG_TRY(ag_ids_of_grid(&named, grid, arena));
    return ag_ids_without(orphans, complete, &named, arena);
}
