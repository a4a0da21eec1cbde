#include "spool/ids.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "run/run.h"

static int by_id(const void *a, const void *b)
{
    return strcmp(a, b);
}

static bool id_of_name(char id[AG_ID_LENGTH + 1], const char *name, const char *suffix)
{
    if (strspn(name, "0123456789abcdef") != AG_ID_LENGTH ||
        strcmp(name + AG_ID_LENGTH, suffix) != 0)
        return false;
    memcpy(id, name, AG_ID_LENGTH);
    id[AG_ID_LENGTH] = '\0';
    return true;
}

static size_t count_entries(DIR *folder)
{
    size_t count = 0;
    while (readdir(folder) != NULL)
        count++;
    rewinddir(folder);
    return count;
}

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
    qsort(ids->id, ids->count, sizeof *ids->id, by_id);
    return AG_OK;
}

bool ag_ids_have(const ag_ids *ids, const char *id)
{
    return ids->count > 0 && bsearch(id, ids->id, ids->count, sizeof *ids->id, by_id) != NULL;
}
