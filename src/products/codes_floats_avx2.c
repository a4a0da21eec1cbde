/* Products of codes by AVX2 and FMA where int16 is too narrow (codes_avx2.c): as floats, in which
 * every partial sum of a block is exact. */
#include <immintrin.h>

#include "lanes.h"

enum { LANES = 8, ROWS = 3, PER_WORD = 1, WHOLE_BLOCK = 512 };
#define TILE 2

typedef VECTOR(float, LANES) lanes;
typedef VECTOR(uint32_t, LANES) words;
typedef lanes partial;

#define MULTIPLY_ADD(a, b, sum) ((lanes)_mm256_fmadd_ps((__m256)(a), (__m256)(b), (__m256)(sum)))
#define DOT(sum, a, b) MULTIPLY_ADD((lanes)(a), (lanes)(b), sum)
#define START(correction) ((lanes)((correction) - (correction)))
#define TO_FLOAT(sum, correction) ((void)(correction), (sum))
#include "codes.inc"

void ag_codes_floats_avx2(const ag_product *p)
{
    multiply(p);
}
