/* What a step's learning rates and weight decays are: functions of the settings and the step. */
#ifndef AG_RUN_SCHEDULE_H
#define AG_RUN_SCHEDULE_H

#include <stdint.h>

#include "run/run.h"

/* The learning rate of a step, counted from 0. */
double ag_schedule_lr(const ag_optimizer_spec *spec, int64_t steps, int64_t step);

/* The peak of the tensors that muon leaves to AdamW. */
double ag_schedule_adamw_peak(const ag_optimizer_spec *spec);

/* Their learning rate. */
double ag_schedule_adamw_lr(const ag_optimizer_spec *spec, int64_t steps, int64_t step);

/* What a step takes off a weight, as a share of it; `peak` is the schedule's height. */
double ag_schedule_decay(const ag_optimizer_spec *spec, double lr, double peak);

#endif
