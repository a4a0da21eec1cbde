/* Scales chosen by the error that they leave (numerics/chosen_scales.c), in loops over neighbours:
 * a strip of blocks is rounded under each candidate by the loops of quantize_row.h, and the errors
 * are added line by line in the order of the definition. Blocks of more columns than a strip, or of
 * more rows than there is room for sums, take the plain way, as do tensors with a scale for each
 * row. */
#include <string.h>

#include "add_runs.h"
#include "quantize_row.h"

/* Columns of a strip; rows of a block whose lines are its rows. */
enum { STRIP = 256, LINES = 64 };

/* What is constant for a matrix. */
typedef struct chooser {
    const ag_scales *scales; /* amaxes on entry */
    const ag_scale_rule *rule;
    const float *x;
    const ag_groups *groups;
    ag_sum sum;
    const rounder *r;
    uint64_t first;
} chooser;

/* A strip of blocks: some groups of one row of groups. */
typedef struct strip {
    size_t group, count; /* the first of them, and how many */
    size_t row, height;  /* of the matrix */
    size_t col, width;
} strip;

typedef struct candidate {
    float scale[STRIP], after[STRIP], error[STRIP];
} candidate;

/* term [n] = |d| or d^2 of values v = fl(q * after) (ag_scale_error_of). */
INLINE void error_terms(float *term, const float *x, size_t n, float a, float b, bool squared)
{
    for (size_t i = 0; i < n; i++) {
        float d = term[i] * a / b - x[i];
        term[i] = squared ? d * d : fabsf(d);
    }
}

/* The halves of n sums, `step` apart, onto each other until one is left. */
INLINE float halve(float *sum, size_t lines, size_t step)
{
    size_t n = 1;
    while (n < lines)
        n *= 2;
    for (n /= 2; n > 0; n /= 2) {
        for (size_t i = 0; i + n < lines; i++) {
            if (i < n)
                sum[i * step] += sum[(i + n) * step];
        }
        lines = n < lines ? n : lines;
    }
    return sum[0];
}

/* The errors of a strip under one candidate. */
INLINE void strip_errors(candidate *c, const chooser *h, const strip *s, way how)
{
    const size_t width = h->groups->width;
    const bool along = h->sum == AG_SUM_COLS;
    const bool squared = h->rule->scheme->error == AG_ERROR_MSE;
    const bool four_six = h->rule->scheme->select == AG_SELECT_FOUR_SIX;
    const float a = four_six ? h->rule->amax : h->rule->inverse;
    const float b = four_six ? h->rule->largest : 1.0f;
    const grid g = h->r->g;
    float sums[LINES * STRIP];
    float term[STRIP];
    uint32_t room[PHILOX_ROOM];
    size_t lines = along ? s->height : s->width;
    memset(sums, 0, (along ? lines * s->count : lines) * sizeof *sums);
    for (size_t i = 0; i < s->height; i++) {
        size_t at = (s->row + i) * h->groups->cols + s->col;
        run some = {.out = term, .x = h->x + at, .scale = c->scale, .after = c->after};
        if (how >= STOCHASTIC)
            some.words = ag_philox_words(room, &h->r->purpose, h->first + at, s->width);
        quantize_columns(some, 0, s->width, width, &g, how);
        error_terms(term, h->x + at, s->width, a, b, squared);
        if (along)
            add_runs(sums + i * s->count, term, s->width, width);
        else
            for (size_t j = 0; j < s->width; j++)
                sums[j] += term[j];
    }
    for (size_t j = 0; j < s->count; j++) {
        size_t own = ag_smaller(width, s->width - j * width);
        c->error[j] =
            along ? halve(sums + j, s->height, s->count) : halve(sums + j * width, own, 1);
    }
}

/* An error that is no number is not less than another. */
INLINE void take_better(candidate *best, const candidate *other, size_t count)
{
    for (size_t j = 0; j < count; j++) {
        bool less = other->error[j] < best->error[j];
        best->scale[j] = less ? other->scale[j] : best->scale[j];
        best->after[j] = less ? other->after[j] : best->after[j];
        best->error[j] = less ? other->error[j] : best->error[j];
    }
}

INLINE void choose_strip(const chooser *h, const strip *s, way how)
{
    candidate best;
    candidate other;
    const float *amaxes = h->scales->scale + s->group;
    for (int i = 0; i < ag_scheme_candidates(h->rule->scheme); i++) {
        ag_scales_candidate(other.scale, other.after, amaxes, s->count, h->rule, i);
        strip_errors(&other, h, s, how);
        if (i == 0)
            best = other;
        else
            take_better(&best, &other, s->count);
    }
    memcpy(h->scales->scale + s->group, best.scale, s->count * sizeof *best.scale);
    memcpy(h->scales->after + s->group, best.after, s->count * sizeof *best.after);
}

/* Rows [begin, end) of groups, strip by strip. */
INLINE void choose_rows(const chooser *h, size_t begin, size_t end, way how)
{
    const ag_groups *groups = h->groups;
    const size_t per_strip = STRIP / groups->width;
    for (size_t row = begin; row < end; row++) {
        strip s = {.row = row * groups->height};
        s.height = ag_smaller(groups->height, groups->rows - s.row);
        for (size_t j = 0; j < groups->across; j += per_strip) {
            s.count = ag_smaller(per_strip, groups->across - j);
            s.group = row * groups->across + j;
            s.col = j * groups->width;
            s.width = ag_smaller(s.count * groups->width, groups->cols - s.col);
            choose_strip(h, &s, how);
        }
    }
}

AG_CLONES static void choose(const chooser *h, size_t begin, size_t end)
{
#define CHOOSE(name, function)                                                                     \
    case name:                                                                                     \
        choose_rows(h, begin, end, name);                                                          \
        break;
    switch (h->r->how) {
        WAYS(CHOOSE)
    }
}

bool ag_scales_select_is_fast(const ag_scales *scales, const ag_scheme *scheme,
                              const ag_groups *groups, ag_sum sum, const ag_rounding_site *where)
{
    const ag_rounding_site *random = scheme->rounding == AG_ROUND_STOCHASTIC ? where : NULL;
    bool fits = groups->width <= STRIP && (sum == AG_SUM_ROWS || groups->height <= LINES);
    return fits && scales->rows == 0 && way_exists(&scheme->format, scheme->overflow, random);
}

void ag_scales_select_some(const ag_scales *scales, const ag_scale_rule *rule, const float *x,
                           const ag_groups *groups, const ag_matrix *matrix,
                           const ag_rounding_site *where, size_t begin, size_t end)
{
    const ag_scheme *scheme = rule->scheme;
    bool random = scheme->rounding == AG_ROUND_STOCHASTIC;
    const rounder r = rounder_of_scheme(scheme, random ? where : NULL);
    const chooser h = {scales, rule, x, groups, matrix->sum, &r, matrix->first};
    choose(&h, begin, end);
}
