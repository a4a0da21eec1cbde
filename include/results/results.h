/* Reading a results file: what summary, plan, status and check need of it. */
#ifndef AG_RESULTS_RESULTS_H
#define AG_RESULTS_RESULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "run/grid.h"
#include "run/run_status.h"
#include "spool/ids.h"

typedef struct ag_result_row {
    char id[AG_ID_LENGTH + 1];
    ag_run_status status;
    const char *reason;
    bool orphan;      /* no run of the grid has this id any more */
    const char *name; /* of an orphan: what it was called last, "" where that is not known */
    int64_t steps;
    double loss;     /* of the last training step */
    double val_loss; /* of the fixed windows after the last step; NaN where there is none */
    double val_loss_hp;
    double final_val_loss; /* of the whole validation part */
    double final_val_loss_hp;
    double entropy_rate;  /* of a synthetic corpus: the floor of the loss; NaN elsewhere */
    const char *recorded; /* ag_run_recorded, "" where that is not known */
    char digest[AG_DIGEST_LENGTH + 1]; /* of the final weights */
    double train_s;                    /* NaN without a result */
} ag_result_row;

typedef struct ag_results {
    ag_grid grid;
    size_t n_rows;
    const ag_result_row *rows; /* row i is run i of the grid; then the orphans */
    const char *labels;        /* of orphans, for ag_store_labels; NULL: none are known */
    ag_grid former;            /* axes and labels of the orphans, in their order, as last known */
    bool packed;
    ag_arena arena;
} ag_results;

/* Opens read-only beside a running experiment. AG_ERR_INPUT not found, AG_ERR_FILE not ours. */
ag_status ag_results_open(ag_results *results, const char *path);
void ag_results_close(ag_results *results);

/* The row of a run, or NULL. */
const ag_result_row *ag_results_row(const ag_results *results, const char *id);

/* Ids of the completed runs of OUT (spooled or packed) without an experiment; none where nothing is
 * there yet. In the arena. */
ag_status ag_results_completed(ag_ids *ids, const char *path, ag_arena *arena);

/* What a run of the grid left for each of its training steps, [steps] each. */
typedef struct ag_step_curves {
    size_t steps;
    const double *loss;
    const double *grad_norm;
} ag_step_curves;

/* Calls `visit` for each run of the grid that is done or diverged, in the grid's order, with its
 * number; `path` is where the results were opened. The curves are gone when it returns: those of a
 * large grid need not fit into memory. */
typedef void ag_curves_visit(void *context, size_t run, const ag_step_curves *curves);
ag_status ag_results_curves(const ag_results *results, const char *path, ag_curves_visit *visit,
                            void *context);

/* Whose results they are. */
typedef struct ag_inventory {
    ag_grid grid;    /* for which they were last opened */
    ag_ids complete; /* of the grid or not */
    size_t n_checkpoints;
} ag_inventory;

/* Opens no run file: they may be damaged. */
ag_status ag_results_inventory(ag_inventory *held, const char *path, ag_arena *arena);

#endif
