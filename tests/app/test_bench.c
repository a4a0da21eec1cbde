/* The kernels of `altgrad bench` do what the fast ones do, and count what was done. */
#include "../train/same_record.h"
#include "../train/scenarios.h"

#include "bench.h"
#include "numerics/recipe.h"

static tiny s_fast; /* large */
static tiny s_timed;
static ag_bench_record s_record;

static ag_bench_record *record_of(const tiny *t)
{
    s_record = (ag_bench_record){0};
    s_record.T = (size_t)t->run.model.block_size;
    s_record.D = ag_sizes_of(&t->run.model).D;
    return &s_record;
}

static void test_timing_changes_no_bit(void **state)
{
    (void)state;
    for (size_t i = 0; i < SCENARIOS; i++) {
        scenario_make(&s_fast, scenarios[i]);
        scenario_make(&s_timed, scenarios[i]);
        tiny_train(&s_fast, &ag_kernels_fast);
        tiny_train(&s_timed, ag_bench_kernels(record_of(&s_timed)));
        assert_same_record(&s_fast.record, &s_timed.record);
        tiny_end(&s_fast);
        tiny_end(&s_timed);
    }
}

/* A kernel that is not timed counts as "rest". Left out: what evaluation and diagnostics call. */
static void test_every_kernel_of_a_step_is_timed(void **state)
{
    (void)state;
    tiny_make(&s_timed);
    const ag_kernels *timed = ag_bench_kernels(record_of(&s_timed));
    char untimed[1024] = "";
#define NOTE(name, plain, fast)                                                                    \
    if (timed->name == ag_kernels_fast.name)                                                       \
        strcat(strcat(untimed, " "), #name);
    AG_KERNEL_LIST(NOTE)
#undef NOTE
    assert_string_equal(untimed, " cross_entropy_loss singular_values");
}

/* Multiply-adds of a step, all of a kind of product together. */
static double step_of(tiny *t, ag_bench_part part)
{
    tiny_start_from(t, ag_bench_kernels(record_of(t)), NULL);
    s_record.now = (ag_bench_step){0};
    ag_trainer_step(&t->trainer);
    tiny_end(t);
    const double *kinds = s_record.now.parts[part].multiply_adds;
    return kinds[AG_BENCH_FLOATS] + kinds[AG_BENCH_PAIRS] + kinds[AG_BENCH_CODES];
}

static void quantise(tiny *t, const char *format)
{
    tiny_make(t);
    for (int layer = 0; layer < TINY_LAYERS; layer++)
        assert_ok(ag_recipe_parse(&t->layers[layer], format));
}

/* 2 blocks of 12 C^2 weights and the head's, by 3 sequences of 8 tokens. */
enum { LINEAR = 3 * 8 * (2 * 12 * 8 * 8 + 8 * TINY_VOCAB) };

static void test_linear_layers_are_told_apart(void **state)
{
    (void)state;
    static const ag_bench_part parts[] = {AG_BENCH_FPROP, AG_BENCH_DGRAD, AG_BENCH_WGRAD};
    static const char *const formats[] = {"e4m3fn", "e4m3fn/row", "int8/1x4", "mxfp4", "nvfp4"};
    for (size_t i = 0; i < 3; i++) {
        for (size_t j = 0; j < sizeof formats / sizeof formats[0]; j++) {
            quantise(&s_timed, formats[j]);
            assert_true(step_of(&s_timed, parts[i]) == LINEAR);
        }
    }
}

/* 6 products of 3 sequences, 2 blocks, 8 channels: of what lies on and below the diagonal, or,
 * where operands are quantised, of all. */
static void test_attention_is_no_linear_layer(void **state)
{
    (void)state;
    tiny_make(&s_timed);
    assert_true(step_of(&s_timed, AG_BENCH_ATTENTION) == 6 * 3 * 2 * 8 * 36);

    tiny_make(&s_timed);
    tiny_quantise_sites(&s_timed, AG_SITE_QK, tiny_scheme("e4m3fn"));
    assert_true(step_of(&s_timed, AG_BENCH_ATTENTION) == 6 * 3 * 2 * 8 * 64);
    tiny_make(&s_timed);
    tiny_quantise_sites(&s_timed, AG_SITE_QK, tiny_scheme("e4m3fn"));
    assert_true(step_of(&s_timed, AG_BENCH_WGRAD) == LINEAR);
}

/* Newton-Schulz: 5 (r (r + 1) / 2 c + r^3 + r^2 c) for each of q, k, v and attn.c_proj, 8x8, and of
 * the MLP's two, 32x8, in two blocks. They are none of the linear layers'. */
static void test_muon_counts_as_optimizer(void **state)
{
    (void)state;
    enum { SQUARE = (36 + 64 + 64) * 8, TALL = 36 * 32 + 64 * 8 + 64 * 32 };
    tiny_make(&s_timed);
    s_timed.run.optimizer.type = AG_OPTIMIZER_MUON;
    assert_true(step_of(&s_timed, AG_BENCH_OPTIMIZER) == 2 * 5 * (4 * SQUARE + 2 * TALL));
    tiny_make(&s_timed);
    s_timed.run.optimizer.type = AG_OPTIMIZER_MUON;
    assert_true(step_of(&s_timed, AG_BENCH_DGRAD) == LINEAR);
}

/* Each array once: GELU reads 32 channels and writes 32, then reads 64 and writes 32; AdamW reads
 * four arrays of all parameters and writes three, and the norm reads the gradients, which have gaps
 * between tensors. */
static void test_bytes_are_counted(void **state)
{
    (void)state;
    enum { BLOCK = 12 * 8 * 8 + 9 * 8 + 4 * 8, PARAMETERS = (TINY_VOCAB + 8) * 8 + 2 * BLOCK + 16 };
    tiny_make(&s_timed);
    step_of(&s_timed, AG_BENCH_GELU);
    assert_true(s_record.now.parts[AG_BENCH_GELU].bytes == 4 * 5 * 2 * (3 * 8) * 32);
    assert_true(s_record.now.parts[AG_BENCH_OPTIMIZER].bytes ==
                4 * (7.0 * PARAMETERS + (double)s_timed.trainer.state.tensors.total));
}

/* Small integers, whose sums are the same in any order, in the layouts of the three products. */
static void test_sgemm_is_the_same_product(void **state)
{
    (void)state;
    enum { M = 5, N = 7, K = 11 };
    float a[M * K];
    float b[N * K];
    for (size_t i = 0; i < M * K; i++)
        a[i] = (float)(i * 7 % 13) - 6;
    for (size_t i = 0; i < N * K; i++)
        b[i] = (float)(i * 5 % 11) - 5;
    for (int form = 0; form < 3; form++) {
        float c[M * N] = {0};
        float expected[M * N];
        ag_product p = {.c = expected, .c_step = N, .M = M, .N = N, .K = K};
        p.a = form == 2 ? ag_floats_across(a, M) : ag_floats_along(a, K);
        p.b = form == 0 ? ag_floats_along(b, K) : ag_floats_across(b, N);
        ag_product_ref(&p);
        p.c = c;
        if (ag_blas_product(&p, 1))
            assert_memory_equal(c, expected, sizeof c);
        else
            assert_null(ag_blas_set());
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timing_changes_no_bit),
        cmocka_unit_test(test_every_kernel_of_a_step_is_timed),
        cmocka_unit_test(test_linear_layers_are_told_apart),
        cmocka_unit_test(test_attention_is_no_linear_layer),
        cmocka_unit_test(test_muon_counts_as_optimizer),
        cmocka_unit_test(test_bytes_are_counted),
        cmocka_unit_test(test_sgemm_is_the_same_product),
    };
    if (ag_kernels_init() != AG_OK)
        return 3;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
