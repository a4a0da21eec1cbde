/* The words are in files of every version and in the output of commands that scripts read: they
 * never change. */
#include "run/run_status.h"

#include <string.h>

const char *const ag_run_status_words[AG_RUN_STATUSES] = {[AG_RUN_DONE] = "done",
                                                          [AG_RUN_DIVERGED] = "diverged",
                                                          [AG_RUN_FAILED] = "failed",
                                                          [AG_RUN_PENDING] = "pending"};

ag_run_status ag_run_status_of(const char *word)
{
    for (ag_run_status status = 0; status < AG_RUN_STATUSES; status++) {
        if (strcmp(word, ag_run_status_words[status]) == 0)
            return status;
    }
    return AG_RUN_FAILED;
}
