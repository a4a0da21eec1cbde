/* What the formats of a grid are, for people: below the summary and in the plan. */
#ifndef AG_APP_FORMAT_FACTS_H
#define AG_APP_FORMAT_FACTS_H

#include <stdbool.h>

#include "base/text.h"
#include "run/grid.h"

/* Appends what each format quantises, and how: one line per format, more where its operands differ.
 * `selected` [n_runs] says whose formats; NULL: all. As a section of the plan it has a heading and
 * tells the bits of each format. */
void ag_format_facts(ag_text *out, const ag_grid *grid, const bool *selected, bool as_section);

#endif
