/* Scales of rotated values (numerics/select_turned.c) in loops over neighbours: elements are
 * rounded by the loops of quantize_row.h, and each run's sums are added in the order of the
 * definition, those of many runs side by side. Tensors with a scale for each row take the plain
 * way. */
#include <string.h>

#include "add_runs.h"
#include "numerics/turned_scales.h"
#include "philox_words.h"
#include "quantize_row.h"

/* Columns at a time: whole runs, enough of the longest for eight sums side by side. */
enum { STRIP = 1024, LEAST_RUN = 16 };

/* What is constant for a matrix. */
typedef struct turner {
    const ag_scales *scales; /* amaxes on entry */
    const ag_scale_rule *rule;
    const float *x;
    const ag_groups *groups;
    size_t size;     /* elements of a run */
    rounder element; /* to nearest */
    rounder stored;  /* scales of blocks, stochastically */
    uint64_t first;
} turner;

/* The elements of a strip in one row, under one row of groups. */
typedef struct strip {
    size_t at; /* of the matrix */
    size_t count;
    float *scale, *after; /* of its groups */
} strip;

static strip strip_at(const turner *t, size_t row, size_t col)
{
    const ag_groups *g = t->groups;
    size_t group = row / g->height * g->across + col / g->width;
    return (strip){row * g->cols + col, ag_smaller(STRIP, g->cols - col), t->scales->scale + group,
                   t->scales->after + group};
}

/* --- MS-EDEN */

/* yy = y^2 and yq = y q of y = fl(x * scale); 0 where a block became 0. */
INLINE void multiply_blocks(float *yy, float *yq, const float *x, const strip *s, size_t blocks,
                            size_t width, const grid *g, way how)
{
    for (size_t i = 0; i < blocks; i++) {
        const bool is_left = s->after[i] != 0.0f;
        const float scale = s->scale[i];
        for (size_t j = i * width; j < (i + 1) * width; j++) {
            float y = x[j] * scale;
            float q = rounded(y, 0, g, how);
            yy[j] = is_left ? y * y : 0.0f;
            yq[j] = is_left ? y * q : 0.0f;
        }
    }
}

/* Common widths have loops without rests. */
INLINE void multiply(float *yy, float *yq, const turner *t, const strip *s, size_t width, way how)
{
    const grid g = t->element.g;
    const float *x = t->x + s->at;
    const size_t blocks = s->count / width;
    const size_t rest = s->count % width;
    if (width == 1)
        multiply_blocks(yy, yq, x, s, blocks, 1, &g, how);
    else if (width == 16)
        multiply_blocks(yy, yq, x, s, blocks, 16, &g, how);
    else if (width == 32)
        multiply_blocks(yy, yq, x, s, blocks, 32, &g, how);
    else
        multiply_blocks(yy, yq, x, s, blocks, width, &g, how);
    if (rest > 0) {
        const size_t at = s->count - rest;
        const strip last = {s->at + at, rest, s->scale + blocks, s->after + blocks};
        multiply_blocks(yy + at, yq + at, x + at, &last, 1, rest, &g, how);
    }
}

/* after [blocks] = SR(after * correction), with the word of each block's first element. */
INLINE void correct_blocks(const turner *t, const strip *s, const float *correction, size_t width,
                           size_t per_run, way how)
{
    uint32_t room[PHILOX_ROOM];
    const grid g = t->stored.g;
    for (size_t at = 0; at < s->count; at += PHILOX_MOST) {
        const size_t n = ag_smaller(PHILOX_MOST, s->count - at);
        const uint32_t *words = ag_philox_words(room, &t->stored.purpose, t->first + s->at + at, n);
        const size_t first = at / width;
        float *after = s->after + first;
        for (size_t i = 0; i < (n + width - 1) / width; i++)
            after[i] =
                rounded(after[i] * correction[(first + i) / per_run], words[i * width], &g, how);
    }
}

INLINE void correct(const turner *t, const strip *s, const float *correction, size_t width,
                    size_t per_run)
{
    if (t->stored.how == PLAIN_STOCHASTIC)
        correct_blocks(t, s, correction, width, per_run, PLAIN_STOCHASTIC);
    else
        correct_blocks(t, s, correction, width, per_run, STOCHASTIC);
}

/* Runs along the row. */
INLINE void eden_along(const turner *t, size_t row, way how)
{
    const size_t width = t->groups->width;
    float yy[STRIP], yq[STRIP], num[STRIP / LEAST_RUN], den[STRIP / LEAST_RUN];
    for (size_t col = 0; col < t->groups->cols; col += STRIP) {
        strip s = strip_at(t, row, col);
        size_t blocks = (s.count + width - 1) / width;
        memset(num, 0, sizeof num);
        memset(den, 0, sizeof den);
        ag_scales_candidate(s.scale, s.after, s.scale, blocks, t->rule, 0);
        multiply(yy, yq, t, &s, width, how);
        add_runs(num, yy, s.count, t->size);
        add_runs(den, yq, s.count, t->size);
        for (size_t i = 0; i < STRIP / LEAST_RUN; i++)
            num[i] = ag_eden_correction(num[i], den[i]);
        correct(t, &s, num, width, t->size / width);
    }
}

/* Runs down columns: a strip of them, from `row` on. */
INLINE void eden_across(const turner *t, size_t row, size_t col, way how)
{
    const size_t height = t->groups->height;
    const size_t end = ag_smaller(row + t->size, t->groups->rows);
    float yy[STRIP], yq[STRIP], num[STRIP] = {0}, den[STRIP] = {0};
    strip s = strip_at(t, row, col);
    for (size_t i = row; i < end; i++) {
        s = strip_at(t, i, col);
        if (i % height == 0)
            ag_scales_candidate(s.scale, s.after, s.scale, s.count, t->rule, 0);
        multiply(yy, yq, t, &s, 1, how);
        for (size_t j = 0; j < s.count; j++) {
            num[j] += yy[j];
            den[j] += yq[j];
        }
    }
    for (size_t j = 0; j < s.count; j++)
        num[j] = ag_eden_correction(num[j], den[j]);
    for (size_t i = row; i < end; i += height) {
        s = strip_at(t, i, col);
        correct(t, &s, num, 1, 1);
    }
}

/* --- QuEST */

static void quest_along(const turner *t, size_t row)
{
    const size_t width = t->groups->width;
    float squares[STRIP], s1[STRIP / AG_MX_BLOCK], s2[STRIP / AG_MX_BLOCK];
    for (size_t col = 0; col < t->groups->cols; col += STRIP) {
        strip s = strip_at(t, row, col);
        const float *x = t->x + s.at;
        for (size_t i = 0; i < s.count; i++)
            squares[i] = x[i] * x[i];
        memset(s1, 0, sizeof s1);
        memset(s2, 0, sizeof s2);
        add_runs(s1, x, s.count, width);
        add_runs(s2, squares, s.count, width);
        for (size_t i = 0, block = 0; i < s.count; i += width, block++) {
            ag_block_scale scale =
                ag_quest_scale(s1[block], s2[block], ag_smaller(width, s.count - i));
            s.scale[block] = scale.scale;
            s.after[block] = scale.after;
        }
    }
}

static void quest_across(const turner *t, size_t row, size_t col)
{
    const size_t end = ag_smaller(row + t->groups->height, t->groups->rows);
    float s1[STRIP] = {0}, s2[STRIP] = {0};
    strip s = strip_at(t, row, col);
    for (size_t i = row; i < end; i++) {
        const float *x = t->x + i * t->groups->cols + col;
        for (size_t j = 0; j < s.count; j++) {
            s1[j] += x[j];
            s2[j] += x[j] * x[j];
        }
    }
    for (size_t j = 0; j < s.count; j++) {
        ag_block_scale scale = ag_quest_scale(s1[j], s2[j], end - row);
        s.scale[j] = scale.scale;
        s.after[j] = scale.after;
    }
}

/* --- all */

/* Rows, or runs down columns; blocks lie along them. */
INLINE void turn_part(const turner *t, ag_sum sum, size_t i, way how)
{
    bool is_eden = t->rule->scheme->select == AG_SELECT_EDEN;
    if (sum == AG_SUM_COLS && is_eden)
        eden_along(t, i, how);
    else if (sum == AG_SUM_COLS)
        quest_along(t, i);
    for (size_t col = 0; sum == AG_SUM_ROWS && col < t->groups->cols; col += STRIP) {
        if (is_eden)
            eden_across(t, i * t->size, col, how);
        else
            quest_across(t, i * t->size, col);
    }
}

AG_CLONES static void turn(const turner *t, ag_sum sum, size_t begin, size_t end)
{
#define TURN(name, function)                                                                       \
    case name:                                                                                     \
        for (size_t i = begin; i < end; i++)                                                       \
            turn_part(t, sum, i, name);                                                            \
        break;
    switch (t->element.how) {
        NEAREST_WAYS(TURN)
    default:
        break;
    }
}

bool ag_scales_turned_is_fast(const ag_scales *scales, const ag_scheme *scheme,
                              const ag_rounding_site *where)
{
    const ag_scale_rule rule = ag_scale_rule_of(scheme, 0.0f);
    const ag_rounding_site stored = ag_eden_site(where);
    bool has_ways = way_exists(&scheme->format, scheme->overflow, NULL) &&
                    (scheme->select == AG_SELECT_QUEST ||
                     way_exists(&rule.format, AG_OVERFLOW_SATURATE, &stored));
    return scales->rows == 0 && has_ways;
}

size_t ag_scales_turned_parts(const ag_scheme *scheme, const ag_groups *groups, ag_sum sum)
{
    size_t size = (size_t)scheme->hadamard;
    return sum == AG_SUM_COLS ? groups->rows : (groups->rows + size - 1) / size;
}

void ag_scales_turned_some(const ag_scales *scales, const ag_scale_rule *rule, const float *x,
                           const ag_groups *groups, const ag_matrix *matrix,
                           const ag_rounding_site *where, size_t begin, size_t end)
{
    const ag_scheme *scheme = rule->scheme;
    const ag_rounding_site stored = ag_eden_site(where);
    turner t = {.scales = scales,
                .rule = rule,
                .x = x,
                .groups = groups,
                .size = (size_t)scheme->hadamard,
                .first = matrix->first,
                .element = rounder_of_scheme(scheme, NULL)};
    if (scheme->select == AG_SELECT_EDEN)
        t.stored = rounder_of(&rule->format, AG_OVERFLOW_SATURATE, &stored);
    turn(&t, matrix->sum, begin, end);
}
