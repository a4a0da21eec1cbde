/* Tiny models of every option in float32 against PyTorch in float64 (models.txt): logits, the
 * losses and every gradient. Weights and tokens come from splitmix64: element i of tensor k is
 * offset + 0.5 (u_i - 0.5) from state 1000 seed + k, offset 1 for gains; tokens from 500 seed. A
 * gradient is told by its 2-norm and its product with u - 0.5 from state 9000 + k. */
#include "tiny.h"

enum { LINE = 16384, NAME = 64 };

typedef struct reference {
    tiny t;
    FILE *file;
    char line[LINE];
    char name[NAME]; /* of the case */
    int seed;
    int B, T, V, C, H, L;
} reference;

static double centred(uint64_t *state)
{
    return (double)(ag_splitmix64(state) >> 40) * 0x1p-24 - 0.5;
}

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
    for (char *word = strtok(r->line + used, " \n"); word != NULL; word = strtok(NULL, " \n")) {
        char key[NAME];
        char *value = strchr(word, '=');
        assert_non_null(value);
        snprintf(key, sizeof key, "model.%.*s", (int)(value - word), word);
        assert_non_null(ag_param_find(key));
        assert_ok(ag_param_set(run, ag_param_find(key), value + 1, NULL));
    }
    tiny_start_from(&r->t, k, NULL);
}

static void set_weights(reference *r)
{
    const ag_train_state *state = &r->t.trainer.state;
    size_t parameters = 0;
    size_t count = 0;
    for (size_t k = 0; k < state->tensors.count; k++) {
        const ag_tensor *tensor = &state->tensors.rows[k];
        uint64_t words = 1000 * (uint64_t)r->seed + k;
        double offset = tensor->init == AG_INIT_GAIN ? 1.0 : 0.0;
        for (size_t i = 0; i < tensor->count; i++)
            state->weights[tensor->offset + i] = (float)(offset + 0.5 * centred(&words));
    }
    assert_true(next_line(r));
    assert_int_equal(sscanf(r->line, "parameters %zu tensors %zu", &parameters, &count), 2);
    assert_int_equal(ag_tensor_parameters(&state->tensors), parameters);
    assert_int_equal(state->tensors.count, count);
}

static void set_tokens(reference *r)
{
    ag_tokens *tokens = &r->t.trainer.tokens;
    uint64_t words = 500 * (uint64_t)r->seed;
    for (int b = 0; b < r->B; b++) {
        for (int t = 0; t <= r->T; t++) {
            int32_t token = (int32_t)(ag_splitmix64(&words) % (uint64_t)r->V);
            if (t < r->T)
                tokens->inputs[b * r->T + t] = token;
            if (t > 0)
                tokens->targets[b * r->T + t - 1] = token;
        }
    }
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
            product += (double)grad[i] * centred(&words);
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
        set_tokens(r);
        ag_trainer *trainer = &r->t.trainer;
        ag_pass pass = ag_trainer_pass(trainer, AG_MODE_TRAIN, (size_t)r->B, 0);
        memset(trainer->model.grads, 0, trainer->state.tensors.total * sizeof(float));
        ag_model_forward(&trainer->model, &trainer->tokens, &pass);
        check_logits(r);
        ag_model_backward(&trainer->model, &trainer->tokens, &pass);
        check_losses(r);
        check_gradients(r);
        tiny_end(&r->t);
    }
    assert_int_equal(cases, 28);
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
