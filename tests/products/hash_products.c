/* One hash over products of every kind, for the reference and each engine that this processor has.
 * It must be the same everywhere: exits with 1 where it is not, after saying which was found. */
#include <stdio.h>
#include <string.h>

#include "base/bits.h"
#include "base/philox.h"
#include "products/engine.h"

enum { MOST_M = 19, MOST_N = 131, MOST_K = 1100, BLOCK = 32 };

static const uint64_t s_expected = 0x90270e3901536caeu;

static const size_t s_shapes[][3] = {
    {1,  1,   3   },
    {5,  16,  33  },
    {7,  65,  513 },
    {6,  64,  128 },
    {13, 131, 512 },
    {19, 80,  1100},
};

typedef struct operands {
    float floats[MOST_N * MOST_K];
    uint32_t words[MOST_N * MOST_K];
    int8_t codes[MOST_N * MOST_K];
    float scales[MOST_N * (MOST_K / BLOCK + 1)];
} operands;

static operands s_a, s_b;
static float s_c[MOST_M * MOST_N];

/* Floats of all 24 bits or of 8, exponents about 1, and codes. */
static void fill(operands *o, size_t rows, size_t K, uint32_t significand, uint64_t *state)
{
    for (size_t i = 0; i < rows * K; i++) {
        uint64_t word = ag_splitmix64(state);
        uint32_t exponent = 118 + (uint32_t)(word >> 40) % 12;
        uint32_t sign = (uint32_t)(word >> 32) & 0x80000000u;
        o->floats[i] = ag_bits_float(sign | exponent << 23 | ((uint32_t)word & significand));
        o->codes[i] = (int8_t)((int)(word >> 56) % 25 - 12);
    }
    for (size_t i = 0; i < rows * (K / BLOCK + 1); i++)
        o->scales[i] = ag_bits_float(0x3f000000u + ((uint32_t)ag_splitmix64(state) >> 8));
}

static ag_words words(const operands *o, ag_word word, size_t rows, size_t K, bool along)
{
    size_t per_row = word == AG_WORD_PAIR ? ag_words_of(word, K) : ag_code_words(K, BLOCK);
    ag_words w = {.words = o->words, .word = word, .row_step = along ? per_row : 1};
    w.k_step = along ? 1 : rows;
    w.most_code = 12;
    if (word != AG_WORD_PAIR)
        w.scales = o->scales;
    w.scale_row_step = K / BLOCK + 1;
    w.scale_step = 1;
    return w;
}

static uint64_t add_to_hash(uint64_t hash, size_t count)
{
    for (size_t i = 0; i < count; i++)
        hash = (hash ^ ag_float_bits(s_c[i])) * 0x100000001b3u;
    return hash;
}

static uint64_t multiply(const ag_engine *engine, const ag_product *p, uint64_t hash)
{
    if (engine == NULL)
        ag_product_ref(p);
    else
        ag_engine_multiply(engine, p);
    return add_to_hash(hash, p->M * p->N);
}

/* engine: NULL is the reference. */
static uint64_t hash_of(const ag_engine *engine)
{
    const ag_engine *packer = ag_engines[0];
    uint64_t state = 5;
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < sizeof s_shapes / sizeof s_shapes[0]; i++) {
        const size_t M = s_shapes[i][0];
        const size_t N = s_shapes[i][1];
        const size_t K = s_shapes[i][2];
        ag_product p = {.c = s_c, .c_step = N, .M = M, .N = N, .K = K};
        fill(&s_a, M, K, 0x7fffff, &state);
        fill(&s_b, N, K, 0x7fffff, &state);
        p.a = ag_floats_across(s_a.floats, M);
        p.b = ag_floats_along(s_b.floats, K);
        hash = multiply(engine, &p, hash);
        fill(&s_a, M, K, 0x7f0000, &state);
        fill(&s_b, N, K, 0x7f0000, &state);
        p.a = words(&s_a, AG_WORD_PAIR, M, K, true);
        p.b = words(&s_b, AG_WORD_PAIR, N, K, false);
        p.a.range = packer->pair_along(s_a.words, s_a.floats, M, K);
        p.b.range = packer->pair_across(s_b.words, s_b.floats, N, K);
        hash = multiply(engine, &p, hash);
        p.a = words(&s_a, AG_WORD_CODES, M, K, true);
        p.b = words(&s_b, AG_WORD_CODES, N, K, false);
        p.block = BLOCK;
        ag_codes_along(s_a.words, s_a.codes, M, K, BLOCK);
        ag_codes_across(s_b.words, s_b.codes, N, K, BLOCK);
        hash = multiply(engine, &p, hash);
    }
    return hash;
}

static int check(const char *name, uint64_t hash)
{
    printf("%-10s %016llx\n", name, (unsigned long long)hash);
    return hash != s_expected;
}

int main(void)
{
    int failed = check("reference", hash_of(NULL));
    for (size_t i = 0; ag_engines[i] != NULL; i++) {
        if (ag_engines[i]->runs_here())
            failed |= check(ag_engines[i]->name, hash_of(ag_engines[i]));
        else
            printf("%-10s skipped: this processor has no %s\n", ag_engines[i]->name,
                   ag_engines[i]->instructions);
    }
    return failed;
}
