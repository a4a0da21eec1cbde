/* Scales chosen by error, with the work shared among the threads of the pool by rows of groups: a
 * choice concerns one block alone. */
#include "base/pool.h"
#include "kernels_internal.h"

typedef struct selection {
    const ag_scales *scales;
    const ag_scale_rule *rule;
    const float *x;
    const ag_groups *groups;
    const ag_matrix *matrix;
    const ag_rounding_site *where;
} selection;

static void select_piece(void *context, size_t begin, size_t end)
{
    const selection *s = context;
    ag_scales_select_some(s->scales, s->rule, s->x, s->groups, s->matrix, s->where, begin, end);
}

static void turned_parts(void *context, size_t begin, size_t end)
{
    const selection *s = context;
    ag_scales_turned_some(s->scales, s->rule, s->x, s->groups, s->matrix, s->where, begin, end);
}

static void turned_piece(void *context, size_t begin, size_t end)
{
    const selection *s = context;
    ag_scales scales = *s->scales;
    ag_scales_turned(&scales, s->rule, s->x, s->groups, s->matrix, s->where, begin, end);
}

/* Of rotated values: by rows or runs of rows, else by lines. */
static void select_turned(ag_scales *scales, const ag_scheme *scheme, const float *x,
                          const ag_groups *groups, const ag_matrix *matrix,
                          const ag_rounding_site *where)
{
    ag_scale_rule rule = ag_turned_rule(scales, scheme, groups);
    selection s = {scales, &rule, x, groups, matrix, where};
    if (ag_scales_turned_is_fast(scales, scheme, where)) {
        size_t rows = matrix->sum == AG_SUM_COLS ? 1 : (size_t)scheme->hadamard;
        ag_pool_share(ag_scales_turned_parts(scheme, groups, matrix->sum),
                      ag_rows_of_piece(rows * matrix->cols), turned_parts, &s);
        return;
    }
    size_t lines = ag_turned_lines(groups, matrix->sum);
    size_t length = matrix->sum == AG_SUM_COLS ? matrix->cols : matrix->rows;
    ag_pool_share(lines, ag_rows_of_piece(length), turned_piece, &s);
}

void ag_scales_select_shared(ag_scales *scales, const ag_scheme *scheme, const float *x,
                             const ag_groups *groups, const ag_matrix *matrix,
                             const ag_rounding_site *where)
{
    if (ag_scheme_is_turned(scheme)) {
        select_turned(scales, scheme, x, groups, matrix, where);
        return;
    }
    if (!ag_scales_select_is_fast(scales, scheme, groups, matrix->sum, where)) {
        ag_scales_select(scales, scheme, x, groups, matrix, where);
        return;
    }
    ag_scale_rule rule = ag_scales_rule(scales, scheme, 0, ag_groups_count(groups));
    selection s = {scales, &rule, x, groups, matrix, where};
    ag_pool_share(groups->down, ag_rows_of_piece(groups->height * groups->cols), select_piece, &s);
}
