/* Dropout by its definition, one element at a time. Element i takes word i mod 4 of the Philox
 * block with counter floor(i / 4): which elements are dropped depends on seed, place, step and
 * index alone. */
#include "kernels_internal.h"

#include "base/philox.h"

void ag_dropout_plain(float *x, size_t count, float p, uint64_t key, uint32_t place, uint32_t step,
                      uint64_t first)
{
    const uint32_t dropped_below = (uint32_t)((double)p * 0x1p32);
    const float scale = 1 / (1 - p);
    for (size_t i = 0; i < count; i++) {
        uint64_t index = first + i;
        uint64_t group = index >> 2;
        ag_philox_block random =
            ag_philox(key, (uint32_t)group, (uint32_t)(group >> 32) & 0xffffffu, place, step);
        x[i] = random.word[index & 3] < dropped_below ? 0 : x[i] * scale;
    }
}
