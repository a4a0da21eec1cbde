/* The grid of an experiment: the runs to train and the labels under which each is known. config
 * makes it from the experiment file; the store writes it into the results; plan and run read it. */
#ifndef AG_RUN_GRID_H
#define AG_RUN_GRID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "base/text.h"
#include "run/run.h"

typedef enum ag_axis_type { AG_AXIS_TEXT, AG_AXIS_INT, AG_AXIS_REAL } ag_axis_type;

typedef struct ag_axis {
    const char *name; /* "format", "layers", "optimizer.lr", "size", "seed", in this order */
    ag_axis_type type;
} ag_axis;

typedef struct ag_axis_value {
    const char *text; /* always set: the value as a user would write it */
    int64_t integer;  /* AG_AXIS_INT */
    double real;      /* AG_AXIS_REAL */
} ag_axis_value;

/* One combination of the grid. */
typedef struct ag_label {
    size_t run;                  /* index into ag_grid.runs */
    const ag_axis_value *values; /* [n_axes] */
} ag_label;

typedef struct ag_compare {
    const ag_axis_value *baseline; /* [n_axes]; text NULL where the axis is not named */
    const char *metric;            /* "final_val_loss" */
    double margin;
    ag_family family;
} ag_compare;

/* Seeds in rounds, until verdicts and claims are decided: seeds 0 to from - 1 at first, to
 * at_most - 1 at last. at_most 0: the grid has its seeds from the beginning. */
typedef struct ag_seed_rounds {
    int64_t from;
    int64_t at_most;
} ag_seed_rounds;

typedef enum ag_claim_kind {
    AG_CLAIM_BETTER,   /* points[0] is below points[1] by more than `bound` */
    AG_CLAIM_WORSE,    /* it is above it by more */
    AG_CLAIM_SAME,     /* they differ by at most `bound` */
    AG_CLAIM_ORDER,    /* each point is better than the next */
    AG_CLAIM_DIVERGES, /* more than a share `bound` of the runs at points[0] diverge */
    AG_CLAIM_KINDS
} ag_claim_kind;

extern const char *const ag_claim_words[AG_CLAIM_KINDS];

/* What was said before the runs, for them to judge. It holds at every label that is on points[0],
 * whose partner differs from it in the axes that the other point names. */
typedef struct ag_claim {
    const char *name;
    const char *text; /* "" where nothing was said, as for source */
    const char *source;
    ag_claim_kind kind;
    double bound;
    size_t n_points;
    const ag_axis_value *points; /* [n_points, n_axes]; text NULL where the axis is not named */
} ag_claim;

/* Whether two points of an axis are one. */
bool ag_label_value_is(const ag_axis_value *a, const ag_axis_value *b);

/* Whether the label is on a point [n_axes]. */
bool ag_label_is_on(const ag_label *label, const ag_axis_value *point, size_t n_axes);

typedef struct ag_grid {
    const char *name; /* of the experiment */
    const char *yaml; /* its text */
    size_t n_axes;
    const ag_axis *axes;
    size_t n_runs;
    ag_run *runs; /* unique ids */
    size_t n_labels;
    const ag_label *labels; /* labels of a run are not adjacent; the first is the run's own name */
    ag_compare compare;
    size_t n_claims;
    const ag_claim *claims;
    int64_t numerics; /* the version that the ids are of: from 1 to AG_NUMERICS_VERSION */
    ag_seed_rounds seeds;
} ag_grid;

/* The seed of a label of a grid whose seeds come in rounds: config makes it the last axis there. */
static inline int64_t ag_label_seed(const ag_grid *grid, const ag_label *label)
{
    return label->values[grid->n_axes - 1].integer;
}

/* The label that is on `point` and agrees with `label` on every axis that the point does not name;
 * NULL where there is none. */
const ag_label *ag_grid_partner(const ag_grid *grid, const ag_label *label,
                                const ag_axis_value *point);

/* The part of a grid that has these labels [n_labels] and their runs, in the same order. What it
 * does not share with the grid is in the arena. */
ag_status ag_grid_pick(ag_grid *part, const ag_grid *grid, const bool *labels, ag_arena *arena);

/* The grid as one JSON text and back: the store keeps it beside the runs, so that packing and the
 * summary need no experiment file. Strings go to the arena. */
void ag_grid_to_json(ag_text *text, const ag_grid *grid);
ag_status ag_grid_from_json(ag_grid *grid, const char *text, size_t size, ag_arena *arena);

#endif
