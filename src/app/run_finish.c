/* The end of rank 0's work: complete results are packed, others published once more. What trained
 * for days is in its run files by now, so nothing here can lose it; trouble is told, and the same
 * command tries again. */
#include "run_finish.h"

#include "base/clock.h"
#include "run_curves.h"
#include "run_live.h"
#include "run_trunks.h"

/* Whether a run of the whole experiment, or of this shard, selected or not, is still to be done.
 * Those that failed here do not count. They were tried as often as was asked for, and the file can
 * be packed with their reasons in it. */
static bool is_pending(const ag_run_session *session)
{
    for (size_t i = 0; i < session->grid->n_runs; i++) {
        const ag_task *task = &session->tasks[i];
        if (task->mine && !task->failed && !ag_store_has(session->store, task->run->id))
            return true;
    }
    return false;
}

/* Asked anew of the store: run files that proved damaged while they were packed are gone from it.
 */
static size_t count_complete(const ag_run_session *session)
{
    size_t complete = 0;
    for (size_t i = 0; i < session->grid->n_runs; i++) {
        const ag_task *task = &session->tasks[i];
        complete += task->selected && ag_store_has(session->store, task->run->id);
    }
    return complete;
}

/* Tends the session until the publisher that runs has ended: packing may take long. Meanwhile the
 * heartbeat goes on, and Ctrl-C is heard. */
static ag_status await_publisher(ag_status *status, ag_run_session *session)
{
    *status = AG_OK;
    while (session->publisher.child != NULL &&
           !ag_publisher_ended(status, &session->publisher, session->display)) {
        AG_TRY(ag_run_tend(session));
        ag_clock_nap(5e-3);
    }
    return AG_OK;
}

/* Packs, or publishes where runs are `pending`. One at a time: the publisher that may be at work
 * writes the same file. */
static ag_status publish_all(ag_run_session *session, bool pending)
{
    ag_status status;
    AG_TRY(await_publisher(&status, session));
    ag_error_clear(); /* the one that follows does it all again */
    AG_TRY(ag_publisher_start(&session->publisher, session->out, pending));
    AG_TRY(await_publisher(&status, session));
    return status;
}

ag_status ag_run_publish(ag_run_session *session)
{
    return publish_all(session, true);
}

/* Run files that prove damaged when they are packed are work left, not the end of it. A packer that
 * was killed when it had done its work leaves nothing but what the next one removes. */
ag_status ag_run_session_finish(ag_run_session *session)
{
    AG_TRY(ag_run_trunks_sweep(session)); /* while the run files say what is complete */
    bool pending = is_pending(session);
    ag_run_counts *counts = &session->counts;
    size_t counted = counts->kept + counts->done + counts->diverged;
    ag_display_finish(session->display, counts);
    ag_status status = publish_all(session, pending);
    if (!pending && ag_store_is_packed(session->store)) {
        if (status != AG_OK)
            ag_display_warn_of_error(session->display);
        return AG_OK;
    }
    size_t complete = count_complete(session);
    counts->lost = counted > complete ? counted - complete : 0;
    if (status == AG_OK || counts->lost == 0)
        return status;
    ag_display_warn_of_error(session->display);
    return AG_OK;
}

/* The store last but for memory: it gives the ownership back, after which another may write. */
void ag_run_session_deinit(ag_run_session *session)
{
    ag_publisher_deinit(&session->publisher);
    ag_display_destroy(session->display);
    ag_board_deinit(&session->board);
    ag_run_live_destroy(session->live);
    ag_run_curves_destroy(session->curves);
    ag_store_close(session->store);
    ag_experiment_destroy(session->experiment);
    ag_arena_deinit(&session->arena);
}
