/* Scales chosen by the error that they leave: the definition, one value at a time. Each candidate
 * rounds the block's elements, with the one random word that an element has; sums have a fixed
 * order, so that a choice is the same wherever it is made. Sources: Four Over Six (arXiv
 * 2512.02010) and Transformer Engine's reference for the error of 4/6. */
#include <math.h>
#include <string.h>

#include "base/sizes.h"
#include "numerics/groups.h"

/* A block of the matrix as its product sees it: `lines` rows of `length` elements. */
typedef struct block {
    size_t first; /* index of its first element in the matrix */
    size_t lines, length;
    size_t line_step, step; /* between lines and between elements of a line */
} block;

static block block_at(const ag_groups *groups, ag_sum sum, size_t group)
{
    size_t row = group / groups->across * groups->height;
    size_t col = group % groups->across * groups->width;
    size_t height = ag_smaller(groups->height, groups->rows - row);
    size_t width = ag_smaller(groups->width, groups->cols - col);
    size_t first = row * groups->cols + col;
    if (sum == AG_SUM_COLS)
        return (block){first, height, width, groups->cols, 1};
    return (block){first, width, height, 1, groups->cols};
}

float ag_scale_error_of(const ag_scale_rule *rule, float q, float after, float x)
{
    float value = q * after;
    if (rule->scheme->select == AG_SELECT_FOUR_SIX)
        value = value * rule->amax / rule->largest;
    else
        value *= rule->inverse;
    float d = value - x;
    return rule->scheme->error == AG_ERROR_MSE ? d * d : fabsf(d);
}

/* What a choice is made by. */
typedef struct chooser {
    const ag_scale_rule *rule;
    const float *x;
    const ag_rounding_site *where;
    uint64_t first; /* global index of x[0] */
} chooser;

static float round_element(const chooser *c, size_t at, float scale)
{
    const ag_scheme *scheme = c->rule->scheme;
    return ag_round_element(scheme, c->x[at] * scale, c->where, c->first + at);
}

/* The lines' sums from left to right; then each in the first half with the one as far on in the
 * second, until one is left. */
static float error_of(const chooser *c, const block *b, ag_block_scale scale)
{
    float sums[AG_MOST_SELECT_LINES];
    size_t n = 1;
    while (n < b->lines)
        n *= 2;
    memset(sums, 0, n * sizeof *sums);
    for (size_t line = 0; line < b->lines; line++) {
        for (size_t i = 0; i < b->length; i++) {
            size_t at = b->first + line * b->line_step + i * b->step;
            float q = round_element(c, at, scale.scale);
            sums[line] += ag_scale_error_of(c->rule, q, scale.after, c->x[at]);
        }
    }
    for (n /= 2; n > 0; n /= 2) {
        for (size_t line = 0; line < n; line++)
            sums[line] += sums[line + n];
    }
    return sums[0];
}

/* An error that is no number is not less than another. */
static ag_block_scale choose(const chooser *c, const block *b, float amax)
{
    ag_block_scale best = ag_scale_of_block(c->rule, amax, 0);
    float least = error_of(c, b, best);
    for (int i = 1; i < ag_scheme_candidates(c->rule->scheme); i++) {
        ag_block_scale scale = ag_scale_of_block(c->rule, amax, i);
        float error = error_of(c, b, scale);
        if (!(error < least))
            continue;
        best = scale;
        least = error;
    }
    return best;
}

void ag_scales_select(ag_scales *scales, const ag_scheme *scheme, const float *x,
                      const ag_groups *groups, const ag_matrix *matrix,
                      const ag_rounding_site *where)
{
    size_t count = ag_groups_count(groups);
    size_t rows = scales->rows > 0 ? scales->rows : 1;
    if (ag_scheme_is_turned(scheme)) {
        ag_scale_rule whole = ag_turned_rule(scales, scheme, groups);
        ag_scales_turned(scales, &whole, x, groups, matrix, where, 0,
                         ag_turned_lines(groups, matrix->sum));
        return;
    }
    for (size_t row = 0; row < rows; row++) {
        ag_scale_rule rule = ag_scales_rule(scales, scheme, row, count);
        ag_scale_line line = ag_scales_line(scales, row, count);
        chooser c = {&rule, x, where, matrix->first};
        for (size_t i = line.first; i < count; i += line.stride) {
            for (size_t j = i; j < i + line.step; j++) {
                block b = block_at(groups, matrix->sum, j);
                ag_block_scale chosen = choose(&c, &b, scales->scale[j]);
                scales->scale[j] = chosen.scale;
                scales->after[j] = chosen.after;
            }
        }
    }
}
