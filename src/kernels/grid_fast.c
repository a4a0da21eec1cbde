/* Steps on the grid with the random words of 64 weights made at once. */
#include "kernels_internal.h"

#include "philox_lanes.h"
#include "rungs.h"

AG_CLONES void ag_grid_fast(float *restrict w, float *restrict v, const float *restrict grad,
                            size_t count, const ag_grid_step *step, const ag_rounding_site *where)
{
    const rungs r = rungs_of(step);
    const philox_place place = {where->key, where->use, where->site, where->step};
    const float momentum = step->momentum;
    const float grad_scale = step->grad_scale;
    for (size_t i = 0; i < count; i += PHILOX_WORDS) {
        uint32_t words[PHILOX_WORDS];
        size_t n = count - i < PHILOX_WORDS ? count - i : PHILOX_WORDS;
        philox_lanes(words, &place, i / 4);
        for (size_t j = i; j < i + n; j++) {
            v[j] = momentum * v[j] + grad[j] * grad_scale;
            w[j] = rungs_move(w[j], v[j], words[j - i], &r);
        }
    }
}
