/* Philox4x32-10 for consecutive elements: one random word each, many counters at a time. */
#ifndef AG_KERNELS_PHILOX_WORDS_H
#define AG_KERNELS_PHILOX_WORDS_H

#include <stddef.h>
#include <stdint.h>

#include "numerics/quantize.h"

/* Words asked for at once, few enough to stay in the nearest cache; and the room that they need,
 * since words are made in runs of PHILOX_RUN and from the start of a counter on. */
enum { PHILOX_MOST = 256, PHILOX_RUN = 128, PHILOX_ROOM = PHILOX_MOST + PHILOX_RUN };

/* Few random bits are the upper ones of a word whose others are 0; half of the last of them more is
 * one more bit that is set. With such words rounding with 32 bits gives what the definition of few
 * bits says: the lower bits of the discarded part then carry nothing.
 *
 * What is constant in a sequence of random words: the counter is (low 32 bits of the group of four
 * elements, its next 24 | use << 24, place, step). */
typedef struct philox_purpose {
    uint64_t key;
    uint32_t use;
    uint32_t place;
    uint32_t step;
    uint32_t lost; /* bits of a word that do not count, */
    uint32_t set;  /* and those that are always 1 */
} philox_purpose;

static inline philox_purpose philox_purpose_of(const ag_rounding_site *where)
{
    uint32_t bits = where->bits > 0 ? (uint32_t)where->bits : 32;
    philox_purpose of = {where->key, where->use, where->place, where->step, 0, 0};
    if (bits < 32) {
        of.lost = UINT32_MAX >> bits;
        of.set = where->variant == AG_SR_HALF ? 0x80000000u >> bits : 0;
    }
    return of;
}

/* The words of the elements [first, first + n), n at most PHILOX_MOST; they lie in `room`. */
const uint32_t *ag_philox_words(uint32_t room[PHILOX_ROOM], const philox_purpose *of,
                                uint64_t first, size_t n);

#endif
