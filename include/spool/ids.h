/* Sets of run ids: what is complete, by the names of files; what a grid names; and what is an
 * orphan. */
#ifndef AG_SPOOL_IDS_H
#define AG_SPOOL_IDS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/status.h"
#include "run/grid.h"
#include "run/run.h"

typedef struct ag_ids {
    size_t count;
    char (*id)[AG_ID_LENGTH + 1]; /* sorted */
} ag_ids;

/* The ids of the files <id><suffix> in a folder; none where there is no folder. */
ag_status ag_list_ids(ag_ids *ids, const char *folder, const char *suffix, ag_arena *arena);
bool ag_ids_have(const ag_ids *ids, const char *id);

/* Sorts ids that were filled in by hand, as ag_ids_have needs them. */
void ag_ids_sort(ag_ids *ids);

/* The ids of the grid's runs. */
ag_status ag_ids_of_grid(ag_ids *ids, const ag_grid *grid, ag_arena *arena);

/* Those of `all` that are not among `others`, sorted as `all` is. */
ag_status ag_ids_without(ag_ids *left, const ag_ids *all, const ag_ids *others, ag_arena *arena);

/* The orphans: a complete run that the grid does not name is one, and nothing else is. They stay
 * with the results, apart from the others, until `altgrad prune`. */
ag_status ag_ids_orphans(ag_ids *orphans, const ag_ids *complete, const ag_grid *grid,
                         ag_arena *arena);

#endif
