/* Pairs of BF16 with VDPBF16PS (AVX512_BF16). On the CPUs where ag_pairs_probe says so it is
 *
 *   s = fma(a_lower, b_lower, fma(a_upper, b_upper, s))
 *
 * each step rounded once to nearest even whatever MXCSR says, subnormal inputs and results taken
 * for zero: with the earlier k in the upper half, two steps of the chain. The unmasked intrinsic
 * only: gcc's masked forms of 512 bits drop half of the mask. */
#include <immintrin.h>
#include <math.h>

#define ENGINE(name) ag_pairs_##name
#define PAIRED 1
enum { LANES = 16 };
typedef float vec __attribute__((vector_size(64)));
#define SPLAT(word) ((vec)_mm512_set1_epi32((int)*(word)))
#define MULTIPLY_ADD(x, b, s) ((vec)_mm512_dpbf16_ps((__m512)(s), (__m512bh)(x), (__m512bh)(b)))
#define VECTORS 4
#define ROWS(V) ((V) == 4 ? 6 : 8)
#include "engine.inc"

#include "base/bits.h"
#include "base/philox.h"

/* A BF16 value with an exponent field from 100 to 155; every eighth a power of two. */
static uint32_t probe_bf16(uint32_t random)
{
    uint32_t mantissa = (random & 7) == 0 ? 0 : random >> 8 & 0x7f;
    return (random >> 31) << 15 | (100 + (random >> 16) % 56) << 7 | mantissa;
}

static float value_of(uint32_t bf16)
{
    return ag_bits_float(bf16 << 16);
}

/* 4,096 random pairs; every other third summand cancels the upper or the lower product, so that any
 * other order or rounding shows. */
bool ag_pairs_probe(void)
{
    enum { CASES = 256 };
    uint64_t seed = 2;
    for (size_t i = 0; i < CASES; i++) {
        uint32_t a[LANES];
        uint32_t b[LANES];
        float s[LANES];
        float sums[LANES];
        for (size_t j = 0; j < LANES; j++) {
            uint32_t upper[2] = {probe_bf16((uint32_t)ag_splitmix64(&seed)),
                                 probe_bf16((uint32_t)ag_splitmix64(&seed))};
            uint32_t lower[2] = {probe_bf16((uint32_t)ag_splitmix64(&seed)),
                                 probe_bf16((uint32_t)ag_splitmix64(&seed))};
            float products[2] = {value_of(upper[0]) * value_of(upper[1]),
                                 value_of(lower[0]) * value_of(lower[1])};
            a[j] = upper[0] << 16 | lower[0];
            b[j] = upper[1] << 16 | lower[1];
            s[j] = i % 3 == 0 ? value_of(probe_bf16((uint32_t)ag_splitmix64(&seed)))
                              : -products[i % 3 - 1];
        }
        __m512 got = _mm512_dpbf16_ps(_mm512_loadu_ps(s), (__m512bh)_mm512_loadu_si512(a),
                                      (__m512bh)_mm512_loadu_si512(b));
        _mm512_storeu_ps(sums, got);
        for (size_t j = 0; j < LANES; j++) {
            float chain = fmaf(value_of(a[j] >> 16), value_of(b[j] >> 16), s[j]);
            chain = fmaf(value_of(a[j] & 0xffff), value_of(b[j] & 0xffff), chain);
            if (ag_float_bits(chain) != ag_float_bits(sums[j]))
                return false;
        }
    }
    return true;
}
