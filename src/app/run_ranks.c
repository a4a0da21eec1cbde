/* How messages call a rank: with its host, which is what an administrator knows. */
#include "run_ranks.h"

#include <stdio.h>

const char *ag_rank_name(const ag_preflight *preflight, int rank)
{
    static _Thread_local char text[2][300];
    static _Thread_local int turn;
    char *name = text[turn ^= 1];
    const char *host = preflight->ranks[rank].host;
    snprintf(name, sizeof text[0], "rank %d%s%s", rank, host[0] != '\0' ? " on " : "", host);
    return name;
}
