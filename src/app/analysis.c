/* Commands whose work Python does. This process becomes the interpreter: signals, streams and the
 * exit code are then its own, and nothing is passed on by hand. */
#include "analysis.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "build_facts.h"
#include "run_self.h"

/* Where the package may lie, seen from the folder of the program: as installed, and in a build
 * tree, where CMake made a link. */
static const char *const s_places[] = {AG_ANALYSIS_PLACE, "analysis-package"};

static bool is_package(const char *folder)
{
    char file[AG_PROGRAM_PATH];
    int length = snprintf(file, sizeof file, "%s/altgrad_analysis/__main__.py", folder);
    return length < (int)sizeof file && access(file, R_OK) == 0;
}

/* PYTHONPATH with the package in front, so that it is of the same version as this program. Where it
 * is in none of the places Python may have it by pip. */
static ag_status lead_to_package(ag_arena *arena)
{
    char program[AG_PROGRAM_PATH];
    AG_TRY(ag_program_path(program, "altgrad"));
    int folder = (int)(strrchr(program, '/') - program);
    for (size_t i = 0; i < sizeof s_places / sizeof s_places[0]; i++) {
        char *place = ag_arena_printf(arena, "%.*s/%s", folder, program, s_places[i]);
        if (place == NULL || !is_package(place))
            continue;
        const char *others = getenv("PYTHONPATH");
        if (others != NULL && others[0] != '\0')
            place = ag_arena_printf(arena, "%s:%s", place, others);
        if (place == NULL || setenv("PYTHONPATH", place, 1) != 0)
            return ag_fail(AG_ERR_SYSTEM, "out of memory");
        return AG_OK;
    }
    return AG_OK;
}

/* The interpreter's command line: -B, as what is installed for all is not written into by whoever
 * uses it. NULL without memory. */
static char **make_argv(const char *python, const char *const *arguments, ag_arena *arena)
{
    const char *const first[] = {python, "-B", "-m", "altgrad_analysis"};
    enum { N_FIRST = sizeof first / sizeof first[0] };
    size_t count = 0;
    while (arguments[count] != NULL)
        count++;
    char **argv = ag_arena_alloc(arena, (N_FIRST + count + 1) * sizeof *argv);
    for (size_t i = 0; argv != NULL && i < N_FIRST + count; i++) {
        argv[i] = ag_arena_strdup(arena, i < N_FIRST ? first[i] : arguments[i - N_FIRST]);
        if (argv[i] == NULL)
            return NULL;
    }
    if (argv != NULL)
        argv[N_FIRST + count] = NULL;
    return argv;
}

ag_status ag_analysis_become(const char *const *arguments, ag_arena *arena)
{
    const char *python = getenv("ALTGRAD_PYTHON");
    if (python == NULL || python[0] == '\0')
        python = "python3";
    AG_TRY(lead_to_package(arena));
    char **argv = make_argv(python, arguments, arena);
    if (argv == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    (void)fflush(NULL);
    execvp(python, argv);
    if (errno == ENOENT)
        return ag_fail(AG_ERR_SYSTEM,
                       "no program '%s': this command is done in Python 3 with h5py, numpy, pandas "
                       "and scipy; install it, or name it with ALTGRAD_PYTHON",
                       python);
    return ag_fail_errno("cannot start %s", python);
}
