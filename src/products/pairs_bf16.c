/* Products of normal pairs by VDPBF16PS: fma(a_lower, b_lower, fma(a_upper, b_upper, sum)), each
 * rounded to nearest even, subnormal inputs and results taken for 0 (Intel SDM, volume 2). The
 * first of two neighbours lies in the upper half, since that is the one which is added first. Only
 * the unmasked 512-bit intrinsic is used: gcc drops mask bits of the masked ones. */
#include <immintrin.h>

#include "lanes.h"

enum { LANES = 16, ROWS = 6, PER_WORD = 2 };
#define TILE 4

typedef VECTOR(float, LANES) lanes;
typedef VECTOR(uint32_t, LANES) words;

#define MULTIPLY_ADD(sum, a, b)                                                                    \
    ((lanes)_mm512_dpbf16_ps((__m512)(sum), (__m512bh)(a), (__m512bh)(b)))
#include "product.inc"

void ag_pairs_bf16(const ag_product *p)
{
    multiply(p);
}

const ag_by_panels ag_pairs_bf16_by_panels = {pack_panels, multiply_panels};

size_t ag_spin_pairs_bf16(float sums[AG_CHAINS], const uint32_t starts[AG_CHAINS], size_t rounds)
{
    return spin(sums, starts, rounds);
}
