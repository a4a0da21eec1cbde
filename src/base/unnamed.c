/* Files without a name: O_TMPFILE, or, on file systems that do not have it, a file that is unlinked
 * as soon as it is open. Nothing is left behind however the process ends. */
#include "base/unnamed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

const char *ag_temporary_folder(void)
{
    const char *chosen = getenv("TMPDIR");
    return chosen != NULL && chosen[0] != '\0' ? chosen : "/tmp";
}

bool ag_folder_has_room(const char *folder, double bytes)
{
    struct statvfs space;
    return statvfs(folder, &space) == 0 && access(folder, W_OK | X_OK) == 0 &&
           (double)space.f_bavail * (double)space.f_frsize >= bytes;
}

int ag_unnamed_open(const char *folder)
{
    char path[4096];
    int fd = open(folder, O_TMPFILE | O_RDWR | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0)
        return fd;
    int length = snprintf(path, sizeof path, "%s/altgrad-XXXXXX", folder);
    if (length < 0 || (size_t)length >= sizeof path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        unlink(path);
    return fd;
}
