/* The quantised linear layer against its formula, evaluated plainly in double precision on operands
 * that numerics/ quantised:
 *
 *   Y = Q(X) Q(W)^T + b    dX = Q(dY) Q(W)    dW = Q(dY)^T Q(X)    db = sum of dY
 *
 * The layer is transformer.h.1.mlp.c_fc of the tiny model: C = 8, OC = 32, N = 24 tokens. */
#include "numerics/recipe.h"
#include "plain_sum.h"
#include "tiny.h"

enum { B = 3, T = 8, N = B * T, C = 8, OC = 32, STEPS = 4, WIDEST = N * OC };
enum { SITE = 1 * 64 + 2 * 8 }; /* block 1, linear 2 */

static const uint64_t s_key = 0x1234567890abcdef;

typedef struct side {
    size_t rows, cols;
    float raw[WIDEST];
    float x[WIDEST];              /* what is quantised: raw, or its BF16 value */
    float q[AG_USES][WIDEST];     /* Q(x), scales taken out again */
    float scale[AG_USES][WIDEST]; /* S of each group, */
    float after[AG_USES][WIDEST]; /* and what undoes it, but for */
    float factor[AG_USES];        /* what the product's result is multiplied by */
    float factors[WIDEST];
    ag_groups groups[AG_USES];
    float amaxes[AG_USES][STEPS]; /* of the steps before this one; of s x under channels */
} side;

typedef struct layer_test {
    tiny t;
    ag_linear *linear;
    side sides[AG_ROLES];
    float y[WIDEST], dx[WIDEST];
    int step;
} layer_test;

static float s_channels[C]; /* s of each, where a scheme has such */

static float channel_of(const ag_scheme *scheme, size_t i)
{
    return scheme->channel != AG_CHANNEL_NONE ? s_channels[i % C] : 1.0f;
}

static float largest(const float *amaxes, int from, int to)
{
    float result = 0.0f;
    for (int i = from < 0 ? 0 : from; i < to; i++)
        result = fmaxf(result, amaxes[i]);
    return result;
}

/* S of this step, from the amaxes of all steps. */
static float expected_scale(const ag_scheme *scheme, const float *amaxes, int step)
{
    float used = amaxes[step];
    if (scheme->amax == AG_AMAX_NONE)
        return ag_static_scale(scheme, C);
    if (scheme->amax == AG_AMAX_WINDOWED)
        used = largest(amaxes, step - scheme->history + 1, step + 1);
    if (scheme->amax == AG_AMAX_DELAYED && step > 0)
        used = largest(amaxes, step - scheme->history, step);
    return ag_scale_from_amax(&scheme->format, used, scheme->margin, scheme->pow2, 1.0f);
}

/* Whether the same words are the same groups, whichever axis a product sums over. */
static bool is_symmetric(const ag_scheme *scheme)
{
    return !scheme->quantised || scheme->granularity == AG_GRANULARITY_TENSOR ||
           (scheme->block_rows > 0 && scheme->block_rows == scheme->block_cols);
}

static int product_of(ag_role role, int use)
{
    static const int products[AG_ROLES][AG_USES] = {
        {AG_FPROP, AG_DGRAD},
        {AG_FPROP, AG_WGRAD},
        {AG_DGRAD, AG_WGRAD}
    };
    return products[role][use];
}

/* What an operand is made of: the tensor, or the forward's copy in BF16. */
static const float *source_of(const layer_test *test, ag_role role, int use)
{
    static float copy[WIDEST];
    const side *s = &test->sides[role];
    if (!test->t.layers[6].scheme[role][use].from_forward)
        return s->x;
    for (size_t i = 0; i < s->rows * s->cols; i++)
        copy[i] = ag_round_bf16(s->q[0][i]);
    return copy;
}

/* Q(s x) / s, of an element's own s. */
static void expect_channels(side *s, int use, const ag_scheme *scheme,
                            const ag_rounding_site *where, uint64_t first, int step)
{
    float scale = expected_scale(scheme, s->amaxes[use], step);
    s->factor[use] = 1;
    for (size_t i = 0; i < s->rows * s->cols; i++) {
        float channel = s_channels[i % C];
        float y = s->x[i] * channel * scale;
        s->scale[use][i % C] = scale * channel;
        s->after[use][i % C] = 1 / scale / channel;
        s->q[use][i] = ag_round_element(scheme, y, where, first + i) * s->after[use][i % C];
    }
}

static void expect_operand(layer_test *test, ag_role role, int use, uint64_t sample)
{
    side *s = &test->sides[role];
    const ag_scheme *schemes = test->t.layers[6].scheme[role];
    const ag_scheme *scheme = &schemes[use];
    size_t count = s->rows * s->cols;
    const float *x = source_of(test, role, use);
    bool shared = ag_scheme_equal(&schemes[0], &schemes[1]) && is_symmetric(scheme);
    ag_rounding_site where = {.key = s_key,
                              .place = SITE + (uint32_t)role,
                              .use = shared ? 0 : (uint32_t)use,
                              .step = (uint32_t)test->step,
                              .bits = scheme->sr_bits,
                              .variant = scheme->sr_variant};
    where.turn = (SITE & ~7u) + 4 + (uint32_t)product_of(role, use);
    ag_matrix matrix = {s->rows, s->cols, use == 0 ? AG_SUM_COLS : AG_SUM_ROWS,
                        role == AG_ROLE_WEIGHT ? 0 : sample * T * s->cols};
    ag_scales scales = {.scale = s->scale[use], .after = s->after[use], .factors = s->factors};
    s->groups[use] = ag_groups_of(scheme, &matrix);
    for (size_t i = 0; !scheme->quantised && i < count; i++)
        s->q[use][i] = ag_round_bf16(x[i]);
    if (!scheme->quantised)
        return;
    if (scheme->channel != AG_CHANNEL_NONE) {
        expect_channels(s, use, scheme, &where, matrix.first, test->step);
        return;
    }
    if (scheme->granularity != AG_GRANULARITY_TENSOR || scheme->hadamard > 0) {
        ag_quantize_matrix(s->q[use], x, &matrix, scheme, &scales, &where);
        s->factor[use] = scales.factor;
        return;
    }
    s->scale[use][0] = expected_scale(scheme, s->amaxes[use], test->step);
    s->after[use][0] = 1 / s->scale[use][0];
    s->factor[use] = 1;
    ag_fake_quantize(s->q[use], x, count, scheme, s->scale[use][0], &where, matrix.first);
}

static void expect_operands(layer_test *test, ag_role role, uint64_t sample)
{
    side *s = &test->sides[role];
    size_t count = s->rows * s->cols;
    for (size_t i = 0; i < count; i++)
        s->x[i] = role == AG_ROLE_WEIGHT ? s->raw[i] : ag_round_bf16(s->raw[i]);
    for (int use = 0; use < AG_USES; use++) {
        const ag_scheme *scheme = &test->t.layers[6].scheme[role][use];
        float *amax = &s->amaxes[use][test->step];
        *amax = 0;
        for (size_t i = 0; i < count; i++)
            *amax = fmaxf(*amax, fabsf(s->x[i]) * channel_of(scheme, i));
    }
    for (int use = 0; use < AG_USES; use++)
        expect_operand(test, role, use, sample);
}

/* Sum of a[i * sa] * b[i * sb] and of the magnitudes. */
typedef struct dot {
    double sum;
    double magnitude;
} dot;

static dot dot_of(const float *a, size_t sa, const float *b, size_t sb, size_t count)
{
    dot d = {0.0, 0.0};
    for (size_t i = 0; i < count; i++) {
        double product = (double)a[i * sa] * (double)b[i * sb];
        d.sum += product;
        d.magnitude += fabs(product);
    }
    return d;
}

/* A float32 sum of `count` products is off by at most count * 2^-24 of the sum of magnitudes; the
 * two factors of the epilogue, the bias and the rounded 1 / S of this test's operands add a few
 * more. Rounding to BF16 is monotone, so it carries the interval over. */
static void assert_product(float actual, dot d, size_t count, bool bf16)
{
    double bound = (double)(count + 8) * 0x1p-24 * d.magnitude + 1e-37;
    float low = (float)(d.sum - bound);
    float high = (float)(d.sum + bound);
    if (bf16) {
        low = ag_round_bf16(low);
        high = ag_round_bf16(high);
    }
    if (!(actual >= low && actual <= high))
        fail_msg("%.9g is not in [%.9g, %.9g]", (double)actual, (double)low, (double)high);
}

/* --- accumulators of their own */

/* One operand of a term. */
typedef struct code {
    double value;
    int exponent;
    float scale;   /* for the promotion */
    double factor; /* for the epilogue */
} code;

/* Element k of row `row` of an operand, as the accumulator takes it. */
static code code_of(const layer_test *test, ag_operand_use of, size_t row, size_t k,
                    const ag_accumulator *how)
{
    const side *s = &test->sides[of.role];
    const ag_scheme *scheme = &test->t.layers[6].scheme[of.role][of.use];
    size_t i = of.use == 0 ? row : k;
    size_t j = of.use == 0 ? k : row;
    float value = s->q[of.use][i * s->cols + j];
    if (!scheme->quantised)
        return (code){value, plain_exponent(value, -126), 1, 1};
    float after = s->after[of.use][ag_groups_at(&s->groups[of.use], i, j)];
    float factor = s->factor[of.use];
    float q = ag_round_nearest(&scheme->format, value / factor / after, AG_OVERFLOW_SATURATE);
    int e = plain_exponent(q, scheme->format.emin);
    bool is_block = scheme->granularity == AG_GRANULARITY_BLOCK;
    float channel = channel_of(scheme, j);
    if (scheme->channel != AG_CHANNEL_NONE)
        return (code){(double)q / channel, e - ilogbf(channel), 1, after * channel};
    if (scheme->granularity == AG_GRANULARITY_TENSOR || scheme->granularity == AG_GRANULARITY_ROW)
        return (code){q, e, 1, after};
    if (is_block && how->promote > 0 && scheme->block_cols % how->promote == 0)
        return (code){q, e, after, 1};
    if (how->kind == AG_ACCUMULATE_NVFP4)
        return (code){(double)q * after, plain_exponent(after, -6), 1, factor};
    if (scheme->granularity == AG_GRANULARITY_MX || (is_block && scheme->pow2))
        return (code){(double)q * after, e + ilogbf(after), 1, 1};
    return (code){q * after, plain_exponent(q * after, -126), 1, factor};
}

/* An element of a product with its factors, before bias and BF16. */
static double added_up(const layer_test *test, ag_linear_product product, size_t row, size_t col,
                       size_t count)
{
    enum { LONGEST = 64 };
    const ag_accumulator *how = &test->t.layers[6].accumulate[product];
    plain_term terms[LONGEST];
    double factor = 1;
    for (size_t k = 0; k < count; k++) {
        code a = code_of(test, ag_linear_operands[product][0], row, k, how);
        code b = code_of(test, ag_linear_operands[product][1], col, k, how);
        terms[k] = (plain_term){a.value * b.value, a.exponent + b.exponent, a.scale * b.scale, -1};
        if (how->kind == AG_ACCUMULATE_NVFP4)
            terms[k].group = (int)(k / 16);
        factor = a.factor * b.factor;
    }
    return plain_sum(terms, count, how) * factor;
}

/* The expected element: of the default chain a sum in double, else the accumulator's, which leaves
 * the roundings of the epilogue alone. */
static dot expected(const layer_test *test, ag_linear_product product, size_t row, size_t col,
                    dot plain, size_t *count)
{
    if (test->t.layers[6].accumulate[product].kind == AG_ACCUMULATE_SEGMENTS)
        return plain;
    double sum = added_up(test, product, row, col, *count);
    *count = 0;
    return (dot){sum, fabs(sum)};
}

static bool is_clipped(const layer_test *test, ag_role role, size_t i)
{
    const ag_scheme *scheme = &test->t.layers[6].scheme[role][0];
    const side *s = &test->sides[role];
    size_t group = ag_groups_at(&s->groups[0], i / s->cols, i % s->cols);
    return scheme->quantised && scheme->ste == AG_STE_CLIP &&
           fabsf(s->x[i] * s->scale[0][group]) > scheme->format.max;
}

static void check_forward(const layer_test *test)
{
    const float *x = test->sides[AG_ROLE_INPUT].q[0];
    const float *w = test->sides[AG_ROLE_WEIGHT].q[0];
    for (size_t n = 0; n < N; n++) {
        for (size_t o = 0; o < OC; o++) {
            size_t count = C;
            dot d = dot_of(x + n * C, 1, w + o * C, 1, C);
            d = expected(test, AG_FPROP, n, o, d, &count);
            d.sum += (double)test->linear->bias[o];
            d.magnitude += fabs((double)test->linear->bias[o]);
            assert_product(test->y[n * OC + o], d, count, true);
        }
    }
}

static void check_dgrad(const layer_test *test)
{
    const float *dy = test->sides[AG_ROLE_GRAD_OUTPUT].q[0];
    const float *w = test->sides[AG_ROLE_WEIGHT].q[1];
    for (size_t n = 0; n < N; n++) {
        for (size_t c = 0; c < C; c++) {
            size_t count = OC;
            dot d = dot_of(dy + n * OC, 1, w + c, C, OC);
            d = expected(test, AG_DGRAD, n, c, d, &count);
            if (is_clipped(test, AG_ROLE_INPUT, n * C + c))
                assert_true(test->dx[n * C + c] == 0.0f);
            else
                assert_product(test->dx[n * C + c], d, count, true);
        }
    }
}

static void check_wgrad(const layer_test *test)
{
    const float *dy = test->sides[AG_ROLE_GRAD_OUTPUT].q[1];
    const float *x = test->sides[AG_ROLE_INPUT].q[1];
    for (size_t o = 0; o < OC; o++) {
        for (size_t c = 0; c < C; c++) {
            float dw = test->linear->dweight[o * C + c];
            size_t count = N;
            dot d = dot_of(dy + o, OC, x + c, C, N);
            d = expected(test, AG_WGRAD, o, c, d, &count);
            if (is_clipped(test, AG_ROLE_WEIGHT, o * C + c))
                assert_true(dw == 0.0f);
            else
                assert_product(dw, d, count, false);
        }
        static const float one = 1.0f;
        dot d = dot_of(test->sides[AG_ROLE_GRAD_OUTPUT].x + o, OC, &one, 0, N);
        assert_product(test->linear->dbias[o], d, N, false);
    }
}

/* New tensors, of another size each step, so that scales must follow. */
static void draw(layer_test *test)
{
    static const float sizes[STEPS] = {1.0f, 0.25f, 3.0f, 0.5f};
    ag_linear *linear = test->linear;
    float size = sizes[test->step];
    uint32_t which = 10 * (uint32_t)(test->step + 1);
    float *w = tiny_weight(&test->t, AG_T_C_FC_W, 1);
    tiny_fill(w, OC * C, which, 0.5f * size);
    tiny_fill(linear->input, N * C, which + 1, 5.0f * size);
    tiny_fill(test->sides[AG_ROLE_GRAD_OUTPUT].raw, N * OC, which + 2, 1e-3f * size);
    memcpy(test->sides[AG_ROLE_WEIGHT].raw, w, OC * C * sizeof(float));
    memcpy(test->sides[AG_ROLE_INPUT].raw, linear->input, N * C * sizeof(float));
    memset(linear->dweight, 0, OC * C * sizeof(float));
    memset(linear->dbias, 0, OC * sizeof(float));
}

/* Runs the layer for some steps with the schemes in t.layers. */
static void check_layer(layer_test *test)
{
    static float dy[WIDEST];
    tiny_start(&test->t);
    test->linear = &test->t.trainer.model.blocks[1].linears[AG_LINEAR_C_FC];
    tiny_fill(tiny_weight(&test->t, AG_T_C_FC_B, 1), OC, 3, 0.1f);
    for (int role = 0; role < AG_ROLES; role++) {
        test->sides[role].rows = role == AG_ROLE_WEIGHT ? OC : N;
        test->sides[role].cols = role == AG_ROLE_GRAD_OUTPUT ? OC : C;
    }
    for (test->step = 0; test->step < STEPS; test->step++) {
        ag_pass pass = {.B = B, .sample = 5, .step = (uint32_t)test->step, .rounding_key = s_key};
        draw(test);
        memcpy(dy, test->sides[AG_ROLE_GRAD_OUTPUT].raw, sizeof dy);
        for (int role = 0; role < AG_ROLES; role++)
            expect_operands(test, (ag_role)role, pass.sample);
        for (size_t c = 0; test->t.trainer.model.channels != NULL && c < C; c++)
            test->t.trainer.model.channels[c] = s_channels[c];
        ag_linear_prepare(test->linear, &pass);
        ag_linear_forward(test->y, test->linear, &pass);
        ag_linear_backward(test->dx, test->linear, dy, &pass);
        ag_linear_end_step(test->linear);
        check_forward(test);
        check_dgrad(test);
        check_wgrad(test);
    }
    tiny_end(&test->t);
}

static layer_test s_test; /* large */

static layer_test *make_test(void)
{
    memset(&s_test, 0, sizeof s_test);
    tiny_make(&s_test.t);
    return &s_test;
}

static void test_bf16(void **state)
{
    (void)state;
    check_layer(make_test());
}

static void test_plain_formats(void **state)
{
    (void)state;
    static const char *const names[] = {"e4m3", "e5m2", "e3m4", "e7m0", "e2m1", "int8", "fp16"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        layer_test *test = make_test();
        tiny_quantise_all(&test->t, tiny_scheme(names[i]));
        check_layer(test);
    }
}

static void test_hybrid_delayed_and_windowed(void **state)
{
    (void)state;
    static const ag_amax_mode modes[] = {AG_AMAX_DELAYED, AG_AMAX_WINDOWED};
    for (int i = 0; i < 2; i++) {
        layer_test *test = make_test();
        for (int role = 0; role < AG_ROLES; role++) {
            ag_scheme scheme = tiny_scheme(role == AG_ROLE_GRAD_OUTPUT ? "e5m2" : "e4m3");
            scheme.amax = modes[i];
            scheme.history = 2;
            scheme.margin = role;
            tiny_quantise(&test->t, (ag_role)role, scheme);
        }
        check_layer(test);
    }
}

static void test_weight_only_and_per_product_overrides(void **state)
{
    (void)state;
    layer_test *test = make_test();
    tiny_quantise(&test->t, AG_ROLE_WEIGHT, tiny_scheme("e3m4"));
    check_layer(test);

    test = make_test(); /* input.wgrad, weight.dgrad and grad_output.wgrad differ */
    tiny_quantise_all(&test->t, tiny_scheme("e4m3"));
    for (int i = 0; i < TINY_LAYERS; i++) {
        test->t.layers[i].scheme[AG_ROLE_INPUT][1] = (ag_scheme){0};
        test->t.layers[i].scheme[AG_ROLE_WEIGHT][1] = tiny_scheme("e5m2");
        test->t.layers[i].scheme[AG_ROLE_GRAD_OUTPUT][1].pow2 = true;
    }
    check_layer(test);
}

static void test_stochastic_rounding(void **state)
{
    (void)state;
    layer_test *test = make_test();
    ag_scheme scheme = tiny_scheme("e4m3");
    scheme.rounding = AG_ROUND_STOCHASTIC;
    tiny_quantise_all(&test->t, scheme);
    check_layer(test);

    test = make_test(); /* a second copy has random words of its own */
    tiny_quantise_all(&test->t, scheme);
    for (int i = 0; i < TINY_LAYERS; i++)
        test->t.layers[i].scheme[AG_ROLE_GRAD_OUTPUT][1].pow2 = true;
    check_layer(test);
}

/* Blocks of 8 channels and of 24 tokens are short ones; of 32 channels, one MX block or two of 16.
 */
static void test_groups(void **state)
{
    (void)state;
    static const char *const names[] = {"e4m3/row",
                                        "e4m3/row/amax+pow2/stochastic",
                                        "e7m0/row",
                                        "int8/row",
                                        "e4m3/col",
                                        "e4m3/1x16",
                                        "e4m3/1x5/amax",
                                        "e4m3/16x16",
                                        "e4m3/16x16/amax/stochastic",
                                        "e5m2/mx",
                                        "e2m1/mx/e8m0floor",
                                        "e0m7b0/mx",
                                        "e2m1/nv",
                                        "e2m1/nv16x16/amax/stochastic",
                                        "int4/1x16/e4m3+t",
                                        "e4m3/1x8/ue5m3/stochastic",
                                        "e2m3/3x5/e5m2+t",
                                        "e2m1/4x4/e8m0even",
                                        "e3m4/1x16/absmax"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        layer_test *test = make_test();
        ag_scheme scheme;
        assert_ok(ag_scheme_parse(&scheme, names[i]));
        tiny_quantise_all(&test->t, scheme);
        check_layer(test);
    }
}

/* Scales that are chosen by error, and relative to one a row. */
static void test_chosen_scales(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        layer_test *test = make_test();
        ag_scheme scheme;
        assert_ok(ag_scheme_parse(&scheme, i == 2 ? "int4/1x8/ue5m3" : "e2m1/nv"));
        scheme.select = i == 2 ? AG_SELECT_MSE : AG_SELECT_FOUR_SIX;
        scheme.n_candidates = i == 2 ? 2 : 0;
        scheme.candidates[0] = i == 2 ? 1.0f : 0.0f;
        scheme.candidates[1] = i == 2 ? 1.25f : 0.0f;
        scheme.rounding = i == 1 ? AG_ROUND_STOCHASTIC : AG_ROUND_NEAREST;
        scheme.outer = i == 2 ? AG_OUTER_ROW : AG_OUTER_NONE;
        assert_ok(ag_scheme_check(&scheme));
        tiny_quantise_all(&test->t, scheme);
        check_layer(test);
    }
}

/* Rotations of all products, with signs of the step; E2M1 by QuEST, by MS-EDEN. */
static void test_rotations(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        ag_signs signs;
        ag_select select;
    } cases[] = {
        {"e4m3/1x8/amax/nearest/hadamard",       AG_SIGNS_STEP,  AG_SELECT_AMAX},
        {"e4m3/row/amax/nearest/hadamard32",     AG_SIGNS_FIXED, AG_SELECT_AMAX},
        {"e2m1/nv/amax/nearest/hadamard16",      AG_SIGNS_STEP,  AG_SELECT_EDEN},
        {"e2m1/mx/e8m0floor/nearest/hadamard32", AG_SIGNS_STEP,  AG_SELECT_AMAX},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        layer_test *test = make_test();
        ag_scheme scheme;
        assert_ok(ag_scheme_parse(&scheme, cases[i].name));
        scheme.signs = cases[i].signs;
        scheme.select = cases[i].select;
        assert_ok(ag_scheme_check(&scheme));
        tiny_quantise_all(&test->t, scheme);
        check_layer(test);
    }
}

/* Second operands made of the forward's copies, with schemes of their own or none. */
static void test_copies_of_the_forward(void **state)
{
    (void)state;
    static const char *const names[][2] = {
        {"e4m3",           NULL                       },
        {"e4m3/mx",        NULL                       },
        {"int4/1x16/amax", "int4/1x16/amax/stochastic"},
        {"e2m1/nv",        "e5m2/row"                 },
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        layer_test *test = make_test();
        ag_scheme first;
        ag_scheme second = {0};
        assert_ok(ag_scheme_parse(&first, names[i][0]));
        if (names[i][1] != NULL)
            assert_ok(ag_scheme_parse(&second, names[i][1]));
        second.from_forward = true;
        tiny_quantise_all(&test->t, first);
        for (int layer = 0; layer < TINY_LAYERS; layer++) {
            test->t.layers[layer].scheme[AG_ROLE_WEIGHT][1] = second;
            test->t.layers[layer].scheme[AG_ROLE_INPUT][1] = second;
        }
        check_layer(test);
    }
}

static void test_static_scales_and_few_bits(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        layer_test *test = make_test();
        ag_scheme scheme;
        assert_ok(ag_scheme_parse(&scheme, i < 2 ? "e4m3/tensor" : "e3m2/1x16/amax/stochastic"));
        if (i < 2)
            assert_ok(ag_static_parse(&scheme, i == 0 ? "2^-3" : "3*sqrt(fan_in)"));
        scheme.sr_bits = i < 2 ? 0 : 5;
        scheme.sr_variant = i == 2 ? AG_SR_HALF : i == 3 ? AG_SR_NEAREST : AG_SR_FLOOR;
        tiny_quantise_all(&test->t, scheme);
        check_layer(test);
    }
}

/* Inputs whose channels have powers of two of their own; the second use with a scheme of its own
 * and none of these; sums of codes, whose exponents they move. */
static void test_channels(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *second; /* NULL: the same */
        ag_ste ste;
        const char *accumulator;
    } rows[] = {
        {"e4m3",                        NULL,       AG_STE_IDENTITY, NULL      },
        {"e4m3/tensor/none",            NULL,       AG_STE_CLIP,     NULL      },
        {"e5m2/tensor/delayed",         "e4m3",     AG_STE_CLIP,     NULL      },
        {"int8/tensor/amax+pow2",       NULL,       AG_STE_IDENTITY, NULL      },
        {"e2m1/tensor/amax/stochastic", "e4m3/row", AG_STE_IDENTITY, NULL      },
        {"nf4/tensor/windowed",         NULL,       AG_STE_IDENTITY, NULL      },
        {"e4m3",                        NULL,       AG_STE_IDENTITY, "h100-fp8"},
        {"e4m3/tensor/delayed",         "e5m2",     AG_STE_IDENTITY, "ada-fp8" },
    };
    static const float sizes[C] = {1.0f, 0.125f, 64.0f, 2.0f, 0x1p-20f, 1.0f, 0.5f, 0x1p12f};
    memcpy(s_channels, sizes, sizeof sizes);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        layer_test *test = make_test();
        ag_scheme scheme;
        tiny_quantise_all(&test->t, tiny_scheme("e4m3"));
        assert_ok(ag_scheme_parse(&scheme, rows[i].name));
        scheme.channel = AG_CHANNEL_UP;
        scheme.ste = rows[i].ste;
        assert_ok(ag_scheme_check(&scheme));
        tiny_quantise(&test->t, AG_ROLE_INPUT, scheme);
        if (rows[i].second != NULL)
            assert_ok(ag_scheme_parse(&scheme, rows[i].second));
        for (int layer = 0; layer < TINY_LAYERS; layer++) {
            ag_layer_precision *precision = &test->t.layers[layer];
            precision->scheme[AG_ROLE_INPUT][1] = scheme;
            for (int product = 0; rows[i].accumulator != NULL && product < AG_LINEAR_PRODUCTS;
                 product++)
                assert_ok(
                    ag_accumulator_parse(&precision->accumulate[product], rows[i].accumulator));
        }
        check_layer(test);
    }
}

static void test_recipes(void **state)
{
    (void)state;
    size_t count;
    const ag_recipe *recipes = ag_recipe_list(&count);
    for (size_t i = 0; i < count; i++) {
        layer_test *test = make_test();
        for (int layer = 0; layer < TINY_LAYERS; layer++)
            assert_ok(ag_recipe_parse(&test->t.layers[layer], recipes[i].name));
        check_layer(test);
    }
}

static void test_clipped_gradients(void **state)
{
    (void)state;
    layer_test *test = make_test();
    ag_scheme scheme = tiny_scheme("e2m1");
    scheme.amax = AG_AMAX_NONE; /* max 6: inputs reach 15, weights 1.5 */
    scheme.ste = AG_STE_CLIP;
    tiny_quantise(&test->t, AG_ROLE_INPUT, scheme);
    scheme.amax = AG_AMAX_DELAYED; /* the third step's weights are 12 times the second's */
    scheme.history = 1;
    tiny_quantise(&test->t, AG_ROLE_WEIGHT, scheme);
    check_layer(test);

    test = make_test(); /* the floor of E8M0 clips what is above max but in its octave */
    assert_ok(ag_scheme_parse(&scheme, "e2m1/mx/e8m0floor"));
    scheme.ste = AG_STE_CLIP;
    tiny_quantise(&test->t, AG_ROLE_INPUT, scheme);
    tiny_quantise(&test->t, AG_ROLE_WEIGHT, scheme);
    check_layer(test);
}

static void test_accumulators(void **state)
{
    (void)state;
    static const struct {
        const char *scheme; /* NULL: BF16 */
        const char *accumulator;
    } rows[] = {
        {"e4m3",              "h100-fp8"                                                      },
        {"e5m2/row",          "h100-fp8"                                                      },
        {"e5m2/mx",           "h100-fp8"                                                      },
        {"e4m3/16x16",        "h100-fp8"                                                      },
        {"e4m3/1x5/amax",     "ada-fp8"                                                       },
        {"e4m3/col",          "ada-fp8"                                                       },
        {"e2m1/nv",           "b200-nvfp4"                                                    },
        {"e2m1/nv16x16",      "b200-nvfp4"                                                    },
        {"e2m1/nv",           "ada-fp8"                                                       },
        {"e2m1/mx/e8m0floor", "b200-fp8"                                                      },
        {"fp16",              "v100-half"                                                     },
        {"fp16/tensor/amax",  "v100"                                                          },
        {NULL,                "a100"                                                          },
        {NULL,                "bf16"                                                          },
        {"e4m3/row",          "e8m10"                                                         },
        {"e4m3/1x16/amax",
         "terms=8,fraction=9,floor=-132,into=e8m9,round=nearest,promote=16,outer=fp32"        },
        {"e4m3/16x16/amax",   "terms=4,fraction=9,into=e8m13,round=zero,promote=8,outer=e8m12"},
        {"int8/1x16/amax",    "terms=1,into=e8m9,round=zero,promote=16,outer=bf16"            },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        layer_test *test = make_test();
        ag_scheme scheme = {0};
        if (rows[i].scheme != NULL)
            assert_ok(ag_scheme_parse(&scheme, rows[i].scheme));
        tiny_quantise_all(&test->t, scheme);
        for (int layer = 0; layer < TINY_LAYERS; layer++)
            for (int product = 0; product < AG_LINEAR_PRODUCTS; product++)
                assert_ok(ag_accumulator_parse(&test->t.layers[layer].accumulate[product],
                                               rows[i].accumulator));
        check_layer(test);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bf16),
        cmocka_unit_test(test_plain_formats),
        cmocka_unit_test(test_hybrid_delayed_and_windowed),
        cmocka_unit_test(test_weight_only_and_per_product_overrides),
        cmocka_unit_test(test_stochastic_rounding),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_chosen_scales),
        cmocka_unit_test(test_rotations),
        cmocka_unit_test(test_copies_of_the_forward),
        cmocka_unit_test(test_static_scales_and_few_bits),
        cmocka_unit_test(test_channels),
        cmocka_unit_test(test_recipes),
        cmocka_unit_test(test_clipped_gradients),
        cmocka_unit_test(test_accumulators),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
