/* Precision by step. A run has one phase or more, numbered from 0: phase 0 begins at step 0 with
 * the run's own layers and sites, or at the step of the state that it begins with; each lasts until
 * the next one begins. Neighbours differ, and none is empty. */
#ifndef AG_RUN_PHASES_H
#define AG_RUN_PHASES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "run/run.h"

/* 1 or more. */
size_t ag_phase_count(const ag_run *run);

/* Its first step, layers and sites. */
ag_phase ag_phase_of(const ag_run *run, size_t phase);

/* The phase's first step. */
int64_t ag_phase_begin(const ag_run *run, size_t phase);

/* The phase that holds at a step. After the last step, where a run is evaluated, it is the last
 * step's. */
size_t ag_phase_at(const ag_run *run, int64_t step);

/* Its part of the run's steps, from 0 to 1. */
double ag_phase_share(const ag_run *run, size_t phase);

/* A run of one phase: `run` with the precision of that phase throughout. It keeps the id. */
ag_run ag_run_in_phase(const ag_run *run, size_t phase);

/* Whether one quantised copy of a tensor of layer `index`, or of site `index`, serves both its uses
 * in a phase: as ag_scheme_serves_both, unless one of them has a history from the phase before, and
 * the other none. */
bool ag_layer_serves_both(const ag_run *run, size_t phase, size_t index, ag_role role);
bool ag_site_serves_both(const ag_run *run, size_t phase, size_t index, ag_role role);

/* Makes the phase of the run's first step its first: those before it are none of this run's. */
void ag_run_drop_phases(ag_run *run);

/* Whether two runs share the tables of all their phases. */
bool ag_phases_shared(const ag_run *a, const ag_run *b);

/* Whether two tables of layers [ag_layer_count] and of sites [ag_site_count, or NULL] are equal. */
bool ag_phase_equal(const ag_model_spec *model, const ag_phase *a, const ag_phase *b);

#endif
