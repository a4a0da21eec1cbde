/* The fast kernels give the reference's bits, on shapes with odd tails and on special values. */
#include "kernels_support.h"

/* The last is cut into pieces, of the sum of squares too. */
static const size_t counts[] = {0,  1,  2,  3,   15,  16,   17,   31,
                                63, 64, 65, 127, 257, 1000, 4099, 150001};
enum { COUNTS = sizeof counts / sizeof counts[0] };

/* name, kind of input: what each elementwise check is run on */
typedef void check_count(const float *x, size_t count);

static void on_all_counts(check_count *check)
{
    for (size_t i = 0; i < COUNTS; i++) {
        float *values = normal(i + 1, counts[i], 3);
        float *special = any_bits(i + 1, counts[i]);
        check(values, counts[i]);
        check(special, counts[i]);
        free(values);
        free(special);
    }
}

static void check_amax(const float *x, size_t count)
{
    float expected = plain->amax(x, count);
    assert_int_equal(bits_of(fast->amax(x, count)), bits_of(expected));
    assert_int_equal(bits_of(expected), bits_of(ag_amax(x, count)));
    float *last = copy(x, count);
    if (count > 0)
        last[count - 1] = -INFINITY;
    assert_true(count == 0 || fast->amax(last, count) == INFINITY);
    free(last);
}

static void check_round_bf16(const float *x, size_t count)
{
    float *a = floats(count);
    float *b = floats(count);
    float amax = plain->round_bf16(a, x, count);
    assert_int_equal(bits_of(fast->round_bf16(b, x, count)), bits_of(amax));
    assert_int_equal(bits_of(amax), bits_of(ag_amax(a, count)));
    assert_memory_equal(a, b, count * sizeof *a);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(bits_of(a[i]), bits_of(ag_round_bf16(x[i])));
    free(a);
    free(b);
}

/* Pairs of a matrix, from the definition of a word: the first of two in the upper half. */
static uint32_t pair_of(const float *x, bool has_second, size_t step)
{
    return bits_of(x[0]) | (has_second ? bits_of(x[step]) >> 16 : 0);
}

static void check_pairs(const ag_kernels *k, const float *x, size_t rows, size_t cols)
{
    const size_t along = (cols + 1) / 2, across = (rows + 1) / 2;
    float *out = floats(rows * cols);
    ag_pairs pairs = {calloc(rows * along, sizeof(uint32_t)),
                      calloc(across * cols, sizeof(uint32_t)), ag_no_range()};
    float amax = k->round_pairs(out, x, rows, cols, &pairs);
    assert_int_equal(bits_of(amax), bits_of(ag_amax(out, rows * cols)));
    uint32_t least = ag_no_range().least, most = 0;
    for (size_t i = 0; i < rows * cols; i++) {
        uint32_t magnitude = bits_of(out[i]) & 0x7fffffffu;
        assert_int_equal(bits_of(out[i]), bits_of(ag_round_bf16(x[i])));
        least = magnitude > 0 && magnitude < least ? magnitude : least;
        most = magnitude > most ? magnitude : most;
    }
    assert_int_equal(pairs.range.least, least);
    assert_int_equal(pairs.range.most, most);
    for (size_t row = 0; row < rows; row++)
        for (size_t i = 0; i < along; i++)
            assert_int_equal(pairs.along[row * along + i],
                             pair_of(out + row * cols + 2 * i, 2 * i + 1 < cols, 1));
    for (size_t i = 0; i < across; i++)
        for (size_t col = 0; col < cols; col++)
            assert_int_equal(pairs.across[i * cols + col],
                             pair_of(out + 2 * i * cols + col, 2 * i + 1 < rows, cols));
    ag_pairs range_alone = {.range = ag_no_range()};
    k->round_pairs(out, x, rows, cols, &range_alone);
    assert_memory_equal(&range_alone.range, &pairs.range, sizeof pairs.range);
    free(out);
    free(pairs.along);
    free(pairs.across);
}

/* Odd sides end with half a word; the larger ones are cut into pieces. */
static void test_pairs_of_rounded_rows(void **state)
{
    static const size_t sides[][2] = {
        {1,   1    },
        {2,   3    },
        {7,   5    },
        {301, 129  },
        {3,   20000}
    };
    (void)state;
    for (size_t i = 0; i < sizeof sides / sizeof sides[0]; i++) {
        float *x = normal(11 + i, sides[i][0] * sides[i][1], 1);
        x[0] = 0;
        check_pairs(plain, x, sides[i][0], sides[i][1]);
        check_pairs(fast, x, sides[i][0], sides[i][1]);
        free(x);
    }
}

static void check_add(const float *x, size_t count)
{
    float *a = normal(7, count, 1);
    float *b = copy(a, count);
    plain->add(a, x, count);
    fast->add(b, x, count);
    assert_same_bits("add", b, a, count);
    plain->duplicate(a, x, count);
    fast->duplicate(b, x, count);
    assert_same_bits("duplicate, plain", a, x, count);
    assert_same_bits("duplicate, fast", b, x, count);
    free(a);
    free(b);
}

static void check_gelu(const float *x, size_t count)
{
    float *dout = normal(5, count, 1);
    float *a = floats(count);
    float *b = floats(count);
    for (int tanh_form = 0; tanh_form < 2; tanh_form++) {
        plain->gelu_forward(a, x, count, tanh_form);
        fast->gelu_forward(b, x, count, tanh_form);
        assert_same_bits("gelu forward", b, a, count);
        plain->gelu_backward(a, dout, x, count, tanh_form);
        memcpy(b, dout, count * sizeof *b);
        fast->gelu_backward(b, b, x, count, tanh_form);
        assert_same_bits("gelu backward", b, a, count);
    }
    free(dout);
    free(a);
    free(b);
}

static void check_sum_squares(const float *x, size_t count)
{
    double a = plain->sum_squares(x, count);
    double b = fast->sum_squares(x, count);
    assert_true(a == b || (isnan(a) && isnan(b)));
}

static void check_adamw(const float *x, size_t count)
{
    static const ag_adamw_step step = {.lr = 1e-3f,
                                       .beta1 = 0.9f,
                                       .beta2 = 0.99f,
                                       .fresh1 = 0.1f,
                                       .fresh2 = 0.01f,
                                       .eps = 1e-8f,
                                       .decay = 1e-4f,
                                       .correction1 = 0.19f,
                                       .correction2 = 0.0199f,
                                       .grad_scale = 0.7f};
    float *a[3];
    float *b[3];
    for (size_t i = 0; i < 3; i++) {
        a[i] = normal(i, count, 1);
        for (size_t j = 0; i == 2 && j < count; j++)
            a[i][j] = fabsf(a[i][j]);
        b[i] = copy(a[i], count);
    }
    plain->adamw(a[0], a[1], a[2], x, count, &step);
    fast->adamw(b[0], b[1], b[2], x, count, &step);
    for (int i = 0; i < 3; i++) {
        assert_same_bits("adamw", b[i], a[i], count);
        free(a[i]);
        free(b[i]);
    }
}

static void check_dropout(const float *x, size_t count)
{
    for (uint64_t first = 0; first < 5; first++) {
        uint64_t start = first + (first > 2 ? ((uint64_t)1 << 34) - 9 : 0);
        float *a = copy(x, count);
        float *b = copy(x, count);
        plain->dropout(a, count, 0.3f, 99, 5, 7, start);
        fast->dropout(b, count, 0.3f, 99, 5, 7, start);
        assert_same_bits("dropout", b, a, count);
        free(a);
        free(b);
    }
}

static void test_elementwise(void **state)
{
    (void)state;
    on_all_counts(check_amax);
    on_all_counts(check_round_bf16);
    on_all_counts(check_add);
    on_all_counts(check_gelu);
    on_all_counts(check_sum_squares);
    on_all_counts(check_adamw);
    on_all_counts(check_dropout);
}

/* Against the formula, for one factor and for one each. */
static void check_epilogue(size_t N, size_t OC)
{
    float *y = normal(1, N * OC, 2);
    float *bias = normal(2, OC, 1);
    float *each = normal(3, N + OC, 1);
    for (int variant = 0; variant < 16; variant++) {
        float *a = copy(y, N * OC);
        float *b = copy(y, N * OC);
        const float *added = (variant & 1) != 0 ? bias : NULL;
        const bool bf16 = (variant & 2) != 0;
        const ag_factor rows = {0.013f, (variant & 4) != 0 ? each : NULL};
        const ag_factor cols = {3.7f, (variant & 8) != 0 ? each + N : NULL};
        plain->epilogue(a, added, N, OC, rows, cols, bf16);
        fast->epilogue(b, added, N, OC, rows, cols, bf16);
        assert_same_bits("epilogue", b, a, N * OC);
        for (size_t i = 0; i < N * OC; i++) {
            float row = rows.each != NULL ? 0.013f * each[i / OC] : 0.013f;
            float col = cols.each != NULL ? 3.7f * each[N + i % OC] : 3.7f;
            float expected = y[i] * row * col;
            expected = added != NULL ? expected + bias[i % OC] : expected;
            assert_true(a[i] == (bf16 ? ag_round_bf16(expected) : expected));
        }
        free(a);
        free(b);
    }
    free(y);
    free(bias);
    free(each);
}

static void check_accumulate(size_t N, size_t OC)
{
    float *grad = normal(1, N * OC, 2);
    float *product = normal(2, N * OC, 1);
    float *each = normal(3, N + OC, 1);
    for (int variant = 0; variant < 4; variant++) {
        float *a = copy(grad, N * OC);
        float *b = copy(grad, N * OC);
        const ag_factor rows = {0.013f, (variant & 1) != 0 ? each : NULL};
        const ag_factor cols = {3.7f, (variant & 2) != 0 ? each + N : NULL};
        plain->accumulate(a, product, N, OC, rows, cols);
        fast->accumulate(b, product, N, OC, rows, cols);
        assert_same_bits("accumulate", b, a, N * OC);
        for (size_t i = 0; i < N * OC; i++) {
            float row = rows.each != NULL ? 0.013f * each[i / OC] : 0.013f;
            float col = cols.each != NULL ? 3.7f * each[N + i % OC] : 3.7f;
            assert_true(a[i] == grad[i] + product[i] * row * col);
        }
        free(a);
        free(b);
    }
    free(grad);
    free(product);
    free(each);
}

static void check_cross_entropy(size_t N, size_t V)
{
    float *logits = normal(1, N * V, 5);
    int32_t *targets = whole(2, N, V);
    logits[N * V / 2] = V % 2 == 0 ? INFINITY : 90;
    float *a = copy(logits, N * V);
    float *b = copy(logits, N * V);
    float *losses = floats(3 * N);
    plain->cross_entropy(a, losses, targets, N, V, 0.01f);
    fast->cross_entropy(b, losses + N, targets, N, V, 0.01f);
    fast->cross_entropy_loss(losses + 2 * N, logits, targets, N, V);
    assert_same_bits("cross entropy", b, a, N * V);
    assert_same_bits("losses", losses + N, losses, N);
    assert_same_bits("losses alone", losses + 2 * N, losses, N);
    free(logits);
    free(targets);
    free(a);
    free(b);
    free(losses);
}

static void check_embedding(size_t N, size_t C)
{
    enum { V = 11, T = 3 };
    float *wte = normal(1, V * C, 1);
    float *wpe = normal(2, T * C, 1);
    int32_t *tokens = whole(3, N * T, V);
    float *x[2];
    float *grads[2];
    for (size_t i = 0; i < 2; i++) {
        const ag_kernels *k = i == 0 ? plain : fast;
        x[i] = floats(N * T * C);
        grads[i] = floats((V + T) * C);
        k->embedding_forward(x[i], tokens, wte, wpe, N, T, C);
        k->embedding_backward(grads[i], grads[i] + V * C, x[i], tokens, N, T, C);
    }
    assert_same_bits("embedding", x[1], x[0], N * T * C);
    assert_same_bits("embedding gradients", grads[1], grads[0], (V + T) * C);
    for (int i = 0; i < 2; i++) {
        free(x[i]);
        free(grads[i]);
    }
    free(wte);
    free(wpe);
    free(tokens);
}

static void check_bias(size_t N, size_t OC)
{
    float *dout = normal(1, N * OC, 1);
    float *a = normal(2, OC, 1);
    float *b = copy(a, OC);
    plain->bias_backward(a, dout, N, OC);
    fast->bias_backward(b, dout, N, OC);
    assert_same_bits("bias", b, a, OC);
    free(dout);
    free(a);
    free(b);
}

static void test_rowwise(void **state)
{
    (void)state;
    for (size_t i = 0; i < ODD_SHAPES; i++) {
        check_epilogue(odd_shapes[i][0], odd_shapes[i][1]);
        check_accumulate(odd_shapes[i][0], odd_shapes[i][1]);
        check_cross_entropy(odd_shapes[i][0], odd_shapes[i][1]);
        check_embedding(odd_shapes[i][0], odd_shapes[i][1]);
        check_bias(odd_shapes[i][0], odd_shapes[i][1]);
    }
}

/* Where an element is not finite: of the last token, which the zeros beyond the diagonal meet in
 * forward, or of the first, which they meet in backward. */
typedef enum odd_place { NOWHERE, V_OF_LAST, K_OF_LAST, Q_OF_FIRST, DOUT_OF_FIRST } odd_place;

static void put_odd(float *qkv, float *dout, const ag_attention_shape *shape, odd_place place,
                    float value)
{
    const size_t D = shape->D;
    const size_t W = ag_attention_width(shape);
    float *last = qkv + (shape->B * shape->T - 1) * W;
    if (place == V_OF_LAST)
        last[W - D / 2 - 1] = value;
    if (place == K_OF_LAST)
        last[shape->H * D + D / 2] = value;
    if (place == Q_OF_FIRST)
        qkv[D / 2] = value;
    if (place == DOUT_OF_FIRST)
        dout[D / 2] = value;
}

static void check_attention(const ag_attention_shape *shape, odd_place place, float value)
{
    size_t N = shape->B * shape->T;
    size_t C = shape->H * shape->D;
    size_t W = ag_attention_width(shape);
    size_t P = shape->B * shape->H * shape->T * shape->T;
    float *qkv = normal(1, N * W, 1);
    float *dout = normal(2, N * C, 1);
    if (shape->bf16) {
        plain->round_bf16(qkv, qkv, N * W);
        plain->round_bf16(dout, dout, N * C);
    }
    put_odd(qkv, dout, shape, place, value);
    float *out[2];
    for (int i = 0; i < 2; i++) {
        const ag_kernels *k = i == 0 ? plain : fast;
        float *scratch = floats(ag_attention_scratch(shape));
        out[i] = floats(N * C + P + N * W);
        for (size_t p = 0; p < P; p++) /* what lies there before counts for nothing */
            out[i][N * C + p] = NAN;
        k->attention_forward(out[i], out[i] + N * C, scratch, qkv, shape);
        k->attention_backward(out[i] + N * C + P, scratch, dout, qkv, out[i] + N * C, shape);
        free(scratch);
    }
    assert_same_bits("attention", out[1], out[0], N * C);
    for (size_t row = 0, T = shape->T; row < P / T; row++) {
        size_t at = N * C + row * T;
        assert_same_bits("probabilities", out[1] + at, out[0] + at, row % T + 1);
    }
    assert_same_bits("dqkv", out[1] + N * C + P, out[0] + N * C + P, N * W);
    const bool is_last = place == V_OF_LAST || place == K_OF_LAST;
    for (size_t i = 0; is_last && i + 1 < N; i++) /* nothing leaks to earlier tokens */
        for (size_t c = 0; c < C; c++)
            assert_int_equal(isnan(out[1][i * C + c]) != 0, 0);
    free(out[0]);
    free(out[1]);
    free(qkv);
    free(dout);
}

static void check_causal_softmax(size_t M, size_t T)
{
    size_t count = M * T * T;
    float *scores[2];
    float *dp[2];
    float *capped[2];
    for (int i = 0; i < 2; i++) {
        const ag_kernels *k = i == 0 ? plain : fast;
        scores[i] = normal(1, count, 3);
        dp[i] = normal(2, count, 1);
        capped[i] = floats(count);
        k->cap_scores(scores[i], M, T, 0.25f, 2.0f);
        memcpy(capped[i], scores[i], count * sizeof *scores[i]);
        k->causal_softmax(scores[i], M, T, 0.25f);
        k->causal_softmax_backward(dp[i], scores[i], M, T, 0.25f);
        k->cap_scores_backward(dp[i], capped[0], M, T, 0.25f, 2.0f);
    }
    for (size_t row = 0; row < M * T; row++)
        assert_same_bits("capped scores", capped[1] + row * T, capped[0] + row * T, row % T + 1);
    assert_same_bits("causal softmax", scores[1], scores[0], count);
    assert_same_bits("causal softmax gradient", dp[1], dp[0], count);
    for (size_t i = 0; i < count; i++) {
        if (i % T > i / T % T)
            assert_true(scores[0][i] == 0 && dp[0][i] == 0);
    }
    for (int i = 0; i < 2; i++) {
        free(scores[i]);
        free(dp[i]);
        free(capped[i]);
    }
}

/* Scores as overflow and masks make them: infinities, NaN, signed zeros, ties. */
static void test_odd_scores(void **state)
{
    (void)state;
    enum { T = 32, COUNT = T * T };
    static const float odd[] = {INFINITY, -INFINITY, NAN, -0.0f, 3e38f, -3e38f};
    for (size_t o = 0; o < sizeof odd / sizeof odd[0]; o++) {
        float *scores[2];
        for (int i = 0; i < 2; i++) {
            scores[i] = normal(3, COUNT, 2);
            for (size_t at = o; at < COUNT; at += 5 + o)
                scores[i][at] = at % 3 == 0 ? odd[o] : odd[at % 6];
            (i == 0 ? plain : fast)->causal_softmax(scores[i], 1, T, 0.25f);
        }
        assert_same_bits("softmax of odd scores", scores[1], scores[0], COUNT);
        free(scores[0]);
        free(scores[1]);
    }
}

static void test_attention(void **state)
{
    (void)state;
    static const size_t sizes[][5] = {
  /* B, T, H, K, D */
        {1, 1,   1, 1, 1 },
        {2, 5,   2, 2, 3 },
        {1, 16,  2, 2, 32},
        {2, 17,  2, 2, 17},
        {1, 64,  1, 1, 32},
        {1, 97,  1, 1, 48},
        {1, 777, 1, 1, 8 },
        {2, 17,  4, 2, 6 },
        {1, 40,  6, 1, 5 },
        {2, 200, 4, 2, 16},
    };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        const size_t *size = sizes[i];
        ag_attention_shape shape = {
            .B = size[0], .T = size[1], .H = size[2], .K = size[3], .D = size[4]};
        shape.scale = 1 / sqrtf((float)shape.D);
        check_causal_softmax(size[0] * size[2], size[1]);
        check_attention(&shape, NOWHERE, 0);
        for (odd_place place = V_OF_LAST; place <= DOUT_OF_FIRST; place++) {
            check_attention(&shape, place, NAN);
            check_attention(&shape, place, -INFINITY);
        }
        shape.cap = 1.25f;
        check_attention(&shape, NOWHERE, 0);
        if (shape.K < shape.H) { /* also as pairs, from BF16 values */
            shape.bf16 = true;
            check_attention(&shape, NOWHERE, 0);
            shape.bf16 = false;
        }
        shape.dropout = 0.2f;
        shape.key = 3;
        shape.place = 4;
        shape.step = 5;
        shape.first = 6;
        check_attention(&shape, NOWHERE, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pairs_of_rounded_rows),
        cmocka_unit_test(test_elementwise),
        cmocka_unit_test(test_rowwise),
        cmocka_unit_test(test_odd_scores),
        cmocka_unit_test(test_attention),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
