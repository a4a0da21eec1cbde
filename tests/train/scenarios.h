/* Tiny runs of many kinds, each with something of its own that goes on from step to step. */
#ifndef AG_TESTS_SCENARIOS_H
#define AG_TESTS_SCENARIOS_H

#include "tiny.h"

/* Changes the run that tiny_make() makes. */
typedef void scenario(tiny *t);

enum { SCENARIOS = 32 };
extern scenario *const scenarios[SCENARIOS];

/* Those of them that tests are about. */
scenario scenario_stochastic, scenario_skipping, scenario_diverging, scenario_everything,
    scenario_observed, scenario_observed_skipping, scenario_phases;

/* A run of 7 steps, evaluated every 3, that keeps its states behind 2 and 5. */
void scenario_make(tiny *t, scenario *set_up);

#endif
