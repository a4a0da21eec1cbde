/* Where the kernel keeps the books on the memory of this process. A batch system or a container
 * sets its limit on a control group, some folders above the process: all limits on the way up hold,
 * and the tightest decides. Where the groups are mounted differs from host to host, so it is read
 * from /proc/self/mountinfo. Formats: proc(5), cgroups(7), and cgroup-v1/memory, cgroup-v2 in the
 * kernel's documentation. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proc_internal.h"

enum { PATH_SIZE = 4096 };

typedef struct file_names {
    const char *limit;
    const char *held;
    const char *cache; /* in memory.stat: not used lately, could be given up */
    const char *kills; /* file with "oom_kill N" */
} file_names;

static const file_names s_version_1 = {
    .limit = "memory.limit_in_bytes",
    .held = "memory.usage_in_bytes",
    .cache = "total_inactive_file ",
    .kills = "memory.oom_control",
};
static const file_names s_version_2 = {
    .limit = "memory.max",
    .held = "memory.current",
    .cache = "inactive_file ",
    .kills = "memory.events",
};

/* The folder of this process in the hierarchy that counts memory. */
typedef struct cgroup {
    const file_names *names;
    size_t top;           /* the length of the mount point in front of it */
    char path[PATH_SIZE]; /* as /proc/self/cgroup has it; then the folder */
} cgroup;

/* `root` stands before the paths of the kernel: "" but in tests, which bring folders of their own.
 */
static FILE *open_in(const char *root, const char *path)
{
    char full[PATH_SIZE];
    int length = snprintf(full, sizeof full, "%s%s", root, path);
    return length < PATH_SIZE ? fopen(full, "re") : NULL;
}

/* Whether `word` is one of a list with commas. */
static bool lists(const char *list, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = list; (at = strstr(at, word)) != NULL; at += length) {
        bool begins = at == list || at[-1] == ',';
        if (begins && (at[length] == ',' || at[length] == '\0'))
            return true;
    }
    return false;
}

/* Lines "id:controllers:path". Version 2 has no controllers there; where version 1 is mounted
 * beside it, memory may be counted by either. */
static bool find_path(cgroup *found, const char *root)
{
    char line[PATH_SIZE];
    FILE *file = open_in(root, "/proc/self/cgroup");
    found->names = NULL;
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        char *controllers = strchr(line, ':');
        char *path = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
        if (path == NULL)
            continue;
        *path++ = '\0';
        path[strcspn(path, "\n")] = '\0';
        bool first = lists(controllers + 1, "memory");
        bool second = controllers[1] == '\0' && found->names == NULL;
        if (first || second) {
            found->names = first ? &s_version_1 : &s_version_2;
            snprintf(found->path, sizeof found->path, "%s", path);
        }
    }
    if (file != NULL)
        (void)fclose(file);
    return found->names != NULL;
}

/* A line of /proc/self/mountinfo: "36 35 98:0 ROOT POINT options ... - TYPE source SUPER". */
static bool read_mount(char *line, bool first_version, char **top, char **point)
{
    char *behind = strstr(line, " - ");
    char type[32];
    char super[1024];
    char *save = NULL;
    if (behind == NULL || sscanf(behind, " - %31s %*s %1023s", type, super) != 2)
        return false;
    if (first_version ? strcmp(type, "cgroup") != 0 || !lists(super, "memory")
                      : strcmp(type, "cgroup2") != 0)
        return false;
    *behind = '\0';
    strtok_r(line, " ", &save);
    strtok_r(NULL, " ", &save);
    strtok_r(NULL, " ", &save);
    *top = strtok_r(NULL, " ", &save);
    *point = strtok_r(NULL, " ", &save);
    return *top != NULL && *point != NULL;
}

/* The path of the group within the mount. A container may see its own group as the top, or not see
 * where it is ("/.."): then the mount point itself is all that can be read. */
static const char *below_top(const char *path, const char *top)
{
    size_t length = strcmp(top, "/") == 0 ? 0 : strlen(top);
    bool inside = strncmp(path, top, length) == 0 && strncmp(path + length, "/..", 3) != 0;
    return inside && strcmp(path + length, "/") != 0 ? path + length : "";
}

static bool find_folder(cgroup *found, const char *root)
{
    char line[PATH_SIZE];
    char folder[PATH_SIZE];
    char *top = NULL;
    char *point = NULL;
    bool mounted = false;
    FILE *file = open_in(root, "/proc/self/mountinfo");
    while (!mounted && file != NULL && fgets(line, sizeof line, file) != NULL)
        mounted = read_mount(line, found->names == &s_version_1, &top, &point);
    if (file != NULL)
        (void)fclose(file);
    if (!mounted)
        return false;
    int length =
        snprintf(folder, sizeof folder, "%s%s%s", root, point, below_top(found->path, top));
    found->top = strlen(root) + strlen(point);
    memcpy(found->path, folder, sizeof folder);
    return length < PATH_SIZE;
}

/* The number in a file of a group's folder, behind `name` at the start of a line. */
static bool read_entry(uint64_t *number, const char *folder, const char *file, const char *name)
{
    char path[PATH_SIZE + 64];
    snprintf(path, sizeof path, "%s/%s", folder, file);
    return ag_read_number(number, path, name);
}

/* Takes over the limit of one group if it is tighter. File contents that the kernel would give up
 * first count as free, though the kernel counts them as used. */
static void keep_smaller(ag_memory_limit *limit, const cgroup *at)
{
    uint64_t bytes;
    uint64_t cache = 0;
    const file_names *names = at->names;
    if (!read_entry(&bytes, at->path, names->limit, "") ||
        (limit->bytes != 0 && bytes >= limit->bytes))
        return;
    limit->bytes = bytes;
    limit->held = 0;
    read_entry(&limit->held, at->path, names->held, "");
    read_entry(&cache, at->path, "memory.stat", names->cache);
    limit->held -= cache < limit->held ? cache : limit->held;
    snprintf(limit->source, sizeof limit->source, "%.*s/%s", AG_MEMORY_SOURCE - 32, at->path,
             names->limit);
}

/* To the folder above; false at the mount point. */
static bool ascend(cgroup *at)
{
    char *slash = strrchr(at->path, '/');
    if (slash == NULL || (size_t)(slash - at->path) < at->top)
        return false;
    *slash = '\0';
    return true;
}

/* From the process's own group up to the mount point. */
void ag_cgroup_limit(ag_memory_limit *limit, const char *root)
{
    cgroup at;
    if (!find_path(&at, root) || !find_folder(&at, root))
        return;
    do {
        keep_smaller(limit, &at);
    } while (ascend(&at));
}

bool ag_cgroup_oom_kills(uint64_t *kills, const char *root)
{
    cgroup at;
    return find_path(&at, root) && find_folder(&at, root) &&
           read_entry(kills, at.path, at.names->kills, "oom_kill ");
}
