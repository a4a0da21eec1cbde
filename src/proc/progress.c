/* The page that a trainer and its supervisor share (progress.h). Shared memory rather than a pipe:
 * the trainer never waits to write it, the supervisor reads the latest state and no history, and
 * what it says survives a kill. */
#include "proc/progress.h"

#include <sys/mman.h>
#include <unistd.h>

#include "proc_internal.h"

ag_status ag_progress_map(ag_progress_page **out, int fd)
{
    void *memory = mmap(NULL, sizeof **out, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        return ag_fail_errno("cannot map the progress page");
    *out = memory;
    return AG_OK;
}

/* A new file is all zero, which is right for every member but this one. */
ag_status ag_progress_create(ag_progress_page **out, int *fd)
{
    AG_TRY(ag_scratch_open(fd, sizeof **out));
    ag_status status;
    if (ftruncate(*fd, sizeof **out) != 0)
        status = ag_fail_errno("cannot make the progress page");
    else
        status = ag_progress_map(out, *fd);
    if (status == AG_OK)
        atomic_store(&(*out)->eval_step, -1);
    else
        close(*fd);
    return status;
}

void ag_progress_close(ag_progress_page *page)
{
    if (page != NULL)
        munmap(page, sizeof *page);
}
