/* Paths as users write them: in the experiment file, in --set and after -o. */
#ifndef AG_BASE_PATH_H
#define AG_BASE_PATH_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/status.h"

/* Expands a path as a shell does: ~ and ~USER at its beginning, $NAME and ${NAME} anywhere; \$ and
 * a leading \~ are the characters themselves. What a variable holds is not expanded again. *out is
 * `path` itself where there is nothing to expand, else in the arena. AG_ERR_INPUT with a message
 * that names the path: a variable that is not set, a user who is not known, ${NAME:-...}, $(...),
 * $1. */
ag_status ag_path_expand(const char **out, const char *path, ag_arena *arena);

/* `path` as it is meant in `folder`; itself where it is absolute. Of a pattern for glob() the
 * folder's own characters mean themselves. In the arena; NULL when memory runs out. */
const char *ag_path_after(const char *folder, const char *path, bool is_pattern, ag_arena *arena);

#endif
