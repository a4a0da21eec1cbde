/* The state of train.start, for who trains with it and who asks what it is. */
#include "start_read.h"

#include "results/states.h"
#include "run/tensors.h"

ag_status ag_start_read(ag_start *start, char digest[AG_DIGEST_LENGTH + 1], const ag_run *run,
                        ag_arena *arena)
{
    ag_tensor_table tensors;
    const ag_state_named named = {run->train.start_file, run->train.start_run,
                                  run->train.start_step};
    AG_TRY(ag_tensor_table_make(&tensors, &run->model, run->facts.vocab_size, arena));
    AG_TRY(ag_results_start(start, &named, &run->model, &tensors, arena));
    return ag_kept_digest(digest, start, &tensors);
}
