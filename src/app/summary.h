/* The comparison that an experiment was made for: format by layer config, over the seeds. */
#ifndef AG_APP_SUMMARY_H
#define AG_APP_SUMMARY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "base/text.h"
#include "results/results.h"
#include "stats/stats.h"

typedef enum ag_verdict {
    AG_VERDICT_BASELINE,
    AG_VERDICT_NONE,     /* fewer than two pairs, or a run that is done has no value */
    AG_VERDICT_SAME,     /* the interval lies within the margin */
    AG_VERDICT_WORSE,    /* it lies above the margin */
    AG_VERDICT_BETTER,   /* it lies below */
    AG_VERDICT_OPEN,     /* it reaches over the margin: more seeds would tell */
    AG_VERDICT_DIVERGED, /* a run of the cell did: those that are left cannot settle it */
    AG_VERDICTS
} ag_verdict;

extern const char *const ag_verdict_words[AG_VERDICTS];

/* All labels that differ in the seed alone. done, diverged, failed and pending add up to their
 * runs. */
typedef struct ag_summary_cell {
    const ag_label *label; /* the first of them */
    size_t n_labels;
    const ag_label **labels;      /* [n_labels] all of them */
    const ag_label **partners_of; /* [n_labels] their partners on the baseline, or NULL */
    size_t n_runs;                /* different ones: runs in which the seed has no part are one */
    size_t n_values;
    double *values; /* of the runs that are done, in the order of the labels; finite */
    size_t n_pairs;
    double *paired;   /* the values that have a partner ... */
    double *partners; /* ... and the baseline's value at the same other axes */
    size_t done;      /* n_values of them have a finite value of the metric */
    size_t diverged;
    size_t failed;
    size_t pending;
    size_t n_compared;       /* pairs of runs, with values or without */
    size_t partner_diverged; /* those whose baseline's run diverged */
    double floor;            /* entropy rate of the data; NaN where it is not known */
    ag_estimate mean;
    ag_estimate difference;
    ag_verdict verdict;
} ag_summary_cell;

typedef struct ag_summary {
    const ag_results *results; /* borrowed */
    const char *metric;
    bool has_baseline;  /* else there are no differences */
    size_t format_axis; /* n_axes where there is none, as for the next two */
    size_t layers_axis;
    size_t seed_axis;
    size_t n_cells;
    ag_summary_cell *cells;
    ag_arena arena;
} ag_summary;

/* `metric` is a loss of ag_result_row by its name there; NULL = what the experiment compares.
 * AG_ERR_INPUT for another name. */
ag_status ag_summary_make(ag_summary *summary, const ag_results *results, const char *metric);
void ag_summary_deinit(ag_summary *summary);

/* As a table for people, and as JSON. */
void ag_summary_table(ag_text *out, const ag_summary *summary);
void ag_summary_json(ag_text *out, const ag_summary *summary);

/* Prints the table of the results at `path` to standard output: what `run` shows at its end. */
ag_status ag_summary_show(const char *path, const char *metric, bool as_json);

#endif
