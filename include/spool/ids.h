/* Lists of run ids, as names of files tell them. */
#ifndef AG_SPOOL_IDS_H
#define AG_SPOOL_IDS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/status.h"
#include "run/run.h"

typedef struct ag_ids {
    size_t count;
    char (*id)[AG_ID_LENGTH + 1]; /* sorted */
} ag_ids;

/* The ids of the files <id><suffix> in a folder; none where there is no folder. */
ag_status ag_list_ids(ag_ids *ids, const char *folder, const char *suffix, ag_arena *arena);
bool ag_ids_have(const ag_ids *ids, const char *id);

#endif
