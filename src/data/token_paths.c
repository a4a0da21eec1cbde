/* Which token files a corpus has: train.bin and val.bin of a folder, or all that a pattern matches.
 * The files of a pattern are one stream, in the order of their names. */
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data_internal.h"

static ag_status add_path(ag_token_paths *paths, const char *path)
{
    char **more = realloc(paths->paths, (paths->count + 1) * sizeof *more);
    if (more == NULL)
        return ag_fail(AG_ERR_SYSTEM, "no memory for a path");
    paths->paths = more;
    more[paths->count] = strdup(path);
    if (more[paths->count] == NULL)
        return ag_fail(AG_ERR_SYSTEM, "no memory for a path");
    paths->count++;
    return AG_OK;
}

/* Bytewise, so that the stream is the same in every language of the system. */
static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* By glob(3), unsorted: its own order depends on the locale. */
static ag_status expand_pattern(ag_token_paths *paths, const char *pattern, const char *key)
{
    glob_t found = {0};
    int end = glob(pattern, GLOB_ERR | GLOB_NOSORT, NULL, &found);
    ag_status status = AG_OK;
    if (end == GLOB_NOMATCH)
        status = ag_fail(AG_ERR_INPUT,
                         "%s '%s': no file matches this pattern; expected token files, such as "
                         "'DIR/*_train_*.bin' (* is any text, ? a character)",
                         key, pattern);
    else if (end != 0)
        status = ag_fail(AG_ERR_INPUT, "%s '%s': the folder cannot be read: %s", key, pattern,
                         end == GLOB_NOSPACE ? "no memory" : strerror(errno));
    for (size_t i = 0; status == AG_OK && i < found.gl_pathc; i++)
        status = add_path(paths, found.gl_pathv[i]);
    if (end == 0)
        globfree(&found);
    if (status == AG_OK)
        qsort(paths->paths, paths->count, sizeof *paths->paths, by_bytes);
    return status;
}

/* llm.c's names lie in the folder: they are a pattern's, not a folder's. */
static ag_status hint_at_shards(const char *folder)
{
    static const char *const patterns[] = {"%s/*train*.bin", "%s/*train*"};
    ag_status status = AG_OK;
    for (size_t i = 0; i < 2 && status == AG_OK; i++) {
        char pattern[4200];
        glob_t found = {0};
        snprintf(pattern, sizeof pattern, patterns[i], folder);
        if (glob(pattern, GLOB_NOSORT, NULL, &found) == 0) {
            status = ag_fail(AG_ERR_INPUT,
                             "data.bin '%s': has no train.bin, but %s; several files are named by "
                             "patterns: data: {bin_train: '%s/*train*.bin', bin_val: "
                             "'%s/*val*.bin'}",
                             folder, found.gl_pathv[0], folder, folder);
            globfree(&found);
        }
    }
    return status;
}

/* The names are nanoGPT's. */
static ag_status find_in_folder(ag_token_paths *paths, const char *folder, bool is_val)
{
    struct stat info;
    ag_text path;
    if (stat(folder, &info) == 0 && !S_ISDIR(info.st_mode))
        return ag_fail(AG_ERR_INPUT,
                       "data.bin '%s': is a file, expected the folder with train.bin and val.bin; "
                       "single files are named by data: {bin_train: FILE, bin_val: FILE}",
                       folder);
    ag_text_init(&path);
    ag_text_printf(&path, "%s/%s", folder, is_val ? "val.bin" : "train.bin");
    ag_status status = path.failed ? ag_fail(AG_ERR_SYSTEM, "no memory for a path") : AG_OK;
    if (status == AG_OK && !is_val && access(path.data, F_OK) != 0)
        status = hint_at_shards(folder);
    if (status == AG_OK)
        status = add_path(paths, path.data);
    ag_text_deinit(&path);
    return status;
}

/* A folder has one file per part; patterns may have many. */
ag_status ag_token_paths_find(ag_token_paths *paths, const ag_data_spec *spec, bool is_val)
{
    *paths = (ag_token_paths){0};
    ag_status status = ag_is_set(spec->bin)
                           ? find_in_folder(paths, spec->bin, is_val)
                           : expand_pattern(paths, is_val ? spec->bin_val : spec->bin_train,
                                            is_val ? "data.bin_val" : "data.bin_train");
    if (status != AG_OK)
        ag_token_paths_free(paths);
    return status;
}

void ag_token_paths_free(ag_token_paths *paths)
{
    for (size_t i = 0; i < paths->count; i++)
        free(paths->paths[i]);
    free(paths->paths);
    *paths = (ag_token_paths){0};
}
