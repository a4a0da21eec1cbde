/* Channels that are taken to one size for the scale that they share (smooth-swiglu, arXiv
 * 2409.12517): scales and scaled values against numbers from PyTorch in float64, their E4M3 values
 * rounded there too; and which activations a model takes them from. */
#include "tiny.h"

enum { ROWS = 4, COLS = 6, COUNT = ROWS * COLS };

/* What a swiglu's gate multiplies, and the input of the c_proj behind it: BF16 values. */
static const float s_up[COUNT] = {
    -18.25f,    -0.1640625f,     -0.0f, 0.029296875f,    -1824.0f, 14.25f,
    -3.140625f, -0.09814453125f, -0.0f, -0x1.82p-10f,    -856.0f,  -26.375f,
    21.0f,      0.09375f,        0.0f,  0.01904296875f,  864.0f,   4.09375f,
    -4.96875f,  0.1328125f,      -0.0f, 0.013916015625f, -2400.0f, -11.5f};
static const float s_x[COUNT] = {143.0f,  136.0f,  -14.875f, 5.875f,  28.75f, -40.0f,
                                 -150.0f, 37.5f,   24.625f,  26.875f, 108.0f, -101.0f,
                                 -45.5f,  -23.75f, -17.0f,   59.75f,  149.0f, 37.5f,
                                 74.0f,   -101.5f, 8.8125f,  -146.0f, 111.0f, -134.0f};
static const float s_channels[COLS] = {0.0625f, 8.0f, 1.0f, 64.0f, 0.00048828125f, 0.0625f};

/* E4M3 of s x alone, and of s x S, S = 448 / 9344, where the largest |s x| is 9344. */
static const float s_unscaled[COUNT] = {9.0f,   448.0f,  -15.0f, 384.0f,  0.013671875f, -2.5f,
                                        -9.0f,  288.0f,  24.0f,  448.0f,  0.0546875f,   -6.5f,
                                        -2.75f, -192.0f, -16.0f, 448.0f,  0.0703125f,   2.25f,
                                        4.5f,   -448.0f, 9.0f,   -448.0f, 0.0546875f,   -8.0f};
static const float s_codes[COUNT] = {0.4375f,      52.0f,       -0.6875f,     18.0f,    0.0f,
                                     -0.1171875f,  -0.4375f,    14.0f,        1.125f,   80.0f,
                                     0.001953125f, -0.3125f,    -0.140625f,   -9.0f,    -0.8125f,
                                     176.0f,       0.00390625f, 0.109375f,    0.21875f, -40.0f,
                                     0.4375f,      -448.0f,     0.001953125f, -0.40625f};

static ag_scheme by_up(ag_amax_mode amax)
{
    ag_scheme scheme = tiny_scheme("e4m3");
    scheme.channel = AG_CHANNEL_UP;
    scheme.amax = amax;
    return scheme;
}

static void test_channel_scales(void **state)
{
    (void)state;
    for (size_t c = 0; c < COLS; c++) {
        float amax = 0.0f;
        for (size_t row = 0; row < ROWS; row++)
            amax = fmaxf(amax, fabsf(s_up[row * COLS + c]));
        assert_true(ag_channel_scale(amax) == s_channels[c]);
    }
    assert_true(ag_channel_scale(INFINITY) == 1.0f);
    assert_true(ag_channel_scale(0x1p127f) == 0x1p-126f); /* both ends: the inverse is normal */
    assert_true(ag_channel_scale(0x1p-149f) == 0x1p126f);
}

/* The values of either kernel, with what the epilogue brings back. */
static void check_values(const ag_kernels *k, ag_amax_mode amax, const float *expected, float scale)
{
    float scales[COLS], after[COLS], out[COUNT];
    uint8_t clipped[COUNT];
    ag_scheme scheme = by_up(amax);
    ag_scale kept = {.value = 1.0f};
    ag_scales room = {.scale = scales, .after = after};
    ag_operand operand = {.k = k,
                          .scheme = &scheme,
                          .bf16 = true,
                          .scale = &kept,
                          .scales = &room,
                          .clipped = clipped,
                          .channels = s_channels};
    ag_source source = {.x = s_x, .rows = ROWS, .cols = COLS};
    ag_pass pass = {.mode = AG_MODE_TRAIN, .B = 1};
    ag_operand_make(&operand, out, &source, &pass);
    assert_true(operand.factor.all == 1.0f / scale * 256.0f); /* E4M3 is shifted by 2^-8 */
    for (size_t i = 0; i < COUNT; i++) {
        float s = s_channels[i % COLS];
        assert_true(operand.values[i] * 256.0f == expected[i] / s);
        assert_int_equal(clipped[i], fabsf(s_x[i] * s * scale) > 448.0f);
    }
}

static void test_values(void **state)
{
    (void)state;
    static const ag_kernels *const kernels[] = {&ag_kernels_plain, &ag_kernels_fast};
    for (size_t i = 0; i < 2; i++) {
        check_values(kernels[i], AG_AMAX_CURRENT, s_codes, 448.0f / 9344.0f);
        check_values(kernels[i], AG_AMAX_NONE, s_unscaled, 1.0f);
    }
}

/* --- in a model */

/* Each micro-batch of a block's c_proj: s from its own up, the scale from s h, Q(s h) / s. */
static void check_block(const tiny *t, size_t index, size_t N)
{
    const ag_model *model = &t->trainer.model;
    const ag_block *block = &model->blocks[index];
    const ag_operand *input = block->linears[AG_LINEAR_MLP_C_PROJ].operands[AG_ROLE_INPUT];
    const bool fused = t->run.model.gate_up == AG_GATE_UP_FUSED;
    const size_t F = model->F;
    const ag_gated gated = {block->gate, block->hidden, fused ? 2 * F : F};
    static float h[1024];
    float amax = 0.0f;
    assert_true(N * F <= sizeof h / sizeof h[0]);
    ag_kernels_fast.swiglu_forward(h, &gated, N, F);
    for (size_t i = 0; i < N * F; i++)
        h[i] = ag_round_bf16(h[i]);
    double s[64];
    for (size_t c = 0; c < F; c++) {
        double largest = 0.0;
        for (size_t n = 0; n < N; n++)
            largest = fmax(largest, fabs((double)gated.up[n * gated.step + c]));
        s[c] = largest > 0.0 ? exp2(-floor(log2(largest))) : 1.0;
        for (size_t n = 0; n < N; n++)
            amax = fmaxf(amax, (float)fabs(s[c] * (double)h[n * F + c]));
    }
    float scale = 448.0f / amax;
    for (size_t i = 0; i < N * F; i++) {
        float y = (float)(s[i % F] * (double)h[i]) * scale;
        float q = ag_round_nearest(&input->scheme->format, y, AG_OVERFLOW_SATURATE);
        assert_true((double)input->values[i] == (double)q / 256.0 / s[i % F]);
    }
    assert_true(input->factor.all == 1.0f / scale * 256.0f);
}

static void check_model(ag_gate_up gate_up)
{
    static tiny t;
    tiny_make(&t);
    t.run.model.mlp = AG_MLP_SWIGLU;
    t.run.model.mlp_hidden = 24;
    t.run.model.gate_up = gate_up;
    for (size_t block = 0; block < 2; block++) {
        size_t at = ag_layer_index(&t.run.model, AG_LINEAR_MLP_C_PROJ, block);
        for (int use = 0; use < AG_USES; use++)
            t.layers[at].scheme[AG_ROLE_INPUT][use] = by_up(AG_AMAX_CURRENT);
    }
    tiny_start(&t);
    ag_trainer *trainer = &t.trainer;
    for (size_t i = 0; i < trainer->state.tensors.total; i++)
        trainer->state.weights[i] += 0.4f * tiny_noise(9, i);
    ag_batch_train(trainer->tokens.inputs, trainer->tokens.targets, &t.corpus, &t.run, 0, 0);
    for (size_t sequences = 3; sequences > 0; sequences--) {
        ag_pass pass = ag_trainer_pass(trainer, AG_MODE_TRAIN, sequences, 0);
        ag_model_forward(&trainer->model, &trainer->tokens, &pass);
        for (size_t block = 0; block < 2; block++)
            check_block(&t, block, sequences * 8);
    }
    tiny_end(&t);
}

static void test_models(void **state)
{
    (void)state;
    check_model(AG_GATE_UP_SPLIT);
    check_model(AG_GATE_UP_FUSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_channel_scales),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_models),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
