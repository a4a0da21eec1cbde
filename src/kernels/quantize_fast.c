/* Quantised operands as floats: one scale, or one for each group of elements. The way to round
 * (quantize_row.h) is chosen once per call; within a row, groups of common widths have loops of
 * their own. Formats whose constants do not fit float32 (grid_exists) take the plain version. */
#include "quantize_row.h"

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
            run some = {.out = out + at,
                        .x = x + at,
                        .scale = scales->scale + group,
                        .after = scales->after + group};
            if (how >= STOCHASTIC)
                some.words = ag_philox_words(room, &r->purpose, first + at, end - c);
            quantize_columns(some, c, end, groups->width, &g, how);
        }
    }
}

AG_CLONES static void quantize(float *out, const float *x, const ag_groups *groups,
                               const ag_scales *scales, const rounder *r, uint64_t first)
{
#define QUANTIZE(name, function)                                                                   \
    case name:                                                                                     \
        quantize_rows(out, x, groups, scales, r, first, name);                                     \
        break;
    switch (r->how) {
        WAYS(QUANTIZE)
    }
}

/* One scale for all: a single group. */
static void quantize_whole(float *out, const float *x, size_t count, float scale, const rounder *r,
                           uint64_t first)
{
    float after = r->g.shift;
    const ag_scales scales = {.scale = &scale, .after = &after, .factor = 1};
    const ag_groups one = {
        .rows = 1, .cols = count, .height = 1, .width = count, .down = 1, .across = 1};
    quantize(out, x, &one, &scales, r, first);
}

void ag_quantize_fast(float *out, const float *x, size_t count, const ag_format *format,
                      float scale, ag_overflow overflow)
{
    if (!grid_exists(format)) {
        ag_quantize_plain(out, x, count, format, scale, overflow);
        return;
    }
    const rounder r = rounder_of(format, overflow, NULL);
    quantize_whole(out, x, count, scale, &r, 0);
}

void ag_quantize_stochastic_fast(float *out, const float *x, size_t count, const ag_format *format,
                                 float scale, ag_overflow overflow, const ag_rounding_site *where,
                                 uint64_t first)
{
    if (!way_exists(format, overflow, where)) {
        ag_quantize_stochastic_plain(out, x, count, format, scale, overflow, where, first);
        return;
    }
    const rounder r = rounder_of(format, overflow, where);
    quantize_whole(out, x, count, scale, &r, first);
}

void ag_quantize_groups_fast(float *out, const float *x, const ag_groups *groups,
                             const ag_scales *scales, const ag_scheme *scheme,
                             const ag_rounding_site *where, uint64_t first)
{
    const ag_rounding_site *random = scheme->rounding == AG_ROUND_STOCHASTIC ? where : NULL;
    if (!way_exists(&scheme->format, scheme->overflow, random)) {
        ag_quantize_groups_plain(out, x, groups, scales, scheme, where, first);
        return;
    }
    const rounder r = rounder_of_scheme(scheme, random);
    const ag_groups line = ag_groups_unrolled(groups);
    quantize(out, x, &line, scales, &r, first);
}
