/* Whether the runs of a host ask for more threads than its ranks have cores: then each is slower,
 * and together they are no faster. */
#include <string.h>

#include "run_cores.h"

/* Runs of a grid may have different numbers of threads; the largest is what a host must bear. */
int64_t ag_run_threads(const ag_run_session *session, int rank)
{
    int64_t most = 0;
    for (size_t i = 0; i < session->grid->n_runs; i++) {
        int64_t threads = session->grid->runs[i].limits.threads;
        threads = threads > 0 ? threads : session->preflight.ranks[rank].bound;
        if (session->tasks[i].pending && threads > most)
            most = threads;
    }
    return most;
}

/* What the ranks of one host have and need together. */
typedef struct host_cores {
    const char *name;
    size_t ranks; /* that train: not more than there are runs */
    int64_t threads;
    int bound;   /* cores that are the ranks' own */
    int allowed; /* cores that one of them may use, alone or with the others */
} host_cores;

/* No ranks where an earlier rank has counted the host's. By the name of the host. Not more ranks
 * than there are runs: the others stay idle. */
static host_cores count_host(const ag_run_session *session, int rank)
{
    const ag_preflight *preflight = &session->preflight;
    host_cores host = {.name = preflight->ranks[rank].host};
    for (int other = 0; other < preflight->n_ranks; other++) {
        const ag_rank *report = &preflight->ranks[other];
        if (strcmp(report->host, host.name) != 0)
            continue;
        if (other < rank)
            return (host_cores){0};
        host.bound += report->bound;
        host.allowed = report->allowed > host.allowed ? report->allowed : host.allowed;
        if (host.ranks < preflight->n_pending) {
            host.ranks++;
            host.threads += ag_run_threads(session, other);
        }
    }
    return host;
}

/* A warning and no error: bits do not depend on it, and on a host that is otherwise idle it may be
 * what the user wants. */
void ag_run_check_cores(const ag_run_session *session)
{
    for (int rank = 0; rank < session->preflight.n_ranks; rank++) {
        host_cores host = count_host(session, rank);
        int cores = host.allowed > host.bound ? host.allowed : host.bound;
        if (host.threads <= cores)
            continue;
        bool one = host.ranks == 1;
        ag_display_event(session->display, AG_LOG_WARNING,
                         "%s: run.threads asks for %lld threads (%zu rank%s), and %s %d core%s: "
                         "runs get slower. run.threads: auto takes the cores that the launcher "
                         "binds to each rank (mpirun --map-by slot:PE=N, sbatch "
                         "--cpus-per-task=N); or start fewer ranks there",
                         host.name, (long long)host.threads, host.ranks, one ? "" : "s",
                         one ? "it has" : "they have", cores, cores == 1 ? "" : "s");
    }
}
