/* Philox4x32-10 for 16 consecutive groups of four elements at a time, as loops over lanes. */
#ifndef AG_KERNELS_PHILOX_LANES_H
#define AG_KERNELS_PHILOX_LANES_H

#include <stddef.h>
#include <stdint.h>

enum { PHILOX_GROUPS = 16, PHILOX_WORDS = 4 * PHILOX_GROUPS };

/* What is constant in a sequence of random words: the counter is (low 32 bits of the group, its
 * next 24 | use << 24, site, step). */
typedef struct philox_place {
    uint64_t key;
    uint32_t use;
    uint32_t site;
    uint32_t step;
} philox_place;

/* words[4 j + i] = word i of group + j */
static inline void philox_lanes(uint32_t words[PHILOX_WORDS], const philox_place *place,
                                uint64_t group)
{
    for (size_t j = 0; j < PHILOX_GROUPS; j++) {
        uint32_t c0 = (uint32_t)(group + j);
        uint32_t c1 = ((uint32_t)((group + j) >> 32) & 0xffffffu) | place->use << 24;
        uint32_t c2 = place->site;
        uint32_t c3 = place->step;
        uint32_t k0 = (uint32_t)place->key;
        uint32_t k1 = (uint32_t)(place->key >> 32);
#pragma GCC unroll 10 /* so that the loop over j is the one that is vectorised */
        for (int round = 0; round < 10; round++) {
            uint64_t p0 = (uint64_t)0xD2511F53u * c0;
            uint64_t p1 = (uint64_t)0xCD9E8D57u * c2;
            c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
            c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
            c1 = (uint32_t)p1;
            c3 = (uint32_t)p0;
            k0 += 0x9E3779B9u;
            k1 += 0xBB67AE85u;
        }
        words[4 * j] = c0;
        words[4 * j + 1] = c1;
        words[4 * j + 2] = c2;
        words[4 * j + 3] = c3;
    }
}

#endif
