/* What merge and adopt share. */
#ifndef AG_APP_MERGE_PARTS_H
#define AG_APP_MERGE_PARTS_H

#include <stddef.h>

/* Takes complete runs from parts [count] into OUT: those that the experiment `file` names, or OUT's
 * own where that is NULL. Returns the exit code. */
int ag_adopt_runs(const char *out, const char *file, char **parts, size_t count);

#endif
