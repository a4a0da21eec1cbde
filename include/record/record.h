/* What a run leaves behind. The trainer fills it, the store writes it as the run file. */
#ifndef AG_RECORD_RECORD_H
#define AG_RECORD_RECORD_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "record/samples.h"
#include "run/kept_state.h"
#include "run/run.h"
#include "run/tensors.h"

typedef enum ag_outcome { AG_OUTCOME_DONE, AG_OUTCOME_DIVERGED } ag_outcome;

/* Everything that depends on the machine, kept apart from what the run determines. */
typedef struct ag_timing {
    double train_s;
    double eval_s;
    double total_s;
    double tokens_per_s; /* of training, evaluation left out */
    char host[64];
    int64_t rank;
    char blas[64]; /* what multiplied: the engine; of numerics 1 "OpenBLAS 0.3.21 Haswell" */
    char build[64];
    int64_t trunk_steps; /* that another run trained for this one, their seconds in the above */
    char trunk_run[16];  /* its id; "" where there are none */
} ag_timing;

enum { AG_NONFINITE_SIZE = 128, AG_REASON_SIZE = 256 };

typedef struct ag_record {
    const ag_run *run; /* borrowed */
    ag_outcome outcome;
    char reason[AG_REASON_SIZE];       /* why it diverged, "" otherwise */
    char nonfinite[AG_NONFINITE_SIZE]; /* where NaN or Inf was first seen, "" = nowhere */

    /* one element a training step, [steps] */
    int64_t steps;     /* steps that were trained, <= run->train.steps */
    double *loss;      /* nats a token, mean over the step's tokens, before its update */
    double *grad_norm; /* global 2-norm before clipping */
    double *lr;
    uint8_t *clipped;
    uint8_t *skipped; /* nothing was updated: loss or gradient norm not finite */

    /* one element an evaluation, [evals], all of the same fixed windows */
    int64_t evals;
    int64_t *eval_step; /* steps trained before it */
    double *val_loss;
    double *val_loss_hp; /* same weights, every role null */

    /* the whole validation part, after the last step */
    double final_val_loss; /* mean over the windows */
    double final_val_loss_hp;
    int64_t windows;
    double *final_windows; /* loss of each window, [windows] */
    double *final_windows_hp;

    ag_samples samples; /* the trainer's, as the weights are; empty where none is asked for */

    ag_tensor_table tensors;
    const float *weights;              /* [tensors.total], by tensors.rows[].offset */
    const float *weights_initial;      /* NULL unless output.weights asks for it */
    size_t n_states;                   /* that the run has kept, */
    const ag_kept_state *states;       /* which are the trainer's too */
    char digest[AG_DIGEST_LENGTH + 1]; /* of weights: little-endian float32, table order */
    char digest_initial[AG_DIGEST_LENGTH + 1];

    double entropy_rate; /* of a synthetic corpus, NaN elsewhere */
    ag_timing timing;
} ag_record;

/* Why a run that was trained to its end has diverged all the same, or NULL: its final validation
 * loss, or the loss of its last step (NaN where there is none), is not finite. A validation loss
 * without quantisers that is not finite is no verdict on a run which never computes like that, nor
 * is a finite loss, however large. */
const char *ag_divergence(double final_val_loss, double last_loss, int64_t steps,
                          char reason[AG_REASON_SIZE]);

/* Lets the outcome of a record know its final evaluation. */
void ag_record_judge(ag_record *record);

/* Arrays for a run with `max_evals` evaluations and a validation part of `windows`, in the arena.
 * Weights are the trainer's: the record borrows them. */
ag_status ag_record_make(ag_record *record, const ag_run *run, int64_t max_evals, int64_t windows,
                         ag_arena *arena);

/* Bytes that ag_record_make takes from a fixed arena. */
size_t ag_record_bytes(const ag_run *run, int64_t max_evals, int64_t windows);

/* A named array in memory, as a checkpoint keeps it. */
typedef struct ag_section {
    const char *name;
    void *data;
    size_t bytes;
} ag_section;

enum { AG_RECORD_SECTIONS = 16 };

/* The record's first `steps` steps without their samples, and `evals` evaluations, as sections;
 * returns their number. The last evaluation's windows are not among them: they are only there at
 * the end. */
size_t ag_record_sections(ag_section sections[AG_RECORD_SECTIONS], const ag_record *record,
                          int64_t steps, int64_t evals);

enum { AG_SAMPLES_SECTIONS = 2 };

/* The same of the samples of these steps; none where the run has none. */
size_t ag_samples_sections(ag_section sections[AG_SAMPLES_SECTIONS], const ag_record *record,
                           int64_t steps);

/* The digest of all tensors of a table. */
ag_status ag_weights_digest(char hex[AG_DIGEST_LENGTH + 1], const ag_tensor_table *tensors,
                            const float *weights);

#endif
