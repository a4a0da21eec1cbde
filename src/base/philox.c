/* Philox4x32-10 (Salmon et al., SC 2011) and splitmix64 (Steele, Lea, Flood, OOPSLA 2014), which
 * make a key of a seed and a stream. Counter-based, so that a random number depends on what it is
 * for and not on how many were drawn before: runs can be resumed, sharded and compared.
 * kernels/philox_words.c has the same for many counters at once. */
#include "base/philox.h"

enum { ROUNDS = 10 };

ag_philox_block ag_philox(uint64_t key, uint32_t c0, uint32_t c1, uint32_t c2, uint32_t c3)
{
    uint32_t k0 = (uint32_t)key;
    uint32_t k1 = (uint32_t)(key >> 32);
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0;
        uint64_t p1 = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
        k0 += 0x9E3779B9u; /* the golden ratio */
        k1 += 0xBB67AE85u; /* sqrt(3) - 1 */
    }
    return (ag_philox_block){
        {c0, c1, c2, c3}
    };
}

uint64_t ag_splitmix64(uint64_t *state)
{
    *state += 0x9E3779B97F4A7C15u;
    uint64_t z = *state;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/* splitmix64 mixes all bits, so that neighbouring seeds and streams have unrelated keys. */
uint64_t ag_stream_key(uint64_t seed, ag_stream stream)
{
    uint64_t state = seed ^ (uint64_t)stream;
    return ag_splitmix64(&state);
}

/* The 53 bits of a double's significand: every value is as likely, and 1 is never reached. */
double ag_uniform53(uint32_t high, uint32_t low)
{
    uint64_t bits = ((uint64_t)high << 32 | low) >> 11;
    return (double)bits * 0x1p-53;
}
