/* The state that train.start names by the id of its run. */
#ifndef AG_APP_START_READ_H
#define AG_APP_START_READ_H

#include "base/arena.h"
#include "base/status.h"
#include "run/kept_state.h"

/* With its digest; in the arena, where *start must stay where it is. */
ag_status ag_start_read(ag_start *start, char digest[AG_DIGEST_LENGTH + 1], const ag_run *run,
                        ag_arena *arena);

#endif
