/* Groups of elements that share a scale, one value at a time: the definition, against which
 * kernels/groups_fast.c is held. */
#include "numerics/groups.h"

#include <math.h>
#include <string.h>

#include "base/sizes.h"
#include "numerics_internal.h"

/* --- which elements share a scale */

/* Rows of a group as the product sees them, and their length; without a limit where the group has
 * all. */
static void group_size(size_t *lines, size_t *length, const ag_scheme *scheme)
{
    *lines = SIZE_MAX;
    *length = SIZE_MAX;
    if (scheme->granularity == AG_GRANULARITY_ROW)
        *lines = 1;
    else if (scheme->granularity == AG_GRANULARITY_COL || scheme->channel != AG_CHANNEL_NONE)
        *length = 1;
    else if (scheme->granularity != AG_GRANULARITY_TENSOR) {
        *lines = (size_t)scheme->block_rows;
        *length = (size_t)scheme->block_cols;
    }
}

/* `lines` and `length` are the product's; along which axis they lie depends on which axis it sums
 * over. Channels of their own are columns whatever the product. */
ag_groups ag_groups_of(const ag_scheme *scheme, const ag_matrix *matrix)
{
    size_t lines;
    size_t length;
    group_size(&lines, &length, scheme);
    bool along_rows = matrix->sum == AG_SUM_COLS || scheme->channel != AG_CHANNEL_NONE;
    ag_groups g = {.rows = matrix->rows, .cols = matrix->cols};
    g.height = ag_smaller(along_rows ? lines : length, g.rows > 0 ? g.rows : 1);
    g.width = ag_smaller(along_rows ? length : lines, g.cols > 0 ? g.cols : 1);
    g.down = ag_pieces(g.rows, g.height);
    g.across = ag_pieces(g.cols, g.width);
    return g;
}

/* --- amaxes */

bool ag_scheme_keeps_nan(const ag_scheme *scheme)
{
    return ag_scheme_scales(scheme) == AG_SCALE_E8M0;
}

void ag_groups_amax(float *amax, const float *x, const ag_groups *groups, bool keep_nan)
{
    memset(amax, 0, ag_groups_count(groups) * sizeof *amax);
    for (size_t row = 0; row < groups->rows; row++) {
        for (size_t col = 0; col < groups->cols; col++) {
            float *largest = &amax[ag_groups_at(groups, row, col)];
            uint32_t magnitude = ag_float_bits(x[row * groups->cols + col]) & AG_MAGNITUDE_BITS;
            if (magnitude > AG_INFINITE_BITS)
                magnitude = keep_nan ? AG_NAN_BITS : 0;
            if (magnitude > ag_float_bits(*largest)) /* ordered as the values, NaN above Inf */
                *largest = ag_bits_float(magnitude);
        }
    }
}

/* --- the whole */

void ag_quantize_matrix(float *out, const float *x, const ag_matrix *matrix,
                        const ag_scheme *scheme, ag_scales *scales, const ag_rounding_site *where)
{
    ag_groups groups = ag_groups_of(scheme, matrix);
    if (scheme->hadamard > 0) {
        ag_turn turn = ag_turn_of(scheme, where);
        ag_hadamard(out, x, matrix->rows, matrix->cols, matrix->sum, &turn);
        x = out;
    }
    ag_groups_amax(scales->scale, x, &groups, ag_scheme_keeps_nan(scheme));
    ag_scales_lines(scales, scheme, &groups, matrix->sum);
    if (scheme->select == AG_SELECT_AMAX)
        ag_scales_set(scales, scheme, ag_groups_count(&groups));
    else
        ag_scales_select(scales, scheme, x, &groups, matrix, where);
    for (size_t row = 0; row < matrix->rows; row++) {
        for (size_t col = 0; col < matrix->cols; col++) {
            size_t i = row * matrix->cols + col;
            size_t group = ag_groups_at(&groups, row, col);
            float q =
                ag_round_element(scheme, x[i] * scales->scale[group], where, matrix->first + i);
            out[i] = q * scales->after[group] * ag_scales_factor(scales, group);
        }
    }
}
