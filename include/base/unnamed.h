/* Files without a name: they go with their last descriptor, however the process ends. */
#ifndef AG_BASE_UNNAMED_H
#define AG_BASE_UNNAMED_H

#include <stdbool.h>

/* Where temporary files go: into memory while it has room, else where TMPDIR says, else into /tmp.
 */
#define AG_MEMORY_FOLDER "/dev/shm"
const char *ag_temporary_folder(void);

/* Whether a file of so many bytes can be made in the folder, as far as that can be seen: limits and
 * quotas show only when it is written. */
bool ag_folder_has_room(const char *folder, double bytes);

/* Opens one on the file system of `folder`, to be read and written, closed on exec. -1 with errno
 * set where it cannot. Some file systems (NFS) have none: there it has a name for a moment. */
int ag_unnamed_open(const char *folder);

#endif
