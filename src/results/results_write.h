/* A results file in the making. */
#ifndef AG_RESULTS_RESULTS_WRITE_H
#define AG_RESULTS_RESULTS_WRITE_H

#include <stdbool.h>
#include <stddef.h>

#include "gather.h"
#include "h5.h"

/* Writes a results file at places->unfinished, checked if it holds the weights */
ag_status ag_results_write(const ag_places *places, bool with_weights);

/* --- what it holds beside /runs */

void ag_results_write_tables(ag_h5 *h5, const ag_gathered *gathered);      /* results_tables.c */
void ag_results_write_descriptors(ag_h5 *h5, const ag_gathered *gathered); /* results_formats.c */

/* The columns of the axes' values, each name free of dots and unlike those of `taken`. Offsets
 * start at `start`; *row_size is where they end. */
ag_column *ag_results_axis_columns(size_t *row_size, const ag_grid *grid, size_t start,
                                   const ag_table *taken, ag_arena *arena);

typedef struct ag_curves ag_curves; /* results_curves.c */

/* NULL where no run of the grid is complete, or after a failure: the other two then do nothing. An
 * entry that is none of these adds nothing. */
ag_curves *ag_curves_begin(ag_h5 *h5, const ag_gathered *gathered);
void ag_curves_add(ag_curves *curves, size_t entry, ag_h5 *from, hid_t run);
void ag_curves_end(ag_curves *curves);

#endif
