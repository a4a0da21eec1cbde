/* altgrad digest VOCAB model.KEY=VALUE...: the digest of the weights that model.init names and,
 * where it names them by labels, the id of their run, left in the result's descriptor. `run` starts
 * it, since its own process must not open HDF5. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/commands.h"
#include "init_digest.h"
#include "proc/child.h"
#include "run/params.h"

static ag_status set(ag_run *run, const char *text, ag_arena *arena)
{
    const char *equals = strchr(text, '=');
    const char *key =
        equals != NULL ? ag_arena_strndup(arena, text, (size_t)(equals - text)) : NULL;
    const ag_param *param = key != NULL ? ag_param_find(key) : NULL;
    if (param == NULL)
        return ag_fail(AG_ERR_INPUT, "'%s' sets no parameter", text);
    return ag_param_set(run, param, equals + 1, arena);
}

static ag_status find(ag_init_weights *found, char **argv, ag_arena *arena)
{
    ag_run run;
    ag_run_defaults(&run);
    run.facts.vocab_size = strtoll(argv[1], NULL, 10);
    for (size_t i = 2; argv[i] != NULL; i++)
        AG_TRY(set(&run, argv[i], arena));
    return ag_init_find_here(found, &run, NULL);
}

int ag_cmd_digest(int argc, char **argv)
{
    char text[AG_DIGEST_LENGTH + AG_ID_LENGTH + 1];
    ag_init_weights found;
    ag_arena arena;
    if (argc < 2)
        return ag_app_usage("digest", "of which weights?");
    ag_arena_init_growing(&arena);
    ag_status status = find(&found, argv, &arena);
    if (status == AG_OK) {
        int length = snprintf(text, sizeof text, "%s%s", found.digest, found.run);
        if (write(AG_CHILD_RESULT_FD, text, (size_t)length) != length)
            status = ag_fail_errno("cannot hand the digest over");
    }
    ag_arena_deinit(&arena);
    return ag_app_exit(status);
}
