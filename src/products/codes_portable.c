/* Products of codes on any processor: as floats. A product of two codes is below 2^14, and a block
 * has at most AG_MOST_BLOCK of them, so that every partial sum is exact in float32. */
#include <math.h>

#include "lanes.h"

enum { LANES = 4, ROWS = 3, PER_WORD = 1, WHOLE_BLOCK = 512 };
#define TILE 2

typedef VECTOR(float, LANES) lanes;
typedef VECTOR(uint32_t, LANES) words;
typedef lanes partial;

INLINE lanes multiply_add(lanes a, lanes b, lanes sum)
{
    for (int i = 0; i < LANES; i++)
        sum[i] = fmaf(a[i], b[i], sum[i]);
    return sum;
}

#define MULTIPLY_ADD multiply_add
#define DOT(sum, a, b) MULTIPLY_ADD((lanes)(a), (lanes)(b), sum)
#define START(correction) ((lanes)((correction) - (correction)))
#define TO_FLOAT(sum, correction) ((void)(correction), (sum))
#include "codes.inc"

void ag_codes_portable(const ag_product *p)
{
    multiply(p);
}

size_t ag_spin_codes_portable(float sums[AG_CHAINS], const uint32_t starts[AG_CHAINS],
                              size_t rounds)
{
    return spin(sums, starts, rounds);
}
