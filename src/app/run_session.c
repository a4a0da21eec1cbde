/* What the parts of rank 0's work have in common: how much of the work is done, and the duties that
 * come due while something else takes long. */
#include "run_session.h"

#include <math.h>

#include "base/clock.h"
#include "run_signals.h"

/* Ten times as often as the heartbeat needs to be seen (owner.c): a beat may be late. */
static const double s_beat_every_s = 30.0;

/* As a difference, since the same run may be counted several times: at a checkpoint, after a
 * failure, at its end. */
static void count_part(ag_run_session *session, ag_task *task, double part)
{
    session->counts.cost_done += task->cost * (part - task->counted);
    task->counted = part;
}

/* May go back: a checkpoint that was refused leaves its run at the beginning. */
void ag_run_count_checkpoint(ag_run_session *session, ag_task *task)
{
    double own = (double)ag_store_checkpoint_step(session->store, task->run->id);
    double first = (double)task->run->train.start_step;
    double done = fmax(fmax(own, (double)task->trunk.steps) - first, 0.0);
    if (task->run->train.steps > 0)
        count_part(session, task, fmin(done / (double)ag_run_own_steps(task->run), 1.0));
}

void ag_run_count_all(ag_run_session *session, ag_task *task)
{
    count_part(session, task, 1.0);
}

/* An error ends whatever loop calls this, which is what both of its reasons ask for. */
ag_status ag_run_tend(ag_run_session *session)
{
    if (ag_run_signals_seen().interrupts > 1) {
        session->interrupted = true;
        return ag_fail(AG_ERR_SYSTEM, "interrupted twice");
    }
    if (session->store == NULL || ag_clock_s() - session->beat_s < s_beat_every_s)
        return AG_OK;
    session->beat_s = ag_clock_s();
    return ag_store_beat(session->store);
}
