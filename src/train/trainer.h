/* The training of a run: its trainer, its steps and its evaluations. The outermost of the parts,
 * each with a header of its own: memory, pass, operand, site, linear layer and attention, state,
 * model, optimizer, trainer. Tests drive them directly. */
#ifndef AG_TRAIN_TRAINER_H
#define AG_TRAIN_TRAINER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model.h"
#include "reduce.h"
#include "train/train.h"

/* The scales of a phase that has ended, on their way into the next. */
typedef struct ag_ended_phase {
    ag_scale *scales;
    float *amaxes;
} ag_ended_phase;

/* The states that the run keeps: [output.states.count], in one block. */
typedef struct ag_keeper {
    size_t count; /* kept so far */
    ag_kept_state *states;
    unsigned char *block;
    size_t ends[AG_MOST_STATES]; /* of each in the block, in bytes */
} ag_keeper;

typedef struct ag_trainer {
    const ag_run *run;
    const ag_corpus *corpus;
    const ag_kernels *k;
    const ag_train_hooks *hooks;
    ag_record *record;
    ag_train_state state;
    ag_model model;
    ag_tokens tokens;
    size_t phase;   /* at hand: */
    ag_run at;      /* the run with its precision throughout */
    bool quantised; /* some role of some layer is not null in it */
    ag_ended_phase ended;
    ag_arena *arena;
    size_t lasting;    /* bytes of the arena: what comes after them is the phase's */
    int64_t n_windows; /* of the periodic evaluation */
    ag_observer *observer;
    ag_reduction reduction; /* of the gradients of virtual ranks */
    float **rank_grads;     /* [reduction.ranks]: of each; the last's are model.grads */
    float **rank_parts;     /* [reduction.ranks]: of one tensor */
    int64_t *windows;       /* [n_windows] */
    int64_t *batch;         /* [eval.batch]: windows evaluated together */
    float *initial;         /* weights before the first step, when the record keeps them */
    ag_keeper keeper;
    ag_train_progress now; /* what hooks are told */
    int64_t saved_step;    /* of the newest checkpoint; 0: none, and none is needed */
    double saved_s;        /* when it was written, or tried last */
} ag_trainer;

/* Builds the trainer in the arena, with initial weights. Members run, corpus, k, hooks and record
 * are set by the caller. */
ag_status ag_trainer_init(ag_trainer *trainer, const float *init, ag_arena *arena);

/* Puts the state before its first step. */
ag_status ag_trainer_begin(ag_trainer *trainer, const float *init);

/* What depends on the precision of trainer->phase. */
ag_status ag_trainer_lay_out_phase(ag_trainer *trainer, ag_layout *layout);

/* One optimizer step, with its row of the record. */
void ag_trainer_step(ag_trainer *trainer);

/* Fills model.grads from every micro-batch of the step; returns the mean loss of its tokens. */
double ag_trainer_gradients(ag_trainer *trainer, ag_mode mode);

/* A pass of `B` sequences in the given mode at the trainer's step. */
ag_pass ag_trainer_pass(const ag_trainer *trainer, ag_mode mode, size_t B, uint64_t sample);

/* Tells the hooks where the run is, and keeps a checkpoint where one is due. AG_ERR_SYSTEM when
 * they want it to stop. */
ag_status ag_trainer_report(ag_trainer *trainer);

/* Tells the hooks a line. */
void ag_trainer_say(const ag_trainer *trainer, ag_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Appends an evaluation on the fixed windows to the record. The final one evaluates the whole
 * validation part too, which is no point of the curve. */
ag_status ag_evaluate_periodic(ag_trainer *trainer);
ag_status ag_evaluate_final(ag_trainer *trainer);

/* Evaluations of the run that are due before the step of that number begins, without the one due
 * there; and how many there would be from step 0 on. */
int64_t ag_evaluations_before(const ag_run *run, int64_t step);
int64_t ag_evaluation_number(const ag_run *run, int64_t step);

#endif
