/* Weights without a float32 master: ten steps of AdamW whose results are stored in a format, bit
 * for bit as numpy computes them from the definition (stored.txt). Weights and gradients are those
 * of test_update_values.c. Then runs: what is stored, and that nothing else is trained. */
#include "optimizer.h"
#include "tiny.h"

#include "run/streams.h"

enum { LINE = 1024, ROWS = 5, COLS = 6, COUNT = ROWS * COLS, STEPS = 10 };

static FILE *s_file;
static char s_line[LINE];
static char s_name[LINE]; /* of the case */
static tiny s_t;          /* large */
static tiny s_u;

typedef struct scene {
    ag_optimizer_spec spec;
    ag_tensor tensor;
    ag_tensor_grid grid;
    ag_scheme scheme;
    ag_scale scale;
    ag_factor factor;
    ag_site_operands store;
    float w[COUNT], m[COUNT], v[COUNT], grad[COUNT], lost[COUNT], unstored[COUNT];
    ag_train_state state;
} scene;

static void fill(float *x, uint64_t seed, double size)
{
    for (size_t i = 0; i < COUNT; i++)
        x[i] = (float)(size * ((double)(ag_splitmix64(&seed) >> 40) * 0x1p-24 - 0.5));
}

static bool next_line(void)
{
    return fgets(s_line, sizeof s_line, s_file) != NULL;
}

static void begin_store(scene *s, const ag_kernels *k)
{
    s->scheme = tiny_scheme(strstr(s_line, "stored bf16") != NULL ? "bf16" : "e4m3");
    s->scheme.pow2 = strstr(s_line, "scale pow2") != NULL;
    if (strstr(s_line, "stochastic") != NULL)
        s->scheme.rounding = AG_ROUND_STOCHASTIC;
    s->scale.value = 1.0f;
    s->store = (ag_site_operands){.copies = 1, .factors = {&s->factor}};
    s->store.operands[0] = (ag_operand){.k = k,
                                        .scheme = &s->scheme,
                                        .sum = AG_SUM_COLS,
                                        .place = 3 * 64 + 2 * 8,
                                        .use = AG_USE_STORED,
                                        .scale = &s->scale};
    s->grid.store = &s->store;
}

/* "stored FORMAT shape 5x6 lr 0.001 betas (0.9, 0.95) eps 1e-08 scale S ROUNDING [RULE]; ..." */
static void begin_case(scene *s, const ag_kernels *k)
{
    memset(s, 0, sizeof *s);
    snprintf(s_name, sizeof s_name, "%s", s_line);
    s->spec = (ag_optimizer_spec){
        .lr = 1e-3, .betas = {0.9, 0.95},
             .eps = 1e-8, .weight_decay = 0.1
    };
    if (strstr(s_line, "kahan") != NULL)
        s->spec.store_error = AG_STORE_ERROR_KAHAN;
    else if (strstr(s_line, "eco") != NULL)
        s->spec.store_error = AG_STORE_ERROR_ECO;
    s->tensor = (ag_tensor){
        .id = AG_T_C_FC_W,
        .dims = {ROWS, COLS},
        .n_dims = 2,
        .count = COUNT,
        .decayed = true,
        .lr_factor = 1.0
    };
    begin_store(s, k);
    s->state = (ag_train_state){
        .tensors = {1, &s->tensor, COUNT},
        .grids = &s->grid,
        .weights = s->w,
        .m = s->m,
        .v = s->v,
        .n_v = COUNT,
        .lost = s->lost,
        .n_lost = COUNT,
        .unstored = s->unstored
    };
    fill(s->w, 2000, 0.5);
    ag_optimizer_begin(&s->state, &s->spec, NULL, k);
}

static void step(scene *s, const ag_kernels *k)
{
    uint64_t key = ag_stream_key(42, AG_STREAM_ROUNDING);
    int64_t at = s->state.step;
    ag_pass pass = {.mode = AG_MODE_TRAIN, .B = 1, .step = (uint32_t)at, .rounding_key = key};
    ag_update update = {.grads = s->grad,
                        .lr = 1e-3 * (1.0 - (double)at / 20.0),
                        .grad_scale = 1.0,
                        .rounding_key = key,
                        .pass = &pass};
    fill(s->grad, 3000 + (uint64_t)at, 0.25);
    ag_optimizer_step(&s->state, &s->spec, &update, k);
    s->state.step++;
}

/* The line "NAME bits bits ...". */
static void check_bits(const char *name, const float *x)
{
    assert_true(next_line());
    assert_int_equal(strncmp(s_line, name, strlen(name)), 0);
    char *rest = s_line + strlen(name);
    for (size_t i = 0; i < COUNT; i++) {
        uint32_t expected = (uint32_t)strtoul(rest, &rest, 16);
        uint32_t bits = ag_float_bits(x[i]);
        if (bits != expected)
            fail_msg("%s%s[%zu]: %08x, expected %08x", s_name, name, i, bits, expected);
    }
}

static void check_case(const ag_kernels *k)
{
    static scene s_scene;
    scene *s = &s_scene;
    begin_case(s, k);
    check_bits("w 0", s->w);
    for (int t = 1; t <= STEPS; t++) {
        char name[8];
        snprintf(name, sizeof name, "w %d", t);
        step(s, k);
        if (t <= 2 || t == STEPS)
            check_bits(name, s->w);
    }
    check_bits("m", s->m);
    if (s->spec.store_error == AG_STORE_ERROR_KAHAN)
        check_bits("c", s->lost);
}

static void check_all(const ag_kernels *k)
{
    int cases = 0;
    s_file = fopen("train/stored.txt", "r");
    assert_non_null(s_file);
    for (; next_line(); cases++)
        check_case(k);
    assert_int_equal(cases, 9);
    fclose(s_file);
}

static void test_bits_of_ten_steps(void **state)
{
    (void)state;
    check_all(&ag_kernels_plain);
    check_all(&ag_kernels_fast);
}

/* --- runs */

static void make(tiny *t, const char *format, ag_rounding rounding, ag_store_error rule)
{
    tiny_make(t);
    ag_scheme scheme = tiny_scheme(format);
    scheme.rounding = rounding;
    for (size_t i = 0; i < ag_site_count(&t->run.model); i++) {
        if (ag_site_at(&t->run.model, i).kind == AG_SITE_OPT_W)
            t->sites[i].scheme[AG_ROLE_WEIGHT][0] = t->sites[i].scheme[AG_ROLE_WEIGHT][1] = scheme;
    }
    t->run.sites = t->sites;
    t->run.optimizer.store_error = rule;
}

/* Matrices lie on the format's values, vectors do not. */
static void assert_stored(const tiny *t, const ag_tensor *tensor)
{
    const float *w = t->trainer.state.weights + tensor->offset;
    size_t on = 0;
    for (size_t i = 0; i < tensor->count; i++)
        on += w[i] == ag_round_bf16(w[i]);
    if (tensor->n_dims == 2)
        assert_int_equal(on, tensor->count);
    else if (t->trainer.state.updates > 0)
        assert_true(on < tensor->count);
}

static void test_matrices_and_embeddings_are_stored(void **state)
{
    (void)state;
    make(&s_t, "bf16", AG_ROUND_STOCHASTIC, AG_STORE_ERROR_DROP);
    tiny_start(&s_t);
    for (int i = 0; i < 3; i++) {
        const ag_tensor_table *tensors = &s_t.trainer.state.tensors;
        for (size_t row = 0; row < tensors->count; row++)
            assert_stored(&s_t, &tensors->rows[row]);
        ag_trainer_step(&s_t.trainer);
    }
    tiny_end(&s_t);
}

/* Before step 0 rounding is to nearest, so the initial digest does not know how steps round. */
static void test_initial_weights_are_the_nearest(void **state)
{
    (void)state;
    static tiny s_plain;
    make(&s_t, "bf16", AG_ROUND_STOCHASTIC, AG_STORE_ERROR_DROP);
    make(&s_u, "bf16", AG_ROUND_NEAREST, AG_STORE_ERROR_KAHAN);
    tiny_make(&s_plain);
    tiny_start(&s_t);
    tiny_start(&s_u);
    tiny_start(&s_plain);
    assert_string_equal(s_t.record.digest_initial, s_u.record.digest_initial);
    assert_string_not_equal(s_t.record.digest_initial, s_plain.record.digest_initial);
    const ag_tensor *tensor = ag_tensor_find(&s_t.trainer.state.tensors, AG_T_WTE, 0);
    for (size_t i = tensor->offset; i < tensor->offset + tensor->count; i++)
        assert_true(s_t.trainer.state.weights[i] ==
                    ag_round_bf16(s_plain.trainer.state.weights[i]));
    tiny_end(&s_t);
    tiny_end(&s_u);
    tiny_end(&s_plain);
}

/* Steps of a hundredth of what nearest rounding loses: weights stand still, and move on average
 * where the loss is kept. */
static double moved_after(ag_rounding rounding, ag_store_error rule)
{
    enum { WEIGHTS = 4 * 8 * 8 };
    double moved = 0.0;
    make(&s_t, "bf16", rounding, rule);
    s_t.run.train.steps = 60;
    s_t.run.optimizer.lr = 2e-6;
    s_t.run.optimizer.schedule = AG_SCHEDULE_CONSTANT;
    s_t.run.optimizer.weight_decay = 0.0;
    tiny_start(&s_t);
    const ag_tensor *tensor = ag_tensor_find(&s_t.trainer.state.tensors, AG_T_C_FC_W, 0);
    const float *w = s_t.trainer.state.weights + tensor->offset;
    float before[WEIGHTS];
    memcpy(before, w, sizeof before);
    for (int i = 0; i < 60; i++)
        ag_trainer_step(&s_t.trainer);
    for (size_t i = 0; i < WEIGHTS; i++)
        moved += fabs((double)w[i] - (double)before[i]);
    tiny_end(&s_t);
    return moved / WEIGHTS;
}

static void test_kahan_and_chance_keep_small_steps(void **state)
{
    (void)state;
    double nearest = moved_after(AG_ROUND_NEAREST, AG_STORE_ERROR_DROP);
    assert_true(moved_after(AG_ROUND_NEAREST, AG_STORE_ERROR_KAHAN) > 3 * nearest);
    assert_true(moved_after(AG_ROUND_STOCHASTIC, AG_STORE_ERROR_DROP) > 3 * nearest);
}

/* Every optimizer but grid, by each rule that it takes. */
static void test_all_optimizers_store(void **state)
{
    (void)state;
    for (int64_t type = 0; type < AG_OPTIMIZERS; type++) {
        for (int64_t rule = AG_STORE_ERROR_DROP; rule <= AG_STORE_ERROR_ECO; rule++) {
            make(&s_t, "bf16", AG_ROUND_NEAREST, (ag_store_error)rule);
            s_t.run.optimizer.type = type;
            s_t.run.data.text = "input.txt";
            if (ag_run_check(&s_t.run) != AG_OK)
                continue;
            tiny_start(&s_t);
            ag_trainer_step(&s_t.trainer);
            ag_trainer_step(&s_t.trainer);
            assert_stored(&s_t, &s_t.trainer.state.tensors.rows[0]);
            tiny_end(&s_t);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bits_of_ten_steps),
        cmocka_unit_test(test_matrices_and_embeddings_are_stored),
        cmocka_unit_test(test_initial_weights_are_the_nearest),
        cmocka_unit_test(test_kahan_and_chance_keep_small_steps),
        cmocka_unit_test(test_all_optimizers_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
