/* run --shard K/N: which runs of the grid are this job's, and the name of its file. What a shard
 * trains depends on the grid alone, so that it is the same whenever and wherever it is asked. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "run_shard.h"

/* As many tasks as a large array of a batch system has. */
enum { MOST_SHARDS = 100000 };

/* strtol alone would take signs and spaces. */
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

/* SLURM tells of the tasks that were submitted together, not of those before them: a part of an
 * earlier array, submitted once more, looks like an array of its own. To guess would train the
 * wrong part, quietly. */
static ag_status check_whole(long task, long first, long last, long count)
{
    if (count == 1)
        return ag_fail(AG_ERR_INPUT,
                       "--shard auto: the array has one task, %ld, and would train the whole grid. "
                       "To repeat task %ld of an array 1-N, say --shard %ld/N, without --array; to "
                       "train everything, leave --shard out",
                       task, task, task);
    if (first > 1)
        return ag_fail(AG_ERR_INPUT,
                       "--shard auto: the array begins at %ld: is it a part of an earlier one? To "
                       "repeat task %ld of an array 1-N, say --shard %ld/N, without --array; a new "
                       "array counts from 1, as in sbatch --array=1-%ld (%ld to %ld)",
                       first, task, task, count, first, last);
    return AG_OK;
}

/* SLURM counts from where --array begins, 0 or 1, we count from 1. */
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
    AG_TRY(check_whole(task, first, last, count));
    *shard = (ag_shard){
        .index = (size_t)((task - first) / step), .count = (size_t)count, .is_auto = true};
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

/* Linear: shards are few, and this runs once. */
static size_t lightest(const double *loads, size_t count)
{
    size_t least = 0;
    for (size_t i = 1; i < count; i++) {
        if (loads[i] < loads[least])
            least = i;
    }
    return least;
}

/* The longest processing time first (Graham, "Bounds on multiprocessing timing anomalies", 1969):
 * at most 4/3 of the best division. Ties go by the run's index, so that every shard computes the
 * same division. */
ag_status ag_shard_choose(ag_task *tasks, size_t n_tasks, const ag_shard *shard)
{
    weighed *order = calloc(n_tasks + 1, sizeof *order);
    double *loads = calloc(shard->count + 1, sizeof *loads);
    ag_status status = AG_OK;
    if (order == NULL || loads == NULL) {
        status = ag_fail(AG_ERR_SYSTEM, "out of memory");
        goto cleanup;
    }
    for (size_t i = 0; i < n_tasks; i++)
        order[i] = (weighed){tasks[i].cost, i};
    qsort(order, n_tasks, sizeof *order, dearest_first);
    for (size_t i = 0; i < n_tasks; i++) {
        size_t to = lightest(loads, shard->count);
        loads[to] += order[i].cost;
        tasks[order[i].run].mine = to == shard->index;
    }
cleanup:
    free(order);
    free(loads);
    return status;
}

/* --- the files */

/* Without the ending that shards put behind their number. */
static size_t stem_length(const char *path)
{
    const size_t length = strlen(path);
    return length > 3 && strcmp(path + length - 3, ".h5") == 0 ? length - 3 : length;
}

/* N of "STEM-shardKofN.h5" and of its folder, 0 for other names. */
static long count_in_name(const char *name, const char *stem, size_t length)
{
    int k = 0;
    int n = 0;
    int end = 0;
    if (strncmp(name, stem, length) != 0 ||
        sscanf(name + length, "-shard%dof%d.h5%n", &k, &n, &end) != 2 || end == 0)
        return 0;
    const char *rest = name + length + end;
    return *rest == '\0' || strcmp(rest, ".d") == 0 ? n : 0;
}

/* The first file in `folder` that is a shard of another count; its name, or "". The first by name,
 * so that the message is the same each time. */
static void find_other(char name[256], const char *folder, const char *stem, size_t length,
                       size_t count)
{
    DIR *directory = opendir(folder);
    name[0] = '\0';
    for (const struct dirent *e; directory != NULL && (e = readdir(directory)) != NULL;) {
        long n = count_in_name(e->d_name, stem, length);
        if (n > 0 && (size_t)n != count && (name[0] == '\0' || strcmp(e->d_name, name) < 0))
            snprintf(name, 256, "%s", e->d_name);
    }
    if (directory != NULL)
        closedir(directory);
}

/* Another count divides the grid otherwise: runs would be trained twice, and some by nobody. */
ag_status ag_shard_check_others(const char *path, const ag_shard *shard)
{
    static const char format[] =
        "%s lies beside, a shard of another count than this %zu of %zu: the two train the same "
        "runs twice. To repeat a task of that array, say --shard K/N with its numbers, without "
        "--array; for a new division move those files away, or 'altgrad merge' them first";
    char name[256];
    char folder[4096];
    const char *slash = strrchr(path, '/');
    const char *stem = slash != NULL ? slash + 1 : path;
    snprintf(folder, sizeof folder, "%.*s", slash != NULL ? (int)(slash - path + 1) : 1,
             slash != NULL ? path : ".");
    find_other(name, folder, stem, stem_length(stem), shard->count);
    if (name[0] == '\0')
        return AG_OK;
    if (shard->is_auto)
        return ag_fail(AG_ERR_INPUT, format, name, shard->index + 1, shard->count);
    ag_log(AG_LOG_WARNING, format, name, shard->index + 1, shard->count);
    return AG_OK;
}

const char *ag_shard_path(const char *path, const ag_shard *shard, ag_arena *arena)
{
    const size_t stem = stem_length(path);
    return ag_arena_printf(arena, "%.*s-shard%zuof%zu%s", (int)stem, path, shard->index + 1,
                           shard->count, path + stem);
}
