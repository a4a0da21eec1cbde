/* What is found damaged is set aside, never overwritten and never removed; what a kill left
 * unfinished is removed. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "run/run_json.h"
#include "store/guard.h"
#include "store_internal.h"

/* --- is the results file damaged? */

/* Whether this is, or was, a file of HDF5 or of altgrad: only such a one is moved. */
static bool may_be_ours(const char *path)
{
    static const char signature[] = "\x89HDF\r\n\x1a\n";
    char start[sizeof signature] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return false;
    ssize_t got = read(fd, start, sizeof signature - 1);
    close(fd);
    return got >= 0 && (memcmp(start, signature, (size_t)got) == 0 || ag_seal_is_there(path));
}

static ag_status open_ours(void *context)
{
    const ag_places *places = context;
    ag_h5 h5;
    ag_h5_open(&h5, places->results, AG_RESULTS_FORMAT, NULL);
    return ag_h5_close(&h5);
}

static ag_status open_any(void *context)
{
    const ag_places *places = context;
    ag_h5 h5;
    ag_h5_open(&h5, places->results, NULL, NULL);
    return ag_h5_close(&h5);
}

ag_status ag_judge_results(bool *damaged, char *reason, size_t size, const ag_places *places)
{
    const char *path = places->results;
    void *context = (void *)places;
    *damaged = false;
    ag_status status = ag_seal_check(path);
    if (status != AG_OK && status != AG_ERR_FILE)
        return status;
    bool sealed = status == AG_OK;
    snprintf(reason, size, "%s", ag_error_message());
    ag_error_clear();
    ag_status any = ag_guard(open_any, context);
    if (any != AG_OK && any != AG_ERR_FILE)
        return any;
    ag_error_clear();
    status = ag_guard(open_ours, context);
    if (status == AG_OK && !sealed && ag_seal_is_opened(path))
        return ag_seal_tell_open(path);
    if (status == AG_OK && sealed)
        return AG_OK;
    if (status != AG_OK && (any == AG_OK || sealed || !may_be_ours(path)))
        return status;
    ag_error_clear();
    *damaged = true;
    return AG_OK;
}

/* --- damaged files */

/* A free name in the folder: that of the file, or with a number behind it. */
static ag_status free_name(char to[AG_PATH_SIZE], const ag_places *places, const char *path)
{
    enum { MOST = 1000 };
    char name[AG_PATH_SIZE];
    const char *slash = strrchr(path, '/');
    const char *base = slash != NULL ? slash + 1 : path;
    AG_TRY(ag_path_join(to, places->damaged, base));
    for (int number = 2; number < MOST && access(to, F_OK) == 0; number++) {
        snprintf(name, sizeof name, "%.*s.%d", AG_PATH_SIZE - 8, base, number);
        AG_TRY(ag_path_join(to, places->damaged, name));
    }
    return AG_OK;
}

ag_status ag_set_aside(const ag_places *places, const char *path, const char *reason)
{
    char to[AG_PATH_SIZE];
    ag_text members;
    AG_TRY(ag_make_folders(places->damaged));
    AG_TRY(free_name(to, places, path));
    AG_TRY(ag_rename_synced(path, to));
    ag_log(AG_LOG_WARNING, "%s; it is now %s", reason, to);
    ag_text_init(&members);
    ag_text_add(&members, "\"file\": ");
    ag_json_string(&members, to);
    ag_text_add(&members, ", \"reason\": ");
    ag_json_string(&members, reason);
    ag_status status = ag_event_append(places, "damaged", members.data);
    ag_text_deinit(&members);
    return status;
}

static ag_status look_at_run(size_t *count, const ag_places *places, const char *id)
{
    char path[AG_PATH_SIZE];
    char reason[AG_PATH_SIZE + 256];
    AG_TRY(ag_run_path(path, places->runs, id));
    ag_status status = ag_seal_check(path);
    if (status != AG_ERR_FILE)
        return status;
    snprintf(reason, sizeof reason, "run %s is pending again: %s", id, ag_error_message());
    ag_error_clear();
    ++*count;
    return ag_set_aside(places, path, reason);
}

ag_status ag_set_runs_aside(size_t *count, const ag_places *places)
{
    ag_arena arena;
    ag_ids ids;
    ag_arena_init_growing(&arena);
    *count = 0;
    ag_status status = ag_list_ids(&ids, places->runs, ".h5", &arena);
    for (size_t i = 0; i < ids.count && status == AG_OK; i++)
        status = look_at_run(count, places, ids.id[i]);
    ag_arena_deinit(&arena);
    return status;
}

/* --- leftovers */

static bool ends_in(const char *name, const char *ending)
{
    size_t length = strlen(name);
    size_t end = strlen(ending);
    return length > end && strcmp(name + length - end, ending) == 0;
}

/* What somebody who wants to be the owner writes; one that is new may be of a living one. */
static bool is_old_claim(int folder, const char *name, const struct stat *owner)
{
    enum { OLD_S = 300 };
    struct stat facts;
    return strncmp(name, "owner.", strlen("owner.")) == 0 &&
           fstatat(folder, name, &facts, 0) == 0 && owner->st_mtime - facts.st_mtime > OLD_S;
}

static void remove_parts(const char *path, const ag_places *places)
{
    struct stat owner = {0};
    DIR *folder = opendir(path);
    if (folder == NULL)
        return;
    (void)stat(places->owner, &owner);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        const char *name = entry->d_name;
        bool is_part = ends_in(name, AG_TEMPORARY) && strncmp(name, "owner.", 6) != 0;
        if (is_part || is_old_claim(dirfd(folder), name, &owner))
            unlinkat(dirfd(folder), name, 0);
    }
    closedir(folder);
}

void ag_remove_leftovers(const ag_places *places)
{
    const char *const folders[] = {places->folder, places->runs, places->failed,
                                   places->checkpoints};
    ag_remove_folder(places->runs_old);
    ag_remove_folder(places->runs_new);
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++)
        remove_parts(folders[i], places);
}
