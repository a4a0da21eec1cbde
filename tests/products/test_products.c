/* Every engine that this processor has gives the reference's bits, whatever the shape, the layout,
 * the values and the shares. */
#include "space.h"

static void assert_same(const float *expected, const float *got, size_t count, const char *what,
                        const ag_engine *engine, const ag_product *p)
{
    for (size_t i = 0; i < count; i++) {
        if (bits_of(expected[i]) != bits_of(got[i]) && !(isnan(expected[i]) && isnan(got[i])))
            fail_msg("%s, %s: %zu x %zu, K %zu: element %zu is %a (%08x), not %a (%08x)",
                     engine->name, what, p->M, p->N, p->K, i, (double)got[i], bits_of(got[i]),
                     (double)expected[i], bits_of(expected[i]));
    }
}

/* The product in two steps: panels in three parts, the last first, then c's rows in two. */
static void multiply_by_panels(const ag_engine *engine, const ag_product *p)
{
    const ag_by_panels *way = ag_engine_by_panels(engine, p);
    if (way == NULL) {
        ag_engine_multiply(engine, p);
        return;
    }
    const size_t words = (p->K + 1) * (p->N + 16);
    uint32_t *panels = aligned_alloc(64, ag_pieces(words, 16) * 16 * sizeof *panels);
    assert_non_null(panels);
    for (size_t part = 3; part-- > 0;)
        way->pack(panels, p, part, 3);
    const ag_product rows[] = {ag_product_part(p, p->M / 3, p->M, 0, p->N),
                               ag_product_part(p, 0, p->M / 3, 0, p->N)};
    for (size_t i = 0; i < 2; i++)
        way->multiply(&rows[i], panels);
    free(panels);
}

/* All engines against the reference: whole, in shares, and by panels. */
static void compare(space *s, ag_product *p, const char *what)
{
    const size_t count = p->M * p->c_step;
    float *const onto = p->finish.onto == NULL ? NULL : s->onto;
    fill(s->onto, count, ORDINARY, 3);
    for (size_t i = 0; i < count; i++)
        s->expected[i] = s->got[i] = onto == NULL ? -7 : s->onto[i];
    p->c = onto == NULL ? s->expected : s->onto;
    p->finish.onto = onto == NULL ? NULL : s->expected;
    ag_product_ref(p);
    for (size_t e = 0; ag_engines[e] != NULL; e++) {
        if (!ag_engines[e]->runs_here())
            continue;
        for (size_t way = 0; way < 3; way++) {
            size_t m = way == 0 ? p->M : p->M / 3;
            size_t n = way == 0 ? p->N : p->N / 2;
            for (size_t i = 0; i < count; i++)
                s->got[i] = -7;
            p->c = onto == NULL ? s->got : s->onto;
            fill(s->onto, count, ORDINARY, 3);
            if (onto != NULL)
                memcpy(s->got, s->onto, count * sizeof *s->got);
            p->finish.onto = onto == NULL ? NULL : s->got;
            const ag_product parts[] = {ag_product_part(p, 0, m, 0, n),
                                        ag_product_part(p, m, p->M, 0, n),
                                        ag_product_part(p, 0, p->M, n, p->N)};
            for (size_t i = 0; i < 3 && way < 2; i++)
                ag_engine_multiply(ag_engines[e], &parts[i]);
            if (way == 2)
                multiply_by_panels(ag_engines[e], p);
            assert_same(s->expected, s->got, count, what, ag_engines[e], p);
        }
    }
}

/* Floats that are BF16's, as b may hold them where a holds pairs. */
static ag_words as_bf16(ag_words floats, const float *x, size_t count)
{
    floats.word = AG_WORD_BF16;
    floats.range = ag_pairs_range(x, count);
    return floats;
}

/* The layouts of both operands, and whether they are pairs, take turns. */
static void compare_kind(space *s, size_t M, size_t N, size_t K, values kind)
{
    static unsigned turn;
    fill(s->x, M * K, kind, M + 7 * K);
    fill(s->y, N * K, kind, N + 3 * K + 1);
    for (unsigned i = 0; i < 3; i++) {
        unsigned which = turn++;
        unsigned pairs = is_bf16(kind) ? which / 4 : 0;
        ag_product p = {.c_step = N + which % 3, .M = M, .N = N, .K = K};
        p.a = operand(s->a, s->x, M, K, (which & 1) != 0, (pairs & 1) != 0);
        p.b = operand(s->b, s->y, N, K, (which & 2) != 0, (pairs & 2) != 0);
        if (is_bf16(kind) && p.b.word == AG_WORD_FLOAT)
            p.b = as_bf16(p.b, s->y, N * K);
        compare(s, &p, s_kinds[kind]);
    }
}

static const size_t s_sizes[][2] = {
    {1,  1  },
    {1,  17 },
    {7,  1  },
    {5,  16 },
    {6,  64 },
    {13, 65 },
    {19, 131}
};
static const size_t s_depths[] = {0,   1,   2,   3,   7,   16,   31,   64,
                                  127, 510, 511, 512, 513, 1024, 1025, 1100};

enum { SIZES = sizeof s_sizes / sizeof s_sizes[0], DEPTHS = sizeof s_depths / sizeof s_depths[0] };

static void engines_keep_to_the_reference(void **state)
{
    for (size_t i = 0; i < SIZES; i++)
        for (size_t d = 0; d < DEPTHS; d++)
            for (values kind = 0; kind < KINDS; kind++)
                compare_kind(*state, s_sizes[i][0], s_sizes[i][1], s_depths[d], kind);
}

/* Rows of a that lie 4 KiB apart, more columns and rows than a block has. */
static void large_and_colliding_shapes(void **state)
{
    static const size_t shapes[][3] = {
        {1024, 40,   33},
        {2,    1600, 40},
        {1300, 3,    60},
        {128,  800,  70}
    };
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        compare_kind(*state, shapes[i][0], shapes[i][1], shapes[i][2], ORDINARY);
        compare_kind(*state, shapes[i][0], shapes[i][1], shapes[i][2], BF16);
    }
}

/* A product whose k = 0 stands within a segment is the end of one that has zeros before. */
static void a_product_begins_within_a_segment(void **state)
{
    static const size_t places[] = {2, 300, 510};
    enum { M = 7, N = 70, K = 640 };
    space *s = *state;
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        for (int pairs = 0; pairs < 2; pairs++) {
            const size_t first = places[i];
            ag_product p = {.c_step = N, .M = M, .N = N, .K = K - first};
            fill(s->x, M * K, BF16, i);
            fill(s->y, N * K, BF16, i + 9);
            for (size_t row = 0; row < M; row++)
                for (size_t k = 0; k < first; k++)
                    s->x[row * K + k] = 0;
            p.K = K;
            p.a = operand(s->a, s->x, M, K, true, pairs);
            p.b = operand(s->b, s->y, N, K, false, pairs);
            float whole[M * N];
            p.c = whole;
            ag_product_ref(&p);
            p.K = K - first;
            p.first = first;
            p.a.words = (const uint32_t *)p.a.words + first / (pairs ? 2 : 1);
            p.b.words = (const uint32_t *)p.b.words + first / (pairs ? 2 : 1) * N;
            compare(s, &p, "within a segment");
            assert_same(whole, s->expected, M * N, "zeros before", ag_engines[0], &p);
        }
    }
}

/* What lies beyond a triangle: zeros next to it, then what must not be read. */
static void fill_beyond(space *s, const ag_product *p, bool along)
{
    const size_t M = p->M;
    const size_t K = p->K;
    const bool upper = p->triangle == AG_TRIANGLE_A_UPPER;
    for (size_t m = 0; m < M; m++) {
        for (size_t k = 0; k < K; k++) {
            const size_t edge = m + (size_t)p->diagonal;
            const size_t beyond = upper ? (k < edge ? edge - k : 0) : (k > edge ? k - edge : 0);
            if (beyond > 0)
                s->x[along ? m * K + k : k * M + m] = beyond <= AG_REACH ? 0 : NAN;
        }
    }
}

/* Columns of c's row m that are in the triangle. */
static size_t wanted_columns(const ag_product *p, size_t m)
{
    const size_t most = m + (size_t)p->diagonal + 1;
    return p->triangle == AG_TRIANGLE_C_LOWER && most < p->N ? most : p->N;
}

static void compare_triangle(space *s, ag_product *p, bool along, bool pairs)
{
    const size_t M = p->M;
    const size_t N = p->N;
    const size_t K = p->K;
    fill(s->x, M * K, BF16, M + K);
    fill(s->y, N * K, BF16, N + K);
    if (p->triangle != AG_TRIANGLE_C_LOWER)
        fill_beyond(s, p, along);
    p->a = operand(s->a, s->x, M, K, along, pairs);
    p->b = operand(s->b, s->y, N, K, !along, pairs);
    p->c = s->expected;
    ag_product_ref(p);
    for (size_t e = 0; ag_engines[e] != NULL; e++) {
        for (size_t m = 0; ag_engines[e]->runs_here() && m < 2; m++) {
            const size_t cut = m * (M / 3);
            p->c = s->got;
            const ag_product parts[] = {ag_product_part(p, 0, cut, 0, N),
                                        ag_product_part(p, cut, M, 0, N / 2),
                                        ag_product_part(p, cut, M, N / 2, N)};
            for (size_t i = 0; i < 3; i++)
                ag_engine_multiply(ag_engines[e], &parts[i]);
            for (size_t i = 0; i < M; i++)
                assert_same(s->expected + i * N, s->got + i * N, wanted_columns(p, i), "triangle",
                            ag_engines[e], p);
        }
    }
}

static void products_keep_to_triangles(void **state)
{
    static const size_t sides[] = {1, 7, 48, 64, 131, 300};
    for (size_t i = 0; i < sizeof sides / sizeof sides[0]; i++) {
        for (unsigned way = 0; way < 16; way++) {
            const size_t T = sides[i];
            const size_t width = (way & 8) != 0 ? 33 : 32;
            const size_t further = (way & 4) != 0 ? 300 : 0;
            ag_product c = {.M = T, .N = T + further, .K = width, .c_step = T + further};
            c.triangle = AG_TRIANGLE_C_LOWER;
            c.diagonal = (ptrdiff_t)further;
            compare_triangle(*state, &c, way & 1, way & 2);
            ag_product a = {.M = T, .N = width, .K = T + further, .c_step = width};
            a.diagonal = (ptrdiff_t)further;
            a.triangle = AG_TRIANGLE_A_LOWER;
            compare_triangle(*state, &a, way & 1, way & 2);
            a.triangle = AG_TRIANGLE_A_UPPER;
            compare_triangle(*state, &a, way & 1, way & 2);
        }
    }
}

/* --- codes */

/* Random codes, but of the last row all the largest, so that its sum with another such is, too. */
static ag_words coded(space *s, uint32_t *room, size_t rows, size_t K, size_t block, bool along,
                      bool for_a, int most)
{
    uint64_t state = rows + K + for_a;
    size_t in_block = block == 0 ? K : block;
    size_t words = K == 0 ? 0 : ag_code_words(K, in_block);
    for (size_t i = 0; i < rows * K; i++) {
        int code = (int)(ag_splitmix64(&state) % (2 * (unsigned)most + 1)) - most;
        size_t row = along ? i / K : i % rows;
        s->codes[i] = (int8_t)(row == rows - 1 ? most : code);
    }
    if (K > 0)
        (along ? ag_codes_along : ag_codes_across)(room, s->codes, rows, K, in_block);
    ag_words w = {.words = room, .word = AG_WORD_CODES};
    w.row_step = along ? words : 1;
    w.k_step = along ? 1 : rows;
    w.most_code = most;
    if (block > 0) {
        float *scales = for_a ? s->scales_a : s->scales_b;
        fill(scales, rows * (K / block + 1), ORDINARY, state);
        w.scales = scales;
        w.scale_row_step = along ? K / block + 1 : 1;
        w.scale_step = along ? 1 : rows;
    }
    return w;
}

/* Whether the sum of K products of such codes is exact in float32. */
static bool is_exact(size_t K, size_t most)
{
    return K * most * most <= 1u << 24;
}

static void codes_keep_to_the_reference(void **state)
{
    static const size_t blocks[] = {0, 16, 32, 128, 10, 600};
    static const int most[] = {12, 7, 127, 1};
    space *s = *state;
    for (size_t i = 0; i < SIZES; i++) {
        for (size_t d = 0; d < DEPTHS; d++) {
            for (size_t v = d % 3; v < 6 * 4; v += 3) {
                size_t M = s_sizes[i][0], N = s_sizes[i][1], K = s_depths[d], block = blocks[v / 4];
                if (!is_exact(block == 0 ? K : block, (size_t)most[v % 4]))
                    continue;
                ag_product p = {.c_step = N, .M = M, .N = N, .K = K, .block = block};
                p.a = coded(s, s->a, M, K, block, (v + i) % 2 == 0, true, most[v % 4]);
                p.b = coded(s, s->b, N, K, block, (v + d) % 2 == 0, false, most[v % 4]);
                compare(s, &p, "codes");
            }
        }
    }
}

/* Scales [count] with biased exponents from `least` on, powers of two or not; or all of them `odd`,
 * so that no larger one hides what it makes. */
static void fill_scales(float *scales, size_t count, uint32_t least, uint32_t exponents,
                        bool powers, float odd)
{
    uint64_t state = least + exponents;
    for (size_t i = 0; i < count; i++) {
        uint64_t word = ag_splitmix64(&state);
        uint32_t mantissa = powers ? 0 : (uint32_t)word & 0x7fffffu;
        scales[i] = float_of((least + (uint32_t)(word >> 40) % exponents) << 23 | mantissa);
        if (odd != 1)
            scales[i] = odd;
    }
}

/* Powers of two as scales, whose products' exponents reach both ends of the normal numbers or go
 * one beyond, and what is no power of two, or has no exponent, among them. */
static void scales_of_powers_keep_to_the_reference(void **state)
{
    static const struct {
        uint32_t least_a, count_a, least_b, count_b; /* exponents */
        bool powers_a, powers_b;
        float odd;
    } cases[] = {
        {120, 16, 120, 16, true,  true,  1        },
        {1,   1,  127, 1,  true,  true,  1        }, /* 2^-126 */
        {1,   1,  126, 1,  true,  true,  1        }, /* 2^-127, subnormal */
        {64,  64, 190, 64, true,  true,  1        }, /* up to 2^126 */
        {254, 1,  127, 1,  true,  true,  1        }, /* 2^127 */
        {254, 1,  129, 1,  true,  true,  1        }, /* Inf */
        {120, 16, 120, 16, false, true,  1        },
        {120, 16, 120, 16, true,  false, 1        },
        {120, 16, 120, 16, false, false, 1        },
        {180, 16, 180, 16, true,  true,  0        },
        {180, 16, 180, 16, true,  true,  -2       },
        {180, 16, 180, 16, true,  true,  0x1p-127f},
        {110, 16, 110, 16, true,  true,  INFINITY },
        {110, 16, 110, 16, true,  true,  NAN      },
    };
    enum { M = 14, N = 70, K = 150, BLOCK = 32, BLOCKS = 5 };
    space *s = *state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (unsigned way = 0; way < 8; way++) {
            ag_product p = {.c_step = N, .M = M, .N = N, .K = K, .block = BLOCK};
            p.a = coded(s, s->a, M, K, BLOCK, (way & 1) != 0, true, 127);
            p.b = coded(s, s->b, N, K, BLOCK, (way & 2) != 0, false, 127);
            fill_scales(s->scales_a, M * BLOCKS, cases[i].least_a, cases[i].count_a,
                        cases[i].powers_a, (way & 4) != 0 ? cases[i].odd : 1);
            fill_scales(s->scales_b, N * BLOCKS, cases[i].least_b, cases[i].count_b,
                        cases[i].powers_b, (way & 4) != 0 ? 1 : cases[i].odd);
            compare(s, &p, "powers as scales");
        }
    }
}

/* Where no scale stands between, codes give what their values as floats give. */
static void whole_codes_are_the_chain(void **state)
{
    enum { M = 9, N = 40, K = 1100 };
    space *s = *state;
    ag_product p = {.c = s->expected, .c_step = N, .M = M, .N = N, .K = K};
    p.a = coded(s, s->a, M, K, 0, true, true, 12);
    for (size_t i = 0; i < M * K; i++)
        s->x[i] = s->codes[i];
    p.b = coded(s, s->b, N, K, 0, true, false, 12);
    for (size_t i = 0; i < N * K; i++)
        s->y[i] = s->codes[i];
    ag_product_ref(&p);
    p.a = ag_floats_along(s->x, K);
    p.b = ag_floats_along(s->y, K);
    p.c = s->got;
    ag_product_ref(&p);
    assert_same(s->expected, s->got, M * N, "whole codes", ag_engines[0], &p);
}

/* Rows with one scale each: all codes have the same power of two. */
static void codes_of_one_unit_are_the_chain(void **state)
{
    static const size_t depths[] = {1, 511, 512, 513, 1024, 1025, 1100};
    static const float unit = 0x1p-6f;
    enum { M = 9, N = 135, MOST = 127 };
    space *s = *state;
    for (size_t d = 0; d < sizeof depths / sizeof depths[0]; d++) {
        const size_t K = depths[d];
        ag_product p = {.c_step = N, .M = M, .N = N, .K = K, .block = ag_code_block(K)};
        p.a = coded(s, s->a, M, K, p.block, d % 2 == 0, true, MOST);
        for (size_t i = 0; i < M * K; i++)
            s->x[i] = (float)s->codes[i] * unit;
        p.b = coded(s, s->b, N, K, p.block, true, false, MOST);
        for (size_t i = 0; i < N * K; i++)
            s->y[i] = (float)s->codes[i] * unit;
        p.a.scales = p.b.scales = &unit;
        p.a.scale_row_step = p.a.scale_step = p.b.scale_row_step = p.b.scale_step = 0;
        compare(s, &p, "codes of one unit");
        ag_product floats = {.c = s->got, .c_step = N, .M = M, .N = N, .K = K};
        floats.a = d % 2 == 0 ? ag_floats_along(s->x, K) : ag_floats_across(s->x, M);
        floats.b = ag_floats_along(s->y, K);
        ag_product_ref(&floats);
        assert_same(s->expected, s->got, M * N, "floats", ag_engines[0], &floats);
    }
}

/* --- finish */

/* A finish with the parts that the bits of `which` name, and its factors. */
static ag_finish finish_of(space *s, unsigned which)
{
    fill(s->scales_a, 2000, ORDINARY, 8);
    fill(s->scales_b, 2000, ORDINARY, 9);
    ag_finish f = {.scaled = (which & 1) != 0, .rows.all = 0.37f, .columns.all = 1.9f};
    if ((which & 2) != 0)
        f.rows.each = s->scales_a;
    if ((which & 4) != 0)
        f.columns.each = s->scales_b;
    f.bias = (which & 8) != 0 ? s->scales_a + 1000 : NULL;
    f.bf16 = (which & 16) != 0;
    f.onto = (which & 32) != 0 ? s->onto : NULL;
    f.anew = (which & 64) != 0;
    return f;
}

static void finishes_keep_to_the_reference(void **state)
{
    static const size_t depths[] = {40, 600};
    space *s = *state;
    for (unsigned which = 1; which < 128; which++) {
        for (size_t d = 0; d < sizeof depths / sizeof depths[0]; d++) {
            size_t M = 14, N = 131, K = depths[d];
            ag_product p = {.c_step = N, .M = M, .N = N, .K = K, .finish = finish_of(s, which)};
            p.finish.onto_step = N;
            fill(s->x, M * K, SPECIAL, which);
            memset(s->x, 0, K * sizeof *s->x); /* sums of 0, and of -0 by negative factors */
            fill(s->y, N * K, SPECIAL, which + 1);
            p.a = operand(s->a, s->x, M, K, true, true);
            p.b = operand(s->b, s->y, N, K, false, true);
            compare(s, &p, "finish");
            p.a = coded(s, s->a, M, K, 0, true, true, 127);
            p.b = coded(s, s->b, N, K, 0, false, false, 127);
            compare(s, &p, "finish of codes");
        }
    }
}

/* Codes with a scale and in one unit, in two runs of blocks, whose sums wait between them. */
static void finishes_of_long_sums_keep_to_the_reference(void **state)
{
    static const float unit = 0x1p-6f;
    enum { M = 14, N = 67, K = 2400, BLOCK = 480 };
    space *s = *state;
    for (unsigned which = 1; which < 128; which += 2) {
        ag_product p = {.c_step = N, .M = M, .N = N, .K = K, .block = BLOCK};
        p.a = coded(s, s->a, M, K, BLOCK, true, true, 127);
        p.b = coded(s, s->b, N, K, BLOCK, false, false, 127);
        p.finish = finish_of(s, which);
        p.finish.onto_step = N;
        compare(s, &p, "finish of codes with scales");
        p.a.scales = p.b.scales = &unit;
        p.a.scale_row_step = p.a.scale_step = p.b.scale_row_step = p.b.scale_step = 0;
        compare(s, &p, "finish of codes of one unit");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(engines_keep_to_the_reference, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_product_begins_within_a_segment, set_up, tear_down),
        cmocka_unit_test_setup_teardown(products_keep_to_triangles, set_up, tear_down),
        cmocka_unit_test_setup_teardown(large_and_colliding_shapes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(codes_keep_to_the_reference, set_up, tear_down),
        cmocka_unit_test_setup_teardown(scales_of_powers_keep_to_the_reference, set_up, tear_down),
        cmocka_unit_test_setup_teardown(whole_codes_are_the_chain, set_up, tear_down),
        cmocka_unit_test_setup_teardown(codes_of_one_unit_are_the_chain, set_up, tear_down),
        cmocka_unit_test_setup_teardown(finishes_keep_to_the_reference, set_up, tear_down),
        cmocka_unit_test_setup_teardown(finishes_of_long_sums_keep_to_the_reference, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
