/* What `altgrad merge` takes out of other results: whole runs as bytes, and the facts of the job
 * that made them. Each run is verified on its way, since what is copied unverified is damage twice.
 */
#include "results/merge.h"

#include "base/arena.h"
#include "base/files.h"
#include "base/text.h"
#include "h5.h"
#include "spool/notes.h"
#include "spool/places.h"
#include "spool/seal.h"
#include "state.h"
#include "verify.h"

/* Of spooled results the run file itself: not a byte is written anew. */
ag_status ag_results_run_bytes(ag_text *bytes, const char *path, const char *id)
{
    ag_places places;
    ag_state state;
    char file[AG_PATH_SIZE];
    AG_TRY(ag_state_find(&state, &places, path));
    if (state == AG_STATE_PACKED)
        return ag_unpack_bytes(bytes, id, &places);
    AG_TRY(ag_places_run(file, places.runs, id));
    AG_TRY(ag_seal_check(file));
    AG_TRY(ag_results_verify(file));
    return ag_read_whole(bytes, file);
}

/* Only of a packed file: run files are judged one by one. */
bool ag_results_are_damaged(const char *path)
{
    ag_places places;
    bool damaged = ag_places_of(&places, path) == AG_OK && !ag_is_folder(places.runs) &&
                   ag_seal_check(path) == AG_ERR_FILE;
    ag_error_clear();
    return damaged;
}

/* Fixed sizes, in the arena: the list of hosts of a large job is long. These are attributes, since
 * a packed file has no facts.json beside it. */
static ag_status packed_facts(ag_job_facts *facts, const ag_places *places, ag_arena *arena)
{
    typedef struct texts {
        char build[128];
        char libraries[512];
        char hosts[8192];
        char job[128];
        int64_t ranks;
    } texts;
    static const ag_column columns[] = {
        {"build",     AG_CELL_TEXT, offsetof(texts, build),     sizeof((texts *)0)->build    },
        {"libraries", AG_CELL_TEXT, offsetof(texts, libraries), sizeof((texts *)0)->libraries},
        {"hosts",     AG_CELL_TEXT, offsetof(texts, hosts),     sizeof((texts *)0)->hosts    },
        {"job",       AG_CELL_TEXT, offsetof(texts, job),       sizeof((texts *)0)->job      },
        {"ranks",     AG_CELL_I64,  offsetof(texts, ranks),     0                            },
    };
    ag_h5 h5;
    texts *read = ag_arena_alloc(arena, sizeof *read);
    if (read == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory for the facts of %s", places->results);
    ag_h5_open(&h5, places->results, AG_RESULTS_FORMAT, NULL);
    hid_t group = ag_h5_group(&h5, h5.id, "experiment");
    ag_h5_get(&h5, group, columns, sizeof columns / sizeof columns[0], read);
    *facts = (ag_job_facts){.build = read->build,
                            .libraries = read->libraries,
                            .hosts = read->hosts,
                            .job = read->job,
                            .vocabulary = ag_h5_read_text(&h5, group, "vocabulary", arena),
                            .ranks = (int)read->ranks};
    ag_h5_release(group);
    return ag_h5_close(&h5);
}

/* Of a damaged file they are worth no failure: the runs are what merge was asked for. */
ag_status ag_results_facts(ag_job_facts *facts, const char *path, ag_arena *arena)
{
    ag_places places;
    ag_state state;
    ag_facts read;
    *facts = (ag_job_facts){.build = "not known"};
    if (ag_results_are_damaged(path)) {
        AG_TRY(ag_places_of(&places, path));
        if (ag_notes_read_facts(&read, places.facts, arena) == AG_OK)
            *facts = read.job;
        ag_error_clear();
        return AG_OK;
    }
    AG_TRY(ag_state_find(&state, &places, path));
    if (state == AG_STATE_PACKED)
        return packed_facts(facts, &places, arena);
    AG_TRY(ag_notes_read_facts(&read, places.facts, arena));
    *facts = read.job;
    return AG_OK;
}
