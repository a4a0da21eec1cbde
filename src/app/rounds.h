/* Experiments whose seeds are added in rounds until verdicts and claims are decided: which seeds
 * each cell is asked for, by what its runs say so far. docs/statistics.md has the rule. */
#ifndef AG_APP_ROUNDS_H
#define AG_APP_ROUNDS_H

#include "summary.h"

typedef struct ag_rounds {
    ag_interim looks;
    size_t round;   /* from 0: the one at hand */
    size_t open;    /* comparisons and claims that were open when it began, or at the end */
    size_t missing; /* runs of the round that have neither a result nor failed */
    bool ended;     /* nothing more is asked for */
    size_t *asked;  /* [n_cells] how many seeds, from 0 on; in the summary's arena */
} ag_rounds;

/* Of a summary of all runs of such an experiment. A round is judged by its own seeds alone, so that
 * what later ones have already brought, before a kill, decides nothing. */
ag_status ag_rounds_find(ag_rounds *rounds, ag_summary *summary);

/* Whether the results at `path` ask for runs that they have not. */
bool ag_rounds_go_on(const char *path);

/* A line for `altgrad status`; one sentence for the summary; and the member of an object,
 * ", \"rounds\": {...}". Nothing where seeds do not come in rounds. */
void ag_rounds_text(ag_text *out, const ag_summary *summary);
void ag_rounds_words(ag_text *out, const ag_summary *summary);
void ag_rounds_json(ag_text *out, const ag_summary *summary);

/* The rounds alone, before there are runs: what they cost at first and at most. */
void ag_rounds_plan_text(ag_text *out, const ag_grid *grid);
void ag_rounds_plan_json(ag_text *out, const ag_grid *grid);

#endif
