/* A pass: one trip of some sequences through the model, and what it is for. */
#ifndef AG_TRAIN_PASS_H
#define AG_TRAIN_PASS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ag_observer ag_observer;

typedef enum ag_mode {
    AG_MODE_TRAIN,
    AG_MODE_SHADOW,      /* a training step in which nothing is rounded; leaves no trace */
    AG_MODE_EVALUATE,    /* the run's own quantisers; observes no amax */
    AG_MODE_EVALUATE_HP, /* every role null */
} ag_mode;

typedef struct ag_pass {
    ag_mode mode;
    size_t B;        /* sequences, each of T tokens */
    uint64_t sample; /* index of the first sequence among those of this step (or evaluation) */
    uint32_t step;
    uint64_t rounding_key;
    uint64_t dropout_key;
    float dropout;         /* 0 in evaluation */
    float loss_scale;      /* of the gradient: 1 / tokens of the whole step */
    ag_observer *observer; /* NULL: nobody looks */
} ag_pass;

/* Whether the pass has a backward half. */
static inline bool ag_pass_trains(const ag_pass *pass)
{
    return pass->mode == AG_MODE_TRAIN || pass->mode == AG_MODE_SHADOW;
}

#endif
