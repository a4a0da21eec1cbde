/* Trunks: the first steps that several runs have in common. Two runs share their first s steps bit
 * for bit where they differ only in what comes later: in the precision of later steps, and in the
 * schedule of the learning rate from there on. */
#ifndef AG_RUN_TRUNK_H
#define AG_RUN_TRUNK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "run/run.h"

enum { AG_TRUNK_NAME = AG_DIGEST_LENGTH + 24 };

/* P(run, step): SHA-256 over all that decides the steps before `step`, and what is recorded of
 * them. Runs of equal P are in the same state there. `step` from 0 to train.steps - 1. */
ag_status ag_trunk_digest(char hex[AG_DIGEST_LENGTH + 1], const ag_run *run, int64_t step);

/* The name of that state's snapshot, "<P>-<step>". */
ag_status ag_trunk_name(char name[AG_TRUNK_NAME], const ag_run *run, int64_t step);

/* The step of a snapshot, by its name or a path that ends with it; 0 where that is no such name. */
int64_t ag_trunk_step(const char *path);

/* How many steps two runs share; fewer than either has, since a run's last step is sampled. For
 * runs whose P(run, 0) is equal. */
int64_t ag_trunk_shared(const ag_run *a, const ag_run *b);

/* A run that is to be trained, and what it has already. */
typedef struct ag_trunk_leaf {
    const ag_run *run;
    int64_t begun; /* steps that need not be trained: those of a checkpoint or a snapshot */
    bool own;      /* a checkpoint of its own, from which it goes on whatever others do */
} ag_trunk_leaf;

/* Where a run begins: at `step`, with the state of the leaf of that number; or by itself. */
typedef struct ag_trunk_branch {
    size_t of;
    int64_t step; /* 0: by itself, and `of` is meaningless */
} ag_trunk_branch;

/* Lets each run branch off where it shares most with a run that comes by that step and has a
 * smaller id: so each trunk is part of the one of its runs whose id is smallest. `leaves` and
 * `branches` have `count` elements. */
ag_status ag_trunk_branches(ag_trunk_branch *branches, const ag_trunk_leaf *leaves, size_t count);

#endif
