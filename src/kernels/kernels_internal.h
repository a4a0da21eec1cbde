/* What the kernels' files share: declarations, and pieces of matrices.
 *
 * Three ways to hold a kernel:
 * - Its plain loop is all that a compiler needs: it stands once, in a .inc file that loops_plain.c
 *   and loops_fast.c compile.
 * - It needs other loops to be fast: NAME_plain.c has the formula, NAME_fast.c the loops.
 * - Its work pays for threads: kernels_shared.c or blocks_shared.c has a "_shared" version around
 * the fast one. */
#ifndef AG_KERNELS_INTERNAL_H
#define AG_KERNELS_INTERNAL_H

#include "base/clones.h"
#include "kernels/kernels.h"

/* Whether no element is Inf or NaN. */
bool ag_is_finite(const float *x, size_t count);

/* Of each kernel its plain version, the one of the fast table, and ag_NAME_fast, the work of one
 * thread, where the table's is a "_shared" one. What a kernel does not have is declared in vain. */
#define DECLARE(name, plain, fast) ag_##name##_fn plain, fast, ag_##name##_fast;
AG_KERNEL_LIST(DECLARE)
#undef DECLARE

/* The two halves of ag_norm_backward_fn: dx [N, C] +=; and the gradients of the gains, of the
 * columns [begin, end) alone. */
typedef void ag_norm_dx_fn(float *restrict dx, const float *restrict dout, const float *restrict x,
                           const ag_norm_form *form, const float *restrict mean,
                           const float *restrict rstd, size_t N, size_t C);
typedef struct ag_columns {
    size_t begin, end;
} ag_columns;
typedef void ag_norm_gains_fn(const ag_norm_grads *grads, const float *restrict dout,
                              const float *restrict x, const float *restrict mean,
                              const float *restrict rstd, size_t N, size_t C, ag_columns columns);
ag_norm_dx_fn ag_norm_dx_plain, ag_norm_dx_fast;
ag_norm_gains_fn ag_norm_gains_plain, ag_norm_gains_fast;

/* Rows [begin, end) of ag_rotate_fn. */
typedef void ag_rotate_rows_fn(ag_heads out, ag_heads x, size_t begin, size_t end, size_t heads,
                               const ag_rotation *rotation);
ag_rotate_rows_fn ag_rotate_rows_plain, ag_rotate_rows_fast;

/* As ag_scale_of_block, of `count` groups; scale may be amaxes. */
void ag_scales_candidate(float *scale, float *after, const float *amaxes, size_t count,
                         const ag_scale_rule *rule, int candidate);

/* amax of the groups in the first `columns`, whole groups, where all rows are one row of groups. */
void ag_columns_amax_fast(float *amax, const float *x, const ag_groups *groups, size_t columns,
                          bool keep_nan);

/* Whether the following can be done; then rows [begin, end) of groups of ag_scales_select, under
 * the rule of all. */
bool ag_scales_select_is_fast(const ag_scales *scales, const ag_scheme *scheme,
                              const ag_groups *groups, ag_sum sum, const ag_rounding_site *where);
void ag_scales_select_some(const ag_scales *scales, const ag_scale_rule *rule, const float *x,
                           const ag_groups *groups, const ag_matrix *matrix,
                           const ag_rounding_site *where, size_t begin, size_t end);

/* The same of ag_scales_turned: whether it can be done, in how many parts, and the parts [begin,
 * end), which are rows, or runs of rows where these lie down columns. */
bool ag_scales_turned_is_fast(const ag_scales *scales, const ag_scheme *scheme,
                              const ag_rounding_site *where);
size_t ag_scales_turned_parts(const ag_scheme *scheme, const ag_groups *groups, ag_sum sum);
void ag_scales_turned_some(const ag_scales *scales, const ag_scale_rule *rule, const float *x,
                           const ag_groups *groups, const ag_matrix *matrix,
                           const ag_rounding_site *where, size_t begin, size_t end);

/* Groups that lie one after the other in memory, as those of one long row: loops are long then,
 * whatever the rows' length. Groups that are taller than a row, or cut short at its end, stay as
 * they are. */
static inline ag_groups ag_groups_unrolled(const ag_groups *groups)
{
    ag_groups line = *groups;
    if (groups->height == 1 && groups->cols % groups->width == 0)
        line = (ag_groups){.rows = 1,
                           .cols = groups->rows * groups->cols,
                           .height = 1,
                           .width = groups->width,
                           .down = 1,
                           .across = groups->down * groups->across};
    return line;
}

/* Rows [begin, end) of the matrix as one of their own: whole groups, or a part of one. */
static inline ag_groups ag_groups_rows(const ag_groups *all, size_t begin, size_t end)
{
    ag_groups some = *all;
    some.rows = (end < all->rows ? end : all->rows) - begin;
    some.down = ag_pieces(some.rows, some.height);
    return some;
}

/* Rows [begin, end) of groups. */
static inline ag_groups ag_groups_some(const ag_groups *all, size_t begin, size_t end)
{
    return ag_groups_rows(all, begin * all->height, end * all->height);
}

/* Elements of a thread's piece: some ten microseconds of work, so that handing it out costs little,
 * and a multiple of every block and vector, so that only the last piece has a ragged end. */
enum { AG_PIECE = 16384 };

static inline size_t ag_rows_of_piece(size_t width)
{
    return width < AG_PIECE ? AG_PIECE / width : 1;
}

/* Elements of a block of ag_sum_squares_fn. Part of what the sum is. */
enum { AG_SQUARES_BLOCK = 65536 };

#endif
