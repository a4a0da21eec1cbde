/* Rounding to the values of a format that lists them (numerics/code_table.c), also without a
 * branch: few values are compared with one after the other, more are found by the bucket of a
 * magnitude's bits, and where several share a bucket by bisection. */
#ifndef AG_KERNELS_QUANTIZE_TABLE_H
#define AG_KERNELS_QUANTIZE_TABLE_H

#include "quantize_grid.h"

INLINE float within_limit(float y, const grid *g)
{
    float below = y > g->limit ? g->limit : y;
    return below < -g->limit ? -g->limit : below;
}

/* What lies outside becomes the end. */
INLINE float within_values(float y, const grid *g)
{
    const float first = ag_bits_float(g->table->value[0]);
    const float last = ag_bits_float(g->table->value[g->table->count - 1]);
    float x = within_limit(y, g);
    x = x < first ? first : x;
    return x > last ? last : x;
}

/* A value of the table by its bits; 0 has the sign of y, and NaN stays. */
INLINE float listed(uint32_t value, float y)
{
    uint32_t sign = value == 0 ? ag_float_bits(y) & AG_SIGN_BIT : 0;
    return ag_bits_float((ag_float_bits(y) & AG_MAGNITUDE_BITS) > AG_INFINITE_BITS ? AG_NAN_BITS
                                                                                   : value | sign);
}

/* One of the values around x: that far from zero where the distance from the near one, in 2^-32 of
 * that of the two, and the random word carry. Where both are the same the part is no number, and
 * either is right. */
INLINE uint32_t one_of(uint32_t lower, uint32_t upper, float x, uint32_t random)
{
    bool negative = ag_bits_float(upper) <= 0.0f;
    uint32_t near = negative ? upper : lower;
    uint32_t far = negative ? lower : upper;
    double from = (double)ag_bits_float(near);
    double part = fabs((double)x - from) / fabs((double)ag_bits_float(far) - from);
    bool is_far = floor(part * 0x1p32) + (double)random >= 0x1p32;
    return is_far ? far : near;
}

/* All bits where x is at least a number, none where it is below it or one is NaN. */
INLINE uint32_t reaches(float x, uint32_t number)
{
    return -(uint32_t)(x >= ag_bits_float(number));
}

/* Few values: no load and no branch depends on x, so that loops become vectors on every processor.
 * Each bound that x reaches adds what leads from the bits of a value to those of the next. */
#define FEW_BOUNDS(ROW)                                                                            \
    ROW(0)                                                                                         \
    ROW(1)                                                                                         \
    ROW(2)                                                                                         \
    ROW(3)                                                                                         \
    ROW(4)                                                                                         \
    ROW(5)                                                                                         \
    ROW(6)                                                                                         \
    ROW(7)                                                                                         \
    ROW(8)                                                                                         \
    ROW(9)                                                                                         \
    ROW(10)                                                                                        \
    ROW(11)                                                                                        \
    ROW(12)                                                                                        \
    ROW(13)                                                                                        \
    ROW(14)

INLINE float few_nearest(float y, const grid *g)
{
    const ag_code_table *t = g->table;
    float x = within_limit(y, g);
    uint32_t value = t->value[0];
#define ADD(i) value += t->more[i] & reaches(x, t->nearest.from[i]);
    FEW_BOUNDS(ADD)
#undef ADD
    return listed(value, y);
}

/* At the last value both neighbours are that one. */
INLINE float few_stochastic(float y, uint32_t random, const grid *g)
{
    const ag_code_table *t = g->table;
    float x = within_values(y, g);
    uint32_t lower = t->value[0];
    uint32_t upper = t->value[1];
#define ADD(i)                                                                                     \
    lower += t->more[i] & reaches(x, t->between.from[i]);                                          \
    upper += t->more[(i) + 1] & reaches(x, t->between.from[i]);
    FEW_BOUNDS(ADD)
#undef ADD
    return listed(one_of(lower, upper, x, random), y);
}

/* The cell of the bucket of x. */
INLINE const ag_table_cell *cell_of(const ag_ladder *l, float x)
{
    uint32_t bits = ag_float_bits(x);
    int32_t at = (int32_t)((bits & AG_MAGNITUDE_BITS) >> l->shift) - l->base;
    at = at < 0 ? 0 : at;
    at = at > l->half - 1 ? l->half - 1 : at;
    return &l->cells[at + (bits >> 31 != 0 ? l->half : 0)];
}

INLINE uint32_t either(uint32_t mask, uint32_t one, uint32_t other)
{
    return other ^ ((one ^ other) & mask);
}

INLINE float table_nearest(float y, const grid *g)
{
    float x = within_limit(y, g);
    const ag_table_cell *c = cell_of(&g->table->nearest, x);
    return listed(either(reaches(x, c->from), c->value[1], c->value[0]), y);
}

INLINE float table_stochastic(float y, uint32_t random, const grid *g)
{
    float x = within_values(y, g);
    const ag_table_cell *c = cell_of(&g->table->between, x);
    uint32_t above = reaches(x, c->from);
    uint32_t lower = either(above, c->value[1], c->value[0]);
    uint32_t upper = either(above, c->value[2], c->value[1]);
    return listed(one_of(lower, upper, x, random), y);
}

/* How many of the numbers are at most x, by bisection: for tables whose values crowd. NaN is
 * compared with none. */
INLINE int32_t place_in(const ag_ladder *l, float x)
{
    int32_t place = 0;
    for (int32_t half = AG_TABLE_CODES / 2; half > 0; half /= 2)
        place += x >= ag_bits_float(l->from[place + half - 1]) ? half : 0;
    return place;
}

INLINE float search_nearest(float y, const grid *g)
{
    const ag_code_table *t = g->table;
    return listed(t->value[place_in(&t->nearest, within_limit(y, g))], y);
}

INLINE float search_stochastic(float y, uint32_t random, const grid *g)
{
    const ag_code_table *t = g->table;
    float x = within_values(y, g);
    int32_t place = place_in(&t->between, x);
    place = place > t->count - 2 ? t->count - 2 : place;
    return listed(one_of(t->value[place], t->value[place + 1], x, random), y);
}

#endif
