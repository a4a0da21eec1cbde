/* Rounding a row, or a part of it, in groups that have a scale each. The ways to round and the
 * common widths of groups are literals where a loop is, so that the compiler makes each of them a
 * loop of its own with nothing to decide inside. */
#ifndef AG_KERNELS_QUANTIZE_ROW_H
#define AG_KERNELS_QUANTIZE_ROW_H

#include "philox_words.h"
#include "quantize_table.h"

/* The ways to round, each with its function of y, the element's random word and the grid; those
 * from STOCHASTIC on take random words. Where a loop depends on the way, WAYS writes its cases with
 * the way as a literal, so that the compiler makes a loop of its own for each and nothing is
 * decided for each element. */
#define NEAREST_WAYS(ROW)                                                                          \
    ROW(NEAREST, nearest(y, g))                                                                    \
    ROW(PLAIN_NEAREST, plain_nearest(y, g))                                                        \
    ROW(PLAIN_INTEGER, plain_integer(y, g))                                                        \
    ROW(FEW_NEAREST, few_nearest(y, g))                                                            \
    ROW(TABLE_NEAREST, table_nearest(y, g))                                                        \
    ROW(SEARCH_NEAREST, search_nearest(y, g))

#define WAYS(ROW)                                                                                  \
    NEAREST_WAYS(ROW)                                                                              \
    ROW(STOCHASTIC, stochastic(y, random, g))                                                      \
    ROW(PLAIN_STOCHASTIC, plain_stochastic(y, random, g))                                          \
    ROW(FINE_STOCHASTIC, plain_stochastic(fine(y, g), random, g))                                  \
    ROW(FEW_STOCHASTIC, few_stochastic(y, random, g))                                              \
    ROW(TABLE_STOCHASTIC, table_stochastic(y, random, g))                                          \
    ROW(SEARCH_STOCHASTIC, search_stochastic(y, random, g))

#define WAY_NAME(name, function) name,
typedef enum way { WAYS(WAY_NAME) } way;

/* What is constant for a matrix. */
typedef struct rounder {
    grid g;
    way how;
    philox_purpose purpose;
} rounder;

/* Neighbours in a row, with what belongs to their groups. */
typedef struct run {
    bool as_codes;   /* what they become: code_byte of each, */
    uint32_t *codes; /* here */
    float *out;      /* or else values, here, */
    const float *after;
    const float *x;
    const float *scale;
    const uint32_t *words; /* random, one each; NULL: to nearest */
} run;

INLINE float rounded(float y, uint32_t random, const grid *g, way how)
{
#define ROUND(name, function)                                                                      \
    case name:                                                                                     \
        return function;
    switch (how) {
        WAYS(ROUND)
    }
    return y; /* never: the ways above are all */
#undef ROUND
}

/* The code + 128 of y, as words of codes hold it. What is not finite becomes more than a byte, so
 * that the or of many says without a branch whether one is. */
INLINE uint32_t code_byte(float y, uint32_t random, const grid *g, way how)
{
    if (how == PLAIN_INTEGER)
        return integer_byte(y, g);
    float steps = rounded(y, random, g, how) * g->per_step;
    const bool finite = (ag_float_bits(steps) & AG_MAGNITUDE_BITS) < AG_INFINITE_BITS;
    return (uint32_t)((int32_t)(finite ? steps : 256.0f) + 128);
}

/* Q(x * scale) of each of the groups, [width] of them: times `after`, or as a code. */
INLINE void quantize_blocks(const run *r, size_t groups, size_t width, const grid *g, way how)
{
    for (size_t i = 0; i < groups; i++) {
        const float scale = r->scale[i];
        const float after = r->as_codes ? 0 : r->after[i];
        for (size_t j = i * width; j < (i + 1) * width; j++) {
            uint32_t random = how >= STOCHASTIC ? r->words[j] : 0;
            if (r->as_codes)
                r->codes[j] = code_byte(r->x[j] * scale, random, g, how);
            else
                r->out[j] = rounded(r->x[j] * scale, random, g, how) * after;
        }
    }
}

/* The columns [begin, end) of a row, where r.scale and r.after are those of the whole row. Widths
 * of 1, 16 and 32 (a scale per column, NVFP4, MX) have loops without rests; any other goes group by
 * group. */
INLINE void quantize_columns(run r, size_t begin, size_t end, size_t width, const grid *g, way how)
{
    const size_t n = end - begin;
    const float *scale = r.scale;
    const float *after = r.after;
    if (width == 1 || (width == 16 && n % 16 == 0) || (width == 32 && n % 32 == 0)) {
        r.scale += begin / width;
        r.after += r.as_codes ? 0 : begin / width;
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
        r.after = r.as_codes ? NULL : after + c / width;
        quantize_blocks(&r, 1, count, g, how);
        r.out += r.as_codes ? 0 : count;
        r.codes += r.as_codes ? count : 0;
        r.x += count;
        r.words += how >= STOCHASTIC ? count : 0;
        c += count;
    }
}

/* Whether there is a way. Rounding the discarded part to few bits has none but the shortest, and
 * half of the last of 32 bits is no bit of a word. */
static inline bool way_exists(const ag_format *format, ag_overflow overflow,
                              const ag_rounding_site *where)
{
    bool all = where == NULL || where->bits == 0 || where->bits == 32;
    if (!grid_exists(format))
        return false;
    if (where == NULL || where->variant == AG_SR_FLOOR)
        return true;
    if (format->table != NULL)
        return false;
    return where->variant == AG_SR_HALF ? !all : grid_of(format, overflow).is_plain;
}

static inline way way_of_table(const ag_code_table *table, bool random)
{
    if (table->count <= AG_TABLE_FEW)
        return random ? FEW_STOCHASTIC : FEW_NEAREST;
    if (random)
        return table->between.single ? TABLE_STOCHASTIC : SEARCH_STOCHASTIC;
    return table->nearest.single ? TABLE_NEAREST : SEARCH_NEAREST;
}

/* Chooses the way. `where`: NULL for rounding to nearest. */
static inline rounder rounder_of(const ag_format *format, ag_overflow overflow,
                                 const ag_rounding_site *where)
{
    rounder r = {.g = grid_of(format, overflow)};
    if (where != NULL)
        r.purpose = philox_purpose_of(where);
    if (format->table != NULL) {
        r.how = way_of_table(format->table, where != NULL);
    } else if (where != NULL) {
        r.how = r.g.is_plain ? PLAIN_STOCHASTIC : STOCHASTIC;
        if (where->variant == AG_SR_NEAREST) {
            r.g.finer = ((int32_t)r.g.cut - (where->bits > 0 ? where->bits : 32)) * (1 << 23);
            r.how = FINE_STOCHASTIC;
        }
    } else {
        way plain = r.g.has_integers ? PLAIN_INTEGER : PLAIN_NEAREST;
        r.how = r.g.is_plain ? plain : NEAREST;
    }
    return r;
}

/* Of elements of a scheme, which also says what a magnitude is cut to before it goes to a value of
 * a table. */
static inline rounder rounder_of_scheme(const ag_scheme *scheme, const ag_rounding_site *where)
{
    rounder r = rounder_of(&scheme->format, scheme->overflow, where);
    r.g.limit = ag_scheme_limit(scheme);
    return r;
}

#endif
