/* Descriptors: files without a name, and which of ours a child may inherit. Results of runs go
 * through /dev/shm where there is room, since a disk shared by many hosts is slow and may be full.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/unnamed.h"
#include "proc_internal.h"

/* F_DUPFD_CLOEXEC gives the lowest free number from AG_FIRST_KEPT_FD on. */
ag_status ag_fd_keep(int *fd)
{
    int kept = fcntl(*fd, F_DUPFD_CLOEXEC, AG_FIRST_KEPT_FD);
    int error = errno;
    close(*fd);
    *fd = kept;
    errno = error;
    return kept >= 0 ? AG_OK : ag_fail_errno("cannot keep a descriptor");
}

/* Room is asked for twice: the child may write its result through a second file. */
/* In memory first; a disk only if there is not enough. */
ag_status ag_scratch_open(int *fd, size_t bytes)
{
    const char *folders[] = {AG_MEMORY_FOLDER, ag_temporary_folder(), "/tmp"};
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        *fd = ag_folder_has_room(folders[i], 2. * (double)bytes) ? ag_unnamed_open(folders[i]) : -1;
        if (*fd >= 0)
            return ag_fd_keep(fd);
    }
    return ag_fail(AG_ERR_SYSTEM,
                   "no room for a temporary file of %zu MiB in /dev/shm, %s or /tmp (set TMPDIR)",
                   bytes >> 20, folders[1]);
}

void ag_fds_seal(void)
{
    DIR *folder = opendir("/proc/self/fd");
    if (folder == NULL)
        return;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        int fd = atoi(entry->d_name);
        if (fd > STDERR_FILENO)
            fcntl(fd, F_SETFD, FD_CLOEXEC);
    }
    closedir(folder);
}
