/* Operands of products for tests: made-up values, and arrays to hold them. */
#ifndef TESTS_PRODUCTS_SPACE_H
#define TESTS_PRODUCTS_SPACE_H

#include "support.h"

#include <math.h>
#include <stdlib.h>

#include "base/philox.h"
#include "products/engine.h"

#define MAYBE_UNUSED __attribute__((unused))

enum { ROOM = 160 * 1200 };

/* How the elements of an operand are made. */
typedef enum values {
    ORDINARY,  /* normal distribution's like, all bits of the significand */
    BF16,      /* the same, BF16 values */
    WIDE,      /* any exponent of BF16: huge, subnormal, and signed zeros between */
    BOUNDARY,  /* BF16 values whose products have just no subnormal sums */
    BELOW,     /* and a power of two less */
    SUBNORMAL, /* float32, sums about 2^-126 */
    SPECIAL,   /* BF16 with infinities and NaN between */
    KINDS
} values;

MAYBE_UNUSED static const char *const s_kinds[] = {"ordinary", "bf16",      "wide",   "boundary",
                                                   "below",    "subnormal", "special"};

static float element(values kind, uint64_t word)
{
    uint32_t sign = (uint32_t)word & 0x80000000u;
    uint32_t significand = (uint32_t)word & 0x7f0000u;
    uint32_t rare = (uint32_t)(word >> 32) % 64;
    uint32_t any = (uint32_t)(word >> 40);
    switch (kind) {
    case ORDINARY:
        return float_of(sign | (120 + any % 8) << 23 | ((uint32_t)word & 0x7fffffu));
    case WIDE:
        return float_of(rare < 8 ? sign : sign | any % 255 << 23 | significand);
    case BOUNDARY:
        return float_of(sign | (71 + any % 4) << 23 | significand);
    case BELOW:
        return float_of(sign | (70 + any % 4) << 23 | significand);
    case SUBNORMAL:
        return float_of(sign | (58 + any % 8) << 23 | ((uint32_t)word & 0x7fffffu));
    case SPECIAL:
        if (rare == 0)
            return any % 4 == 0 ? NAN : float_of(sign | 0x7f800000u);
        break;
    case BF16:
    case KINDS:
        break;
    }
    return float_of(rare < 4 ? sign : sign | (120 + any % 8) << 23 | significand);
}

MAYBE_UNUSED static void fill(float *x, size_t count, values kind, uint64_t seed)
{
    uint64_t state = seed;
    for (size_t i = 0; i < count; i++)
        x[i] = element(kind, ag_splitmix64(&state));
}

MAYBE_UNUSED static bool is_bf16(values kind)
{
    return kind != ORDINARY && kind != SUBNORMAL;
}

/* What a test holds: arrays for one product. */
typedef struct space {
    float *x, *y, *expected, *got, *onto, *scales_a, *scales_b;
    uint32_t *a, *b;
    int8_t *codes;
} space;

/* Aligned, since engines read some operands where they lie only then. */
static void *zeros(size_t size)
{
    void *x = aligned_alloc(64, ag_pieces(size, 64) * 64);
    assert_non_null(x);
    return memset(x, 0, size);
}

static float *floats(void)
{
    return zeros(ROOM * sizeof(float));
}

MAYBE_UNUSED static int set_up(void **state)
{
    space *s = calloc(1, sizeof *s);
    assert_non_null(s);
    s->x = floats();
    s->y = floats();
    s->expected = floats();
    s->got = floats();
    s->onto = floats();
    s->scales_a = floats();
    s->scales_b = floats();
    s->a = zeros(ROOM * sizeof *s->a);
    s->b = zeros(ROOM * sizeof *s->b);
    s->codes = calloc(ROOM, 1);
    *state = s;
    return 0;
}

MAYBE_UNUSED static int tear_down(void **state)
{
    space *s = *state;
    void *all[] = {s->x,        s->y, s->expected, s->got,   s->onto, s->scales_a,
                   s->scales_b, s->a, s->b,        s->codes, s};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        free(all[i]);
    return 0;
}

/* One operand, in either layout, as floats or as pairs. */
MAYBE_UNUSED static ag_words operand(uint32_t *room, const float *x, size_t rows, size_t K,
                                     bool along, bool pairs)
{
    if (!pairs)
        return along ? ag_floats_along(x, K) : ag_floats_across(x, rows);
    const ag_engine *engine = ag_engines[0];
    ag_words w = {.words = room, .word = AG_WORD_PAIR};
    w.range = (along ? engine->pair_along : engine->pair_across)(room, x, rows, K);
    w.row_step = along ? ag_words_of(AG_WORD_PAIR, K) : 1;
    w.k_step = along ? 1 : rows;
    return w;
}

#endif
