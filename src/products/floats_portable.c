/* Products of floats on any processor: by fmaf, which is slow where the processor has no such
 * instruction, but right. It is the engine that every other is measured against in tests. */
#include <math.h>

#include "lanes.h"

enum { LANES = 4, ROWS = 4, PER_WORD = 1 };
#define TILE 2

typedef VECTOR(float, LANES) lanes;
typedef VECTOR(uint32_t, LANES) words;

INLINE lanes multiply_add(lanes sum, words a, words b)
{
    for (int i = 0; i < LANES; i++)
        sum[i] = fmaf(((lanes)a)[i], ((lanes)b)[i], sum[i]);
    return sum;
}

#define MULTIPLY_ADD multiply_add
#include "product.inc"

void ag_floats_portable(const ag_product *p)
{
    multiply(p);
}

const ag_by_panels ag_floats_portable_by_panels = {pack_panels, multiply_panels};

size_t ag_spin_floats_portable(float sums[AG_CHAINS], const uint32_t starts[AG_CHAINS],
                               size_t rounds)
{
    return spin(sums, starts, rounds);
}
