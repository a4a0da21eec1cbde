/* What the forms of a summary share. */
#ifndef AG_APP_SUMMARY_FORMS_H
#define AG_APP_SUMMARY_FORMS_H

#include "summary.h"

typedef struct ag_summary_runs {
    size_t of[AG_RUN_STATUSES];
    size_t total;
} ag_summary_runs;

/* Of the grid, each once. */
ag_summary_runs ag_summary_count_runs(const ag_summary *s);

/* "optimizer.lr = 1e-3" after a separator, printable. */
void ag_summary_add_point(ag_text *out, const char *separator, const char *axis, const char *value);

/* "format = E4M3, layers = uniform": the axes that a point [n_axes] names. */
void ag_summary_add_points(ag_text *out, const ag_grid *grid, const ag_axis_value *point);

enum { AG_SUMMARY_FIELD = 96 };

/* "2.1000 ± 0.1000" and "+0.1000 ± 0.0248" with this sign for ±; "-" where there is none. */
void ag_summary_format_mean(char text[AG_SUMMARY_FIELD], const ag_estimate *mean, const char *sign);
void ag_summary_format_difference(char text[AG_SUMMARY_FIELD], const ag_summary_cell *cell,
                                  const char *sign);

/* A member of a JSON object, after a comma; null where there is no number. */
void ag_summary_add_number(ag_text *out, const char *key, double value);

/* Whether an axis tells rows apart, or is the format; never the seed. */
bool ag_summary_is_told(const ag_summary *s, size_t axis);

/* Spikes as shares of the steps of all runs of the cell; NaN where no step has a full window. For a
 * summary whose spikes were counted. */
typedef struct ag_summary_spike_scores {
    double loss;
    double grad_norm;
} ag_summary_spike_scores;

ag_summary_spike_scores ag_summary_spike_scores_of(const ag_summary *s,
                                                   const ag_summary_cell *cell);

/* The same of all cells in a sentence; nothing where they were not counted. */
void ag_summary_spike_words(ag_text *out, const ag_summary *s);

/* Paragraphs below the table, each after an empty line. */
void ag_summary_add_notes(ag_text *out, const ag_summary *summary);

#endif
