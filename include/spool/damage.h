/* What must not stay where it is: damaged files, and what a kill left unfinished. */
#ifndef AG_SPOOL_DAMAGE_H
#define AG_SPOOL_DAMAGE_H

#include <stddef.h>

#include "base/status.h"
#include "spool/places.h"

/* Moves a file to places->damaged under a name of its own, and says so on standard error. */
ag_status ag_set_aside(const ag_places *places, const char *path, const char *reason);

/* Looks at every run file, sets aside the damaged ones, and counts them. */
ag_status ag_set_runs_aside(size_t *count, const ag_places *places);

/* Removes what a killed altgrad left unfinished. For the owner. */
void ag_leftovers_remove(const ag_places *places);

#endif
