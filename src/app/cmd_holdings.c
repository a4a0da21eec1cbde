/* altgrad holdings OUT: what results hold, left in the result's descriptor: the id of each complete
 * run. With --names: whose they are (ag_run_former). `run` starts it, since its own process must
 * not open HDF5. */
#include <string.h>
#include <unistd.h>

#include "app/commands.h"
#include "base/text.h"
#include "proc/child.h"
#include "results/results.h"
#include "results/watch.h"
#include "run_internal.h"

static ag_status list(ag_text *text, const char *path, ag_arena *arena)
{
    const char(*ids)[AG_ID_LENGTH + 1];
    size_t count = 0;
    ag_status status = ag_results_completed(&ids, &count, path, arena);
    if (status != AG_OK && status != AG_ERR_FILE)
        return status;
    ag_error_clear(); /* of a damaged file `run` takes what is good, and tells */
    for (size_t i = 0; i < count; i++)
        ag_text_printf(text, "%s\n", ids[i]);
    return text->failed ? ag_fail(AG_ERR_SYSTEM, "out of memory") : AG_OK;
}

/* `watch` where it could be read. */
static char state_of(const ag_inventory *held, const ag_watch *watch, const char *id)
{
    size_t at = 0;
    while (at < held->n_complete && strcmp(held->complete[at], id) != 0)
        at++;
    if (at == held->n_complete)
        return '-';
    for (size_t i = 0; watch != NULL && i < watch->n_runs; i++) {
        if (strcmp(watch->runs[i].id, id) == 0)
            return watch->runs[i].status == AG_RUN_DIVERGED ? 'x' : '+';
    }
    return '+';
}

static bool names(const ag_grid *grid, const char *id)
{
    for (size_t i = 0; i < grid->n_runs; i++) {
        if (strcmp(grid->runs[i].id, id) == 0)
            return true;
    }
    return false;
}

static ag_status list_names(ag_text *text, const char *path, ag_arena *arena)
{
    ag_inventory held;
    ag_watch watch;
    AG_TRY(ag_results_inventory(&held, path, arena));
    bool watched = ag_watch_open(&watch, path) == AG_OK;
    ag_error_clear();
    const char **runs = ag_run_names(&held.grid, arena);
    ag_text_printf(text, "%zu %lld %s\n", held.n_checkpoints, (long long)held.grid.numerics,
                   held.grid.name);
    for (size_t i = 0; runs != NULL && i < held.grid.n_runs; i++)
        ag_text_printf(text, "%s %c %s\n", held.grid.runs[i].id,
                       state_of(&held, watched ? &watch : NULL, held.grid.runs[i].id), runs[i]);
    for (size_t i = 0; i < held.n_complete; i++) {
        if (!names(&held.grid, held.complete[i]))
            ag_text_printf(text, "%s o \n", held.complete[i]);
    }
    if (watched)
        ag_watch_close(&watch);
    return runs == NULL || text->failed ? ag_fail(AG_ERR_SYSTEM, "out of memory") : AG_OK;
}

int ag_cmd_holdings(int argc, char **argv)
{
    ag_text text;
    ag_arena arena;
    bool by_name = argc == 3 && strcmp(argv[1], "--names") == 0;
    if (argc != 2 && !by_name)
        return ag_app_usage("holdings", "of which results file?");
    ag_arena_init_growing(&arena);
    ag_text_init(&text);
    ag_status status = by_name ? list_names(&text, argv[2], &arena) : list(&text, argv[1], &arena);
    if (status == AG_OK &&
        write(AG_CHILD_RESULT_FD, text.data, text.length) != (ssize_t)text.length)
        status = ag_fail_errno("cannot hand the holdings over");
    ag_text_deinit(&text);
    ag_arena_deinit(&arena);
    return ag_app_exit(status);
}
