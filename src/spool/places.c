/* Every path beside a results file is made here, from one table: what a name means must not depend
 * on who asks. */
#include "spool/places.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"
#include "run/run.h"

typedef struct place_row {
    size_t offset;
    const char *name; /* inside the folder */
} place_row;

static const place_row s_places[] = {
    {offsetof(ag_places, owner),       "owner"               },
    {offsetof(ag_places, grid),        "grid.json"           },
    {offsetof(ag_places, labels),      "labels.json"         },
    {offsetof(ag_places, facts),       "facts.json"          },
    {offsetof(ag_places, plan),        "plan"                },
    {offsetof(ag_places, live),        "live.json"           },
    {offsetof(ag_places, curves),      "live"                },
    {offsetof(ag_places, stop),        "stop"                },
    {offsetof(ag_places, events),      "events.jsonl"        },
    {offsetof(ag_places, failed),      "failed"              },
    {offsetof(ag_places, logs),        "logs"                },
    {offsetof(ag_places, checkpoints), "checkpoints"         },
    {offsetof(ag_places, trunks),      "trunks"              },
    {offsetof(ag_places, runs),        "runs"                },
    {offsetof(ag_places, runs_new),    "runs.new"            },
    {offsetof(ag_places, runs_old),    "runs.old"            },
    {offsetof(ag_places, damaged),     "damaged"             },
    {offsetof(ag_places, unfinished),  "results" AG_TEMPORARY},
};

/* A link may lead to a disk that has room. The results lie where it leads, so that they have one
 * owner by whatever name, and a rename does not replace the link. */
static ag_status follow_links(char path[AG_PATH_SIZE])
{
    enum { MOST_LINKS = 40 }; /* as many as Linux follows */
    char folder[AG_PATH_SIZE];
    char target[AG_PATH_SIZE];
    for (int i = 0; i < MOST_LINKS; i++) {
        ssize_t length = readlink(path, target, sizeof target - 1);
        if (length < 0) /* no link, or nothing there yet */
            return AG_OK;
        target[length] = '\0';
        ag_folder_of(folder, path);
        if (target[0] == '/')
            snprintf(path, AG_PATH_SIZE, "%s", target);
        else
            AG_TRY(ag_path_join(path, folder, target));
    }
    return ag_fail(AG_ERR_INPUT, "%s: a symbolic link that leads in circles", path);
}

/* A rename would put results in the place of a device such as /dev/null. */
static ag_status check_kind(const char *path)
{
    struct stat facts;
    if (lstat(path, &facts) != 0 || S_ISREG(facts.st_mode))
        return AG_OK;
    if (S_ISDIR(facts.st_mode))
        return ag_fail(AG_ERR_INPUT, "%s: a folder, not a results file; name a file in it", path);
    return ag_fail(AG_ERR_INPUT, "%s: a device, pipe or socket, not a results file", path);
}

/* All paths at once, although most callers need two: then no path can be too long in the middle of
 * the work. */
ag_status ag_places_of(ag_places *places, const char *path)
{
    int results = snprintf(places->results, AG_PATH_SIZE, "%s", path);
    if (results <= 0)
        return ag_fail(AG_ERR_INPUT, "the results file has no name");
    if (results >= AG_PATH_SIZE)
        return ag_fail(AG_ERR_INPUT, "the path %.80s... is too long", path);
    AG_TRY(follow_links(places->results));
    AG_TRY(check_kind(places->results));
    int folder = snprintf(places->folder, AG_PATH_SIZE, "%s.d", places->results);
    if (folder >= AG_PATH_SIZE)
        return ag_fail(AG_ERR_INPUT, "the path %.80s... is too long", places->results);
    for (size_t i = 0; i < sizeof s_places / sizeof s_places[0]; i++)
        AG_TRY(ag_path_join((char *)places + s_places[i].offset, places->folder, s_places[i].name));
    return AG_OK;
}

/* In which folder is the caller's to say: runs, runs.new while a packed file is written back. */
ag_status ag_places_run(char path[AG_PATH_SIZE], const char *folder, const char *id)
{
    char name[AG_ID_LENGTH + 4];
    snprintf(name, sizeof name, "%.*s.h5", AG_ID_LENGTH, id);
    return ag_path_join(path, folder, name);
}
