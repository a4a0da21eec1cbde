/* Products of codes by VPDPBUSD, which adds four products of an unsigned and a signed byte to an
 * int32 without saturating. A block's sum is below 2^24, so it is exact there and as a float. The
 * sum begins as the correction (codes.inc), which costs nothing. */
#include <immintrin.h>

#include "lanes.h"

enum { LANES = 16, ROWS = 6, PER_WORD = 4, WHOLE_BLOCK = 1024 };
#define TILE 4

typedef VECTOR(float, LANES) lanes;
typedef VECTOR(uint32_t, LANES) words;
typedef words partial;

#define START(correction) (correction)
#define DOT(sum, a, b) ((words)_mm512_dpbusd_epi32((__m512i)(sum), (__m512i)(a), (__m512i)(b)))
#define TO_FLOAT(sum, correction) ((void)(correction), (lanes)_mm512_cvtepi32_ps((__m512i)(sum)))
#define MULTIPLY_ADD(a, b, sum) ((lanes)_mm512_fmadd_ps((__m512)(a), (__m512)(b), (__m512)(sum)))
#include "codes.inc"

void ag_codes_vnni(const ag_product *p)
{
    multiply(p);
}

size_t ag_spin_codes_vnni(float sums[AG_CHAINS], const uint32_t starts[AG_CHAINS], size_t rounds)
{
    return spin(sums, starts, rounds);
}
