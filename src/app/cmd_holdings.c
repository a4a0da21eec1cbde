/* altgrad holdings OUT: what results hold, left in the result's descriptor: a line with the
 * libraries that they were computed with, BLAS alone where only the runs tell, then the id of each
 * complete run. `run` starts it, since its own process must not open HDF5. */
#include <string.h>
#include <unistd.h>

#include "app/commands.h"
#include "base/text.h"
#include "proc/child.h"
#include "store/merge.h"

static ag_status list(ag_text *text, const char *path, ag_arena *arena)
{
    ag_job_facts facts;
    const char(*ids)[AG_ID_LENGTH + 1];
    size_t count = 0;
    ag_status status = ag_results_completed(&ids, &count, path, arena);
    if (status != AG_OK && status != AG_ERR_FILE)
        return status;
    ag_error_clear(); /* of a damaged file `run` takes what is good, and tells */
    if (ag_results_facts(&facts, path, arena) != AG_OK || facts.libraries == NULL)
        facts.libraries = "";
    ag_error_clear(); /* there is nothing yet, or `run` writes the facts anew */
    if (strstr(facts.libraries, "BLAS") == NULL)
        AG_TRY(ag_results_blas(&facts.libraries, path, arena));
    ag_text_printf(text, "%.*s\n", (int)strcspn(facts.libraries, "\n"), facts.libraries);
    for (size_t i = 0; i < count; i++)
        ag_text_printf(text, "%s\n", ids[i]);
    return text->failed ? ag_fail(AG_ERR_SYSTEM, "out of memory") : AG_OK;
}

int ag_cmd_holdings(int argc, char **argv)
{
    ag_text text;
    ag_arena arena;
    if (argc != 2)
        return ag_app_usage("holdings", "of which results file?");
    ag_arena_init_growing(&arena);
    ag_text_init(&text);
    ag_status status = list(&text, argv[1], &arena);
    if (status == AG_OK &&
        write(AG_CHILD_RESULT_FD, text.data, text.length) != (ssize_t)text.length)
        status = ag_fail_errno("cannot hand the holdings over");
    ag_text_deinit(&text);
    ag_arena_deinit(&arena);
    return ag_app_exit(status);
}
