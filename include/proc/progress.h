/* The page of memory that a trainer shares with its supervisor: where the run is, while it runs and
 * after it was killed. The supervisor creates it (an unlinked file, inherited as a descriptor); the
 * trainer maps it and stores into it after every step. */
#ifndef AG_PROC_PROGRESS_H
#define AG_PROC_PROGRESS_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/status.h"

typedef struct ag_progress_page {
    _Atomic uint64_t beats;        /* grows with every sign of life */
    _Atomic uint64_t edition;      /* odd while steps, losses and evaluation change */
    _Atomic int64_t step;          /* steps trained */
    _Atomic int64_t steps;         /* of the whole run */
    _Atomic uint64_t loss_bits;    /* double, of the last step */
    _Atomic uint32_t evaluating;   /* 1 during an evaluation */
    _Atomic int64_t eval_step;     /* steps trained before the last evaluation; -1: none yet */
    _Atomic uint64_t eval_bits[2]; /* doubles: its val_loss and val_loss_hp */
    _Atomic uint32_t diverged;   /* 1 once the run has ended so; set before its result is written */
    _Atomic uint64_t spent_bits; /* double, seconds of all attempts; set like the next */
    _Atomic uint64_t val_loss_bits; /* double, of the whole run; set before its result is written */
} ag_progress_page;

/* Creates the page; *fd is inherited by children. Release with ag_progress_close and close(fd). */
ag_status ag_progress_create(ag_progress_page **out, int *fd);

/* Maps the page of an inherited descriptor. */
ag_status ag_progress_map(ag_progress_page **out, int fd);

void ag_progress_close(ag_progress_page *page);

#endif
