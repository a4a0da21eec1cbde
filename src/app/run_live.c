/* What rank 0 tells those who watch: a small file beside the results, every few seconds; and the
 * answer to `altgrad stop`. */
#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "run_live.h"
#include "run_trainer.h"
#include "spool/live.h"
#include "spool/store.h"

/* As often as somebody who watches would look; `altgrad stop` is answered as fast. */
static const double s_shortest_s = 2.0;
static const double s_share = 0.01; /* of the time, at most, is spent on it */

struct ag_run_live {
    ag_live_run *shown; /* [ranks] */
    double began_s;     /* since 1970 */
    double due_s;
};

/* Since 1970, because other processes read it; everything else here goes by the clock that nobody
 * sets. */
static double wall_clock_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Room for all ranks at once: a tick allocates nothing. */
ag_status ag_run_live_create(ag_run_live **out, int ranks)
{
    ag_run_live *live = calloc(1, sizeof *live);
    ag_live_run *shown = calloc((size_t)ranks, sizeof *shown);
    if (live == NULL || shown == NULL) {
        free(live);
        free(shown);
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    }
    *live = (ag_run_live){.shown = shown, .began_s = wall_clock_s()};
    *out = live;
    return AG_OK;
}

void ag_run_live_destroy(ag_run_live *live)
{
    if (live == NULL)
        return;
    free(live->shown);
    free(live);
}

/* The rate over the whole attempt: who looks once wants an average, not the last second. */
static ag_live_run show(const ag_board_row *row)
{
    const ag_job_progress *now = &row->now;
    double seconds = now->seconds - row->first.seconds;
    double tokens = (double)(now->step - row->first.step) * ag_task_step_tokens(row->task);
    return (ag_live_run){.rank = now->rank,
                         .id = row->task->run->id,
                         .step = now->step,
                         .steps = now->steps,
                         .loss = now->step > 0 ? now->value : NAN,
                         .seconds = now->seconds,
                         .tokens_per_s = seconds > 0.0 ? tokens / seconds : 0.0,
                         .evaluating = now->phase == AG_RUN_TRAINER_EVALUATING};
}

/* From the board, like everything that tells of progress. */
static ag_live describe(ag_run_live *live, const ag_run_session *session)
{
    const ag_board *board = &session->board;
    ag_live told = {.stopping = session->stopping,
                    .now_s = wall_clock_s(),
                    .began_s = live->began_s,
                    .ranks = board->ranks,
                    .waiting = (int64_t)session->counts.waiting,
                    .running = live->shown,
                    .share = ag_board_share(board, &session->counts),
                    .before = ag_board_share_before(&session->counts)};
    for (int rank = 0; rank < board->ranks; rank++) {
        if (board->rows[rank].task != NULL)
            live->shown[told.n_running++] = show(&board->rows[rank]);
    }
    return told;
}

/* A disk that refuses this file will be told by those that matter. Both at one time: a network file
 * system is asked as seldom as possible. */
bool ag_run_live_tick(ag_run_live *live, const ag_run_session *session)
{
    double now = ag_clock_s();
    if (now < live->due_s)
        return false;
    ag_live told = describe(live, session);
    if (ag_store_live(session->store, &told) != AG_OK)
        ag_error_clear();
    bool asked = ag_store_stop_asked(session->store);
    double after = ag_clock_s();
    live->due_s = after + fmax(s_shortest_s, (after - now) / s_share);
    return asked;
}
