/* The definition of products by known values: sums in other arithmetic, results by hand, packing,
 * the guard of pairs, the choice of engines, and codes from values. */
#include "space.h"

#include "known_chain.h"

/* fl(fl(sum a) b) + bias, then BF16, then added: each once by hand. */
static void a_finish_by_hand(void **state)
{
    (void)state;
    float a = 3, b = 1.1f, c = 0, bias = 0.3f, onto = 0x1p-20f;
    ag_product p = {.c = &c, .c_step = 1, .M = 1, .N = 1, .K = 1};
    p.a = ag_floats_along(&a, 1);
    p.b = ag_floats_along(&b, 1);
    p.finish = (ag_finish){.scaled = true, .rows.all = 0.7f, .columns.all = 0.1f, .bias = &bias};
    ag_product_ref(&p);
    assert_int_equal(bits_of(c), bits_of(3 * 1.1f * 0.7f * 0.1f + 0.3f));
    p.finish.bf16 = true;
    ag_product_ref(&p);
    assert_int_equal(bits_of(c), 0x3f080000u); /* 0.531 */
    p.finish.onto = &onto;
    ag_product_ref(&p);
    assert_int_equal(bits_of(onto), bits_of(0x1p-20f + 0.53125f));
}

/* Ties go to the even neighbour, beyond the largest lies infinity, any NaN becomes one. */
static void bf16_by_hand(void **state)
{
    (void)state;
    static const uint32_t known[][2] = {
        {0x3f808000, 0x3f800000},
        {0x3f818000, 0x3f820000},
        {0x3f808001, 0x3f810000},
        {0xbf80ffff, 0xbf810000},
        {0x7f7fffff, 0x7f800000},
        {0x00018000, 0x00020000},
        {0xff800000, 0xff800000},
        {0xff812345, 0x7fc00000}
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        float a = float_of(known[i][0]), one = 1, c;
        ag_product p = {.c = &c, .c_step = 1, .M = 1, .N = 1, .K = 1, .finish.bf16 = true};
        p.a = ag_floats_along(&a, 1);
        p.b = ag_floats_along(&one, 1);
        ag_product_ref(&p);
        assert_int_equal(bits_of(c), known[i][1]);
    }
}

/* --- the definition */

/* K ones after 2^24: each is lost within the first segment, none in a later one. */
static void segments_are_of_512(void **state)
{
    enum { K = 1100 };
    space *s = *state;
    for (size_t k = 0; k < K; k++) {
        s->x[k] = k == 0 ? 0x1p24f : 1;
        s->y[k] = 1;
    }
    float c;
    ag_product p = {.c = &c, .c_step = 1, .M = 1, .N = 1, .K = K};
    p.a = ag_floats_along(s->x, K);
    p.b = ag_floats_along(s->y, K);
    ag_product_ref(&p);
    assert_true(c == 0x1p24f + (K - 512));
}

/* One rounding a step: of multiplications alone the second would be lost. */
static void steps_are_fused(void **state)
{
    (void)state;
    float x[] = {1, 1 + 0x1p-12f}, y[] = {-1 - 0x1p-11f, 1 + 0x1p-12f}, c;
    ag_product p = {.c = &c, .c_step = 1, .M = 1, .N = 1, .K = 2};
    p.a = ag_floats_along(x, 2);
    p.b = ag_floats_along(y, 2);
    ag_product_ref(&p);
    assert_true(c == 0x1p-24f);
}

/* Operands as floats and as pairs; every engine. */
static void assert_sum(space *s, size_t K, uint32_t sum, bool pairs)
{
    for (size_t e = 0; ag_engines[e] != NULL; e++) {
        if (!ag_engines[e]->runs_here())
            continue;
        float c;
        ag_product p = {.c = &c, .c_step = 1, .M = 1, .N = 1, .K = K};
        p.a = operand(s->a, s->x, 1, K, true, pairs);
        p.b = operand(s->b, s->y, 1, K, true, pairs);
        ag_engine_multiply(ag_engines[e], &p);
        assert_int_equal(bits_of(c), sum);
    }
}

static void a_known_chain(void **state)
{
    enum { K = sizeof s_chain_a / sizeof s_chain_a[0] };
    space *s = *state;
    for (size_t k = 0; k < K; k++) {
        s->x[k] = float_of((uint32_t)s_chain_a[k] << 16);
        s->y[k] = float_of((uint32_t)s_chain_b[k] << 16);
    }
    assert_sum(s, K, s_chain_sum, false);
    assert_sum(s, K, s_chain_sum, true);
}

/* Sums of float32 operands in rational arithmetic, rounded where the definition rounds. */
static void known_segments(void **state)
{
    static const struct {
        size_t K;
        uint32_t sum;
    } known[] = {
        {511,  0x3eff3e71},
        {512,  0x3f9ad119},
        {513,  0x3fa8b57e},
        {1024, 0xc16f3fb7},
        {1100, 0xc184f625}
    };
    space *s = *state;
    fill(s->x, 1100, ORDINARY, 11);
    fill(s->y, 1100, ORDINARY, 12);
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        assert_sum(s, known[i].K, known[i].sum, false);
}

/* |c - exact| <= (512 + K / 512) u sum |a b|, the sums in double. */
static void error_is_bounded(void **state)
{
    static const size_t depths[] = {7, 512, 1100};
    enum { M = 6, N = 64 };
    space *s = *state;
    for (size_t d = 0; d < 3; d++) {
        const size_t K = depths[d];
        fill(s->x, M * K, ORDINARY, K);
        fill(s->y, N * K, ORDINARY, K + 1);
        ag_product p = {.c = s->got, .c_step = N, .M = M, .N = N, .K = K};
        p.a = ag_floats_along(s->x, K);
        p.b = ag_floats_along(s->y, K);
        ag_product_ref(&p);
        for (size_t i = 0; i < M * N; i++) {
            double exact = 0, size = 0;
            for (size_t k = 0; k < K; k++) {
                double product = (double)s->x[i / N * K + k] * (double)s->y[i % N * K + k];
                exact += product;
                size += fabs(product);
            }
            double bound = (512 + (double)K / 512) * 0x1.01p-24 * size;
            assert_true(fabs((double)s->got[i] - exact) <= bound);
        }
    }
}

/* --- pairs */

static void pairs_are_packed(void **state)
{
    (void)state;
    static const float along[] = {1, -2, 0.5f, 0, -0.0f, 0x1p-130f}; /* [2, 3] */
    static const float across[] = {1, 0, -2, -0.0f, 0.5f, 0x1p-130f};
    static const uint32_t expected[] = {0x3f80c000, 0x3f000000, 0x00008000, 0x00080000};
    static const size_t order[] = {0, 2, 1, 3};
    for (size_t e = 0; ag_engines[e] != NULL; e++) {
        if (!ag_engines[e]->runs_here())
            continue;
        uint32_t words[4];
        ag_range range = ag_engines[e]->pair_along(words, along, 2, 3);
        assert_memory_equal(words, expected, sizeof words);
        assert_int_equal(range.least, 0x00080000);
        assert_int_equal(range.most, bits_of(2));
        range = ag_engines[e]->pair_across(words, across, 2, 3);
        for (size_t i = 0; i < 4; i++)
            assert_int_equal(words[i], expected[order[i]]);
        assert_int_equal(range.least, 0x00080000);
        assert_int_equal(range.most, bits_of(2));
        range = ag_engines[e]->pair_along(words, across + 3, 1, 1);
        assert_int_equal(range.least, ag_no_range().least);
        assert_int_equal(range.most, 0);
    }
}

static ag_range from(uint32_t exponent)
{
    return (ag_range){exponent << 23, 200u << 23};
}

static void the_guard_has_its_boundary(void **state)
{
    (void)state;
    assert_true(ag_pairs_are_normal(from(71), from(71)));
    assert_true(ag_pairs_are_normal(from(1), from(141)));
    assert_false(ag_pairs_are_normal(from(71), from(70)));
    assert_false(ag_pairs_are_normal(from(0), from(200)));
    assert_true(ag_pairs_are_normal(ag_no_range(), from(1)));
    assert_false(ag_pairs_are_normal(ag_no_range(), from(0)));
}

/* --- engines */

static void engines_are_chosen(void **state)
{
    (void)state;
    const ag_engine *engine = NULL;
    assert_ok(ag_engine_choose(&engine, NULL));
    assert_true(engine->runs_here());
    assert_ok(ag_engine_choose(&engine, "portable"));
    assert_string_equal(engine->name, "portable");
    assert_fails(AG_ERR_INPUT, "sse9", ag_engine_choose(&engine, "sse9"));
}

static void chain_in_pairs_the_wrong_way(const ag_product *p)
{
    ag_product turned = *p; /* c = sum over k downwards, as an engine must not */
    turned.a.words = (const float *)p->a.words + (p->K - 1) * p->a.k_step;
    turned.b.words = (const float *)p->b.words + (p->K - 1) * p->b.k_step;
    turned.a.k_step = 0 - p->a.k_step;
    turned.b.k_step = 0 - p->b.k_step;
    ag_product_ref(&turned);
}

static void a_wrong_engine_is_found(void **state)
{
    (void)state;
    ag_engine wrong = *ag_engines[0];
    assert_true(ag_engine_proves(&wrong));
    wrong.floats = chain_in_pairs_the_wrong_way;
    assert_false(ag_engine_proves(&wrong));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_finish_by_hand),
        cmocka_unit_test(bf16_by_hand),
        cmocka_unit_test_setup_teardown(segments_are_of_512, set_up, tear_down),
        cmocka_unit_test(steps_are_fused),
        cmocka_unit_test_setup_teardown(a_known_chain, set_up, tear_down),
        cmocka_unit_test_setup_teardown(known_segments, set_up, tear_down),
        cmocka_unit_test_setup_teardown(error_is_bounded, set_up, tear_down),
        cmocka_unit_test(pairs_are_packed),
        cmocka_unit_test(the_guard_has_its_boundary),
        cmocka_unit_test(engines_are_chosen),
        cmocka_unit_test(a_wrong_engine_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
