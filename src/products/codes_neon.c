/* Products of codes by NEON: as floats. A product of two codes is below 2^14, and a block has at
 * most AG_MOST_BLOCK of them, so that every partial sum is exact in float32. */
#include "lanes.h"

enum { LANES = 4, ROWS = 6, PER_WORD = 1, WHOLE_BLOCK = 512 };
#define TILE 2

typedef VECTOR(float, LANES) lanes;
typedef VECTOR(uint32_t, LANES) words;
typedef lanes partial;

#define MULTIPLY_ADD(a, b, sum)                                                                    \
    ((lanes)vfmaq_f32((float32x4_t)(sum), (float32x4_t)(a), (float32x4_t)(b)))
#define DOT(sum, a, b) MULTIPLY_ADD((lanes)(a), (lanes)(b), sum)
#define START(correction) ((lanes)((correction) - (correction)))
#define TO_FLOAT(sum, correction) ((void)(correction), (sum))
#include "codes.inc"

void ag_codes_neon(const ag_product *p)
{
    multiply(p);
}

size_t ag_spin_codes_neon(float sums[AG_CHAINS], const uint32_t starts[AG_CHAINS], size_t rounds)
{
    return spin(sums, starts, rounds);
}
