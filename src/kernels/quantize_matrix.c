/* A whole matrix under a scheme, in the steps of numerics/groups.h. */
#include "kernels_internal.h"

ag_groups ag_matrix_scale(const ag_kernels *k, ag_scales *scales, const float *x,
                          const ag_matrix *matrix, const ag_scheme *scheme)
{
    ag_groups groups = ag_groups_of(scheme, matrix);
    k->groups_amax(scales->scale, x, &groups, ag_scheme_keeps_nan(scheme));
    k->scales_set(scales, scheme, ag_groups_count(&groups));
    return groups;
}

void ag_matrix_quantize(const ag_kernels *k, float *out, const float *x, const ag_matrix *matrix,
                        const ag_scheme *scheme, ag_scales *scales, const ag_rounding_site *where)
{
    size_t count = matrix->rows * matrix->cols;
    if (scheme->hadamard) {
        k->hadamard(out, x, matrix->rows, matrix->cols);
        x = out;
    }
    ag_groups groups = ag_matrix_scale(k, scales, x, matrix, scheme);
    k->quantize_groups(out, x, &groups, scales, scheme, where, matrix->first);
    if (scales->factor != 1.0f)
        for (size_t i = 0; i < count; i++)
            out[i] *= scales->factor;
}
