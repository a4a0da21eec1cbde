/* Tiny models of every option in float32 against PyTorch in float64 (models.txt): logits, the
 * losses and every gradient. A gradient is told by its 2-norm and its product with u - 0.5 from
 * state 9000 + k. */
#include "made_case.h"

#include "queries.h"

enum { LINE = 16384, NAME = 64 };

typedef struct reference {
    tiny t;
    FILE *file;
    char line[LINE];
    char name[NAME]; /* of the case */
    int seed;
    int B, T, V, C, H, L;
} reference;

static bool next_line(reference *r)
{
    return fgets(r->line, sizeof r->line, r->file) != NULL;
}

static void assert_near(const reference *r, const char *what, double actual, double expected,
                        double bound)
{
    if (!(fabs(actual - expected) <= bound))
        fail_msg("%s, %s: %.9g, expected %.9g +- %.2g", r->name, what, actual, expected, bound);
}

/* "case NAME seed S key=value ..." */
static void start_case(reference *r, const ag_kernels *k)
{
    int used = 0;
    tiny_make(&r->t);
    ag_run *run = &r->t.run;
    run->compute = AG_COMPUTE_FP32;
    run->model.bias = false;
    run->model.n_layer = r->L;
    run->model.n_embd = r->C;
    run->model.n_head = r->H;
    run->model.block_size = r->T;
    run->train.batch_size = r->B;
    run->facts.vocab_size = r->V;
    assert_int_equal(sscanf(r->line, "case %63s seed %d%n", r->name, &r->seed, &used), 2);
    made_options(run, r->line + used);
    tiny_start_from(&r->t, k, NULL);
}

static void set_weights(reference *r)
{
    ag_train_state *state = &r->t.trainer.state;
    size_t parameters = 0;
    size_t count = 0;
    made_weights(state, r->seed);
    assert_true(next_line(r));
    assert_int_equal(sscanf(r->line, "parameters %zu tensors %zu", &parameters, &count), 2);
    assert_int_equal(ag_tensor_parameters(&state->tensors), parameters);
    assert_int_equal(state->tensors.count, count);
}

/* A forward and backward of this depth in float32: 1e-5 of the largest, seen 2e-6. */
static void check_logits(reference *r)
{
    const float *logits = r->t.trainer.model.logits;
    double largest = 0.0;
    assert_true(next_line(r));
    for (int pass = 0; pass < 2; pass++) {
        char *rest = r->line + strlen("logits");
        for (int i = 0; i < r->T * r->V; i++) {
            double expected = strtod(rest, &rest);
            largest = fmax(largest, fabs(expected));
            if (pass == 1)
                assert_near(r, "logits", (double)logits[i], expected, 1e-5 * largest + 1e-7);
        }
    }
}

static void check_losses(reference *r)
{
    const ag_model *model = &r->t.trainer.model;
    int count = r->B * r->T;
    double expected = 0.0;
    double sum = 0.0;
    assert_true(next_line(r));
    assert_int_equal(sscanf(r->line, "loss %lf", &expected), 1);
    for (int i = 0; i < count; i++)
        sum += (double)model->losses[i];
    assert_near(r, "loss", sum / count, expected, 1e-6 * expected);
}

/* Some are 0 in exact arithmetic, as that of the keys' bias. */
static void check_gradients(reference *r)
{
    const ag_tensor_table *tensors = &r->t.trainer.state.tensors;
    for (size_t k = 0; k < tensors->count; k++) {
        const ag_tensor *tensor = &tensors->rows[k];
        const float *grad = r->t.trainer.model.grads + tensor->offset;
        char name[NAME];
        double norm = 0.0;
        double dot = 0.0;
        uint64_t words = 9000 + k;
        double squares = 0.0;
        double product = 0.0;
        assert_true(next_line(r));
        assert_int_equal(sscanf(r->line, "grad %63s %*s %lf %lf", name, &norm, &dot), 3);
        assert_string_equal(name, tensor->name);
        for (size_t i = 0; i < tensor->count; i++) {
            squares += (double)grad[i] * (double)grad[i];
            product += (double)grad[i] * made_centred(&words);
        }
        double bound = 1e-5 * norm + 1e-7 * sqrt((double)tensor->count);
        assert_near(r, name, sqrt(squares), norm, bound);
        assert_near(r, name, product, dot, bound);
    }
}

static void check_all(const ag_kernels *k)
{
    static reference s_reference; /* large */
    reference *r = &s_reference;
    int cases = 0;
    r->file = fopen("train/models.txt", "r");
    assert_non_null(r->file);
    assert_true(next_line(r));
    assert_int_equal(sscanf(r->line, "sizes B %d T %d V %d C %d H %d L %d", &r->B, &r->T, &r->V,
                            &r->C, &r->H, &r->L),
                     6);
    for (; next_line(r); cases++) {
        start_case(r, k);
        set_weights(r);
        ag_trainer *trainer = &r->t.trainer;
        made_tokens(&trainer->tokens, r->seed, 0, r->B, r->T, r->V);
        ag_pass pass = ag_trainer_pass(trainer, AG_MODE_TRAIN, (size_t)r->B, 0);
        memset(trainer->model.grads, 0, trainer->state.tensors.total * sizeof(float));
        ag_model_forward(&trainer->model, &trainer->tokens, &pass);
        check_logits(r);
        ag_model_backward(&trainer->model, &trainer->tokens, &pass);
        check_losses(r);
        check_gradients(r);
        tiny_end(&r->t);
    }
    assert_int_equal(cases, 34);
    fclose(r->file);
}

static void test_reference_kernels(void **state)
{
    (void)state;
    check_all(&ag_kernels_plain);
}

static void test_fast_kernels(void **state)
{
    (void)state;
    check_all(&ag_kernels_fast);
}

/* Angles of tokens far from the start are as good as those near it: a float32 angle would be off by
 * up to 1e-3 there. PyTorch's, from angles in float64. */
static void test_angles_far_from_the_start(void **state)
{
    (void)state;
    enum { LAST = 65536, HALF = 8, ROWS = 3 };
    static const size_t tokens[ROWS] = {1023, 4095, LAST - 1};
    static const double cosines[ROWS][HALF] = {
        {4.000681972009e-01,  -9.965542691002e-01, -1.969428894596e-01, 5.944828807607e-01,
         -6.929511652561e-01, -9.956397676585e-01, 5.208072758753e-01,  9.481283039462e-01 },
        {-6.597599655806e-02, 8.158905773570e-01,  4.598633393467e-01,  -7.712642281021e-01,
         -9.940331897395e-01, 9.274892365697e-01,  -5.789081297568e-01, 2.723587661444e-01 },
        {1.923440186059e-01,  -4.535160727854e-01, 9.905309473432e-01,  4.954124226887e-01,
         -3.220856624194e-01, 9.944664687834e-01,  -9.054125970157e-01, -2.989903199034e-01}
    };
    static const double sines[ROWS][HALF] = {
        {-9.164853722719e-01, 8.294328627569e-02, 9.804149622947e-01, 8.041082666423e-01,
         -7.209845231142e-01, -9.328157940867e-02, 8.536742829647e-01,  3.178879036014e-01},
        {-9.978212103770e-01, 5.782063349533e-01, 8.879897010241e-01, -6.365151140783e-01,
         -1.090780348943e-01, 3.738498576266e-01,  -8.153927748646e-01, 9.621957714022e-01},
        {9.813275592311e-01,  8.912480977401e-01, 1.372896294530e-01, -8.686578909132e-01,
         9.467105291819e-01,  -1.050544738000e-01, 4.245327186041e-01,  9.542561441270e-01}
    };
    const ag_rotation turn = {.T = LAST, .D = 2 * HALF, .half = HALF};
    float *c = calloc(LAST * HALF, sizeof *c);
    float *s = calloc(LAST * HALF, sizeof *s);
    assert_true(c != NULL && s != NULL);
    ag_queries_angles(c, s, &turn, 10000.0);
    for (size_t row = 0; row < ROWS; row++) {
        for (size_t j = 0; j < HALF; j++) {
            assert_true(fabs((double)c[tokens[row] * HALF + j] - cosines[row][j]) < 0x1p-24);
            assert_true(fabs((double)s[tokens[row] * HALF + j] - sines[row][j]) < 0x1p-24);
        }
    }
    free(c);
    free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reference_kernels),
        cmocka_unit_test(test_fast_kernels),
        cmocka_unit_test(test_angles_far_from_the_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
