/* The work of rank 0 around the coordinator's: open, queue what is missing, pack. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/commands.h"
#include "base/clock.h"
#include "config/select.h"
#include "plan.h"
#include "run_internal.h"
#include "spool/notes.h"
#include "spool/store.h"
#include "wrong_file.h"

/* --- the experiment */

static ag_status load(ag_run_session *session)
{
    ag_text diagnostics;
    const ag_run_options *options = session->options;
    AG_TRY(ag_app_expect_experiment(options->file));
    ag_text_init(&diagnostics);
    const ag_experiment_options how = {
        .sets = options->sets, .n_sets = options->n_sets, .find_init = ag_run_find_init};
    ag_status status =
        ag_experiment_load_with(&session->experiment, options->file, &how, &diagnostics);
    fputs(diagnostics.data, stderr);
    ag_text_deinit(&diagnostics);
    if (status == AG_OK)
        session->grid = ag_experiment_grid(session->experiment);
    return status;
}

/* --- names: the values that tell runs apart */

static bool varies(const ag_grid *grid, size_t axis)
{
    for (size_t i = 1; i < grid->n_labels; i++) {
        if (strcmp(grid->labels[i].values[axis].text, grid->labels[0].values[axis].text) != 0)
            return true;
    }
    return false;
}

static const char *make_name(const ag_grid *grid, const ag_label *label, const bool *shown,
                             ag_arena *arena)
{
    ag_text text;
    ag_text_init(&text);
    for (size_t axis = 0; axis < grid->n_axes; axis++) {
        const char *name = grid->axes[axis].name;
        bool plain = strcmp(name, "format") == 0 || strcmp(name, "layers") == 0;
        if (shown[axis])
            ag_text_printf(&text, "%s%s%s%s", text.length > 0 ? " " : "", plain ? "" : name,
                           plain ? "" : "=", label->values[axis].text);
    }
    const char *made =
        ag_arena_strdup(arena, text.length > 0 ? text.data : grid->runs[label->run].id);
    ag_text_deinit(&text);
    return made;
}

const char **ag_run_names(const ag_grid *grid, ag_arena *arena)
{
    const char **names = ag_arena_alloc(arena, grid->n_runs * sizeof *names);
    bool *shown = ag_arena_alloc(arena, grid->n_axes * sizeof *shown);
    if (names == NULL || shown == NULL)
        return NULL;
    for (size_t axis = 0; axis < grid->n_axes; axis++)
        shown[axis] = varies(grid, axis);
    for (size_t i = grid->n_labels; i-- > 0;) { /* the first label of a run is its name */
        const ag_label *label = &grid->labels[i];
        names[label->run] = make_name(grid, label, shown, arena);
        if (names[label->run] == NULL)
            return NULL;
    }
    return names;
}

/* The parts of a grid are the same whatever else is selected. */
static ag_status select_shard(ag_run_session *session)
{
    size_t n_runs = session->grid->n_runs;
    session->mine = ag_arena_alloc(&session->arena, n_runs * sizeof *session->mine);
    if (session->mine == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    AG_TRY(ag_shard_choose(session->mine, &session->options->shard, session->costs, n_runs));
    for (size_t run = 0; run < n_runs; run++)
        session->selected[run] = session->selected[run] && session->mine[run];
    return AG_OK;
}

static ag_status describe_runs(ag_run_session *session, int ranks)
{
    const ag_grid *grid = session->grid;
    ag_arena *arena = &session->arena;
    session->selected = ag_arena_alloc(arena, grid->n_runs * sizeof *session->selected);
    session->again = ag_arena_alloc(arena, grid->n_runs * sizeof *session->again);
    session->failed = ag_arena_alloc(arena, grid->n_runs * sizeof *session->failed);
    session->was_diverged = ag_arena_alloc(arena, grid->n_runs * sizeof *session->was_diverged);
    session->names = ag_run_names(grid, arena);
    session->costs = ag_arena_alloc(arena, grid->n_runs * sizeof *session->costs);
    session->counted = ag_arena_alloc(arena, grid->n_runs * sizeof *session->counted);
    session->suspects = ag_arena_alloc(arena, grid->n_runs * sizeof *session->suspects);
    session->rank_failures = ag_arena_alloc(arena, (size_t)ranks * sizeof *session->rank_failures);
    session->preflight.reports =
        ag_arena_alloc(arena, (size_t)ranks * sizeof *session->preflight.reports);
    session->preflight.ranks = ranks;
    if (session->selected == NULL || session->again == NULL || session->failed == NULL ||
        session->was_diverged == NULL || session->names == NULL || session->costs == NULL ||
        session->counted == NULL || session->suspects == NULL || session->rank_failures == NULL ||
        session->preflight.reports == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    for (size_t run = 0; run < grid->n_runs; run++)
        session->costs[run] = ag_plan_run_cost(&grid->runs[run]).flops;
    const ag_run_options *options = session->options;
    AG_TRY(ag_select_runs(session->selected, grid, options->only, options->n_only));
    if (options->n_again > 0)
        AG_TRY(ag_select_runs(session->again, grid, options->again, options->n_again));
    return options->shard.count > 0 ? select_shard(session) : AG_OK;
}

static void warn(ag_run_session *session)
{
    ag_display_event(session->display, AG_LOG_WARNING, "%s", ag_error_message());
    ag_error_clear();
}

/* --- the results */

static ag_status find_out(ag_run_session *session)
{
    AG_TRY(
        ag_app_results_path(&session->out, session->options->out, session->grid, &session->arena));
    if (session->mine != NULL && session->options->out == NULL) {
        AG_TRY(ag_shard_check_others(session->out, &session->options->shard));
        session->out = ag_shard_path(session->out, &session->options->shard, &session->arena);
    }
    return session->out != NULL ? AG_OK : ag_fail(AG_ERR_SYSTEM, "out of memory");
}

/* From the first moment there is a file to be read, with every run of the grid. Trouble with it is
 * told, and will be again where it stays. */
static ag_status show_results(ag_run_session *session)
{
    if (ag_store_is_packed(session->store))
        return AG_OK;
    session->publisher.wanted = true;
    if (access(session->out, F_OK) == 0)
        return AG_OK;
    if (ag_run_store_work(AG_STORE_PUBLISH, session->out, session->publisher.token) != AG_OK)
        warn(session);
    else
        session->publisher.wanted = false;
    return AG_OK;
}

static ag_status open_store(ag_run_session *session, int ranks)
{
    ag_job_facts facts;
    AG_TRY(ag_run_facts(&facts, session, ranks, &session->arena));
    const ag_store_options how = {session->options->take_over, ag_run_store_work};
    AG_TRY(ag_store_open(&session->store, session->out, session->grid, &facts, &how));
    session->publisher.token = ag_store_token(session->store);
    session->beat_s = ag_clock_s();
    AG_TRY(ag_run_live_create(&session->live, ranks));
    AG_TRY(ag_run_curves_create(&session->curves, ranks));
    AG_TRY(ag_store_plan(session->store, session->grid, session->names, session->mine));
    return show_results(session);
}

static void count_part(ag_run_session *session, size_t run, double part)
{
    session->counts.cost_done += session->costs[run] * (part - session->counted[run]);
    session->counted[run] = part;
}

void ag_run_count_checkpoint(ag_run_session *session, size_t run)
{
    const ag_run *its = &session->grid->runs[run];
    double step = (double)ag_store_checkpoint_step(session->store, its->id);
    if (its->train.steps > 0)
        count_part(session, run, fmin(step / (double)its->train.steps, 1.0));
}

void ag_run_count_all(ag_run_session *session, size_t run)
{
    count_part(session, run, 1.0);
}

static ag_status queue_missing(ag_run_session *session)
{
    const ag_grid *grid = session->grid;
    ag_run_counts *counts = &session->counts;
    for (size_t run = 0; run < grid->n_runs; run++) {
        if (!session->selected[run])
            continue;
        counts->selected++;
        if (ag_store_has(session->store, grid->runs[run].id) && !session->again[run]) {
            counts->kept++;
            counts->kept_diverged += session->was_diverged[run];
            ag_store_forget_progress(session->store, grid->runs[run].id);
            continue;
        }
        counts->cost += session->costs[run];
        ag_run_count_checkpoint(session, run);
        AG_TRY(ag_coordinator_add(session->coordinator, (int64_t)run, 0, session->costs[run]));
    }
    counts->cost_before = counts->cost_done;
    return AG_OK;
}

/* ", 4 threads each", where there are several. */
static const char *threads_each(ag_run_session *session)
{
    int64_t least = INT64_MAX;
    int64_t most = 1;
    for (int rank = 0; rank < session->preflight.ranks; rank++) {
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

ag_status ag_run_session_open(ag_run_session *session, int ranks)
{
    ag_arena_init_growing(&session->arena);
    AG_TRY(load(session));
    AG_TRY(describe_runs(session, ranks));
    AG_TRY(find_out(session));
    AG_TRY(
        ag_display_create(&session->display, session->options->show, session->grid->name, ranks));
    AG_TRY(ag_run_check_former(session));
    ag_coordinator_expect(session->coordinator, session->grid->runs[0].limits.silence_limit_s);
    AG_TRY(ag_coordinator_gather(session->coordinator));
    AG_TRY(ag_preflight_run(session));
    AG_TRY(open_store(session, ranks));
    AG_TRY(queue_missing(session));
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
    if (left > 0 && (size_t)ranks > left)
        ag_display_event(session->display, AG_LOG_WARNING,
                         "%d ranks, but %zu run%s to train: %zu idle; mpirun -n %zu is enough",
                         ranks, left, left == 1 ? "" : "s", (size_t)ranks - left, left);
    if (counts->kept > 0 && session->options->n_again == 0)
        ag_run_warn_of_less(session->options, session->out);
    return AG_OK;
}

/* --- the end */

size_t ag_run_left(const ag_run_counts *counts)
{
    return counts->selected - counts->kept - counts->done - counts->diverged - counts->failed +
           counts->lost;
}

/* Whether a run of the whole experiment, or of this shard, selected or not, is still to be done.
 * Those that failed here do not count. */
static bool is_pending(const ag_run_session *session)
{
    for (size_t run = 0; run < session->grid->n_runs; run++) {
        if (session->mine != NULL && !session->mine[run])
            continue;
        if (!session->failed[run] && !ag_store_has(session->store, session->grid->runs[run].id))
            return true;
    }
    return false;
}

static size_t count_complete(const ag_run_session *session)
{
    size_t complete = 0;
    for (size_t run = 0; run < session->grid->n_runs; run++)
        complete +=
            session->selected[run] && ag_store_has(session->store, session->grid->runs[run].id);
    return complete;
}

/* Run files that prove damaged when they are packed are work left, not the end of it. A packer that
 * was killed when it had done its work leaves nothing but what the next one removes. */
ag_status ag_run_session_finish(ag_run_session *session)
{
    bool pending = is_pending(session);
    ag_run_counts *counts = &session->counts;
    size_t counted = counts->kept + counts->done + counts->diverged;
    ag_display_finish(session->display, counts);
    ag_status status = ag_publisher_finish(&session->publisher, session, pending);
    if (!pending && ag_store_is_packed(session->store)) {
        if (status != AG_OK)
            warn(session);
        return AG_OK;
    }
    size_t complete = count_complete(session);
    counts->lost = counted > complete ? counted - complete : 0;
    if (status == AG_OK || counts->lost == 0)
        return status;
    warn(session);
    return AG_OK;
}

void ag_run_session_deinit(ag_run_session *session)
{
    ag_publisher_deinit(&session->publisher);
    ag_display_destroy(session->display);
    ag_run_live_destroy(session->live);
    ag_run_curves_destroy(session->curves);
    ag_store_close(session->store);
    ag_experiment_destroy(session->experiment);
    ag_arena_deinit(&session->arena);
}
