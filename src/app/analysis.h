/* The analysis package, for commands that are done there: report, and the tables of export. */
#ifndef AG_APP_ANALYSIS_H
#define AG_APP_ANALYSIS_H

#include "base/arena.h"
#include "base/status.h"

/* Becomes `python3 -m altgrad_analysis ARGUMENTS`, whose exit code is then ours; `arguments` ends
 * with NULL. The interpreter is $ALTGRAD_PYTHON or python3 of PATH. The package is the one that was
 * installed with this program, that of the tree it was built in, or one that Python knows. Returns
 * only on failure: AG_ERR_SYSTEM. */
ag_status ag_analysis_become(const char *const *arguments, ag_arena *arena);

#endif
