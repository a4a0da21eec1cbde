/* Quantised operands: one scale, or one for each group of elements. Loops run along rows; the ways
 * to round and the widths of groups that are common are literals, so that each has loops of its
 * own. */
#include "philox_words.h"
#include "quantize_grid.h"

/* How values are rounded. */
typedef enum way { NEAREST, PLAIN_NEAREST, PLAIN_INTEGER, STOCHASTIC, PLAIN_STOCHASTIC } way;

/* What is constant for a matrix. */
typedef struct rounder {
    grid g;
    way how;
    philox_place place;
} rounder;

/* Neighbours in a row, with what belongs to their groups. */
typedef struct run {
    float *out;
    const float *x;
    const float *scale;
    const float *after;
    const uint32_t *words; /* one each; NULL: to nearest */
} run;

INLINE float rounded(float y, uint32_t random, const grid *g, way how)
{
    switch (how) {
    case PLAIN_NEAREST:
        return plain_nearest(y, g);
    case PLAIN_INTEGER:
        return plain_integer(y, g);
    case STOCHASTIC:
        return stochastic(y, random, g);
    case PLAIN_STOCHASTIC:
        return plain_stochastic(y, random, g);
    default:
        return nearest(y, g);
    }
}

/* out [width] = Q(x * scale) * after for each of the groups. */
INLINE void quantize_blocks(const run *r, size_t groups, size_t width, const grid *g, way how)
{
    for (size_t i = 0; i < groups; i++) {
        const float scale = r->scale[i];
        const float after = r->after[i];
        for (size_t j = i * width; j < (i + 1) * width; j++) {
            uint32_t random = how >= STOCHASTIC ? r->words[j] : 0;
            r->out[j] = rounded(r->x[j] * scale, random, g, how) * after;
        }
    }
}

/* The columns [begin, end), where r->scale and r->after are those of the whole row. */
INLINE void quantize_columns(run r, size_t begin, size_t end, size_t width, const grid *g, way how)
{
    const size_t n = end - begin;
    const float *scale = r.scale;
    const float *after = r.after;
    if (width == 1 || (width == 16 && n % 16 == 0) || (width == 32 && n % 32 == 0)) {
        r.scale += begin / width;
        r.after += begin / width;
        if (width == 1)
            quantize_blocks(&r, n, 1, g, how);
        else if (width == 16)
            quantize_blocks(&r, n / 16, 16, g, how);
        else
            quantize_blocks(&r, n / 32, 32, g, how);
        return;
    }
    for (size_t c = begin; c < end;) {
        size_t next = (c / width + 1) * width;
        size_t count = (next < end ? next : end) - c;
        r.scale = scale + c / width;
        r.after = after + c / width;
        quantize_blocks(&r, 1, count, g, how);
        r.out += count;
        r.x += count;
        r.words += how >= STOCHASTIC ? count : 0;
        c += count;
    }
}

INLINE void quantize_rows(float *out, const float *x, const ag_groups *groups,
                          const ag_scales *scales, const rounder *r, uint64_t first, way how)
{
    const grid g = r->g;
    const size_t cols = groups->cols;
    const size_t tile = how >= STOCHASTIC && cols > PHILOX_MOST ? PHILOX_MOST : cols;
    uint32_t room[PHILOX_ROOM];
    for (size_t row = 0; row < groups->rows; row++) {
        const size_t group = row / groups->height * groups->across;
        for (size_t c = 0; c < cols; c += tile) {
            size_t end = cols - c < tile ? cols : c + tile;
            size_t at = row * cols + c;
            run some = {out + at, x + at, scales->scale + group, scales->after + group, NULL};
            if (how >= STOCHASTIC)
                some.words = ag_philox_words(room, &r->place, first + at, end - c);
            quantize_columns(some, c, end, groups->width, &g, how);
        }
    }
}

AG_CLONES static void quantize(float *out, const float *x, const ag_groups *groups,
                               const ag_scales *scales, const rounder *r, uint64_t first)
{
    switch (r->how) {
    case NEAREST:
        quantize_rows(out, x, groups, scales, r, first, NEAREST);
        break;
    case PLAIN_NEAREST:
        quantize_rows(out, x, groups, scales, r, first, PLAIN_NEAREST);
        break;
    case PLAIN_INTEGER:
        quantize_rows(out, x, groups, scales, r, first, PLAIN_INTEGER);
        break;
    case STOCHASTIC:
        quantize_rows(out, x, groups, scales, r, first, STOCHASTIC);
        break;
    case PLAIN_STOCHASTIC:
        quantize_rows(out, x, groups, scales, r, first, PLAIN_STOCHASTIC);
        break;
    }
}

/* `where`: NULL to nearest. */
static rounder rounder_of(const ag_format *format, ag_overflow overflow,
                          const ag_rounding_site *where)
{
    rounder r = {.g = grid_of(format, overflow)};
    if (where != NULL) {
        r.place = philox_place_of(where);
        r.how = r.g.is_plain ? PLAIN_STOCHASTIC : STOCHASTIC;
    } else {
        way plain = r.g.has_integers ? PLAIN_INTEGER : PLAIN_NEAREST;
        r.how = r.g.is_plain ? plain : NEAREST;
    }
    return r;
}

/* One group. */
static void quantize_whole(float *out, const float *x, size_t count, float scale, const rounder *r,
                           uint64_t first)
{
    float after = r->g.shift;
    const ag_scales scales = {&scale, &after, 1};
    const ag_groups one = {
        .rows = 1, .cols = count, .height = 1, .width = count, .down = 1, .across = 1};
    quantize(out, x, &one, &scales, r, first);
}

void ag_quantize_fast(float *out, const float *x, size_t count, const ag_format *format,
                      float scale, ag_overflow overflow)
{
    if (!grid_exists(format)) {
        ag_quantize_ref(out, x, count, format, scale, overflow);
        return;
    }
    const rounder r = rounder_of(format, overflow, NULL);
    quantize_whole(out, x, count, scale, &r, 0);
}

void ag_quantize_stochastic_fast(float *out, const float *x, size_t count, const ag_format *format,
                                 float scale, ag_overflow overflow, const ag_rounding_site *where,
                                 uint64_t first)
{
    if (!grid_exists(format)) {
        ag_quantize_stochastic_ref(out, x, count, format, scale, overflow, where, first);
        return;
    }
    const rounder r = rounder_of(format, overflow, where);
    quantize_whole(out, x, count, scale, &r, first);
}

void ag_quantize_groups_fast(float *out, const float *x, const ag_groups *groups,
                             const ag_scales *scales, const ag_scheme *scheme,
                             const ag_rounding_site *where, uint64_t first)
{
    if (!grid_exists(&scheme->format)) {
        ag_quantize_groups_ref(out, x, groups, scales, scheme, where, first);
        return;
    }
    const rounder r = rounder_of(&scheme->format, scheme->overflow,
                                 scheme->rounding == AG_ROUND_STOCHASTIC ? where : NULL);
    const ag_groups line = ag_groups_unrolled(groups);
    quantize(out, x, &line, scales, &r, first);
}
