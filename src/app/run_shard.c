/* run --shard K/N: which runs of the grid are this job's, and the name of its file. What a shard
 * trains depends on the grid alone, so that it is the same whenever and wherever it is asked. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run_internal.h"

enum { MOST_SHARDS = 100000 };

static bool parse_whole(long *out, const char *text, char end)
{
    char *rest = NULL;
    *out = strtol(text, &rest, 10);
    return rest != text && *rest == end && text[0] >= '0' && text[0] <= '9';
}

/* A number of the job array; `missing` where the variable is not set. */
static ag_status array_number(long *out, const char *name, long missing)
{
    const char *text = getenv(name);
    *out = missing;
    if (text != NULL && parse_whole(out, text, '\0'))
        return AG_OK;
    if (text == NULL && missing > 0)
        return AG_OK;
    return ag_fail(AG_ERR_INPUT,
                   "--shard auto takes its part from the job array, but %s is %s%s%s: submit with "
                   "sbatch --array=1-N, or say --shard K/N",
                   name, text != NULL ? "'" : "not set", text != NULL ? text : "",
                   text != NULL ? "'" : "");
}

/* SLURM counts from wherever --array begins, we count from 1. */
static ag_status take_array(ag_shard *shard)
{
    long task = 0;
    long first = 0;
    long last = 0;
    long step = 0;
    long count = 0;
    AG_TRY(array_number(&task, "SLURM_ARRAY_TASK_ID", 0));
    AG_TRY(array_number(&first, "SLURM_ARRAY_TASK_MIN", 0));
    AG_TRY(array_number(&last, "SLURM_ARRAY_TASK_MAX", 0));
    AG_TRY(array_number(&count, "SLURM_ARRAY_TASK_COUNT", 0));
    AG_TRY(array_number(&step, "SLURM_ARRAY_TASK_STEP", 1));
    if (step < 1 || count < 1 || count > MOST_SHARDS || last - first != (count - 1) * step ||
        task < first || task > last || (task - first) % step != 0)
        return ag_fail(
            AG_ERR_INPUT,
            "--shard auto: task %ld of an array of %ld from %ld to %ld: the numbers must "
            "follow each other, as in sbatch --array=1-%ld; else say --shard K/N",
            task, count, first, last, count > 0 ? count : 1);
    *shard = (ag_shard){.index = (size_t)((task - first) / step), .count = (size_t)count};
    return AG_OK;
}

ag_status ag_shard_parse(ag_shard *shard, const char *text)
{
    long k = 0;
    long n = 0;
    if (strcmp(text, "auto") == 0)
        return take_array(shard);
    const char *slash = strchr(text, '/');
    if (slash == NULL || !parse_whole(&k, text, '/') || !parse_whole(&n, slash + 1, '\0') ||
        k < 1 || k > n || n > MOST_SHARDS)
        return ag_fail(AG_ERR_INPUT,
                       "--shard takes K/N with K from 1 to N, such as 2/3, or auto; not '%s'",
                       text);
    *shard = (ag_shard){.index = (size_t)k - 1, .count = (size_t)n};
    return AG_OK;
}

/* --- the dearest run first, each to the shard that has least so far */

typedef struct weighed {
    double cost;
    size_t run;
} weighed;

static int dearest_first(const void *a, const void *b)
{
    const weighed *x = a;
    const weighed *y = b;
    if (x->cost != y->cost)
        return x->cost > y->cost ? -1 : 1;
    return x->run < y->run ? -1 : 1;
}

static size_t lightest(const double *loads, size_t count)
{
    size_t least = 0;
    for (size_t i = 1; i < count; i++) {
        if (loads[i] < loads[least])
            least = i;
    }
    return least;
}

ag_status ag_shard_choose(bool *mine, const ag_shard *shard, const double *costs, size_t n_runs)
{
    weighed *order = calloc(n_runs + 1, sizeof *order);
    double *loads = calloc(shard->count + 1, sizeof *loads);
    ag_status status = AG_OK;
    if (order == NULL || loads == NULL) {
        status = ag_fail(AG_ERR_SYSTEM, "out of memory");
        goto cleanup;
    }
    for (size_t i = 0; i < n_runs; i++)
        order[i] = (weighed){costs[i], i};
    qsort(order, n_runs, sizeof *order, dearest_first);
    for (size_t i = 0; i < n_runs; i++) {
        size_t to = lightest(loads, shard->count);
        loads[to] += order[i].cost;
        mine[order[i].run] = to == shard->index;
    }
cleanup:
    free(order);
    free(loads);
    return status;
}

const char *ag_shard_path(const char *path, const ag_shard *shard, ag_arena *arena)
{
    size_t length = strlen(path);
    size_t stem = length > 3 && strcmp(path + length - 3, ".h5") == 0 ? length - 3 : length;
    return ag_arena_printf(arena, "%.*s-shard%zuof%zu%s", (int)stem, path, shard->index + 1,
                           shard->count, path + stem);
}
