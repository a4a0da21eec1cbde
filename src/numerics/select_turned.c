/* Scales of rotated values: MS-EDEN (arXiv 2601.22813), which corrects the scales of a run so that
 * its length is right on average, and QuEST (arXiv 2505.14669), which finds a scale from mean and
 * variance. The definition, one value at a time, line by line of the product's. */
#include <math.h>

#include "base/sizes.h"
#include "numerics/groups.h"
#include "numerics/turned_scales.h"
#include "numerics_internal.h"

/* A line of the matrix: what the product sums over. */
typedef struct line {
    size_t first, step, length; /* elements */
    size_t group, group_step;   /* of its blocks */
    size_t width;               /* elements of a block */
} line;

static line line_at(const ag_groups *groups, ag_sum sum, size_t row)
{
    if (sum == AG_SUM_COLS)
        return (line){row * groups->cols, 1, groups->cols, row * groups->across, 1, groups->width};
    return (line){row, groups->cols, groups->rows, row, groups->across, groups->height};
}

/* What is being done. */
typedef struct turned {
    const ag_scales *scales;
    const ag_scale_rule *rule;
    const float *x;
    const ag_matrix *matrix;
    const ag_rounding_site *where;
} turned;

static size_t block_of(const line *l, size_t i)
{
    return l->group + i / l->width * l->group_step;
}

float ag_eden_correction(float num, float den)
{
    float correction = num / den;
    return den > 0.0f && isfinite(correction) && correction > 0.0f ? correction : 1.0f;
}

ag_rounding_site ag_eden_site(const ag_rounding_site *elements)
{
    return (ag_rounding_site){.key = elements->key,
                              .place = elements->place,
                              .use = elements->use | AG_USE_SCALE,
                              .step = elements->step};
}

/* fl(num / den) of y^2 and y q over a run, y before it is clamped; blocks that became 0 are left
 * out. */
static float correction_of(const turned *t, const line *l, size_t begin, size_t end)
{
    float num = 0.0f;
    float den = 0.0f;
    for (size_t i = begin; i < end; i++) {
        size_t block = block_of(l, i);
        if (t->scales->after[block] == 0.0f)
            continue;
        float y = t->x[l->first + i * l->step] * t->scales->scale[block];
        float q = ag_round_element(t->rule->scheme, y, NULL, 0);
        num += y * y;
        den += y * q;
    }
    return ag_eden_correction(num, den);
}

/* D = SR(fl(D0 * correction)), with the word of the block's first element. */
static void correct_run(const turned *t, const line *l, size_t begin, size_t end)
{
    float correction = correction_of(t, l, begin, end);
    const ag_rounding_site where = ag_eden_site(t->where);
    for (size_t i = begin; i < end; i += l->width) {
        float *D = &t->scales->after[block_of(l, i)];
        uint64_t element = t->matrix->first + l->first + i * l->step;
        *D = ag_round_random(&t->rule->format, *D * correction, &where, element,
                             AG_OVERFLOW_SATURATE);
    }
}

static void eden_line(const turned *t, const line *l)
{
    size_t size = (size_t)t->rule->scheme->hadamard;
    for (size_t i = 0; i < l->length; i += l->width) {
        size_t block = block_of(l, i);
        ag_block_scale scale = ag_scale_of_block(t->rule, t->scales->scale[block], 0);
        t->scales->scale[block] = scale.scale;
        t->scales->after[block] = scale.after;
    }
    for (size_t i = 0; i < l->length; i += size)
        correct_run(t, l, i, ag_smaller(i + size, l->length));
}

ag_block_scale ag_quest_scale(float s1, float s2, size_t count)
{
    static const float g = 0x1.f2c50ap-2f;
    float n = (float)count;
    float mean = s1 / n;
    float variance = s2 / n - mean * mean;
    float width = g * sqrtf(variance < 0.0f ? 0.0f : variance) + 1e-8f;
    if (!isfinite(width))
        return (ag_block_scale){ag_bits_float(AG_NAN_BITS), ag_bits_float(AG_NAN_BITS)};
    int e = ag_e8m0_within((int)(ag_float_bits(width) >> FLOAT_MANTISSA) - FLOAT_BIAS);
    return (ag_block_scale){ldexpf(1.0f, -e), ldexpf(1.0f, e)};
}

static ag_block_scale quest_block(const turned *t, const line *l, size_t begin, size_t end)
{
    float s1 = 0.0f;
    float s2 = 0.0f;
    for (size_t i = begin; i < end; i++) {
        float x = t->x[l->first + i * l->step];
        s1 += x;
        s2 += x * x;
    }
    return ag_quest_scale(s1, s2, end - begin);
}

static void quest_line(const turned *t, const line *l)
{
    for (size_t i = 0; i < l->length; i += l->width) {
        ag_block_scale scale = quest_block(t, l, i, ag_smaller(i + l->width, l->length));
        t->scales->scale[block_of(l, i)] = scale.scale;
        t->scales->after[block_of(l, i)] = scale.after;
    }
}

void ag_scales_turned(ag_scales *scales, const ag_scale_rule *rule, const float *x,
                      const ag_groups *groups, const ag_matrix *matrix,
                      const ag_rounding_site *where, size_t begin, size_t end)
{
    for (size_t row = begin; row < end; row++) {
        ag_scale_rule own = *rule;
        if (scales->rows > 0)
            own = ag_scales_rule(scales, rule->scheme, row, ag_groups_count(groups));
        turned t = {scales, &own, x, matrix, where};
        line l = line_at(groups, matrix->sum, row);
        if (rule->scheme->select == AG_SELECT_EDEN)
            eden_line(&t, &l);
        else
            quest_line(&t, &l);
    }
}

ag_scale_rule ag_turned_rule(ag_scales *scales, const ag_scheme *scheme, const ag_groups *groups)
{
    if (scales->rows == 0)
        return ag_scales_rule(scales, scheme, 0, ag_groups_count(groups));
    scales->factor = 1.0f;
    return ag_scale_rule_of(scheme, 0.0f);
}

size_t ag_turned_lines(const ag_groups *groups, ag_sum sum)
{
    return sum == AG_SUM_COLS ? groups->rows : groups->cols;
}
