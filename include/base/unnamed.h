/* Files without a name: they go with their last descriptor, however the process ends. */
#ifndef AG_BASE_UNNAMED_H
#define AG_BASE_UNNAMED_H

/* Opens one on the file system of `folder`, to be read and written, closed on exec. -1 with errno
 * set where it cannot. Some file systems (NFS) have none: there it has a name for a moment. */
int ag_unnamed_open(const char *folder);

#endif
