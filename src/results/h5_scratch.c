/* HDF5 written where a full disk cannot crash libhdf5, to be handed on as bytes. */
#include <errno.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/files.h"
#include "base/text.h"
#include "base/unnamed.h"
#include "h5.h"

/* As doubles: both factors are 64 bits wide. */
static bool has_room(const char *folder, size_t bytes)
{
    struct statvfs fs;
    return statvfs(folder, &fs) == 0 && access(folder, W_OK | X_OK) == 0 &&
           (double)fs.f_bavail * (double)fs.f_frsize > (double)bytes;
}

/* Memory first. proc/scratch.c has the same two places for the file in which a supervisor takes the
 * result over, but asks for twice the room, because this file is written beside it. */
static ag_status choose_folder(const char **folder, size_t bytes)
{
    const char *elsewhere = getenv("TMPDIR");
    if (elsewhere == NULL || elsewhere[0] == '\0')
        elsewhere = "/tmp";
    *folder = has_room("/dev/shm", bytes) ? "/dev/shm" : elsewhere;
    if (has_room(*folder, bytes))
        return AG_OK;
    return ag_fail(AG_ERR_SYSTEM,
                   "no room for a run file of %zu MiB in /dev/shm nor in %s; make room, or let "
                   "TMPDIR name a larger folder",
                   bytes >> 20, elsewhere);
}

/* What statvfs promises another process may take in the next moment; what is reserved stays ours.
 */
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
