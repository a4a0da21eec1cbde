/* What runs were called when the grid still named them (labels.json). */
#ifndef AG_SPOOL_FORMER_H
#define AG_SPOOL_FORMER_H

#include <stddef.h>

#include "base/arena.h"
#include "base/status.h"
#include "run/grid.h"
#include "spool/places.h"

/* Notes the labels of the complete runs that the grid with the text `before` names and `now` does
 * not, and what `known`, the text of another labels.json, says. */
ag_status ag_former_note(const ag_places *places, const char *before, const ag_grid *now,
                         const char *known);

/* Fills axes and labels of `former` and nothing else: the axes of `now`, then others that any of
 * the runs had; the label of run ids[i] is labels[i]. What is not known is "", NaN and INT64_MIN.
 */
ag_status ag_former_read(ag_grid *former, const ag_grid *now, const char *text,
                         const char *const *ids, size_t count, ag_arena *arena);

/* The text of labels.json in the arena; "{}" where there is none, as when nothing was ever an
 * orphan. */
ag_status ag_former_text(const char **text, const ag_places *places, ag_arena *arena);

/* "E4M3 uniform 0"; NULL when memory runs out. */
const char *ag_former_name(const ag_label *label, size_t n_axes, ag_arena *arena);

#endif
