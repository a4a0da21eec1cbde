/* The beginning of rank 0's work, in an order that costs least where something is wrong: the file,
 * the results' former owner, the ranks, and only then the store. */
#include "run_open.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/commands.h"
#include "base/clock.h"
#include "config/select.h"
#include "plan.h"
#include "run_cores.h"
#include "run_curves.h"
#include "run_facts.h"
#include "run_former.h"
#include "run_live.h"
#include "run_names.h"
#include "run_preflight.h"
#include "run_rounds.h"
#include "run_self.h"
#include "run_trunks.h"
#include "spool/notes.h"
#include "wrong_file.h"

/* --- the experiment */

/* Weights of model.init lie in HDF5 files: a helper reads them. The same reading as `plan`'s,
 * messages and all. */
static ag_status load(ag_run_session *session)
{
    ag_text diagnostics;
    const ag_run_options *options = session->options;
    AG_TRY(ag_app_expect_experiment(options->file));
    ag_text_init(&diagnostics);
    const ag_experiment_options how = {.sets = options->sets.items,
                                       .n_sets = options->sets.count,
                                       .find_init = ag_run_find_init,
                                       .find_start = ag_run_find_start};
    ag_status status = ag_experiment_load(&session->experiment, options->file, &how, &diagnostics);
    fputs(diagnostics.data, stderr);
    ag_text_deinit(&diagnostics);
    if (status == AG_OK)
        session->grid = ag_experiment_grid(session->experiment);
    return status;
}

/* --- tasks */

/* Everything that does not change afterwards. */
static ag_status name_tasks(ag_run_session *session)
{
    const ag_grid *grid = session->grid;
    const char **names = ag_run_names(grid, &session->arena);
    if (names == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    for (size_t i = 0; i < grid->n_runs; i++)
        session->tasks[i] = (ag_task){.run = &grid->runs[i],
                                      .name = names[i],
                                      .cost = ag_plan_run_cost(&grid->runs[i]).flops,
                                      .mine = true};
    return AG_OK;
}

/* The parts of a grid are the same whatever else is selected. */
static ag_status select_tasks(ag_run_session *session)
{
    const ag_run_options *options = session->options;
    const size_t n_runs = session->grid->n_runs;
    ag_task *tasks = session->tasks;
    bool *selected = ag_arena_alloc(&session->arena, n_runs * sizeof *selected);
    bool *again = ag_arena_alloc(&session->arena, n_runs * sizeof *again);
    if (selected == NULL || again == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    AG_TRY(ag_select_runs(selected, session->grid, options->only.items, options->only.count));
    if (options->again.count > 0)
        AG_TRY(ag_select_runs(again, session->grid, options->again.items, options->again.count));
    if (options->shard.count > 0)
        AG_TRY(ag_shard_choose(tasks, n_runs, &options->shard));
    for (size_t i = 0; i < n_runs; i++) {
        tasks[i].wanted = selected[i];
        tasks[i].selected = selected[i] && tasks[i].mine;
        tasks[i].again = again[i];
    }
    return ag_run_rounds_begin(session);
}

/* From here on the session has tasks, ranks and a board, and nothing about them is allocated again.
 */
static ag_status describe(ag_run_session *session, int ranks)
{
    ag_arena *arena = &session->arena;
    session->tasks = ag_arena_alloc(arena, session->grid->n_runs * sizeof *session->tasks);
    session->preflight.ranks =
        ag_arena_alloc(arena, (size_t)ranks * sizeof *session->preflight.ranks);
    session->preflight.n_ranks = ranks;
    if (session->tasks == NULL || session->preflight.ranks == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    AG_TRY(ag_board_init(&session->board, ranks));
    AG_TRY(name_tasks(session));
    return select_tasks(session);
}

/* --- the results */

/* Every shard has a file of its own: two jobs must not own one. */
static ag_status find_out(ag_run_session *session)
{
    AG_TRY(
        ag_app_results_path(&session->out, session->options->out, session->grid, &session->arena));
    if (session->options->shard.count > 0 && session->options->out == NULL) {
        AG_TRY(ag_shard_check_others(session->out, &session->options->shard));
        session->out = ag_shard_path(session->out, &session->options->shard, &session->arena);
    }
    return session->out != NULL ? AG_OK : ag_fail(AG_ERR_SYSTEM, "out of memory");
}

/* From the first moment there is a file to be read, with every run of the grid. Trouble with it is
 * told, and will be again where it stays. So a notebook can be opened at once and refreshed. */
static ag_status show_results(ag_run_session *session)
{
    if (ag_store_is_packed(session->store))
        return AG_OK;
    session->publisher.wanted = true;
    if (access(session->out, F_OK) == 0)
        return AG_OK;
    if (ag_run_store_work(AG_STORE_PUBLISH, session->out, session->publisher.token) != AG_OK)
        ag_display_warn_of_error(session->display);
    else
        session->publisher.wanted = false;
    return AG_OK;
}

/* Leaves with the results which runs the grid has, what they are called and whose they are.
 * `status` of another host reads it. */
static ag_status plan(ag_run_session *session)
{
    const size_t n_runs = session->grid->n_runs;
    if (session->held != session->grid)
        return ag_run_rounds_plan(session);
    const char **names = ag_arena_alloc(&session->arena, n_runs * sizeof *names);
    bool *mine = ag_arena_alloc(&session->arena, n_runs * sizeof *mine);
    if (names == NULL || mine == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    for (size_t i = 0; i < n_runs; i++) {
        names[i] = session->tasks[i].name;
        mine[i] = session->tasks[i].mine;
    }
    return ag_store_plan(session->store, session->grid, names,
                         session->options->shard.count > 0 ? mine : NULL);
}

/* The worker is another process of this program: rank 0 calls no HDF5. */
static ag_status open_store(ag_run_session *session)
{
    ag_job_facts facts;
    AG_TRY(ag_run_facts(&facts, session, &session->arena));
    const ag_store_options how = {session->options->take_over, ag_run_store_work};
    AG_TRY(ag_store_open(&session->store, session->out, session->held, &facts, &how));
    session->publisher.token = ag_store_token(session->store);
    session->beat_s = ag_clock_s();
    AG_TRY(ag_run_live_create(&session->live, session->board.ranks));
    AG_TRY(ag_run_curves_create(&session->curves, session->board.ranks));
    AG_TRY(plan(session));
    return show_results(session);
}

/* In the grid's order; the coordinator gives out the longest first, so that no rank is left alone
 * with one at the end. */
ag_status ag_run_queue_missing(ag_run_session *session)
{
    ag_run_counts *counts = &session->counts;
    for (size_t i = 0; i < session->grid->n_runs; i++) {
        ag_task *task = &session->tasks[i];
        task->pending = false;
        if (!task->selected || task->queued)
            continue;
        task->queued = true;
        counts->selected++;
        if (ag_store_has(session->store, task->run->id) && !task->again) {
            counts->kept++;
            counts->kept_diverged += task->was_diverged;
            ag_store_forget_progress(session->store, task->run->id);
            continue;
        }
        task->pending = true;
        counts->cost += task->cost;
        ag_run_count_checkpoint(session, task);
    }
    return ag_run_trunks_queue(session);
}

/* Results that are there may say that they are enough, or what comes next. */
static ag_status queue_first(ag_run_session *session)
{
    bool more;
    for (size_t i = 0; i < session->grid->n_runs; i++) {
        if (!session->tasks[i].mine || !ag_store_has(session->store, session->tasks[i].run->id))
            continue;
        AG_TRY(ag_run_rounds_go_on(&more, session));
        break;
    }
    AG_TRY(ag_run_queue_missing(session));
    session->counts.cost_before = session->counts.cost_done;
    return AG_OK;
}

/* ", 4 threads each", where there are several. */
static const char *threads_each(ag_run_session *session)
{
    int64_t least = INT64_MAX;
    int64_t most = 1;
    for (int rank = 0; rank < session->preflight.n_ranks; rank++) {
        int64_t threads = ag_run_threads(session, rank);
        least = threads < least ? threads : least;
        most = threads > most ? threads : most;
    }
    const char *text = "";
    if (most > 1 && least == most)
        text = ag_arena_printf(&session->arena, ", %lld threads each", (long long)most);
    else if (most > 1)
        text = ag_arena_printf(&session->arena, ", up to %lld threads each", (long long)most);
    return text != NULL ? text : "";
}

/* The first line that is shown says all that was found: how much there is, how much is done, where
 * the results are. */
ag_status ag_run_session_open(ag_run_session *session, int ranks)
{
    ag_arena_init_growing(&session->arena);
    AG_TRY(load(session));
    AG_TRY(describe(session, ranks));
    AG_TRY(find_out(session));
    AG_TRY(ag_display_create(&session->display, session->options->show, session->grid->name,
                             &session->board));
    AG_TRY(ag_run_check_former(session));
    AG_TRY(ag_run_rounds_keep(session));
    ag_coordinator_expect(session->coordinator, session->grid->runs[0].limits.silence_limit_s);
    AG_TRY(ag_coordinator_gather(session->coordinator));
    AG_TRY(ag_preflight_run(session));
    AG_TRY(open_store(session));
    AG_TRY(queue_first(session));
    const ag_run_counts *counts = &session->counts;
    const size_t left = counts->selected - counts->kept;
    char diverged[48] = "";
    if (counts->kept_diverged > 0)
        snprintf(diverged, sizeof diverged, " (%zu done, %zu diverged)",
                 counts->kept - counts->kept_diverged, counts->kept_diverged);
    ag_display_event(session->display, AG_LOG_INFO,
                     "%s: %zu run%s, %zu complete%s; %d at a time%s; results in %s",
                     session->grid->name, counts->selected, counts->selected == 1 ? "" : "s",
                     counts->kept, diverged, ranks, threads_each(session), session->out);
    ag_run_rounds_announce(session);
    if (left > 0 && (size_t)ranks > left)
        ag_display_event(session->display, AG_LOG_WARNING,
                         "%d ranks, but %zu run%s to train: %zu idle; mpirun -n %zu is enough",
                         ranks, left, left == 1 ? "" : "s", (size_t)ranks - left, left);
    if (counts->kept > 0 && session->options->again.count == 0)
        ag_run_warn_of_less(session);
    return AG_OK;
}
