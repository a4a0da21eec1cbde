/* What is found damaged is set aside, never overwritten and never removed; what a kill left
 * unfinished is removed. */
#include "spool/damage.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/files.h"
#include "base/log.h"
#include "base/text.h"
#include "run/run_json.h"
#include "spool/events.h"
#include "spool/ids.h"
#include "spool/places.h"
#include "spool/seal.h"

/* --- damaged files */

/* A free name in the folder: that of the file, or with a number behind it. Two damaged files of one
 * name are both evidence: a second one must not take the place of the first. Numbers end somewhere,
 * so that a folder nobody may list is an error and no endless loop. */
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

/* Told on standard error and in the events: whoever finds a run trained twice should find out why.
 */
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

/* Only AG_ERR_FILE speaks of the file's content. Where it cannot be read, because of permissions or
 * a disk that fails for the moment, it may be as good as ever and stays. */
static ag_status look_at_run(size_t *count, const ag_places *places, const char *id)
{
    char path[AG_PATH_SIZE];
    char reason[AG_PATH_SIZE + 256];
    AG_TRY(ag_places_run(path, places->runs, id));
    ag_status status = ag_seal_check(path);
    if (status != AG_ERR_FILE)
        return status;
    snprintf(reason, sizeof reason, "run %s is pending again: %s", id, ag_error_message());
    ag_error_clear();
    ++*count;
    return ag_set_aside(places, path, reason);
}

/* Reads every byte of every run file. That is a few seconds per GB, once at the start, against
 * results that look complete and are not. */
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

/* The ending alone is no such file: something must stand before it. */
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

/* Claims of owners end otherwise: theirs may be of one who is taking over at this very moment, so
 * they go by age. */
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

/* Files in the making lie in these folders and nowhere else. What has its final name is whole and
 * stays. */
void ag_leftovers_remove(const ag_places *places)
{
    const char *const folders[] = {places->folder, places->runs, places->failed,
                                   places->checkpoints, places->trunks};
    ag_remove_folder(places->runs_old);
    ag_remove_folder(places->runs_new);
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++)
        remove_parts(folders[i], places);
}
