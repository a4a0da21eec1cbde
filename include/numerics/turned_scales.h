/* One scale of rotated values by the sums over its elements, for those that add them up in loops of
 * their own; numerics/groups.h has all scales of a matrix. */
#ifndef AG_NUMERICS_TURNED_SCALES_H
#define AG_NUMERICS_TURNED_SCALES_H

#include <stddef.h>

#include "numerics/groups.h"

/* MS-EDEN: by what the scales of a run are multiplied before they are rounded; num is its sum of
 * y^2, den that of y q. */
float ag_eden_correction(float num, float den);

/* Where their rounding takes its random words, given where the elements take theirs. */
ag_rounding_site ag_eden_site(const ag_rounding_site *elements);

/* QuEST: 2^e of the standard deviation times the width that leaves E2M1 the least error; of the
 * sums of x and x^2 of `count` elements. */
ag_block_scale ag_quest_scale(float s1, float s2, size_t count);

#endif
