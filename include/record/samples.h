/* What a run records on some of its steps only: the counters of its quantisers and its diagnostics,
 * as a table with a row a sampled step and a column a metric. In the run file each column is a
 * series of its own. */
#ifndef AG_RECORD_SAMPLES_H
#define AG_RECORD_SAMPLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "run/run.h"

enum { AG_SAMPLED_PATH = 80 };

typedef struct ag_metric {
    const char *name; /* "sqnr" */
    const char *units;
    const char *long_name;
    bool whole; /* stored as int64 */
} ag_metric;

/* The metrics of one group of the run file. */
typedef struct ag_sampled {
    char path[AG_SAMPLED_PATH]; /* below /runs/<id>: "quant/lm_head/weight" */
    const ag_metric *metrics;   /* [n_metrics], a constant */
    size_t n_metrics;
    size_t column; /* of the first */
} ag_sampled;

typedef struct ag_samples {
    size_t n_groups;
    ag_sampled *groups;
    size_t width;   /* columns */
    int64_t count;  /* rows that are filled */
    int64_t *step;  /* [rows]: steps trained before the one that was sampled */
    double *values; /* [rows, width] */
} ag_samples;

/* Whether the step is sampled: the first, the last, and every observe.quant_every-th; none where
 * no diagnostic is asked for. */
bool ag_samples_due(const ag_run *run, int64_t step);

/* Sampled steps among the first `steps`. */
int64_t ag_samples_before(const ag_run *run, int64_t steps);

#endif
