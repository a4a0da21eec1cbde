/* HDF5 written where a full disk cannot crash libhdf5, to be handed on as bytes. */
#include <errno.h>
#include <unistd.h>

#include "base/files.h"
#include "base/text.h"
#include "base/unnamed.h"
#include "h5.h"

/* Memory first. proc/scratch.c has the same two places for the file in which a supervisor takes the
 * result over, but asks for twice the room, because this file is written beside it. Both must hold
 * it: on some clusters /dev/shm is small, and on some hosts /tmp is memory too. */
static ag_status choose_folder(const char **folder, size_t bytes)
{
    const char *elsewhere = ag_temporary_folder();
    *folder = ag_folder_has_room(AG_MEMORY_FOLDER, (double)bytes) ? AG_MEMORY_FOLDER : elsewhere;
    if (ag_folder_has_room(*folder, (double)bytes))
        return AG_OK;
    return ag_fail(AG_ERR_SYSTEM,
                   "no room for a run file of %zu MiB in " AG_MEMORY_FOLDER
                   " nor in %s; make room, or let "
                   "TMPDIR name a larger folder",
                   bytes >> 20, elsewhere);
}

/* What statvfs promises a quota or a limit of size may refuse: to reserve it for a moment shows. */
ag_status ag_h5_scratch_create(ag_h5 *h5, int *fd, size_t bytes)
{
    static const char name[] = "the run file in memory";
    const char *folder;
    AG_TRY(choose_folder(&folder, bytes));
    AG_TRY(ag_reserve(folder, name, (double)bytes));
    *fd = ag_unnamed_open(folder);
    if (*fd < 0)
        return ag_fail_errno("cannot make a temporary file in %s", folder);
    ag_h5_create_on(h5, *fd, name);
    return h5->status;
}

/* From the start, whatever libhdf5 has left the descriptor's place at. */
ag_status ag_h5_scratch_read(ag_text *bytes, int fd)
{
    char part[64 * 1024];
    ssize_t got;
    for (off_t at = 0; (got = pread(fd, part, sizeof part, at)) != 0; at += got > 0 ? got : 0) {
        if (got > 0)
            ag_text_add_n(bytes, part, (size_t)got);
        else if (errno != EINTR)
            return ag_fail_errno("cannot read a temporary file");
    }
    return bytes->failed ? ag_fail(AG_ERR_SYSTEM, "out of memory for a run file") : AG_OK;
}
