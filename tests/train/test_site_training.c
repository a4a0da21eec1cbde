/* What sites do to a training: each stored tensor is the plain quantiser's, nothing else moves, and
 * without a site that is on nothing is different at all. */
#include "tiny.h"

static tiny s_a; /* large */
static tiny s_b;

/* --- helpers */

/* The values of x [count / cols, cols] under a scheme. */
static void quantise(float *x, size_t count, size_t cols, const ag_scheme *scheme,
                     const ag_rounding_site *where, uint64_t first)
{
    float scale[512];
    float after[512];
    ag_scales scales = {.scale = scale, .after = after};
    ag_matrix matrix = {.rows = count / cols, .cols = cols, .sum = AG_SUM_COLS, .first = first};
    assert_true(count <= 512);
    ag_quantize_matrix(x, x, &matrix, scheme, &scales, where);
}

static ag_scheme stochastic(const char *name)
{
    ag_scheme scheme;
    char text[64];
    snprintf(text, sizeof text, "%s/amax/stochastic", name);
    assert_ok(ag_scheme_parse(&scheme, text));
    return scheme;
}

/* Scales of the tensor, of rows, of blocks whose last one is short. */
static const char *const s_names[] = {"e3m2/tensor", "e4m3/row", "e2m3/b3x5"};
enum { NAMES = sizeof s_names / sizeof s_names[0] };

static ag_rounding_site rounding_site(uint32_t place, uint32_t use, uint32_t step)
{
    return (ag_rounding_site){
        .key = ag_stream_key(42, AG_STREAM_ROUNDING), .place = place, .use = use, .step = step};
}

static void assert_same_floats(const char *what, const float *got, const float *expected,
                               size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (bits_of(got[i]) != bits_of(expected[i]))
            fail_msg("%s[%zu] is %.9g, expected %.9g", what, i, (double)got[i],
                     (double)expected[i]);
    }
}

/* --- off */

static void test_null_sites_change_nothing(void **state)
{
    (void)state;
    tiny_make(&s_a);
    tiny_make(&s_b);
    s_a.run.model.dropout = s_b.run.model.dropout = 0.1;
    s_b.run.sites = s_b.sites; /* all null */
    tiny_train(&s_a, &ag_kernels_fast);
    tiny_train(&s_b, &ag_kernels_fast);
    assert_string_equal(s_a.record.digest, s_b.record.digest);
    assert_memory_equal(s_a.record.loss, s_b.record.loss, 6 * sizeof(double));
    tiny_end(&s_a);
    tiny_end(&s_b);
}

/* val_loss has the run's quantisers, val_loss_hp none. */
static void test_evaluation_with_and_without(void **state)
{
    (void)state;
    static const ag_site_kind kinds[] = {AG_SITE_QK, AG_SITE_PV, AG_SITE_RESIDUAL};
    tiny_make(&s_a);
    s_a.run.train.steps = 0;
    tiny_train(&s_a, &ag_kernels_fast);
    for (size_t i = 0; i < 3; i++) {
        tiny_make(&s_b);
        s_b.run.train.steps = 0;
        tiny_quantise_sites(&s_b, kinds[i], tiny_scheme("e2m1"));
        tiny_train(&s_b, &ag_kernels_fast);
        assert_true(s_b.record.final_val_loss_hp == s_a.record.final_val_loss);
        assert_true(s_b.record.val_loss[0] != s_a.record.val_loss[0]);
        tiny_end(&s_b);
    }
    tiny_end(&s_a);
}

/* --- dW */

enum { OC = 32, IN = 8, DW = OC * IN }; /* c_fc of block 1 */

/* The gradients of micro-batch `micro` of the first step alone. */
static void differentiate(tiny *t, int64_t micro)
{
    ag_trainer *trainer = &t->trainer;
    ag_pass pass = ag_trainer_pass(trainer, AG_MODE_TRAIN, 3, (uint64_t)micro * 3);
    ag_batch_train(trainer->tokens.inputs, trainer->tokens.targets, trainer->corpus, trainer->run,
                   trainer->state.step, micro);
    ag_model_forward(&trainer->model, &trainer->tokens, &pass);
    ag_model_backward(&trainer->model, &trainer->tokens, &pass);
}

static void forget_gradients(tiny *t)
{
    memset(t->trainer.model.grads, 0, t->trainer.state.tensors.total * sizeof(float));
}

static void check_stored_dw(ag_scheme scheme)
{
    float expected[DW] = {0};
    ag_rounding_site where = rounding_site(64 + 2 * 8 + 3, 0, 0);
    tiny_make(&s_a);
    s_a.run.train.grad_accum = 2;
    tiny_start(&s_a);
    for (int64_t micro = 0; micro < 2; micro++) {
        float product[DW];
        forget_gradients(&s_a);
        differentiate(&s_a, micro);
        memcpy(product, tiny_grad(&s_a, AG_T_C_FC_W, 1), sizeof product);
        quantise(product, DW, IN, &scheme, &where, (uint64_t)micro * DW);
        for (size_t i = 0; i < DW; i++)
            expected[i] += product[i];
    }
    tiny_make(&s_b);
    s_b.run.train.grad_accum = 2;
    tiny_quantise_sites(&s_b, AG_SITE_WGRAD, scheme);
    tiny_start(&s_b);
    for (int64_t micro = 0; micro < 2; micro++)
        differentiate(&s_b, micro);
    assert_same_floats("dw", tiny_grad(&s_b, AG_T_C_FC_W, 1), expected, DW);
    forget_gradients(&s_a);
    for (int64_t micro = 0; micro < 2; micro++)
        differentiate(&s_a, micro);
    assert_same_floats("db", tiny_grad(&s_b, AG_T_C_FC_B, 1), tiny_grad(&s_a, AG_T_C_FC_B, 1), OC);
    assert_same_floats("dwpe", tiny_grad(&s_b, AG_T_WPE, 0), tiny_grad(&s_a, AG_T_WPE, 0), 64);
    tiny_end(&s_a);
    tiny_end(&s_b);
}

static void test_each_product_dw_is_stored(void **state)
{
    (void)state;
    for (size_t i = 0; i < NAMES; i++)
        check_stored_dw(stochastic(s_names[i]));
}

/* --- moments */

static void check_stored_moments(ag_scheme scheme)
{
    ag_rounding_site m_site = rounding_site(64 + 2 * 8, 3, 0);
    ag_rounding_site v_site = rounding_site(64 + 2 * 8, 4, 0);
    tiny_make(&s_a);
    tiny_make(&s_b);
    tiny_quantise_sites(&s_b, AG_SITE_OPT_M, scheme);
    tiny_quantise_sites(&s_b, AG_SITE_OPT_V, scheme);
    tiny_start(&s_a);
    tiny_start(&s_b);
    ag_trainer_step(&s_a.trainer);
    ag_trainer_step(&s_b.trainer);
    size_t total = s_a.trainer.state.tensors.total;
    assert_same_floats("weights", s_b.trainer.state.weights, s_a.trainer.state.weights, total);

    size_t offset = ag_tensor_find(&s_a.trainer.state.tensors, AG_T_C_FC_W, 1)->offset;
    float *m = s_a.trainer.state.m + offset;
    float *v = s_a.trainer.state.v + offset;
    quantise(m, DW, IN, &scheme, &m_site, 0);
    for (size_t i = 0; i < DW; i++)
        v[i] = sqrtf(v[i]);
    quantise(v, DW, IN, &scheme, &v_site, 0);
    for (size_t i = 0; i < DW; i++)
        v[i] = v[i] * v[i];
    assert_same_floats("m", s_b.trainer.state.m + offset, m, DW);
    assert_same_floats("v", s_b.trainer.state.v + offset, v, DW);
    /* biases and norms keep theirs */
    size_t bias = ag_tensor_find(&s_a.trainer.state.tensors, AG_T_C_FC_B, 1)->offset;
    assert_same_floats("m of bias", s_b.trainer.state.m + bias, s_a.trainer.state.m + bias, OC);

    ag_trainer_step(&s_a.trainer);
    ag_trainer_step(&s_b.trainer);
    assert_memory_not_equal(s_b.trainer.state.weights, s_a.trainer.state.weights,
                            total * sizeof(float));
    tiny_end(&s_a);
    tiny_end(&s_b);
}

static void test_moments_are_stored_after_the_update(void **state)
{
    (void)state;
    for (size_t i = 0; i < NAMES; i++)
        check_stored_moments(stochastic(s_names[i]));
}

/* A second moment that underflows to 0 is one that Adam has not met yet: eps keeps the update
 * finite, and the next gradient makes it anew. */
static void test_vanished_moments_do_not_divide(void **state)
{
    (void)state;
    ag_scheme coarse = tiny_scheme("e2m1");
    coarse.amax = AG_AMAX_NONE; /* everything below 1/4 is lost */
    tiny_make(&s_a);
    tiny_quantise_sites(&s_a, AG_SITE_OPT_V, coarse);
    tiny_start(&s_a);
    for (int step = 0; step < 4; step++) {
        ag_trainer_step(&s_a.trainer);
        size_t offset = ag_tensor_find(&s_a.trainer.state.tensors, AG_T_C_FC_W, 1)->offset;
        for (size_t i = 0; i < DW; i++)
            assert_true(s_a.trainer.state.v[offset + i] == 0.0f);
    }
    for (size_t i = 0; i < s_a.trainer.state.tensors.total; i++)
        assert_true(isfinite(s_a.trainer.state.weights[i]) != 0);
    assert_int_equal(s_a.trainer.state.updates, 4);
    tiny_end(&s_a);
}

/* --- the residual stream */

enum { N = 3 * 8, WIDTH = 8, STREAM = N * WIDTH, LAST = 7 * WIDTH };

static void check_stored_stream(ag_scheme scheme)
{
    float expected[STREAM];
    ag_rounding_site first = rounding_site(7 * 8, 0, 0);
    ag_rounding_site second = rounding_site(7 * 8 + 1, 0, 0);
    tiny_make(&s_a);
    tiny_make(&s_b);
    tiny_quantise_sites(&s_b, AG_SITE_RESIDUAL, scheme);
    tiny_start(&s_a);
    tiny_start(&s_b);
    differentiate(&s_a, 1);
    differentiate(&s_b, 1);
    ag_model *model = &s_b.trainer.model;
    const ag_block *block = &model->blocks[0];
    memcpy(expected, s_a.trainer.model.blocks[0].x_mid, sizeof expected);
    quantise(expected, STREAM, WIDTH, &scheme, &first, STREAM);
    assert_same_floats("x_mid", block->x_mid, expected, STREAM);
    /* the second: what the MLP makes of that, plus it; dropout is off */
    ag_pass pass = ag_trainer_pass(&s_b.trainer, AG_MODE_TRAIN, 3, 3);
    ag_model_forward(model, &s_b.trainer.tokens, &pass);
    const ag_factor one = {.all = 1.0f};
    float branch[STREAM];
    const ag_linear *projection = &block->linears[AG_LINEAR_MLP_C_PROJ];
    model->k->product(&(ag_product){.c = branch,
                                    .c_step = WIDTH,
                                    .a = ag_floats_along(projection->input, 32),
                                    .b = ag_floats_along(projection->weight_copies[0], 32),
                                    .M = N,
                                    .N = WIDTH,
                                    .K = 32});
    model->k->epilogue(branch, projection->bias, N, WIDTH, one, one, true);
    model->k->add(branch, expected, STREAM);
    quantise(branch, STREAM, WIDTH, &scheme, &second, STREAM);
    assert_same_floats("x_end", block->x_end, branch, STREAM);
    tiny_end(&s_a);
    tiny_end(&s_b);
}

static void test_the_stream_is_stored_after_each_add(void **state)
{
    (void)state;
    for (size_t i = 0; i < NAMES; i++)
        check_stored_stream(stochastic(s_names[i]));
}

/* Straight through: the gradient at the embedding is that of the same activations without Q. With
 * ste: clip it is 0 where the stream left the range. */
static void test_the_gradient_of_the_stream(void **state)
{
    (void)state;
    ag_scheme scheme = tiny_scheme("e2m1");
    scheme.amax = AG_AMAX_NONE;
    float dwpe[2][64];
    for (int clip = 0; clip < 2; clip++) {
        ag_pass pass;
        scheme.ste = clip ? AG_STE_CLIP : AG_STE_IDENTITY;
        tiny_make(&s_b);
        tiny_quantise_sites(&s_b, AG_SITE_RESIDUAL, scheme);
        tiny_start(&s_b);
        ag_model *model = &s_b.trainer.model;
        float *wpe = tiny_weight(&s_b, AG_T_WPE, 0);
        for (size_t c = 0; clip && c < WIDTH; c++)
            wpe[LAST + c] = 100.0f; /* far beyond 6 at the last token, which no other sees */
        pass = ag_trainer_pass(&s_b.trainer, AG_MODE_TRAIN, 3, 0);
        ag_batch_train(s_b.trainer.tokens.inputs, s_b.trainer.tokens.targets, &s_b.corpus, &s_b.run,
                       0, 0);
        ag_model_forward(model, &s_b.trainer.tokens, &pass);
        for (size_t i = 0; !clip && i < 2; i++)
            model->blocks[i].residual = NULL;
        ag_model_backward(model, &s_b.trainer.tokens, &pass);
        memcpy(dwpe[clip], tiny_grad(&s_b, AG_T_WPE, 0), sizeof dwpe[clip]);
        if (!clip) {
            tiny_end(&s_b);
            tiny_make(&s_b);
            tiny_quantise_sites(&s_b, AG_SITE_RESIDUAL, scheme);
            tiny_start(&s_b);
            differentiate(&s_b, 0);
            assert_same_floats("dwpe", tiny_grad(&s_b, AG_T_WPE, 0), dwpe[0], 64);
        }
        tiny_end(&s_b);
    }
    for (size_t c = 0; c < WIDTH; c++)
        assert_true(dwpe[1][LAST + c] == 0.0f && dwpe[0][LAST + c] != 0.0f);
}

/* --- gains */

/* The norms of a tiny model that has all, and where the random words of their gains are. */
static const struct {
    ag_tensor_id gain;
    uint32_t part;
} s_gains[] = {
    {AG_T_LN_1_W,      2},
    {AG_T_LN_2_W,      3},
    {AG_T_LN_1_POST_W, 4},
    {AG_T_LN_2_POST_W, 5},
    {AG_T_Q_NORM_W,    6},
    {AG_T_K_NORM_W,    7},
    {AG_T_LN_F_W,      2},
};

/* Gains that no format has, so that each is rounded; under `scheme` where that is given. */
static void set_gains(tiny *t, const ag_scheme *scheme)
{
    const ag_tensor_table *tensors = &t->trainer.state.tensors;
    for (size_t i = 0; i < sizeof s_gains / sizeof s_gains[0]; i++) {
        for (size_t block = 0; block < 2; block++) {
            const ag_tensor *tensor = ag_tensor_find(tensors, s_gains[i].gain, block);
            if (tensor == NULL) /* ln_f is once */
                continue;
            float *gains = t->trainer.state.weights + tensor->offset;
            bool is_last = tensor->id == AG_T_LN_F_W;
            uint32_t place = (is_last ? 2 * 64 : (uint32_t)block * 64) + 7 * 8 + s_gains[i].part;
            ag_rounding_site where = rounding_site(place, 0, 0);
            tiny_fill(gains, tensor->count, 50 + (uint32_t)(2 * i + block), 0.5f);
            for (size_t c = 0; c < tensor->count; c++)
                gains[c] += 1.0f;
            if (scheme != NULL)
                quantise(gains, tensor->count, tensor->count, scheme, &where, 0);
        }
    }
}

static void make_with_all_norms(tiny *t, const ag_scheme *scheme)
{
    tiny_make(t);
    t->run.model.norm_place = AG_NORM_SANDWICH;
    t->run.model.qk_norm = AG_QK_NORM_HEAD;
    t->run.model.qk_gain = true;
    if (scheme != NULL)
        tiny_quantise_sites(t, AG_SITE_GAIN, *scheme);
    tiny_start(t);
    set_gains(t, NULL);
}

static void evaluate_hp(tiny *t)
{
    ag_pass pass = ag_trainer_pass(&t->trainer, AG_MODE_EVALUATE_HP, 3, 0);
    ag_model_forward(&t->trainer.model, &t->trainer.tokens, &pass);
}

/* Forward and backward read what the format leaves of the gains, as a model does whose gains are
 * these; their gradient passes straight through, and the gains themselves stay. */
static void check_gains(ag_scheme scheme)
{
    make_with_all_norms(&s_a, NULL);
    make_with_all_norms(&s_b, &scheme);
    size_t total = s_a.trainer.state.tensors.total;
    size_t logits = (size_t)N * TINY_VOCAB;
    differentiate(&s_a, 0);
    evaluate_hp(&s_a);
    differentiate(&s_b, 0);
    evaluate_hp(&s_b);
    assert_same_floats("logits hp", s_b.trainer.model.logits, s_a.trainer.model.logits, logits);
    assert_same_floats("weights", s_b.trainer.state.weights, s_a.trainer.state.weights, total);
    assert_memory_not_equal(s_b.trainer.model.grads, s_a.trainer.model.grads,
                            total * sizeof(float));
    forget_gradients(&s_a);
    forget_gradients(&s_b);
    set_gains(&s_a, &scheme);
    differentiate(&s_a, 0);
    differentiate(&s_b, 0);
    assert_same_floats("grads", s_b.trainer.model.grads, s_a.trainer.model.grads, total);
    tiny_end(&s_a);
    tiny_end(&s_b);
}

static void test_norms_read_gains_as_they_are_stored(void **state)
{
    (void)state;
    for (size_t i = 0; i < NAMES; i++)
        check_gains(stochastic(s_names[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_null_sites_change_nothing),
        cmocka_unit_test(test_evaluation_with_and_without),
        cmocka_unit_test(test_each_product_dw_is_stored),
        cmocka_unit_test(test_moments_are_stored_after_the_update),
        cmocka_unit_test(test_vanished_moments_do_not_divide),
        cmocka_unit_test(test_the_stream_is_stored_after_each_add),
        cmocka_unit_test(test_the_gradient_of_the_stream),
        cmocka_unit_test(test_norms_read_gains_as_they_are_stored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
