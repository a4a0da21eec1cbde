/* Dropout with the random words of PHILOX_MOST elements made at once, in vectors (philox_words.c).
 */
#include "kernels_internal.h"

#include "philox_words.h"

/* An element is dropped with the probability p, rounded down to a multiple of 2^-32, by one
 * comparison of whole numbers; the others grow by fl(1 / (1 - p)), so that the mean stays (inverted
 * dropout). */
AG_CLONES void ag_dropout_fast(float *x, size_t count, float p, uint64_t key, uint32_t place,
                               uint32_t step, uint64_t first)
{
    const philox_purpose of = {.key = key, .place = place, .step = step};
    const uint32_t dropped_below = (uint32_t)((double)p * 0x1p32);
    const float scale = 1 / (1 - p);
    uint32_t room[PHILOX_ROOM];
    for (size_t i = 0; i < count; i += PHILOX_MOST) {
        size_t n = count - i < PHILOX_MOST ? count - i : PHILOX_MOST;
        const uint32_t *words = ag_philox_words(room, &of, first + i, n);
        for (size_t j = 0; j < n; j++)
            x[i + j] = words[j] < dropped_below ? 0 : x[i + j] * scale;
    }
}
