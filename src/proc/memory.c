/* Memory as the kernel counts it. A limit on a process' addresses (RLIMIT_AS, RLIMIT_DATA) would
 * count what libraries reserve and never touch; what is resident is what a host runs out of. */
#include "proc/memory.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proc_internal.h"

/* Files of the kernel are lines "name number unit". */
bool ag_read_number(uint64_t *number, const char *path, const char *name)
{
    char line[256];
    char *end = line;
    size_t length = strlen(name);
    bool found = false;
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    while (!found && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, name, length) != 0)
            continue;
        errno = 0;
        *number = strtoull(line + length, &end, 10);
        found = end != line + length && errno == 0;
    }
    (void)fclose(file);
    return found;
}

static uint64_t read_host(const char *root, const char *file, const char *name)
{
    char path[4096];
    uint64_t number;
    snprintf(path, sizeof path, "%s%s", root, file);
    return ag_read_number(&number, path, name) ? number : 0;
}

/* The high-water mark of resident memory (proc(5)), in bytes. */
size_t ag_memory_peak(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    return (size_t)read_host("", path, "VmHWM:") * 1024;
}

/* What the host has, then what control groups leave of it. */
void ag_memory_limit_read(ag_memory_limit *limit, const char *root)
{
    uint64_t available = read_host(root, "/proc/meminfo", "MemAvailable:") * 1024;
    *limit = (ag_memory_limit){.bytes = read_host(root, "/proc/meminfo", "MemTotal:") * 1024,
                               .source = "/proc/meminfo"};
    limit->held = limit->bytes > available ? limit->bytes - available : 0;
    ag_cgroup_limit(limit, root);
}

uint64_t ag_memory_oom_kills(const char *root)
{
    uint64_t kills;
    return ag_cgroup_oom_kills(&kills, root) ? kills : read_host(root, "/proc/vmstat", "oom_kill ");
}
