/* The weights that model.init names, in a process that may open HDF5 files. The digest is part of
 * the run's id, so they are read whole, and each tensor is compared with its checksum. */
#include "init_digest.h"

#include "base/arena.h"
#include "foreign/weights.h"
#include "init_weights.h"
#include "record/record.h"
#include "run/tensors.h"

/* Of the tensors of this run's model, and so a file with other shapes is refused here. */
static ag_status read_digest(char hex[AG_DIGEST_LENGTH + 1], const ag_run *run, ag_arena *arena)
{
    ag_tensor_table tensors;
    AG_TRY(ag_tensor_table_make(&tensors, &run->model, run->facts.vocab_size, arena));
    float *weights = ag_arena_floats(arena, tensors.total);
    if (weights == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory for the initial weights");
    AG_TRY(ag_init_read_weights(weights, &tensors, run));
    return ag_weights_digest(hex, &tensors, weights);
}

ag_status ag_init_digest_read(char hex[AG_DIGEST_LENGTH + 1], const ag_run *run)
{
    ag_arena arena;
    ag_arena_init_growing(&arena);
    ag_status status = read_digest(hex, run, &arena);
    ag_arena_deinit(&arena);
    return status;
}

/* What the user gave decides the way: labels, an id, or nothing, where the file must have one run.
 */
ag_status ag_init_find_here(ag_init_weights *found, const ag_run *run, void *context)
{
    ag_run named = *run;
    (void)context;
    *found = (ag_init_weights){0};
    if (ag_architecture_is_file(run->model.init_file))
        return ag_init_digest_read(found->digest, run);
    if (run->model.init_where[0] != '\0') {
        AG_TRY(ag_init_run_where(found->run, run->model.init_file, run->model.init_where));
        named.model.init_run = found->run;
    } else if (run->model.init_run[0] == '\0') {
        AG_TRY(ag_init_expect_one(run->model.init_file));
    }
    return ag_init_digest_read(found->digest, &named);
}
