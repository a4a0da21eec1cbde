/* Attention with quantised operands against its formulas in double precision, one head after the
 * other, with operands from the plain quantiser. */
#include "tiny.h"

enum { B = 3, T = 8, H = 2, C = 8, D = 4, WIDE = B * H * T * D, SQUARE = B * H * T * T };

static tiny s_a; /* large */
static tiny s_b;

typedef struct arrays {
    float qkv[B * T * 3 * C];
    float dout[B * T * C];
    float probs[SQUARE];
    float out[B * T * C];
    float dqkv[B * T * 3 * C];
} arrays;

/* What the products read: [B, H, T, D] or [B, H, T, T], one for each of two uses. */
typedef struct operands {
    float q[2][WIDE], k[2][WIDE], v[2][WIDE], dout[2][WIDE];
    float p[2][SQUARE], ds[2][SQUARE];
} operands;

/* --- the plain quantiser */

/* Sites by their definition: block * 64 + 4 * 8 + role, roles q k v p do ds; this is block 1. */
enum { SITE = 64 + 32, SITE_Q = 0, SITE_K, SITE_V, SITE_P, SITE_DO, SITE_DS };

/* x is B * H matrices of [T, cols]; its first use sums over its columns, but that of v. */
static void quantise(float out[2][SQUARE], const float *x, size_t cols, const ag_scheme uses[2],
                     uint32_t role, const ag_pass *pass, uint64_t first)
{
    const size_t matrix = T * cols;
    const size_t count = matrix * B * H;
    for (uint32_t use = 0; use < 2; use++) {
        const ag_scheme *scheme = &uses[use];
        bool sums_cols = (use == 0) != (role == SITE_V);
        ag_rounding_site where = {.key = pass->rounding_key,
                                  .place = SITE + role,
                                  .use = use,
                                  .step = pass->step,
                                  .bits = scheme->sr_bits,
                                  .variant = scheme->sr_variant};
        if (ag_scheme_serves_both(uses))
            where.use = 0; /* one copy for both */
        memcpy(out[use], x, count * sizeof *x);
        float scale = 1.0f;
        if (scheme->amax != AG_AMAX_NONE)
            scale = ag_scale_from_amax(&scheme->format, ag_amax(x, count), 0, false, 1.0f);
        if (scheme->quantised && scheme->granularity == AG_GRANULARITY_TENSOR)
            ag_fake_quantize(out[use], x, count, scheme, scale, &where, first);
        for (size_t i = 0; scheme->granularity != AG_GRANULARITY_TENSOR && i < count; i += matrix) {
            float scales[2][T * T];
            ag_quantize_matrix(
                out[use] + i, x + i,
                &(ag_matrix){T, cols, sums_cols ? AG_SUM_COLS : AG_SUM_ROWS, first + i}, scheme,
                &(ag_scales){.scale = scales[0], .after = scales[1]}, &where);
        }
    }
}

static void quantise_wide(float out[2][WIDE], const float *x, const ag_scheme uses[2],
                          uint32_t role, const ag_pass *pass)
{
    float both[2][SQUARE];
    quantise(both, x, D, uses, role, pass, pass->sample * T * C);
    memcpy(out[0], both[0], sizeof out[0]);
    memcpy(out[1], both[1], sizeof out[1]);
}

/* --- the formulas */

/* Where element i of [B, H, T, D] stands in [B, T, width], the heads from column `first` on. */
static size_t place(size_t i, size_t width, size_t first)
{
    const size_t tokens = T;
    size_t head = i / D / tokens;
    size_t t = i / D % tokens;
    return (head / H * tokens + t) * width + first + head % H * D + i % D;
}

static void take_heads(float *out, const float *x, size_t width, size_t first)
{
    for (size_t i = 0; i < WIDE; i++)
        out[i] = x[place(i, width, first)];
}

/* Products, scales and the softmax have a few roundings each, sums of at most T one a term;
 * `magnitude` is the sum of what is added up, without signs. */
static void compare(const char *what, size_t i, float got, double sum, double magnitude)
{
    double bound = (T + 30) * 0x1p-24 * magnitude + 1e-30;
    if (fabs((double)got - sum) > bound)
        fail_msg("%s[%zu] is %.9g, expected %.9g +- %.2g", what, i, (double)got, sum, bound);
}

static void check_probs(const arrays *a, const operands *o)
{
    for (size_t row = 0; row < SQUARE / T; row++) {
        size_t head = row / T;
        size_t t = row % T;
        double score[T];
        double total = 0;
        for (size_t s = 0; s <= t; s++) {
            score[s] = 0;
            for (size_t d = 0; d < D; d++)
                score[s] += (double)o->q[0][(head * T + t) * D + d] *
                            (double)o->k[0][(head * T + s) * D + d];
            score[s] = exp(score[s] / sqrt(D));
            total += score[s];
        }
        for (size_t s = 0; s < T; s++)
            compare("p", row * T + s, a->probs[row * T + s], s <= t ? score[s] / total : 0,
                    s <= t ? score[s] / total : 0);
    }
}

/* A matrix of each head: where its rows and columns begin, in elements. */
typedef struct view {
    const float *x;
    const float *size; /* of what was added up for each element; NULL: the element is exact */
    size_t head, row, col;
} view;

static void check_product(const char *what, const float *got, size_t width, size_t first, view a,
                          view b)
{
    for (size_t i = 0; i < WIDE; i++) {
        size_t head = i / T / D;
        double sum = 0;
        double magnitude = 0;
        for (size_t k = 0; k < T; k++) {
            size_t at = head * a.head + i / D % T * a.row + k * a.col;
            double right = (double)b.x[head * b.head + k * b.row + i % D * b.col];
            sum += (double)a.x[at] * right;
            magnitude += fabs((double)(a.size != NULL ? a.size : a.x)[at] * right);
        }
        compare(what, i, got[place(i, width, first)], sum, magnitude);
    }
}

/* dS as float32, as it is before Q: from dO and V, the mask, and P. */
static void make_dscores(float *ds, float *size, const arrays *a, const operands *o,
                         const float *mask)
{
    for (size_t row = 0; row < SQUARE / T; row++) {
        double dp[T] = {0};
        double dp_size[T] = {0};
        double mean = 0;
        double mean_size = 0;
        for (size_t s = 0; s < T; s++) {
            for (size_t d = 0; d < D; d++) {
                double term = (double)mask[row * T + s] * (double)o->dout[0][row * D + d] *
                              (double)o->v[1][(row / T * T + s) * D + d];
                dp[s] += term;
                dp_size[s] += fabs(term);
            }
            mean += dp[s] * (double)a->probs[row * T + s];
            mean_size += dp_size[s] * (double)a->probs[row * T + s];
        }
        for (size_t s = 0; s < T; s++) {
            double p = (double)a->probs[row * T + s] / sqrt(D);
            ds[row * T + s] = (float)(p * (dp[s] - mean));
            size[row * T + s] = (float)(p * (dp_size[s] + mean_size));
        }
    }
}

/* --- one case */

typedef struct schemes {
    ag_scheme input[2];
    ag_scheme grad[2];
} schemes;

static void set_site(ag_layer_precision *site, const schemes *s)
{
    memcpy(site->scheme[AG_ROLE_INPUT], s->input, sizeof s->input);
    memcpy(site->scheme[AG_ROLE_GRAD_OUTPUT], s->grad, sizeof s->grad);
}

static void start(tiny *t, const schemes *qk, const schemes *pv)
{
    tiny_make(t);
    t->run.sites = t->sites;
    set_site(&t->sites[ag_site_index(&t->run.model, AG_SITE_QK, 4)], qk);
    set_site(&t->sites[ag_site_index(&t->run.model, AG_SITE_PV, 4)], pv);
    tiny_start(t);
}

/* BF16 values with some spread. */
static void fill(float *x, size_t count, uint32_t which, float size)
{
    for (size_t i = 0; i < count; i++)
        x[i] = ag_round_bf16(size * tiny_noise(which, i) * tiny_noise(which + 100, i));
}

/* The dropout of P as a factor, by the kernel's definition. */
static void make_mask(float *mask, const ag_attention_shape *shape)
{
    for (size_t i = 0; i < SQUARE; i++)
        mask[i] = 1.0f;
    if (shape->dropout > 0)
        ag_kernels_plain.dropout(mask, SQUARE, shape->dropout, shape->key, shape->place,
                                 shape->step, shape->first * H * T * T);
}

static void check_products(const arrays *a, const operands *o, const float *ds_size,
                           const float *ds_size_t)
{
    enum { TT = T * T, TD = T * D };
    const size_t wide = 3 * (size_t)C;
    check_product("out", a->out, C, 0, (view){o->p[0], NULL, TT, T, 1},
                  (view){o->v[0], NULL, TD, D, 1});
    check_product("dq", a->dqkv, wide, 0, (view){o->ds[0], ds_size, TT, T, 1},
                  (view){o->k[1], NULL, TD, D, 1});
    check_product("dk", a->dqkv, wide, C, (view){o->ds[1], ds_size_t, TT, 1, T},
                  (view){o->q[1], NULL, TD, D, 1});
    check_product("dv", a->dqkv, wide, wide - C, (view){o->p[1], NULL, TT, 1, T},
                  (view){o->dout[1], NULL, TD, D, 1});
}

static void check(const schemes *qk, const schemes *pv, float dropout)
{
    static arrays a;
    static operands o;
    const size_t columns = 3 * (size_t)C;
    static float wide[WIDE], square[SQUARE], size[SQUARE], mask[SQUARE];
    ag_pass pass = {.mode = AG_MODE_TRAIN, .B = B, .sample = 6, .step = 5, .rounding_key = 99};
    ag_attention_shape shape = {.B = B, .T = T, .H = H, .K = H, .D = D, .scale = 1 / sqrtf(D)};
    shape.dropout = dropout;
    shape.key = 7;
    shape.place = SITE + SITE_P;
    shape.step = 5;
    shape.first = pass.sample;
    start(&s_a, qk, pv);
    ag_attention *attention = &s_a.trainer.model.blocks[1].attention;
    fill(a.qkv, sizeof a.qkv / sizeof *a.qkv, 1, 3.0f);
    fill(a.dout, sizeof a.dout / sizeof *a.dout, 2, 0.01f);
    make_mask(mask, &shape);
    ag_attend(a.out, attention, a.probs, a.qkv, &shape, &pass);
    ag_attend_backward(a.dqkv, attention, a.dout, a.probs, &shape, &pass);

    take_heads(wide, a.qkv, columns, 0);
    quantise_wide(o.q, wide, qk->input, SITE_Q, &pass);
    take_heads(wide, a.qkv, columns, C);
    quantise_wide(o.k, wide, qk->input, SITE_K, &pass);
    take_heads(wide, a.qkv, columns, columns - C);
    quantise_wide(o.v, wide, pv->input, SITE_V, &pass);
    take_heads(wide, a.dout, C, 0);
    quantise_wide(o.dout, wide, pv->grad, SITE_DO, &pass);
    check_probs(&a, &o);
    for (size_t i = 0; i < SQUARE; i++)
        square[i] = a.probs[i] * mask[i];
    quantise(o.p, square, T, pv->input, SITE_P, &pass, pass.sample * H * T * T);
    make_dscores(square, size, &a, &o, mask);
    quantise(o.ds, square, T, qk->grad, SITE_DS, &pass, pass.sample * H * T * T);
    check_products(&a, &o, qk->grad[0].quantised ? NULL : size,
                   qk->grad[1].quantised ? NULL : size);
    tiny_end(&s_a);
}

static ag_scheme scheme_of(const char *name)
{
    ag_scheme scheme = {0};
    if (name != NULL)
        assert_ok(ag_scheme_parse(&scheme, name));
    return scheme;
}

static schemes of(const char *input, const char *grad)
{
    return (schemes){
        {scheme_of(input), scheme_of(input)},
        {scheme_of(grad),  scheme_of(grad) }
    };
}

static void test_formulas(void **state)
{
    (void)state;
    schemes none = of(NULL, NULL);
    schemes e4m3 = of("e4m3", "e5m2");
    schemes int4 = of("int4", "e3m0");
    check(&e4m3, &e4m3, 0.0f);
    check(&e4m3, &e4m3, 0.3f);
    check(&int4, &none, 0.0f);
    check(&none, &int4, 0.3f);
}

/* Scales of groups: what a product sums over is a row for it, however the tensor lies. Blocks end
 * with a head, and the last of it may be short. */
static void test_groups_follow_the_product(void **state)
{
    (void)state;
    /* dS is only known up to its rounding, and so is a scale of it that is no power of two */
    static const char *const names[][2] = {
        {"e4m3/row",                  "e5m2/row/amax+pow2"       },
        {"e4m3/col",                  "e3m4/col/amax+pow2"       },
        {"int4/b1x3",                 "int8/b1x3"                },
        {"e3m2/b3x5",                 "e5m2/b3x5"                },
        {"e2m1/mx",                   "e2m1/mx"                  },
        {"e2m1/nv",                   "e4m3/mx"                  },
        {"int4/1x4/e4m3+t",           "e4m3/1x8/ue5m3+t"         },
        {"e2m3/b2x2/amax/stochastic", "e2m3/b2x2/amax/stochastic"},
    };
    schemes none = of(NULL, NULL);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        schemes s = of(names[i][0], names[i][1]);
        check(&s, &s, i % 2 == 0 ? 0.0f : 0.2f);
        s.input[1] = s.grad[0] = none.input[0];
        check(&s, &none, 0.0f);
        check(&none, &s, 0.2f);
    }
}

static void test_products_may_differ(void **state)
{
    (void)state;
    schemes first = of("e4m3", "e5m2");
    schemes second = of("e3m4", "e5m2");
    first.input[1] = first.grad[0] = (ag_scheme){0};
    second.input[1] = tiny_scheme("e2m1");
    second.grad[1] = (ag_scheme){0};
    check(&first, &second, 0.2f);
    check(&second, &first, 0.0f);
}

static void test_stochastic_rounding_by_global_index(void **state)
{
    (void)state;
    schemes s = of("e4m3", "e5m2");
    for (int use = 0; use < 2; use++)
        s.input[use].rounding = s.grad[use].rounding = AG_ROUND_STOCHASTIC;
    check(&s, &s, 0.0f);
    s.input[1] = s.grad[1] = tiny_scheme("e3m2");
    s.input[1].rounding = s.grad[1].rounding = AG_ROUND_STOCHASTIC;
    check(&s, &s, 0.2f);
}

/* --- against the kernels that take attention as one */

/* BF16 without a scale leaves q, k and v as they are: the same bits as without sites, where both
 * ways add up in the same order, as the reference kernels do. */
static void test_formats_that_change_nothing(void **state)
{
    (void)state;
    static const ag_site_kind kinds[] = {AG_SITE_QK, AG_SITE_PV};
    for (size_t i = 0; i < 2; i++) {
        tiny_make(&s_a);
        tiny_make(&s_b);
        s_a.run.model.dropout = s_b.run.model.dropout = i == 0 ? 0.0 : 0.2;
        s_b.run.sites = s_b.sites;
        for (size_t block = 0; block < 2; block++) {
            size_t index = ag_site_index(&s_a.run.model, kinds[i], block * 4);
            ag_scheme(*scheme)[AG_USES] = s_b.sites[index].scheme;
            if (kinds[i] == AG_SITE_QK) /* P would be rounded, dO is a BF16 value */
                scheme[AG_ROLE_INPUT][0] = scheme[AG_ROLE_INPUT][1] = tiny_scheme("bf16");
            else
                scheme[AG_ROLE_GRAD_OUTPUT][0] = scheme[AG_ROLE_GRAD_OUTPUT][1] =
                    tiny_scheme("bf16");
        }
        tiny_train(&s_a, &ag_kernels_plain);
        tiny_train(&s_b, &ag_kernels_plain);
        assert_string_equal(s_a.record.digest, s_b.record.digest);
        assert_memory_equal(s_a.record.loss, s_b.record.loss, 6 * sizeof(double));
        tiny_end(&s_a);
        tiny_end(&s_b);
    }
}

/* With ste: clip, elements beyond the format's range have no gradient. */
static void test_clipped_elements_have_no_gradient(void **state)
{
    (void)state;
    static arrays a;
    schemes none = of(NULL, NULL);
    schemes s = of("e2m1", NULL); /* max 6 */
    ag_pass pass = {.mode = AG_MODE_TRAIN, .B = B};
    ag_attention_shape shape = {.B = B, .T = T, .H = H, .K = H, .D = D, .scale = 1 / sqrtf(D)};
    for (int use = 0; use < 2; use++) {
        s.input[use].amax = AG_AMAX_NONE;
        s.input[use].ste = AG_STE_CLIP;
    }
    start(&s_a, &s, &none);
    fill(a.qkv, sizeof a.qkv / sizeof *a.qkv, 1, 20.0f);
    fill(a.dout, sizeof a.dout / sizeof *a.dout, 2, 1.0f);
    ag_attention *attention = &s_a.trainer.model.blocks[1].attention;
    ag_attend(a.out, attention, a.probs, a.qkv, &shape, &pass);
    ag_attend_backward(a.dqkv, attention, a.dout, a.probs, &shape, &pass);
    const size_t width = C;
    size_t clipped = 0;
    size_t kept = 0;
    for (size_t i = 0; i < sizeof a.qkv / sizeof *a.qkv; i++) {
        bool beyond = i % (3 * width) < 2 * width && fabsf(a.qkv[i]) > 6.0f;
        clipped += beyond;
        kept += !beyond && a.dqkv[i] != 0.0f;
        if (beyond)
            assert_true(a.dqkv[i] == 0.0f);
    }
    assert_in_range(clipped, 20, 200);
    assert_true(kept > 200);
    tiny_end(&s_a);
}

/* The second copies are for the products of the backward pass. */
static void test_evaluation_makes_no_second_copies(void **state)
{
    (void)state;
    static arrays a;
    schemes s = of("e4m3/row", "e5m2/row");
    ag_pass pass = {.mode = AG_MODE_EVALUATE, .B = B};
    ag_attention_shape shape = {.B = B, .T = T, .H = H, .K = H, .D = D, .scale = 1 / sqrtf(D)};
    start(&s_a, &s, &s);
    fill(a.qkv, sizeof a.qkv / sizeof *a.qkv, 1, 20.0f);
    ag_attention *attention = &s_a.trainer.model.blocks[1].attention;
    float *copies[] = {attention->heads[0][1], attention->heads[1][1], attention->heads[2][1],
                       attention->dropped[1]};
    for (size_t i = 0; i < 4; i++)
        copies[i][0] = 77.0f;
    ag_attend(a.out, attention, a.probs, a.qkv, &shape, &pass);
    for (size_t i = 0; i < 4; i++)
        assert_true(copies[i][0] == 77.0f);
    tiny_end(&s_a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formulas),
        cmocka_unit_test(test_groups_follow_the_product),
        cmocka_unit_test(test_products_may_differ),
        cmocka_unit_test(test_stochastic_rounding_by_global_index),
        cmocka_unit_test(test_formats_that_change_nothing),
        cmocka_unit_test(test_clipped_elements_have_no_gradient),
        cmocka_unit_test(test_evaluation_makes_no_second_copies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
