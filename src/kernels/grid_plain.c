/* Steps on the grid of a format (updates.h, ag_grid_fn), with a random word made for each weight by
 * the definition in numerics. It shares its arithmetic, rungs.h, with the fast version; the judge
 * of that is tests/kernels/test_updates.c, which walks a table of all the format's values. */
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
