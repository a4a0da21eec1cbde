#include "run_session.h"

#include <math.h>

#include "base/clock.h"
#include "run_signals.h"

static const double s_beat_every_s = 30.0;

static void count_part(ag_run_session *session, ag_task *task, double part)
{
    session->counts.cost_done += task->cost * (part - task->counted);
    task->counted = part;
}

void ag_run_count_checkpoint(ag_run_session *session, ag_task *task)
{
    double step = (double)ag_store_checkpoint_step(session->store, task->run->id);
    if (task->run->train.steps > 0)
        count_part(session, task, fmin(step / (double)task->run->train.steps, 1.0));
}

void ag_run_count_all(ag_run_session *session, ag_task *task)
{
    count_part(session, task, 1.0);
}

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
