/* The run that the tests of the optimizers train. */
#ifndef AG_TESTS_OPTIMIZER_RUN_H
#define AG_TESTS_OPTIMIZER_RUN_H

#include "optimizer.h"
#include "tiny.h"

/* A run of E4M3 weights (and E3M2 in the MLPs), with an lm_head of its own. */
static inline void optimizer_make(tiny *t, ag_optimizer_type type)
{
    tiny_make(t);
    t->run.optimizer.type = type;
    t->run.optimizer.lr = 0.0625;
    t->run.optimizer.warmup = 0;
    t->run.optimizer.schedule = AG_SCHEDULE_CONSTANT;
    t->run.optimizer.weight_decay = 0.25;
    t->run.optimizer.momentum = 0.5;
    t->run.model.tie_weights = false;
    tiny_quantise(t, AG_ROLE_WEIGHT, tiny_scheme("e4m3"));
    for (int use = 0; use < AG_USES; use++) {
        t->layers[AG_LINEAR_C_FC].scheme[AG_ROLE_WEIGHT][use] = tiny_scheme("e3m2");
        t->layers[AG_LINEAR_C_ATTN].scheme[AG_ROLE_WEIGHT][use] = (ag_scheme){0};
    }
}

#endif
