/* Products of codes by AVX2. VPMADDUBSW multiplies unsigned by signed bytes and adds pairs of
 * products in int16, which saturates: so a block's sums must fit there, as they do for codes of few
 * bits (E2M1) and short blocks. Where they do not, e.g. for INT8, products of floats serve. */
#include <immintrin.h>

#include "lanes.h"

enum { LANES = 8, ROWS = 3, PER_WORD = 4, WHOLE_BLOCK = 32 };
#define TILE 2

typedef VECTOR(float, LANES) lanes;
typedef VECTOR(uint32_t, LANES) words;
typedef words partial; /* two int16 sums each */

/* The two int16 of a word become one int32, and the correction is taken in. */
INLINE lanes to_float(words sums, words correction)
{
    __m256i sum = _mm256_madd_epi16((__m256i)sums, _mm256_set1_epi16(1));
    return (lanes)_mm256_cvtepi32_ps(_mm256_add_epi32(sum, (__m256i)correction));
}

#define START(correction) ((words)((correction) - (correction)))
#define DOT(sum, a, b)                                                                             \
    ((words)_mm256_add_epi16((__m256i)(sum), _mm256_maddubs_epi16((__m256i)(a), (__m256i)(b))))
#define TO_FLOAT(sum, correction) to_float(sum, correction)
#define MULTIPLY_ADD(a, b, sum) ((lanes)_mm256_fmadd_ps((__m256)(a), (__m256)(b), (__m256)(sum)))
#include "codes.inc"

/* Each int16 takes two products of a + 128 and b from every word of a block, at most 2 (128 + most
 * a) most b in magnitude. */
static bool fits(const ag_product *p)
{
    size_t block = p->block == 0 ? WHOLE_BLOCK : p->block;
    size_t product = (size_t)(128 + p->a.most_code) * (size_t)p->b.most_code;
    return (block + 3) / 4 * 2 * product <= INT16_MAX;
}

void ag_codes_avx2(const ag_product *p)
{
    if (fits(p))
        multiply(p);
    else
        ag_codes_floats_avx2(p);
}

size_t ag_spin_codes_avx2(float sums[AG_CHAINS], const uint32_t starts[AG_CHAINS], size_t rounds)
{
    return spin(sums, starts, rounds);
}
