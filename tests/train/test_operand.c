/* The rules of scales and their histories, by hand: E4M3 has max 448, so S = 448 / amax, and an
 * operand's factor is 2^8 / S (its values are shifted by emax = 8). */
#include "tiny.h"

typedef struct fixture {
    ag_scheme scheme;
    ag_scale scale;
    float history[4];
    ag_operand operand;
    ag_pass pass;
} fixture;

static void make(fixture *f, ag_amax_mode mode, int history)
{
    *f = (fixture){
        .scale = {.value = 1.0f},
          .pass = { .mode = AG_MODE_TRAIN,       .B = 1}
    };
    f->scheme = tiny_scheme("e4m3fn");
    f->scheme.amax = mode;
    f->scheme.history = history;
    f->operand = (ag_operand){.k = &ag_kernels_plain,
                              .scheme = &f->scheme,
                              .bf16 = true,
                              .scale = &f->scale,
                              .history = f->history};
}

/* S of a tensor whose amax is given. */
static float scale_for(fixture *f, float amax)
{
    float x[3] = {0.25f * amax, -amax, NAN};
    float out[3];
    ag_source source = {.x = x, .rows = 1, .cols = 3, .amax = amax};
    ag_operand_make(&f->operand, out, &source, &f->pass);
    return 256.0f / f->operand.factor.all;
}

/* Every S here is 448 / a power of two, so all factors are exact up to 1 / S. */
static void assert_scale(float actual, float amax)
{
    float expected = 448.0f / amax;
    if (fabsf(actual - expected) > 3.0f * 0x1p-24f * expected)
        fail_msg("S = %g, expected 448 / %g", (double)actual, (double)amax);
}

static void test_current(void **state)
{
    (void)state;
    fixture f;
    make(&f, AG_AMAX_CURRENT, 0);
    assert_scale(scale_for(&f, 2.0f), 2.0f);
    assert_scale(scale_for(&f, 0.5f), 0.5f);
    ag_operand_end_step(&f.operand);
    assert_true(scale_for(&f, 0.0f) == 1.0f);
    assert_true(scale_for(&f, INFINITY) == 1.0f);
    assert_int_equal(f.scale.pushed, 0);
}

static void test_margin_and_pow2(void **state)
{
    (void)state;
    fixture f;
    make(&f, AG_AMAX_CURRENT, 0);
    f.scheme.margin = 1;
    assert_scale(scale_for(&f, 2.0f), 4.0f);
    f.scheme.margin = 0;
    f.scheme.pow2 = true;
    assert_true(scale_for(&f, 2.0f) == 128.0f); /* 224 rounded down */
}

static void test_windowed_counts_the_current_one(void **state)
{
    (void)state;
    fixture f;
    make(&f, AG_AMAX_WINDOWED, 3);
    static const struct {
        float amax;
        float used;
    } steps[] = {
        {1.0f, 1.0f},
        {8.0f, 8.0f},
        {2.0f, 8.0f},
        {1.0f, 8.0f}, /* 8 is the oldest of three */
        {1.0f, 2.0f},
    };
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        assert_scale(scale_for(&f, steps[i].amax), steps[i].used);
        ag_operand_end_step(&f.operand);
    }
}

static void test_window_of_one_is_current(void **state)
{
    (void)state;
    fixture f;
    make(&f, AG_AMAX_WINDOWED, 1);
    for (float amax = 16.0f; amax > 0.1f; amax *= 0.5f) {
        assert_scale(scale_for(&f, amax), amax);
        ag_operand_end_step(&f.operand);
    }
    assert_true(scale_for(&f, 0.0f) == 1.0f);
}

static void test_delayed_uses_what_was_before(void **state)
{
    (void)state;
    fixture f;
    make(&f, AG_AMAX_DELAYED, 2);
    static const struct {
        float amax;
        float used;
    } steps[] = {
        {4.0f, 4.0f}, /* an empty history: the current one */
        {1.0f, 4.0f},
        {2.0f, 4.0f}, /* of 4, 1 */
        {0.5f, 2.0f}, /* of 1, 2 */
        {0.5f, 2.0f},
        {9.0f, 0.5f},
    };
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        assert_scale(scale_for(&f, steps[i].amax), steps[i].used);
        ag_operand_end_step(&f.operand);
        assert_int_equal(f.scale.pushed, (int)i + 1);
    }
}

static void test_delayed_pushes_the_largest_of_the_micro_batches(void **state)
{
    (void)state;
    fixture f;
    make(&f, AG_AMAX_DELAYED, 1);
    assert_scale(scale_for(&f, 2.0f), 2.0f); /* each micro-batch of the first step has its own */
    assert_scale(scale_for(&f, 8.0f), 8.0f);
    assert_scale(scale_for(&f, 1.0f), 1.0f);
    ag_operand_end_step(&f.operand);
    assert_int_equal(f.scale.pushed, 1);
    assert_scale(scale_for(&f, 1.0f), 8.0f);
    assert_scale(scale_for(&f, 64.0f), 8.0f);
}

static void test_delayed_keeps_its_scale_where_amax_says_nothing(void **state)
{
    (void)state;
    fixture f;
    make(&f, AG_AMAX_DELAYED, 1);
    scale_for(&f, 4.0f);
    ag_operand_end_step(&f.operand);
    scale_for(&f, 0.0f);
    ag_operand_end_step(&f.operand);
    assert_scale(scale_for(&f, INFINITY), 4.0f);
    ag_operand_end_step(&f.operand);
    assert_scale(scale_for(&f, 1.0f), 4.0f);
    ag_operand_end_step(&f.operand);
    assert_scale(scale_for(&f, 1.0f), 1.0f);
}

static void test_evaluation_leaves_no_trace(void **state)
{
    (void)state;
    static const ag_amax_mode modes[] = {AG_AMAX_WINDOWED, AG_AMAX_DELAYED};
    for (int i = 0; i < 2; i++) {
        fixture f;
        make(&f, modes[i], 2);
        scale_for(&f, 2.0f);
        ag_operand_end_step(&f.operand);
        ag_scale before = f.scale;
        f.pass.mode = AG_MODE_EVALUATE;
        scale_for(&f, 1024.0f);
        f.pass.mode = AG_MODE_EVALUATE_HP;
        scale_for(&f, 1024.0f);
        assert_memory_equal(&before, &f.scale, sizeof before);
        f.pass.mode = AG_MODE_TRAIN;
        assert_scale(scale_for(&f, 1.0f), 2.0f);
    }
}

/* Random words: of the site, use, step and global index; evaluation has a bit of its own in use. */
static void test_random_words(void **state)
{
    (void)state;
    static const ag_mode modes[] = {AG_MODE_TRAIN, AG_MODE_EVALUATE};
    static const uint32_t uses[] = {1, 129};
    float x[256];
    float out[256];
    float expected[256];
    fixture f;
    make(&f, AG_AMAX_NONE, 0);
    f.scheme.rounding = AG_ROUND_STOCHASTIC;
    f.operand.place = 74;
    f.operand.use = 1;
    f.pass.step = 9;
    f.pass.rounding_key = 5;
    tiny_fill(x, 256, 1, 100.0f);
    ag_source source = {.x = x, .rows = 1, .cols = 256, .first = 1003};
    for (int i = 0; i < 2; i++) {
        ag_rounding_site where = {.key = 5, .place = 74, .use = uses[i], .step = 9};
        f.pass.mode = modes[i];
        ag_operand_make(&f.operand, out, &source, &f.pass);
        ag_fake_quantize(expected, x, 256, &f.scheme, 1.0f, &where, 1003);
        for (int j = 0; j < 256; j++)
            assert_true(out[j] * f.operand.factor.all == expected[j]);
    }
}

static void test_hp_rounds_to_bf16(void **state)
{
    (void)state;
    fixture f;
    make(&f, AG_AMAX_CURRENT, 0);
    f.pass.mode = AG_MODE_EVALUATE_HP;
    float x[2] = {1.00390625f, -3.01f}; /* 1 + 2^-8 is a tie: to even, 1 */
    float out[2];
    ag_source source = {.x = x, .rows = 1, .cols = 2, .amax = 3.01f};
    ag_operand_make(&f.operand, out, &source, &f.pass);
    assert_true(out[0] == 1.0f && out[1] == -3.015625f);
    assert_true(f.operand.factor.all == 1.0f && f.operand.values == out);
}

/* With ste: clip, a pass in which nothing is quantised forgets what an earlier one clipped. */
static void test_clipping_is_that_of_the_last_pass(void **state)
{
    (void)state;
    fixture f;
    uint8_t clipped[2];
    float x[2] = {449.0f, -3.0f};
    ag_source source = {.x = x, .rows = 1, .cols = 2};
    make(&f, AG_AMAX_NONE, 0);
    f.scheme.ste = AG_STE_CLIP;
    f.operand.clipped = clipped;
    for (int shadow = 0; shadow < 2; shadow++) {
        float out[2];
        float grad[2] = {5.0f, 7.0f};
        f.pass.mode = shadow ? AG_MODE_SHADOW : AG_MODE_TRAIN;
        ag_operand_make(&f.operand, out, &source, &f.pass);
        ag_operand_clip_gradient(grad, &f.operand, 1, 2);
        assert_true(grad[0] == (shadow ? 5.0f : 0.0f) && grad[1] == 7.0f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_current),
        cmocka_unit_test(test_margin_and_pow2),
        cmocka_unit_test(test_windowed_counts_the_current_one),
        cmocka_unit_test(test_window_of_one_is_current),
        cmocka_unit_test(test_delayed_uses_what_was_before),
        cmocka_unit_test(test_delayed_pushes_the_largest_of_the_micro_batches),
        cmocka_unit_test(test_delayed_keeps_its_scale_where_amax_says_nothing),
        cmocka_unit_test(test_evaluation_leaves_no_trace),
        cmocka_unit_test(test_random_words),
        cmocka_unit_test(test_hp_rounds_to_bf16),
        cmocka_unit_test(test_clipping_is_that_of_the_last_pass),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
