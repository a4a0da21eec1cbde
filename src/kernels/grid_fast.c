/* Steps on the grid of a format (updates.h, ag_grid_fn), with the random words of many weights made
 * at once; the arithmetic is that of rungs.h, without a branch, so that the loop becomes vectors.
 */
#include "kernels_internal.h"

#include "philox_words.h"
#include "rungs.h"

AG_CLONES void ag_grid_fast(float *restrict w, float *restrict v, const float *restrict grad,
                            size_t count, const ag_grid_step *step, const ag_rounding_site *where)
{
    const rungs r = rungs_of(step);
    const philox_purpose of = philox_purpose_of(where);
    const float momentum = step->momentum;
    const float grad_scale = step->grad_scale;
    uint32_t room[PHILOX_ROOM];
    for (size_t i = 0; i < count; i += PHILOX_MOST) {
        size_t n = count - i < PHILOX_MOST ? count - i : PHILOX_MOST;
        const uint32_t *words = ag_philox_words(room, &of, i, n);
        for (size_t j = i; j < i + n; j++) {
            v[j] = momentum * v[j] + grad[j] * grad_scale;
            w[j] = rungs_move(w[j], v[j], words[j - i], &r);
        }
    }
}
