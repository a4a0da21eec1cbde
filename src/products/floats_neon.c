/* Products of floats by NEON: 6 x 4 vectors of sums, 4 of b and 1 of a are 29 of the 32 registers.
 */
#include "lanes.h"

enum { LANES = 4, ROWS = 6, PER_WORD = 1 };
#define TILE 4

typedef VECTOR(float, LANES) lanes;
typedef VECTOR(uint32_t, LANES) words;

#define MULTIPLY_ADD(sum, a, b)                                                                    \
    ((lanes)vfmaq_f32((float32x4_t)(sum), (float32x4_t)(a), (float32x4_t)(b)))
#include "product.inc"

void ag_floats_neon(const ag_product *p)
{
    multiply(p);
}

const ag_by_panels ag_floats_neon_by_panels = {pack_panels, multiply_panels};

size_t ag_spin_floats_neon(float sums[AG_CHAINS], const uint32_t starts[AG_CHAINS], size_t rounds)
{
    return spin(sums, starts, rounds);
}
