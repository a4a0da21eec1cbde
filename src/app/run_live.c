/* What rank 0 tells those who watch: a small file beside the results, every few seconds; and the
 * answer to `altgrad stop`. */
#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "run_internal.h"
#include "spool/live.h"
#include "spool/store.h"

static const double s_shortest_s = 2.0;
static const double s_share = 0.01; /* of the time, at most, is spent on it */

/* A trainer at work. */
typedef struct post {
    bool active;
    ag_job_progress first; /* of this attempt: it may have begun at a checkpoint */
    ag_job_progress now;
} post;

struct ag_run_live {
    post *posts;        /* [ranks] */
    ag_live_run *shown; /* [ranks] */
    int ranks;
    double began_s; /* since 1970 */
    double due_s;
};

static double wall_clock_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

ag_status ag_run_live_create(ag_run_live **out, int ranks)
{
    ag_run_live *live = calloc(1, sizeof *live);
    post *posts = calloc((size_t)ranks, sizeof *posts);
    ag_live_run *shown = calloc((size_t)ranks, sizeof *shown);
    if (live == NULL || posts == NULL || shown == NULL) {
        free(live);
        free(posts);
        free(shown);
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    }
    *live =
        (ag_run_live){.posts = posts, .shown = shown, .ranks = ranks, .began_s = wall_clock_s()};
    *out = live;
    return AG_OK;
}

void ag_run_live_destroy(ag_run_live *live)
{
    if (live == NULL)
        return;
    free(live->posts);
    free(live->shown);
    free(live);
}

void ag_run_live_progress(ag_run_live *live, const ag_job_progress *progress)
{
    post *its = &live->posts[progress->rank];
    if (!its->active || its->now.job != progress->job || its->now.attempt != progress->attempt)
        *its = (post){.active = true, .first = *progress};
    if (its->first.steps == 0)
        its->first = *progress;
    its->now = *progress;
}

void ag_run_live_ended(ag_run_live *live, int rank)
{
    live->posts[rank].active = false;
}

static ag_live_run show(const post *its, const ag_run *run)
{
    const ag_job_progress *now = &its->now;
    double tokens = (double)(run->train.batch_size * run->train.grad_accum * run->model.block_size);
    double seconds = now->seconds - its->first.seconds;
    double steps = (double)(now->step - its->first.step);
    return (ag_live_run){.rank = now->rank,
                         .id = run->id,
                         .step = now->step,
                         .steps = now->steps,
                         .loss = now->step > 0 ? now->value : NAN,
                         .seconds = now->seconds,
                         .tokens_per_s = seconds > 0.0 ? steps * tokens / seconds : 0.0,
                         .evaluating = now->phase == AG_TRAINER_EVALUATING};
}

/* Steps that running trainers have behind them count. */
static ag_live describe(ag_run_live *live, const ag_run_session *session)
{
    const ag_run_counts *counts = &session->counts;
    double done = counts->cost_done;
    ag_live told = {.stopping = session->stopping,
                    .now_s = wall_clock_s(),
                    .began_s = live->began_s,
                    .ranks = live->ranks,
                    .running = live->shown};
    for (int rank = 0; rank < live->ranks; rank++) {
        const post *its = &live->posts[rank];
        if (!its->active)
            continue;
        if (its->now.steps > 0)
            done +=
                session->costs[its->now.job] * fmax((double)its->now.step / (double)its->now.steps -
                                                        session->counted[its->now.job],
                                                    0.0);
        live->shown[told.n_running++] = show(its, &session->grid->runs[its->now.job]);
    }
    told.share = counts->cost > 0.0 ? fmin(done / counts->cost, 1.0) : 1.0;
    told.before = counts->cost > 0.0 ? counts->cost_before / counts->cost : 0.0;
    return told;
}

/* A disk that refuses this file will be told by those that matter. */
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
