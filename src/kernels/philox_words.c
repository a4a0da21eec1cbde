/* Philox4x32-10 (Salmon et al., SC 2011; base/philox.c is the definition) for many counters side by
 * side. All hangs on a multiplication of 32-bit numbers that keeps 64 bits: compilers make vectors
 * of the plain loop, but take AVX-512's instruction for it only when told. It is worth it, as
 * stochastic rounding asks for one word per element of every operand. */
#include "philox_words.h"

#include <stdbool.h>

#include "base/clones.h"

static const uint32_t MULTIPLIER[] = {0xD2511F53u, 0xCD9E8D57u};
static const uint32_t KEY_STEP[] = {0x9E3779B9u, 0xBB67AE85u};
enum { ROUNDS = 10 };

/* words[4 j + i] = word i of group + j */
AG_CLONES static void run_by_loops(uint32_t words[PHILOX_RUN], const philox_purpose *of,
                                   uint64_t group)
{
    for (size_t j = 0; j < PHILOX_RUN / 4; j++) {
        uint32_t c0 = (uint32_t)(group + j);
        uint32_t c1 = ((uint32_t)((group + j) >> 32) & 0xffffffu) | of->use << 24;
        uint32_t c2 = of->place;
        uint32_t c3 = of->step;
        uint32_t k0 = (uint32_t)of->key;
        uint32_t k1 = (uint32_t)(of->key >> 32);
#pragma GCC unroll 10 /* so that the loop over j is the one that is vectorised */
        for (int round = 0; round < ROUNDS; round++) {
            uint64_t p0 = (uint64_t)MULTIPLIER[0] * c0;
            uint64_t p1 = (uint64_t)MULTIPLIER[1] * c2;
            c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
            c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
            c1 = (uint32_t)p1;
            c3 = (uint32_t)p0;
            k0 += KEY_STEP[0];
            k1 += KEY_STEP[1];
        }
        words[4 * j] = c0;
        words[4 * j + 1] = c1;
        words[4 * j + 2] = c2;
        words[4 * j + 3] = c3;
    }
}

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

#define AVX512 __attribute__((target("avx512f"), always_inline)) static inline

/* A counter in each 64-bit lane, whose upper half means nothing: the multiplication reads lower
 * halves alone, so that a product is the next round's word as it stands. */
AVX512 void one_round(__m512i c[4], uint32_t k0, uint32_t k1)
{
    enum { XOR = 0x96 };
    __m512i p0 = _mm512_mul_epu32(c[0], _mm512_set1_epi64(MULTIPLIER[0]));
    __m512i p1 = _mm512_mul_epu32(c[2], _mm512_set1_epi64(MULTIPLIER[1]));
    c[0] = _mm512_ternarylogic_epi64(_mm512_srli_epi64(p1, 32), c[1], _mm512_set1_epi64(k0), XOR);
    c[2] = _mm512_ternarylogic_epi64(_mm512_srli_epi64(p0, 32), c[3], _mm512_set1_epi64(k1), XOR);
    c[1] = p1;
    c[3] = p0;
}

AVX512 void first_counters(__m512i c[4], const philox_purpose *of, uint64_t group)
{
    const __m512i lanes = _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7);
    c[0] = _mm512_add_epi64(_mm512_set1_epi64((long long)group), lanes);
    c[1] = _mm512_and_si512(_mm512_srli_epi64(c[0], 32), _mm512_set1_epi64(0xffffff));
    c[1] = _mm512_or_si512(c[1], _mm512_set1_epi64((uint32_t)(of->use << 24)));
    c[2] = _mm512_set1_epi64(of->place);
    c[3] = _mm512_set1_epi64(of->step);
}

/* The words of eight counters in the order of their elements: word i of counter j at 4 j + i.
 * Blending puts words 0 and 1 of a counter into one 64-bit lane, words 2 and 3 into another; a
 * permutation then brings the two together. */
AVX512 void store_words(uint32_t words[32], const __m512i c[4])
{
    const __m512i lower = _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11);
    const __m512i upper = _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15);
    __m512i words01 = _mm512_mask_blend_epi32(0xaaaa, c[0], _mm512_slli_epi64(c[1], 32));
    __m512i words23 = _mm512_mask_blend_epi32(0xaaaa, c[2], _mm512_slli_epi64(c[3], 32));
    _mm512_storeu_si512(words, _mm512_permutex2var_epi64(words01, lower, words23));
    _mm512_storeu_si512(words + 16, _mm512_permutex2var_epi64(words01, upper, words23));
}

/* words [32 vectors]. With several vectors side by side the multiplications of one fill the time in
 * which another waits for its products; ten rounds depend on each other. */
AVX512 void vectors_of_words(uint32_t *words, const philox_purpose *of, uint64_t group,
                             size_t vectors)
{
    __m512i c[4][4];
    uint32_t k0 = (uint32_t)of->key;
    uint32_t k1 = (uint32_t)(of->key >> 32);
    for (size_t v = 0; v < vectors; v++)
        first_counters(c[v], of, group + 8 * v);
#pragma GCC unroll 10
    for (int round = 0; round < ROUNDS; round++) {
#pragma GCC unroll 4
        for (size_t v = 0; v < vectors; v++)
            one_round(c[v], k0, k1);
        k0 += KEY_STEP[0];
        k1 += KEY_STEP[1];
    }
    for (size_t v = 0; v < vectors; v++)
        store_words(words + 32 * v, c[v]);
}

__attribute__((target("avx512f"))) static void
words_by_avx512(uint32_t *words, const philox_purpose *of, uint64_t group, size_t n)
{
    size_t i = 0;
    for (; i + PHILOX_RUN <= n; i += PHILOX_RUN)
        vectors_of_words(words + i, of, group + i / 4, 4);
    for (; i < n; i += 32)
        vectors_of_words(words + i, of, group + i / 4, 1);
}

static bool has_avx512(void)
{
    return __builtin_cpu_supports("avx512f");
}
#else
static bool has_avx512(void)
{
    return false;
}
#define words_by_avx512(words, of, group, n) ((void)0)
#endif

const uint32_t *ag_philox_words(uint32_t room[PHILOX_ROOM], const philox_purpose *of,
                                uint64_t first, size_t n)
{
    const size_t skipped = first & 3; /* words of the first group that belong to earlier elements */
    const uint64_t group = first >> 2;
    n += skipped;
    if (has_avx512())
        words_by_avx512(room, of, group, n);
    else
        for (size_t i = 0; i < n; i += PHILOX_RUN)
            run_by_loops(room + i, of, group + i / 4);
    if (of->lost != 0)
        for (size_t i = 0; i < n; i++)
            room[i] = (room[i] & ~of->lost) | of->set;
    return room + skipped;
}
