/* The curves of complete runs, from wherever they lie: a packed file, or a file for each run. */
#include "h5.h"
#include "results/results.h"
#include "spool/places.h"

static const double *read_curve(ag_h5 *h5, hid_t run, const char *name, size_t *steps,
                                ag_arena *arena)
{
    ag_array values = {.type = AG_CELL_F64};
    ag_h5_read(h5, run, name, &values, arena);
    if (h5->status != AG_OK)
        return NULL;
    size_t count = (size_t)values.dims[0];
    *steps = count < *steps ? count : *steps;
    return values.data;
}

/* /runs/<id> is the same group in both kinds of file. */
static void read_run(ag_h5 *h5, const ag_result_row *row, size_t number, ag_curves_visit *visit,
                     void *context)
{
    ag_arena arena;
    ag_step_curves curves = {.steps = SIZE_MAX};
    ag_arena_init_growing(&arena);
    hid_t runs = ag_h5_group(h5, h5->id, "runs");
    hid_t run = ag_h5_group(h5, runs, row->id);
    curves.loss = read_curve(h5, run, "metrics/loss", &curves.steps, &arena);
    curves.grad_norm = read_curve(h5, run, "metrics/grad_norm", &curves.steps, &arena);
    if (h5->status == AG_OK)
        visit(context, number, &curves);
    ag_h5_release(run);
    ag_h5_release(runs);
    ag_arena_deinit(&arena);
}

static bool has_curves(const ag_result_row *row)
{
    return row->status == AG_RUN_DONE || row->status == AG_RUN_DIVERGED;
}

static ag_status read_packed(const ag_results *results, const ag_places *places,
                             ag_curves_visit *visit, void *context)
{
    ag_h5 h5;
    ag_h5_open(&h5, places->results, AG_RESULTS_FORMAT, NULL);
    for (size_t i = 0; i < results->grid.n_runs && h5.status == AG_OK; i++) {
        if (has_curves(&results->rows[i]))
            read_run(&h5, &results->rows[i], i, visit, context);
    }
    return ag_h5_close(&h5);
}

static ag_status read_spooled(const ag_results *results, const ag_places *places,
                              ag_curves_visit *visit, void *context)
{
    for (size_t i = 0; i < results->grid.n_runs; i++) {
        char path[AG_PATH_SIZE];
        ag_h5 h5;
        if (!has_curves(&results->rows[i]))
            continue;
        AG_TRY(ag_places_run(path, places->runs, results->rows[i].id));
        ag_h5_open(&h5, path, AG_RUN_FORMAT, NULL);
        read_run(&h5, &results->rows[i], i, visit, context);
        AG_TRY(ag_h5_close(&h5));
    }
    return AG_OK;
}

ag_status ag_results_curves(const ag_results *results, const char *path, ag_curves_visit *visit,
                            void *context)
{
    ag_places places;
    AG_TRY(ag_places_of(&places, path));
    return results->packed ? read_packed(results, &places, visit, context)
                           : read_spooled(results, &places, visit, context);
}
