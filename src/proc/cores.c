/* Cores by the kernel's affinity mask and /sys/devices/system/cpu. Two hardware threads of one core
 * share its vector units, so a trainer gains little from the second: cores are counted, not
 * threads. */
#include "proc/cores.h"

#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Hardware threads that the machine, or the container, has. */
static long online(void)
{
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count > 0 ? count : 1;
}

/* The first hardware thread of the core that `cpu` is one of; `cpu` where that is not known. */
static int first_sibling(int cpu)
{
    char path[96];
    int first = cpu;
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return cpu;
    if (fscanf(file, "%d", &first) != 1)
        first = cpu;
    (void)fclose(file);
    return first;
}

enum { MOST_CPUS = 8192 };

typedef struct mask {
    cpu_set_t *set;
    size_t bytes;
} mask;

static bool mask_read(mask *allowed)
{
    allowed->bytes = CPU_ALLOC_SIZE(MOST_CPUS);
    allowed->set = CPU_ALLOC(MOST_CPUS);
    return allowed->set != NULL && sched_getaffinity(0, allowed->bytes, allowed->set) == 0;
}

/* Cores of the mask; *cpus their hardware threads. */
static int count_cores(const mask *allowed, int *cpus)
{
    bool *seen = calloc(MOST_CPUS, sizeof *seen);
    int cores = 0;
    *cpus = 0;
    for (int cpu = 0; seen != NULL && cpu < MOST_CPUS; cpu++) {
        if (!CPU_ISSET_S((size_t)cpu, allowed->bytes, allowed->set))
            continue;
        int first = first_sibling(cpu);
        bool is_new = first < 0 || first >= MOST_CPUS || !seen[first];
        if (first >= 0 && first < MOST_CPUS)
            seen[first] = true;
        cores += is_new;
        ++*cpus;
    }
    free(seen);
    return cores;
}

/* A mask that cannot be read counts as one core: too few is slow, too many fights. */
int ag_cores_allowed(void)
{
    mask allowed;
    int cpus = 0;
    int cores = mask_read(&allowed) ? count_cores(&allowed, &cpus) : 1;
    CPU_FREE(allowed.set);
    return cores > 0 ? cores : 1;
}

/* What SLURM promised a task counts first. A mask of all cores binds nothing: they are then
 * everybody's. A mask that several ranks share, as a socket is shared, is cut into equal parts. */
int ag_cores_bound(int ranks)
{
    mask allowed;
    int cpus = 0;
    int cores = mask_read(&allowed) ? count_cores(&allowed, &cpus) : 0;
    CPU_FREE(allowed.set);
    const char *task = getenv("SLURM_CPUS_PER_TASK");
    if (task != NULL && atoi(task) > 0 && cores > 0)
        return atoi(task) < cores ? atoi(task) : cores;
    if (cores == 0 || cpus >= online())
        return 1;
    int part = ranks > 1 ? (int)(online() * cores / cpus / ranks) : cores;
    part = part < cores ? part : cores;
    return part > 0 ? part : 1;
}
