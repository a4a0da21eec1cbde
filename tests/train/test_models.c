/* Tiny models of every option in float32 against PyTorch in float64 (models.txt): logits, the
 * losses and every gradient. A gradient is told by its 2-norm and its product with u - 0.5 from
 * state 9000 + k. */
#include "made_case.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reference_kernels),
        cmocka_unit_test(test_fast_kernels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
