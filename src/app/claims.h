/* The claims of an experiment, judged by its runs. docs/statistics.md has the definitions. */
#ifndef AG_APP_CLAIMS_H
#define AG_APP_CLAIMS_H

#include "summary.h"

typedef enum ag_claim_state {
    AG_CLAIM_OPEN,
    AG_CLAIM_CONFIRMED,
    AG_CLAIM_REFUTED,
    AG_CLAIM_STATES
} ag_claim_state;

extern const char *const ag_claim_state_words[AG_CLAIM_STATES];

typedef struct ag_claim_result {
    const ag_claim *claim;
    ag_claim_state state;
    size_t
        link; /* of an order: the pair of neighbours that the numbers are of, the least certain */
    ag_estimate difference; /* over seeds, each the mean over the axes that the claim leaves open */
    double low;             /* 95 % interval of the difference, or of the share that diverges */
    double high;
    double p;        /* the least rate at which the claim alone is decided; NaN: nothing to judge */
    double adjusted; /* among all claims */
    size_t more_seeds; /* that would decide if mean and sd stayed; 0: none, or not open */
    size_t missing;    /* seeds without a difference ... */
    size_t diverged; /* ... of which so many because a run diverged; of "diverges": runs that did */
    size_t runs;     /* of "diverges": complete ones */
} ag_claim_result;

/* All claims of the summary's experiment; results [n_claims]. */
ag_status ag_claims_judge(ag_claim_result *results, const ag_summary *summary);

/* used [n_labels]: whether the claim speaks of a label's run. */
void ag_claim_uses(bool *used, const ag_claim *claim, const ag_grid *grid);

/* Whether more seeds may decide one that is open. */
bool ag_claim_can_be_decided(const ag_claim_result *result);

/* "format = E4M3 is better than format = E5M2 by more than 0.01" */
void ag_claim_words_add(ag_text *out, const ag_claim *claim, const ag_grid *grid);

/* Judged claims as paragraphs, and as the member of an object, ", \"claims\": [...]"; nothing where
 * the experiment makes none. */
void ag_claims_text(ag_text *out, const ag_summary *summary);
void ag_claims_json(ag_text *out, const ag_summary *summary);

/* The same of the results at `path`, for a report of something else: nothing where they cannot be
 * read. */
void ag_claims_of_results(ag_text *out, const char *path,
                          void (*form)(ag_text *out, const ag_summary *summary));

/* The claims alone, before there are runs. */
void ag_claims_plan_text(ag_text *out, const ag_grid *grid);
void ag_claims_plan_json(ag_text *out, const ag_grid *grid);

#endif
