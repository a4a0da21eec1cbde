/* Products of codes by AVX-512 without VNNI: as floats. A product of two codes is below 2^14, and a
 * block has at most AG_MOST_BLOCK of them, so that every partial sum is exact in float32. */
#include <immintrin.h>

#include "lanes.h"

enum { LANES = 16, ROWS = 6, PER_WORD = 1, WHOLE_BLOCK = 512 };
#define TILE 2

typedef VECTOR(float, LANES) lanes;
typedef VECTOR(uint32_t, LANES) words;
typedef lanes partial;

#define MULTIPLY_ADD(a, b, sum) ((lanes)_mm512_fmadd_ps((__m512)(a), (__m512)(b), (__m512)(sum)))
#define DOT(sum, a, b) MULTIPLY_ADD((lanes)(a), (lanes)(b), sum)
#define START(correction) ((lanes)((correction) - (correction)))
#define TO_FLOAT(sum, correction) ((void)(correction), (sum))
#include "codes.inc"

void ag_codes_avx512(const ag_product *p)
{
    multiply(p);
}

size_t ag_spin_codes_avx512(float sums[AG_CHAINS], const uint32_t starts[AG_CHAINS], size_t rounds)
{
    return spin(sums, starts, rounds);
}
