/* Steps on the grid with a random word made for each weight. */
#include "kernels_internal.h"

#include "rungs.h"

void ag_grid_plain(float *restrict w, float *restrict v, const float *restrict grad, size_t count,
                   const ag_grid_step *step, const ag_rounding_site *where)
{
    const rungs r = rungs_of(step);
    for (size_t i = 0; i < count; i++) {
        v[i] = step->momentum * v[i] + grad[i] * step->grad_scale;
        w[i] = rungs_move(w[i], v[i], ag_rounding_random(where, i), &r);
    }
}
