/* The engines, and which of them runs. They are the same sources compiled for one instruction set
 * each (CMakeLists.txt), so the program carries them all and chooses when it starts: the last in
 * the list that this processor has, that proves its bits here (engine_proof.c) and whose special
 * instructions pay. The choice can change no bit, only the time. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "products_internal.h"

/* --- the engines */

static bool always(void)
{
    return true;
}

static const ag_engine s_portable = {
    .name = "portable",
    .instructions = "portable C",
    .floats = ag_floats_portable,
    .floats_by_panels = &ag_floats_portable_by_panels,
    .pairs = ag_pairs_portable,
    .codes = ag_codes_portable,
    .pair_along = ag_pair_along_portable,
    .pair_across = ag_pair_across_portable,
    .pair_range = ag_pair_range_portable,
    .spin = ag_spin_floats_portable,
    .spin_codes = ag_spin_codes_portable,
    .runs_here = always,
};

#if defined(__x86_64__)

static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static bool has_avx512(void)
{
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

static bool has_vnni(void)
{
    return has_avx512() && __builtin_cpu_supports("avx512vnni");
}

static bool has_bf16(void)
{
    return has_vnni() && __builtin_cpu_supports("avx512bf16");
}

static const ag_engine s_avx2 = {
    .name = "avx2",
    .instructions = "AVX2 and FMA",
    .floats = ag_floats_avx2,
    .floats_by_panels = &ag_floats_avx2_by_panels,
    .codes = ag_codes_avx2,
    .pair_along = ag_pair_along_avx2,
    .pair_across = ag_pair_across_avx2,
    .pair_range = ag_pair_range_avx2,
    .spin = ag_spin_floats_avx2,
    .spin_codes = ag_spin_codes_avx2,
    .runs_here = has_avx2,
};

static const ag_engine s_avx512 = {
    .name = "avx512",
    .instructions = "AVX-512",
    .floats = ag_floats_avx512,
    .floats_by_panels = &ag_floats_avx512_by_panels,
    .codes = ag_codes_avx512,
    .pair_along = ag_pair_along_avx512,
    .pair_across = ag_pair_across_avx512,
    .pair_range = ag_pair_range_avx512,
    .spin = ag_spin_floats_avx512,
    .spin_codes = ag_spin_codes_avx512,
    .runs_here = has_avx512,
};

static const ag_engine s_vnni = {
    .name = "vnni",
    .instructions = "AVX-512 with VNNI",
    .codes_pay = true,
    .floats = ag_floats_avx512,
    .floats_by_panels = &ag_floats_avx512_by_panels,
    .codes = ag_codes_vnni,
    .pair_along = ag_pair_along_avx512,
    .pair_across = ag_pair_across_avx512,
    .pair_range = ag_pair_range_avx512,
    .spin = ag_spin_floats_avx512,
    .spin_codes = ag_spin_codes_vnni,
    .runs_here = has_vnni,
};

static const ag_engine s_pairs = {
    .name = "pairs",
    .instructions = "AVX-512 with VNNI and BF16",
    .pairs_pay = true,
    .codes_pay = true,
    .floats = ag_floats_avx512,
    .floats_by_panels = &ag_floats_avx512_by_panels,
    .pairs = ag_pairs_bf16,
    .pairs_by_panels = &ag_pairs_bf16_by_panels,
    .codes = ag_codes_vnni,
    .pair_along = ag_pair_along_avx512,
    .pair_across = ag_pair_across_avx512,
    .pair_range = ag_pair_range_avx512,
    .spin = ag_spin_floats_avx512,
    .spin_pairs = ag_spin_pairs_bf16,
    .spin_codes = ag_spin_codes_vnni,
    .runs_here = has_bf16,
};

const ag_engine *const ag_engines[] = {
    &s_portable, &s_avx2, &s_avx512, &s_vnni, &s_pairs, NULL,
};

#elif defined(__aarch64__)

static const ag_engine s_neon = {
    .name = "neon",
    .instructions = "NEON",
    .floats = ag_floats_neon,
    .floats_by_panels = &ag_floats_neon_by_panels,
    .codes = ag_codes_neon,
    .pair_along = ag_pair_along_neon,
    .pair_across = ag_pair_across_neon,
    .pair_range = ag_pair_range_neon,
    .spin = ag_spin_floats_neon,
    .spin_codes = ag_spin_codes_neon,
    .runs_here = always,
};

const ag_engine *const ag_engines[] = {&s_portable, &s_neon, NULL};

#else

const ag_engine *const ag_engines[] = {&s_portable, NULL};

#endif

/* --- products */

/* VDPBF16PS takes subnormal numbers for 0, so pairs go there only if their ranges allow none to
 * arise; else they are split into floats. */
static bool takes_pairs(const ag_engine *engine, const ag_product *p)
{
    return engine->pairs != NULL && p->a.word == AG_WORD_PAIR && p->b.word != AG_WORD_FLOAT &&
           ag_pairs_are_normal(p->a.range, p->b.range);
}

const ag_by_panels *ag_engine_by_panels(const ag_engine *engine, const ag_product *p)
{
    if (p->b.word == AG_WORD_CODES)
        return NULL;
    return takes_pairs(engine, p) ? engine->pairs_by_panels : engine->floats_by_panels;
}

void ag_engine_multiply(const ag_engine *engine, const ag_product *p)
{
    if (p->b.word == AG_WORD_CODES)
        engine->codes(p);
    else if (takes_pairs(engine, p))
        engine->pairs(p);
    else
        engine->floats(p);
}

/* --- the choice */

enum { SIDE = 96, DEPTH = AG_SEGMENT, IN_SIDE = SIDE * DEPTH, ROUNDS = 9 };

/* The time of a product [SIDE, SIDE] of `words` per row. */
static double product_s(ag_multiply_fn *multiply, ag_word word, size_t words, const uint32_t *ones)
{
    float c[SIDE * SIDE];
    ag_words side = {.words = ones, .row_step = words, .k_step = 1, .word = word};
    ag_product p = {c, SIDE, side, side, SIDE, SIDE, DEPTH, .block = 0};
    double begin_s = ag_clock_s();
    multiply(&p);
    return ag_clock_s() - begin_s;
}

/* On some processors VDPBF16PS takes as long as two float instructions or longer; where it does
 * not, it is twice as fast. A limit between the two keeps a busy machine from changing the choice.
 * They are timed in turns, since a processor that wakes up or is shared is slow for longer than one
 * product takes, and by the shortest time of each, since whatever disturbs a measurement makes it
 * longer. */
static bool pays(const ag_engine *engine)
{
    if (!engine->pairs_pay)
        return true;
    uint32_t ones[IN_SIDE]; /* 1.0 as floats; pairs read half of them */
    for (size_t i = 0; i < IN_SIDE; i++)
        ones[i] = 0x3f800000u;
    double pairs_s = INFINITY;
    double floats_s = INFINITY;
    for (int i = 0; i < ROUNDS; i++) {
        pairs_s = fmin(pairs_s, product_s(engine->pairs, AG_WORD_PAIR, DEPTH / 2, ones));
        floats_s = fmin(floats_s, product_s(engine->floats, AG_WORD_FLOAT, DEPTH, ones));
    }
    return pairs_s < 0.75 * floats_s;
}

static const ag_engine *fastest(void)
{
    const ag_engine *best = ag_engines[0];
    for (size_t i = 1; ag_engines[i] != NULL; i++) {
        const ag_engine *engine = ag_engines[i];
        if (engine->runs_here() && ag_engine_proves(engine) && pays(engine))
            best = engine;
    }
    return best;
}

ag_status ag_engine_choose(const ag_engine **out, const char *name)
{
    if (name == NULL || name[0] == '\0') {
        *out = fastest();
        return AG_OK;
    }
    for (size_t i = 0; ag_engines[i] != NULL; i++) {
        if (strcmp(ag_engines[i]->name, name) != 0)
            continue;
        if (!ag_engines[i]->runs_here())
            return ag_fail(AG_ERR_SYSTEM, "this processor has no %s, which the products '%s' need",
                           ag_engines[i]->instructions, name);
        if (!ag_engine_proves(ag_engines[i]))
            return ag_fail(AG_ERR_SYSTEM, "the products '%s' give wrong bits on this processor",
                           name);
        *out = ag_engines[i];
        return AG_OK;
    }
    char names[120] = "";
    for (size_t i = 0; ag_engines[i] != NULL; i++)
        snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", i > 0 ? ", " : "",
                 ag_engines[i]->name);
    return ag_fail(AG_ERR_INPUT, "no products are called '%s': expected one of %s", name, names);
}
