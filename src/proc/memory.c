/* Memory as the kernel counts it. A limit on a process' addresses (RLIMIT_AS, RLIMIT_DATA) would
 * count what OpenBLAS reserves and never touches; what is resident is what a host runs out of. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proc_internal.h"

/* The number behind `name` at the start of a line of a file in /proc; 0 where there is none. */
static size_t read_number(const char *path, const char *name)
{
    char line[256];
    size_t length = strlen(name);
    size_t number = 0;
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return 0;
    while (fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, name, length) == 0) {
            number = strtoul(line + length, NULL, 10);
            break;
        }
    }
    (void)fclose(file);
    return number;
}

size_t ag_memory_peak(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    return read_number(path, "VmHWM:") * 1024;
}

size_t ag_memory_oom_kills(void)
{
    return read_number("/proc/vmstat", "oom_kill ");
}
