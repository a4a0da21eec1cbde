/* The job's facts that the results keep. */
#include <stdlib.h>
#include <string.h>

#include "base/printable.h"
#include "data/corpus.h"
#include "run/run_json.h"
#include "run_facts.h"

/* The tokens of the grid's first text, as a JSON array; "" where it has none. The results then
 * decode samples of text by themselves, years after the corpus was moved. */
static ag_status vocabulary(const char **json, const ag_grid *grid, ag_arena *arena)
{
    ag_corpus corpus;
    ag_text text;
    size_t run = 0;
    *json = "";
    while (run < grid->n_runs && grid->runs[run].data.text[0] == '\0')
        run++;
    if (run == grid->n_runs)
        return AG_OK;
    AG_TRY(ag_corpus_open(&corpus, &grid->runs[run].data, grid->runs[run].model.block_size));
    ag_text_init(&text);
    for (int64_t i = 0; corpus.vocab != NULL && i < corpus.facts.vocab_size; i++) {
        char symbol[5];
        ag_utf8_write(symbol, corpus.vocab[i]);
        ag_text_add(&text, i == 0 ? "[" : ",");
        ag_json_string(&text, symbol);
    }
    if (text.length > 0)
        ag_text_add(&text, "]");
    *json = ag_arena_strdup(arena, text.data);
    ag_text_deinit(&text);
    ag_corpus_close(&corpus);
    return *json != NULL ? AG_OK : ag_fail(AG_ERR_SYSTEM, "out of memory");
}

/* By its variables: no library of a batch system is needed, and none of them may be there. The
 * restart count is what lets a requeued job take over at once (owner.c). */
static const char *batch_job(ag_arena *arena)
{
    const char *id = getenv("SLURM_JOB_ID");
    const char *nodes = getenv("SLURM_JOB_NUM_NODES");
    const char *restarts = getenv("SLURM_RESTART_COUNT"); /* from the first requeue on */
    if (id == NULL)
        return "";
    return ag_arena_printf(arena, "SLURM %s, %s nodes%s%s", id, nodes ? nodes : "?",
                           restarts != NULL ? ", restart " : "", restarts != NULL ? restarts : "");
}

/* One per rank, comma-separated. */
static const char *list_hosts(const ag_preflight *preflight, ag_arena *arena)
{
    ag_text text;
    ag_text_init(&text);
    for (int rank = 0; rank < preflight->n_ranks; rank++)
        ag_text_printf(&text, "%s%s", rank > 0 ? "," : "", preflight->ranks[rank].host);
    const char *hosts = ag_arena_strdup(arena, text.data);
    ag_text_deinit(&text);
    return hosts;
}

ag_status ag_run_facts(ag_job_facts *facts, const ag_run_session *session, ag_arena *arena)
{
    *facts = (ag_job_facts){.build = "altgrad " ALTGRAD_VERSION,
                            .libraries = session->preflight.libraries,
                            .hosts = list_hosts(&session->preflight, arena),
                            .job = batch_job(arena),
                            .ranks = session->preflight.n_ranks};
    return vocabulary(&facts->vocabulary, session->grid, arena);
}
