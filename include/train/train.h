/* Trains one run: run configuration in, record out. Knows no MPI, no YAML. */
#ifndef AG_TRAIN_TRAIN_H
#define AG_TRAIN_TRAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/status.h"
#include "data/corpus.h"
#include "kernels/kernels.h"
#include "record/record.h"
#include "run/run.h"

typedef enum ag_activity { AG_ACTIVITY_TRAINING, AG_ACTIVITY_EVALUATING } ag_activity;

typedef struct ag_train_progress {
    ag_activity activity;
    int64_t step;       /* steps trained */
    int64_t first_step; /* of them, those that a checkpoint brought */
    double loss;        /* of the last step */
    int64_t eval_step;  /* steps trained before the last evaluation, -1 before the first */
    double val_loss;    /* of it, like the next; NaN before the first */
    double val_loss_hp;
} ag_train_progress;

/* The state that runs share at a step (run/trunk.h), in a file. */
typedef struct ag_snapshot {
    const char *path; /* NULL: none */
    int64_t step;
} ag_snapshot;

/* What the trainer tells and asks while it works; each may be NULL. Never called inside a kernel:
 * progress and should_stop once after every step and every few windows of an evaluation, and at
 * once where a checkpoint was taken up. */
typedef struct ag_train_hooks {
    void *context;
    void (*progress)(void *context, const ag_train_progress *progress);
    bool (*should_stop)(void *context);
    void (*say)(void *context, ag_log_level level, const char *line); /* about checkpoints */
    const char *checkpoint;    /* the file to go on from, and to write; NULL: none */
    double checkpoint_every_s; /* 0: written only when should_stop() ends the run */
    ag_snapshot trunk;         /* where the run begins that has no checkpoint */
    const ag_snapshot *keep;   /* [n_keep]: what to leave for others, in any order */
    size_t n_keep;
} ag_train_hooks;

/* Bytes of memory that training `run` takes, for the arena and for `altgrad plan`. `val_windows`
 * is ag_val_windows(). */
size_t ag_train_bytes(const ag_run *run, int64_t val_windows);

/* Bytes of the series that are sampled on some steps, as the run file holds them. */
size_t ag_train_sampled_bytes(const ag_run *run);

/* Trains `run` on `corpus` from the random initial weights, or from `init` (tensor-table layout)
 * where that is not NULL. The record and all it points to lie in `arena`, a fixed arena of
 * ag_train_bytes. A run that diverges is a record with that outcome, not a failure; AG_ERR_SYSTEM
 * when should_stop() ended it. A run that goes on from hooks->checkpoint ends with the same bits; a
 * checkpoint that cannot be used or written is said and changes nothing else. The caller removes it
 * (ag_checkpoint_remove) once the record is safe. The same holds for snapshots, but that one which
 * cannot be used stays where it is. */
ag_status ag_train(ag_record *record, const ag_run *run, const ag_corpus *corpus, const float *init,
                   const ag_kernels *kernels, const ag_train_hooks *hooks, ag_arena *arena);

#endif
