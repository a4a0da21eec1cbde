/* The last line of a run file or results file, behind what HDF5 reads, holds the size
 * and the crc32 of all before it: no bit can change unnoticed. */
#ifndef AG_SPOOL_SEAL_H
#define AG_SPOOL_SEAL_H

#include <stdbool.h>

#include "base/status.h"

ag_status ag_seal_fd(int fd, const char *path);
ag_status ag_seal_file(const char *path);

/* AG_ERR_FILE, with the path and what is wrong, where the file is not as it was sealed. */
ag_status ag_seal_check(const char *path);

/* Whether HDF5's mark is in the file that somebody writes it now, which its checksum does not
 * match; and the error that says so. */
bool ag_seal_is_opened(const char *path);
ag_status ag_seal_tell_open(const char *path);

/* Whether the file ends in a seal, right or not. */
bool ag_seal_is_there(const char *path);

#endif
