/* The fast kernels of norms, rope, the MLP's functions and capped logits against their references:
 * the same bits. */
#include "kernels_support.h"

#include "base/pool.h"

/* Gate and up apart, or side by side. */
static void check_swiglu(size_t N, size_t F, bool fused)
{
    const size_t step = fused ? 2 * F : F;
    float *x = normal(8, 2 * N * F, 3);
    float *dout = normal(9, N * F, 1);
    float *result[2];
    for (int i = 0; i < 2; i++) {
        const ag_kernels *k = i == 0 ? plain : fast;
        float *out = result[i] = floats(3 * N * F);
        const ag_gated in = {x, x + (fused ? F : N * F), step};
        const ag_gated d = {out + N * F, out + N * F + (fused ? F : N * F), step};
        k->swiglu_forward(out, &in, N, F);
        k->swiglu_backward(&d, dout, &in, N, F);
        if (!fused) { /* in place */
            float *same = copy(dout, N * F);
            const ag_gated at = {out + N * F, same, F};
            k->swiglu_backward(&at, same, &in, N, F);
            assert_same_bits("swiglu in place", same, d.up, N * F);
            free(same);
        }
        for (size_t n = 0; n < N; n++) { /* the same numbers wherever they stand */
            for (size_t f = 0; f < F; f++) {
                float here;
                const ag_gated one = {in.gate + n * step + f, in.up + n * step + f, 1};
                plain->swiglu_forward(&here, &one, 1, 1);
                assert_same_bits("swiglu", &here, out + n * F + f, 1);
            }
        }
    }
    assert_same_bits("swiglu", result[1], result[0], 3 * N * F);
    free(x);
    free(dout);
    free(result[0]);
    free(result[1]);
}

static void check_mlp(const float *x, size_t count)
{
    float *up = normal(7, count, 1);
    float *out[2];
    for (int i = 0; i < 2; i++) {
        const ag_kernels *k = i == 0 ? plain : fast;
        out[i] = floats(3 * count);
        k->relu2_forward(out[i], x, count);
        k->relu2_backward(out[i] + count, up, x, count);
        memcpy(out[i] + 2 * count, up, count * sizeof *up);
        k->blend(out[i] + 2 * count, x, count, 0.75f, 1.5f);
        k->amplify(out[i] + 2 * count, count, 0.3f);
    }
    assert_same_bits("functions of the MLP", out[1], out[0], 3 * count);
    free(up);
    free(out[0]);
    free(out[1]);
}

static void check_norm(size_t N, size_t C, bool centred, bool affine)
{
    float *x = normal(1, N * C, 2);
    float *weight = normal(2, C, 1);
    float *bias = normal(3, C, 1);
    float *dout = normal(4, N * C, 1);
    float *result[2];
    const ag_norm_form form = {affine ? weight : NULL, affine && centred ? bias : NULL, 1e-5f,
                               centred};
    for (int i = 0; i < 2; i++) {
        const ag_kernels *k = i == 0 ? plain : fast;
        float *at = result[i] = floats(2 * N * C + 2 * N + 2 * C);
        float *mean = at + 2 * N * C;
        float *rstd = mean + N;
        float *dweight = affine ? rstd + N : NULL;
        float *dbias = affine && N % 2 == 1 ? rstd + N + C : NULL;
        k->norm_forward(at, mean, rstd, x, &form, N, C);
        k->norm_backward(&(ag_norm_grads){at + N * C, dweight, dbias}, dout, x, &form, mean, rstd,
                         N, C);
    }
    assert_same_bits("norm", result[1], result[0], 2 * N * C + 2 * N + 2 * C);
    free(result[0]);
    free(result[1]);
    free(x);
    free(weight);
    free(bias);
    free(dout);
}

/* Into another matrix and in place; and back, which is the inverse but for rounding. */
static void check_rotation(size_t T, size_t half)
{
    enum { HEADS = 3, STEP = 5 };
    const size_t D = 2 * half + T % 3;
    const size_t N = 2 * T;
    const size_t step = HEADS * D + STEP;
    float *angles = normal(1, T * half, 2);
    float *cosines = floats(T * half);
    float *sines = floats(T * half);
    float *x = normal(2, N * step, 1);
    for (size_t i = 0; i < T * half; i++) {
        cosines[i] = cosf(angles[i]);
        sines[i] = sinf(angles[i]);
    }
    for (int variant = 0; variant < 4; variant++) {
        ag_rotation turn = {cosines, sines, T, D, half, variant % 2 == 1, variant > 1};
        float *a = floats(N * HEADS * D);
        float *b = copy(x, N * step);
        plain->rotate((ag_heads){a, HEADS * D}, (ag_heads){x, step}, N, HEADS, &turn);
        fast->rotate((ag_heads){b, step}, (ag_heads){b, step}, N, HEADS, &turn);
        for (size_t n = 0; n < N; n++)
            assert_same_bits("rotation", b + n * step, a + n * HEADS * D, HEADS * D);
        assert_same_bits("beside it", b + HEADS * D, x + HEADS * D, STEP);
        turn.back = !turn.back;
        turn.bf16 = false;
        fast->rotate((ag_heads){b, step}, (ag_heads){b, step}, N, HEADS, &turn);
        for (size_t i = 0; variant < 2 && i < N * step; i++)
            assert_true(fabsf(b[i] - x[i]) <= 1e-5f);
        free(a);
        free(b);
    }
    free(angles);
    free(cosines);
    free(sines);
    free(x);
}

static void check_logits(size_t N, size_t V)
{
    static const ag_logits_form forms[] = {
        {1.5f, 0, 0   },
        {1,    3, 0   },
        {0.5f, 2, 0.1f}
    };
    int32_t *targets = whole(1, N, V);
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        float *z[2];
        float *forward[2];
        for (int j = 0; j < 2; j++) {
            const ag_kernels *k = j == 0 ? plain : fast;
            z[j] = normal(2, N * V, 3);
            k->logits_forward(z[j], N * V, &forms[i]);
            forward[j] = copy(z[j], N * V);
            k->logits_backward(z[j], targets, N, V, 0.25f, &forms[i]);
        }
        assert_same_bits("logits", forward[1], forward[0], N * V);
        assert_same_bits("gradient of logits", z[1], z[0], N * V);
        for (int j = 0; j < 2; j++) {
            free(z[j]);
            free(forward[j]);
        }
    }
    free(targets);
}

static void test_all(void **state)
{
    (void)state;
    for (size_t i = 0; i < ODD_SHAPES; i++) {
        const size_t rows = odd_shapes[i][0];
        const size_t cols = odd_shapes[i][1];
        float *x = normal(9, 150 * rows * cols, 2);
        check_mlp(x, 150 * rows * cols);
        for (int form = 0; form < 4; form++)
            check_norm(rows, cols, form % 2 == 0, form < 2);
        check_rotation(rows, cols);
        check_swiglu(rows, cols, false);
        check_swiglu(rows, cols, true);
        check_logits(rows, cols);
        free(x);
    }
}

/* The norm's gradients are cut in another way than one thread takes them. */
static void test_threads(void **state)
{
    assert_ok(ag_pool_start(3));
    test_all(state);
    ag_pool_stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_all), cmocka_unit_test(test_threads)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
