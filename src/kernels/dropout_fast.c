/* Dropout with the random words of 64 elements made at once. */
#include "kernels_internal.h"

#include "philox_lanes.h"

AG_CLONES void ag_dropout_fast(float *x, size_t count, float p, uint64_t key, uint32_t site,
                               uint32_t step, uint64_t first)
{
    const philox_place place = {.key = key, .site = site, .step = step};
    const uint32_t dropped_below = (uint32_t)((double)p * 0x1p32);
    const float scale = 1 / (1 - p);
    size_t skipped = first & 3; /* words of the first group that belong to earlier elements */
    uint64_t group = first >> 2;
    for (size_t i = 0; i < count;) {
        uint32_t words[PHILOX_WORDS];
        philox_lanes(words, &place, group);
        size_t fits = PHILOX_WORDS - skipped;
        size_t n = count - i < fits ? count - i : fits;
        for (size_t j = 0; j < n; j++)
            x[i + j] = words[skipped + j] < dropped_below ? 0 : x[i + j] * scale;
        i += n;
        group += PHILOX_GROUPS;
        skipped = 0;
    }
}
