/* Products of floats by AVX2 and FMA: 6 x 2 vectors of sums, 2 of b and 1 of a are 15 of the 16
 * registers, and 12 chains hide the latency of a multiply-add (4 or 5 cycles at 2 per cycle). */
#include <immintrin.h>

#include "lanes.h"

enum { LANES = 8, ROWS = 6, PER_WORD = 1 };
#define TILE 2

typedef VECTOR(float, LANES) lanes;
typedef VECTOR(uint32_t, LANES) words;

#define MULTIPLY_ADD(sum, a, b) ((lanes)_mm256_fmadd_ps((__m256)(a), (__m256)(b), (__m256)(sum)))
#include "product.inc"

void ag_floats_avx2(const ag_product *p)
{
    multiply(p);
}

const ag_by_panels ag_floats_avx2_by_panels = {pack_panels, multiply_panels};

size_t ag_spin_floats_avx2(float sums[AG_CHAINS], const uint32_t starts[AG_CHAINS], size_t rounds)
{
    return spin(sums, starts, rounds);
}
