/* The part of the grid that --shard means. */
#ifndef AG_APP_RUN_SHARD_H
#define AG_APP_RUN_SHARD_H

#include "base/arena.h"
#include "run_task.h"

typedef struct ag_shard {
    size_t index; /* from 0, below count */
    size_t count; /* 0: the whole grid is one job's */
    bool is_auto; /* as the batch system says, not the user */
} ag_shard;

/* "2/3", or "auto": as the batch system's job array says. */
ag_status ag_shard_parse(ag_shard *shard, const char *text);

/* Sets `mine` of each task, balanced by cost. */
ag_status ag_shard_choose(ag_task *tasks, size_t n_tasks, const ag_shard *shard);

/* Whether beside `path`, as ag_shard_path names it, lie shards of another count: then one of the
 * two trains again what the other has. AG_ERR_INPUT where nobody but the batch system says the
 * count, else a warning. */
ag_status ag_shard_check_others(const char *path, const ag_shard *shard);

/* "OUT-shard2of3.h5" for "OUT.h5"; NULL when memory runs out. */
const char *ag_shard_path(const char *path, const ag_shard *shard, ag_arena *arena);

#endif
