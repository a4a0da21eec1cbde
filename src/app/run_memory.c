/* Whether the trainers of a host have room beside each other: past the limit of a control group the
 * kernel kills, and what it kills may have trained for hours. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "plan.h"
#include "run_memory.h"

/* What a trainer needs before it has a run. */
static const double s_program = AG_PLAN_TRAINER_MIB * 0x1p20;

static int by_falling_size(const void *a, const void *b)
{
    double first = *(const double *)a;
    double second = *(const double *)b;
    return (first < second) - (first > second);
}

/* Bytes of each run that is to be trained, the largest first. In this order the coordinator gives
 * them out: they are what will run at the same time. */
static size_t list_sizes(double *sizes, const ag_run_session *session)
{
    size_t count = 0;
    for (size_t i = 0; i < session->grid->n_runs; i++) {
        if (session->tasks[i].pending)
            sizes[count++] = ag_plan_run_cost(&session->grid->runs[i]).memory + s_program;
    }
    qsort(sizes, count, sizeof *sizes, by_falling_size);
    return count;
}

/* Ranks in one control group share its limit; ranks of one host may be in several. */
static bool share_limit(const ag_rank *a, const ag_rank *b)
{
    return strcmp(a->host, b->host) == 0 && strcmp(a->memory.source, b->memory.source) == 0;
}

/* The ranks that share this one's limit, 0 where an earlier one has counted them. */
static size_t count_sharers(const ag_preflight *preflight, int rank)
{
    size_t count = 0;
    for (int other = 0; other < preflight->n_ranks; other++) {
        if (!share_limit(&preflight->ranks[rank], &preflight->ranks[other]))
            continue;
        if (other < rank)
            return 0;
        count++;
    }
    return count;
}

/* An error before the first step, instead of a kill after hours. */
static ag_status check_host(const ag_rank *report, const double *sizes, size_t count)
{
    double need = 0;
    double room = (double)report->memory.bytes - (double)report->memory.held;
    for (size_t i = 0; i < count; i++)
        need += sizes[i];
    if (report->memory.bytes == 0 || need <= room)
        return AG_OK;
    return ag_fail(AG_ERR_SYSTEM,
                   "%s has too little memory: its ranks train %zu run%s at a time, of which the "
                   "largest need %.0f MiB; of %.0f MiB (%s) %.0f are left. Give the job more (with "
                   "SLURM: --mem or --mem-per-cpu), or start fewer ranks there",
                   report->host, count, count == 1 ? "" : "s", need / 0x1p20,
                   (double)report->memory.bytes / 0x1p20, report->memory.source,
                   fmax(room, 0) / 0x1p20);
}

ag_status ag_run_check_memory(ag_run_session *session)
{
    const ag_preflight *preflight = &session->preflight;
    double *sizes = ag_arena_alloc(&session->arena, session->grid->n_runs * sizeof *sizes);
    if (sizes == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    size_t n_sizes = list_sizes(sizes, session);
    for (int rank = 0; rank < preflight->n_ranks; rank++) {
        size_t sharers = count_sharers(preflight, rank);
        AG_TRY(check_host(&preflight->ranks[rank], sizes, sharers < n_sizes ? sharers : n_sizes));
    }
    return AG_OK;
}
