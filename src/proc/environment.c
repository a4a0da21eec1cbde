/* The environment of a child: ours, without what would make it a rank of our MPI job. A trainer
 * links no MPI, but a library that it loads might, or a tool that it is run under. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proc_internal.h"

/* Of Open MPI and its runtime, of MPICH and its launcher. */
static const char *const s_launcher_prefixes[] = {"OMPI_", "PMIX_", "PMI_",      "ORTE_",
                                                  "PRTE_", "HYD",   "MPI_LOCAL", "MPIR_CVAR_"};

/* Whether a launcher set the variable, to tell a process that it is a rank. */
static bool is_launchers(const char *variable)
{
    for (size_t i = 0; i < sizeof s_launcher_prefixes / sizeof s_launcher_prefixes[0]; i++) {
        const char *prefix = s_launcher_prefixes[i];
        if (strncmp(variable, prefix, strlen(prefix)) == 0)
            return true;
    }
    return false;
}

static bool is_replaced(const char *variable, const char *const *overlay)
{
    for (; overlay != NULL && *overlay != NULL; overlay++) {
        size_t name = strcspn(*overlay, "=") + 1;
        if (strncmp(variable, *overlay, name) == 0)
            return true;
    }
    return false;
}

/* "NAME=value" of the overlay takes the place of the inherited NAME. One array is allocated, no
 * strings. */
char **ag_environment_make(const char *const *overlay)
{
    size_t count = 1;
    for (char **variable = environ; *variable != NULL; variable++)
        count++;
    for (size_t i = 0; overlay != NULL && overlay[i] != NULL; i++)
        count++;
    char **made = calloc(count, sizeof *made);
    if (made == NULL)
        return NULL;
    size_t used = 0;
    for (char **variable = environ; *variable != NULL; variable++) {
        if (!is_launchers(*variable) && !is_replaced(*variable, overlay))
            made[used++] = *variable;
    }
    for (size_t i = 0; overlay != NULL && overlay[i] != NULL; i++)
        made[used++] = (char *)overlay[i];
    return made;
}
