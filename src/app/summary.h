/* The comparison that an experiment was made for: format by layer config, over the seeds.
 * docs/statistics.md has the definitions. */
#ifndef AG_APP_SUMMARY_H
#define AG_APP_SUMMARY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "base/text.h"
#include "command_line.h"
#include "results/results.h"
#include "stats/stats.h"

typedef enum ag_verdict {
    AG_VERDICT_BASELINE,
    AG_VERDICT_NONE,     /* fewer than two pairs, or a run that is done has no value */
    AG_VERDICT_SAME,     /* the difference lies within the margin */
    AG_VERDICT_WORSE,    /* it lies above the margin */
    AG_VERDICT_BETTER,   /* it lies below */
    AG_VERDICT_OPEN,     /* neither is certain: more seeds would tell */
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
    int64_t *pair_seeds;
    size_t done; /* n_values of them have a finite value of the metric */
    size_t diverged;
    size_t failed;
    size_t pending;
    size_t n_compared;       /* pairs of runs, with values or without */
    size_t partner_diverged; /* those whose baseline's run diverged */
    double floor;            /* entropy rate of the data; NaN where it is not known */
    ag_estimate mean;
    ag_estimate difference;
    ag_interval bca;      /* of the mean difference, by bootstrap; NaN for fewer than 8 pairs */
    ag_tendency tendency; /* what it is once p is small enough */
    double p;             /* ag_decision's, by its rounds; NaN where nothing is judged */
    double adjusted;      /* by the family */
    ag_verdict alone;     /* by the cell's own interval */
    ag_verdict verdict;   /* as one of the family */
    size_t pairs_needed;  /* of an open cell, ag_needed_pairs; 0: none, or nobody knows */
    size_t choosers; /* with best_axis: seeds that chose the point, and are not in the numbers */
} ag_summary_cell;

/* Of the curves of a run. */
typedef struct ag_summary_spikes {
    ag_spikes loss;
    ag_spikes grad_norm;
} ag_summary_spikes;

typedef struct ag_summary {
    const ag_results *results; /* borrowed */
    const char *metric;
    bool has_baseline;  /* else there are no differences */
    size_t format_axis; /* n_axes where there is none, as for the next two */
    size_t layers_axis;
    size_t seed_axis;
    size_t across_axis;   /* a column of the table, rather than a table for each point */
    size_t best_axis;     /* each format is taken at its best point of it (summary_best.c) */
    bool optimistic;      /* with best_axis: a point was chosen on the seeds it is judged on */
    size_t most_seeds;    /* labels of seeds from here on are left out; SIZE_MAX: none */
    size_t n_comparisons; /* different ones that were judged */
    const ag_summary_spikes *spikes; /* [n_runs]; NULL: they were not asked for */
    size_t spike_window;             /* steps */
    size_t n_cells;
    ag_summary_cell *cells;
    ag_arena arena;
} ag_summary;

/* 0.95, of every interval; verdicts hold at an error rate of 1 - this. */
extern const double ag_summary_level;

/* `metric` is a loss of ag_result_row by its name there; NULL = what the experiment compares.
 * AG_ERR_INPUT for another name. */
ag_status ag_summary_make(ag_summary *summary, const ag_results *results, const char *metric);
void ag_summary_deinit(ag_summary *summary);

/* The same of seeds 0 to most_seeds - 1 alone. */
ag_status ag_summary_make_first(ag_summary *summary, const ag_results *results, const char *metric,
                                size_t most_seeds);

/* Whether the label's seed is one of the first so many. */
bool ag_summary_is_first(const ag_summary *summary, const ag_label *label, size_t seeds);

/* Takes each format at its best point of an axis, for a summary that was just made. */
ag_status ag_summary_take_best(ag_summary *summary, size_t axis);

/* Counts the spikes of every run with this window (ag_count_spikes); the results are those of
 * `path`. */
ag_status ag_summary_count_spikes(ag_summary *summary, const char *path, size_t window);

/* Leaves the cells that have one of these labels [n_labels]. Verdicts stay: the family is what was
 * compared, whatever is looked at. */
void ag_summary_restrict(ag_summary *summary, const bool *labels);

/* n_axes where there is none of this name. */
size_t ag_summary_axis(const ag_grid *grid, const char *name);

/* The label's point on an axis; "" for an axis that the grid does not have. */
const char *ag_summary_axis_text(const ag_summary *summary, const ag_label *label, size_t axis);

/* Whether two labels agree on every axis but the seed and one other; n_axes: no other. */
bool ag_summary_agree(const ag_summary *summary, const ag_label *a, const ag_label *b,
                      size_t other);

/* The metric of a label's run, NaN unless that is done. */
double ag_summary_value(const ag_summary *summary, const ag_label *label);

/* Whether two results are one: of one run, or of runs of different seeds that came to the same
 * weights and the same loss, bit for bit, because the seed has no part in them. */
bool ag_summary_is_one(const ag_summary *summary, const ag_label *a, const ag_label *b);

/* Why pair `i` of the cell's labels has no difference: "diverged", or "pending" with *side =
 * "baseline ". NULL: it has one, or is the baseline. */
const char *ag_summary_missing(const char **side, const ag_summary *summary,
                               const ag_summary_cell *cell, size_t i);

/* --- what the parts of a summary share: cells are made empty with n_labels counted, given room,
 * filled, and judged when all are full */

ag_status ag_summary_give_room(ag_summary *summary, ag_summary_cell *cell);
void ag_summary_add(const ag_summary *summary, ag_summary_cell *cell, const ag_label *label,
                    const ag_label *partner);
ag_status ag_summary_judge(ag_summary *summary);

/* When one looks at the seeds of a grid whose seeds come in rounds. */
ag_interim ag_summary_looks(const ag_grid *grid);

/* What the cell's difference says: by all its pairs, or where seeds come in rounds by each that is
 * complete. And the least number of pairs above those it has that decides at `rate` if mean and sd
 * stay; 0: none (summary_rounds.c). */
ag_decision ag_summary_decide(const ag_summary *summary, const ag_summary_cell *cell);
size_t ag_summary_needed(const ag_summary *summary, const ag_summary_cell *cell, double rate);

/* --- forms */

/* As a table for people, and as JSON. */
void ag_summary_table(ag_text *out, const ag_summary *summary);
void ag_summary_json(ag_text *out, const ag_summary *summary);

/* As a table for other programs, one row a cell. */
void ag_summary_csv(ag_text *out, const ag_summary *summary);
void ag_summary_markdown(ag_text *out, const ag_summary *summary);
void ag_summary_latex(ag_text *out, const ag_summary *summary);

/* How a summary is asked for; 0 and NULL are what is shown unless something is said. */
typedef struct ag_summary_view {
    const char *metric;
    const char *across; /* axes by name */
    const char *best;
    ag_texts only;                                         /* selectors */
    long spike_window;                                     /* steps; 0: spikes are not shown */
    void (*form)(ag_text *out, const ag_summary *summary); /* NULL: ag_summary_table */
} ag_summary_view;

/* Prints the summary of the results at `path` to standard output: what `run` shows at its end. */
ag_status ag_summary_show(const char *path, const ag_summary_view *view);

#endif
