/* The parts of `altgrad plan`. */
#ifndef AG_APP_PLAN_H
#define AG_APP_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"
#include "config/experiment.h"

typedef struct ag_plan_options {
    const char *file;
    const char *out;   /* NULL: what the experiment says */
    const char **sets; /* [n_sets], likewise `only` */
    size_t n_sets;
    const char **only;
    size_t n_only;
    int ranks;
    bool layers;
    bool json;
} ag_plan_options;

/* What one training costs, estimated from its shapes. */
typedef struct ag_plan_cost {
    size_t parameters;
    double tokens; /* trained on */
    double flops;  /* training and evaluation */
    double disk;   /* bytes that it leaves behind */
    double memory; /* bytes of a trainer: its arena and the tokens */
} ag_plan_cost;

/* Sustained by one core in a small GPT's matrix products and everything between them. */
enum { AG_PLAN_GFLOPS = 25 };

ag_plan_cost ag_plan_run_cost(const ag_run *run);

/* Appends what the results at `out` hold of the selected runs: kept, to train, orphaned. */
ag_status ag_plan_results(ag_text *text, const char *out, const ag_grid *grid,
                          const bool *selected);

/* Appends one row for each distinct model of the selected runs, then disk and time. */
ag_status ag_plan_models(ag_text *text, const ag_grid *grid, const bool *selected, int ranks);

/* Appends the format of each layer and role, one table for each (format, layer config). */
ag_status ag_plan_layers(ag_text *text, const ag_grid *grid, const bool *selected);

/* Appends {"experiment", "runs", "labels"}. */
void ag_plan_json(ag_text *text, const ag_grid *grid, const bool *selected);

#endif
