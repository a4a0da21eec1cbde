/* Which of OpenBLAS's kernel sets trainers use: each gives bits of its own, so runs that are to be
 * compared need the same one, on every rank and after every interruption. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "run_internal.h"

const char *ag_run_core_of(const char *blas)
{
    const char *space = strrchr(blas, ' ');
    return space != NULL ? space + 1 : blas;
}

static bool is_common(const ag_run *run)
{
    return strcmp(run->limits.blas_core, "common") == 0;
}

const char *ag_run_core(const ag_run_session *session, const ag_run *run)
{
    return is_common(run) ? session->preflight.core : run->limits.blas_core;
}

static const char *core_on(const ag_run_session *session, int rank)
{
    return ag_run_core_of(session->preflight.reports[rank].blas);
}

static bool all_take(const ag_run_session *session, const char *core)
{
    for (int rank = 0; rank < session->preflight.ranks; rank++) {
        if (strcasecmp(core_on(session, rank), core) != 0)
            return false;
    }
    return true;
}

/* --- the newest that all can run */

/* The row of the table; -1 where the ranks' own sets are not in it, or nothing is left. What a rank
 * takes by itself is its best, or what its user wished: nothing newer is asked of it. */
static int newest_common(const ag_run_session *session)
{
    ag_blas_cores cores = ~(ag_blas_cores)0;
    int limit = ag_blas_core_find(core_on(session, 0));
    for (int rank = 0; rank < session->preflight.ranks; rank++) {
        int own = ag_blas_core_find(core_on(session, rank));
        limit = own < limit ? own : limit;
        cores &= session->preflight.reports[rank].cores;
    }
    return ag_blas_core_newest(cores, limit);
}

/* The first rank whose CPU lacks what the set needs; -1 where there is none or it is not known. */
static int rank_without(const ag_run_session *session, const char *core)
{
    int row = ag_blas_core_find(core);
    for (int rank = 0; row >= 0 && rank < session->preflight.ranks; rank++) {
        ag_blas_cores cores = session->preflight.reports[rank].cores;
        if (cores != 0 && (cores >> row & 1) == 0)
            return rank;
    }
    return -1;
}

/* --- a given set */

/* OpenBLAS takes another set without a word when its build lacks the one it was asked for. */
static ag_status check_that_all_take(ag_run_session *session, const ag_run *run, const char *core)
{
    if (all_take(session, core))
        return AG_OK;
    AG_TRY(ag_preflight_survey(session, run, core));
    for (int rank = 0; rank < session->preflight.ranks && !session->stopping; rank++) {
        const char *given = session->preflight.reports[rank].given;
        if (strcasecmp(ag_run_core_of(given), core) != 0)
            return ag_fail(AG_ERR_SYSTEM,
                           "%s has no kernels for %s: asked for them, it computes with %s. Set "
                           "run.blas_core to a name that every rank has",
                           ag_preflight_rank(session, rank), core, given);
    }
    return AG_OK;
}

static ag_status check_name(const ag_run_session *session, const char *core)
{
    const char *names[8 * sizeof(ag_blas_cores)];
    size_t count = 0;
    bool is_known_cpu = session->preflight.reports[0].cores != 0;
    if (!is_known_cpu || ag_blas_core_find(core) >= 0)
        return AG_OK;
    for (; ag_blas_core_name((int)count) != NULL; count++)
        names[count] = ag_blas_core_name((int)count);
    const char *nearest = ag_nearest_word(core, names, count);
    return ag_fail(AG_ERR_INPUT,
                   "run.blas_core: OpenBLAS has no kernels for '%.60s'%s%s%s; it names them after "
                   "processors, such as Haswell, Zen, SkylakeX; 'common' chooses",
                   core, nearest != NULL ? " (is it '" : "", nearest != NULL ? nearest : "",
                   nearest != NULL ? "'?)" : "");
}

static ag_status use_named(ag_run_session *session, const ag_run *run)
{
    const char *core = run->limits.blas_core;
    AG_TRY(check_name(session, core));
    int rank = rank_without(session, core);
    if (rank >= 0)
        return ag_fail(AG_ERR_SYSTEM,
                       "run.blas_core: the CPU of %s lacks what OpenBLAS's kernels for %s need. "
                       "'common' takes the newest that every rank can run",
                       ag_preflight_rank(session, rank), core);
    return check_that_all_take(session, run, core);
}

/* --- common */

static ag_status go_on_with(ag_run_session *session, const ag_run *run, const char *core)
{
    int rank = rank_without(session, core);
    if (rank >= 0)
        return ag_fail(AG_ERR_SYSTEM,
                       "%s was begun with OpenBLAS's kernels for %s, which %s cannot run. Go on "
                       "without that host, begin new results (-o), or accept other last bits from "
                       "here on: --set run.blas_core=%s",
                       session->out, core, ag_preflight_rank(session, rank),
                       core_on(session, rank));
    session->preflight.core = core;
    if (all_take(session, core))
        return AG_OK;
    ag_display_event(session->display, AG_LOG_INFO,
                     "OpenBLAS's kernels for %s, with which the results were begun", core);
    return check_that_all_take(session, run, core);
}

static ag_status use_newest_common(ag_run_session *session, const ag_run *run)
{
    if (all_take(session, core_on(session, 0)))
        return AG_OK;
    int other = 1;
    while (strcasecmp(core_on(session, other), core_on(session, 0)) == 0)
        other++;
    int row = newest_common(session);
    if (row < 0)
        return ag_fail(AG_ERR_SYSTEM,
                       "%s computes with %s, %s with %s, whose bits differ, and no kernels are "
                       "known that both can run: set run.blas_core to a name that every rank has",
                       ag_preflight_rank(session, 0), session->preflight.reports[0].blas,
                       ag_preflight_rank(session, other), session->preflight.reports[other].blas);
    session->preflight.core = ag_blas_core_name(row);
    ag_display_event(session->display, AG_LOG_INFO,
                     "ranks differ in CPU: all use OpenBLAS's kernels for %s, the newest that "
                     "every rank can run",
                     session->preflight.core);
    return check_that_all_take(session, run, session->preflight.core);
}

/* Complete runs are whole without the facts: nothing is refused. */
static void warn_that_none_is_known(const ag_run_session *session)
{
    bool has_kernels = strncmp(session->preflight.reports[0].blas, "OpenBLAS ", 9) == 0;
    if (session->preflight.complete == 0 || !has_kernels)
        return;
    ag_display_event(session->display, AG_LOG_WARNING,
                     "neither %s.d/facts.json nor the complete runs, which differ or cannot be "
                     "read, tell with which of OpenBLAS's kernels to go on. They are chosen anew: "
                     "with others, last bits differ from those of the complete runs. Each run has "
                     "its own in timing/blas; run.blas_core chooses by name",
                     session->out);
}

static ag_status use_common(ag_run_session *session, const ag_run *run, const char *stored)
{
    const char *own = session->preflight.reports[0].blas;
    if (stored[0] == '\0') {
        warn_that_none_is_known(session);
        return use_newest_common(session, run);
    }
    size_t library = (size_t)(ag_run_core_of(own) - own);
    if (strncmp(stored, own, library) != 0)
        ag_display_event(session->display, AG_LOG_WARNING,
                         "%s was begun with %s, this is %s: last bits may differ between its runs",
                         session->out, stored, own);
    return go_on_with(session, run, ag_run_core_of(stored));
}

/* --- all runs */

ag_status ag_run_choose_core(ag_run_session *session, const char *stored)
{
    const ag_grid *grid = session->grid;
    const char *checked = "";
    for (size_t i = 0; i < grid->n_runs && !session->stopping; i++) {
        const ag_run *run = &grid->runs[i];
        const char *wanted = run->limits.blas_core;
        if (!session->preflight.pending[i] || strcmp(wanted, checked) == 0)
            continue;
        checked = wanted;
        AG_TRY(is_common(run) ? use_common(session, run, stored) : use_named(session, run));
    }
    return AG_OK;
}
