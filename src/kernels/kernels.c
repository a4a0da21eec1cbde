/* The two tables of kernels, from the list in kernel_list.h, and what belongs to no one kernel. */
#include "kernels_internal.h"

#include <math.h>

/* NOLINTBEGIN(bugprone-macro-parentheses): members are initialised */
#define PLAIN(name, plain, fast) .name = plain,
#define FAST(name, plain, fast) .name = fast,
/* NOLINTEND(bugprone-macro-parentheses) */

/* The checkpoint's header holds a table's name: a run goes on with the kernels that it began with.
 */
const ag_kernels ag_kernels_plain = {.name = "plain", AG_KERNEL_LIST(PLAIN)};
const ag_kernels ag_kernels_fast = {.name = "fast", AG_KERNEL_LIST(FAST)};

/* Values of a format with few exponent bits are shifted so that their largest lies in [1, 2). A
 * sum over K products then stays below 4 K, whatever the format, and cannot overflow float32. With
 * E = 8 a format has the range of float32 itself: there a shift would push small values under. */
float ag_operand_shift(const ag_format *format)
{
    return format->exponent == 8 ? 1 : ldexpf(1, -format->emax);
}

/* A copy of the matrix, LAPACK's work (3 S + 7 S + 64 (M + N), S the shorter side) and its 8 S
 * integers: more than the copy that the Jacobi iteration takes. */
size_t ag_singular_scratch(size_t M, size_t N)
{
    size_t S = M < N ? M : N;
    return M * N + 14 * S + 64 * (M + N);
}

bool ag_is_finite(const float *x, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(x[i]))
            return false;
    }
    return true;
}

ag_groups ag_matrix_scale(const ag_kernels *k, ag_scales *scales, const float *x,
                          const ag_matrix *matrix, const ag_scheme *scheme,
                          const ag_rounding_site *where)
{
    ag_groups groups = ag_groups_of(scheme, matrix);
    k->groups_amax(scales->scale, x, &groups, ag_scheme_keeps_nan(scheme));
    ag_scales_lines(scales, scheme, &groups, matrix->sum);
    if (scheme->select == AG_SELECT_AMAX)
        k->scales_set(scales, scheme, ag_groups_count(&groups));
    else
        k->scales_select(scales, scheme, x, &groups, matrix, where);
    return groups;
}
