/* An experiment file in the place of a results file. */
#include "wrong_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/commands.h"
#include "config/experiment.h"
#include "init_digest.h"
#include "start_state.h"

enum { LOOKED_AT = 64 * 1024 }; /* bytes; of a longer experiment file the key is near its start */

/* The beginning of a file as a string; "" where it cannot be read. Without waiting on a pipe. */
static size_t read_start(char text[LOOKED_AT + 1], const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t got = fd >= 0 ? read(fd, text, LOOKED_AT) : 0;
    if (fd >= 0)
        close(fd);
    size_t length = got > 0 ? (size_t)got : 0;
    text[length] = '\0';
    return length;
}

/* Text with the line "altgrad: ...". Zero bytes are in every HDF5 file, and in no text. */
static bool is_experiment(const char *path)
{
    static const char key[] = "altgrad:";
    char text[LOOKED_AT + 1];
    size_t length = read_start(text, path);
    if (length == 0 || strlen(text) != length)
        return false;
    for (const char *at = text; (at = strstr(at, key)) != NULL; at++) {
        if (at == text || at[-1] == '\n')
            return true;
    }
    return false;
}

/* "" where the experiment cannot be read without an error. Nothing is told of such an error here:
 * the user has asked for something else. */
static void find_results(char *out, size_t size, const char *path)
{
    ag_text unused;
    ag_arena arena;
    ag_experiment *experiment = NULL;
    const ag_experiment_options how = {.find_init = ag_init_find_here,
                                       .find_start = ag_start_find_here};
    out[0] = '\0';
    const char *found = "";
    ag_text_init(&unused);
    ag_arena_init_growing(&arena);
    if (ag_experiment_load(&experiment, path, &how, &unused) == AG_OK) {
        if (ag_app_results_path(&found, NULL, ag_experiment_grid(experiment), &arena) == AG_OK)
            snprintf(out, size, "%s", found);
        ag_experiment_destroy(experiment);
    }
    ag_error_clear();
    ag_arena_deinit(&arena);
    ag_text_deinit(&unused);
}

/* The two files of an experiment are mixed up by everybody at first, and one knows the other: so
 * the message names the right one. */
ag_status ag_app_expect_results(const char *path)
{
    char results[4096];
    if (!is_experiment(path))
        return AG_OK;
    find_results(results, sizeof results, path);
    if (results[0] == '\0')
        return ag_fail(AG_ERR_INPUT,
                       "%s is an experiment file, and a results file is expected here: 'altgrad "
                       "plan %s' tells which one is its own",
                       path, path);
    return ag_fail(AG_ERR_INPUT,
                   "%s is an experiment file, and a results file is expected here: its own is %s%s",
                   path, results, access(results, F_OK) == 0 ? "" : ", which is not there yet");
}

bool ag_app_is_folder_of_results(const char *path)
{
    struct stat facts;
    size_t length = strlen(path);
    while (length > 0 && path[length - 1] == '/')
        length--;
    return length > 5 && strncmp(path + length - 5, ".h5.d", 5) == 0 && stat(path, &facts) == 0 &&
           S_ISDIR(facts.st_mode);
}
