/* A proof of an engine's bits on the processor at hand, taken before it is used: small products
 * made so that another order, another rounding, or a subnormal number lost shows in many of their
 * sums. It guards against what no build can test: a processor or an emulator whose instructions
 * round otherwise, or a compiler that contracts where it should not. Some thousand sums, a few
 * milliseconds. */
#include <string.h>

#include "base/philox.h"
#include "products_internal.h"

/* K is odd and no multiple of a block; M and N are more than a tile, and ragged. */
enum { M = 12, N = 64, K = 35, WORDS = (K + 1) / 2, BLOCK = 16, BLOCKS = (K + BLOCK - 1) / BLOCK };
enum { IN_A = M * K, IN_B = N * K, IN_C = M * N };

/* Exponents, biased, of made-up operands. Sums of narrow ranges cancel, so that a rounding shows;
 * those of wide ones tie with halves. At 71 sums of pairs can be as small as 2^-126, the smallest
 * normal number; below that they can be subnormal; the highest overflow. */
static const struct {
    uint32_t least, count;
} s_exponents[] = {
    {127, 1  },
    {126, 3  },
    {120, 12 },
    {107, 40 },
    {71,  8  },
    {71,  100},
    {60,  12 },
    {170, 40 }
};

enum { CASES = sizeof s_exponents / sizeof s_exponents[0] };

/* x [count] of either sign, some 0; `bits` of the significand are any, the lower ones 0. */
static void make_values(float *x, size_t count, size_t which, unsigned bits, uint64_t *state)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t word = ag_splitmix64(state);
        uint32_t exponent =
            s_exponents[which].least + (uint32_t)(word >> 40) % s_exponents[which].count;
        uint32_t significand = (uint32_t)word & AG_MANTISSA_BITS & ~(AG_MANTISSA_BITS >> bits);
        uint32_t sign = (uint32_t)(word >> 32) & AG_SIGN_BIT;
        x[i] = word >> 59 == 0 ? 0 : ag_bits_float(sign | exponent << 23 | significand);
    }
}

static bool is_nan(float x)
{
    return x != x;
}

/* Whether the engine makes of the product what the reference makes. */
static bool agrees(const ag_engine *engine, ag_product *p)
{
    float expected[IN_C];
    float got[IN_C];
    p->M = M;
    p->N = N;
    p->K = K;
    p->c_step = N;
    p->c = expected;
    ag_product_ref(p);
    p->c = got;
    ag_engine_multiply(engine, p);
    for (size_t i = 0; i < IN_C; i++) {
        bool same = ag_float_bits(got[i]) == ag_float_bits(expected[i]);
        if (!same && !(is_nan(got[i]) && is_nan(expected[i])))
            return false;
    }
    return true;
}

static bool proves_floats(const ag_engine *engine, size_t which, uint64_t *state)
{
    float a[IN_A];
    float b[IN_B];
    make_values(a, IN_A, which, 23, state);
    make_values(b, IN_B, which, 23, state);
    ag_product p = {.a = ag_floats_along(a, K), .b = ag_floats_across(b, N)};
    return agrees(engine, &p);
}

static bool proves_pairs(const ag_engine *engine, size_t which, uint64_t *state)
{
    float x[IN_B];
    uint32_t a[M * WORDS];
    uint32_t b[N * WORDS];
    ag_product p = {
        .a = {.words = a, .row_step = WORDS, .k_step = 1, .word = AG_WORD_PAIR},
        .b = {.words = b, .row_step = 1,     .k_step = N, .word = AG_WORD_PAIR}
    };
    make_values(x, IN_A, which, 7, state);
    p.a.range = engine->pair_along(a, x, M, K);
    make_values(x, IN_B, which, 7, state);
    p.b.range = engine->pair_across(b, x, N, K);
    return agrees(engine, &p);
}

/* words [rows, 3 * BLOCK / 4] of any codes up to `most`, and scales [rows, BLOCKS] */
static ag_words make_codes(uint32_t *words, float *scales, size_t rows, int most, size_t which,
                           uint64_t *state)
{
    int8_t codes[IN_B];
    for (size_t i = 0; i < rows * K; i++)
        codes[i] = (int8_t)((int)(ag_splitmix64(state) % (2 * (unsigned)most + 1)) - most);
    make_values(scales, rows * BLOCKS, which, 23, state);
    ag_codes_along(words, codes, rows, K, BLOCK);
    return (ag_words){.words = words,
                      .row_step = ag_code_words(K, BLOCK),
                      .k_step = 1,
                      .word = AG_WORD_CODES,
                      .scales = scales,
                      .scale_row_step = BLOCKS,
                      .scale_step = 1,
                      .most_code = most};
}

static bool proves_codes(const ag_engine *engine, size_t which, uint64_t *state)
{
    const int most = which % 2 == 0 ? 12 : 127; /* of E2M1 doubled; of INT8 */
    uint32_t a[IN_A];
    uint32_t b[IN_B];
    float scales_a[M * BLOCKS];
    float scales_b[N * BLOCKS];
    ag_product p = {.a = make_codes(a, scales_a, M, most, which, state),
                    .b = make_codes(b, scales_b, N, most, which, state),
                    .block = BLOCK};
    return agrees(engine, &p);
}

bool ag_engine_proves(const ag_engine *engine)
{
    uint64_t state = 1;
    for (size_t i = 0; i < CASES; i++)
        if (!proves_floats(engine, i, &state) || !proves_pairs(engine, i, &state) ||
            !proves_codes(engine, i, &state))
            return false;
    return true;
}
